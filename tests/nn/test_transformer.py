"""Attention, the transformer and the ViT against what their equations say."""

from __future__ import annotations

import math

import pytest
import torch

from monoform import InputError
from monoform.nn.attention import attended_by_heads
from monoform.nn.transformer import Attention, Transformer, TransformerConfig
from monoform.nn.vit import Vit, VitConfig, resized_positions

TINY = TransformerConfig(channels=8, heads=2, head_width=3, blocks=2, context=5, groups=4)
VIT = VitConfig(width=6, layers=2, heads=2, hidden=8, image_size=16, patch=8)


def test_attention_is_a_mean_weighted_by_likeness() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 4, 6), torch.randn(2, 7, 6), torch.randn(2, 7, 6)
    found = attended_by_heads(query, key, value, 3)
    for head in range(3):
        part = slice(2 * head, 2 * head + 2)
        weights = torch.softmax(query[..., part] @ key[..., part].mT / math.sqrt(2), dim=-1)
        torch.testing.assert_close(found[..., part], weights @ value[..., part])


def test_order_does_not_matter_but_to_the_tokens_themselves() -> None:
    torch.manual_seed(1)
    net, tokens, context = Transformer(TINY).eval(), torch.randn(1, 8, 9), torch.randn(1, 4, 5)
    order = torch.randperm(9)
    with torch.no_grad():
        plain = net(tokens, context)
        torch.testing.assert_close(net(tokens[..., order], context), plain[..., order], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(net(tokens, context.flip(1)), plain, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(net(tokens, 2 * context), plain, atol=1e-3)


@pytest.mark.parametrize("activation", ["geglu", "gelu", "gelu-approximate", "geglu-approximate"])
def test_every_activation_makes_other_tokens(activation: str) -> None:
    torch.manual_seed(2)
    net = Transformer(TransformerConfig(8, 2, 3, 1, 5, bias=True, activation=activation, groups=2))
    assert net.transformer_blocks[0].ff.net[0].proj.out_features == (48 if activation == "geglu" else 24)
    assert Attention(net.config, 5).to_k.bias is not None
    assert net(torch.randn(2, 8, 3), torch.randn(2, 1, 5)).shape == (2, 8, 3)


def test_sizes_that_make_no_network_are_refused() -> None:
    for made, said in (
        (lambda: TransformerConfig(channels=9), "32 groups do not divide its 9 channels"),
        (lambda: VitConfig(heads=7), "7 heads must divide its width 768"),
        (lambda: VitConfig(layers=0), "layers is 0"),
    ):
        with pytest.raises(InputError, match=said):
            made()


def test_positions_of_the_size_that_was_learned_are_kept_and_others_lie_between() -> None:
    side = 4
    ramp = torch.tensor([0.0, 2.0, -1.0, 3.0])
    grid = torch.stack((ramp[:, None].expand(side, side), ramp.expand(side, side)), -1).reshape(1, -1, 2)
    table = torch.cat((torch.full((1, 1, 2), 9.0), grid), dim=1)
    assert resized_positions(table, side, side) is table
    larger = resized_positions(table, 8, 6)
    assert larger.shape == (1, 49, 2) and larger[0, 0].tolist() == [9.0, 9.0]
    rows, columns = larger[0, 1:].reshape(8, 6, 2).unbind(-1)
    torch.testing.assert_close(rows[:, 0], cubic(ramp, 8), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(columns[0], cubic(ramp, 6), atol=1e-5, rtol=1e-5)


def cubic(values: torch.Tensor, patches: int) -> torch.Tensor:
    """Keys (1981), a = -0.75, at (i + 1/2) side / (patches + 0.1) - 1/2; the border goes on."""
    found = []
    for at in (torch.arange(patches) + 0.5) * len(values) / (patches + 0.1) - 0.5:
        first = int(at.floor()) - 1
        gaps = (at - torch.arange(first, first + 4)).abs()
        near = 1.25 * gaps**3 - 2.25 * gaps**2 + 1
        far = -0.75 * gaps**3 + 3.75 * gaps**2 - 6 * gaps + 3
        places = torch.arange(first, first + 4).clamp(0, len(values) - 1)
        found.append((torch.where(gaps <= 1, near, far) * values[places]).sum())
    return torch.stack(found)


def test_a_vit_gives_a_token_for_all_and_one_for_each_patch() -> None:
    torch.manual_seed(3)
    net = Vit(VIT).eval()
    assert not any(name.startswith("pooler") for name in net.state_dict())
    assert Vit(VIT, pooler=True).pooler is not None
    pictures = torch.rand(2, 3, 24, 16)
    with torch.no_grad():
        tokens = net(pictures)
        assert tokens.shape == (2, 1 + 3 * 2, 6)
        other = pictures.clone()
        other[:, :, -1, -1] += 0.5  # of the last patch, which all tokens look at
        assert not torch.allclose(net(other)[:, 0], tokens[:, 0])
