"""What is inverted, compared and sampled: photos that the generator itself has taken, told by an encoder that knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.data import category_cases
from tests.methods.bootstrap import tiny_bootstrap
from tests.pretend_device import pretend_device

from monoform.data.categories import CategoryPhotos, open_category
from monoform.devices import on_device
from monoform.errors import InputError
from monoform.methods.bootstrap import BootstrapGenerator, Maps
from monoform.methods.bootstrap.config import Scene
from monoform.methods.bootstrap.encoder import Encoded
from monoform.methods.bootstrap.evaluate import compared_of
from monoform.methods.bootstrap.evaluated_cameras import SeenFrom
from monoform.methods.bootstrap.evaluated_images import RealPhotos, Samples
from monoform.methods.bootstrap.evaluated_inversions import FRONT, RANDOM, InvertedPhotos, Measuring
from monoform.methods.bootstrap.evaluated_views import EvaluatedViews
from monoform.methods.bootstrap.inversion_options import InversionOptions
from monoform.methods.bootstrap.objective import Objective
from monoform.metrics.features import as_bytes
from monoform.metrics.image_blocks import Block

COUNT = 2
SIZE, WIDTH, HEIGHT = tiny_bootstrap.SIZE, category_cases.WIDTH, category_cases.HEIGHT
SCENES = {"p3d_car": Scene(), "cub": Scene(projection="orthographic")}
LATENT = torch.randn(1, tiny_bootstrap.NETWORK.z_dim, generator=torch.Generator().manual_seed(3))
VIEWS = EvaluatedViews(torch.arange(COUNT), torch.arange(COUNT).flip(0), LATENT.expand(COUNT, -1))


def generator_for(name: str) -> BootstrapGenerator:
    """Of balls in bright colors."""
    net = tiny_bootstrap.generator(tiny_bootstrap.config_of(SCENES[name]))
    assert net.texture_mapper is not None
    net.texture_mapper.fc_values.bias.copy_(torch.tensor([5.0, -5, -5, -5, 5, -5, -5, -5, 5]))
    return net


def opened(root: Path, name: str) -> tuple[CategoryPhotos, CategoryPhotos, CategoryPhotos | None]:
    """Training photos cropped and whole, and those for tests, where the set has some with cameras."""
    test = open_category(root, name, "test") if name == "cub" else None
    return open_category(root, name, "train-eval"), open_category(root, name), test


def write(root: Path, name: str) -> Path:
    if name == "p3d_car":
        return category_cases.write_detections(root, count=COUNT + 1)
    return category_cases.write_birds(category_cases.write_birds(root, COUNT), COUNT, "test")


@torch.no_grad()
def look(net: BootstrapGenerator, place: SeenFrom, size: int) -> dict[str, torch.Tensor]:
    seen = net.render(net.styles(net.map(LATENT)), place.camera(size), maps=Maps(coordinates=True))
    assert seen.coordinates is not None
    return {"rgb": seen.rgb[0], "alpha": seen.alpha[0], "coordinates": seen.coordinates[0]}


def taken(root: Path, name: str, patch: pytest.MonkeyPatch) -> Path:
    """A set whose photos show one and the same object of the generator."""
    whole, net = opened(write(root / "plain", name), name)[1], generator_for(name)
    top = (WIDTH - HEIGHT) // 2
    numbers = {place: int(Path(file).stem.lstrip("b")) for place, file in enumerate(whole.names)}
    photos = {}
    for place, number in numbers.items():
        seen = look(net, SeenFrom.of_photo(whole, place), WIDTH)
        rgb = (seen["rgb"].clamp(-1, 1) * 127.5 + 127.5).round().byte().numpy()
        photos[number] = rgb[top : top + HEIGHT], (seen["alpha"].numpy() > 0.5).astype(np.uint8)[top : top + HEIGHT]
    plain = category_cases.photo
    patch.setattr(category_cases, "photo", lambda number: photos.get(number) or plain(number))
    return write(root / "taken", name)


class Knowing:
    """Tells what the photo shows, of the photos that it knows."""

    def __init__(self, net: BootstrapGenerator, photos: CategoryPhotos) -> None:
        self.images = photos.images(range(COUNT), SIZE)[:, :3]
        self.seen = [look(net, SeenFrom.of_photo(photos, number), SIZE) for number in range(COUNT)]
        self.latent = net.map(LATENT)[:, None].detach()

    def __call__(self, images: torch.Tensor) -> Encoded:
        number = int((images.cpu() - self.images).abs().mean(dim=(1, 2, 3)).argmin())
        seen = self.seen[number]
        coordinates = seen["coordinates"] / seen["alpha"].clamp_min(1e-3)[..., None]
        told = coordinates[None], seen["alpha"][None], self.latent
        return Encoded(*(each.to(images.device) for each in told))


def measuring(*refine: int) -> Measuring:
    return Measuring(refine, InversionOptions(), Objective("l1"), None, False, 0)


def rows(source: InvertedPhotos) -> dict[tuple[int, int, int], Block]:
    """Blocks by place, number of steps, and what they show."""
    found = list(source.blocks(range(len(source))))
    return {tuple(int(block.more[name].item()) for name in ("place", "steps", "shown")): block for block in found}


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """Mean difference of pictures 0..255, in grays."""
    return float((one.float() - other.float()).abs().mean())


@pytest.mark.parametrize("name", ["p3d_car", "cub"])
def test_what_is_found_is_shown_as_photos_are_measured(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All photos show one object: whatever is rendered of it from a photo's camera looks like that photo, cropped."""
    root, net = taken(tmp_path, name, monkeypatch), generator_for(name)
    train, whole, test = opened(root, name)
    compared = compared_of(train, whole, test)
    assert compared.photos.crop is (test is not None)
    real = RealPhotos(compared.measured, SIZE)
    photos = torch.cat([block.images for block in real.blocks(range(COUNT))])
    between = apart(photos[0], photos[1])
    assert between > 6
    uncropped = torch.cat([block.images for block in RealPhotos(whole, SIZE).blocks(range(COUNT))])
    assert apart(uncropped, photos) > 0.6 * between
    source = InvertedPhotos(net, Knowing(net, compared.photos), compared, VIEWS, measuring(0))
    for (place, _, shown), block in rows(source).items():
        wanted = photos[place if shown == FRONT else 1 - place]
        assert apart(block.images[0], wanted) < 0.35 * between
        if shown == FRONT:
            assert block.more["rotation"] < 3 and block.more["iou"] > 0.9 and block.more["found"] == 1
        else:
            assert np.isnan(block.more["psnr"])
    samples = Samples(net, train, VIEWS, 0)
    of_train = torch.cat([block.images for block in RealPhotos(train, SIZE).blocks(range(COUNT))])
    for number, block in enumerate(samples.blocks(range(COUNT))):
        assert apart(block.images[0], of_train[number]) < 0.35 * between


def test_cameras_of_crops_are_those_of_the_pictures(tmp_path: Path) -> None:
    for name in SCENES:
        root = write(tmp_path, name)
        for photos in opened(root, name)[:2]:
            for number in range(len(photos)):
                found, wanted = SeenFrom.of_photo(photos, number).camera(24), photos.photo(number, 24).camera
                assert wanted is not None
                half = torch.zeros(3, 3)
                half[:2, 2] = 0.5  # published rays go through corners
                torch.testing.assert_close(found.intrinsics + half, wanted.intrinsics, atol=1e-4, rtol=1e-5)
                torch.testing.assert_close(found.world_from_camera, wanted.world_from_camera, atol=1e-5, rtol=1e-5)


def test_all_numbers_of_steps_come_of_one_refinement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found after some of the steps is what these alone find."""
    root, net = taken(tmp_path, "p3d_car", monkeypatch), generator_for("p3d_car")
    compared = compared_of(*opened(root, "p3d_car"))
    encoder, calls = Knowing(net, compared.photos), []
    encoder.latent = encoder.latent + 0.3

    def counted(images: torch.Tensor) -> Encoded:
        calls.append(len(images))
        return encoder(images)

    def found(*refine: int) -> dict:
        return InvertedPhotos(net, counted, compared, VIEWS, measuring(*refine)).inverted(0, 0)[1]

    together = found(0, 2, 3)
    assert len(calls) == 1 and [each.refined for each in together.values()] == [False, True, True]
    for steps, explained in together.items():
        alone = found(steps)[steps]
        assert torch.equal(alone.styles, explained.styles) and alone.refined == explained.refined
        assert torch.equal(alone.world_from_camera, explained.world_from_camera)
    assert not torch.equal(together[0].styles, together[2].styles)


def test_a_photo_without_an_object_has_no_camera_and_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release's dummy camera looks away: nothing is refined, the background is measured, the angle is its own."""
    root, net = taken(tmp_path, "p3d_car", monkeypatch), generator_for("p3d_car")
    compared = compared_of(*opened(root, "p3d_car"))
    encoder = Knowing(net, compared.photos)
    for seen in encoder.seen:
        seen["alpha"] = torch.zeros_like(seen["alpha"])
    source = InvertedPhotos(net, encoder, compared, VIEWS, measuring(0, 2))
    found = rows(source)
    for place in range(COUNT):
        for steps in (0, 2):
            block = found[place, steps, FRONT]
            assert block.more["found"] == 0 and block.more["refined"] == 0 and block.more["iou"] < 1e-3
            assert set(block.images.unique().tolist()) <= {127, 128}
            true = SeenFrom.of_photo(compared.photos, place).world_from_camera[0, :3, :3]
            dummy = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
            angle = torch.rad2deg(torch.acos((((true * dummy).sum() - 1) / 2).clamp(-1, 1)))
            assert block.more["rotation"] == pytest.approx(float(angle), abs=0.05)
        assert found[place, 0, RANDOM].images is not None


def test_networks_elsewhere_give_the_same_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, net = taken(tmp_path, "p3d_car", monkeypatch), generator_for("p3d_car")
    compared = compared_of(*opened(root, "p3d_car"))
    encoder = Knowing(net, compared.photos)

    def pictures(net: BootstrapGenerator) -> list[Block]:
        inverted = InvertedPhotos(net, encoder, compared, VIEWS, measuring(0))
        samples = Samples(net, compared.others, VIEWS, 0)
        return [block for source in (inverted, samples) for block in source.blocks(range(1))]

    here = pictures(net)
    with pretend_device() as device:
        there = pictures(on_device(net, device))
    assert [apart(one.images, other.images) for one, other in zip(here, there, strict=True)] == pytest.approx([0] * 3)


def test_test_cars_of_imagenet_are_seen_as_training_cars_elsewhere(tmp_path: Path) -> None:
    category_cases.write_detections(tmp_path, "p3d_car", count=3)
    category_cases.write_detections(tmp_path, "imagenet_car", count=6, first=1)
    train, whole = open_category(tmp_path, "p3d_car", "train-eval"), open_category(tmp_path, "p3d_car")
    test = open_category(tmp_path, "p3d_car", "imagenet-test")
    compared = compared_of(train, whole, test)
    assert compared.photos is compared.measured is test and compared.others is train and len(test) == 3
    views = EvaluatedViews(torch.arange(3), torch.tensor([2, 0, 1]), torch.zeros(3, 8))
    net = generator_for("p3d_car")
    encoder = Knowing(net, open_category(tmp_path, "imagenet_car", "train-eval"))
    found = rows(InvertedPhotos(net, encoder, compared, views, measuring(0)))
    assert {place for place, *_ in found} == {0, 1, 2}
    assert all(np.isfinite(found[place, 0, FRONT].more["rotation"]) for place in range(3))


def test_samples_are_of_the_classes_of_the_photos(tmp_path: Path) -> None:
    root = write(tmp_path, "cub")
    train = open_category(root, "cub", "train-eval")
    config = tiny_bootstrap.config_of(SCENES["cub"])

    def told(classes: int) -> BootstrapGenerator:
        torch.manual_seed(0)
        return BootstrapGenerator(replace(config, network=replace(config.network, classes=classes))).eval()

    net = told(train.classes)
    found = [block.images[0] for block in Samples(net, train, VIEWS, 0).blocks(range(COUNT))]
    for number in range(COUNT):
        place = SeenFrom.of_photo(train, number)
        for label in range(train.classes):
            with torch.no_grad():
                styles = net.styles(net.map(LATENT, torch.tensor([label])))
                draws = torch.Generator().manual_seed(number)
                seen = net.render(styles, place.camera(SIZE), noise="none", draws=draws)
            same = torch.equal(as_bytes(seen.rgb[0].clamp(-1, 1).permute(2, 0, 1)), found[number])
            assert same == (label == train.labels[number])
    with pytest.raises(InputError, match="told one of 2 classes, the photos of cub have 3"):
        Samples(told(2), train, VIEWS, 0)
    category_cases.write_detections(tmp_path)
    with pytest.raises(InputError, match=r"told one of 3 classes, the photos of p3d_car have none: .*--no-generation"):
        Samples(told(3), open_category(tmp_path, "p3d_car", "train-eval"), VIEWS, 0)
