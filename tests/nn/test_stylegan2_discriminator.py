"""The discriminator's parts: groups of a minibatch, layers that do not learn, sizes that cannot be."""

from __future__ import annotations

import pytest
import torch

from monoform.errors import InputError
from monoform.nn.stylegan2.discriminator import ResidualTrunk, minibatch_std


def test_images_of_one_group_share_what_they_differ_by() -> None:
    """Of four images in groups of two, 0 goes with 2 and 1 with 3: the deviation of 0 and d is d / 2."""
    x = torch.zeros(4, 3, 4, 4)
    x[2], x[3] = 2.0, 6.0
    found = minibatch_std(x, 2)[:, 3]
    assert torch.allclose(found, torch.tensor([1.0, 3.0, 1.0, 3.0])[:, None, None].expand(4, 4, 4), atol=1e-4)


def test_a_batch_without_groups_is_refused_or_divided() -> None:
    x = torch.randn(6, 2, 4, 4)
    with pytest.raises(InputError, match="no groups of 4"):
        minibatch_std(x, 4)
    assert torch.equal(minibatch_std(x, 4, divisor=True), minibatch_std(x, 3))


@pytest.mark.parametrize(("frozen", "names"), [(0, []), (2, ["b16.fromrgb", "b16.conv0"]), (5, ["b16.*", "b8.conv0"])])
def test_frozen_layers_keep_their_place_and_learn_nothing(frozen: int, names: list[str]) -> None:
    trunk = ResidualTrunk(16, 3, channel_base=128, channel_max=8, frozen=frozen)
    assert set(trunk.state_dict()) == set(ResidualTrunk(16, 3, channel_base=128, channel_max=8).state_dict())
    still = {name.rpartition(".")[0] for name in trunk.state_dict()} - {
        name.rpartition(".")[0] for name, _ in trunk.named_parameters()
    }
    layers = ("fromrgb", "conv0", "conv1", "skip")
    wanted = {f"b16.{part}" for part in layers} if "b16.*" in names else set()
    assert still == wanted | {name for name in names if "*" not in name}


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(InputError, match="power of two"):
        ResidualTrunk(48, 3)
