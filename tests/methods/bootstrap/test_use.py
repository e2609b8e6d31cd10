"""Photos and samples through the method: the camera of the whole photo, both projections, and what fails is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.methods.bootstrap.tiny_bootstrap import NETWORK, SIZE, config_of, generator, save_encoder
from torch import Tensor, nn

from monoform import InputError, Photo, View
from monoform.camera import Camera, orbit
from monoform.methods import make
from monoform.methods.bootstrap import BootstrapConfig, BootstrapEncoder, Maps
from monoform.methods.bootstrap.config import PUBLISHED, Scene
from monoform.methods.bootstrap.encoder import Encoded, small_encoder
from monoform.methods.bootstrap.infer import NO_CAMERA, Bootstrap
from monoform.methods.bootstrap.maps import maps_of, write_maps, write_strip
from monoform.methods.bootstrap.photo_square import PhotoSquare
from monoform.methods.bootstrap.placed import PlacedObject, Placement
from monoform.scene import Reconstruction
from monoform.training import save_pretrained


def method_of(folder: Path, config: BootstrapConfig, **options: object) -> Bootstrap:
    net = generator(config)
    save_pretrained(net, config, folder / "generator", card="Of the tests.", exact=True)
    encoder = save_encoder(folder / "encoder")
    made = make("bootstrap", weights=str(folder / "generator"), encoder=encoder, **options)
    assert isinstance(made, Bootstrap)
    return made


class Knowing(nn.Module):
    """An encoder that tells the truth of one square."""

    def __init__(self, told: Encoded) -> None:
        super().__init__()
        self.told, self.place = told, nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Encoded:
        assert images.shape == (1, 3, SIZE, SIZE)
        return self.told


def shown(method: Bootstrap, true: Camera) -> tuple[Bootstrap, Photo]:
    """A photo of a sample, and the method with an encoder that knows all of it."""
    styles = method.styles(method.latent(torch.Generator().manual_seed(3)))
    made = method.of_styles(styles, generator=torch.Generator())
    picture = made.render(true)
    photo = Photo.open(picture.rgb, mask=picture.alpha)
    square = PhotoSquare.of(photo, method.net.config, method.config.margin)
    window = true.cropped(square.left, square.top, square.side, square.side).resized(SIZE, SIZE)
    net = method.net
    placed = PlacedObject(net, net.planes(styles.layers[None]), net.palette(styles.layers[None]), method.placement)
    with torch.no_grad():
        seen = placed.seen(*(each[0] for each in window.rays()), maps=Maps(coordinates=True))
    assert seen.coordinates is not None
    alpha = seen.alpha.unflatten(1, (SIZE, SIZE))
    points = seen.coordinates.unflatten(1, (SIZE, SIZE)) / alpha.clamp_min(1e-6)[..., None]
    told = Encoded(points, alpha, styles.layers[None, :1])
    knowing = replace_encoder(method, Knowing(told))
    return knowing, photo


def replace_encoder(method: Bootstrap, encoder: nn.Module) -> Bootstrap:
    method.encoder = encoder  # type: ignore[assignment]
    return method


def pixels(camera: Camera) -> Tensor:
    points = 0.3 * torch.randn(50, 3, generator=torch.Generator().manual_seed(5))
    return camera.project(points[None])[0]


def camera_for(projection: str) -> Camera:
    """Not in the middle of its picture, which is no square."""
    true = orbit(1, elevation=0.3, distance=2.4, fov_y=0.7, width=60, height=44)
    if projection == "orthographic":
        true = Camera.orthographic(true.world_from_camera, 1.4, 60, 44)
    intrinsics = true.intrinsics.clone()
    intrinsics[:, 0, 2] += 7.0
    return replace(true, intrinsics=intrinsics)


@pytest.mark.parametrize("up", ["y", "z"])
@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
def test_the_camera_of_the_whole_photo_is_found(projection: str, published: bool, up: str, tmp_path: Path) -> None:
    """From true coordinates; rays of published networks pass corners, and the photo's pixels do not move."""
    config = config_of(Scene(projection=projection))  # type: ignore[arg-type]
    if published:
        config = replace(config, compat=PUBLISHED)
    true = camera_for(projection)
    method, photo = shown(method_of(tmp_path, config, refine=0, up=up), true)
    with torch.inference_mode():
        made = method.reconstruct([View(photo, true)], generator=torch.Generator().manual_seed(0))
    assert made.camera.model == true.model and (made.camera.width, made.camera.height) == (60, 44)
    assert (pixels(made.camera) - pixels(true)).abs().max() < 0.1
    assert made.provenance.fit is not None and made.provenance.fit["camera_found"] == 1
    assert made.photo.notices == photo.notices
    again = made.render(true)
    assert abs(again.rgb - photo.rgb).mean() < 0.02


def test_refinement_brings_the_picture_nearer(tmp_path: Path) -> None:
    true = camera_for("perspective")
    method, photo = shown(method_of(tmp_path, config_of(), refine=12), true)
    assert method.encoder is not None
    told = method.encoder.told  # type: ignore[union-attr]
    told.latent.add_(0.5)  # type: ignore[union-attr]

    def distance(steps: int) -> tuple[float, Reconstruction]:
        method.config = replace(method.config, refine=steps)
        made = method.reconstruct([View(photo, true)], generator=torch.Generator().manual_seed(0))
        picture = made.render(made.camera)
        return float(abs(picture.rgb - photo.rgb).mean()), made

    (before, _), (after, refined) = distance(0), distance(12)
    assert after < before
    fit = refined.provenance.fit
    assert fit is not None and fit["refined"] == 1 and fit["loss"] < fit["first"]


def test_a_photo_without_a_camera_says_so(tmp_path: Path) -> None:
    """Of an encoder that has learned nothing: the object is there, a camera is not."""
    method = method_of(tmp_path, config_of(), refine=2)
    true = camera_for("perspective")
    photo = Photo.open(torch.rand(44, 60, 3).numpy(), mask=(torch.arange(60) > 30).expand(44, 60).float().numpy())
    made = method.reconstruct([View(photo, true)], generator=torch.Generator().manual_seed(0))
    assert not made.has_camera and NO_CAMERA in made.photo.notices
    assert made.provenance.fit is not None and made.provenance.fit["camera_found"] == 0
    assert torch.isfinite(made.field.geometry(torch.zeros(1, 3))).all()


@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
def test_samples_are_seen_from_cameras_of_the_training_set(projection: str, tmp_path: Path) -> None:
    """A latent has one of them, in the house's world; without any there is none."""
    pose = torch.eye(4)
    pose[2, 3] = 4.0
    scale = 0.5 if projection == "orthographic" else 1.0
    focals = () if projection == "orthographic" else (1.5,)
    scene = Scene(
        flipped=False,
        projection=projection,  # type: ignore[arg-type]
        poses=(tuple((pose / scale).flatten().tolist()),),
        pose_focals=focals,
    )
    method = method_of(tmp_path, config_of(scene))
    styles = method.styles(method.latent(torch.Generator().manual_seed(1)))
    camera = method.predicted_camera(styles)
    assert camera is not None and camera.model == ("pinhole" if focals else "orthographic")
    wide = 1.5 * SIZE if focals else 0.5 * SIZE / 2 / method.placement.scale
    torch.testing.assert_close(camera.intrinsics[0, 0, 0], torch.tensor(wide))
    ahead = camera.world_from_camera[0, :3, 2]
    torch.testing.assert_close(ahead, torch.tensor([0.0, 0.0, -1.0]), atol=1e-5, rtol=0)
    around = method.studio.wobble(3, camera)
    assert around.model == camera.model, "a film around it looks through the same lens"
    torch.testing.assert_close(around.intrinsics, camera.intrinsics.expand(3, 3, 3))
    if focals:
        assert len(method.label(camera)) == 25
    else:
        with pytest.raises(InputError, match=r"dataset\.json has no numbers for orthographic cameras"):
            method.label(camera)
    without = method_of(tmp_path / "without", config_of())
    assert without.predicted_camera(without.styles(without.latent(torch.Generator()))) is None


def test_a_world_whose_z_goes_up_is_turned_with_all_in_it(tmp_path: Path) -> None:
    methods = [method_of(tmp_path / up, config_of(), up=up) for up in ("y", "z")]
    latent = methods[0].latent(torch.Generator().manual_seed(2))
    plain, turned = (method.generate(latent, generator=torch.Generator()) for method in methods)
    x, y, z = 0.3 * torch.randn(3, 40, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        turned.field.geometry(torch.stack((x, z, -y), dim=1)), plain.field.geometry(torch.stack((x, y, z), dim=1))
    )
    bounds = torch.tensor([[-0.5] * 3, [0.5] * 3])
    torch.testing.assert_close(plain.field.bounds, bounds)


def test_truncated_samples_lie_nearer_to_the_mean(tmp_path: Path) -> None:
    method = method_of(tmp_path, config_of(), truncation=0.0)
    first, second = (method.styles(method.latent(torch.Generator().manual_seed(seed))).layers for seed in (0, 1))
    torch.testing.assert_close(first, second)


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    method = method_of(tmp_path, config_of())
    folder = str(tmp_path / "generator")
    photo = Photo.open(torch.rand(16, 16, 3).numpy(), mask=torch.ones(16, 16).numpy())
    with pytest.raises(InputError, match="give --set encoder=FOLDER"):
        make("bootstrap", weights=folder).reconstruct([View(photo)], generator=torch.Generator())  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="works from one photo, not from 2"):
        method.reconstruct([View(photo), View(photo)], generator=torch.Generator())
    with pytest.raises(InputError, match="loss vgg needs"):
        make("bootstrap", weights=folder, loss="vgg")
    encoding = replace(small_encoder(NETWORK.w_dim), latent_dim=16)
    save_pretrained(BootstrapEncoder(encoding), encoding, tmp_path / "other", card="Of the tests.")
    with pytest.raises(InputError, match="tells latents of 16 numbers, the generator takes 8"):
        make("bootstrap", weights=folder, encoder=str(tmp_path / "other"))


def test_a_category_is_a_folder_of_the_weights(tmp_path: Path) -> None:
    method_of(tmp_path / "all" / "car", config_of())
    weights = str(tmp_path / "all" / "car")
    made = make("bootstrap", weights=weights, category="generator", loss="l1")
    assert isinstance(made, Bootstrap) and made.source == str(tmp_path / "all" / "car" / "generator")
    sample = made.generate(made.latent(torch.Generator()), generator=torch.Generator())
    assert sample.provenance.weights == {"source": made.source}
    with pytest.raises(InputError, match="holds no weights of the category 'bird': there are encoder, generator"):
        make("bootstrap", weights=weights, category="bird")
    with pytest.raises(InputError, match=r"of the category .*car.generator"):
        make("bootstrap", weights=weights, category="../car/generator")
    with pytest.raises(InputError, match="convert or train some first"):
        make("bootstrap", weights=str(tmp_path / "all"), category="car")


def test_maps_are_of_the_house_s_world(tmp_path: Path) -> None:
    """Places lie on the rays that see them, and within the cube; shares of the palette make the colors."""
    method = method_of(tmp_path, config_of(), up="z")
    made = method.generate(method.latent(torch.Generator().manual_seed(2)), generator=torch.Generator())
    true = camera_for("perspective")
    found = maps_of(made, true)
    inside = found.alpha > 0.9
    assert inside.sum() > 50
    places = true.project(torch.from_numpy(found.coordinates[inside])[None])[0][0]
    centers = true.pixel_centers().reshape(44, 60, 2)[torch.from_numpy(inside)]
    torch.testing.assert_close(places, centers, atol=0.02, rtol=0)
    toward = true.position[0].numpy() - found.coordinates[inside]
    assert ((toward * found.normals[inside]).sum(axis=1) > 0).mean() > 0.8
    assert found.palette.shape == (44, 60, 3) and abs(found.palette.sum(axis=2) - found.alpha).max() < 1e-4
    assert not found.coordinates[found.alpha < 1e-5].any()


def test_maps_and_strips_are_files(tmp_path: Path) -> None:
    method, photo = shown(method_of(tmp_path, config_of(), refine=0), camera_for("perspective"))
    made = method.reconstruct([View(photo, camera_for("perspective"))], generator=torch.Generator())
    picture = Image.open(write_strip(made, tmp_path / "strip.png"))
    assert picture.size == (6 * 128, 128) and np.asarray(picture).std() > 5
    with np.load(write_maps(made, made.camera, tmp_path / "maps.npz")) as arrays:
        assert set(arrays) == {"rgb", "alpha", "depth", "coordinates", "normals", "palette", "colors"}
        assert arrays["rgb"].shape == (44, 60, 3)
    with pytest.raises(InputError, match="is there already"):
        write_strip(made, tmp_path / "strip.png")
    with pytest.raises(InputError, match=r"does not end in \.npz"):
        write_maps(made, made.camera, tmp_path / "maps.png")
    with pytest.raises(InputError, match="are of what bootstrap has just made"):
        maps_of(replace(made, own_files=None), made.camera)


@pytest.mark.parametrize("white", [False, True])
@pytest.mark.parametrize("up", [1, 2])
def test_sample_cameras_tell_what_goes_up(white: bool, up: int) -> None:
    """Whatever the background; only without such cameras it decides."""
    turned = torch.eye(3).roll(up - 1, dims=0)
    poses = []
    for tilt in (-0.6, 0.2, 0.7):  # about the camera's own x axis
        pose = torch.eye(4)
        cosine, sine = np.cos(tilt), np.sin(tilt)
        pose[:3, :3] = turned @ torch.tensor([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]], dtype=torch.float32)
        poses.append(tuple(pose.flatten().tolist()))
    scene = Scene(white=white, poses=tuple(poses), pose_focals=(1.0,) * 3)
    assert Placement.of(scene).turned == (up == 2)
    assert Placement.of(scene, "y").turned is False and Placement.of(scene, "z").turned is True
    assert Placement.of(replace(scene, poses=(), pose_focals=())).turned == white
