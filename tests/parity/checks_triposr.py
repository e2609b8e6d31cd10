"""TripoSR's networks against golden cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from torch import Tensor, nn

from monoform.methods.triposr.config import TripoSrConfig
from monoform.methods.triposr.decoder import PointDecoder
from monoform.methods.triposr.model import ImageTokenizer, TriplaneTokenizer, TripoSrNet, Upsampler
from monoform.methods.triposr.published_tree import config_of, decoder_of, transformer_of
from monoform.nn.transformer import Block, Transformer
from monoform.nn.vit import VitConfig, resized_positions


def tensors(case: Case, prefix: str = "") -> dict[str, Tensor]:
    """The case's checkpoint below a prefix."""
    state = {name: torch.from_numpy(value) for name, value in fill_state(case.manifest).items()}
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def filled(module: nn.Module, case: Case, prefix: str = "") -> Any:
    """A part with the case's weights, in evaluation mode."""
    module.load_state_dict(tensors(case, prefix))
    return module.eval()


def vit_of(config: Fields) -> VitConfig:
    config.one_of("hidden_act", "gelu")
    return VitConfig(
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        hidden=config["intermediate_size"],
        image_size=config["image_size"],
        patch=config["patch_size"],
        epsilon=config["layer_norm_eps"],
        qkv_bias=config["qkv_bias"],
        channels=config["num_channels"],
    )


def model_of(case: Case) -> TripoSrConfig:
    """The published configuration, and the network that sees the picture as the manifest says its sizes."""
    return config_of(case.config["model"], vit_of(case.config["vit"]))


def watched(modules: list[nn.Module]) -> list[Tensor]:
    """What the modules give, in the order in which they are run, once they are."""
    seen: list[Tensor] = []
    for module in modules:
        module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    return seen


def part(values: Tensor, *strides: int) -> Tensor:
    """Every so many entries along the last axes."""
    return values[(..., *(slice(None, None, stride) for stride in strides))]


def compare_moments(case: Case, name: str, values: Tensor, axes: tuple[int, ...]) -> None:
    case.compare(f"{name}_mean", values.mean(axes))
    case.compare(f"{name}_std", values.std(axes))


@check("triposr", "checkpoint_keys")
def checkpoint_keys(case: Case) -> None:
    with torch.device("meta"):
        state = TripoSrNet(model_of(case)).state_dict()
    listed = {row["key"]: tuple(row["shape"]) for row in case.manifest["tensors"]}
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == listed, "names and shapes"
    sizes = {name: tensor.numel() for name, tensor in state.items()}
    groups = sorted({name.split(".")[0] for name in sizes})
    case.compare("groups", np.array(groups))
    of_group = [sum(size for name, size in sizes.items() if name.split(".")[0] == group) for group in groups]
    case.compare("group_parameters", np.array(of_group, np.int64))
    case.compare("total", np.array(sum(of_group), np.int64))
    case.compare("tensors", np.array(len(sizes), np.int64))


@check("triposr", "pos_embed")
def pos_embed(case: Case) -> None:
    vit = vit_of(case.config["vit"])
    table = tensors(case)["image_tokenizer.model.embeddings.position_embeddings"]
    assert table.shape[1:] == (1 + (vit.image_size // vit.patch) ** 2, vit.width), "config.vit is not that of the table"
    for size in case.config["sizes"]:
        side = size // vit.patch
        case.compare(f"pos_{size}", part(resized_positions(table, side, side)[0], *case.config["stride"]))


@check("triposr", "image_tokenizer")
def image_tokenizer(case: Case) -> None:
    net = filled(ImageTokenizer(vit_of(case.config["vit"])), case, "image_tokenizer.")
    images = case.tensor("images").float().permute(0, 3, 1, 2) / 255
    assert images.shape[-1] == case.config["cond_image_size"], "config.cond_image_size is not that of the images"
    layers = watched(list(net.model.encoder.layer))
    with torch.inference_mode():
        tokens = net(images)
    case.compare("tokens", part(tokens, *case.config["stride"]))
    compare_moments(case, "tokens", tokens, (0, 1))
    for name in case.names("hidden_"):
        case.compare(name, part(layers[int(name.removeprefix("hidden_"))], *case.config["stride"]))


@check("triposr", "backbone_block")
def backbone_block(case: Case) -> None:
    config = transformer_of(case.config["backbone"])
    block = filled(Block(config), case, "backbone.transformer_blocks.0.")
    branches = watched([block.attn1, block.attn2, block.ff])
    x, context, stride = case.tensor("x"), case.tensor("context"), case.config["stride"]
    with torch.inference_mode():
        case.compare("output", part(block(x, context), stride))
    for name, values in zip(("self_attention", "cross_attention", "feed_forward"), branches, strict=True):
        case.compare(name, part(values, stride))


class PlanesNet(nn.Module):
    """The parts of the network from the planes' tokens on, without the picture's."""

    def __init__(self, config: Fields) -> None:
        super().__init__()
        planes, post = config["tokenizer"], config["post_processor"]
        self.tokenizer = TriplaneTokenizer(planes["num_channels"], planes["plane_size"])
        self.backbone = Transformer(transformer_of(config["backbone"]))
        self.post_processor = Upsampler(post["in_channels"], post["out_channels"])


@check("triposr", "backbone")
def backbone(case: Case) -> None:
    net = filled(PlanesNet(case.config), case)
    context = case.tensor("context")
    blocks = watched(list(net.backbone.transformer_blocks))
    with torch.inference_mode():
        tokens = net.tokenizer(len(context))
        case.compare("tokens_in", tokens[:1])
        out = net.backbone(tokens, context)
        case.compare("tokens_out", out)
        planes = net.tokenizer.planes(out)
        case.compare("planes", planes)
        case.compare("scene_codes", net.post_processor(planes))
    assert len(blocks) == len(case.names("block_")), "blocks of the backbone"
    for number, values in enumerate(blocks):
        case.compare(f"block_{number}", values)


def decoder(case: Case) -> PointDecoder:
    config = case.config["decoder"]
    return filled(PointDecoder(config["in_channels"], decoder_of(config)), case, "decoder.")


@check("triposr", "decoder")
def point_decoder(case: Case) -> None:
    net = decoder(case)
    linears = watched([layer for layer in net.layers if isinstance(layer, nn.Linear)])
    with torch.inference_mode():
        found = net(case.tensor("x"))
    case.compare("density", found[:, :1])
    case.compare("features", found[:, 1:])
    case.compare("first_linear", linears[0])
    case.compare("last_hidden_linear", linears[-2])
