"""The parts of a Stable Diffusion, read from a folder or the hub; what libraries say becomes one sentence."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..computing import is_offline
from ..errors import InputError

EXTRA = "Stable Diffusion needs the packages diffusers and transformers: pip install 'monoform[diffusion]'."
USUAL = "stable-diffusion-v1-5/stable-diffusion-v1-5"
PARTS = ("vae", "unet", "text_encoder", "tokenizer", "scheduler")


def part_kinds() -> dict[str, Any]:
    """The classes of the parts, of diffusers and transformers.

    Raises:
        InputError: a package is missing.
    """
    try:
        from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
        from transformers import CLIPTextModel, CLIPTokenizer
    except ImportError as error:
        raise InputError(EXTRA) from error
    # Only the table of noise is used, which every scheduler makes of the same configuration.
    kinds = (AutoencoderKL, UNet2DConditionModel, CLIPTextModel, CLIPTokenizer, DDPMScheduler)
    return dict(zip(PARTS, kinds, strict=True))


def read_part(
    kind: Any,
    source: str | Path,
    name: str,
    dtype: torch.dtype,
    *,
    parts: Sequence[str] = PARTS,
    model: str = "Stable Diffusion",
    usual: str = USUAL,
) -> Any:
    """One part of a model; what the libraries say of a failure becomes one sentence.

    Args:
        parts: names of all parts of such a model.
        model: kind of model that it is.
        usual: one on the hub.

    Raises:
        InputError: it is not there, or damaged.
    """
    where = Path(source).expanduser()
    if where.is_dir():
        if not (where / name).is_dir():
            raise InputError(
                f"{source} has no folder {name}: give a {model} in the layout of diffusers, with the folders "
                f"{', '.join(parts)}."
            )
        source = str(where)
    elif str(source).count("/") != 1 or where.exists() or where.parent.is_dir():
        raise InputError(
            f"{source} is neither the folder of a diffusion model nor OWNER/NAME on the hub. {advice(usual)}"
        )
    options: dict[str, Any] = {"local_files_only": is_offline() or where.is_dir()}
    if isinstance(kind, type) and issubclass(kind, nn.Module):
        options["torch_dtype" if kind.__module__.startswith("diffusers") else "dtype"] = dtype
    try:
        with quiet():
            return kind.from_pretrained(str(source), subfolder=name, **options)
    except Exception as error:  # of the network, the hub, damaged files: each library has its own
        reason = str(error).strip().split("\n")[0][:200]
        raise InputError(
            f"The part {name} of the diffusion model {source} cannot be had ({reason}). {advice(usual)}"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """The libraries neither warn nor show progress of their own."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    shown = [module.is_progress_bar_enabled() for module in (of_transformers, of_diffusers)]
    for module in (of_transformers, of_diffusers):
        module.disable_progress_bar()
    hub = logging.getLogger("huggingface_hub")
    level = hub.level
    hub.setLevel(logging.ERROR)  # it tells each of its attempts where there is no network
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        hub.setLevel(level)
        for module, was in zip((of_transformers, of_diffusers), shown, strict=True):
            if was:
                module.enable_progress_bar()


def advice(usual: str = USUAL) -> str:
    """What to do where there is no model."""
    return f"Where there is a network, `hf download {usual} --local-dir DIR` fetches one; give DIR."


def offload_layers(unet: nn.Module, device: torch.device) -> None:
    """Keep a network on the CPU; its layers come to `device` one after the other when they compute.

    Raises:
        InputError: the package accelerate is missing.
    """
    try:
        from accelerate import cpu_offload
    except ImportError as error:
        raise InputError("Offloading needs the package accelerate: pip install 'monoform[diffusion]'.") from error
    cpu_offload(unet, execution_device=device)
