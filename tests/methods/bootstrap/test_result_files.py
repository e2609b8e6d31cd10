"""Result folders of bootstrap: mesh, camera and overlay agree in both projections; maps, strip and styles are files."""

from __future__ import annotations

import json
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.command_line import monoform
from tests.methods.bootstrap.test_use import camera_for, method_of, shown
from tests.methods.bootstrap.tiny_bootstrap import SIZE, config_of

from monoform import Camera, InputError, Photo, View
from monoform.app.report import write_report
from monoform.jobs.generate import generate
from monoform.jobs.reconstruct import reconstruct_to_folder
from monoform.jobs.reconstruct_options import ReconstructOptions
from monoform.jobs.sample_pictures import GenerateOptions
from monoform.jobs.write_result import Timings, write_result
from monoform.mesh import load
from monoform.methods.bootstrap.config import Rays, Scene
from monoform.methods.bootstrap.infer import Bootstrap
from monoform.methods.bootstrap.own_files import read_styles
from monoform.render import render_mesh

QUICK = ReconstructOptions("bootstrap", faces=2000, texture=64, resolution=48, frames=0)
PICTURES = ("strip", "opacity", "depth", "coordinates", "normals", "palette")


def result(method: Bootstrap, place: Path, projection: str = "perspective", size: int = 1) -> Path:
    """The folder of a photo whose encoder knows all of it."""
    true = camera_for(projection).resized(60 * size, 44 * size)
    method, photo = shown(method, true)
    made = method.reconstruct([View(photo, true)], generator=torch.Generator().manual_seed(0))
    place.mkdir()
    write_result(made, place, QUICK, Timings(), {"photo": "made.png"}, write_report)
    return place


@pytest.mark.parametrize(("projection", "up"), [("perspective", "y"), ("orthographic", "z")])
def test_rays_of_the_written_camera_meet_the_written_mesh_where_the_object_is(
    projection: str, up: str, tmp_path: Path
) -> None:
    """Axes and scale of mesh.glb are those of camera.json, and both those of the photo."""
    config = replace(config_of(Scene(projection=projection)), rays=Rays(24, 24))  # type: ignore[arg-type]
    method = method_of(tmp_path, config, refine=0, up=up)
    assert method.net.beta is not None and method.net.alpha is not None
    method.net.beta.fill_(0.01), method.net.alpha.fill_(0.01)  # hard surfaces
    folder = result(method, tmp_path / "out", projection, 2)
    camera = Camera.from_dict(json.loads((folder / "camera.json").read_text()))
    assert camera.model == ("orthographic" if projection == "orthographic" else "pinhole")
    mesh = load(folder / "mesh.glb")
    seen = render_mesh(mesh, camera).mask
    mask = np.asarray(Image.open(folder / "mask.png")) > 127
    assert (seen & mask).sum() / (seen | mask).sum() > 0.93
    assert json.loads((folder / "result.json").read_text())["overlay"]["iou"] > 0.93
    # The network's balls have 0.6 of the half side of its cube, which is the house's of side 1.
    assert abs(np.linalg.norm(mesh.vertices, axis=1).mean() - 0.3) < 0.04
    lens = "orthographic" if projection == "orthographic" else "perspective"
    assert f'"type":"{lens}"'.encode() in (folder / "mesh.glb").read_bytes().replace(b" ", b"")


def test_a_photo_s_folder_has_maps_the_strip_and_styles(tmp_path: Path) -> None:
    method = method_of(tmp_path, config_of(), refine=2)
    folder = result(method, tmp_path / "out", size=4)
    told = json.loads((folder / "result.json").read_text())
    assert set(told["own_files"]) == {"maps.npz", "styles.npz", *(f"{name}.png" for name in PICTURES)}
    assert set(told["own_files"]) < set(told["files"])
    with np.load(folder / "maps.npz") as maps:
        camera = Camera.from_dict(json.loads((folder / "camera.json").read_text()))
        height, width = maps["alpha"].shape
        assert height < 88 and abs(width / height - 60 / 44) < 0.05, "as many pixels as the network has of the object"
        inside = maps["alpha"] > 0.9
        sized = camera.resized(width, height)
        places, depth = sized.project(torch.from_numpy(maps["coordinates"][inside])[None])
        centers = sized.pixel_centers().reshape(height, width, 2)[torch.from_numpy(inside)]
        torch.testing.assert_close(places[0], centers, atol=0.05, rtol=0)
        np.testing.assert_allclose(maps["depth"][inside], depth[0].numpy(), atol=1e-4)
        assert np.isinf(maps["depth"][maps["alpha"] == 0]).all()
        blended = maps["palette"] @ maps["colors"] + (1 - maps["alpha"])[..., None] * 0.5
        np.testing.assert_allclose(blended, maps["rgb"], atol=1e-3)
    strip = np.asarray(Image.open(folder / "strip.png"))
    assert strip.shape == (2 * 128, 6 * 128, 3), "before refinement, and after"
    photo, coordinates = strip[:128, :128], strip[:128, 128:256]
    np.testing.assert_array_equal(photo, strip[128:, :128])
    np.testing.assert_array_equal(coordinates, strip[128:, 128:256])
    assert abs(strip[:128, 256:384].astype(float) - photo).mean() < 12, "the render looks like the photo"
    assert strip[:128, 512:640].astype(float).std() > 5
    page = (folder / "report.html").read_text()
    assert all(escape(about) in page for about in told["own_files"].values())
    assert "Fit to the photo" in page and "Camera found" in page


def test_without_a_camera_maps_are_of_the_studio(tmp_path: Path) -> None:
    """Of a photo in which an encoder that has learned nothing finds no camera."""
    method = method_of(tmp_path, config_of(), refine=1)
    mask = (torch.arange(240) > 30).expand(176, 240).float().numpy()
    photo = Photo.open(torch.rand(176, 240, 3).numpy(), mask=mask)
    made = method.reconstruct([View(photo)], generator=torch.Generator().manual_seed(0))
    assert made.own_files is not None and not made.has_camera
    told = made.own_files(tmp_path, None)
    assert "before refinement" not in told["strip.png"]
    with np.load(tmp_path / "maps.npz") as maps:
        assert maps["alpha"].shape == (SIZE, SIZE)


def test_the_command_takes_weights(tmp_path: Path) -> None:
    """As their folder; a method without weights refuses it."""
    method_of(tmp_path, config_of())
    rgb = np.random.default_rng(0).integers(0, 255, (40, 40, 4), np.uint8)
    rgb[..., 3] = 255 * (np.abs(np.arange(40) - 20) < 12)
    Image.fromarray(rgb).save(tmp_path / "photo.png")
    small = ("--faces", 500, "--texture", 64, "--resolution", 32, "--frames", 0)
    words = ("reconstruct", tmp_path / "photo.png", "-o", tmp_path / "out", "--weights", tmp_path / "generator", *small)
    made = monoform(*words, "--method", "bootstrap", "--set", f"encoder={tmp_path / 'encoder'}", "refine=0")
    assert made.returncode == 0, made.stderr
    told = json.loads((tmp_path / "out" / "photo" / "result.json").read_text())
    assert told["weights"]["source"] == str(tmp_path / "generator")
    refused = monoform(*words, "--method", "inflate")
    assert refused.returncode == 2 and "inflate has no option weights" in refused.stderr


def test_maps_can_be_left_out(tmp_path: Path) -> None:
    folder = result(method_of(tmp_path, config_of(), refine=0, maps=False), tmp_path / "out")
    assert set(json.loads((folder / "result.json").read_text())["own_files"]) == {"styles.npz"}
    assert not (folder / "strip.png").exists() and not (folder / "maps.npz").exists()


def test_samples_have_maps_beside_their_pictures(tmp_path: Path) -> None:
    method = method_of(tmp_path, config_of(), refine=0)
    options = GenerateOptions("bootstrap", faces=500, texture=64, resolution=32, frames=0, wobble=0)
    (outcome,) = generate(tmp_path / "samples", [4], options, method=method)
    assert outcome.status == "done", outcome.message
    folder = tmp_path / "samples" / "seed_0004"
    assert all((folder / f"{name}.png").is_file() for name in (*PICTURES, "image"))
    with np.load(folder / "maps.npz") as maps:
        image = np.asarray(Image.open(folder / "image.png"))
        assert maps["rgb"].shape == image.shape == (SIZE, SIZE, 3)
        assert abs(255 * maps["rgb"] - image).max() < 2
        depth = np.load(folder / "depth.npy")
        both = np.isfinite(depth) & (maps["alpha"] > 0.9)
        assert both.sum() > 20 and abs(depth[both] - maps["depth"][both]).max() < 0.02
    assert np.asarray(Image.open(folder / "strip.png")).shape == (128, 4 * 128, 3)


def test_styles_of_a_result_are_read_back_by_their_generator_alone(tmp_path: Path) -> None:
    method = method_of(tmp_path, config_of(), refine=0)
    folder = result(method, tmp_path / "out")
    truth = method.styles(method.latent(torch.Generator().manual_seed(3)))
    torch.testing.assert_close(method.styles_of_result(folder).layers, truth.layers)
    with pytest.raises(InputError, match="was made by another generator"):
        read_styles(folder, truth.layers.shape, "another")
    with pytest.raises(InputError, match=r"is no result of bootstrap, it has no styles\.npz"):
        method.styles_of_result(tmp_path / "generator")
    (folder / "styles.npz").write_bytes((folder / "styles.npz").read_bytes()[:-60])
    with pytest.raises(InputError, match="make the result again"):
        method.styles_of_result(folder)


def test_a_result_that_an_option_reads_is_not_replaced(tmp_path: Path) -> None:
    folder = result(method_of(tmp_path, config_of(), refine=0), tmp_path / "out")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    asked = {"weights": str(tmp_path / "generator"), "encoder": str(tmp_path / "encoder"), "appearance": str(folder)}
    photo = torch.rand(44, 60, 4).numpy()
    with pytest.raises(InputError, match="which is read here"):
        reconstruct_to_folder(photo, folder, options=replace(QUICK, overrides=asked))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
