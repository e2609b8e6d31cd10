"""PoF3D's sampling program against its golden case: the grid, the volume and the mesh of a shape."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check

from monoform.mesh import Mesh, report
from monoform.methods.pof3d.model import Pof3dGenerator
from monoform.methods.pof3d.published import read_published
from monoform.methods.pof3d.published_samples import published_latent
from monoform.methods.pof3d.published_shapes import (
    BORDER,
    LEVEL,
    OUTSIDE,
    angles,
    ply_header,
    sheared_grid,
    surface_of,
    volume_of,
    write_mrc,
    write_ply,
)

SAME = 1e-4  # share of the area by which surfaces of other triangles may differ


@check("pof3d", "shape_export")
def shape_export(case: Case) -> None:
    """What the files hold, read back from them."""
    config, side = case.config, case.config["resolution"]
    assert config["border"] == OUTSIDE and config["script_level"] == LEVEL, "config.border, config.script_level"
    assert config["border_voxels"] == int(BORDER * side), "config.border_voxels"
    for box in config["box_warps"]:
        name = f"{box:.1f}".replace(".", "p")
        points, (corner, voxel) = sheared_grid(side, box)
        case.compare(f"grid_{name}", points)
        case.compare(f"voxel_{name}", np.append(corner, voxel))
    z = case.tensor("z")
    for number, seed in enumerate(case.manifest["seeds"].get("z", {}).get("seeds", ())):
        assert torch.equal(published_latent(seed, z.shape[1]), z[number]), "seeds.z"
    net = network_of(case)
    with torch.no_grad():
        mapped = net.map(z, truncation=config["truncation_psi"])
        planes = net.planes(mapped.ws, noise=config["noise_mode"])
        sigma, volume = volume_of(lambda points: net.density(points[None], planes)[0], side, net.config.rays.box)
    case.compare("cam_pose", mapped.pose)
    case.compare("reported_angles", angles(mapped.pose))
    case.compare("sigma_points", sigma)
    level = config["level"]
    assert level == case.manifest["level"], "level"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seed0000.mrc"
        write_mrc(file, volume)
        case.compare("mrc_volume", np.frombuffer(file.read_bytes()[1024:], "<f4").reshape((side,) * 3))
        mesh = file.with_suffix(".ply")
        write_ply(mesh, *surface_of(volume, level))
        lines = mesh.read_bytes().partition(b"\nend_header\n")[0].decode().split("\n")
        found = Mesh.load(mesh)
    golden, faces = case.arrays["ply_vertices"], case.arrays["ply_faces"]
    assert lines == ply_header(len(found.vertices), len(found.faces))
    assert list(case.manifest["ply_header"]) == ply_header(len(golden), len(faces)), "ply_header"
    ways = [float(cKDTree(a).query(b)[0].max()) for a, b in ((found.vertices, golden), (golden, found.vertices))]
    case.compare_within("ply_vertices", max(ways), case.limit("ply_vertices", "abs"))
    area = report(Mesh(golden.astype(np.float64), faces.astype(np.int64))).area
    case.compare_within("ply_faces", abs(report(found).area / area - 1), SAME)


def network_of(case: Case) -> Pof3dGenerator:
    """The generator of the snapshot that lies in the case which is named."""
    named = re.fullmatch(r"G_ema of case (\w+)", case.config["network"])
    assert named is not None and case.config["network"] == case.manifest["network"], "config.network"
    folder = case.folder.parent / named[1]
    content = json.loads((folder / "manifest.json").read_text())
    return read_published(folder / content["file"])[0].generator
