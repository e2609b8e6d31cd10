"""Features of images: networks from the user's files, statistics without any, and names that say which."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from monoform.errors import InputError
from monoform.metrics.features import (
    InceptionFeatures,
    LiteFeatures,
    PyramidFeatures,
    VggFeatures,
    _resized_as_tensorflow,
    as_bytes,
    features_of,
    frechet_name,
    kernel_name,
    open_features,
    precision_name,
    score_name,
)
from monoform.metrics.frechet import Moments, frechet_distance
from monoform.nn.efficientnet_lite import EfficientNetLite0
from monoform.nn.inception import InceptionV3
from monoform.nn.vgg import Vgg16, Vgg16Features


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    net = InceptionV3()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    file = tmp_path_factory.mktemp("weights") / "inception.pth"
    state = {name: tensor for name, tensor in net.state_dict().items() if "num_batches" not in name}  # as old files
    torch.save(state, file)
    return file


def pictures(count: int, seed: int = 0, size: int = 40) -> torch.Tensor:
    """Soft blobs on gray."""
    coarse = torch.rand(count, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    return (255 * interpolate(coarse, size, mode="bilinear")).to(torch.uint8)


def test_inception_has_the_published_names_and_size() -> None:
    with torch.device("meta"):
        net = InceptionV3()
    assert sum(tensor.numel() for tensor in net.parameters()) == 23_850_960
    names = net.state_dict()
    assert tuple(names["Mixed_7c.branch3x3dbl_3b.conv.weight"].shape) == (384, 384, 3, 1)
    assert tuple(names["fc.weight"].shape) == (1008, 2048)
    assert len([name for name in names if name.endswith("conv.weight")]) == 94


def test_inception_loads_and_both_resizings_differ(inception_file: Path) -> None:
    images = pictures(2)
    first, other = (open_features(name, inception_file) for name in ("inception", "inception-pytorch"))
    assert isinstance(first, InceptionFeatures)
    found = first(images)
    assert found.shape == (2, first.size) and torch.equal(found, first(images)) and bool((found >= 0).all())
    assert not torch.equal(found, other(images))
    by_hand = first.net(2 * interpolate(images / 255, (299, 299), mode="bilinear") - 1)
    assert torch.equal(other(images), by_hand)
    chances = first.probabilities(found)
    assert chances.shape == (2, 1008) and torch.allclose(chances.sum(dim=1), torch.ones(2))
    names = frechet_name(first, "n"), frechet_name(other, "n-1"), kernel_name(first), score_name(first)
    assert names == ("fid_inception2015_n", "fid_inception2015-pytorch_n-1", "kid_inception2015", "is10_inception2015")


def test_files_of_other_networks_are_refused(tmp_path: Path) -> None:
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in InceptionV3().state_dict().items()}
    small = {name: torch.zeros(1) for name in shapes}
    torch.save(small, tmp_path / "small.pth")
    with pytest.raises(InputError, match=r"small\.pth .*pt_inception-2015-12-05"):
        open_features("inception", tmp_path / "small.pth")
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "vgg.pth")
    with pytest.raises(InputError, match=r"pt_inception"):
        open_features("inception", tmp_path / "vgg.pth")
    torch.save(Vgg16().state_dict(), tmp_path / "convolutions.pth")
    with pytest.raises(InputError, match=r"no tensor 'classifier\.0\.weight'"):
        open_features("vgg16", tmp_path / "convolutions.pth")
    for name in ("inception", "vgg16"):
        with pytest.raises(InputError, match=f"{name!r} need a file of weights"):
            open_features(name)


def test_vgg_has_torchvisions_names_and_resizes_to_224() -> None:
    with torch.device("meta"):
        net = Vgg16Features()
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert shapes["classifier.0.weight"] == (4096, 25088) and shapes["classifier.3.weight"] == (4096, 4096)
    assert shapes["features.28.weight"] == (512, 512, 3, 3) and len(shapes) == 30
    features = VggFeatures(net)
    assert features(pictures(2).to("meta")).shape == (2, features.size)
    assert precision_name(features, "recall") == "recall3_vgg16-fc2"
    assert frechet_name(features, "n") == "frechet_vgg16-fc2_n"


def test_tensorflows_resizing_has_no_half_pixel() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert torch.equal(_resized_as_tensorflow(x[..., :2], 2), x[..., :2])
    doubled = _resized_as_tensorflow(x[:, :, :, :2], 4)
    assert doubled[0, 0].tolist() == [[0, 0.5, 1, 1], [1.5, 2, 2.5, 2.5], [3, 3.5, 4, 4], [3, 3.5, 4, 4]]
    assert torch.equal(_resized_as_tensorflow(doubled, 2), x[..., :2])


def test_images_are_rounded_as_published() -> None:
    values = torch.tensor([[-1.0, 1.0, 0.0, -2.0, 2.0, 0.0039]])
    assert as_bytes(values).tolist() == [[0, 255, 128, 0, 255, 128]]


def distance(first: torch.Tensor, second: torch.Tensor) -> float:
    net = PyramidFeatures()
    moments = Moments(net.size), Moments(net.size)
    for found, images in zip(moments, (first, second), strict=True):
        for features in features_of(net, images.split(16)):
            found.add(features)
    return frechet_distance(*moments, "n-1")


def test_the_pyramid_ranks_what_a_training_goes_through() -> None:
    """The same distribution, then with noise, blurred, of other colors, and collapsed: each is noticed, and by more."""
    real, other = pictures(128), pictures(128, seed=1)
    noise = torch.randint(-40, 40, real.shape, generator=torch.Generator().manual_seed(2))
    noisy, noisier = ((other.int() + part).clamp(0, 255).to(torch.uint8) for part in (noise // 4, noise))
    blurred = torch.nn.functional.avg_pool2d(other.float(), 9, 1, 4).to(torch.uint8)
    collapsed = other[:1].expand_as(other)
    near = distance(real, other)
    assert near < distance(real, noisy) < distance(real, noisier)
    for worse in (blurred, other // 2, collapsed):
        assert distance(real, worse) > 1.5 * near
    assert frechet_name(PyramidFeatures(), "n-1") == "frechet_pyramid_n-1"
    assert PyramidFeatures()(real[:3]).shape == (3, PyramidFeatures.size)
    assert np.isfinite(PyramidFeatures()(pictures(1, size=200)).numpy()).all()


def test_the_backbone_of_the_mask_network_tells_pictures_apart_without_a_file() -> None:
    net = open_features("efficientnet-lite0")
    assert isinstance(net, LiteFeatures) and net.size == 192
    assert frechet_name(net, "n") == "frechet_efficientnet-lite0-matting_n"
    one, other = pictures(12, size=64), pictures(12, seed=1, size=64)
    noise = torch.randint(0, 256, one.shape, generator=torch.Generator().manual_seed(2), dtype=torch.uint8)

    def moments(images: torch.Tensor) -> Moments:
        found = Moments(net.size)
        for part in features_of(net, images.split(5)):
            found.add(part)
        return found

    whole = net(one)
    assert whole.shape == (12, 192) and bool(whole.isfinite().all())
    # Rounding in other batches, of features of the order of 10.
    torch.testing.assert_close(torch.cat([net(part) for part in one.split(5)]), whole, atol=1e-3, rtol=1e-3)
    near, far = (frechet_distance(moments(one), moments(images), "n") for images in (other, noise))
    assert far > 2 * near


def test_the_backbone_by_published_weights_has_another_name(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = EfficientNetLite0()
    torch.save(net.state_dict(), tmp_path / "lite.pth")
    found = open_features("efficientnet-lite0", tmp_path / "lite.pth")
    assert found.name == "efficientnet-lite0"
    large = pictures(2, size=224)
    by_hand = net.eval()(large / 255)[-1].mean(dim=(2, 3)).detach()  # no resizing at the network's own size
    torch.testing.assert_close(found(large), by_hand, atol=1e-5, rtol=1e-4)
    torch.save({"conv_stem.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other\.pth does not fit EfficientNet-Lite0"):
        open_features("efficientnet-lite0", tmp_path / "other.pth")
