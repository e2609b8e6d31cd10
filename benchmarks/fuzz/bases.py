"""Small good inputs of every kind, and the command that takes each."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from monoform.camera import (
    Camera,
    colmap_from_cameras,
    look_at,
    quaternion_from_rotation,
    spherical_position,
    to_opengl,
    transforms_from_cameras,
    z_up_from_y_up,
)
from monoform.data import pack_meshes
from monoform.data.objects.sources import Source
from monoform.data.packs.labels import LabelOptions
from monoform.data.packs.pack import PackOptions
from monoform.data.packs.small import SmallOptions, shrink
from monoform.data.packs.views import ViewOptions
from monoform.jobs.reconstruct import reconstruct_to_folder
from monoform.jobs.reconstruct_options import ReconstructOptions
from monoform.mesh import Mesh
from monoform.methods.lift.config import LiftConfig
from monoform.methods.lift.model import LiftNet
from monoform.methods.nerf.frequency_config import FrequencyNetwork, NerfConfig
from monoform.methods.nerf.model import NerfNet
from monoform.methods.nerf.published import write_published
from monoform.methods.pixelnerf.config import Network, PixelNerfConfig, Sampling
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.training.weights import save_pretrained

SMALL = ["--frames", "0", "--resolution", "32", "--faces", "100", "--texture", "64"]
PHOTO_FORMATS = ("png", "jpg", "webp", "bmp", "tiff", "gif", "ppm")


@dataclass(frozen=True)
class Base:
    """write: puts a good input into a folder. words: of the command, with {in} and {out}. may_write: names of files
    that the command writes into the input itself."""

    write: Callable[[Path], None]
    words: tuple[tuple[str, ...], ...]
    may_write: tuple[str, ...] = ()


def cup(size: int = 48, *, alpha: bool = True) -> Image.Image:
    """A red ellipse, on nothing or on gray."""
    image = Image.new("RGBA", (size, size), (0, 0, 0, 0) if alpha else (120, 130, 140, 255))
    ImageDraw.Draw(image).ellipse((size // 4, size // 6, 3 * size // 4, 5 * size // 6), fill=(200, 40, 30, 255))
    return image


def bases() -> dict[str, list[Base]]:
    """By kind."""
    photo = ("reconstruct", "{in}/cup.png", "-o", "{out}", "--method", "inflate", *SMALL)
    convert = ("convert", "{in}/200000.tar", "-o", "{out}", "--method", "nerf", "--config", "blender")
    check = ("prepare", "check", "--data", "{in}")
    sdf = ("prepare", "sdf", "--data", "{in}", "-o", "{out}", "--workers", "1", "--points", "64", "--farthest", "16")
    lift = ("reconstruct", "{in}/cup.png", "-o", "{out}", "--refine", "0", "--set", "weights={in}/w", *SMALL)
    views = ("evaluate", "pixelnerf", "--data", "{in}/srn", "--weights", "{in}/w", "--sources", "0", "--quick")
    return {
        "photo": [Base(_photo(kind), ((*photo[:1], f"{{in}}/cup.{kind}", *photo[2:]),)) for kind in PHOTO_FORMATS],
        "mask": [Base(_masked, ((*photo, "--mask", "{in}/mask.png"),))],
        "capture": [Base(write, (check,)) for write in (_transforms, _blender, _llff, _colmap_text, _colmap_binary)],
        "data set": [Base(write, (check,)) for write in (_srn, _dvr, _two_object)],
        "result": [Base(_result, (("view", "{in}", "--print-only"), ("cite", "{in}")), ("report.html",))],
        "weights": [Base(_lift_weights, (lift,)), Base(_pixelnerf_weights, ((*views, "-o", "{out}"),))],
        "checkpoint": [Base(_checkpoint(True), (convert,)), Base(_checkpoint(False), (convert,))],
        "mesh": [Base(_mesh(kind), ((*sdf, "--voxels", "8"),)) for kind in ("glb", "obj", "ply", "stl")],
        "pack": [Base(_pack, (("PACK", "{in}"),)), Base(_small_pack, (("PACK", "{in}"),))],
    }


def _photo(kind: str) -> Callable[[Path], None]:
    def write(place: Path) -> None:
        cup(alpha=kind in ("png", "webp")).convert("RGBA" if kind in ("png", "webp") else "RGB").save(
            place / f"cup.{kind}"
        )

    return write


def _masked(place: Path) -> None:
    cup(alpha=False).convert("RGB").save(place / "cup.png")
    cup().getchannel("A").save(place / "mask.png")


def _cameras(count: int = 4, size: int = 16, distance: float = 2.0) -> list[Camera]:
    azimuth = torch.arange(count, dtype=torch.float64) * 1.6
    poses = look_at(spherical_position(azimuth, 0.3 * torch.sin(azimuth), distance)).float()
    matrix = torch.tensor([[1.6 * size, 0.0, 0.5 * size], [0.0, 1.6 * size, 0.5 * size], [0.0, 0.0, 1.0]])
    return [Camera(pose[None], matrix[None], size, size) for pose in poses]


def _pictures(folder: Path, names: Sequence[str], *, alpha: bool = False) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cup(16, alpha=alpha).convert("RGBA" if alpha else "RGB").save(folder / name)


def _transforms(place: Path) -> None:
    cameras = _cameras()
    names = [f"images/{number}.png" for number in range(len(cameras))]
    _pictures(place, names, alpha=True)
    content = transforms_from_cameras(list(zip(names, cameras, strict=True)))
    (place / "transforms.json").write_text(json.dumps(content))
    np.savez(place / "sparse_points.npz", xyz=np.random.default_rng(0).normal(size=(20, 3)))


def _blender(place: Path) -> None:
    for split in ("train", "test"):
        cameras = _cameras()
        names = [f"{split}/r_{number}" for number in range(len(cameras))]
        _pictures(place, [f"{name}.png" for name in names], alpha=True)
        content = transforms_from_cameras(list(zip(names, cameras, strict=True)))
        frames = [{key: frame[key] for key in ("file_path", "transform_matrix")} for frame in content["frames"]]
        (place / f"transforms_{split}.json").write_text(json.dumps({"camera_angle_x": 0.6, "frames": frames}))


def _llff(place: Path) -> None:
    cameras = _cameras()
    _pictures(place / "images", [f"{number}.png" for number in range(len(cameras))])
    rows = []
    for camera in cameras:
        right, up, back, center = to_opengl(camera.world_from_camera)[0, :3].double().numpy().T
        size = [camera.height, camera.width, float(camera.intrinsics[0, 0, 0])]
        rows.append([*np.stack((-up, right, back, center, size), axis=1).ravel(), 1.0, 3.0])
    np.save(place / "poses_bounds.npy", np.array(rows))


def _colmap_text(place: Path) -> None:
    cameras = _cameras()
    names = [f"{number}.png" for number in range(len(cameras))]
    _pictures(place / "images", names)
    folder = place / "sparse" / "0"
    folder.mkdir(parents=True)
    for name, text in zip(
        ("cameras", "images"), colmap_from_cameras(list(zip(names, cameras, strict=True))), strict=True
    ):
        (folder / f"{name}.txt").write_text(text)
    (folder / "points3D.txt").write_text("".join(f"{n} 0.1 {n} 0.2 1 2 3 0.5 1 2\n" for n in range(9)))


def _colmap_binary(place: Path) -> None:
    cameras = _cameras()
    folder = place / "sparse" / "0"
    folder.mkdir(parents=True)
    _pictures(place / "images", [f"{number}.png" for number in range(len(cameras))])
    first, second = [struct.pack("<Q", len(cameras))], [struct.pack("<Q", len(cameras))]
    for number, camera in enumerate(cameras):
        size = camera.width
        first.append(struct.pack("<iiQQ4d", number, 1, size, size, 1.6 * size, 1.6 * size, size / 2, size / 2))
        motion = camera.camera_from_world[0].double()
        pose = [*quaternion_from_rotation(motion[:3, :3]).tolist(), *motion[:3, 3].tolist()]
        second.append(struct.pack("<i7di", number, *pose, number) + f"{number}.png\0".encode() + struct.pack("<Q", 0))
    points = [struct.pack("<Q3d3BdQii", n, 0.1, n, 0.2, 1, 2, 3, 0.5, 1, 4, 5) for n in range(9)]
    (folder / "cameras.bin").write_bytes(b"".join(first))
    (folder / "images.bin").write_bytes(b"".join(second))
    (folder / "points3D.bin").write_bytes(struct.pack("<Q", len(points)) + b"".join(points))


def _srn(place: Path) -> None:
    for split in ("train", "val", "test"):
        _srn_object(place / f"cars_{split}" / "one")


def _srn_object(folder: Path) -> None:
    cameras = _cameras(3, distance=1.3)
    _pictures(folder / "rgb", [f"{number:06d}.png" for number in range(3)])
    (folder / "pose").mkdir()
    (folder / "intrinsics.txt").write_text("25.6 8. 8. 0.\n0. 0. 0.\n1.\n16 16\n")
    for number, camera in enumerate(cameras):
        pose = z_up_from_y_up(camera.world_from_camera)[0]
        (folder / "pose" / f"{number:06d}.txt").write_text(" ".join(f"{x:.9g}" for x in pose.flatten().tolist()))


def _dvr(place: Path) -> None:
    folder = place / "02958343" / "one"
    _pictures(folder / "image", [f"{number:04d}.png" for number in range(3)])
    _pictures(folder / "mask", [f"{number:04d}.png" for number in range(3)])
    arrays = {}
    for number, camera in enumerate(_cameras(3, distance=2.5)):
        arrays[f"world_mat_{number}"] = camera.camera_from_world[0, :3].numpy()
        arrays[f"camera_mat_{number}"] = np.diag([3.0, 3.0, 1.0, 1.0])
    np.savez(folder / "cameras.npz", **arrays)
    for split in ("train", "val", "test"):
        (place / "02958343" / f"softras_{split}.lst").write_text("one\n")


def _two_object(place: Path) -> None:
    for split in ("train", "val", "test"):
        folder = place / split / "one"
        folder.mkdir(parents=True)
        cameras = _cameras(3, distance=6.0)
        names = [f"view_{number}" for number in range(3)]
        _pictures(folder, [f"{name}_obj.png" for name in names], alpha=True)
        content = transforms_from_cameras(list(zip(names, cameras, strict=True)))
        frames = [{key: frame[key] for key in ("file_path", "transform_matrix")} for frame in content["frames"]]
        (folder / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.7, "frames": frames}))


def _result(place: Path) -> None:
    options = ReconstructOptions(method="inflate", frames=0, resolution=32, faces=100, texture=64)
    place.rmdir()
    reconstruct_to_folder(cup(), place, options=options)


def _lift_weights(place: Path) -> None:
    cup().save(place / "cup.png")
    config = LiftConfig(image_size=32, channels=(8, 8, 8, 8), attention=1, heads=2)
    torch.manual_seed(0)
    save_pretrained(LiftNet(config), config, place / "w", card="made by rule")


def _pixelnerf_weights(place: Path) -> None:
    _srn_object(place / "srn" / "cars_test" / "one")
    network = Network(backbone="resnet18", maps=1, first_pool=False, width=8, blocks=1, pooled_block=1)
    config = PixelNerfConfig(network=network, sampling=Sampling(4, 2, 1))
    torch.manual_seed(0)
    save_pretrained(PixelNerfNet(config), config, place / "w", card="made by rule")


def _checkpoint(new: bool) -> Callable[[Path], None]:
    def write(place: Path) -> None:
        torch.manual_seed(0)
        net = NerfNet(NerfConfig(network=FrequencyNetwork(2, 1, depth=6, width=4)))
        write_published(net, place / "200000.tar")
        content = torch.load(place / "200000.tar", weights_only=True) | {"loss": np.mean([1.0, 2.0])}
        torch.save(content, place / "200000.tar", _use_new_zipfile_serialization=new)

    return write


def _mesh(kind: str) -> Callable[[Path], None]:
    def write(place: Path) -> None:
        corners = np.array([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)])
        faces = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6]]
        faces += [[0, 6, 4], [1, 5, 7], [1, 7, 3]]
        texture = np.tile(np.arange(64, dtype=np.uint8).reshape(8, 8, 1), (1, 1, 3))
        Mesh(corners, np.array(faces), uv=corners[:, :2].copy(), texture=texture).export(place / f"box.{kind}")

    return write


def _pack(place: Path) -> None:
    options = PackOptions(ViewOptions(2, 16, 1), LabelOptions(points=64, surface=32, voxels=32))
    place.rmdir()
    pack_meshes([Source("mug1"), Source("mug2")], place, options, workers=1)


def _small_pack(place: Path) -> None:
    full = place.with_name(f"{place.name}-full")
    full.mkdir()
    _pack(full)
    place.rmdir()
    shrink(full, place, SmallOptions(2, 16, 75, 32, 16, maps=True))
