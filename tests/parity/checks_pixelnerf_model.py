"""pixelNeRF's networks, renderer and training step against their golden cases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
import trimesh
from scipy.spatial import cKDTree
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check
from torch import Tensor

from monoform.camera import Camera
from monoform.mesh import extract
from monoform.methods.pixelnerf import from_published, published_rays, truncate_to_8_bit
from monoform.methods.pixelnerf.config import PixelNerfConfig, Sampling
from monoform.methods.pixelnerf.encoder import latent_scaling, look_up
from monoform.methods.pixelnerf.mlp import ResnetFC, activation
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.methods.pixelnerf.published import PUBLISHED
from monoform.methods.pixelnerf.published_config import network_from_published, sampling_from_published
from monoform.methods.pixelnerf.render import render, render_query
from monoform.nn import Field, FieldSamples
from monoform.render import RayRender, RaySampleNoise

LATENT, MLP, QUERY = 1e-4, 1e-4, 2e-4  # the first relative to the largest feature
DISTANCES, IMAGES = 1e-6, 2e-5
END_TO_END, END_TO_END_DEPTH, FLIPPED = 1e-4, 3e-4, 0.02
CELLS = 0.02  # between surface vertices, in cells
LOSSES, TRAINING_IMAGES, GRADIENTS, NORMS, AFTER = 1e-6, 5e-4, 2e-3, 1e-2, 1e-6
ONE_VIEW_FOCAL = 36.0  # the one number of net_query that is in its text alone
_REMEMBERED: dict[str, tuple[str, Any]] = {}


def remembered(name: str, key: str, make: Callable[[], Any]) -> Any:
    """The first result of an expensive step: checks are run many times on one case with one array changed."""
    if name in _REMEMBERED and _REMEMBERED[name][0] == key:
        return _REMEMBERED[name][1]
    made = make()
    _REMEMBERED.setdefault(name, (key, made))
    return made


def digest(case: Case, *names: str) -> str:
    """What a result depends on: the manifest and these inputs."""
    made = hashlib.sha256(json.dumps(case.manifest, sort_keys=True).encode())
    for name in names:
        made.update(name.encode() + np.ascontiguousarray(case.array(name)).tobytes())
    return made.hexdigest()


def config_of(case: Case, **changes: Any) -> PixelNerfConfig:
    tree = case.manifest["config"]
    network = network_from_published(tree["model"] | changes.pop("model", {}))
    return PixelNerfConfig(network, sampling_from_published(tree["renderer"]), compat=PUBLISHED)


def network_of(case: Case, **changes: Any) -> PixelNerfNet:
    """The network of a case; tensors that its manifest does not list stay as they are."""
    net = PixelNerfNet(config_of(case, **changes)).eval()
    state = remembered("state", digest(case), lambda: fill_state(case.manifest))
    missing, unexpected = net.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()}, strict=False)
    assert not unexpected, unexpected
    listed = {name.split(".")[0] for name in state}
    assert not [name for name in missing if name.split(".")[0] in listed], missing
    return net


def poses_of(case: Case, name: str) -> Tensor:
    poses = case.tensor(name)
    np.testing.assert_array_equal(poses[..., 3, :], np.broadcast_to([0.0, 0, 0, 1], (*poses.shape[:-2], 4)))
    return poses


def unit(images: Tensor) -> Tensor:
    """Published images (..., 3, h, w) in -1..1 as ours."""
    return (0.5 * images + 0.5).movedim(-3, -1)


@check("pixelnerf", "encoder")
def encoder(case: Case) -> None:
    net = network_of(case).encoder
    images, uv = case.tensor("images"), case.tensor("uv")
    scale = float(np.abs(case.arrays["latent"]).max())
    with torch.no_grad():
        latent = net(images)
        case.compare("latent", latent, atol=LATENT * scale)
        case.compare("latent_scaling", latent_scaling(*latent.shape[2:]), atol=1e-6)
        samples = look_up(latent, uv, images.shape[3], images.shape[2], net.config).mT
        case.compare("samples", samples, atol=LATENT * scale)
        without = network_of(case, model={"encoder": {"use_first_pool": False}}).encoder
        golden = case.arrays["latent_nopool"]
        case.compare("latent_nopool", without(case.tensor("image_nopool")), atol=LATENT * np.abs(golden).max())
        half = network_of(case, model={"encoder": {"feature_scale": 0.5}}).encoder
        case.compare("latent_half", half(images[:1]), atol=LATENT * np.abs(case.arrays["latent_half"]).max())
        trained = net.train()(images)
    step = trained.shape[1] // case.arrays["latent_trainbn"].shape[1]
    golden = case.arrays["latent_trainbn"]
    case.compare("latent_trainbn", trained[:, ::step], atol=LATENT * np.abs(golden).max())
    for name in [name for name in case.arrays if name.startswith("after_train/")]:
        case.compare(name, net.model.state_dict()[name.removeprefix("after_train/")], atol=1e-5, rtol=1e-5)


@check("pixelnerf", "mlp")
def mlp(case: Case) -> None:
    views = len(case.arrays["zx"]) // case.arrays["avg3"].shape[1]
    pooled = {kind: network_of(case, model=_pooling(case, kind)) for kind in ("average", "max")}
    net, fine = pooled["average"].mlp_coarse, pooled["average"].mlp_fine
    zx = case.tensor("zx").unflatten(0, (views, -1))
    z, x = zx[..., : net.features], zx[..., net.features :]
    with torch.no_grad():
        case.compare("avg3", net(z, x, views=views), atol=MLP)
        case.compare("max3", pooled["max"].mlp_coarse(z, x, views=views), atol=MLP)
        case.compare("single", net(z, x).reshape(1, -1, 4), atol=MLP)
        case.compare("fine_avg3", fine(z, x, views=views), atol=MLP)
        hidden = activations(net, z, x, views)
    for name, number in (("act_lin_in", -1), ("act_block2", 2), ("act_block3", 3)):
        values = hidden[number].flatten(0, 1)
        case.compare(name, values[:, :: values.shape[1] // case.arrays[name].shape[1]], atol=MLP)


def _pooling(case: Case, kind: str) -> dict[str, Any]:
    model = case.manifest["config"]["model"]
    return {name: model[name] | {"combine_type": kind} for name in ("mlp_coarse", "mlp_fine")}


def activations(net: ResnetFC, z: Tensor, x: Tensor, views: int) -> dict[int, Tensor]:
    """What leaves the input layer (-1) and each block."""
    found: dict[int, Tensor] = {}
    hooks = [net.lin_in.register_forward_hook(lambda _m, _i, out: found.__setitem__(-1, out))]
    for number, block in enumerate(net.blocks):
        hooks.append(block.register_forward_hook(lambda _m, _i, out, n=number: found.__setitem__(n, out)))
    net(z, x, views=views)
    for hook in hooks:
        hook.remove()
    assert activation(torch.tensor(-1.0), 0.0) == 0
    return found


@check("pixelnerf", "net_query")
def net_query(case: Case) -> None:
    images, poses = case.tensor("images"), poses_of(case, "poses")
    xyz, directions, focal, centre = (case.tensor(name) for name in ("xyz", "viewdirs", "focal", "c"))
    views, width, height = poses.shape[1], images.shape[4], images.shape[3]

    def cameras(count: int, focal: Any, centre: Any = None) -> Camera:
        return from_published(poses[:, :count].flatten(0, 1), width, height, focal, centre)

    net = network_of(case)
    with torch.no_grad():
        each = [values.repeat_interleave(views, dim=0) for values in (focal, centre)]
        encoded = net.encode(unit(images), cameras(views, *each))
        case.compare("w2c", encoded.camera_from_world[:, :3], atol=1e-5)
        inputs, local = net.inputs(encoded, xyz, directions)
        pixels = encoded.pixels(local)
        case.compare("uv", pixels, rtol=1e-4, atol=1e-3)
        case.compare("coord_inputs", inputs.flatten(0, 1), atol=1e-4)
        features = net.features(encoded, pixels).mT
        golden = case.arrays["latent_samples"]
        case.compare(
            "latent_samples", features[:, :: features.shape[1] // golden.shape[1]], atol=1e-4 * np.abs(golden).max()
        )
        case.compare("coarse", as_published(net.query(encoded, xyz, directions, fine=False)), atol=QUERY)
        case.compare("fine", as_published(net.query(encoded, xyz, directions)), atol=QUERY)
        one_each = case.tensor("focal_obj")[:, None].expand(-1, 2).repeat_interleave(views, dim=0)
        encoded = net.encode(unit(images), cameras(views, one_each))
        case.compare("fine_objfocal", as_published(net.query(encoded, xyz, directions)), atol=QUERY)
        single = net.encode(unit(images[:, :1]), cameras(1, ONE_VIEW_FOCAL))
        case.compare("fine_1view", as_published(net.query(single, xyz, directions)), atol=QUERY)
        local_net = network_of(case, model={"normalize_z": False})
        case.compare("fine_1view_no_normz", as_published(local_net.query(single, xyz, directions)), atol=QUERY)


@check("pixelnerf", "renderer")
def renderer(case: Case) -> None:
    for group, options in case.manifest["config"].items():
        sampling = sampling_from_published(options)
        rays = case.tensor(f"{group}/rays")
        rendered = render_query(closed_form, rays, sampling, draws_of(case, f"{group}/", rays, sampling))
        passes = {"coarse": rendered.coarse} | ({} if rendered.fine is None else {"fine": rendered.fine})
        for name, seen in passes.items():
            case.compare(f"{group}/z_{name}", seen.distances.flatten(0, 1), atol=DISTANCES)
            case.compare(f"{group}/{name}_rgb", seen.rgb, atol=IMAGES)
            case.compare(f"{group}/{name}_depth", seen.depth, atol=IMAGES)
            case.compare(f"{group}/{name}_weights", seen.weights, atol=IMAGES)
        last = rendered.best.distances
        points = rays[:, :, None, :3] + last[..., None] * rays[:, :, None, 3:6]
        along = rays[:, :, None, 3:6].expand_as(points)
        found = closed_form(points.flatten(1, 2), along.flatten(1, 2), fine=rendered.fine is not None)
        found = as_published(found).reshape(-1, last.shape[2], 4)
        case.compare(f"{group}/field_at_last", found, atol=IMAGES, rtol=1e-5)


def as_published(samples: FieldSamples) -> Tensor:
    """Colour and density side by side."""
    return torch.cat((samples.values, samples.geometry[..., None]), dim=-1)


def closed_form(points: Tensor, directions: Tensor, *, fine: bool) -> FieldSamples:
    """The field that the case's text gives."""
    k = 1.3 if fine else 1.0
    shell = torch.sigmoid(12 * (0.55 - points.norm(dim=-1)))
    sigma = torch.relu(40 * k * shell * (0.6 + 0.4 * torch.sin(7 * points[..., 0] + 5 * points[..., 1])) - 2)
    rgb = torch.sigmoid(3 * k * points + directions + points.new_tensor([0.2, -0.1, 0.4]))
    return FieldSamples(sigma, rgb)


def draws_of(case: Case, prefix: str, rays: Tensor, sampling: Sampling) -> RaySampleNoise:
    """The recorded draws; those that an option set does not need are absent."""
    even = RaySampleNoise.even(rays.shape[0] * rays.shape[1], sampling.rays)

    def take(name: str, otherwise: Tensor) -> Tensor:
        if prefix + name not in case:
            return otherwise
        drawn = case.tensor(prefix + name)
        assert name.startswith("n_") or ((drawn >= 0) & (drawn < 1)).all(), f"{prefix}{name} is not uniform in [0, 1)"
        return drawn

    return RaySampleNoise(
        take("u_coarse", even.strata),
        take("u_cdf", even.levels),
        take("u_bin", even.within),
        take("n_depth", even.normal),
    )


@check("pixelnerf", "end_to_end")
def end_to_end(case: Case) -> None:
    rays, encoded, net = end_to_end_scene(case)
    draws = draws_of(case, "", rays, net.config.sampling)
    seen = remembered("end to end", digest(case, *END_TO_END_INPUTS), lambda: no_grad_render(net, encoded, rays, draws))
    wrong = torch.zeros(rays.shape[1], dtype=torch.bool)
    for name, values in seen.items():
        tolerance = END_TO_END_DEPTH if name.endswith("depth") else END_TO_END
        difference = (values - torch.from_numpy(case.arrays[name])).abs()
        wrong |= (difference if difference.ndim == 1 else difference.amax(dim=1)) > tolerance
    if 0 < int(wrong.sum()) <= FLIPPED * len(wrong):
        # A draw within rounding of a stratum's edge falls to either side of it: in float64 it falls to the golden one.
        exact = no_grad_render(net.double(), encoded.to(torch.float64), rays[:, wrong].double(), draws[wrong])
        seen = {name: values.clone() for name, values in seen.items()}
        for name, values in exact.items():
            seen[name][wrong] = values.float()
    for name, values in seen.items():
        case.compare(name, values, atol=END_TO_END_DEPTH if name.endswith("depth") else END_TO_END)
    frame = seen["fine_rgb"].reshape(case.arrays["frame_u8"].shape)
    compare_levels(case, "frame_u8", truncate_to_8_bit(frame))


END_TO_END_INPUTS = ("images", "poses", "focal", "target_pose", "u_coarse", "u_cdf", "u_bin", "n_depth")


def end_to_end_scene(case: Case) -> tuple[Tensor, Any, PixelNerfNet]:
    images, poses, focal = case.tensor("images"), poses_of(case, "poses"), float(case.array("focal"))
    target, (near, far) = poses_of(case, "target_pose")[None], case.manifest["config"]["near_far"]
    height, width = case.manifest["config"]["target_size"]
    side = images.shape[-1]
    camera = from_published(target, width, height, focal * width / side)
    rays = published_rays(camera, near, far).reshape(1, -1, 8)
    case.compare("rays", rays[0], atol=1e-5)
    net = network_of(case)
    with torch.no_grad():
        encoded = net.encode(unit(images)[None], from_published(poses, side, images.shape[-2], focal))
    return rays, encoded, net


def no_grad_render(net: PixelNerfNet, encoded: Any, rays: Tensor, draws: RaySampleNoise) -> dict[str, Tensor]:
    with torch.no_grad():
        rendered = render(net, encoded, rays, noise=draws, points_per_call=1536)
    return named(rendered)


def named(rendered: RayRender) -> dict[str, Tensor]:
    assert rendered.fine is not None
    passes = {"coarse": rendered.coarse, "fine": rendered.fine}
    return {
        f"{kind}_{name}": getattr(seen, name)[0] for kind, seen in passes.items() for name in ("rgb", "depth", "alpha")
    }


def compare_levels(case: Case, name: str, ours: Tensor) -> None:
    """8-bit values: at most one level away where rounding decides, and that in one of a hundred."""
    difference = np.abs(ours.numpy().astype(int) - case.arrays[name].astype(int))
    assert (difference > 0).mean() <= 0.01 and difference.max() <= 1, f"{name}: {difference.max()} levels away"
    case.deviations[name] = float(difference.max())


@check("pixelnerf", "train_step")
def train_step(case: Case) -> None:
    images, poses, focal = case.tensor("images"), poses_of(case, "poses"), case.tensor("focal")
    levels = 127.5 * images + 127.5
    np.testing.assert_allclose(levels, levels.round(), atol=1e-3, err_msg="images have 8 bits, also where no ray looks")
    objects, views, height, width = *images.shape[:2], *images.shape[3:]
    each = focal[:, None].expand(-1, 2).repeat_interleave(views, dim=0)
    near, far = case.manifest["config"].get("near_far", (0.8, 1.8))
    rays = published_rays(from_published(poses.flatten(0, 1), width, height, each), near, far).reshape(objects, -1, 8)
    pixels = case.tensor("pix_inds")
    rays = rays.gather(1, pixels[..., None].expand(-1, -1, 8))
    case.compare("rays", rays, atol=1e-5)
    truth = unit(images).reshape(objects, -1, 3).gather(1, pixels[..., None].expand(-1, -1, 3))
    case.compare("rgb_gt", truth, atol=1e-6)
    chosen = case.tensor("image_ord")
    rows = torch.arange(objects)[:, None]
    focal_rows = focal[:, None].expand(-1, chosen.shape[1]).reshape(-1, 1).expand(-1, 2)
    source = from_published(poses[rows, chosen].flatten(0, 1), width, height, focal_rows)
    steps = Steps(case, unit(images)[rows, chosen], source, rays, truth)
    steps.second(steps.first())


class Steps:
    """Two Adam steps; each comparison comes as soon as its numbers are there."""

    def __init__(self, case: Case, images: Tensor, cameras: Camera, rays: Tensor, truth: Tensor) -> None:
        self.case, self.images, self.cameras, self.rays, self.truth = case, images, cameras, rays, truth
        self.given = digest(case, "images", "poses", "focal", "image_ord", "pix_inds")

    def first(self) -> tuple[Any, ...]:
        key = self.given + digest(self.case, *(f"step0/{name}" for name in DRAWN))
        made = remembered("first step", key, self._first)
        _, seen, losses, gradients, after = made
        self._compare_losses(0, losses)
        self.case.compare("coarse_rgb", seen.coarse.rgb, atol=TRAINING_IMAGES)
        self.case.compare("fine_rgb", seen.fine.rgb, atol=TRAINING_IMAGES)
        self.case.compare("step0/bn1.running_mean", after["encoder.model.bn1.running_mean"], atol=1e-5)
        self._compare_gradients(gradients)
        return made

    def _first(self) -> tuple[Any, ...]:
        net = network_of(self.case).train()
        seen, losses = self._forward(net, 0)
        names = dict(net.named_parameters())
        found = torch.autograd.grad(losses[2], list(names.values()), allow_unused=True)
        gradients = dict(zip(names, found, strict=True))
        detached = RayRender(*(_detached(one) for one in (seen.coarse, seen.fine)))
        means = {name: value.clone() for name, value in net.state_dict().items() if name.endswith("running_mean")}
        return net, detached, losses.detach(), gradients, means

    def second(self, first: tuple[Any, ...]) -> None:
        names = [f"step{step}/{name}" for step in (0, 1) for name in DRAWN]
        losses, state = remembered("second step", self.given + digest(self.case, *names), lambda: self._second(first))
        self._compare_losses(1, losses)
        self.case.compare("step1/bn1.running_mean", state["encoder.model.bn1.running_mean"], atol=1e-5)
        for name in [name for name in self.case.arrays if name.startswith("after/")]:
            self.case.compare(name, state[name.removeprefix("after/")], atol=AFTER, rtol=AFTER)

    def _second(self, first: tuple[Any, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        net, _, _, gradients, means = first
        fresh = network_of(self.case).train()
        with torch.no_grad():
            for name, buffer in fresh.named_buffers():
                buffer.copy_(dict(net.named_buffers())[name] if name not in means else means[name])
        train = self.case.manifest["config"].get("train", {})
        optimiser = torch.optim.Adam(fresh.parameters(), lr=train.get("lr", 1e-4))
        for name, parameter in fresh.named_parameters():
            parameter.grad = None if gradients[name] is None else gradients[name].clone()
        optimiser.step()
        optimiser.zero_grad()
        _, losses = self._forward(fresh, 1)
        losses[2].backward()
        optimiser.step()
        wanted = {name.removeprefix("after/") for name in self.case.arrays if name.startswith("after/")}
        wanted.add("encoder.model.bn1.running_mean")
        return losses.detach(), {name: fresh.state_dict()[name].detach().clone() for name in wanted}

    def _forward(self, net: PixelNerfNet, step: int) -> tuple[RayRender, Tensor]:
        draws = draws_of(self.case, f"step{step}/", self.rays, net.config.sampling)
        encoded = net.encode(self.images, self.cameras)
        seen = render(net, encoded, self.rays, noise=draws)
        assert seen.fine is not None
        parts = [(one.rgb - self.truth).square().mean() for one in (seen.coarse, seen.fine)]
        return seen, torch.stack([*parts, parts[0] + parts[1]])

    def _compare_losses(self, step: int, losses: Tensor) -> None:
        self.case.compare(f"step{step}/losses", losses.double(), atol=LOSSES)

    def _compare_gradients(self, gradients: dict[str, Tensor | None]) -> None:
        order = self.case.manifest["grad_names"]
        assert set(order) == set(gradients)
        norms = [-1.0 if (found := gradients[name]) is None else float(found.double().norm()) for name in order]
        self.case.compare("grad_norms", np.array(norms), rtol=NORMS, atol=1e-9)
        for name in [name for name in self.case.arrays if name.startswith("grad/")]:
            golden, ours = self.case.arrays[name], gradients[name.removeprefix("grad/")]
            assert ours is not None
            step = len(ours) // len(golden) if name.endswith("lin_in.weight") else 1
            part = ours[::step][: len(golden)]
            self.case.compare(name, part, atol=GRADIENTS * float(np.abs(golden).max()))


DRAWN = ("u_coarse", "u_cdf", "u_bin", "n_depth")


def _detached(seen: Any) -> Any:
    return replace(seen, **{field.name: getattr(seen, field.name).detach() for field in fields(seen)})


@check("pixelnerf", "mesh")
def mesh(case: Case) -> None:
    """In units of the case's own grid, whose cells are no cubes: both surfaces are cut from the same numbers."""
    config = case.manifest["config"]
    low, high, nodes = (np.array(config[name], dtype=float) for name in ("c1", "c2", "reso"))
    step = (high - low) / (nodes - 1)
    field = GridUnits(torch.tensor(low).float(), torch.tensor(step).float(), nodes.astype(int))
    positions = field.nodes()
    case.compare("grid", positions[::3, ::3, ::3], atol=1e-6)
    case.compare("sigma", field.geometry(field.indices()).reshape(*nodes.astype(int)), atol=1e-4, rtol=1e-5)
    cells = int(nodes.max()) - 1
    ours = extract(field, resolution=cells, level=config["isosurface"], coarse=cells)
    # The original divides the box by the number of nodes and not of cells.
    shrunk = case.array("vertices")
    theirs = low + (shrunk - low) * nodes / (nodes - 1)
    # Where the box cuts the surface, ours is closed by a cap just outside, and the original's is open.
    mine = np.clip(low + ours.vertices * step, low, high)
    inside = ((mine > low) & (mine < high)).all(axis=1)
    assert cKDTree(mine).query(theirs)[0].max() < CELLS * step.max()
    assert cKDTree(theirs).query(mine[inside])[0].max() < CELLS * step.max()
    back = low + (mine - low) * (nodes - 1) / nodes
    case.compare("bounds", np.stack((back.min(axis=0), back.max(axis=0))), atol=1e-3)
    faces = case.array("triangles").astype(np.int64)
    case.compare("area", np.float64(trimesh.Trimesh(shrunk, faces, process=False).area), rtol=1e-9)
    uncapped = trimesh.Trimesh(back, ours.faces[inside[ours.faces].any(axis=1)], process=False)
    np.testing.assert_allclose(uncapped.area, case.arrays["area"], rtol=1e-2)
    case.compare("volume", np.float64(uncapped.volume), rtol=1e-2)


@dataclass
class GridUnits(Field):
    """The fine field of the closed form, seen along -x / |x|, in units of a grid's cells."""

    origin: Tensor
    step: Tensor
    shape: np.ndarray
    kind: str = "density"
    representative_direction: Tensor | None = None

    @property
    def bounds(self) -> Tensor:
        return torch.stack((torch.zeros(3), torch.from_numpy(self.shape).float() - 1))

    def indices(self) -> Tensor:
        axes = [torch.arange(int(n)).float() for n in self.shape]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)

    def nodes(self) -> Tensor:
        return (self.origin + self.step * self.indices()).reshape(*self.shape.tolist(), 3)

    def geometry(self, points: Tensor) -> Tensor:
        world = self.origin + self.step * points
        return closed_form(world[None], -torch.nn.functional.normalize(world, dim=-1)[None], fine=True).geometry[0]

    def values(self, points: Tensor, directions: Tensor | None = None) -> Tensor:
        return torch.zeros_like(points)
