"""The perceptual distance by the features of EfficientNet-Lite0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from monoform import InputError
from monoform.metrics.feature_distance import FeatureDistance
from monoform.nn.efficientnet_lite import EfficientNetLite0


@pytest.fixture(scope="module")
def distance() -> FeatureDistance:
    torch.manual_seed(0)
    return FeatureDistance(EfficientNetLite0())


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)


def test_equal_pictures_are_at_zero_and_others_are_not(distance: FeatureDistance, pictures: np.ndarray) -> None:
    maps = distance.features(pictures)
    assert [one.shape[1:] for one in maps] == [(16, 32, 32), (24, 16, 16), (40, 8, 8), (112, 4, 4), (192, 2, 2)]
    assert (distance.between(maps, maps) == 0).all()
    others = distance.features(255 - pictures)
    there = distance.between(maps, others)
    assert (there > 0).all() and there == pytest.approx(distance.between(others, maps))


def test_a_fault_that_grows_lies_farther(distance: FeatureDistance, pictures: np.ndarray) -> None:
    true = distance.features(np.full_like(pictures, 200))
    found = []
    for width in (2, 8, 32):
        banded = np.full_like(pictures, 200)
        banded[:, :, :width] = pictures[:, :, :width]
        found.append(distance.between(distance.features(banded), true).mean())
    assert found[0] < found[1] < found[2]


def test_features_are_counted_in_the_spread_that_the_norms_give(pictures: np.ndarray) -> None:
    net = EfficientNetLite0()
    raw = net.eval()(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255)
    for index in range(11, 15):
        net.blocks[index].bn2.weight.data.fill_(3.0)
    raised = net(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255)
    found = FeatureDistance(net).features(pictures)
    assert [block.adds for block in net.blocks[11:15]] == [False, True, True, True]
    assert torch.allclose(found[-1], raised[-1] / 6.0), "four norms of weight 3 add up to a variance of 36"
    assert torch.allclose(found[0], raw[0]), "one norm of weight 1"


def test_other_weights_stand_in_the_name(tmp_path: Path, pictures: np.ndarray) -> None:
    torch.manual_seed(1)
    net = EfficientNetLite0()
    torch.save({f"_{name}": tensor for name, tensor in net.state_dict().items()}, tmp_path / "net.pth")
    found = FeatureDistance.load(tmp_path / "net.pth")
    assert found.name.startswith("perceptual_lite0-") and len(found.name) == len("perceptual_lite0-") + 8
    assert torch.equal(found.features(pictures)[0], FeatureDistance(net).features(pictures)[0])
    with pytest.raises(InputError, match=r"missing\.pth"):
        FeatureDistance.load(tmp_path / "missing.pth")
