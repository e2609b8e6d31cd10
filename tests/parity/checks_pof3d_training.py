"""PoF3D's discriminator, augmentation and training steps against their golden cases."""

from __future__ import annotations

from typing import Any

import torch
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from torch import Tensor

from monoform.methods.pof3d.discriminator import DiscriminatorConfig, Pof3dDiscriminator
from monoform.methods.pof3d.inputs import resized
from monoform.nn.stylegan2.augment import AugmentOptions, AugmentPipe
from monoform.training.adversarial import blurred


@check("pof3d", "augment")
def augment(case: Case) -> None:
    """Each run names a pipe; channels and strength where they differ from those of all."""
    config, images = case.config, case.tensor("images")
    for name, run in config["runs"].items():
        pipe = AugmentPipe(AugmentOptions(**config["pipes"][run["pipe"]]), run.get("strength", config["strength"]))
        given = images[:, : run.get("channels", images.shape[1])]
        torch.manual_seed(0)
        case.compare(name, pipe(given, percentile=run.get("percentile")))
    case.compare("Hz_geom", pipe.Hz_geom)
    case.compare("Hz_fbank", pipe.Hz_fbank)


@check("pof3d", "disc_inputs")
def disc_inputs(case: Case) -> None:
    config, x = case.config, case.tensor("x")
    for name, kind in {"antialiased": "bilinear", "classic": "filtered"}.items():
        for size in config["sizes"].get(name, []):
            case.compare(f"{name}_{size}", resized(x, size, kind=kind, taps=config["filter"]))  # type: ignore[arg-type]
    for sigma in config["blur_sigmas"]:
        case.compare(f"blur_sigma_{sigma}".replace(".", "p"), blurred(x, sigma))


@check("pof3d", "discriminator")
def discriminator(case: Case) -> None:
    net = filled_discriminator(case.config, case.manifest)
    names = ["image", "image_raw"] if net.config.dual else ["image"]
    given = {name: case.tensor(name).requires_grad_() for name in ("image", "image_raw")}
    pose = case.tensor("pose")
    found = net(given["image"], given["image_raw"], pose)
    flat = net.flat(given["image"], given["image_raw"])
    case.compare("score", found.score)
    case.compare("cam", found.pose)
    case.compare("cam_only", net.b4.pose(flat))
    case.compare("score_unprojected", net.b4.score(flat))
    case.compare("cmap", net.mapping(c=pose))
    if found.unconditional is not None:
        case.compare("nocond_output", found.unconditional)
    gradients = torch.autograd.grad(found.score.sum(), [given[name] for name in names], create_graph=True)
    penalty = sum(gradient.square().sum(dim=(1, 2, 3)) for gradient in gradients)
    assert isinstance(penalty, Tensor)
    case.compare("r1_penalty", penalty)
    penalty.mean().backward()
    parameters = dict(net.named_parameters())
    for name in case.names("r1_grad_norm/"):
        gradient = parameters[name.removeprefix("r1_grad_norm/")].grad
        assert gradient is not None, name
        case.compare(name, gradient.norm())


def filled_discriminator(config: Fields, manifest: Any) -> Pof3dDiscriminator:
    """The published discriminator of a case, with the weights of a fill manifest; filters are no weights here."""
    kind = config.one_of("cls", "DualDiscriminator", "SingleDiscriminator_1")
    config.one_of("c_dim", 2)
    config.one_of("img_channels", 3)
    config.one_of("architecture", "resnet")
    config.one_of("num_fp16_res", 0)
    epilogue, mapping = config.get("epilogue", Fields({}, "epilogue")), config.get("mapping", Fields({}, "mapping"))
    mapping.one_of("lr_multiplier", 0.01)
    net = Pof3dDiscriminator(
        DiscriminatorConfig(
            resolution=config["img_resolution"],
            dual=kind == "DualDiscriminator",
            pose_coding="angles",
            channel_base=config["channel_base"],
            channel_max=config["channel_max"],
            group=epilogue.get("mbstd_group_size", 4),
            clamp=config.get("conv_clamp", 256.0),
            mapping_layers=mapping.get("num_layers", 8),
            linear_pose=epilogue.get("dis_linear_pose", False),
            unconditional=epilogue.get("nocond_output", False),
            frozen=config.get("freeze_layers", 0),
        )
    )
    state = {name: torch.from_numpy(values) for name, values in fill_state(manifest).items()}
    net.load_state_dict({name: values for name, values in state.items() if not name.endswith("resample_filter")})
    return net
