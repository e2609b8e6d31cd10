"""pixelNeRF's networks against their golden cases."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tests.parity.checks_pixelnerf import per_camera, principal_point
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check
from torch import Tensor

from monoform.methods.pixelnerf import from_published
from monoform.methods.pixelnerf.config import PixelNerfConfig
from monoform.methods.pixelnerf.encoded import Encoded
from monoform.methods.pixelnerf.encoder import latent_scaling, look_up
from monoform.methods.pixelnerf.mlp import ResnetFC
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.methods.pixelnerf.published import PUBLISHED
from monoform.methods.pixelnerf.published_tree import network_from_published, sampling_from_published
from monoform.nn import FieldSamples

_REMEMBERED: dict[str, tuple[str, Any]] = {}
_LAST: dict[str, dict[str, np.ndarray]] = {}


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


def state_of(case: Case) -> dict[str, np.ndarray]:
    """The checkpoint of a case; that of the last one is kept."""
    key = digest(case)
    if key not in _LAST:
        _LAST.clear()
        _LAST[key] = fill_state(case.manifest)
    return _LAST[key]


def config_of(case: Case, **changes: Any) -> PixelNerfConfig:
    network = network_from_published(case.config["model"] | changes.pop("model", {}))
    return PixelNerfConfig(network, sampling_from_published(case.config["renderer"]), compat=PUBLISHED)


def network_of(case: Case, **changes: Any) -> PixelNerfNet:
    """The network of a case; tensors that its manifest does not list stay as they are."""
    net = PixelNerfNet(config_of(case, **changes)).eval()
    state = state_of(case)
    missing, unexpected = net.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()}, strict=False)
    assert not unexpected, unexpected
    listed = {name.split(".")[0] for name in state}
    assert not [name for name in missing if name.split(".")[0] in listed], missing
    return net


def poses_of(case: Case, name: str) -> Tensor:
    """Camera-to-world matrices, which are motions."""
    poses = case.tensor(name)
    np.testing.assert_array_equal(poses[..., 3, :], np.broadcast_to([0.0, 0, 0, 1], (*poses.shape[:-2], 4)))
    return poses


def unit(images: Tensor) -> Tensor:
    """Published images (..., 3, h, w) in -1..1 as ours."""
    return (0.5 * images + 0.5).movedim(-3, -1)


@check("pixelnerf", "encoder")
def encoder(case: Case) -> None:
    """Runs are named by what they give; those that name no input have an image of their own, or `images`."""
    for name in ("mean", "std"):
        case.config["normalisation"].one_of(name, 0.5)
    images, net = case.tensor("images"), None
    with torch.no_grad():
        for name, options in case.config["runs"].items():
            model = {key: options[key] for key in ("use_first_pool", "feature_scale") if key in options}
            net = network_of(case, model={"encoder": case.config["model"]["encoder"] | model}).encoder
            training = options.one_of("mode", "eval", "train") == "train"
            found = net.train(training)(_input_of(case, name, options.get("input")))
            case.compare(name, found[:, :: options.get("channel_stride", 1)])
            if training:
                for key in case.names("after_train/"):
                    case.compare(key, net.model.state_dict()[key.removeprefix("after_train/")])
        net = network_of(case).encoder
        latent = net(images)
        case.compare("latent_scaling", latent_scaling(*latent.shape[2:]))
        samples = look_up(latent, case.tensor("uv"), images.shape[3], images.shape[2], net.config)
        case.compare("samples", samples.mT)


def _input_of(case: Case, run: str, said: str | None) -> Tensor:
    """ "images[:1]" is the first of images."""
    own = f"image_{run.rpartition('_')[2]}"
    found = re.fullmatch(r"(\w+)(?:\[:(\d+)\])?", said or (own if own in case else "images"))
    assert found, f"config.runs.{run}.input is {said!r}; only NAME and NAME[:count] are known here"
    return case.tensor(found[1])[: int(found[2]) if found[2] else None]


@check("pixelnerf", "mlp")
def mlp(case: Case) -> None:
    """The activations are those of the first run."""
    config, rows = case.config, case.tensor("zx")
    z, x = rows[:, : config["latent"]], rows[:, config["latent"] :]
    assert x.shape[1] == config["coordinates"], "config.coordinates is not what zx has beside its features"
    first, stride = next(iter(config["runs"])), config["channel_stride"]
    assert config["runs"][first]["views"] == config["views"], "config.views are not those of the first run"
    for name, options in config["runs"].items():
        views = options["views"]
        net = getattr(_pooling(case, options.get("pool", "average")), options["network"])
        # What is not pooled is one object with all rows as its points.
        points = config["points"] if views > 1 else len(rows)
        given = [each.unflatten(0, (-1, points)) for each in (z, x)]
        with torch.no_grad():
            case.compare(name, net(*given, views=views))
            hidden = activations(net, *given, views) if name == first else {}
        for number, values in hidden.items():
            label = "act_lin_in" if number < 0 else f"act_block{number}"
            if label in case:
                case.compare(label, values.flatten(0, 1)[:, ::stride])


def _pooling(case: Case, kind: str) -> PixelNerfNet:
    model = case.config["model"]
    changed = {name: model[name] | {"combine_type": kind} for name in ("mlp_coarse", "mlp_fine")}
    return network_of(case, model=changed)


def activations(net: ResnetFC, z: Tensor, x: Tensor, views: int) -> dict[int, Tensor]:
    """What leaves the input layer (-1) and each block."""
    found: dict[int, Tensor] = {}
    hooks = [net.lin_in.register_forward_hook(lambda _m, _i, out: found.__setitem__(-1, out))]
    for number, block in enumerate(net.blocks):
        hooks.append(block.register_forward_hook(lambda _m, _i, out, n=number: found.__setitem__(n, out)))
    net(z, x, views=views)
    for hook in hooks:
        hook.remove()
    return found


@check("pixelnerf", "net_query")
def net_query(case: Case) -> None:
    config, xyz, directions = case.config, case.tensor("xyz"), case.tensor("viewdirs")
    assert [*xyz.shape[:2]] == [config["objects"], config["points"]], "config.objects, points are not those of xyz"
    stride = config["channel_stride"]
    net = network_of(case)
    with torch.no_grad():
        views = config["views"]
        encoded = _encoded(case, net, views, case.tensor("focal"), case.tensor("c"))
        case.compare("w2c", encoded.camera_from_world[:, :3])
        inputs, local = net.inputs(encoded, xyz, directions)
        pixels = encoded.pixels(local)
        case.compare("uv", pixels)
        case.compare("coord_inputs", inputs.flatten(0, 1))
        case.compare("latent_samples", net.features(encoded, pixels).mT[:, ::stride])
        case.compare("coarse", as_published(net.query(encoded, xyz, directions, fine=False)))
        case.compare("fine", as_published(net.query(encoded, xyz, directions)))
        for name, options in config["runs"].items():
            model = {key: options[key] for key in ("normalize_z",) if key in options}
            own = network_of(case, model=model) if model else net
            count = options.get("views", views)
            said = options if "focal" in options else config["one_view"]
            focal = case.tensor(said["focal"]) if isinstance(said["focal"], str) else torch.tensor(said["focal"])
            encoded = _encoded(case, own, count, focal, principal_point(said))
            case.compare(name, as_published(own.query(encoded, xyz, directions)))


def as_published(samples: FieldSamples) -> Tensor:
    """Colour and density side by side."""
    return torch.cat((samples.values, samples.geometry[..., None]), dim=-1)


def _encoded(case: Case, net: PixelNerfNet, count: int, focal: Tensor, center: Tensor | None) -> Encoded:
    """The first views of every object; focal lengths and principal points for all of them or for each object."""
    images, poses = case.tensor("images")[:, :count], poses_of(case, "poses")[:, :count]

    def each(values: Tensor | None) -> Tensor | None:
        if values is None or values.ndim == 0:
            return per_camera(values, len(poses) * count)
        return values.reshape(len(poses), -1).float().expand(-1, 2).repeat_interleave(count, dim=0)

    height, width = images.shape[-2:]
    return net.encode(unit(images), from_published(poses.flatten(0, 1), width, height, each(focal), each(center)))
