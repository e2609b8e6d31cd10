"""LIST (Arshad and Beksi 2023): a picture to a coarse cloud, and on to signed distances, without a camera."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .config import ListConfig, Network
from .decoder import SdfDecoder, pooled
from .encoder import ImageEncoder
from .localize import PointMlp, localizer, network_query, project, start_in_front
from .tree import TreeDecoder
from .volume import VolumeEncoder, occupancy


class CoarseNet(nn.Module):
    """The first stage: a picture to a cloud of points on the object's surface."""

    def __init__(self, config: ListConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = _encoder(config.network)
        self.point_decoder = _tree(config.network)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n 3"]:
        """The cloud in the object's box, from pictures with colours 0..1 on black."""
        return self.point_decoder(self.image_encoder.encode(images)[0])


@dataclass(frozen=True, eq=False)
class Encoding:
    """What the networks know of b pictures before they are asked for a point.

    Attributes:
        cloud: coarse points in the object's box.
        grid: the nodes next to them.
        features: of the cloud.
        matrix: from (query, 1) to the map.
        volumes: occupancy probability 0..1, then the pyramid.
        maps: of the second image encoder.
    """

    cloud: Float[Tensor, "b n 3"]
    grid: Float[Tensor, "b r r r"]
    features: Float[Tensor, "b f"]
    matrix: Float[Tensor, "b 4 3"]
    volumes: list[Float[Tensor, "b _ _ _ _"]]
    maps: list[Float[Tensor, "b _ _ _"]]


class ListNet(nn.Module):
    """The second stage: the first, frozen, and what turns its cloud and the picture into signed distances."""

    def __init__(self, config: ListConfig) -> None:
        super().__init__()
        self.config = config
        network = config.network
        self.vox_encoder = VolumeEncoder(network.volume_channels)
        features = network.volume_features + network.image_channels + 3
        self.sdf_decoder = SdfDecoder(features, network.hidden, offset=network.offset)
        self.im_encoder = _encoder(network)
        self.im_encoder2 = _encoder(network)
        self.point_decoder = _tree(network)
        self.point_mlp_coarse = PointMlp(network.point_widths)
        self.spatial_transformer = localizer(network.point_widths[-1] + network.vector, network.localizer)
        start_in_front(self.spatial_transformer, network.map_side)

    def start_from(self, coarse: CoarseNet) -> None:
        """Take over the first stage (warm start): its encoder twice, its decoder once."""
        for encoder in (self.im_encoder, self.im_encoder2):
            encoder.load_state_dict(coarse.image_encoder.state_dict())
        self.point_decoder.load_state_dict(coarse.point_decoder.state_dict())

    def freeze_first_stage(self) -> None:
        """Leave the first stage as it is from now on; its batch norms too, unless `compat.moving_norms`."""
        self.im_encoder.requires_grad_(False)
        self.point_decoder.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> ListNet:
        """Set the training mode; batch norms of a frozen encoder stay in evaluation mode."""
        super().train(mode)
        frozen = not any(each.requires_grad for each in self.im_encoder.parameters())
        if frozen and not self.config.compat.moving_norms:
            self.im_encoder.eval()
        return self

    def encode(
        self,
        images: Float[Tensor, "b 3 h w"],
        matrix: Float[Tensor, "b 4 3"] | None = None,
        *,
        cloud: Float[Tensor, "b n 3"] | None = None,
    ) -> Encoding:
        """Everything that depends on the pictures alone.

        Args:
            images: sRGB 0..1, black where the object is not.
            matrix: used in place of the predicted one.
            cloud: used in place of the coarse one.
        """
        network = self.config.network
        if cloud is None:
            cloud = self.point_decoder(self.im_encoder.encode(images)[0])
        vector, maps = self.im_encoder2.encode(images)
        features = self.point_mlp_coarse(cloud)
        if matrix is None:
            matrix = self.localize(features, vector)
        grid = occupancy(cloud, network.volume_nodes, network.half_side)
        return Encoding(cloud, grid, features, matrix, self.vox_encoder(grid), maps)

    def localize(self, features: Float[Tensor, "b f"], vector: Float[Tensor, "b v"]) -> Float[Tensor, "b 4 3"]:
        """The matrix that a cloud and a picture ask for."""
        return self.spatial_transformer(torch.cat((features, vector), dim=1)).unflatten(1, (4, 3))

    def distances(self, seen: Encoding, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n"]:
        """Signed distances of points of the box times `sdf_scale`, negative inside."""
        network = self.config.network
        query = network_query(points, network.half_side)
        local = pooled(seen.maps, project(query, seen.matrix), network.map_side)
        return self.sdf_decoder(seen.volumes, local, query)

    def forward(
        self,
        images: Float[Tensor, "b 3 h w"],
        points: Float[Tensor, "b n 3"],
        matrix: Float[Tensor, "b 4 3"] | None = None,
    ) -> tuple[Float[Tensor, "b r r r"], Float[Tensor, "b n"]]:
        """Occupancy probabilities at the grid's nodes, and scaled signed distances at the points."""
        seen = self.encode(images, matrix)
        return seen.volumes[0][:, 0], self.distances(seen, points)


def _encoder(network: Network) -> ImageEncoder:
    return ImageEncoder(network.image_width, network.image_hidden, network.vector)


def _tree(network: Network) -> TreeDecoder:
    return TreeDecoder(network.tree_features, network.tree_degrees, network.tree_support)


def build(config: ListConfig) -> CoarseNet | ListNet:
    """The network of a configuration's stage."""
    return CoarseNet(config) if config.stage == "coarse" else ListNet(config)
