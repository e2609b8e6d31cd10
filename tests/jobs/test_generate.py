"""Samples of any generator: pictures from its cameras, films, labels, what fails alone."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from monoform import Camera, InputError
from monoform.jobs.generate import generate
from monoform.jobs.sample_films import write_interpolation, write_mixture
from monoform.jobs.sample_labels import write_data_set
from monoform.jobs.sample_pictures import GenerateOptions, sheet
from monoform.methods import Generator, MethodCard, Studio, Styles
from monoform.nn.analytic import Box, Fog, Sphere
from monoform.render.ray_renderer import FieldRenderer
from monoform.scene import Reconstruction

STUDIO = Studio(distance=2.0, fov_y=0.7, size=24, raw_size=12, elevation=0.0)
QUICK = GenerateOptions(method="fogs", faces=200, texture=64, resolution=32, frames=2, wobble=3)


class Fogs(Generator):
    """A ball of fog: its layers are radius, density and color; the latent's first number is the predicted azimuth."""

    config_class: ClassVar[type] = dict
    card: ClassVar[MethodCard] = MethodCard("fogs", "of the tests", "nothing", "", None, 0.0, ())
    studio = STUDIO

    def latent(self, generator: torch.Generator) -> Tensor:
        return torch.rand(4, generator=generator)

    def generate(self, latent: Tensor, *, generator: torch.Generator) -> Reconstruction:
        return self.of_styles(self.styles(latent), generator=generator)

    def styles(self, latent: Tensor) -> Styles:
        notices = ("High.",) if latent[0] > 0.7 else ()
        return Styles(latent[1:, None], pose=latent[:1], notices=notices)

    def of_styles(self, styles: Styles, *, generator: torch.Generator) -> Reconstruction:
        size, thick, red = styles.layers[:, 0].tolist()
        field = Fog(0.2 + 0.2 * size, 5 + 30 * thick, rgb=(red, 0.5, 0.2))
        return Reconstruction(field, renderer=FieldRenderer(field))

    def predicted_camera(self, styles: Styles) -> Camera:
        assert styles.pose is not None
        return Studio(distance=2.0, fov_y=0.7, size=24, azimuth=float(styles.pose[0]), elevation=0.1).fixed()


class Boxes(Generator):
    """What needs no more than a generator must have: no layers, no camera, no picture of its own."""

    config_class: ClassVar[type] = dict
    card: ClassVar[MethodCard] = MethodCard("boxes", "of the tests", "nothing", "", None, 0.0, ())

    def latent(self, generator: torch.Generator) -> Tensor:
        return torch.rand(3, generator=generator)

    def generate(self, latent: Tensor, *, generator: torch.Generator) -> Reconstruction:
        if latent[0] < 0.1:
            raise InputError("Too flat.")
        wide, high, deep = (0.4 * latent.clamp_min(0.1)).tolist()
        return Reconstruction(Box((wide, high, deep)))


def made(out: Path, method: Generator, seeds: Sequence[int], options: GenerateOptions = QUICK) -> dict[str, str]:
    found = {one.name: one.status for one in generate(out, seeds, options, method=method)}
    assert list(found) == [f"seed_{seed:04d}" for seed in seeds]
    return found


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(np.float64) / 255


def film(path: Path) -> np.ndarray:
    frames = imageio_ffmpeg.read_frames(str(path))
    width, height = next(frames)["size"]
    return np.stack([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in frames])


def latent_of(seed: int) -> Tensor:
    return torch.rand(4, generator=torch.Generator().manual_seed(seed))


def test_a_sample_is_seen_by_the_camera_that_was_predicted_for_it(tmp_path: Path) -> None:
    made(tmp_path, Fogs(), [3])
    folder = tmp_path / "seed_0003"
    camera = Camera.from_dict(json.loads((folder / "camera.json").read_text()))
    x, y, z = camera.position[0].tolist()
    assert math.atan2(x, z) == pytest.approx(float(latent_of(3)[0]), abs=1e-5)
    assert math.asin(y / 2) == pytest.approx(0.1, abs=1e-5)
    picture, depth = pixels(folder / "image.png"), np.load(folder / "depth.npy")
    red = float(latent_of(3)[3])
    assert picture.shape == (24, 24, 3) and picture[12, 12, 0] < picture[0, 0, 0] == 1.0
    assert picture[12, 12, 0] == pytest.approx(red, abs=0.05) or red < picture[12, 12, 0] < 1
    radius = 0.2 + 0.2 * float(latent_of(3)[1])
    assert depth.dtype == np.float32 and np.isinf(depth[0, 0]) and 2 - radius < depth[12, 12] < 2
    facing = 2 * pixels(folder / "normals.png")[12, 12] - 1
    assert Image.open(folder / "image_raw.png").size == (12, 12) and np.linalg.norm(facing) < 1.1
    assert film(folder / "wobble.mp4").shape == (3, 24, 24, 3) and (folder / "mesh.glb").is_file()


def test_fixed_cameras_and_orbits(tmp_path: Path) -> None:
    made(tmp_path / "fixed", Fogs(), [3], GenerateOptions("fogs", cameras="fixed", meshed=False, wobble=0))
    content = json.loads((tmp_path / "fixed" / "seed_0003" / "camera.json").read_text())
    assert Camera.from_dict(content).position[0].tolist() == pytest.approx([0, 0, 2], abs=1e-6)
    assert not {"mesh.glb", "wobble.mp4", "views.jpg"} & {one.name for one in (tmp_path / "fixed/seed_0003").iterdir()}
    around = GenerateOptions("fogs", cameras="orbit", views=4, meshed=False, wobble=0)
    made(tmp_path / "orbit", Fogs(), [3], around)
    places = []
    for number in range(4):
        content = json.loads((tmp_path / "orbit" / "seed_0003" / f"camera_{number:03d}.json").read_text())
        places.append(Camera.from_dict(content).position[0].numpy())
        assert (tmp_path / "orbit" / "seed_0003" / f"image_{number:03d}.png").is_file()
    np.testing.assert_allclose(places, [[0, 0, 2], [2, 0, 0], [0, 0, -2], [-2, 0, 0]], atol=1e-6)
    with pytest.raises(InputError, match="boxes predicts no cameras"):
        from monoform.jobs.sample_pictures import cameras_of

        cameras_of(Boxes(), Styles(torch.zeros(1, 3)), "predicted", 1)


def test_samples_are_the_same_again_and_kept(tmp_path: Path) -> None:
    assert made(tmp_path / "a", Fogs(), [0, 1]) == {"seed_0000": "done", "seed_0001": "done"}
    made(tmp_path / "b", Fogs(), [1])
    for name in ("image.png", "depth.npy", "mesh.glb", "camera.json"):
        assert (tmp_path / "a/seed_0001" / name).read_bytes() == (tmp_path / "b/seed_0001" / name).read_bytes()
    assert made(tmp_path / "a", Fogs(), [1, 2]) == {"seed_0001": "kept", "seed_0002": "done"}
    other = GenerateOptions(**(vars(QUICK) | {"cameras": "fixed"}))
    with pytest.raises(InputError, match="another request \\(cameras auto, not fixed\\)"):
        made(tmp_path / "a", Fogs(), [1], other)


def test_what_a_sample_has_to_say_and_the_lack_of_a_surface(tmp_path: Path) -> None:
    seeds = [seed for seed in range(40) if float(latent_of(seed)[0]) > 0.7 and float(latent_of(seed)[2]) < 0.1]
    thin = next(iter(seeds))
    made(tmp_path, Fogs(), [thin], GenerateOptions("fogs", resolution=32, wobble=0, frames=2))
    result = json.loads((tmp_path / f"seed_{thin:04d}" / "result.json").read_text())
    assert result["notices"][0] == "High." and "There is no mesh: The field has no surface" in result["notices"][1]
    assert result["mesh"] is None and "image.png" in result["files"] and "report.html" not in result["files"]
    assert made(tmp_path, Fogs(), [thin], GenerateOptions("fogs", resolution=32, wobble=0, frames=2)) == {
        f"seed_{thin:04d}": "kept"
    }


def test_one_failure_stops_no_other(tmp_path: Path) -> None:
    flat = next(s for s in range(60) if float(torch.rand(3, generator=torch.Generator().manual_seed(s))[0]) < 0.1)
    options = GenerateOptions("boxes", faces=200, texture=64, resolution=32, frames=0, wobble=0)
    outcomes = list(generate(tmp_path, [flat, 1000], options, method=Boxes()))
    assert [one.status for one in outcomes] == ["failed", "done"] and outcomes[0].message == "Too flat."
    assert [path.name for path in tmp_path.iterdir()] == ["seed_1000"]
    assert pixels(tmp_path / "seed_1000" / "image.png").min() < 0.9, "its mesh is drawn"


def test_labels_hold_the_cameras(tmp_path: Path) -> None:
    made(tmp_path, Fogs(), [0, 5])
    out = write_data_set(Fogs(), [tmp_path / "seed_0000", tmp_path / "seed_0005"], tmp_path / "set")
    labels = dict(json.loads((out / "dataset.json").read_text())["labels"])
    assert list(labels) == ["seed_0000.png", "seed_0005.png"]
    camera = Camera.from_dict(json.loads((tmp_path / "seed_0005" / "camera.json").read_text()))
    numbers = np.array(labels["seed_0005.png"])
    np.testing.assert_allclose(numbers[:16].reshape(4, 4), camera.world_from_camera[0], atol=1e-6)
    focal = 0.5 / math.tan(0.35)
    np.testing.assert_allclose(numbers[16:], [focal, 0, 0.5, 0, focal, 0.5, 0, 0, 1], atol=1e-5)
    assert (out / "seed_0005.png").read_bytes() == (tmp_path / "seed_0005" / "image.png").read_bytes()
    write_data_set(Fogs(), [tmp_path / "seed_0000"], out)
    assert sorted(path.name for path in out.iterdir()) == ["dataset.json", "seed_0000.png"]
    (out / "mine.png").write_bytes(b"mine")
    with pytest.raises(InputError, match="which monoform did not write"):
        write_data_set(Fogs(), [tmp_path / "seed_0000"], out)


def test_an_interpolation_passes_through_the_samples(tmp_path: Path) -> None:
    options = GenerateOptions("fogs", cameras="fixed", meshed=False, wobble=0)
    frames = film(write_interpolation(Fogs(), [0, 1], tmp_path / "way.mp4", options, between=2))
    assert frames.shape == (4, 24, 24, 3)
    made(tmp_path, Fogs(), [0, 1], options)
    middle = np.stack([frame[10:14, 10:14].mean((0, 1)) for frame in frames]) / 255
    for number, seed in ((0, 0), (2, 1)):
        true = pixels(tmp_path / f"seed_{seed:04d}" / "image.png")[10:14, 10:14].mean((0, 1))
        np.testing.assert_allclose(middle[number], true, atol=0.04)
    with pytest.raises(InputError, match="give at least two --seeds, not 1"):
        write_interpolation(Fogs(), [0], tmp_path / "one.mp4", options)
    (tmp_path / "mine.mp4").write_bytes(b"mine")
    with pytest.raises(InputError, match="is there already"):
        write_interpolation(Fogs(), [0, 1], tmp_path / "mine.mp4", options)


def test_a_mixture_goes_from_the_finest_layer_to_the_coarsest(tmp_path: Path) -> None:
    one, other = Styles(torch.zeros(3, 2), torch.zeros(1)), Styles(torch.ones(3, 2), torch.ones(1))
    assert one.mixed(other, 1).layers[:, 0].tolist() == [0, 0, 1]
    assert one.mixed(other, 2.25).layers[:, 0].tolist() == [0.25, 1, 1]
    assert one.mixed(other, 3).pose == 0 and one.toward(other, 0.25).pose == 0.25
    options = GenerateOptions("fogs", cameras="fixed", meshed=False, wobble=0)
    file, picture = write_mixture(Fogs(), (0, 1), tmp_path / "mix.mp4", options, between=4)
    assert film(file).shape == (4, 24, 24, 3)
    made(tmp_path, Fogs(), [0, 1], options)
    row = pixels(picture)
    assert row.shape == (24, 4 * 24, 3)
    np.testing.assert_array_equal(row[:, :24], pixels(tmp_path / "seed_0000" / "image.png"))
    np.testing.assert_array_equal(row[:, -24:], pixels(tmp_path / "seed_0001" / "image.png"))
    colored = row[12, 24 + 12] - row[12, 12]
    assert abs(colored[0]) > 0.01 and abs(colored[1:]).max() < 0.01, "color is the finest layer"
    with pytest.raises(InputError, match="one layer of styles"):
        write_mixture(Boxes(), (0, 1), tmp_path / "boxes.mp4", options)


def test_a_wobble_stays_near_its_camera() -> None:
    middle = (0.0, 0.1, 0.2)
    camera = Studio(middle, middle, distance=1.5, fov_y=0.4, size=32, azimuth=2.0, elevation=-0.3).fixed()
    way = Studio(middle, middle).wobble(12, camera)
    assert (way.width, way.height) == (32, 32) and torch.allclose(way.intrinsics[5], camera.intrinsics[0])
    offsets = way.position - torch.tensor([0.0, 0.1, 0.2])
    torch.testing.assert_close(offsets.norm(dim=1), torch.full((12,), 1.5))
    apart = (way.position - camera.position).norm(dim=1)
    assert apart.min() > 0.1 and apart.max() < 0.6
    torch.testing.assert_close(way.position.mean(0), camera.position[0], atol=0.06, rtol=0)
    aside = Studio(pivot=(0.0, 0.0, 0.3), distance=2.0).orbit(4)
    torch.testing.assert_close(
        aside.position[1], torch.tensor([2 * math.cos(0.2618), 2 * math.sin(0.2618), 0]), atol=1e-4, rtol=0
    )
    seen, _ = aside.project(torch.tensor([[[0.0, 0.0, 0.3]]]).expand(4, 1, 3))
    torch.testing.assert_close(seen, torch.full((4, 1, 2), 192.0), atol=1e-2, rtol=0)


def test_a_sheet_holds_all_pictures(tmp_path: Path) -> None:
    for number in range(5):
        Image.new("RGB", (20, 20), (40 * number, 0, 0)).save(tmp_path / f"{number}.png")
    whole = sheet([tmp_path / f"{number}.png" for number in range(5)])
    side = whole.shape[0] // 2
    assert side == 20 and whole.shape[1] == 3 * side
    corners = [whole[side * (n // 3) + 2, side * (n % 3) + 2, 0] for n in range(6)]
    assert corners == [0, 40, 80, 120, 160, 255]


def test_a_distance_is_meshed_and_drawn_as_its_mesh() -> None:
    from monoform.jobs.sample_pictures import seen

    shot = seen(Reconstruction(Sphere(0.3)), STUDIO.fixed(), QUICK)
    assert shot.mask[12, 12] and not shot.mask[0, 0]
