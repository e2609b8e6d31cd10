"""Depth and normals of the photo: where they come from, and what the fit makes of them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.methods.realfusion.tiny_realfusion import NETWORK, ball, ball_field, options, prior, view

from monoform import Photo
from monoform.errors import InputError
from monoform.jobs.reconstruct import reconstruct_to_folder
from monoform.jobs.reconstruct_options import ReconstructOptions
from monoform.methods.realfusion.fit_options import Weights
from monoform.methods.realfusion.infer import RealFusion
from monoform.methods.realfusion.model import RealFusionField
from monoform.methods.realfusion.photo_maps import with_maps
from monoform.methods.realfusion.photo_square import PhotoSquare, cut_square
from monoform.methods.realfusion.placed import PlacedField
from monoform.methods.realfusion.rendering import Seen
from monoform.methods.realfusion.steps import PhotoRays, Terms, add_photo_terms
from monoform.methods.realfusion.task import FitTask

SIDE = 48


def square_of(photo: Photo, *, mirrored: bool = False) -> PhotoSquare:
    asked = options(network=replace(NETWORK, mirrored=mirrored))
    return cut_square(photo, None, asked, asked.margin)


def half(square: PhotoSquare) -> float:
    """Tangent of half the field of view."""
    return math.tan(math.radians(0.5 * square.fov))


def sphere(square: PhotoSquare, size: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Depth along z and camera-axis normals of the ball whose outline is the disc of `ball`, by intersection."""
    focal = 0.5 * square.window[2] / half(square) / SIDE * size
    rows, columns = (np.mgrid[0:size, 0:size] + 0.5 - 0.5 * size) / focal
    along = np.stack((columns, rows, np.ones_like(rows)), axis=-1)
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    far = float(square.pose[:3, 3].norm())
    radius = far * math.sin(math.atan(0.3 * size / focal))
    middle = far * along[..., 2]
    distance = middle - np.sqrt(np.maximum(middle**2 - far**2 + radius**2, 0.0))
    normals = distance[..., None] * along - np.array([0.0, 0.0, far])
    return distance * along[..., 2], normals / np.linalg.norm(normals, axis=-1, keepdims=True)


class Sphere(RealFusionField):
    """A ball with a firm surface in an empty box."""

    radius = 0.0

    def blob(self, points: torch.Tensor) -> torch.Tensor:
        return (100.0 * (self.radius - points.norm(dim=-1)) + 4.6).clamp(-15.0, 12.0)


def told(square: PhotoSquare, mirrored: bool = False) -> dict[str, float]:
    """Losses of the ball that the photo shows, for all that is known of the photo."""
    network = replace(NETWORK, mirrored=mirrored, steps=256)
    torch.manual_seed(0)
    field = Sphere(network)
    field.encoder.embeddings.data.zero_()
    field.radius = float(square.pose[:3, 3].norm()) * math.sin(math.atan(0.6 * SIDE / square.window[2] * half(square)))
    field.occupancy.update(field.density)
    task = FitTask(field, square, options(network=network))
    generator = torch.Generator().manual_seed(1)
    _, values = task._photo(task.batch(0, generator), 0, generator)
    return {name: float(value) for name, value in values.items()}


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_ball_in_the_field_agrees_with_the_depth_and_the_normals_of_a_sphere(tmp_path: Path, mirrored: bool) -> None:
    photo = Photo.open(ball())
    square = square_of(photo, mirrored=mirrored)
    depth, normals = sphere(square)
    np.save(tmp_path / "d.npy", 7.0 * depth - 3.0)
    np.save(tmp_path / "n.npy", normals)
    right = told(with_maps(square, photo, str(tmp_path / "d.npy"), str(tmp_path / "n.npy")), mirrored)
    np.save(tmp_path / "d.npy", -depth)
    np.save(tmp_path / "n.npy", normals * [-1.0, 1.0, 1.0])
    wrong = told(with_maps(square, photo, str(tmp_path / "d.npy"), str(tmp_path / "n.npy")), mirrored)
    assert right["depth"] < 0.05 and wrong["depth"] > 0.95
    assert right["normal"] < 0.05 and wrong["normal"] > 0.15
    assert not {"depth", "normal"} & told(square, mirrored).keys()


def test_depth_is_compared_along_the_viewing_axis() -> None:
    x = torch.linspace(-0.6, 0.6, 25)
    directions = torch.nn.functional.normalize(torch.stack((x, torch.zeros(25), torch.ones(25)), dim=1), dim=1)
    z = 2.0 / (1.0 - 0.1 * x)  # the plane z = 2 + 0.1 x
    distance, alpha = z / directions[:, 2], torch.full((25,), 0.5)
    none = torch.zeros(25, 3)
    seen = Seen(none, alpha, alpha * distance, alpha, none, alpha > 0)
    terms = Terms(options(), 0)
    rays = PhotoRays(none, directions, none, torch.ones(25), depth=5.0 - 3.0 * (1.0 - z), slant=directions[:, 2])
    add_photo_terms(terms, seen, rays)
    assert float(terms.values["depth"]) < 1e-5


@pytest.mark.parametrize("name", ["depth", "normal"])
def test_each_loss_moves_the_density(tmp_path: Path, name: str) -> None:
    photo = Photo.open(ball())
    square = square_of(photo)
    depth, normals = sphere(square)
    files = {"depth": tmp_path / "d.npy", "normal": tmp_path / "n.npy"}
    np.save(files["depth"], -depth)
    np.save(files["normal"], normals * [-1.0, 1.0, 1.0])
    given = [str(files[each]) if each == name else None for each in files]
    square = with_maps(square, photo, *given)
    others = {"image": "0", "mask": "0", "depth": "0", "normal": "0"}
    field, asked = ball_field(), options()
    asked = options(losses=type(asked.losses)(**(others | {name: "1"})))
    task = FitTask(field, square, asked)
    optimizer = torch.optim.Adam(field.parameters(), 1e-2)
    losses = []
    for _ in range(8):
        generator = torch.Generator().manual_seed(1)
        total, values = task._photo(task.batch(0, generator), 0, generator)
        assert total.item() == pytest.approx(float(values[name]))
        losses.append(total.item())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert losses[-1] < 0.98 * losses[0]


def test_a_map_may_come_in_any_of_the_formats_and_of_half_the_size(tmp_path: Path) -> None:
    photo = Photo.open(ball())
    square = square_of(photo)
    depth, normals = sphere(square)
    np.save(tmp_path / "d.npy", depth)
    np.save(tmp_path / "n.npy", normals)
    np.savez(tmp_path / "d.npz", depth=depth, other=normals)
    np.savez(tmp_path / "n.npz", normals)
    levels = (depth - depth.min()) / (depth.max() - depth.min())
    Image.fromarray((levels * 65535).astype(np.uint16)).save(tmp_path / "d16.png")
    Image.fromarray((levels * 255).astype(np.uint8)).save(tmp_path / "d8.png")
    Image.fromarray(np.round((normals + 1) * 127.5).astype(np.uint8)).save(tmp_path / "n.png")
    half = sphere(square, SIDE // 2)
    np.save(tmp_path / "dhalf.npy", half[0])
    np.save(tmp_path / "nhalf.npy", half[1])
    first = with_maps(square, photo, str(tmp_path / "d.npy"), str(tmp_path / "n.npy"))
    assert first.depth is not None and first.normals is not None
    inside = square.alpha > 0.999
    for file, most in (("d.npz", 1e-6), ("d16.png", 1e-3), ("d8.png", 2e-2), ("dhalf.npy", 0.2)):
        found = with_maps(square, photo, str(tmp_path / file), None).depth
        assert found is not None and float((found - first.depth)[inside].abs().mean()) < most, file
    for file, most in (("n.npz", 1e-6), ("n.png", 1e-2), ("nhalf.npy", 0.1)):
        found = with_maps(square, photo, None, str(tmp_path / file)).normals
        assert found is not None and float((found - first.normals)[inside].abs().mean()) < most, file


def test_maps_that_do_not_serve_are_refused_in_a_sentence(tmp_path: Path) -> None:
    square = square_of(Photo.open(ball()))
    depth, normals = sphere(square)
    holed = depth.copy()
    holed[SIDE // 2, SIDE // 2] = np.nan
    colored = np.zeros((SIDE, SIDE, 3), np.uint8)
    colored[..., 0] = np.arange(SIDE)
    Image.fromarray(colored).save(tmp_path / "colored.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "broken.npy").write_bytes(b"no array")
    np.savez(tmp_path / "two.npz", a=depth, b=depth)
    arrays = {"holed": holed, "wide": depth[:30], "flat": depth * 0 + 2, "words": depth.astype(str), "n": normals}
    arrays |= {"long": 3 * normals, "back": -normals, "d": depth, "little": depth[:8, :8]}
    for name, values in arrays.items():
        np.save(tmp_path / f"{name}.npy", values)
    cases = [
        ("depth", "holed.npy", "holds NaN or infinite values on the object"),
        ("depth", "wide.npy", "is 48 x 30 pixels and the photo 48 x 48"),
        ("depth", "flat.npy", "has the depth 2 everywhere on the object"),
        ("depth", "words.npy", "a map has numbers"),
        ("depth", "n.npy", "a depth map is"),
        ("depth", "little.npy", "at least 16 x 16"),
        ("depth", "colored.png", "a depth map is"),
        ("depth", "broken.png", "is not an image"),
        ("depth", "broken.npy", "broken.npy"),
        ("depth", "two.npz", "holds 2 arrays and none is called depth"),
        ("depth", "missing.npy", "check the name"),
        ("normals", "d.npy", "a normal map is"),
        ("normals", "long.npy", "vectors of length 3 on the object"),
        ("normals", "back.npy", "point away from the viewer"),
    ]
    for option, file, sentence in cases:
        method = RealFusion(options(**{option: str(tmp_path / file)}), prior=prior())
        with pytest.raises(InputError, match=sentence):
            method.reconstruct([view()], generator=torch.Generator().manual_seed(3))
    with pytest.raises(InputError, match="nothing is fitted: leave out depth"):
        options(weights="somewhere", depth="d.npy")


def test_a_fit_with_maps_is_another_one_and_ones_of_no_weight_change_nothing(tmp_path: Path) -> None:
    depth, normals = sphere(square_of(Photo.open(ball())))
    np.save(tmp_path / "d.npy", depth)
    np.save(tmp_path / "n.npy", normals)
    files: dict[str, Any] = {"depth": str(tmp_path / "d.npy"), "normals": str(tmp_path / "n.npy")}
    nothing = Weights(depth="0", normal="0")
    made = {}
    given: dict[str, dict[str, Any]] = {"none": {}, "unweighted": files | {"losses": nothing}}
    for name, more in (given | {name: {name: file} for name, file in files.items()}).items():
        method = RealFusion(options(steps=6, **more), prior=prior())
        found = method.reconstruct([view()], generator=torch.Generator().manual_seed(3)).field
        assert isinstance(found, PlacedField)
        made[name] = found.net.encoder.embeddings.detach().clone()
    for name in ("depth", "normals"):
        assert float((made[name] - made["none"]).abs().max()) > 1e-4, name
    assert torch.allclose(made["unweighted"], made["none"], atol=1e-6)


def test_a_result_that_holds_the_map_is_not_replaced(tmp_path: Path) -> None:
    out, picture = tmp_path / "out", tmp_path / "ball.png"
    Image.fromarray(ball()).save(picture)
    reconstruct_to_folder(
        picture, out, options=ReconstructOptions(method="inflate", frames=0, faces=500, texture=64, resolution=32)
    )
    asked = ReconstructOptions(method="realfusion", overrides={"depth": str(out / "mask.png")})
    with pytest.raises(InputError, match=r"mask\.png, which is read here"):
        reconstruct_to_folder(picture, out, options=asked)
    assert (out / "mask.png").is_file()
