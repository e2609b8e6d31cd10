"""What a published snapshot says of its networks, as our configurations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

from ...errors import InputError
from .config import Background, Compat, Network, Pof3dConfig, PoseHead, Rays, Rig, Superresolution, focal_of
from .discriminator import DiscriminatorConfig
from .presets import preset

NAMES = ("auto", "ffhq", "cats", "shapenetcars", "afhq", "compcars", "compcars_white")
GENERATOR = "TriPlaneGeneratorPose"
DISCRIMINATORS = {"DualDiscriminator": True, "SingleDiscriminator_1": False}
"""Whether they see the raw image, too."""
_MISSING = object()


class Told:
    """Named values of a snapshot, each asked for by its kind; what is not there has its published default.

    Args:
        values: the first that has a name counts.
        what: they are options of, for sentences.
    """

    def __init__(self, what: str, *values: Any) -> None:
        self.what, self.values = what, [each for each in values if isinstance(each, Mapping)]

    def value(self, name: str, default: Any = _MISSING) -> Any:
        """As it stands there.

        Raises:
            InputError: it is not there and has no default.
        """
        for each in self.values:
            if name in each:
                return each[name]
        if default is _MISSING:
            raise InputError(f"{self.what} has no option {name}: it is of another version of the program.")
        return default

    def number(self, name: str, default: Any = _MISSING) -> float:
        """A finite number."""
        value = self.value(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self.unknown(name, value, "a number")
        return float(value)

    def count(self, name: str, default: Any = _MISSING) -> int:
        """A whole number."""
        number = self.number(name, default)
        if number != int(number):
            raise self.unknown(name, number, "a whole number")
        return int(number)

    def flag(self, name: str, default: bool = False) -> bool:
        """Whether an option is on."""
        value = self.value(name, default)
        if not isinstance(value, bool) and (type(value) is not int or value not in (0, 1)):
            raise self.unknown(name, value, "yes or no")
        return bool(value)

    def numbers(self, name: str, length: int, default: Any = _MISSING) -> tuple[float, ...] | None:
        """So many numbers, or None."""
        value = self.value(name, default)
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or len(value) != length:
            raise self.unknown(name, value, f"{length} numbers")
        inner = Told(f"{self.what}'s {name}", {str(place): number for place, number in enumerate(value)})
        return tuple(inner.number(str(place)) for place in range(length))

    def below(self, name: str) -> Told:
        """The options that one option holds."""
        return Told(f"{self.what}'s {name}", *(each.get(name) for each in self.values))

    def require(self, name: str, *known: Any) -> Any:
        """A value of which only these are known; the first is the default."""
        value = self.value(name, known[0])
        if isinstance(value, tuple):
            value = list(value)
        if not any(type(value) is type(each) and value == each for each in known):
            raise self.unknown(name, value, f"one of {', '.join(map(str, known))}")
        return value

    def unknown(self, name: str, value: Any, wanted: str) -> InputError:
        """The sentence for a value that cannot be used."""
        shown = repr(value)[:40] if isinstance(value, (str, int, float, type(None))) else f"a {type(value).__name__}"
        return InputError(f"{self.what} has {name} = {shown}, and {wanted} is needed here.")


def generator_config(generator: Mapping[str, Any], training_set: Any, name: str, source: str) -> Pof3dConfig:
    """The configuration of a published generator, from the arguments it was made with.

    Args:
        generator: its attributes.
        training_set: options of the photos that it was trained with.
        name: of the data set, one of `NAMES`: tells the focal length where the snapshot does not.
        source: the file, for sentences.

    Raises:
        InputError: an option has a value that is not known here.
    """
    told = Told(f"The generator of {source}", generator.get("_init_kwargs"), generator)
    render, mapping = told.below("rendering_kwargs"), told.below("mapping_kwargs")
    backbone = generator["_modules"]["backbone"]
    planes = Told(f"The backbone of {source}", backbone.get("_init_kwargs"), backbone)
    told.require("img_channels", 3)
    side = planes.count("img_resolution", 256)
    channels = planes.count("img_channels", 96)
    if channels % 3:
        raise planes.unknown("img_channels", channels, "a multiple of 3")
    return Pof3dConfig(
        resolution=told.count("img_resolution"),
        network=Network(
            z_dim=told.count("z_dim"),
            w_dim=told.count("w_dim"),
            mapping_layers=mapping.count("num_layers", 2),
            mapping_rate=mapping.number("lr_multiplier", 0.01),
            channel_base=told.count("channel_base", 32768),
            channel_max=told.count("channel_max", 512),
            plane_resolution=side,
            plane_features=channels // 3,
            noise=told.flag("use_noise", True),
            half_resolutions=told.count("num_fp16_res", 0),
            clamp=None if told.value("conv_clamp", None) is None else told.number("conv_clamp"),
            decoder_width=_decoder_width(generator),
            decoder_rate=render.number("decoder_lr_mul", 1.0),
            superresolution=_superresolution(render),
            superresolution_noise=render.require("superresolution_noise_mode", "none", "const", "random"),
            superresolution_half=told.count("sr_num_fp16_res", 0) > 0,
            superresolution_stop=render.flag("detach_w_superres"),
            background=_background(told),
        ),
        pose=_pose_head(told, mapping, render),
        rig=_rig(render, Told(f"The training set of {source}", training_set), name),
        rays=_rays(told, render),
        compat=Compat(
            repeated_axes=render.flag("wrong", True),
            linear_means=True,
            overwritten_raw=True,
            batch_depth=True,
            late_misses=True,
            unused_fov=True,
            random_rendering=True,
        ),
    )


def discriminator_config(kind: str, discriminator: Mapping[str, Any], source: str) -> DiscriminatorConfig:
    """The configuration of a published discriminator, from the arguments it was made with.

    Args:
        kind: name of its class.
        discriminator: its attributes.
        source: the file, for sentences.

    Raises:
        InputError: it is of another kind, or an option has a value that is not known here.
    """
    if kind not in DISCRIMINATORS:
        raise InputError(
            f"The discriminator of {source} is a {kind[:40]}; {' and '.join(DISCRIMINATORS)} are known here."
        )
    told = Told(f"The discriminator of {source}", discriminator.get("_init_kwargs"), discriminator)
    block, mapping, end = (told.below(name) for name in ("block_kwargs", "mapping_kwargs", "epilogue_kwargs"))
    told.require("c_dim", 2)
    told.require("architecture", "resnet")
    mapping.require("lr_multiplier", 0.01)
    end.require("mbstd_num_channels", 1)
    group = end.value("mbstd_group_size", 4)
    return DiscriminatorConfig(
        resolution=told.count("img_resolution"),
        dual=DISCRIMINATORS[kind],
        pose_coding="angles",
        channel_base=told.count("channel_base", 32768),
        channel_max=told.count("channel_max", 512),
        group=256 if group is None else end.count("mbstd_group_size", 4),
        clamp=None if told.value("conv_clamp", 256) is None else told.number("conv_clamp", 256),
        mapping_layers=mapping.count("num_layers", 8),
        linear_pose=end.flag("dis_linear_pose"),
        unconditional=end.flag("nocond_output"),
        pose_noise=told.number("disc_c_noise", 0.0) if told.value("disc_c_noise", 0.0) is not None else 0.0,
        frozen=block.count("freeze_layers", 0),
        half=told.count("num_fp16_res", 4),
    )


def _decoder_width(generator: Mapping[str, Any]) -> int:
    return Told("The decoder", generator["_modules"].get("decoder")).count("hidden_dim", 64)


def _superresolution(render: Told) -> Superresolution:
    module = render.value("superresolution_module", None)
    if module is None:
        return "none"
    kind = module.rpartition("SuperresolutionHybrid")[2] if isinstance(module, str) else ""
    if kind not in get_args(Superresolution) or not isinstance(module, str) or "SuperresolutionHybrid" not in module:
        raise render.unknown("superresolution_module", module, "SuperresolutionHybrid2X, 4X, 8X or 8XDC")
    return kind  # type: ignore[return-value]


def _background(told: Told) -> Background | None:
    if told.value("bg_kwargs", None) is None:
        return None
    given = told.below("bg_kwargs")
    given.require("positional_encoding", "normal")
    given.require("use_style", "StyleGAN2")
    given.require("inverse_sphere", True)
    given.require("predict_rgb", True)
    given.require("use_viewdirs", False)
    given.require("downscale_p_by", 1)
    given.require("skips", [])
    return Background(
        width=given.count("hidden_size", 64),
        blocks=given.count("n_blocks", 4),
        samples=given.count("num_bg_pts", 4),
        start=given.number("bg_start", 0.5),
        frequencies=given.count("n_freq_posenc", 10),
    )


def _pose_head(told: Told, mapping: Told, render: Told) -> PoseHead:
    third = mapping.count("cam_dim", 2)
    if third not in (2, 3):
        raise mapping.unknown("cam_dim", third, "2 or 3")
    fov = mapping.flag("learn_fov", render.flag("learn_fov"))
    learned = "nothing" if third == 2 else "fov" if fov else "radius"
    means = {"nothing": None, "fov": ("fov_mean", 20.0), "radius": ("r_mean", render.number("avg_camera_radius"))}
    mean = means[learned]
    return PoseHead(
        learned=learned,  # type: ignore[arg-type]
        linear=mapping.flag("linear_pose"),
        rate=mapping.number("lr_multiplier_pose", 0.01),
        yaw="number",
        elevation="free",
        uniform=mapping.flag("uniform_sampling"),
        yaw_mean=render.number("h_mean", told.value("h_mean", math.pi / 2)),
        third_mean=None if mean is None else told.number(*mean),
        clamp_yaw=render.numbers("clamp_h", 2, told.value("clamp_h", None)),  # type: ignore[arg-type]
        clamp_elevation=render.numbers("clamp_v", 2, told.value("clamp_v", None)),  # type: ignore[arg-type]
    )


def _rig(render: Told, training_set: Told, name: str) -> Rig:
    """Pivot and radius stand in the snapshot; the focal length in the photos' labels, or as their field of view."""
    pivot = render.numbers("avg_camera_pivot", 3, (0.0, 0.0, 0.0)) or (0.0, 0.0, 0.0)
    radius = render.number("avg_camera_radius")
    if name == "auto" and training_set.value("create_label_fov", None) is not None:
        focal = focal_of(training_set.number("create_label_fov"), truncated=True)
    elif name == "auto":
        rigs = [preset(each).rig for each in NAMES[1:]]
        focal = min(rigs, key=lambda rig: math.dist((*rig.pivot, rig.radius), (*pivot, radius))).focal
    else:
        focal = preset(name).rig.focal
    return Rig(pivot=pivot, radius=radius, focal=focal)  # type: ignore[arg-type]


def _rays(told: Told, render: Told) -> Rays:
    render.require("clamp_mode", "softplus")
    ends = (render.value("ray_start"), render.value("ray_end"))
    at_box = ends == ("auto", "auto")
    side = told.count("img_resolution")
    raw = told.count("neural_rendering_resolution", min(64, side))
    return Rays(
        near=None if at_box else render.number("ray_start"),
        far=None if at_box else render.number("ray_end"),
        box=render.number("box_warp"),
        coarse=render.count("depth_resolution"),
        fine=render.count("depth_resolution_importance"),
        disparity=render.flag("disparity_space_sampling"),
        white=render.flag("white_back"),
        raw_resolution=raw,
    )
