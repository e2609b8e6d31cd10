"""`lift`: the geometry around the network, and a network that has learned nothing."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pictures import disc, mug

from monoform import InputError, Photo, View
from monoform.camera import Camera, look_at
from monoform.mesh import extract, largest
from monoform.methods.lift.config import LiftConfig
from monoform.methods.lift.crop import Crop, around, frame_of, with_outlines
from monoform.methods.lift.infer import Lift, LiftOptions
from monoform.methods.lift.losses import distance_loss, scale_loss, side_loss
from monoform.methods.lift.model import LiftNet, Volumes
from monoform.methods.lift.refine import refine, seen
from monoform.metrics import mask_iou
from monoform.nn import Field
from monoform.render import render_mesh
from monoform.training import save_pretrained

TINY = LiftConfig(image_size=32, depths=8, colour_depths=4, channels=(8, 8, 16, 16), attention=1, heads=2)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    net = LiftNet(TINY)
    torch.nn.init.normal_(net.signed.weight, std=0.05)
    return str(save_pretrained(net, TINY, tmp_path_factory.mktemp("lift") / "weights", card="A network of the tests."))


def reconstruct(rgb, mask, weights, **options):
    view = View(Photo.open(rgb, mask=mask))
    return Lift(LiftOptions(weights=weights, refine=4, **options)).reconstruct([view], generator=torch.Generator())


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.3, 1.2), st.integers(0, 2**31))
@settings(max_examples=25)
def test_the_frame_and_the_world_are_one_similarity(x, y, fov, seed):
    generator = torch.Generator().manual_seed(seed)
    camera = Camera.from_fov(look_at(torch.tensor([[x, y, 2.0]])), fov, 160, 120)
    crop = Crop(torch.tensor([[90.0, 50.0]]), torch.tensor([30.0]))
    frame = frame_of(camera, crop, camera.position.norm(dim=1))
    points = torch.randn(1, 50, 3, generator=generator)
    torch.testing.assert_close(frame.to_world(frame.from_world(points)), points, atol=1e-4, rtol=1e-4)
    # The origin is seen at the crop's centre; half a side away in the frame is half a side away in the picture.
    edge = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    places = crop.places(camera, frame.to_world(edge))[0]
    torch.testing.assert_close(places[0], torch.zeros(2), atol=1e-3, rtol=0)
    torch.testing.assert_close(places[1:].norm(dim=1), torch.ones(2), atol=0.12, rtol=0)
    identity = frame.rotation[0].T @ frame.rotation[0]
    torch.testing.assert_close(identity, torch.eye(3), atol=1e-5, rtol=0)
    assert torch.linalg.det(frame.rotation[0]) > 0


def test_a_crop_shows_the_square_around_the_mask():
    _, mask = disc(160, 120, 30.0, (60.0, 70.0))
    crop = around(torch.from_numpy(mask)[None], margin=1.0)
    torch.testing.assert_close(crop.centre, torch.tensor([[60.0, 70.0]]), atol=1.0, rtol=0)
    assert float(crop.half[0]) == pytest.approx(30, abs=1)
    cut = crop.cut(torch.from_numpy(mask)[None, None], 64)
    rows, columns = np.mgrid[0:64, 0:64]
    true = np.hypot(columns + 0.5 - 32, rows + 0.5 - 32) < 32
    assert mask_iou(cut[0, 0].numpy() > 0.5, true) > 0.97


def test_losses_are_zero_for_the_truth_and_fall_towards_it():
    true = torch.linspace(-0.3, 0.3, 101)[None]
    weight = torch.ones_like(true)
    assert distance_loss(true, true, weight) == 0
    assert side_loss(100 * true, true, weight) < 0.02
    for loss in (distance_loss, side_loss):
        values = [float(loss(true + shift, true, weight)) for shift in (0.2, 0.1, 0.0)]
        assert values[0] > values[1] > values[2]
    # The best scale of a Laplace distribution is the mean absolute error.
    found = true + 0.05 * torch.randn(1, 101, generator=torch.Generator().manual_seed(0))
    error = float((found - true).abs().mean())
    at = [float(scale_loss(found, true, torch.full_like(true, error * factor), weight)) for factor in (0.7, 1.0, 1.4)]
    assert at[1] < min(at[0], at[2])


def ball_volumes(size=32, radius=0.6, reach=1.2):
    """An upright cylinder of that radius, seen from its side, with a colour that grows to the right."""
    steps = (torch.arange(size) + 0.5) * 2 / size - 1
    depth = steps * reach
    signed = (steps[None, :] ** 2 + depth[:, None] ** 2).sqrt() - radius
    signed = signed[:, None, :].expand(size, size, size)[None]
    colour = (0.5 + 0.5 * steps).expand(1, 3, size, size, size)
    return Volumes(signed, torch.full_like(signed, 0.1), colour, torch.zeros(1, 2), reach)


def test_looking_up_a_volume_gives_what_it_was_made_of():
    volumes = ball_volumes()
    points = torch.rand(1, 500, 3, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    signed = volumes.signed_at(points, points[..., :2])
    true = points[..., [0, 2]].norm(dim=-1) - 0.6
    torch.testing.assert_close(signed, true, atol=0.02, rtol=0)
    torch.testing.assert_close(volumes.colour_at(points, points[..., :2])[..., 0], 0.5 + 0.5 * points[..., 0])
    mirrored = volumes.mirrored().colour_at(points, points[..., :2])[..., 0]
    torch.testing.assert_close(mirrored, 0.5 - 0.5 * points[..., 0])
    beyond = torch.tensor([[[0.0, 0.0, 2.0]]])
    assert float(volumes.signed_at(beyond, beyond[..., :2])) > 1.0


def test_what_is_seen_of_a_volume_is_its_silhouette_and_its_paint():
    alpha, colour = seen(ball_volumes())
    steps = (torch.arange(32) + 0.5) / 16 - 1
    inside = steps.abs() < 0.55
    assert (alpha[0][:, inside] > 0.75).all() and (alpha[0][:, steps.abs() > 0.75] < 0.05).all()
    torch.testing.assert_close(colour[0, 5, inside, 1], (0.5 + 0.5 * steps)[inside], atol=0.02, rtol=0)


def test_refining_brings_silhouette_and_colours_to_the_photo(weights):
    rgb, mask = disc(64, 64, 22.0)
    net = Lift(LiftOptions(weights=weights)).net
    crops = torch.from_numpy(np.concatenate((rgb * mask[..., None], mask[..., None]), 2)).float().permute(2, 0, 1)[None]
    crops = with_outlines(torch.nn.functional.interpolate(crops, 32, mode="area"))
    levels = net.encode(crops)
    before, after = refine(net, crops, levels, 0), refine(net, crops, levels, 60)
    assert after.loss < 0.85 * before.loss
    again = refine(net, crops, levels, 60)
    assert torch.equal(after.volumes.signed, again.volumes.signed)
    # Two crops side by side are refined as each alone is.
    flipped = crops.flip(-1)
    both = torch.cat((crops, flipped))
    together = refine(net, both, net.encode(both), 5).volumes.signed
    torch.testing.assert_close(together[:1], refine(net, crops, levels, 5).volumes.signed, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("picture", [disc, mug])
def test_without_knowledge_the_solid_still_fills_the_silhouette(picture, weights):
    rgb, mask = picture()
    found = reconstruct(rgb, mask, weights)
    assert isinstance(found.field, Field)
    surface = largest(extract(found.field, resolution=96), n=found.parts)
    seen = render_mesh(surface, found.camera)
    assert mask_iou(seen.mask, mask > 0.5) > 0.95
    assert np.linalg.norm(surface.vertices, axis=1).max() < 0.52


def test_the_filling_reaches_pixels_that_the_network_leaves_bare(weights):
    rgb, mask = mug()
    lift = Lift(LiftOptions(weights=weights, refine=0))
    real = lift.net.decode

    def half_blind(levels, crops):
        """Puts nothing anywhere but on the left half of the photo."""
        volumes = real(levels, crops)
        left = torch.arange(volumes.signed.shape[-1]) < volumes.signed.shape[-1] // 2
        sides = torch.where(torch.stack((left, ~left)), -0.1, 0.2)[:, None, None]
        return dataclasses.replace(volumes, signed=sides.expand_as(volumes.signed))

    lift.net.decode = half_blind
    try:
        ious = {}
        for fill in (True, False):
            lift.config = LiftOptions(weights=weights, fill=fill, refine=0)
            found = lift.reconstruct([View(Photo.open(rgb, mask=mask))], generator=torch.Generator())
            ious[fill] = mask_iou(render_mesh(extract(found.field, resolution=96), found.camera).mask, mask > 0.5)
    finally:
        del lift.net.decode
    assert ious[True] > 0.9 > 0.7 > ious[False]


def test_hypotheses_are_ranked_and_the_same_seed_gives_the_same(weights):
    rgb, mask = mug()
    lift = Lift(LiftOptions(weights=weights, refine=2, seeds=3))
    runs = [
        lift.reconstruct([View(Photo.open(rgb, mask=mask))], generator=torch.Generator().manual_seed(1)) for _ in "12"
    ]
    losses = [one.provenance.fit["loss"] for one in (runs[0], *runs[0].alternatives)]
    assert len(losses) == 3 and losses == sorted(losses)
    points = torch.rand(100, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    assert torch.equal(runs[0].field.geometry(points), runs[1].field.geometry(points))
    sure = runs[0].field.confidence(points)
    assert ((sure > 0) & (sure < 1)).all()


def test_upright_turns_the_camera_and_not_the_picture(weights):
    rgb, mask = disc(200, 200, 70.0)
    flat = reconstruct(rgb, mask, weights, upright=False)
    turned = reconstruct(rgb, mask, weights)
    assert float(flat.camera.position[0, 1]) == pytest.approx(0, abs=0.05)
    up = flat.camera.world_from_camera[0, :3, :3] @ turned.camera.world_from_camera[0, :3, :3].T
    assert float(torch.linalg.det(up)) == pytest.approx(1, abs=1e-4)
    places = [
        mask_iou(render_mesh(extract(one.field, resolution=64), one.camera).mask, mask > 0.5) for one in (flat, turned)
    ]
    assert min(places) > 0.93


def test_weights_that_cannot_be_used_are_one_sentence(tmp_path, weights):
    with pytest.raises(InputError):
        Lift(LiftOptions(weights=str(tmp_path / "none")))
    (tmp_path / "cut").mkdir()
    for file in ("config.json", "model.safetensors"):
        data = (__import__("pathlib").Path(weights) / file).read_bytes()
        (tmp_path / "cut" / file).write_bytes(data[: len(data) // 2] if file.endswith("safetensors") else data)
    with pytest.raises(InputError) as caught:
        Lift(LiftOptions(weights=str(tmp_path / "cut")))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"fov is 500"):
        Lift(LiftOptions(weights=weights, fov=500.0))
    with pytest.raises(InputError, match=r"refine is -1"):
        Lift(LiftOptions(weights=weights, refine=-1))
    with pytest.raises(InputError, match=r"seeds is 0"):
        Lift(LiftOptions(weights=weights, seeds=0))
    assert math.isfinite(float(Lift(LiftOptions(weights=weights)).net.signed.bias.sum()))
