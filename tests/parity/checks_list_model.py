"""LIST's networks against their golden cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check
from torch import Tensor, nn

from monoform.methods.list.config import ListConfig, Network
from monoform.methods.list.decoder import SdfDecoder, gathered, pooled
from monoform.methods.list.encoder import ImageEncoder
from monoform.methods.list.localise import PointMlp, localiser, project
from monoform.methods.list.model import CoarseNet, ListNet
from monoform.methods.list.published import published_config
from monoform.methods.list.tree import TreeDecoder, TreeLayer
from monoform.methods.list.volume import VolumeEncoder, node_index, occupancy

LAYER, LEVELS, TREE_POINTS = 1e-5, 2e-5, 5e-6
MAPS, SUMMARY, VECTOR, CLOUD = 1e-4, 1e-5, 5e-5, 2e-5
VOLUMES, POOLED, DECODED = 2e-5, 2e-5, 2e-5
MATRIX, PIXELS = 5e-5, 5e-4
DISTANCES = {32: 1e-4, 128: 2e-4}


def tensors(case: Case, prefix: str = "") -> dict[str, Tensor]:
    """The case's checkpoint, or the part of it below a prefix."""
    state = {name: torch.from_numpy(value) for name, value in fill_state(case.manifest).items()}
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def filled(module: nn.Module, case: Case, prefix: str = "") -> Any:
    """A part with the case's weights, in evaluation mode."""
    module.load_state_dict(tensors(case, prefix))
    return module.eval()


def picture(case: Case, name: str) -> Tensor:
    """Bytes as the networks take them."""
    return case.tensor(name).float() / 255


def summary(values: Tensor) -> np.ndarray:
    """Count, sum, sum of squares, smallest, largest."""
    x = values.detach().double()
    numbers = (float(x.numel()), float(x.sum()), float(x.square().sum()), float(x.min()), float(x.max()))
    return np.array(numbers, np.float64)


def compare_summary(case: Case, name: str, values: Tensor) -> None:
    """Sums of values of both signs are compared in the size of their terms."""
    golden, ours = case.arrays[name], summary(values)
    scale = np.sqrt(golden[0] * golden[2])
    ours[1] = golden[1] + (ours[1] - golden[1]) * abs(golden[1]) / max(scale, abs(golden[1]))
    case.compare(name, ours, rtol=10 * SUMMARY, atol=MAPS)


def set_nodes(grid: Tensor) -> np.ndarray:
    return np.flatnonzero(grid.numpy().ravel()).astype(np.int32)


@check("list", "gcn_layer")
def gcn_layer(case: Case) -> None:
    config = case.manifest["config"]
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
            case.compare(f"level{number + 1}", levels[-1], atol=LAYER)


@check("list", "tree_decoder")
def tree_decoder(case: Case) -> None:
    config = case.manifest["config"]
    net = filled(TreeDecoder(config["features"], config["degrees"], config["support"]), case, "point_decoder.")
    with torch.no_grad():
        levels = net.levels(case.tensor("featvec"))
    for number, level in enumerate(levels[1:-1], start=1):
        golden = case.arrays[f"level{number}"]
        case.compare(f"level{number}", level[..., :: level.shape[2] // golden.shape[2]], atol=LEVELS)
    case.compare("points", levels[-1], atol=TREE_POINTS)


@check("list", "image_encoder")
def image_encoder(case: Case) -> None:
    net = filled(ImageEncoder(), case, "image_encoder.")
    for name in [name.removesuffix("_image_u8") for name in case.arrays if name.endswith("_image_u8")]:
        with torch.no_grad():
            vector, maps = net.look(picture(case, f"{name}_image_u8"))
        case.compare(f"{name}_featvec", vector, atol=MAPS)
        for number, found in enumerate(maps):
            label = f"{name}_map{number}"
            step = max(1, found.shape[3] // 14)
            case.compare(f"{label}_shape", np.array(found.shape))
            case.compare(f"{label}_sub", found[:, ::16, ::step, ::step], atol=MAPS)
            compare_summary(case, f"{label}_summary", found)


@check("list", "coarsenet")
def coarsenet(case: Case) -> None:
    net = filled(CoarseNet(published_config("shapenet")), case)
    with torch.no_grad():
        vector, _ = net.image_encoder.look(picture(case, "image_u8"))
        case.compare("featvec", vector, atol=MAPS)
        case.compare("points", net(picture(case, "image_u8")), atol=CLOUD)


@check("list", "localisation")
def localisation(case: Case) -> None:
    reader = filled(PointMlp(), case, "point_mlp_coarse.")
    vector = case.tensor("featvec2")
    head = filled(localiser(512 + vector.shape[1]), case, "spatial_transformer.")
    with torch.no_grad():
        each = reader.each(case.tensor("points"))
        case.compare("per_point_first16", each[:, :, : case.arrays["per_point_first16"].shape[2]], atol=2e-5)
        features = reader(case.tensor("points"))
        case.compare("feat_coarse", features, atol=2e-5)
        matrix = head(torch.cat((features, vector), 1)).unflatten(1, (4, 3))
    case.compare("trans_mat", matrix, atol=1e-5, rtol=1e-5)


@check("list", "perceptual_pooling")
def perceptual_pooling(case: Case) -> None:
    side = Network().map_side
    maps = [case.tensor(f"map{number}") for number in range(5)]
    pixels = project(case.tensor("query"), case.tensor("trans_mat"))
    case.compare("uv", pixels.clamp(0, side - 1), atol=1e-4)
    case.compare("out", pooled(maps, case.tensor("uv"), side), atol=POOLED)
    corners = project(case.tensor("corner_query"), case.tensor("corner_mat"))
    case.compare("corner_out", pooled([each[:1] for each in maps], corners, side), atol=POOLED)


@check("list", "occupancy")
def voxels(case: Case) -> None:
    points = case.tensor("points")
    for name in [name for name in case.arrays if name.startswith("occ")]:
        nodes, number = (int(word) for word in name.removeprefix("occ").split("_"))
        case.compare(name, set_nodes(occupancy(points, nodes)[number]))
        case.compare(f"idx{nodes}_{number}", node_index(points, nodes)[number].int())


@check("list", "voxel_encoder")
def voxel_encoder(case: Case) -> None:
    names = sorted(name for name in case.arrays if name.startswith("occ_idx"))
    nodes = int(case.arrays["feat0_shape"][-1])
    net = filled(VolumeEncoder(Network().volume_channels), case, "vox_encoder.")
    with torch.no_grad():
        found = net(torch.stack([grid_of(case.array(name), nodes) for name in names]))
    for number, volume in enumerate(found):
        case.compare(f"feat{number}_shape", np.array(volume.shape))
        step, some = max(1, volume.shape[2] // 8), max(1, volume.shape[1] // 16)
        case.compare(f"feat{number}_sub", volume[:, ::some, ::step, ::step, ::step], atol=VOLUMES)
        compare_summary(case, f"feat{number}_summary", volume)


def grid_of(index: np.ndarray, nodes: int) -> Tensor:
    grid = torch.zeros(nodes**3)
    grid[torch.from_numpy(index).long()] = 1
    return grid.unflatten(0, (nodes, nodes, nodes))


@check("list", "sdf_decoder")
def sdf_decoder(case: Case) -> None:
    config = case.manifest["config"]
    volumes = [case.tensor(f"vox{number}") for number in range(3)]
    net = filled(SdfDecoder(config["feature_size"], config["h_dim"]), case, "sdf_decoder.")
    query = case.tensor("query")
    case.compare("offsets", net.offsets, atol=1e-7)
    with torch.no_grad():
        case.compare("gathered", gathered(volumes, query, net.offsets), atol=DECODED)
        case.compare("sdf", net(volumes, case.tensor("percep"), query), atol=DECODED)


def list_config(case: Case) -> ListConfig:
    config = published_config("shapenet")
    return replace(config, network=replace(config.network, volume_nodes=case.manifest["config"]["vox_res"]))


@check("list", "list_forward")
def list_forward(case: Case) -> None:
    """Stage by stage: the cloud first, then the rest from the golden cloud, so that no voxel can flip."""
    config = list_config(case)
    net = filled(ListNet(config), case)
    nodes, query = config.network.volume_nodes, case.tensor("query")
    with torch.no_grad():
        vector, _ = net.im_encoder.look(picture(case, "image_u8"))
        case.compare("featvec1", vector, atol=VECTOR)
        case.compare("points", net.point_decoder(vector), atol=1e-5)
        case.compare("featvec2", net.im_encoder2.look(picture(case, "image_u8"))[0], atol=VECTOR)
        cloud = torch.from_numpy(case.arrays["points"])
        seen = net.see(picture(case, "image_u8"), cloud=cloud)
        case.compare("feat_coarse", seen.features, atol=VECTOR)
        case.compare("trans_mat", seen.matrix, atol=MATRIX)
        for number in range(len(cloud)):
            case.compare(f"occ_idx{number}", set_nodes(seen.grid[number]))
        pixels = project(query.flip(-1) * 2, seen.matrix)
        case.compare("uv", pixels, atol=PIXELS, rtol=1e-5)
        local = pooled(seen.maps, pixels, config.network.map_side)
        golden = case.arrays["percep_sub"]
        case.compare("percep_sub", local[:, :: local.shape[1] // golden.shape[1]], atol=MAPS)
        compare_all(case, "vox", seen.volumes)
        compare_all(case, "map", seen.maps)
        probability = seen.volumes[0][:, 0]
        for name in [name for name in ("occ_prob", "occ_prob_sub") if name in case]:
            step = nodes // case.arrays[name].shape[1]
            case.compare(name, probability[:, ::step, ::step, ::step], atol=MAPS)
        case.compare("sdf", net.distances(seen, query), atol=DISTANCES[nodes])
        if "given_mat" in case:
            given = net.see(picture(case, "image_u8"), case.tensor("given_mat"), cloud=cloud)
            case.compare("sdf_given_mat", net.distances(given, query), atol=DISTANCES[nodes])


def compare_all(case: Case, prefix: str, found: Sequence[Tensor]) -> None:
    for number, values in enumerate(found):
        compare_summary(case, f"{prefix}{number}_summary", values)
