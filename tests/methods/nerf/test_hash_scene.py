"""A scene on a hash grid: its renderer against a closed form, its gradients, its samples."""

from __future__ import annotations

import math

import pytest
import torch

from monoform import InputError
from monoform.methods.nerf.config import SceneTraining
from monoform.methods.nerf.hash_config import HashConfig, HashNetwork
from monoform.methods.nerf.hash_model import HashField, HashScene
from monoform.methods.nerf.hash_render import HashRenderer, render_samples, samples_within, visible_samples

NETWORK = HashNetwork(
    levels=3, features=2, base=4, finest=16, log2_hashmap_size=12, hidden=16, color_hidden=16, geo_features=7
)


def even_scene(density: float, *, background: str = "white", **changes) -> HashScene:
    """The same density and a grey everywhere in its sphere."""
    torch.manual_seed(0)
    scene = HashScene(HashConfig(NETWORK, cells=16, background=background, **changes)).eval()
    with torch.no_grad():
        for layer in (scene.density_net[-1], scene.color_net[-1]):
            layer.weight.zero_()
            layer.bias.zero_()
        scene.density_net[-1].bias[0] = math.log(density) - 1.0
    scene.occupancy.update(scene.density)
    scene.occupancy.density_bitfield.fill_(255)
    scene.occupancy.unpack()
    return scene


def test_a_ball_of_fog_lets_through_what_beer_and_lambert_say() -> None:
    """World units: centre and radius of the content scale everything."""
    scene = even_scene(2.0, center=(1.0, 2.0, 3.0), radius=1.5, margin=1.2, steps=256)
    reach = 1.2 * 1.5
    offsets = torch.tensor([0.0, 0.5, 0.9, 1.01])
    origins = torch.stack([torch.tensor([1.0 + s * reach, 2.0, -6.0]) for s in offsets.tolist()])
    seen = HashRenderer(scene)(origins, torch.tensor([[0.0, 0.0, 1.0]]).expand(4, 3))
    chord = 2 * 0.6 * (1 - offsets.square()).clamp_min(0).sqrt()
    expected = 1 - torch.exp(-2.0 * chord)
    torch.testing.assert_close(seen.alpha, expected, atol=0.01, rtol=0)
    torch.testing.assert_close(seen.rgb[:, 0], 0.5 * seen.alpha + (1 - seen.alpha), atol=1e-5, rtol=0)
    assert seen.alpha[3] == 0 and seen.distance[3] == 0
    middle = 9.0 - 0.5 * 0.0
    assert float(seen.distance[0]) < middle, "fog is seen before its middle"
    field = HashField(scene)
    torch.testing.assert_close(field.geometry(torch.tensor([[1.0, 2.0, 3.0]])), torch.tensor([2.0 * 0.5 / 1.5]))
    torch.testing.assert_close(field.bounds, torch.tensor([[-0.8, 0.2, 1.2], [2.8, 3.8, 4.8]]))


def test_a_learned_background_is_a_function_of_the_direction() -> None:
    scene = even_scene(2.0, background="learned")
    along = torch.nn.functional.normalize(torch.randn(5, 3, generator=torch.Generator().manual_seed(1)), dim=-1)
    far = torch.full((5, 3), 50.0) + along
    seen = HashRenderer(scene)(far, along)
    torch.testing.assert_close(seen.rgb, scene.background(along))
    assert float(seen.rgb.detach().std(dim=0).max()) > 0


def test_gradients_of_rays_are_those_of_finite_differences() -> None:
    torch.manual_seed(3)
    scene = HashScene(HashConfig(NETWORK, cells=16, background="black", steps=64)).double().eval()
    with torch.no_grad():
        scene.encode.embeddings.normal_(std=0.3)
    renderer = HashRenderer(scene)
    origin = torch.tensor([[0.05, 0.11, -1.5]], dtype=torch.float64)
    along = torch.nn.functional.normalize(torch.tensor([[0.03, -0.02, 1.0]], dtype=torch.float64), dim=-1)
    inputs = torch.cat((origin, along), dim=1).requires_grad_()

    def value(x: torch.Tensor) -> torch.Tensor:
        # Sample positions along the ray are constants, so shifts across the ray are what can be compared.
        return renderer(x[:, :3], x[:, 3:]).rgb.sum()

    (gradient,) = torch.autograd.grad(value(inputs), inputs)
    samples = visible_samples(scene, origin, along, step=2 * scene.bound / 64)
    assert len(samples.ray) > 30
    for axis in (0, 1, 3, 4):
        step = torch.zeros_like(origin.new_zeros(1, 6))
        step[0, axis] = 1e-6
        ahead, behind = (inputs.detach() + sign * step for sign in (1, -1))
        values = [
            render_samples(scene, x[:, :3], x[:, 3:], samples, step=2 * scene.bound / 64).rgb.sum()
            for x in (ahead, behind)
        ]
        slope = (values[0] - values[1]).detach() / 2e-6
        assert float(gradient[0, axis]) == pytest.approx(float(slope), rel=2e-3, abs=1e-5)


def test_samples_end_behind_what_is_opaque_and_keep_off_the_empty() -> None:
    scene = even_scene(500.0, margin=1.0, steps=100)
    origins, along = torch.tensor([[0.0, 0.0, -2.0]]), torch.tensor([[0.0, 0.0, 1.0]])
    step = 2 * scene.bound / 100
    samples = visible_samples(scene, origins, along, step=step)
    assert len(samples.ray) < 5 and float(samples.distance[0]) == pytest.approx(1.5 + 0.5 * step, abs=1e-5)
    occupied = scene.occupancy.occupied.reshape(16, 16, 16)
    occupied[:, :, :8] = False
    behind = visible_samples(scene, origins, along, step=step)
    assert float(behind.distance[0]) >= 2.0


def test_a_budget_takes_whole_rays_from_the_first_on() -> None:
    scene = even_scene(0.1, margin=1.0, steps=50)
    generator = torch.Generator().manual_seed(0)
    origins = torch.nn.functional.normalize(torch.randn(3000, 3, generator=generator), dim=-1) * 2
    along = torch.nn.functional.normalize(-origins + 0.2 * torch.randn(3000, 3, generator=generator), dim=-1)
    shift = torch.rand(3000, generator=generator)
    step = 2 * scene.bound / 50
    whole = visible_samples(scene, origins, along, step=step, shift=shift)
    for most in (500, 60_000, 10**7):
        part, rays = samples_within(scene, origins, along, shift, step=step, most=most)
        assert len(part.ray) <= most and len(part.counts) == rays
        assert torch.equal(part.counts, whole.counts[:rays]) and torch.equal(
            part.distance, whole.distance[: len(part.ray)]
        )
        assert torch.equal(part.ray, whole.ray[: len(part.ray)])
        if rays < 3000:
            assert len(part.ray) + int(whole.counts[rays]) > most


def test_gains_are_those_of_the_photos_and_one_on_average() -> None:
    scene = even_scene(1.0, photos=3)
    with torch.no_grad():
        scene.gains.copy_(torch.tensor([[0.2, 0.0, 0.0], [0.1, 0.0, 0.0], [0.0, 0.3, 0.0]]))
    gain = scene.gain(torch.arange(3))
    torch.testing.assert_close(gain.log().mean(dim=0), torch.zeros(3))
    assert float(gain[0, 0]) == pytest.approx(math.exp(0.1))


@pytest.mark.parametrize("wrong", [{"radius": -1.0}, {"samples": 0}, {"floor": 2.0}, {"update_share": 0.0}])
def test_impossible_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        SceneTraining(**wrong)
    with pytest.raises(InputError):
        HashConfig(radius=0.0)
