"""TripoSR's network: its published size, the quick field beside the plain one, gradients, rays in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tests.methods.triposr.tiny_triposr import AXES, CONFIG, STEEPNESS, THRESHOLD, ellipsoid_net, random_net

from monoform import InputError
from monoform.methods.triposr.cameras import FACING, orbit_cameras, world_from_network
from monoform.methods.triposr.config import Decoder, Rendering, TripoSrConfig
from monoform.methods.triposr.decoder import activated_density
from monoform.methods.triposr.model import TripoSrNet
from monoform.methods.triposr.planes import FoldedVolume, PlaneVolume
from monoform.methods.triposr.published_tree import CLASSES, config_of
from monoform.methods.triposr.rendering import render

TREE = {
    "cond_image_size": 512,
    "image_tokenizer": {"pretrained_model_name_or_path": "facebook/dino-vitb16"},
    "tokenizer": {"plane_size": 32, "num_channels": 1024},
    "backbone": {
        "in_channels": 1024,
        "num_attention_heads": 16,
        "attention_head_dim": 64,
        "num_layers": 16,
        "cross_attention_dim": 768,
    },
    "post_processor": {"in_channels": 1024, "out_channels": 40},
    "decoder": {"in_channels": 120, "n_neurons": 64, "n_hidden_layers": 9, "activation": "silu"},
    "renderer": {"radius": 0.87, "density_activation": "exp", "density_bias": -1.0, "num_samples_per_ray": 128},
} | {f"{part}_cls": name for part, name in CLASSES.items()}


def test_the_defaults_are_the_published_network() -> None:
    assert config_of(TREE) == TripoSrConfig()
    with torch.device("meta"):
        net = TripoSrNet(TripoSrConfig())
    assert sum(each.numel() for each in net.parameters()) == 419_275_628
    assert len(net.state_dict()) == 549


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("decoder_cls", "os.system", "known is tsr.models.network_utils.NeRFMLP alone"),
        ("image_tokenizer", {"pretrained_model_name_or_path": "facebook/other"}, "known are facebook/dino-vitb16"),
        ("tokenizer", {"plane_size": 32, "num_channels": 512}, "512 channels of the tokenizer, 1024 of the backbone"),
        ("decoder", {**TREE["decoder"], "in_channels": 40}, r"decoder.in_channels = 40; the planes have 120"),
        ("decoder", {**TREE["decoder"], "n_neurons": "many"}, "which is no int"),
        ("renderer", {**TREE["renderer"], "density_activation": "eval"}, "known are exp, trunc_exp"),
        ("renderer", None, "has no part 'renderer'"),
        ("backbone", {**TREE["backbone"], "only_cross_attention": True}, "known is False alone"),
        ("cond_image_size", 100, "no multiple of its patches of 16 pixels"),
    ],
)
def test_a_tree_that_makes_no_network_is_refused(part: str, value: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        config_of({**TREE, part: value})


@pytest.mark.parametrize("reduction", ["concat", "mean"])
@pytest.mark.parametrize("decoder", [Decoder(8, 1, "relu"), Decoder(8, 3, "silu", bias=False)])
def test_the_folded_field_is_the_plain_one(reduction: str, decoder: Decoder) -> None:
    config = replace(CONFIG, decoder=decoder, rendering=Rendering(reduction=reduction))
    net = random_net(1, config)
    with torch.no_grad():
        planes = net(torch.rand(1, 3, 32, 32))[0]
        points = 2.2 * torch.rand(999, 3) - 1.1  # some beyond the cube
        plain = PlaneVolume(planes, net.decoder, config.rendering, chunk=0)
        for chunk in (0, 100):
            folded = FoldedVolume(planes, net.decoder, config.rendering, chunk)
            torch.testing.assert_close(folded.raw(points), plain.raw(points), atol=2e-5, rtol=2e-5)
            torch.testing.assert_close(folded.density(points), plain.query(points)[0], atol=2e-5, rtol=2e-5)
            assert folded.raw(points[:0]).shape == (0, 4)


def test_the_ellipsoid_is_where_it_was_made() -> None:
    net = ellipsoid_net()
    with torch.no_grad():
        volume = FoldedVolume(net(torch.rand(1, 3, 32, 32))[0], net.decoder, CONFIG.rendering)
        ends = torch.diag(torch.tensor(AXES))
        # Between pixels a square is taken to be straight, which is off by a quarter of a pixel squared at most.
        off = 0.25 * (2 * 0.87 / 32) ** 2 * sum(axis**-2 for axis in AXES)
        allowed = math.expm1(STEEPNESS * off)
        torch.testing.assert_close(volume.density(ends), torch.full((3,), THRESHOLD), rtol=allowed, atol=0.0)
        red = volume.query(torch.tensor([[0.0, -0.2, 0.0], [0.0, 0.2, 0.0]]))[1][:, 0]
    assert red[0] < 0.2 and red[1] > 0.8


def test_gradients_reach_every_weight_and_checkpointing_changes_none() -> None:
    pictures, found = torch.rand(2, 3, 32, 32), []
    for checkpointing in (False, True):
        net = random_net(2).train()
        net.backbone.checkpointing = checkpointing
        planes = net(pictures)
        origins, directions = (rays.float()[0] for rays in usual(8).rays())
        seen, _ = render(
            PlaneVolume(planes[0], net.decoder, CONFIG.rendering).query, origins, directions, CONFIG.rendering
        )
        (seen.rgb.mean() + planes[1].square().mean()).backward()
        found.append({name: each.grad for name, each in net.named_parameters()})
    without = [name for name, gradient in found[0].items() if gradient is None]
    assert without == [f"image_tokenizer.model.pooler.dense.{kind}" for kind in ("weight", "bias")]
    for name in set(found[0]) - set(without):
        torch.testing.assert_close(found[0][name], found[1][name])


def test_gradients_of_the_decoder_are_those_of_differences() -> None:
    torch.manual_seed(0)
    net = random_net(3).double()
    points = (torch.rand(5, 3, dtype=torch.float64) - 0.5).requires_grad_()
    planes = torch.randn(3, 2, 8, 8, dtype=torch.float64, requires_grad=True)

    def density(planes: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        return PlaneVolume(planes, net.decoder, CONFIG.rendering).density(points)

    assert torch.autograd.gradcheck(density, (planes, points))


def usual(size: int, count: int = 1):
    return orbit_cameras(count, elevation=0.0, distance=1.9, fov=40.0, width=size, height=size)


@pytest.mark.parametrize("metric", [False, True])
def test_a_cube_of_one_density_lets_through_what_is_left(metric: bool) -> None:
    """Per way through the cube, however long; or per unit, and then by the length of the way."""
    rendering, density = Rendering(samples=16, metric=metric), 0.7
    origins = torch.tensor([[2.0, 0.1, 0.2], [2.0, 0.0, 0.0], [2.0, 3.0, 0.0]])
    directions = torch.nn.functional.normalize(
        torch.tensor([[-1.0, 0.0, 0.0], [-1.0, 0.3, 0.2], [-1.0, 0.0, 0.0]]), dim=-1
    )

    def even(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full_like(points[:, 0], density), torch.zeros_like(points)

    seen, hit = render(even, origins, directions, rendering)
    assert hit.tolist() == [True, True, False]
    ways = [2 * 0.999 * 0.87, 2 * 0.999 * 0.87 / float(-directions[1, 0])]
    left = [math.exp(-density * (way if metric else 1.0)) for way in ways]
    torch.testing.assert_close(seen.rgb[:, 0], torch.tensor(left), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(seen.alpha, 1 - torch.tensor(left), atol=1e-6, rtol=1e-6)
    middle = 2.0 - 0.999 * 0.87 + ways[0] * (torch.arange(16) + 0.5) / 16
    torch.testing.assert_close(seen.samples[0], middle - 0.0, atol=1e-5, rtol=1e-5)


def test_the_limited_exponential_and_the_plain_one_are_the_same_density() -> None:
    raw = torch.tensor([-3.0, 0.0, 14.0, 40.0], requires_grad=True)
    plain, limited = (
        activated_density(raw, Rendering(density_activation=name, density_bias=0.0)) for name in ("exp", "trunc_exp")
    )
    torch.testing.assert_close(plain, limited)
    (gradient,) = torch.autograd.grad(limited.sum(), raw)
    torch.testing.assert_close(gradient, raw.detach().clamp_max(15.0).exp())


def test_three_views_look_at_the_middle_from_all_around() -> None:
    found = usual(9, 3)
    ahead = found.world_from_camera[:, :3, 2]
    torch.testing.assert_close(ahead, -found.position / 1.9)
    torch.testing.assert_close(found.world_from_camera[:, 2, 1], torch.full((3,), -1.0, dtype=torch.float64))  # z is up
    torch.testing.assert_close(found.position[1, :2] / 1.9, torch.tensor([-0.5, 0.75**0.5], dtype=torch.float64))


def test_up_is_up_and_the_pictured_side_looks_where_it_is_told() -> None:
    wanted = {"+z": (0, 0, 1), "+x": (1, 0, 0), "-z": (0, 0, -1), "-x": (-1, 0, 0)}
    for facing in FACING:
        turn = world_from_network(facing)
        assert torch.linalg.det(turn) == 1
        assert turn[:, 2].tolist() == [0, 1, 0] and turn[:, 0].tolist() == list(wanted[facing])
