"""Refinement of latents and cameras through the renderer."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from monoform import InputError
from monoform.methods.bootstrap.cameras import camera_of
from monoform.methods.bootstrap.config import BootstrapConfig, Network, Rays, Scene, Training
from monoform.methods.bootstrap.counting import around, filled, indices, off_background
from monoform.methods.bootstrap.estimate_pose import EstimatedCameras
from monoform.methods.bootstrap.inversion_options import InversionOptions
from monoform.methods.bootstrap.invert import Inverted, invert
from monoform.methods.bootstrap.model import BootstrapGenerator
from monoform.methods.bootstrap.objective import Objective
from monoform.methods.bootstrap.pose_parameters import PoseParameters
from monoform.methods.bootstrap.refinement import Refinement
from monoform.methods.bootstrap.target import Target

SIZE = 14
NETWORK = Network(
    8, 8, channel_base=64, channel_max=8, plane_resolution=8, plane_features=4, decoder_width=8, palette=3
)
CONFIG = BootstrapConfig(
    SIZE, NETWORK, Scene(1.0, flipped=True, white=True), Rays(6, 6), Training(alpha=False, augment=0.0, ada_target=None)
)
QUICK = InversionOptions(steps=8, rate=0.02)


@pytest.fixture(scope="module")
def net() -> BootstrapGenerator:
    """A generator whose objects are about balls."""
    torch.manual_seed(0)
    net = BootstrapGenerator(CONFIG)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(40):
        points = 2 * torch.rand(2, 200, 3) - 1
        planes = net.planes(net.styles(net.map(torch.randn(2, 8))))
        loss = (net.distance(points, planes) - (points.norm(dim=-1) - 0.6)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        assert net.beta is not None and net.alpha is not None
        net.beta.fill_(0.05)
        net.alpha.fill_(0.05)
    return net.eval()


def poses(count: int, seed: int = 1) -> PoseParameters:
    draw = torch.Generator().manual_seed(seed)
    quaternion = torch.nn.functional.normalize(torch.randn(count, 4, generator=draw), dim=1)
    return PoseParameters(quaternion, torch.zeros(count, 2), torch.full((count,), 0.8), torch.zeros(count))


def cameras_of(pose: PoseParameters, starts: int = 1) -> EstimatedCameras:
    matrices, focal = pose.matrices(flipped=True)
    shape = (len(matrices) // starts, starts)
    one = torch.ones(shape)
    lengths = None if focal is None else focal.unflatten(0, shape)
    return EstimatedCameras(matrices.unflatten(0, shape), lengths, one, one, one > 0)


def photos(net: BootstrapGenerator, pose: PoseParameters, w: Tensor) -> Target:
    with torch.no_grad():
        camera = camera_of(*pose.matrices(flipped=True), (SIZE, SIZE))
        seen = net.render(net.styles(w), camera)
    return Target(seen.rgb, seen.alpha)


def problem(net: BootstrapGenerator, count: int = 2) -> tuple[Target, Tensor, PoseParameters]:
    """Photos, latents that are off, and the true cameras."""
    draw = torch.Generator().manual_seed(2)
    pose = poses(count)
    w = net.map(torch.randn(count, 8, generator=draw)).detach()
    return photos(net, pose, w), (w + 0.3 * torch.randn(w.shape, generator=draw))[:, None], pose


def totals(found: Inverted) -> Tensor:
    return found.history["total"]


def test_the_loss_falls_for_latent_and_camera_alike(net: BootstrapGenerator):
    target, latent, pose = problem(net)
    off = replace(pose, offset=pose.offset + 0.1, scale=1.1 * pose.scale)
    found = invert(net, target, latent, cameras_of(off), Objective("mse"), replace(QUICK, steps=24))
    assert found.refined.tolist() == [True, True] and totals(found).shape == (24, 2)
    assert bool((totals(found)[-5:].mean(0) < 0.6 * totals(found)[:3].mean(0)).all())
    assert found.styles.shape == (2, net.slots, 8)
    assert bool(((found.pose.offset - pose.offset).norm(dim=1) < (off.offset - pose.offset).norm(dim=1)).all())
    matrices, focal = found.pose.matrices(flipped=True)
    assert torch.equal(found.world_from_camera, matrices) and focal is not None
    torch.testing.assert_close(found.pose.quaternion.norm(dim=1), torch.ones(2))


def test_the_same_seed_gives_the_same_and_weights_stay(net: BootstrapGenerator):
    target, latent, pose = problem(net, 1)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    first, second = (invert(net, target, latent, cameras_of(pose), Objective("l1"), QUICK) for _ in range(2))
    assert torch.equal(first.styles, second.styles)
    with torch.inference_mode():
        again = Target(target.rgb.clone(), target.mask)
        inferred = invert(net, again, latent.clone(), cameras_of(pose), Objective("l1"), QUICK)
    torch.testing.assert_close(inferred.styles, first.styles)
    other = torch.Generator().manual_seed(5)
    third = invert(net, target, latent, cameras_of(pose), Objective("l1"), QUICK, generator=other)
    assert not torch.equal(first.styles, third.styles)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_options_change_what_moves(net: BootstrapGenerator):
    target, latent, pose = problem(net, 1)

    def run(**options: object) -> Inverted:
        chosen = replace(QUICK, **options)  # type: ignore[arg-type]
        return invert(net, target, latent, cameras_of(pose), Objective("mse", mask=0.1), chosen)

    nothing = run(steps=0)
    torch.testing.assert_close(nothing.styles, latent.expand(-1, net.slots, -1))
    assert not nothing.refined.any()
    fixed = run(refine_pose=False)
    torch.testing.assert_close(fixed.pose.offset, nothing.pose.offset)
    assert not torch.equal(run().pose.offset, nothing.pose.offset)
    joint, split = run(split=False), run()
    assert torch.equal(joint.styles[:, 0], joint.styles[:, 1]) and not torch.equal(
        split.styles[:, 0], split.styles[:, 1]
    )
    # Adam's first step has the length of the rate, times the gain.
    moved = (run(steps=1, gain=3.0).styles - nothing.styles).abs().max()
    assert float(moved) == pytest.approx(3.0 * QUICK.rate, rel=1e-3)
    assert float(run(steps=1, pose_rate=0.5).pose.offset.abs().max()) == pytest.approx(0.5, rel=1e-3)
    assert InversionOptions(gain=10).updates == 10 and InversionOptions().updates == 30
    assert len(totals(run(patience=2, rate=1e-9))) < QUICK.updates
    assert float((run(cosine=True).styles - split.styles).abs().max()) > 1e-4


def test_rays_that_count_give_the_same(net: BootstrapGenerator):
    """Exactly where they meet the cube; nearly where they are around the object, once it was rendered."""
    target, latent, pose = problem(net)
    ws, rows = latent.expand(-1, net.slots, -1), torch.arange(2)
    found, gradients = {}, {}
    for counting in ("all", "cube", "object"):
        run = Refinement(net, target, Objective("mse"), InversionOptions(counting=counting), None, None)
        for _ in range(2):
            at = ws.clone().requires_grad_()
            rgb, _ = run.look(net, at, run.cameras(pose, rows), rows, [0, 1])
        found[counting] = rgb.detach()
        gradients[counting] = torch.autograd.grad((rgb - target.rgb).square().sum(), at)[0]
    torch.testing.assert_close(found["cube"], found["all"], atol=1e-5, rtol=0)
    torch.testing.assert_close(gradients["cube"], gradients["all"], atol=1e-4, rtol=1e-3)
    assert float((found["object"] - found["all"]).abs().max()) < 0.1
    assert float((gradients["object"] - gradients["all"]).norm() / gradients["all"].norm()) < 0.1


def test_planes_may_have_half_the_precision(net: BootstrapGenerator):
    target, latent, pose = problem(net)
    plain, half = (
        invert(net, target, latent, cameras_of(pose), Objective("mse"), replace(QUICK, steps=1, half=which))
        for which in (False, True)
    )
    torch.testing.assert_close(totals(half), totals(plain), atol=0, rtol=0.1)
    assert not torch.equal(totals(half), totals(plain))


def test_the_best_of_several_cameras_goes_on(net: BootstrapGenerator):
    target, latent, pose = problem(net)
    wrong = poses(2, seed=9)
    mixed = PoseParameters(
        *(
            torch.stack(pair, dim=1).flatten(0, 1)
            for pair in zip(
                (wrong.quaternion, wrong.offset + 0.5, wrong.scale, wrong.focal),
                (pose.quaternion, pose.offset, pose.scale, pose.focal),
                strict=True,
            )
        )  # type: ignore[arg-type]
    )
    found = invert(net, target, latent, cameras_of(mixed, 2), Objective("mse"), replace(QUICK, tries=3))
    assert totals(found).shape == (8, 2) and bool(torch.isfinite(totals(found)).all())
    assert float((found.pose.offset - pose.offset).norm(dim=1).max()) < 0.3


def test_cameras_that_see_nothing_are_flagged_and_left_alone(net: BootstrapGenerator):
    target, latent, pose = problem(net)
    offset = pose.offset.clone()
    offset[1] = 30.0
    away = replace(pose, offset=offset)
    found = invert(net, target, latent, cameras_of(away), Objective("mse"), QUICK)
    assert found.refined.tolist() == [True, False]
    torch.testing.assert_close(found.styles[1], latent[1].expand(net.slots, -1))
    assert totals(found)[:, 1].isnan().all() and totals(found)[:, 0].isfinite().all()
    lost = replace(cameras_of(pose), found=torch.tensor([[False], [True]]))
    assert invert(net, target, latent, lost, Objective("mse"), QUICK).refined.tolist() == [False, True]
    none = replace(lost, found=torch.zeros(2, 1, dtype=torch.bool))
    assert not invert(net, target, latent, none, Objective("mse"), QUICK).refined.any()


def test_tuning_changes_a_generator_of_its_own(net: BootstrapGenerator):
    target, latent, pose = problem(net, 1)
    options = replace(QUICK, steps=2, tuning_steps=15, tuning_rate=1e-3)
    found = invert(net, target, latent, cameras_of(pose), Objective("mse"), options)
    assert found.net is not net
    camera = camera_of(found.world_from_camera, found.focal, (SIZE, SIZE))
    with torch.no_grad():
        gaps = [
            float((each.render(found.styles, camera).rgb - target.rgb).square().mean()) for each in (net, found.net)
        ]
    assert gaps[1] < gaps[0]
    assert invert(net, target, latent, cameras_of(pose), Objective("mse"), QUICK).net is net


def test_numbers_must_agree(net: BootstrapGenerator):
    target, latent, pose = problem(net)
    with pytest.raises(InputError, match="as many of each"):
        invert(net, target, latent[:1], cameras_of(pose), Objective("mse"), QUICK)
    with pytest.raises(InputError, match="gain"):
        InversionOptions(gain=0.0)


def test_rays_are_chosen_and_put_back():
    counts = torch.tensor([[True, False, False, True], [False, True, False, False]])
    index = indices(counts)
    assert index.shape == (2, 2) and index[0].tolist() == [0, 3] and 1 in index[1].tolist()
    whole = filled(torch.ones(2, 2, 3), index, 4, -1.0)
    assert whole.shape == (2, 4, 3) and bool((whole[0, 1] == -1).all()) and bool((whole[1, 1] == 1).all())
    shown = torch.zeros(1, 33, 33, dtype=torch.bool)
    shown[0, 16, 16] = True
    assert int(around(shown).sum()) == 25
    rgb = torch.ones(1, 4, 4, 3)
    rgb[0, 1, 2, 1] = 0.5
    assert off_background(rgb, 1.0).nonzero().tolist() == [[0, 1, 2]]
