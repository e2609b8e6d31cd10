"""Snapshots in the authors' format: options as they stand in the file, and one sentence for each that does not fit."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.snapshots import InverseRenderer, Plain, node_of, published_names, snapshot_of  # noqa: F401  a fixture
from torch import nn

from monoform.errors import InputError
from monoform.methods.pof3d.config import Background, Compat, Network, Pof3dConfig, PoseHead, Rays, Rig, focal_of
from monoform.methods.pof3d.discriminator import DiscriminatorConfig
from monoform.methods.pof3d.networks import NetworksConfig, Pof3dNetworks
from monoform.methods.pof3d.published import networks_of, read_published
from monoform.training.weights import load_pretrained, save_pretrained

pytestmark = pytest.mark.usefixtures("published_names")
KEPT = Compat(
    repeated_axes=True,
    linear_means=True,
    overwritten_raw=True,
    batch_depth=True,
    late_misses=True,
    unused_fov=True,
    random_rendering=True,
)
CONFIG = Pof3dConfig(
    resolution=32,
    network=Network(
        z_dim=8, w_dim=12, channel_base=64, channel_max=8, plane_resolution=8, plane_features=4, superresolution="none"
    ),
    pose=PoseHead(yaw="number", elevation="free", yaw_mean=math.pi),
    rig=Rig(pivot=(0.0, 0.0, 0.2), radius=2.7, focal=focal_of(30.0, truncated=True)),
    rays=Rays(coarse=6, fine=5, raw_resolution=16),
    compat=KEPT,
)
JUDGE = DiscriminatorConfig(resolution=8, pose_coding="angles", channel_base=32, channel_max=4, mapping_layers=1)
RENDER = {
    "superresolution_module": None,
    "superresolution_noise_mode": "none",
    "clamp_mode": "softplus",
    "decoder_lr_mul": 1,
    "disparity_space_sampling": False,
    "depth_resolution": 6,
    "depth_resolution_importance": 5,
    "ray_start": 2.25,
    "ray_end": 3.3,
    "box_warp": 1,
    "avg_camera_radius": 2.7,
    "avg_camera_pivot": [0, 0, 0.2],
    "h_mean": math.pi,
    "wrong": True,
    "detach_w_superres": False,
}
MAPPING = {"num_layers": 2, "linear_pose": False, "cam_dim": 2, "lr_multiplier": 0.01, "lr_multiplier_pose": 0.01}
KWARGS = {
    "z_dim": 8,
    "w_dim": 12,
    "c_dim": 25,
    "img_resolution": 32,
    "img_channels": 3,
    "channel_base": 64,
    "channel_max": 8,
    "num_fp16_res": 0,
    "sr_num_fp16_res": 4,
    "conv_clamp": None,
    "bg_kwargs": None,
}
JUDGE_KWARGS = {
    "c_dim": 2,
    "img_resolution": 8,
    "img_channels": 3,
    "channel_base": 32,
    "channel_max": 4,
    "num_fp16_res": 4,
    "conv_clamp": 256,
    "disc_c_noise": 0.0,
}
BACKGROUND = {"hidden_size": 16, "n_blocks": 3, "num_bg_pts": 5, "bg_start": 0.25, "n_freq_posenc": 4}


def made(config: NetworksConfig) -> Pof3dNetworks:
    torch.manual_seed(0)
    networks = Pof3dNetworks(config)
    for parameter in networks.parameters():
        nn.init.normal_(parameter)
    return networks


def written(
    networks: Pof3dNetworks,
    *,
    kwargs: dict[str, Any] | None = None,
    render: dict[str, Any] | None = None,
    mapping: dict[str, Any] | None = None,
    judge: dict[str, Any] | None = None,
    label_fov: float | None = 30.0,
    raw: int = 16,
    **more: Any,
) -> bytes:
    """A snapshot of the networks, made with the arguments above and these."""
    assert networks.discriminator is not None
    whole = KWARGS | {"rendering_kwargs": RENDER | (render or {}), "mapping_kwargs": MAPPING | (mapping or {})}
    epilogue = {"mbstd_group_size": 4, "nocond_output": False, "dis_linear_pose": False}
    judging = {"block_kwargs": {"freeze_layers": 0}, "mapping_kwargs": {"num_layers": 1}, "epilogue_kwargs": epilogue}
    attributes = {"neural_rendering_resolution": raw, "r_mean": 2.5, "fov_mean": 20} | more.pop("attributes", {})
    return snapshot_of(
        networks.generator,
        networks.discriminator,
        kwargs=whole | (kwargs or {}),
        discriminator_kwargs=JUDGE_KWARGS | judging | (judge or {}),
        training_set={"path": "x.zip", "create_label_fov": label_fov},
        attributes=attributes,
        **more,
    )


def read(data: bytes, place: Path, config: str = "auto") -> tuple[Pof3dNetworks, NetworksConfig]:
    (place / "network-snapshot-000000.pkl").write_bytes(data)
    return read_published(place / "network-snapshot-000000.pkl", config)


def with_(config: Pof3dConfig = CONFIG, **parts: dict[str, Any]) -> Pof3dConfig:
    return replace(config, **{name: replace(getattr(config, name), **fields) for name, fields in parts.items()})


OPTIONS: dict[str, tuple[Pof3dConfig, dict[str, Any]]] = {
    "as published": (CONFIG, {}),
    "a linear pose": (with_(pose={"linear": True}), {"mapping": {"linear_pose": True}}),
    "a learned radius": (
        with_(pose={"learned": "radius", "third_mean": 2.5}),
        {"mapping": {"cam_dim": 3, "learn_fov": False}},
    ),
    "a learned field of view": (
        with_(pose={"learned": "fov", "third_mean": 20.0}),
        {"mapping": {"cam_dim": 3, "learn_fov": True}},
    ),
    "uniform poses": (with_(pose={"uniform": True}), {"mapping": {"uniform_sampling": True}}),
    "clamped poses": (
        with_(pose={"clamp_yaw": (0.0, 6.28), "clamp_elevation": (0.5, 3.0)}),
        {"render": {"clamp_h": [0, 6.28], "clamp_v": [0.5, 3.0]}},
    ),
    "other rates": (
        with_(pose={"rate": 0.1}, network={"mapping_rate": 0.02, "decoder_rate": 0.5, "mapping_layers": 3}),
        {
            "mapping": {"lr_multiplier_pose": 0.1, "lr_multiplier": 0.02, "num_layers": 3},
            "render": {"decoder_lr_mul": 0.5},
        },
    ),
    "other cameras": (
        with_(pose={"yaw_mean": 1.0}, rig={"pivot": (0.1, 0.2, -0.06), "radius": 1.7}),
        {"render": {"h_mean": 1.0, "avg_camera_pivot": [0.1, 0.2, -0.06], "avg_camera_radius": 1.7}},
    ),
    "other rays": (
        with_(rays={"near": 0.1, "far": 2.6, "box": 1.6, "coarse": 7, "fine": 0, "white": True, "disparity": True}),
        {
            "render": {
                "ray_start": 0.1,
                "ray_end": 2.6,
                "box_warp": 1.6,
                "depth_resolution": 7,
                "depth_resolution_importance": 0,
                "white_back": True,
                "disparity_space_sampling": True,
            }
        },
    ),
    "rays between the box": (
        with_(rays={"near": None, "far": None, "raw_resolution": 8}),
        {"render": {"ray_start": "auto", "ray_end": "auto"}, "raw": 8},
    ),
    "correct axes": (with_(compat={"repeated_axes": False}), {"render": {"wrong": False}}),
    "layers without noise": (with_(network={"noise": False}), {"kwargs": {"use_noise": False}}),
    "halves and clamps": (
        with_(network={"half_resolutions": 4, "clamp": 256.0, "superresolution_half": False}),
        {"kwargs": {"num_fp16_res": 4, "conv_clamp": 256, "sr_num_fp16_res": 0}},
    ),
    "super-resolution 2X": (
        with_(network={"superresolution": "2X", "superresolution_stop": True}),
        {
            "render": {
                "superresolution_module": "training.superresolution.SuperresolutionHybrid2X",
                "detach_w_superres": True,
            }
        },
    ),
    "super-resolution 4X": (
        with_(network={"superresolution": "4X", "superresolution_noise": "const"}),
        {
            "render": {
                "superresolution_module": "training.superresolution.SuperresolutionHybrid4X",
                "superresolution_noise_mode": "const",
            }
        },
    ),
    "super-resolution 8XDC": (
        with_(network={"superresolution": "8XDC"}),
        {"render": {"superresolution_module": "training.superresolution.SuperresolutionHybrid8XDC"}},
    ),
    "other sizes": (
        with_(network={"plane_resolution": 16, "plane_features": 5, "decoder_width": 9, "channel_max": 6}),
        {"kwargs": {"channel_max": 6}},
    ),
    "a background": (
        with_(network={"background": Background(width=16, blocks=3, samples=5, start=0.25, frequencies=4)}),
        {"kwargs": {"bg_kwargs": BACKGROUND}},
    ),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_as_it_stands_in_the_file(tmp_path: Path, name: str) -> None:
    config, arguments = OPTIONS[name]
    networks = made(NetworksConfig(config, JUDGE))
    found, read_config = read(written(networks, **arguments), tmp_path)
    assert read_config == NetworksConfig(config, JUDGE)
    wanted, state = networks.state_dict(), found.state_dict()
    assert state.keys() == wanted.keys() and not found.training
    assert all(torch.equal(state[key], value) for key, value in wanted.items())


@pytest.mark.parametrize(
    ("fields", "arguments", "kind"),
    [
        ({}, {}, "DualDiscriminator"),
        ({"dual": False}, {}, "SingleDiscriminator_1"),
        (
            {"linear_pose": True, "unconditional": True, "group": 2},
            {"epilogue_kwargs": {"mbstd_group_size": 2, "nocond_output": True, "dis_linear_pose": True}},
            "DualDiscriminator",
        ),
        (
            {"clamp": None, "half": 0, "pose_noise": 0.5, "frozen": 3, "mapping_layers": 2},
            {
                "conv_clamp": None,
                "num_fp16_res": 0,
                "disc_c_noise": 0.5,
                "block_kwargs": {"freeze_layers": 3},
                "mapping_kwargs": {"num_layers": 2},
            },
            "DualDiscriminator",
        ),
    ],
)
def test_every_option_of_the_discriminator_is(
    tmp_path: Path, fields: dict[str, Any], arguments: dict[str, Any], kind: str
) -> None:
    judge = replace(JUDGE, **fields)
    networks = made(NetworksConfig(CONFIG, judge))
    data = written(networks, judge=arguments, kinds=("TriPlaneGeneratorPose", kind))
    found, config = read(data, tmp_path)
    assert config.discriminator == judge
    image = torch.randn(2, 3, 8, 8)
    assert networks.discriminator is not None and found.discriminator is not None
    with torch.no_grad():
        ours, theirs = (
            net.eval().predict_pose(image, image[..., ::2, ::2])
            for net in (networks.discriminator, found.discriminator)
        )
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_files_of_old_versions_and_with_an_inverse_renderer_are_read(tmp_path: Path, protocol: int) -> None:
    networks = made(NetworksConfig(CONFIG, JUDGE))
    inverse = InverseRenderer(K=torch.eye(3), _modules={"netD": node_of(nn.Linear(2, 2)), "renderer": Plain(near=0.1)})
    data = written(networks, more={"IR": inverse}, protocol=protocol)
    data = data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    found, _ = read(data, tmp_path)
    assert torch.equal(found.generator.decoder.net[0].weight, networks.generator.decoder.net[0].weight)


def test_a_background_is_found_where_it_was(tmp_path: Path) -> None:
    config, arguments = OPTIONS["a background"]
    networks = made(NetworksConfig(config, JUDGE))
    field = networks.generator.background
    assert field is not None
    generator = networks.generator
    generator.backbone.bg_nerf, generator.background = field, None
    found = read(written(networks, **arguments), tmp_path)[0].generator.background
    assert found is not None
    for name, value in field.state_dict().items():
        assert torch.equal(found.state_dict()[name], value)


def test_a_snapshot_without_discriminator_has_none(tmp_path: Path) -> None:
    networks = made(NetworksConfig(CONFIG, JUDGE))
    found, config = read(written(networks, more={"D": None}), tmp_path)
    assert found.discriminator is None and config.discriminator is None


def test_the_data_set_tells_the_focal_length_where_the_file_does_not(tmp_path: Path) -> None:
    networks = made(NetworksConfig(CONFIG, JUDGE))
    data = written(networks, label_fov=None)
    for name, focal in (("auto", 4.2647), ("ffhq", 4.2647), ("shapenetcars", 131.25 / 128)):
        assert read(data, tmp_path, name)[1].generator.rig.focal == focal
    with pytest.raises(InputError, match="no published configuration 'dogs'"):
        read(data, tmp_path, "dogs")


def test_what_was_read_can_be_kept(tmp_path: Path) -> None:
    networks, config = read(written(made(NetworksConfig(CONFIG, JUDGE))), tmp_path)
    save_pretrained(networks, config, tmp_path / "kept", card="x", exact=True)
    again, read_config = load_pretrained(Pof3dNetworks, NetworksConfig, tmp_path / "kept")
    assert read_config == config and json.loads((tmp_path / "kept/config.json").read_text())
    z = torch.randn(2, 8)
    with torch.no_grad():
        assert torch.equal(again.generator.map(z).pose, networks.generator.map(z).pose)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "another generator": ({"kinds": ("TriPlaneGenerator", "DualDiscriminator")}, "is a TriPlaneGenerator and no"),
    "another discriminator": ({"kinds": ("TriPlaneGeneratorPose", "Judge")}, "is a Judge; DualDiscriminator and"),
    "no generator": ({"more": {"G_ema": None}}, "holds no generator G_ema"),
    "a generator of words": ({"more": {"G_ema": "x"}}, "holds no generator G_ema"),
    "no module": ({"more": {"G_ema": Plain(_modules=3)}}, "is a ImportanceRenderer and no"),
    "a size beyond reason": ({"kwargs": {"z_dim": 10**9}}, "z_dim is 1000000000"),
    "a size without end": ({"kwargs": {"z_dim": 10**30}}, "z_dim"),
    "layers beyond reason": ({"mapping": {"num_layers": 10**9}}, "mapping_layers is 1000000000"),
    "channels beyond the tensors": ({"kwargs": {"channel_max": 4096, "channel_base": 2**20}}, "does not fit"),
    "a size of words": ({"kwargs": {"z_dim": "8"}}, "z_dim = '8', and a number"),
    "a size of a tensor": ({"kwargs": {"z_dim": torch.ones(2)}}, "z_dim = a Tensor, and a number"),
    "half a size": ({"kwargs": {"w_dim": 12.5}}, "a whole number"),
    "a number that is none": ({"render": {"box_warp": float("nan")}}, "box_warp = nan, and a number"),
    "an option of words": ({"render": {"white_back": "no"}}, "white_back = 'no', and yes or no"),
    "two pivots": ({"render": {"avg_camera_pivot": [0, 0]}}, "and 3 numbers"),
    "an unknown clamp": ({"render": {"clamp_mode": "relu"}}, "clamp_mode = 'relu'"),
    "an unknown module": ({"render": {"superresolution_module": "a.CNN3x3"}}, "superresolution_module = 'a.CNN3x3'"),
    "an unknown background": ({"kwargs": {"bg_kwargs": BACKGROUND | {"use_viewdirs": True}}}, "use_viewdirs = True"),
    "a pose of four": ({"mapping": {"cam_dim": 4}}, "cam_dim = 4"),
    "a label of 25": ({"judge": {"c_dim": 25}}, "c_dim = 25"),
    "another architecture": ({"judge": {"architecture": "skip"}}, "architecture = 'skip'"),
    "more layers than tensors": ({"mapping": {"num_layers": 5}}, "does not fit .* lacks"),
    "fewer layers than tensors": ({"mapping": {"num_layers": 1}}, "does not fit .* more tensors"),
    "an image without super-resolution": ({"raw": 64}, "without super-resolution"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_gets_one_sentence(tmp_path: Path, name: str) -> None:
    arguments, sentence = BAD[name]
    data = written(made(NetworksConfig(CONFIG, JUDGE)), **arguments)
    with pytest.raises(InputError, match=sentence) as error:
        read(data, tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["img_resolution", "z_dim", "w_dim"])
def test_options_that_are_not_there_are_named(tmp_path: Path, name: str) -> None:
    networks = made(NetworksConfig(CONFIG, JUDGE))
    data = written(networks).replace(name.encode(), b"?" * len(name))
    with pytest.raises(InputError, match=rf"has no option {name}"):
        read(data, tmp_path)


def test_damaged_tensors_and_other_filters_are_refused(tmp_path: Path) -> None:
    networks = made(NetworksConfig(CONFIG, JUDGE))
    with torch.no_grad():
        networks.generator.decoder.net[0].bias[0] = float("nan")
    with pytest.raises(InputError, match="not finite"):
        read(written(networks), tmp_path)
    networks = made(NetworksConfig(CONFIG, JUDGE))
    other = node_of(networks.generator.decoder)
    other.attributes["_buffers"]["resample_filter"] = torch.ones(4, 4)
    for bad, sentence in (
        (other, "another filter"),
        (Plain(_parameters={"weight": [1.0]}), "its weight is no tensor"),
        (Plain(_buffers=3), "is no module"),
    ):
        data = written(made(NetworksConfig(CONFIG, JUDGE)), more={"D": bad})
        with pytest.raises(InputError, match=sentence):
            read(data, tmp_path)


def test_content_that_is_no_snapshot_is_refused() -> None:
    for content in (None, [], {}, {"G_ema": {}}):
        with pytest.raises(InputError, match=r"x\.pkl holds no generator G_ema"):
            networks_of(content, "x.pkl")
