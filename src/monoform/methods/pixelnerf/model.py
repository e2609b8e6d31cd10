"""pixelNeRF (Yu et al. 2021): images of an object to a radiance field."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...camera import Camera
from ...devices import full_precision
from ...errors import InputError
from ...nn.encoding import FrequencyEncoding
from ...nn.field import FieldSamples
from .config import PixelNerfConfig
from .encoded import Encoded, as_batch
from .encoder import GlobalEncoder, SpatialEncoder, look_up
from .mlp import ResnetFC

SMALLEST = 4


class PixelNerfNet(nn.Module):
    """The encoder and the two networks that look its features up; names of tensors are those of published files."""

    def __init__(self, config: PixelNerfConfig | None = None) -> None:
        super().__init__()
        self.config = config or PixelNerfConfig()
        network = self.config.network
        whole = network.encoder_features
        self.encoder = GlobalEncoder(network.backbone, whole) if whole else SpatialEncoder(network)
        features = network.global_features + (self.encoder.channels if network.use_features else 0)
        seen = 3 if network.use_xyz else 1
        if network.use_directions and network.encode_directions:
            seen += 3
        inputs = seen
        if network.encode_positions:
            kept = network.keep_positions
            self.code = FrequencyEncoding(network.frequencies, seen, factor=network.factor, include_input=kept)
            inputs = self.code.output_dimensions
        if network.use_directions and not network.encode_directions:
            inputs += 3
        self.mlp_coarse = ResnetFC(features, inputs, network)
        self.mlp_fine = None if network.share_perceptron else ResnetFC(features, inputs, network.fine or network)
        if network.global_features:
            self.global_encoder = GlobalEncoder(network.global_backbone, network.global_features)

    def encode(self, images: Float[Tensor, "b v h w 3"], cameras: Camera) -> Encoded:
        """Encode the source views of b objects.

        Args:
            images: sRGB 0..1, v views of each object, on the background that the network was trained with.
            cameras: b v pinholes of the images, those of an object side by side; each has intrinsics of its own.

        Raises:
            InputError: there are not as many cameras as images, of another size, or no pinholes.
        """
        objects, views, height, width = images.shape[:4]
        if (len(cameras), cameras.width, cameras.height) != (objects * views, width, height):
            raise InputError(
                f"pixelNeRF got {objects * views} images of {width} x {height} and {len(cameras)} cameras of "
                f"{cameras.width} x {cameras.height}: give one camera of the same size for each image."
            )
        if views > 1 and any(
            mlp.config.pooled_block >= mlp.config.blocks for mlp in map(self.perceptron, (False, True))
        ):
            raise InputError(f"This network pools no views: give one view of each object, not {views}.")
        if cameras.model != "pinhole" or min(height, width) < SMALLEST:
            raise InputError(f"pixelNeRF takes pinhole images of at least {SMALLEST} pixels, not {width} x {height}.")
        batch = as_batch(images)
        latent = self.encoder(batch)
        if latent.ndim == 2:  # one vector for the whole image is the same at all its pixels
            latent = latent[:, :, None, None].expand(-1, -1, 2, 2)
        if self.config.network.stop_encoder_gradient:
            latent = latent.detach()
        vectors = self.global_encoder(batch) if self.config.network.global_features else None
        # Under autocast features may be coarse; where points are seen may not.
        return Encoded.of(views, latent.to(images.dtype), vectors, cameras.to(images))

    def query(
        self,
        encoded: Encoded,
        points: Float[Tensor, "b p 3"],
        directions: Float[Tensor, "b p 3"],
        *,
        fine: bool = True,
    ) -> FieldSamples:
        """Density per world unit and sRGB 0..1 at world points, seen along unit directions."""
        return heads(self.raw(encoded, points, directions, fine=fine))

    def raw(
        self, encoded: Encoded, points: Float[Tensor, "b p 3"], directions: Float[Tensor, "b p 3"], *, fine: bool
    ) -> Float[Tensor, "b p 4"]:
        """Color and density before the heads; under autocast the perceptrons alone are coarser."""
        with full_precision(points):
            inputs, local = self.inputs(encoded, points, directions)
            features = self.features(encoded, encoded.pixels(local))
        return self.perceptron(fine)(features, inputs, views=encoded.views).to(points.dtype)

    def perceptron(self, fine: bool) -> ResnetFC:
        """The fine or the coarse network."""
        return self.mlp_fine if fine and self.mlp_fine is not None else self.mlp_coarse

    def inputs(
        self, encoded: Encoded, points: Float[Tensor, "b p 3"], directions: Float[Tensor, "b p 3"]
    ) -> tuple[Float[Tensor, "n p x"], Float[Tensor, "n p 3"]]:
        """Encoded points and directions, the perceptrons' inputs besides features; and the points in camera frames."""
        network, seen = self.config.network, encoded.seen(points)
        coordinates = seen.centered if network.centered else seen.local
        if not network.use_xyz:
            coordinates = -coordinates[..., 2:]
        parts = [coordinates]
        if network.use_directions and network.encode_directions:
            parts = [torch.cat((coordinates, encoded.turned(directions)), dim=-1)]
        if network.encode_positions:
            parts = [self.code(parts[0].flatten(0, 1)).unflatten(0, coordinates.shape[:2])]
        if network.use_directions and not network.encode_directions:
            parts.append(encoded.turned(directions))
        return torch.cat(parts, dim=-1), seen.local

    def features(self, encoded: Encoded, pixels: Float[Tensor, "n p 2"]) -> Float[Tensor, "n p z"]:
        """Image features at pixels of the source views, after the vectors of the whole images where there are any."""
        network, parts = self.config.network, []
        if encoded.vectors is not None:
            parts.append(encoded.vectors[:, None].expand(-1, pixels.shape[1], -1))
        if network.use_features:
            parts.append(look_up(encoded.latent, pixels, encoded.width, encoded.height, network))
        return torch.cat(parts, dim=-1) if parts else encoded.latent.new_zeros(*pixels.shape[:2], 0)

    def begin_step(self, step: int) -> PixelNerfNet:
        """Set the mode for a training step: training, or evaluation for the first one under `Compat`."""
        return self.train(step > 0 or not self.config.compat.first_step_in_evaluation)


def heads(raw: Float[Tensor, "*rows 4"]) -> FieldSamples:
    """Density by ReLU, colour by the logistic function."""
    return FieldSamples(torch.relu(raw[..., 3]), torch.sigmoid(raw[..., :3]))
