"""Small data under the names that the tables of published jobs use."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import trimesh
from PIL import Image
from tests.data import posed_files_cases as cases
from tests.data.capture_cases import orbit_cameras, write_transforms
from tests.methods.pixelnerf import tiny

from monoform.methods.pixelnerf.config import Domain
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.methods.pixelnerf.published import PUBLISHED, published_config, write_published
from monoform.methods.pixelnerf.published_tree import published_from
from monoform.training import save_pretrained

DOMAINS = {
    "sn64": Domain(1.2, 4.0, 2.732, 1.866, 16, 16),
    "srn_car": Domain(height=16, width=16),
    "dtu": Domain(0.1, 5.0, 2.0, 1.0, 40, 56, 1.0),
}


def pixelnerf_place(root: Path) -> Path:
    """Data sets, weights, checkpoints and photos for pixelNeRF's jobs."""
    for split, names, views in (("test", ("a", "b"), 105), ("train", ("a", "b"), 4), ("val", ("a",), 4)):
        cases.write_srn(root / f"cars_{split}", names, views=views)
    lists = cases.write_dvr(root / "NMR_Dataset", "0001", ("a", "b")) / "0001"
    shutil.copy(lists / "softras_test.lst", lists / "gen_test.lst")
    (root / "src_dvr.txt").write_text("0001 a 2\n0001 b 0\n")
    write_dtu(root / "rs_dtu_4", ("scan1", "scan2", "scan3", "scan4"))
    for name, domain in DOMAINS.items():
        net = tiny.net_of(replace(tiny.config(), domain=domain))
        save_pretrained(net, net.config, root / "weights" / name, card="Tiny.")
    write_checkpoints(root)
    write_transforms_scenes(root / "scenes")
    (root / "MESHES").mkdir()
    trimesh.creation.box((1.0, 0.5, 0.7)).export(root / "MESHES" / "box.obj")
    rows, columns = np.mgrid[:60, :90]
    alpha = 255 * ((rows - 30) ** 2 + (columns - 45) ** 2 < 20**2)
    (root / "input").mkdir()
    pixels = np.dstack((np.full((60, 90, 3), (200, 60, 40)), alpha)).astype(np.uint8)
    Image.fromarray(pixels).save(root / "input" / "car.png")
    return root


def write_checkpoints(root: Path) -> None:
    """A published one of the published size, and the folder of a small training of the authors' program."""
    for name in ("srn_car", "mine"):
        (root / "checkpoints" / name).mkdir(parents=True)
    write_published(PixelNerfNet(published_config("srn_car")), root / "checkpoints/srn_car/pixel_nerf_latest")
    made = tiny.config(keep_unused_layers=True)
    net = PixelNerfNet(replace(made, domain=Domain(), compat=PUBLISHED))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
    sum(one.square().sum() for one in net.parameters()).backward()
    optimizer.step()
    mine = root / "checkpoints" / "mine"
    write_published(net, mine / "pixel_nerf_latest")
    torch.save(optimizer.state_dict(), mine / "_optim")
    torch.save({"iter": 4}, mine / "_iter")
    (root / "mine.conf").write_text(json.dumps(published_from(net.config) | {"data": {"format": "srn"}}))


def write_dtu(root: Path, scans: tuple[str, ...], *, views: int = 29) -> None:
    """Scans of gray pictures of 56 x 40 pixels."""
    intrinsics, scale = np.array([[60.0, 0, 28], [0, 60.0, 20], [0, 0, 1]]), np.diag([4.0, 4.0, 4.0, 1.0])
    arrays = {}
    for view, camera in enumerate(np.linalg.inv(cases.poses(views, 8.0).numpy())):
        projection = np.eye(4)
        projection[:3] = intrinsics @ camera[:3]
        arrays |= {f"world_mat_{view}": projection, f"scale_mat_{view}": scale}
    for scan in scans:
        (root / "DTU" / scan / "image").mkdir(parents=True)
        for view in range(views):
            picture = np.full((40, 56, 3), 4 * view, np.uint8)
            Image.fromarray(picture).save(root / "DTU" / scan / "image" / f"{view:06d}.png")
        np.savez(root / "DTU" / scan / "cameras.npz", **arrays)
    (root / "DTU" / "new_val.lst").write_text("\n".join(scans))


def write_transforms_scenes(root: Path) -> None:
    """Two captures."""
    for name in ("first", "second"):
        (root / name).mkdir(parents=True)
        write_transforms(root / name, orbit_cameras(9))
