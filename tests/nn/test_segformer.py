"""SegFormer: sizes and names, the head's order of work, branches left out in training, weights from a user's file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from monoform import InputError
from monoform.nn.segformer import SMALL, Attention, Block, Segformer, SegformerConfig, load_mix_transformer

TINY = SegformerConfig((4, 6, 8, 8), (1, 2, 2, 4), (1, 2, 1, 1), (2, 2, 2, 2), head_width=5, channels=7, drop_path=0.5)


def test_the_published_network_has_its_parameters_and_names():
    with torch.device("meta"):
        net = Segformer()
    assert round(sum(one.numel() for one in net.parameters()) / 1e6, 2) == 84.99
    names = net.state_dict()
    assert len(names) == 1064
    assert tuple(names["block3.39.attn.sr.weight"].shape) == (320, 320, 2, 2)
    assert "block4.0.attn.sr.weight" not in names
    assert tuple(names["linear_fuse.weight"].shape) == (768, 3072, 1, 1)


def test_maps_halve_and_the_output_has_a_quarter_of_the_resolution():
    net = Segformer(TINY).eval()
    images = torch.rand(2, 3, 64, 48)
    assert [tuple(x.shape) for x in net.stages(images)] == [(2, 16, 12, 4), (2, 8, 6, 6), (2, 4, 3, 8), (2, 2, 2, 8)]
    assert net(images).shape == (2, 7, 16, 12)
    with pytest.raises(InputError, match=r"32 x 32 pixels or more, not 64 x 31"):
        net(torch.rand(1, 3, 31, 64))


def test_the_head_mixes_before_it_enlarges_as_if_it_were_after():
    net = Segformer(TINY).eval()
    maps = net.stages(torch.rand(2, 3, 64, 64))
    large = []
    for stage in (4, 3, 2, 1):
        x = net.get_submodule(f"linear_c{stage}").proj(maps[stage - 1]).permute(0, 3, 1, 2)
        large.append(functional.interpolate(x, (16, 16), mode="bilinear", align_corners=False))
    torch.testing.assert_close(net.head(maps), net.linear_pred(net.linear_fuse(torch.cat(large, dim=1))))


def test_attention_is_the_softmax_of_products():
    block = Block(6, 2, 12, 1, 0.0)
    x = torch.randn(1, 2, 3, 6)
    attention = block.attn
    tokens = x.flatten(1, 2)[0]
    query, both = attention.q(tokens), attention.kv(tokens)
    heads = []
    for head in range(2):
        part = slice(3 * head, 3 * head + 3)
        key, value = both[:, :6][:, part], both[:, 6:][:, part]
        heads.append(torch.softmax(query[:, part] @ key.T / 3**0.5, dim=-1) @ value)
    torch.testing.assert_close(attention(x).flatten(1, 2)[0], attention.proj(torch.cat(heads, dim=-1)))


def test_a_single_key_has_all_the_weight_and_its_query_no_gradient_at_all():
    """Not even that of rounding, which an optimizer that divides by the gradient's size would follow."""
    torch.manual_seed(0)
    attention = Attention(width=12, heads=3, reduction=4)
    found = attention(torch.randn(2, 4, 4, 12))
    found.square().sum().backward()
    assert attention.q.weight.grad is not None and attention.kv.weight.grad is not None
    assert attention.q.weight.grad.count_nonzero() == 0 and attention.kv.weight.grad.count_nonzero() > 0
    torch.testing.assert_close(found, found[:, :1, :1].expand_as(found))


def test_a_sample_without_branches_passes_through_and_what_is_kept_is_rescaled():
    block = Block(4, 1, 8, 1, 0.5).train()
    x = torch.randn(2, 3, 3, 4)
    found = block(x, iter([torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0])]))
    torch.testing.assert_close(found[0], x[0])
    once = x[1:] + 2 * block.attn(block.norm1(x[1:]))
    torch.testing.assert_close(found[1:], once + 2 * block.mlp(block.norm2(once)))
    block.eval()
    torch.testing.assert_close(
        block(x), x + block.attn(block.norm1(x)) + block.mlp(block.norm2(x + block.attn(block.norm1(x))))
    )


def test_branches_are_left_out_as_often_as_asked_and_never_of_the_first_block():
    net = Segformer(TINY).train()
    rates = [block.drop for stage in range(1, 5) for block in net.get_submodule(f"block{stage}")]
    assert rates == pytest.approx([0.0, 0.125, 0.25, 0.375, 0.5])
    block = net.get_submodule("block4.0")
    torch.manual_seed(0)
    branch = block._kept(torch.ones(4000, 1, 1, 1), None)
    assert set(branch.unique().tolist()) == {0.0, 2.0}
    assert float(branch.mean()) == pytest.approx(1.0, abs=0.06)


def test_weights_of_a_file_fill_the_stages_and_leave_the_head(tmp_path: Path):
    torch.manual_seed(1)
    source, net = Segformer(TINY), Segformer(TINY)
    state = {name: tensor for name, tensor in source.state_dict().items() if not name.startswith("linear_")}
    state |= {"head.weight": torch.zeros(10, 8), "head.bias": torch.zeros(10)}
    torch.save(state, tmp_path / "mit.pth")
    head = net.linear_pred.weight.clone()
    load_mix_transformer(net, tmp_path / "mit.pth")
    assert torch.equal(net.linear_pred.weight, head)
    images = torch.rand(1, 3, 32, 32)
    for ours, theirs in zip(net.eval().stages(images), source.eval().stages(images), strict=True):
        torch.testing.assert_close(ours, theirs)
    with pytest.raises(InputError, match=r"mit_b5\.pth"):
        load_mix_transformer(Segformer(replace(TINY, widths=(4, 6, 8, 12))), tmp_path / "mit.pth")
    del state["norm3.weight"]
    torch.save(state, tmp_path / "mit.pth")
    with pytest.raises(InputError, match=r"lacks 1 tensors like 'norm3\.weight'"):
        load_mix_transformer(net, tmp_path / "mit.pth")


def test_sizes_that_make_no_network_are_refused():
    with pytest.raises(InputError, match="do not divide"):
        replace(TINY, heads=(3, 2, 2, 4))
    with pytest.raises(InputError, match="give four"):
        replace(TINY, depths=(1, 1))
    with pytest.raises(InputError, match="drop_path"):
        replace(TINY, drop_path=1.0)


def test_the_small_one_is_small():
    with torch.device("meta"):
        assert sum(one.numel() for one in Segformer(SMALL).parameters()) < 500_000
