"""LIST's options: the published network, and a small one that a CPU trains."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from ...data.sdf.items import DrawOptions
from ...data.sdf.renderings import Variation
from ...errors import InputError
from ...ranges import require_range, require_ranges
from ...renamed import renamed
from ...training import LoopSettings, TrainOptions

Frame = Literal["object", "upright"]
Format = Literal["auto", "pack", "shapenet", "pix3d"]
Flip = Literal["none", "pictures", "both"]


@renamed(localiser="localizer")
@dataclass(frozen=True)
class Network:
    """Sizes of the networks (Arshad and Beksi 2023, section 3); the defaults are the published ones.

    Attributes:
        image_width: channels of the first map of each image encoder.
        image_hidden: width of the layer before an encoder's vector.
        vector: length of an image's vector.
        tree_features: channels of a node in each level of the point decoder's tree, the vector first, 3 last.
        tree_degrees: children of a node in each level of the tree.
        tree_support: widening of a node's own layers.
        point_widths: widths of the network that reads the coarse cloud.
        localizer: width of the network that predicts the matrix.
        volume_nodes: of the occupancy grid along an axis.
        volume_channels: of the volume encoder, layer by layer: three times 1 to 1, then one level of the pyramid each.
        hidden: width of the distance decoder.
        map_side: pixels of the map on which points are projected.
        offset: of the six neighbours at which volumes are read too, in half sides of the box.
        half_side: of the box that holds the object, in world units.
    """

    image_width: int = 64
    image_hidden: int = 1000
    vector: int = 128
    tree_features: tuple[int, ...] = (128, 128, 256, 256, 256, 128, 128, 3)
    tree_degrees: tuple[int, ...] = (2, 2, 2, 2, 2, 2, 64)
    tree_support: int = 10
    point_widths: tuple[int, int, int] = (64, 256, 512)
    localizer: int = 128
    volume_nodes: int = 128
    volume_channels: tuple[int, ...] = (1, 1, 1, 1, 16, 32, 64, 128, 128)
    hidden: int = 256
    map_side: int = 137
    offset: float = 0.0722
    half_side: float = 0.5

    def __post_init__(self) -> None:
        many = ("tree_features", "tree_degrees", "point_widths", "volume_channels", "image_width", "image_hidden")
        require_ranges(self, "LIST's", **dict.fromkeys((*many, "vector", "localizer", "hidden"), (1, 4096)))
        require_ranges(self, "LIST's", tree_support=(1, 64), volume_nodes=(8, 512), map_side=(2, 1024))
        require_ranges(self, "LIST's", offset=(0.0, 10.0), half_side=(1e-3, 1e3))
        if len(self.tree_degrees) > 16 or self.points > 1_000_000 or len(self.volume_channels) > 12:
            raise InputError(f"LIST's tree has {self.points} points and its volumes {self.levels} levels: give fewer.")
        tree = self.tree_features
        if len(tree) != len(self.tree_degrees) + 1 or tree[0] != self.vector or tree[-1] != 3:
            raise InputError(
                f"LIST's tree has levels of {tree} channels and {self.tree_degrees} children: give one level more than "
                f"children, from the vector's {self.vector} to 3."
            )
        if self.volume_channels[:4] != (1, 1, 1, 1) or len(self.volume_channels) < 5:
            raise InputError(f"LIST's volume_channels are {self.volume_channels}; give 1 1 1 1 and at least one more.")
        numbers = (*tree, *self.tree_degrees, *self.point_widths, *self.volume_channels, self.tree_support)
        numbers += (self.image_width, self.image_hidden, self.vector, self.localizer, self.hidden)
        if min(numbers) < 1 or self.map_side < 2 or not self.half_side > 0 or not self.offset >= 0:
            raise InputError("LIST's sizes must all be at least 1, its map at least 2 pixels and its box not empty.")
        if self.volume_nodes < 1 << self.levels:
            raise InputError(
                f"LIST's volume_nodes is {self.volume_nodes}; {self.levels} levels need at least {1 << self.levels}."
            )

    @property
    def levels(self) -> int:
        """Levels of the volume pyramid, the occupancy apart."""
        return len(self.volume_channels) - 4

    @property
    def image_channels(self) -> int:
        """Channels of all maps of an image together."""
        return 16 * self.image_width

    @property
    def volume_features(self) -> int:
        """Channels of all volumes together, at a point and its six neighbours."""
        return 7 * sum(self.volume_channels[3:])

    @property
    def points(self) -> int:
        """Points of the coarse cloud."""
        count = 1
        for degree in self.tree_degrees:
            count *= degree
        return count


@dataclass(frozen=True)
class Compat:
    """Behaviours of the original that published networks are used with; set by `published`, off for new trainings.

    Attributes:
        rescaled_vertices: a surface is stretched from its smallest to its largest coordinate onto the box, wherever it
            lies in the grid.
        moving_norms: the batch norms of the frozen image encoder go on learning and use the batch in training.
    """

    rescaled_vertices: bool = False
    moving_norms: bool = False


@dataclass(frozen=True)
class ListConfig:
    """A network, what it was trained on, and whose behaviour it keeps.

    Attributes:
        network: its sizes.
        sdf_scale: the network gives the signed distance times this.
        image_size: side of the pictures it was trained on, in pixels.
        frame: object, where shapes stand as the meshes of the training stood; upright, where they are turned about the
            vertical so that the camera stands in front of them.
        margin: side of the pictures in longest sides of the object's mask; 0 where it is not known.
        level: what the network gives on the surface; a network that is unsure of thin parts has them above 0.
        stage: coarse for the network of the first stage alone, list for the whole.
        compat: behavior of the original that it keeps.
    """

    network: Network = field(default_factory=Network)
    sdf_scale: float = 10.0
    image_size: int = 224
    frame: Frame = "object"
    margin: float = 0.0
    level: float = 0.0
    stage: Literal["coarse", "list"] = "list"
    compat: Compat = field(default_factory=Compat)

    def __post_init__(self) -> None:
        require_ranges(
            self, "LIST's", sdf_scale=(1e-3, 1e6), image_size=(16, 2048), margin=(0.0, 10.0), level=(-1e3, 1e3)
        )
        if not self.sdf_scale > 0 or self.image_size < 16:
            raise InputError(
                f"LIST's sdf_scale is {self.sdf_scale} and its image_size {self.image_size}; give a positive number "
                "and at least 16 pixels."
            )


PRESETS: dict[str, ListConfig] = {
    "shapenet": ListConfig(),
    "small": ListConfig(
        network=Network(
            image_width=16,
            image_hidden=64,
            vector=96,
            tree_features=(96, 64, 48, 32, 32, 8, 3),
            tree_degrees=(2, 2, 2, 4, 4, 8),
            tree_support=2,
            point_widths=(32, 64, 96),
            localizer=64,
            volume_nodes=24,
            volume_channels=(1, 1, 1, 1, 8, 16, 16, 16),
            hidden=64,
            map_side=64,
        ),
        image_size=64,
        frame="upright",
        margin=1.2,
    ),
}
PRESETS["small_object"] = replace(PRESETS["small"], frame="object", margin=0.0)
"""The published configuration; `small`, meant for training on a CPU from packed objects; and `small_object`, the same
network for sample files in ShapeNet's or Pix3D's layout, whose shapes stand as their meshes do."""


def preset(name: str) -> ListConfig:
    """A configuration by name, as new trainings take it.

    Raises:
        InputError: there is none of this name.
    """
    if name not in PRESETS:
        raise InputError(f"LIST has no configuration {name!r}: choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]


@dataclass(frozen=True)
class ListOptions:
    """How a network is used.

    Attributes:
        weights: folder or hub id of the network, for instance one that `monoform convert` has made; "" takes the
            small one that ships.
        margin: side of the square that the network sees, in longest sides of the object; 0 takes the network's own.
        fov: vertical field of view of the photo in degrees, used where neither EXIF nor `focal` tells it.
        parts: separate solids that are kept, the largest first; 0 takes as many as the mask has.
        carve: whether what lies outside the photo's mask is cut away.
    """

    weights: str = ""
    margin: float = 0.0
    fov: float = 35.0
    parts: int = 0
    carve: bool = True

    def __post_init__(self) -> None:
        if self.margin:
            require_range("list's margin, where it is not 0 for the network's own,", self.margin, 1, 4)
        require_ranges(self, "list's", fov=(1, 120), parts=(0, 1000))


@renamed(recolour="recolor")
@dataclass(frozen=True)
class ListTraining(LoopSettings):
    """What is trained, and what a step consists of.

    Attributes:
        config: name of a configuration: small for CPUs and packs, small_object for CPUs and sample files, or shapenet.
        format: of the data: pack (of `monoform prepare meshes`), shapenet or pix3d; auto tells it by the files.
        weights: folder of a trained first stage, or of a whole LIST to go on with; "" for none.
        first_share: share of the steps, and of the time where it is limited, that the first stage takes.
        first_batch: objects in a step of the first stage.
        batch: objects in a step of the second stage.
        first_rate: highest learning rate of the first stage.
        rate: highest learning rate of the second stage.
        points: with distances, of each object in a step.
        fractions: of the points at each offset from the surface (shapenet, pix3d).
        cloud: surface points of each object in a step (pack).
        published: losses, optimizer and constant rate of the original, no averaged weights, no clipping.
        recolor: change colours at random.
        categories: names of those that are learned from; none for all (shapenet, pix3d).
        variation: which set of pictures is learned from: easy, or hard, whose objects are off the middle (shapenet).
        image_size: side to which pictures are brought, in pixels; 0 takes the configuration's own.
        flip: which of half of the objects are mirrored: none; pictures alone, as the original does; or both, pictures
            and shapes, in x (shapenet, pix3d; objects of packs are mirrored always).
        test_every: epochs from evaluation to evaluation, in place of evaluate_every; an epoch has as many steps as
            batches fit into the objects; 0 for none.
        save_every: epochs from checkpoint to checkpoint that stays in its stage's folder, in place of keep_every; 0 for
            none.
        save_after: epochs before which none is kept for good.
        test_objects: that are judged, and whose clouds or surfaces are written, at each evaluation; 0 for none.
        test_list: file with a line "CATEGORY OBJECT VIEW" for each of them; "" spreads them over the test split.
        snapshots: keep the weights of every evaluation, OUT/snapshots.
    """

    config: str = "small"
    format: Format = "auto"
    weights: str = ""
    first_share: float = 0.3
    first_batch: int = 32
    batch: int = 16
    first_rate: float = 1e-3
    rate: float = 1e-3
    points: int = 1024
    fractions: tuple[float, ...] = (0.45, 0.44, 0.1)
    cloud: int = 1024
    published: bool = False
    recolor: bool = True
    categories: tuple[str, ...] = ()
    variation: Variation = "easy"
    image_size: int = 0
    flip: Flip = "none"
    test_every: int = 0
    save_every: int = 0
    save_after: int = 0
    test_objects: int = 24
    test_list: str = ""
    snapshots: bool = False

    def __post_init__(self) -> None:
        if self.image_size:
            require_range(
                "LIST's image_size, where it is not 0 for the configuration's own,", self.image_size, 16, 2048
            )
        epochs = dict.fromkeys(("test_every", "save_every", "save_after"), (0, 100_000))
        require_ranges(self, "LIST's", test_objects=(0, 10_000), **epochs)
        for name, known in (("flip", get_args(Flip)), ("variation", get_args(Variation))):
            if getattr(self, name) not in known:
                raise InputError(f"LIST's {name} is {getattr(self, name)!r}; choose one of {', '.join(known)}.")
        for name in ("first_batch", "batch", "points", "cloud"):
            if getattr(self, name) < 1:
                raise InputError(f"LIST's {name} is {getattr(self, name)}; it must be at least 1.")
        if self.batch < 2 or self.first_batch < 2:
            raise InputError("LIST's batch and first_batch must be at least 2: batch norms compare objects.")
        if not 0 < self.first_share < 1:
            raise InputError(f"LIST's first_share is {self.first_share}; give a share of the steps, above 0, below 1.")
        if self.format not in get_args(Format):
            raise InputError(f"LIST's format is {self.format!r}; choose one of {', '.join(get_args(Format))}.")

    def loop(self, *, steps: int, **more: Any) -> TrainOptions:
        """The loop's options; the original neither averages nor clips."""
        options = super().loop(steps=steps, **more)
        return replace(options, ema_decay=None, clip=None) if self.published else options

    @property
    def drawn(self) -> DrawOptions:
        """What is drawn of sample files."""
        return DrawOptions(self.fractions, self.points)
