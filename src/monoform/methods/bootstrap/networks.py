"""All networks of bootstrapped inversion together, as weights hold them, and folders of weights opened."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import torch
from torch import nn

from ...errors import InputError
from ...metrics.lpips import Lpips
from ...nn.vgg import CHANNELS, Vgg16
from ...training.weights import architecture_of, pretrained
from .config import BootstrapConfig
from .discriminator import BootstrapDiscriminator, DiscriminatorConfig
from .encoder import BootstrapEncoder, EncoderConfig
from .model import BootstrapGenerator


@dataclass(frozen=True)
class NetworksConfig:
    """A generator, and what weights hold beside it.

    Attributes:
        generator: of the objects.
        encoder: of its images, which photos need; none without.
        discriminator: that it was trained against; none without.
        perceptual: whether there are the weights of LPIPS, by which photos are refined.
    """

    generator: BootstrapConfig = field(default_factory=BootstrapConfig)
    encoder: EncoderConfig | None = None
    discriminator: DiscriminatorConfig | None = None
    perceptual: bool = False


class PerceptualWeights(nn.Module):
    """VGG-16 and the linear layers of LPIPS."""

    def __init__(self) -> None:
        super().__init__()
        self.vgg = Vgg16()
        self.linear = nn.ParameterList([nn.Parameter(torch.zeros(channels)) for channels in CHANNELS])

    @classmethod
    def of(cls, lpips: Lpips) -> PerceptualWeights:
        """Those of a distance."""
        found = cls()
        found.vgg = lpips.vgg
        for own, given in zip(found.linear, lpips.linear, strict=True):
            own.data.copy_(given)
        return found

    @property
    def lpips(self) -> Lpips:
        """The distance by these weights."""
        return Lpips(self.vgg, list(self.linear))


class BootstrapNetworks(nn.Module):
    """The networks, under these names in files of weights."""

    def __init__(self, config: NetworksConfig) -> None:
        super().__init__()
        self.config = config
        self.generator = BootstrapGenerator(config.generator)
        self.encoder = None if config.encoder is None else BootstrapEncoder(config.encoder)
        self.discriminator = None if config.discriminator is None else BootstrapDiscriminator(config.discriminator)
        self.perceptual = PerceptualWeights() if config.perceptual else None


def joined(
    generator: BootstrapGenerator,
    encoder: BootstrapEncoder | None = None,
    discriminator: BootstrapDiscriminator | None = None,
    perceptual: PerceptualWeights | None = None,
) -> BootstrapNetworks:
    """Networks that are there already, together."""
    config = NetworksConfig(
        generator.config,
        None if encoder is None else encoder.config,
        None if discriminator is None else discriminator.config,
        perceptual is not None,
    )
    with torch.device("meta"):
        networks = BootstrapNetworks(config)
    networks.generator, networks.encoder, networks.discriminator = generator, encoder, discriminator
    networks.perceptual = perceptual
    return networks


@dataclass(frozen=True, eq=False)
class Opened:
    """What a folder of weights holds; shared, see `pretrained`.

    Attributes:
        generator: None in the weights of another network alone.
        encoder: where weights hold it.
        discriminator: where weights hold it.
        perceptual: weights of LPIPS, where they lie among them.
    """

    generator: BootstrapGenerator | None = None
    encoder: BootstrapEncoder | None = None
    discriminator: BootstrapDiscriminator | None = None
    perceptual: PerceptualWeights | None = None

    @property
    def lpips(self) -> Lpips | None:
        """The perceptual distance."""
        return None if self.perceptual is None else self.perceptual.lpips


@dataclass(frozen=True, eq=False)
class Inverter:
    """A generator, and what inverts it.

    Attributes:
        generator: of the objects.
        encoder: of its images; None where none was given, and weights hold none.
        lpips: where weights hold it.
    """

    generator: BootstrapGenerator
    encoder: BootstrapEncoder | None
    lpips: Lpips | None


def open_networks(source: str) -> Opened:
    """The networks of a folder: one alone, or several.

    Raises:
        InputError: it is not there, damaged, or holds something else.
    """
    kind = architecture_of(source)
    if kind == BootstrapGenerator.__name__:
        return Opened(pretrained(BootstrapGenerator, BootstrapConfig, source))
    if kind == BootstrapEncoder.__name__:
        return Opened(encoder=pretrained(BootstrapEncoder, EncoderConfig, source))
    if kind == BootstrapDiscriminator.__name__:
        return Opened(discriminator=pretrained(BootstrapDiscriminator, DiscriminatorConfig, source))
    found = pretrained(BootstrapNetworks, NetworksConfig, source)
    return Opened(found.generator, found.encoder, found.discriminator, found.perceptual)


def open_generator(source: str) -> BootstrapGenerator:
    """The generator of a folder.

    Raises:
        InputError: as `open_networks`, or there is an encoder alone.
    """
    found = open_networks(source).generator
    if found is None:
        raise InputError(f"{source} holds no generator: give the folder of one, as the weights.")
    return found


def open_inverter(weights: str, encoder: str = "") -> Inverter:
    """A generator and the encoder that was trained on its images.

    Args:
        weights: folder of the generator.
        encoder: folder of the encoder; "" for that in the generator's folder, if there is one.

    Raises:
        InputError: a folder cannot be used, or the encoder is that of another generator.
    """
    generator, beside = open_generator(weights), open_networks(weights)
    if not encoder:
        return Inverter(generator, beside.encoder, beside.lpips)
    given = open_networks(encoder)
    if given.encoder is None:
        raise InputError(f"{encoder} holds no encoder: give the folder of the generator's encoder.")
    if given.generator is not None and digest_of(generator) != digest_of(given.generator):
        raise InputError(
            f"The encoder of {encoder} was trained on the images of another generator than {weights}: give the encoder "
            f"that was trained with it, or {encoder} as the weights."
        )
    require_fit(generator.config, given.encoder.config, encoder)
    return Inverter(generator, given.encoder, beside.lpips or given.lpips)


def require_fit(config: BootstrapConfig, encoding: EncoderConfig, source: object) -> None:
    """An encoder tells a camera and latents of a generator.

    Raises:
        InputError: it does not; the sentence names the source of the encoder.
    """
    if encoding.latent_dim != config.network.w_dim:
        raise InputError(
            f"{source} tells latents of {encoding.latent_dim} numbers, the generator takes {config.network.w_dim}: "
            "give the encoder that was trained with it."
        )
    if not (encoding.pose and encoding.latent):
        raise InputError(f"{source} tells no camera or no latent: give an encoder that tells both.")


def digest_of(net: BootstrapGenerator) -> str:
    """The same for two generators of the same training at the same step, in whatever precision they were stored."""
    found = hashlib.sha256()
    for name, value in sorted(net.decoder.state_dict().items()):
        found.update(f"{name} {tuple(value.shape)}".encode() + value.half().cpu().numpy().tobytes())
    return found.hexdigest()
