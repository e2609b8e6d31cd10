"""Reconstruct a folder of photos; check every result from its files alone; print where the time goes.

    python benchmarks/photos.py PHOTOS --out OUT [--masked]

PHOTOS holds NAME.jpg and, for some, NAME_mask.png or NAME_predmask.png. With --masked only those are taken, with
their masks. The IoU of mesh against mask is computed by casting rays from camera.json at mesh.glb, without monoform. Of
each mesh the table tells the PSNR of its front against the photo inside the mask, its depth over its width as the
camera sees them, the area of its view from behind over that from the front, and the share of its surface that has less
than a tenth of the front's texels.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from monoform import Mesh
from monoform.app.contact import write_summary
from monoform.app.report import write_report
from monoform.camera import Camera, orbit
from monoform.jobs import ReconstructOptions
from monoform.jobs.batch import Item, Outcome, run
from monoform.jobs.reconstruct_options import DEFAULT_METHOD
from monoform.mesh.photo_atlas import facing_of
from monoform.mesh.texture import texel_density
from monoform.metrics import psnr
from monoform.render import render_mesh


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--masked", action="store_true", help="only photos with a mask, and with that mask")
    parser.add_argument("--method", default=DEFAULT_METHOD)
    parser.add_argument("--refine", type=int, help="steps of refinement, for methods that have it")
    asked = parser.parse_args()
    items = [
        item for path in sorted(asked.photos.glob("*.jpg")) for item in [item_of(path, asked.out, asked.masked)] if item
    ]
    overrides = {} if asked.refine is None else {"refine": asked.refine}
    options = ReconstructOptions(method=asked.method, overrides=overrides)
    outcomes = list(run(items, options, overwrite=True, finish=write_report))
    order = {item.folder.name: number for number, item in enumerate(items)}
    outcomes.sort(key=lambda outcome: order[outcome.name])
    write_summary(asked.out, [outcome.row() for outcome in outcomes])
    rows = [check(asked.out, asked.photos, outcome) for outcome in outcomes]
    print_table(rows)
    (asked.out / "benchmark.json").write_text(json.dumps(rows, indent=2))
    sys.exit(0 if all(row["status"] == "done" for row in rows) else 1)


def mask_of(photo: Path) -> Path | None:
    """The true mask beside a photo."""
    candidates = (photo.with_name(f"{photo.stem}{suffix}.png") for suffix in ("_mask", "_predmask"))
    return next((path for path in candidates if path.is_file()), None)


def item_of(photo: Path, out: Path, masked: bool) -> Item | None:
    """The photo as an item of the batch; None where it has no mask but needs one."""
    mask = mask_of(photo)
    if masked and mask is None:
        return None
    return Item(str(photo), out / photo.stem, str(mask) if masked else None)


def check(out: Path, photos: Path, outcome: Outcome) -> dict:
    """What the files of a result say."""
    row = {"name": outcome.name, "status": outcome.status, "message": outcome.message, "seconds": outcome.seconds}
    if outcome.status != "done":
        return row
    folder = out / outcome.name
    summary = json.loads((folder / "result.json").read_text())
    scene = trimesh.load(folder / "mesh.glb")
    mesh = scene.to_mesh() if hasattr(scene, "to_mesh") else scene
    used = Image.open(folder / "mask.png")
    row |= {
        "iou": mesh_against_mask(mesh, json.loads((folder / "camera.json").read_text()), np.asarray(used) > 127),
        "parts": summary["mesh"]["parts"],
        "finite": bool(np.isfinite(mesh.vertices).all()),
        "texture": list(texture_size(scene)),
        "timings": summary["timings"],
    }
    row |= shape_facts(
        Mesh.load(folder / "mesh.glb"), Camera.from_dict(json.loads((folder / "camera.json").read_text()))
    )
    row["front_psnr"] = front_psnr(folder)
    row["coarse"] = coarse_share(folder)
    row |= {key: summary["mesh"][key] for key in ("faces", "components", "watertight", "euler_number")}
    true = mask_of(photos / f"{outcome.name}.jpg")
    if true is not None:
        truth = np.asarray(Image.open(true).convert("L")) > 127
        found = np.asarray(used) > 127
        row["mask_iou"] = float((truth & found).sum() / (truth | found).sum())
    return row


def front_psnr(folder: Path) -> float:
    """PSNR in dB of the unlit mesh against the photo, where both the mask and the mesh are."""
    photo = np.asarray(Image.open(folder / "photo.jpg").convert("RGB"), np.float32) / 255
    height, width = photo.shape[:2]
    camera = Camera.from_dict(json.loads((folder / "camera.json").read_text()))
    if (camera.width, camera.height) != (width, height):  # photo.jpg is the working image, its crop scaled
        camera = camera.resized(width, height)
    seen = render_mesh(Mesh.load(folder / "mesh.glb"), camera, shading="texture")
    mask = np.asarray(Image.open(folder / "mask.png").resize((width, height))) > 127
    chosen = mask & seen.mask
    return float(psnr(seen.rgb[chosen][None], photo[chosen][None]))


def coarse_share(folder: Path) -> float:
    """Share of the surface with less than a tenth of the texels, by area, that the front has."""
    mesh = Mesh.load(folder / "mesh.glb")
    camera = Camera.from_dict(json.loads((folder / "camera.json").read_text()))
    density, areas = texel_density(mesh), mesh.face_areas
    front = facing_of(mesh.triangles.mean(axis=1), mesh.face_normals, camera) > 0.7
    return float(areas[density < 0.1 * np.median(density[front])].sum() / areas.sum())


def shape_facts(mesh: Mesh, camera: Camera) -> dict[str, float]:
    """Depth over width in the camera's frame, and the area seen from behind over that from the front."""
    pose = camera.world_from_camera[0].double().numpy()
    extent = np.ptp(mesh.vertices @ pose[:3, :3], axis=0)
    views = orbit(2, elevation=0.0, distance=3.0, fov_y=0.5, width=128, height=128)
    areas = [float(render_mesh(mesh, views[index]).mask.mean()) for index in range(2)]
    return {"depth_over_width": float(extent[2] / extent[0]), "back_over_front": areas[1] / areas[0]}


def texture_size(scene: trimesh.Scene | trimesh.Trimesh) -> tuple[int, int]:
    """Width and height of the one texture of a GLB."""
    geometry = next(iter(scene.geometry.values())) if isinstance(scene, trimesh.Scene) else scene
    return geometry.visual.material.baseColorTexture.size


def mesh_against_mask(mesh: trimesh.Trimesh, camera: dict, mask: np.ndarray) -> float:
    """IoU of the photo's mask and the silhouette that the stored camera sees of the stored mesh."""
    step = max(1, round(max(mask.shape) / 1024))
    rows, columns = np.mgrid[0 : camera["height"] : step, 0 : camera["width"] : step]
    pixels = np.stack([columns + 0.5, rows + 0.5, np.ones(rows.shape)], -1).reshape(-1, 3)
    pose, intrinsics = np.array(camera["world_from_camera"]), np.array(camera["intrinsics"])
    directions = pixels @ np.linalg.inv(intrinsics).T @ pose[:3, :3].T
    origins = np.broadcast_to(pose[:3, 3], directions.shape)
    hit = mesh.ray.intersects_any(origins, directions).reshape(rows.shape)
    wanted = mask[rows, columns]
    return float((hit & wanted).sum() / (hit | wanted).sum())


def print_table(rows: list[dict]) -> None:
    """A line for each photo, then medians and extremes, then the mean time of each step."""
    print(
        f"{'photo':24} {'status':7} {'s':>6} {'overlay':>8} {'mask':>6} {'faces':>6} {'comp':>4} {'parts':>5} "
        f"{'PSNR':>5} {'d/w':>5} {'back':>5} {'coarse':>6} closed"
    )
    for row in rows:
        if row["status"] != "done":
            print(f"{row['name']:24} {row['status']:7} {row['seconds']:6.1f} {row['message']}")
            continue
        known = f"{row['mask_iou']:6.3f}" if "mask_iou" in row else "     -"
        print(
            f"{row['name']:24} {row['status']:7} {row['seconds']:6.1f} {row['iou']:8.4f} {known} {row['faces']:6d} "
            f"{row['components']:4d} {row['parts']:5d} {row['front_psnr']:5.1f} {row['depth_over_width']:5.2f} "
            f"{row['back_over_front']:5.2f} {row['coarse']:6.1%} {row['watertight']}"
        )
    done = [row for row in rows if row["status"] == "done"]
    if not done:
        return
    ious = [row["iou"] for row in done]
    masks = [row["mask_iou"] for row in done if "mask_iou" in row]
    print(
        f"\n{len(done)} of {len(rows)} photos; mesh against mask (IoU): median {statistics.median(ious):.4f}, "
        f"worst {min(ious):.4f}"
    )
    fronts = [row["front_psnr"] for row in done]
    print(f"front PSNR median {statistics.median(fronts):.1f} dB, worst {min(fronts):.1f} dB")
    coarse = [row["coarse"] for row in done]
    print(
        f"surface below a tenth of the front's texels: median {statistics.median(coarse):.1%}, worst {max(coarse):.1%}"
    )
    if masks:
        print(f"mask IoU, {len(masks)} true masks: mean {statistics.mean(masks):.3f}, worst {min(masks):.3f}")
    print("mean seconds of each step:")
    for step in done[0]["timings"]:
        print(f"  {step:10} {statistics.mean(row['timings'][step] for row in done):6.2f}")


if __name__ == "__main__":
    main()
