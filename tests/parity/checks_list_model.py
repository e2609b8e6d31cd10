"""LIST's networks against their golden cases."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from tests.parity.tolerances import EPSILON
from torch import Tensor, nn

from monoform.methods.list.config import ListConfig, Network
from monoform.methods.list.decoder import SdfDecoder, gathered, pooled
from monoform.methods.list.encoder import ImageEncoder
from monoform.methods.list.localize import PointMlp, localizer, network_query, project
from monoform.methods.list.model import CoarseNet, ListNet
from monoform.methods.list.published import network_of, published_config
from monoform.methods.list.tree import TreeDecoder, TreeLayer
from monoform.methods.list.volume import VolumeEncoder, node_index, occupancy


def tensors(case: Case, prefix: str = "") -> dict[str, Tensor]:
    """The case's checkpoint, or the part of it below a prefix."""
    state = {name: torch.from_numpy(value) for name, value in fill_state(case.manifest).items()}
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def filled(module: nn.Module, case: Case, prefix: str = "") -> Any:
    """A part with the case's weights, in evaluation mode."""
    module.load_state_dict(tensors(case, prefix))
    return module.eval()


def picture(case: Case, name: str) -> Tensor:
    """Bytes as the networks take them, in the count and size that the manifest says."""
    images = case.tensor(name).float() / 255
    said = case.config.get("batch", len(images)), *case.config.get("image_size", images.shape[2:])
    assert (len(images), *images.shape[2:]) == said, f"config.batch, image_size are not those of {name}"
    return images


def summary(values: Tensor) -> np.ndarray:
    """Count, sum, sum of squares, smallest, largest."""
    x = values.detach().double()
    numbers = (float(x.numel()), float(x.sum()), float(x.square().sum()), float(x.min()), float(x.max()))
    return np.array(numbers, np.float64)


def compare_summary(case: Case, name: str, values: Tensor) -> None:
    """Sums of values of both signs are compared in the size of their terms, as the smallest and largest in the
    larger of both."""
    golden, ours = case.arrays[name], summary(values)
    sizes = np.abs(golden)
    sizes[1] = max(sizes[1], np.sqrt(golden[0] * golden[2]))
    sizes[3:] = sizes[3:].max()
    scaled = golden + (ours - golden) * np.divide(np.abs(golden), sizes, out=np.ones(5), where=sizes > 0)
    case.compare(name, scaled)


def set_nodes(grid: Tensor) -> np.ndarray:
    return np.flatnonzero(grid.numpy().ravel()).astype(np.int32)


def stride_of(words: str | int, size: int) -> int:
    """ "max(1, C // 16)" of a size, or a number."""
    if isinstance(words, int):
        return words
    found = re.fullmatch(r"max\(1, [\w ]+ // (\d+)\)", words)
    assert found, f"config.stored says {words!r}; only a number and max(1, SIZE // NUMBER) are known here"
    return max(1, size // int(found[1]))


def network_config(case: Case) -> Network:
    """The published network in the sizes that the checkpoint's tensors have, as the reader of checkpoints takes it."""
    return network_of(tensors(case), published_config("shapenet").network)


def tree_matches(case: Case, network: Network, features: str, degrees: str) -> None:
    """The manifest and the checkpoint describe one tree."""
    said = tuple(case.config[features]), tuple(case.config[degrees]), case.config["support"]
    assert said == (network.tree_features, network.tree_degrees, network.tree_support), f"config.{features}, {degrees}"


def half_side_of(config: Fields) -> float:
    """Of the box, whose middle is 0."""
    low, high = config["box"]
    assert low == -high, f"{config.where}.box is {[low, high]}, whose middle is not 0"
    return float(high)


@check("list", "gcn_layer")
def gcn_layer(case: Case) -> None:
    config = case.config
    config.one_of("last_without_bias", True)
    features, degrees = config["features"], config["degrees"]
    levels, nodes = [case.tensor("root")], 1
    with torch.no_grad():
        for number, degree in enumerate(degrees):
            layer = TreeLayer(
                features[: number + 1],
                features[number + 1],
                degree=degree,
                nodes=nodes,
                support=config["support"],
                last=not config["activation"][number],
            )
            levels.append(filled(layer, case, f"layer{number}.")(levels))
            nodes *= degree
            case.compare(f"level{number + 1}", levels[-1])


@check("list", "tree_decoder")
def tree_decoder(case: Case) -> None:
    config = case.config
    net = filled(TreeDecoder(config["features"], config["degrees"], config["support"]), case, "point_decoder.")
    with torch.no_grad():
        levels = net.levels(case.tensor("featvec"))
    for number, level in enumerate(levels[1:-1], start=1):
        case.compare(f"level{number}", level[..., :: config["stored"]["channel_stride"]])
    assert levels[-1].shape[1] == config["cloud_points"], "config.cloud_points is not what the degrees make"
    case.compare("points", levels[-1])


@check("list", "image_encoder")
def image_encoder(case: Case) -> None:
    config, network = case.config, network_config(case)
    config.one_of("first_stride", 1)
    stored = config["stored"]
    net = filled(ImageEncoder(network.image_width, network.image_hidden, network.vector), case, "image_encoder.")
    for name, options in config["inputs"].items():
        images = picture(case, f"{name}_image_u8")
        assert [*images.shape] == [options["batch"], 3, *options["image_size"]], f"config.inputs.{name}"
        with torch.no_grad():
            vector, maps = net.encode(images)
        case.compare(f"{name}_featvec", vector)
        for number, found in enumerate(maps):
            label, step = f"{name}_map{number}", stride_of(stored["spatial_stride"], found.shape[3])
            case.compare(f"{label}_shape", np.array(found.shape))
            case.compare(f"{label}_sub", found[:, :: stored["channel_stride"], ::step, ::step])
            compare_summary(case, f"{label}_summary", found)


@check("list", "coarsenet")
def coarsenet(case: Case) -> None:
    network = network_config(case)
    tree_matches(case, network, "features", "degrees")
    net = filled(CoarseNet(replace(published_config("coarse"), network=network)), case)
    with torch.no_grad():
        vector, _ = net.image_encoder.encode(picture(case, "image_u8"))
        case.compare("featvec", vector)
        case.compare("points", net(picture(case, "image_u8")))


@check("list", "localisation")
def localization(case: Case) -> None:
    config, network = case.config, network_config(case)
    config.one_of("order", ["feat_coarse", "featvec2"])
    reader = filled(PointMlp(network.point_widths), case, "point_mlp_coarse.")
    vector = case.tensor("featvec2")
    inputs = config["feature"] + config["image_vector"]
    head = filled(localizer(inputs, network.localizer), case, "spatial_transformer.")
    with torch.no_grad():
        each = reader.each(case.tensor("points"))
        case.compare("per_point_first16", each[:, :, : case.arrays["per_point_first16"].shape[2]])
        features = reader(case.tensor("points"))
        case.compare("feat_coarse", features)
        matrix = head(torch.cat((features, vector), 1)).unflatten(1, tuple(config["matrix"]))
    case.compare("trans_mat", matrix)


@check("list", "perceptual_pooling")
def perceptual_pooling(case: Case) -> None:
    config = case.config
    config.one_of("align_corners", True)
    side = config["map_side"]
    maps = [case.tensor(f"map{number}") for number in range(len(config["channels"]))]
    assert [each.shape[1] for each in maps] == config["channels"], "config.channels are not those of the maps"
    pixels = project(case.tensor("query"), case.tensor("trans_mat")).clamp(0, side - 1)
    # A place on the map is known to `side` last bits of 1, and so is what lies between two of its pixels.
    place = side * EPSILON * max(float(each.abs().max()) for each in maps)
    case.compare("uv", pixels)
    case.compare("out", pooled(maps, torch.from_numpy(case.arrays["uv"]), side), rounding=place)
    corners = project(case.tensor("corner_query"), case.tensor("corner_mat"))
    case.compare("corner_out", pooled([each[:1] for each in maps], corners, side), rounding=place)


@check("list", "occupancy")
def voxels(case: Case) -> None:
    points, half = case.tensor("points"), half_side_of(case.config)
    case.config.one_of("index", "(ix*R + iy)*R + iz")
    for nodes in case.config["resolutions"]:
        for number in range(len(points)):
            case.compare(f"occ{nodes}_{number}", set_nodes(occupancy(points, nodes, half)[number]))
            case.compare(f"idx{nodes}_{number}", node_index(points, nodes, half)[number].int())


@check("list", "voxel_encoder")
def voxel_encoder(case: Case) -> None:
    config, network = case.config, network_config(case)
    nodes, stored = config["vox_res"], config["stored"]
    assert [1, *network.volume_channels[4:]] == config["channels"], "config.channels are not those of the checkpoint"
    net = filled(VolumeEncoder(network.volume_channels), case, "vox_encoder.")
    names = sorted(case.names("occ_idx"), key=lambda name: int(name.removeprefix("occ_idx")))
    with torch.no_grad():
        found = net(torch.stack([grid_of(case.array(name), nodes) for name in names]))
    for number, volume in enumerate(found):
        case.compare(f"feat{number}_shape", np.array(volume.shape))
        step = stride_of(stored["spatial_stride"], volume.shape[2])
        some = stride_of(stored["channel_stride"], volume.shape[1])
        case.compare(f"feat{number}_sub", volume[:, ::some, ::step, ::step, ::step])
        compare_summary(case, f"feat{number}_summary", volume)


def grid_of(index: np.ndarray, nodes: int) -> Tensor:
    grid = torch.zeros(nodes**3)
    grid[torch.from_numpy(index).long()] = 1
    return grid.unflatten(0, (nodes, nodes, nodes))


@check("list", "sdf_decoder")
def sdf_decoder(case: Case) -> None:
    config = case.config
    volumes = [case.tensor(f"vox{number}") for number in range(len(config["voxel_channels"]))]
    assert [each.shape[1] for each in volumes] == config["voxel_channels"], "config.voxel_channels"
    net = filled(SdfDecoder(config["feature_size"], config["h_dim"]), case, "sdf_decoder.")
    assert len(net.offsets) == config["offsets"], "config.offsets is not how many there are"
    query = case.tensor("query")
    case.compare("offsets", net.offsets)
    with torch.no_grad():
        case.compare("gathered", gathered(volumes, query, net.offsets))
        case.compare("sdf", net(volumes, case.tensor("percep"), query))


def list_config(case: Case) -> ListConfig:
    """The published configuration in the checkpoint's sizes and the manifest's."""
    config, network = case.config, network_config(case)
    tree_matches(case, network, "point_feat", "point_degree")
    assert list(network.volume_channels) == config["im_enc_layers"], "config.im_enc_layers"
    half = half_side_of(config)
    network = replace(network, volume_nodes=config["vox_res"], map_side=config["map_side"], half_side=half)
    return replace(published_config("shapenet"), network=network, sdf_scale=config["sdf_scale"])


@torch.no_grad()
def settled_cloud(net: ListNet, images: Tensor) -> Tensor:
    """The coarse cloud by way of double precision, which ours is close to.

    A point at the edge of two voxels then falls to the same one on every processor, as it did in the golden run;
    rounded in another way one voxel flips, and everything after it is different.
    """
    exact = copy.deepcopy(nn.ModuleList([net.im_encoder, net.point_decoder])).double()
    cloud = exact[1](exact[0].encode(images.double())[0]).float()
    torch.testing.assert_close(net.point_decoder(net.im_encoder.encode(images)[0]), cloud, atol=1e-5, rtol=0.0)
    return cloud


@check("list", "list_forward")
def list_forward(case: Case) -> None:
    """Stage by stage: the cloud first, then the rest from the golden cloud, so that no voxel can flip."""
    config, options = list_config(case), case.config
    network = config.network
    net, query, images = filled(ListNet(config), case), case.tensor("query"), picture(case, "image_u8")
    counts = query.shape[1], network.points
    assert counts == (options["queries"], options["cloud_points"]), "config.queries, cloud_points"
    with torch.no_grad():
        vector, _ = net.im_encoder.encode(images)
        case.compare("featvec1", vector)
        case.compare("points", net.point_decoder(vector))
        case.compare("featvec2", net.im_encoder2.encode(images)[0])
        cloud = torch.from_numpy(case.arrays["points"])
        seen = net.encode(images, cloud=cloud)
        case.compare("feat_coarse", seen.features)
        case.compare("trans_mat", seen.matrix)
        for number in range(len(cloud)):
            case.compare(f"occ_idx{number}", set_nodes(seen.grid[number]))
        pixels = project(network_query(query, network.half_side), seen.matrix)
        case.compare("uv", pixels)
        local = pooled(seen.maps, pixels, network.map_side)
        case.compare("percep_sub", local[:, :: options["percep_stride"]])
        compare_all(case, "vox", seen.volumes)
        compare_all(case, "map", seen.maps)
        step = options["occ_stride"]
        for name in [name for name in ("occ_prob", "occ_prob_sub") if name in case]:
            case.compare(name, seen.volumes[0][:, 0, ::step, ::step, ::step])
        case.compare("sdf", net.distances(seen, query))
        if "given_mat" in case:
            given = net.encode(images, case.tensor("given_mat"), cloud=cloud)
            case.compare("sdf_given_mat", net.distances(given, query))


def compare_all(case: Case, prefix: str, found: Sequence[Tensor]) -> None:
    for number, values in enumerate(found):
        compare_summary(case, f"{prefix}{number}_summary", values)
