"""PoF3D's files against their golden cases: photo sets, snapshots and shapes."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check
from torch.nn.functional import interpolate

from monoform.data.images import ImageSet, SetOptions, half_window_order, prepare_images
from monoform.data.images.open import open_source
from monoform.inputs.pickled_modules import PickledObject, read_pickled_modules, state_dict_of
from monoform.methods.pof3d.networks import Pof3dNetworks
from monoform.methods.pof3d.published import networks_of, read_published
from monoform.methods.pof3d.published_shapes import (
    BORDER,
    LEVEL,
    OUTSIDE,
    angles,
    ply_header,
    sheared_grid,
    surface_of,
    volume_of,
)
from monoform.render import RaySampleNoise


def image_set(case: Case, name: str) -> ImageSet:
    """The case's set as one of the readers of the manifest has it."""
    asked = case.config["readers"][name]
    return ImageSet(
        case.file(asked["file"]),
        resolution=asked.get("resolution"),
        use_labels=asked.get("use_labels", True),
        label_fov=asked.get("create_label_fov"),
        fit="pad" if asked.get("pad_long") else None,
        max_size=asked.get("max_size"),
        seed=asked.get("random_seed", 0),
        mirrored=asked.get("xflip", False),
    )


def labelled_source(case: Case, folder: Path) -> Path:
    """The case's photos with the labels of the set that was made of them."""
    config, place = case.config, folder / "source"
    (unlabelled,) = {each["file"] for each in config["readers"].values() if "create_label_fov" in each}
    (labelled,) = {each["file"] for each in config["readers"].values() if "create_label_fov" not in each}
    with zipfile.ZipFile(case.file(unlabelled)) as archive:
        archive.extractall(place)
    with zipfile.ZipFile(case.file(labelled)) as archive:
        found = [label for _, label in json.loads(archive.read("dataset.json"))["labels"]]
    labels = list(zip(open_source(place).names, found, strict=False))
    (place / "dataset.json").write_text(json.dumps({"labels": labels}))
    return place


def compare_with_tool(case: Case) -> None:
    """What `prepare images` makes of the photos is the published tool's archive."""
    tool = case.config["tool"]
    width, height = tool.get("resolution") or (None, None)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set.zip"
        options = SetOptions(tool["transform"] or "stretch", width, height, tool.get("max_images"))
        prepare_images(labelled_source(case, Path(folder)), out, options)
        with zipfile.ZipFile(out) as archive:
            members = [[each.filename, each.file_size, each.compress_type] for each in archive.infolist()]
        assert members == case.manifest["zip_members"], "zip_members"
        images = ImageSet(out)
        for name, asked in case.config["readers"].items():
            if "create_label_fov" not in asked and asked["resolution"] == images.resolution:
                pixels = np.stack([images.image(number) for number in range(len(images))])
                case.compare(f"{name}_images", pixels.transpose(0, 3, 1, 2))
                case.compare(f"{name}_labels", np.stack([images.label(number) for number in range(len(images))]))


@check("pof3d", "dataset")
def dataset(case: Case) -> None:
    compare_with_tool(case)
    deviation = None
    for name in case.config["readers"]:
        images, said = image_set(case, name), case.manifest[name]
        assert images.source.names == said["names"], name
        assert len(images) == said["length"] and images.resolution == said["resolution"], name
        assert images.has_labels == said["has_labels"] and images.label_size == said["label_dim"], name
        pixels = np.stack([images.image(number) for number in range(len(images))])
        case.compare(f"{name}_images", pixels.transpose(0, 3, 1, 2))
        case.compare(f"{name}_labels", np.stack([images.label(number) for number in range(len(images))]))
        if f"{name}_raw_index" in case:
            case.compare(f"{name}_raw_index", images.chosen)
        deviation = images.label_deviation() if deviation is None else deviation
    case.compare("label_std", deviation)
    for name, asked in case.config["sampler"].items():
        asked = dict(asked)
        assert asked["seed"] == case.manifest["seeds"][name], f"seeds.{name} is not config.sampler.{name}.seed"
        first = asked.pop("first")
        case.compare(name, np.array(list(islice(half_window_order(asked.pop("size"), **asked), first))))


@check("pof3d", "snapshot_pickle")
def snapshot_pickle(case: Case) -> None:
    """The file's tensors and arguments are the manifest's; networks made of them give the published numbers."""
    config = case.config
    config.one_of("mode", "eval")
    content = read_pickled_modules(case.file(config["file"]), "give another")
    networks = {name: part for name, part in content.items() if isinstance(part, PickledObject)}
    assert ("IR" in content) == config["geod"], "config.geod"
    compare_content(case, content, networks)
    nets, found = networks_of(content, config["file"])
    side = config["neural_rendering_resolution"]
    assert found.generator.rays.raw_resolution == side
    label = case.tensor("label")
    with torch.no_grad():
        mapped = nets.generator.map(case.tensor("z"), config["truncation_psi"])
        case.compare("w", mapped.ws[:, 0])
        case.compare("cam_pose", mapped.pose)
        rays, shape = found.generator.rays, (len(label), side**2)
        empty = torch.zeros(*shape, 0)
        jitter, levels = case.tensor("jitter").reshape(*shape, rays.coarse), empty
        if rays.fine:
            levels = case.tensor("u").reshape(*shape, rays.fine)
        made = nets.generator.synthesize(
            mapped.ws,
            nets.generator.cameras(mapped.pose)[0],
            label[:, 16:].reshape(-1, 3, 3),
            noise=config["noise_mode"],
            draws=RaySampleNoise(jitter, levels, empty, empty),
        )
        case.compare("image", made.image)
        case.compare("image_depth", made.depth)
        small = case.tensor("d_image")
        image = interpolate(small, scale_factor=config["d_image_upsampling"], mode="bilinear", align_corners=False)
        assert nets.discriminator is not None
        case.compare("d_cam", nets.discriminator.predict_pose(image, small))


def compare_content(case: Case, content: dict[str, Any], networks: dict[str, PickledObject]) -> None:
    """Bit for bit, where the manifest tells an exact tolerance."""
    assert case.tolerance("tensors").get("exact"), "tolerances.tensors"
    wanted = fill_state(case.manifest)
    filled = {name: part for name, part in networks.items() if any(key.startswith(f"{name}.") for key in wanted)}
    assert {"G", "D", "G_ema"} <= set(filled), "tensors of manifest.json"
    state = {f"{name}.{key}": value for name, part in filled.items() for key, value in state_dict_of(part).items()}
    assert set(state) == set(wanted), "tensors of manifest.json"
    for name, values in wanted.items():
        assert str(state[name].dtype) == f"torch.{values.dtype}", name
        np.testing.assert_array_equal(state[name].numpy(), values, err_msg=name)
    assert content["training_set_kwargs"] == case.manifest["training_set_kwargs"], "training_set_kwargs"
    for name in ("G_ema", "D"):
        assert networks[name]["_init_kwargs"] == case.manifest[f"{name}_init_kwargs"], f"{name}_init_kwargs"


@check("pof3d", "shape_export")
def shape_export(case: Case) -> None:
    """The shape of one latent of another case's network, in the files of the sampling script."""
    config = case.config
    nets = named_network(case)
    seeds, z = case.manifest["seeds"]["z"], case.tensor("z")
    seeds.one_of("kind", "numpy RandomState")
    for row, seed in zip(z, seeds["seeds"], strict=True):
        drawn = np.random.RandomState(seed).randn(len(row)).astype(np.float32)
        torch.testing.assert_close(row, torch.from_numpy(drawn))
    assert (config["border"], config["script_level"]) == (OUTSIDE, LEVEL)
    side = config["resolution"]
    assert int(BORDER * side) == config["border_voxels"], "config.border_voxels"
    for box in config["box_warps"]:
        name = f"{float(box)}".replace(".", "p")
        points, (corner, voxel) = sheared_grid(side, box)
        case.compare(f"grid_{name}", points)
        case.compare(f"voxel_{name}", np.array([*corner, voxel]))
    with torch.no_grad():
        mapped = nets.generator.map(z, config["truncation_psi"])
        planes = nets.generator.planes(mapped.ws, noise=config["noise_mode"])
    case.compare("cam_pose", mapped.pose)
    case.compare("reported_angles", angles(mapped.pose))
    box = nets.generator.config.rays.box
    found, volume = volume_of(lambda points: nets.generator.density(points[None], planes)[0], side, box)
    case.compare("sigma_points", found)
    case.compare("mrc_volume", volume)
    # Where the density hardly changes a vertex moves far for its last bit: the surface is that of the case's volume.
    vertices, faces = surface_of(case.arrays["mrc_volume"], config["level"])
    compare_surfaces(case, vertices, faces)
    assert ply_header(len(vertices), len(faces)) == case.manifest["ply_header"], "ply_header"


def named_network(case: Case) -> Pof3dNetworks:
    """The networks of the case beside this one that the manifest names."""
    name = re.fullmatch(r"G_ema of case (\w+)", case.config["network"])
    assert name, f"config.network is {case.config['network']!r}, which is not known here"
    other = Case.load(case.folder.parent / name[1])
    return read_published(other.file(other.config["file"]))[0]


def compare_surfaces(case: Case, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Vertices as a set, and faces by the surface that they make, each way."""
    golden, limit = case.arrays["ply_vertices"], case.limit("ply_vertices", "abs")
    assert case.tolerance("ply_faces").get("surface"), "tolerances.ply_faces"
    for name, ours, theirs in (
        ("ply_vertices", vertices, golden),
        ("ply_faces", vertices[faces].mean(1), golden[case.arrays["ply_faces"]].mean(1)),
    ):
        away = max(cKDTree(one).query(other)[0].max() for one, other in ((ours, theirs), (theirs, ours)))
        case.compare_within(name, float(away), limit)
