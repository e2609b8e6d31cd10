"""`lift`: the geometry around the network, and a network that has learned nothing."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from tests.pictures import disc, mug
from torch.nn import functional

from monoform import InputError, Photo, View
from monoform.camera import Camera, look_at
from monoform.mesh import extract, largest, report
from monoform.mesh.edges import adjacent_faces
from monoform.methods.lift.augmented_crops import augmented_crops, predictions
from monoform.methods.lift.config import LiftConfig
from monoform.methods.lift.crop import frame_of, with_outlines
from monoform.methods.lift.field import FrameSolid
from monoform.methods.lift.infer import Lift, LiftOptions
from monoform.methods.lift.losses import depth_loss, scale_loss, slope_loss
from monoform.methods.lift.model import LiftNet, Surfaces, without_hollow
from monoform.methods.lift.refine import refine
from monoform.metrics import mask_iou
from monoform.nn import Field
from monoform.render import render_mesh
from monoform.scene.crop import Crop, around
from monoform.scene.outline import signed_distance
from monoform.training import save_pretrained

TINY = LiftConfig(image_size=32, channels=(8, 8, 16, 16), attention=1, heads=2)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    net = LiftNet(TINY)
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
    uv = crop.uv(camera, frame.to_world(edge))[0]
    torch.testing.assert_close(uv[0], torch.zeros(2), atol=1e-3, rtol=0)
    torch.testing.assert_close(uv[1:].norm(dim=1), torch.ones(2), atol=0.12, rtol=0)
    identity = frame.rotation[0].T @ frame.rotation[0]
    torch.testing.assert_close(identity, torch.eye(3), atol=1e-5, rtol=0)
    assert torch.linalg.det(frame.rotation[0]) > 0


def test_a_crop_shows_the_square_around_the_mask():
    _, mask = disc(160, 120, 30.0, (60.0, 70.0))
    crop = around(torch.from_numpy(mask)[None], margin=1.0)
    torch.testing.assert_close(crop.center, torch.tensor([[60.0, 70.0]]), atol=1.0, rtol=0)
    assert float(crop.half[0]) == pytest.approx(30, abs=1)
    cut = crop.cut(torch.from_numpy(mask)[None, None], 64)
    rows, columns = np.mgrid[0:64, 0:64]
    true = np.hypot(columns + 0.5 - 32, rows + 0.5 - 32) < 32
    assert mask_iou(cut[0, 0].numpy() > 0.5, true) > 0.97


def test_losses_are_zero_for_the_truth_and_fall_towards_it():
    true = torch.linspace(-0.3, 0.3, 64).reshape(1, 8, 8)
    valid = torch.ones(1, 8, 8, dtype=torch.bool)
    assert depth_loss(true, true, valid) == 0
    assert slope_loss(true + 0.2, true, valid) < 1e-6
    relief = float((true - true.mean()).abs().mean())
    assert float(depth_loss(true + 0.2, true, valid)) == pytest.approx(0.2 / (0.1 + relief), rel=1e-4)
    assert slope_loss(1.2 * true, true, valid) > slope_loss(1.1 * true, true, valid) > 0
    # What is not valid does not count, however wrong.
    valid[:, :, 4:] = False
    wrong = torch.where(valid, true, 1e6)
    assert depth_loss(wrong, true, valid) == 0 and slope_loss(wrong, true, valid) == 0
    # The best scale of a Laplace distribution is the mean absolute error.
    found = true + 0.05 * torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(0))
    error = float((found - true).abs()[valid].mean())
    at = [float(scale_loss(found, true, torch.full_like(true, error * factor), valid)) for factor in (0.7, 1.0, 1.4)]
    assert at[1] < min(at[0], at[2])


def ball(size=64, radius=0.8):
    """What is to be said of a ball: its front and back, and a back whose red grows to the right."""
    steps = (torch.arange(size) + 0.5) * 2 / size - 1
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    half = (radius**2 - rows**2 - columns**2).clamp_min(0).sqrt()[None]
    color = torch.stack((0.5 + 0.5 * columns, 0 * columns, 0 * columns))[None]
    towards = -functional.normalize(torch.stack((-columns, -rows, half[0] + 1e-3)), dim=0)[None]
    scale = torch.full((1, 2, size, size), 0.02)
    return Surfaces(-half, half, scale, color, towards, torch.zeros(1), without_hollow(half), torch.zeros(1, 0))


def crop_of(mask):
    pixels = torch.cat((torch.zeros(1, 3, *mask.shape), torch.from_numpy(mask)[None, None].float()), 1)
    return with_outlines(pixels)


def test_the_solid_lies_between_front_and_back_inside_the_outline():
    _, mask = disc(128, 128, 0.8 * 64)
    outline = torch.from_numpy(signed_distance(mask) * 2 / 128).float()[None, None]
    solid = FrameSolid.of(ball(), torch.zeros(1, 3, 64, 64), outline)
    points = 1.8 * torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) - 0.9
    signed, true = solid.geometry(points, points[:, :2]), points.norm(dim=1) - 0.8
    clear = true.abs() > 0.03
    assert ((signed < 0) == (true < 0))[clear].all()
    near = true.abs() < 0.1
    # Away from the rim it is a distance too.
    flat = near & (points[:, :2].norm(dim=1) < 0.5)
    torch.testing.assert_close(signed[flat], true[flat], atol=0.03, rtol=0)
    behind, before = torch.tensor([[0.4, 0.0, 0.69]]), torch.tensor([[0.4, 0.0, -0.69]])
    assert float(solid.color(behind, behind[:, :2])[0, 0]) == pytest.approx(0.7, abs=0.03)
    assert float(solid.color(before, before[:, :2])[0, 0]) == pytest.approx(0.0, abs=0.03)
    assert float(solid.confidence(before, before[:, :2])[0]) == pytest.approx(1 - math.exp(-0.05 / 0.02), abs=1e-3)


def test_beside_the_mask_surfaces_go_on_as_inside():
    _, mask = disc(128, 128, 0.5 * 64)
    surfaces = ball()
    outline = torch.from_numpy(signed_distance(mask) * 2 / 128).float()[None, None]
    wild = dataclasses.replace(surfaces, front=torch.where(surfaces.front < -0.61, surfaces.front, 50.0))
    solid = FrameSolid.of(wild, torch.zeros(1, 3, 64, 64), outline)
    assert solid.depths(torch.tensor([[0.9, 0.0], [0.0, 0.49]])).abs().max() < 0.9


def test_normals_bend_the_front_where_depths_leave_it_flat():
    """Looks that guess a flat disc but see the normals of a ball: the front follows the normals, the back does not."""
    _, mask = disc(64, 64, 26.0)
    true = ball(64, 0.8)
    flat = torch.zeros(2, 64, 64)
    normal = true.normal.expand(2, 3, 64, 64)
    scale, black, plain = torch.full((2, 2, 64, 64), 4.0), torch.zeros(2, 3, 64, 64), without_hollow(flat)
    said = Surfaces(flat - 0.5, flat + 0.5, scale, black, normal, torch.zeros(2), plain, torch.zeros(2, 0))
    found, _ = refine(said, crop_of(mask), 200)
    middle, off = (32, 32), (32, 44)
    rise = float(found.front[0][off] - found.front[0][middle])
    assert 0.6 < rise / float(true.front[0][off] - true.front[0][middle]) < 1.2
    assert abs(float(found.back[0][off] - found.back[0][middle])) < 0.02


def test_answers_of_all_looks_lie_in_the_frame_of_the_first(weights):
    """A network that answers with what it is shown: crops are put back where they came from."""

    class Echo(LiftNet):
        def encode(self, pixels):
            return [pixels]

        def decode(self, levels, pixels):
            seen = torch.nn.functional.avg_pool2d(pixels, 2)
            # Lengths count in half sides of the look: told as 1 they are the look's zoom in the first's frame.
            ones = torch.ones(len(pixels), 2, *seen.shape[2:])
            side = functional.normalize(torch.tensor([1.0, 0.0, -1.0]), dim=0)[:, None, None]
            side = side.expand(len(pixels), 3, *seen.shape[2:])
            hollow, mirror = seen[:, :3], torch.arange(4.0).repeat(len(pixels), 1)
            elevation = torch.zeros(len(pixels))
            return Surfaces(seen[:, 3], seen[:, 3], ones, seen[:, :3], side, elevation, hollow, mirror)

    rgb, mask = mug()
    photo = Photo.open(rgb, mask=mask)
    crop = around(torch.from_numpy(photo.mask)[None])
    crops = augmented_crops(photo, crop, 64, 6, generator=torch.Generator().manual_seed(0))
    assert crops.mirrored.tolist() == [False, True] * 3 and crops.zoom[2:].std() > 0
    said = predictions(Echo(TINY), crops)
    for k in range(6):
        assert float((said.front[k] / crops.zoom[k] - said.front[0]).abs().mean()) < 0.03
        assert float((said.color[k] - said.color[0]).abs().mean()) < 0.03
        assert float((said.hollow[k] - said.hollow[0]).abs().mean()) < 0.03
        assert said.mirror[k].tolist() == ([0, 1, 2, 3], [0, 3, 2, 1])[k % 2]
        torch.testing.assert_close(said.scale[k], crops.zoom[k].expand_as(said.scale[k]))
        assert float(said.normal[k, 0].mean()) * (-1) ** k == pytest.approx(0.5**0.5, abs=1e-4)


def test_refining_follows_the_surer_looks_and_straightens_plain_ground():
    _, mask = disc(64, 64, 28.0)
    crop = crop_of(mask)
    generator = torch.Generator().manual_seed(0)
    steps = (torch.arange(32) + 0.5) / 16 - 1
    plane = (0.3 * steps).expand(1, 32, 32)
    noise = 0.05 * torch.randn(4, 32, 32, generator=generator)
    fronts = plane - 0.3 + noise
    fronts[3] += 0.5  # one look is wrong, and says that it is unsure
    scale = torch.full((4, 2, 32, 32), 0.4)
    scale[3] = 4.0
    towards = functional.normalize(torch.tensor([0.3, 0.0, -1.0]), dim=0)[:, None, None].expand(4, 3, 32, 32)
    rest = (torch.zeros(4), without_hollow(fronts), torch.zeros(4, 0))
    said = Surfaces(fronts, fronts + 0.6, scale, torch.zeros(4, 3, 32, 32), towards, *rest)
    true = torch.nn.functional.interpolate((plane - 0.3)[None], (64, 64), mode="bilinear")[0, 0]
    inside = torch.from_numpy(mask) > 0.5
    mean, _ = refine(said, crop, 0)
    first = torch.nn.functional.interpolate(mean.front[None], (64, 64), mode="bilinear")[0, 0]
    fitted, loss = refine(said, crop, 60)
    errors = [float((front - true)[inside].abs().mean()) for front in (first, fitted.front[0])]
    assert errors[0] < 0.03 and errors[1] < 0.7 * errors[0]
    assert (fitted.front <= fitted.back).all() and math.isfinite(loss)
    assert torch.equal(refine(said, crop, 60)[0].front, fitted.front)
    with torch.inference_mode():
        assert torch.equal(refine(said, crop, 60)[0].front, fitted.front)


@pytest.mark.parametrize("picture", [disc, mug])
def test_without_knowledge_the_solid_still_fills_the_silhouette(picture, weights):
    rgb, mask = picture()
    found = reconstruct(rgb, mask, weights)
    assert isinstance(found.field, Field)
    surface = largest(extract(found.field, resolution=96), n=found.parts)
    seen = render_mesh(surface, found.camera)
    assert mask_iou(seen.mask, mask > 0.5) > 0.95
    assert np.linalg.norm(surface.vertices, axis=1).max() < 0.52


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


def test_the_answer_does_not_depend_on_the_number_of_threads():
    rgb, mask = mug()
    threads, found = torch.get_num_threads(), []
    for number in (1, 2):
        torch.set_num_threads(number)
        try:
            found.append(reconstruct(rgb, mask, "").field.solid)
            assert torch.get_num_threads() == number
        finally:
            torch.set_num_threads(threads)
    assert torch.equal(found[0].maps, found[1].maps)
    assert torch.equal(found[0].scale, found[1].scale)


def test_upright_turns_the_camera_and_not_the_picture(weights):
    rgb, mask = disc(200, 200, 70.0)
    flat = reconstruct(rgb, mask, weights, upright=False)
    turned = reconstruct(rgb, mask, weights)
    assert float(flat.camera.position[0, 1]) == pytest.approx(0, abs=0.05)
    up = flat.camera.world_from_camera[0, :3, :3] @ turned.camera.world_from_camera[0, :3, :3].T
    assert float(torch.linalg.det(up)) == pytest.approx(1, abs=1e-4)
    overlaps = [
        mask_iou(render_mesh(extract(one.field, resolution=64), one.camera).mask, mask > 0.5) for one in (flat, turned)
    ]
    assert min(overlaps) > 0.93


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
    assert math.isfinite(float(Lift(LiftOptions(weights=weights)).net.leave[-1].bias.sum()))


def test_the_front_of_the_mesh_is_the_photo_in_one_square_atlas(weights):
    rgb, mask = mug()
    found = reconstruct(rgb, mask, weights)
    mesh = found.mesh(faces=3000, texture=256, resolution=128)
    assert mesh.texture.shape == (256, 256, 3) and mesh.uv.min() > 0 and mesh.uv.max() < 1
    sure = mesh.vertex_attributes["confidence"]
    assert ((sure > 0) & (sure <= 1)).all()
    seen = render_mesh(mesh, found.camera, shading="texture")
    inner = ndimage.binary_erosion(mask > 0.5, iterations=4) & seen.mask
    assert np.abs(seen.rgb - rgb)[inner].mean() < 0.03


def test_front_and_back_meet_in_a_round_rim(weights):
    """Around the outline of a disc the solid turns smoothly from front to back: no wall, no edge."""
    rows, columns = np.mgrid[:96, :96] + 0.5
    mask = (np.hypot(rows - 48, columns - 48) < 34).astype(np.float32)
    found = reconstruct(np.full((96, 96, 3), 0.5, np.float32), mask, weights)
    mesh = found.mesh(faces=6000, texture=64, resolution=160)
    assert report(mesh).watertight
    first, second = adjacent_faces(mesh.merged().faces)
    normals = mesh.merged().face_normals
    assert np.quantile((normals[first] * normals[second]).sum(axis=1), 0.002) > 0.4
    seen = render_mesh(mesh, found.camera).mask
    assert mask_iou(seen, mask > 0.5) > 0.985
