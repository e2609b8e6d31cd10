"""Options of bootstrapped inversion: the published generators, scenes and trainings by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args, get_type_hints

from ...errors import InputError
from ...ranges import require_ranges
from .counting import Counting
from .recoloring import replacements

Projection = Literal["perspective", "orthographic"]
Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Network:
    """The generator's networks (Pavllo et al. 2023, section 3.1 and supplement).

    Attributes:
        z_dim: length of the latent.
        w_dim: length of the style.
        mapping_layers: from latent to style.
        mapping_rate: of learning of these layers, as a share of that of the others.
        channel_base: channels of the planes' blocks are channel_base / their resolution,
        channel_max: and no more than this.
        plane_resolution: of the planes in pixels, a power of two.
        plane_features: channels of each plane.
        decoder_width: of the hidden layer from the planes' features to the numbers of a point.
        palette: colors of an object, of which each point has a share (published as attention_values); 0 for colors
            that the decoder tells itself.
        view_directions: whether the shares of the palette depend on the direction that a point is seen from.
        view_width: of the layers that this is told by.
        sdf: whether the geometry is a signed distance; else a density.
        classes: of objects, which a class-conditional generator is told; 0 for none.
        noise: whether the planes' layers add noise.
    """

    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 2
    mapping_rate: float = 0.01
    channel_base: int = 32768
    channel_max: int = 512
    plane_resolution: int = 256
    plane_features: int = 32
    decoder_width: int = 64
    palette: int = 10
    view_directions: bool = False
    view_width: int = 64
    sdf: bool = True
    classes: int = 0
    noise: bool = False

    def __post_init__(self) -> None:
        whose = "bootstrap's"
        require_ranges(self, whose, z_dim=(1, 8192), w_dim=(1, 8192), mapping_layers=(1, 64), mapping_rate=(1e-6, 1e3))
        require_ranges(self, whose, channel_base=(1, 2**20), channel_max=(1, 4096), plane_resolution=(4, 2048))
        require_ranges(self, whose, plane_features=(1, 256), decoder_width=(1, 1024), palette=(0, 1024))
        require_ranges(self, whose, view_width=(1, 1024), classes=(0, 2**20))
        if self.plane_resolution & (self.plane_resolution - 1) or self.channel_base < self.plane_resolution:
            raise InputError(
                f"bootstrap's planes have {self.plane_resolution} pixels a side and channel_base {self.channel_base}: "
                "give a power of two, and a base of at least that."
            )

    @property
    def colors(self) -> int:
        """What colors are made of: weights of the palette, or the three channels."""
        return self.palette or 3

    @property
    def decoded(self) -> int:
        """Numbers of a point beside its geometry."""
        return self.plane_features if self.view_directions else self.colors


@dataclass(frozen=True)
class Scene:
    """What the file of a published generator does not say of its objects and cameras.

    Attributes:
        half_side: of the cube around the origin that holds the object, world units (published as scene_range).
        projection: of the cameras.
        flipped: whether pose parameters tell cameras whose y, z and position have the other sign (camera_flipped).
        white: whether the background is white and photos have no mask; else it is gray, 0 of -1..1, and they have one.
        focals: guesses of the focal length, in widths of the uncropped image: percentiles of those of the training set.
        poses: sample cameras of the training set, each world_from_camera with OpenGL axes in 16 numbers, row by row;
            of an orthographic one, divided by its scale.
        pose_focals: focal length of each of these; none where cameras are orthographic.
    """

    half_side: float = 1.4
    projection: Projection = "perspective"
    flipped: bool = True
    white: bool = False
    focals: Numbers = ()
    poses: tuple[Numbers, ...] = ()
    pose_focals: Numbers = ()

    def __post_init__(self) -> None:
        require_ranges(self, "bootstrap's", half_side=(1e-3, 1e3), focals=(0.05, 1e3), pose_focals=(0.05, 1e3))
        if self.projection not in get_args(Projection):
            raise InputError(
                f"bootstrap's projection is {self.projection!r}; choose one of {', '.join(get_args(Projection))}."
            )
        for pose in self.poses:
            if len(pose) != 16:
                raise InputError(f"A sample pose of bootstrap has {len(pose)} numbers; give the 16 of a 4 x 4 matrix.")
        wanted = len(self.poses) if self.projection == "perspective" else 0
        if len(self.pose_focals) != wanted:
            raise InputError(
                f"bootstrap's {len(self.poses)} sample poses have {len(self.pose_focals)} focal lengths: give {wanted}."
            )

    @property
    def background(self) -> float:
        """Of images -1..1."""
        return float(self.white)


@dataclass(frozen=True)
class Rays:
    """How rays are sampled.

    Attributes:
        coarse: stratified samples of a ray.
        fine: further samples, drawn by the weights of the coarse ones; 0 for none.
    """

    coarse: int = 64
    fine: int = 64

    def __post_init__(self) -> None:
        require_ranges(self, "bootstrap's", coarse=(4, 4096), fine=(0, 4096))


@dataclass(frozen=True)
class Training:
    """How a generator is trained where data sets differ, or that the published program has an option for (section 4).

    Attributes:
        iterations: steps of generator and discriminator together.
        batch: images of a step.
        conditional_pose: whether the discriminator is told the camera.
        alpha: whether it sees the opacity beside the colors (published as supervise_alpha); needs masks.
        r1: weight of the gradient penalty of real images.
        tv: weight of the total variation of the opacity.
        entropy: weight of the density at the surface.
        eikonal: weight of the distance's slope.
        path_length: weight of the path length of styles; 0 for none, which is the published program's default but
            in no published model.
        augment: largest probability of each augmentation of the discriminator's images; 0 for none.
        ada_target: mean sign of the scores of real images that the probability adapts to; none keeps it at its largest.
        perturb_poses: mean error of the cameras that are given, degrees.
        warmup: iterations until real images are no longer blurred, what the surface is held to counts in full, and the
            probability may adapt.
        path_warmup: iterations until the path length counts in full.
        rate_warmup: iterations until both learning rates, which begin at a tenth, are full.
        blur: sigma of the blur on real images in the beginning, pixels.
        cells: along each axis of the cube, with one point in each at which shapes are looked at.
        lazy: the path length and the gradient penalty, which need second derivatives, are asked for in one of so many
            steps of their network, and count so many times as much there; 1 as published (Karras et al. 2020).
        least: share of a pixel below which a sample of a ray has no color and no gradient, which is quicker; 0 as
            published: all have.
    """

    iterations: int = 300_000
    batch: int = 32
    conditional_pose: bool = True
    alpha: bool = True
    r1: float = 5.0
    tv: float = 0.5
    entropy: float = 0.05
    eikonal: float = 0.1
    path_length: float = 2.0
    augment: float = 0.8
    ada_target: float | None = 0.6
    perturb_poses: float = 0.0
    warmup: int = 12_500
    path_warmup: int = 2_000
    rate_warmup: int = 2_000
    blur: float = 10.0
    cells: int = 31
    lazy: int = 1
    least: float = 0.0

    def __post_init__(self) -> None:
        whose = "bootstrap's"
        require_ranges(self, whose, iterations=(1, 10**9), batch=(1, 4096), r1=(0.0, 1e6), tv=(0.0, 1e6))
        require_ranges(self, whose, entropy=(0.0, 1e6), eikonal=(0.0, 1e6), path_length=(0.0, 1e6))
        require_ranges(self, whose, augment=(0.0, 1.0), ada_target=(-1.0, 1.0), blur=(0.0, 100.0))
        require_ranges(self, whose, perturb_poses=(0.0, 180.0), warmup=(0, 10**9), path_warmup=(0, 10**9))
        require_ranges(self, whose, rate_warmup=(0, 10**9), cells=(1, 256))
        require_ranges(self, whose, lazy=(1, 10_000), least=(0.0, 0.1))


@dataclass(frozen=True)
class Compat:
    """Behaviors of the original that published networks are used with; set by `published`, off for new trainings.

    Attributes:
        corner_pixels: rays pass the upper left corners of the pixels; else their centers.
        left_edges: samples without chance lie at the near edges of the strata; else in their middles.
        zero_last: the last sample of a ray is never seen; else it stands for the way to the far side.
    """

    corner_pixels: bool = False
    left_edges: bool = False
    zero_last: bool = False


PUBLISHED = Compat(corner_pixels=True, left_edges=True, zero_last=True)
"""What the original does."""


@dataclass(frozen=True)
class BootstrapConfig:
    """A generator, what is known of its objects and cameras, how it is trained, and whose behavior it keeps.

    Attributes:
        resolution: of the images in pixels.
        network: sizes and options of the generator.
        scene: objects and cameras.
        rays: how they are sampled.
        training: of the generator.
        refine_pose: whether inversion refines the camera, too.
        compat: behaviors of the original.
    """

    resolution: int = 128
    network: Network = field(default_factory=Network)
    scene: Scene = field(default_factory=Scene)
    rays: Rays = field(default_factory=Rays)
    training: Training = field(default_factory=Training)
    refine_pose: bool = True
    compat: Compat = field(default_factory=Compat)

    def __post_init__(self) -> None:
        require_ranges(self, "bootstrap's", resolution=(8, 4096))
        if self.training.alpha and self.scene.white:
            raise InputError(
                "bootstrap's discriminator cannot see the opacity of photos on white, which have no mask: set "
                "training.alpha to false, or scene.white to false."
            )


@dataclass(frozen=True)
class BootstrapOptions:
    """How samples are made, and how a photo is inverted.

    Attributes:
        weights: folder of the generator's weights; "" for those of cars that ship.
        category: name of a folder in it, where it holds the weights of several categories of objects.
        encoder: folder of those of its encoder, which photos need, where the generator's folder holds none.
        refine: steps of refinement of a photo's styles and camera (published: 30, or 10 for speed); 0 keeps what is
            predicted.
        loss: of the refinement: vgg, vgg_nocrop, mixed, l1, mse; lite0: features of the network that finds masks, and
            l1; or auto: vgg where its weights are given, else l1.
        vgg: file of torchvision's VGG-16 weights, and
        linear: that of the linear layers of LPIPS 0.1, which the perceptual losses compare by.
        gain: a latent moves by so many times the rate.
        refine_pose: whether the camera is refined: on, off, or auto: as the generator's configuration says. A focal
            length that the photo's camera tells is held.
        split: whether every layer's style is refined apart; else one for all.
        mask: weight of the cross-entropy of the render's opacity and the photo's mask, in the refinement.
        patience: end the refinement when its loss has not fallen for so many steps; 0: never.
        tuning: steps of the generator itself after the refinement, for this photo alone.
        rays: that the refinement follows: all; cube: those that meet the object's cube, which gives the same; or
            object: those around the photo's object and the rendered one, which is quicker.
        half: whether the refinement's planes and perceptual features have 8 bits of precision, which is quicker on
            processors that know bfloat16.
        focals: lengths to try in widths of the square around the object, where the photo's camera is not known; none
            for those of the generator's weights, or 0.75 to 4.5.
        starts: so many of the cameras are tried, of which the best goes on.
        margin: around the object's box to each side, as a share of it; none for 0.05, on white 0.2.
        up: axis of the network's world that goes up: y, z, or auto: that of the weights' sample cameras, without such z
            for weights that draw on white, else y.
        truncation: how far styles of samples lie from the mean one; 1 as far as they are drawn.
        noise: in the layers of samples: const, that of the weights; random, drawn from the seed; none.
        object_class: of samples, for a generator that is told classes.
        appearance: whose colors an object gets: a seed's, or those of a result folder of the same generator; "" for
            its own.
        appearance_layers: how many layers are taken of that, the finest first: 1 for the palette alone, which leaves
            the shape as it is.
        recolor: colors of the palette to replace, each as NUMBER:RRGGBB; palette.png of a result shows which is where.
        maps: whether a result's folder gets maps and the strip.
    """

    weights: str = ""
    category: str = ""
    encoder: str = ""
    refine: int = 30
    loss: Literal["auto", "vgg", "vgg_nocrop", "l1", "mse", "mixed", "lite0"] = "auto"
    vgg: str = ""
    linear: str = ""
    gain: float = 5.0
    refine_pose: Literal["auto", "on", "off"] = "auto"
    split: bool = True
    mask: float = 0.0
    patience: int = 0
    tuning: int = 0
    rays: Counting = "cube"
    half: bool = False
    focals: Numbers = ()
    starts: int = 1
    margin: float | None = None
    up: Literal["auto", "y", "z"] = "auto"
    truncation: float = 1.0
    noise: Literal["const", "random", "none"] = "const"
    object_class: int | None = None
    appearance: str = ""
    appearance_layers: int = 1
    recolor: tuple[str, ...] = ()
    maps: bool = True

    def __post_init__(self) -> None:
        require_ranges(self, "bootstrap's", refine=(0, 100_000), gain=(1e-3, 1e4), focals=(0.51, 1e3), starts=(1, 64))
        require_ranges(self, "bootstrap's", margin=(0.0, 2.0), truncation=(-10.0, 10.0), object_class=(0, 2**20))
        require_ranges(self, "bootstrap's", appearance_layers=(1, 64), mask=(0.0, 1e6), patience=(0, 100_000))
        require_ranges(self, "bootstrap's", tuning=(0, 100_000))
        replacements(self.recolor)
        hints = get_type_hints(type(self))
        for name in ("loss", "refine_pose", "rays", "up", "noise"):
            value, allowed = getattr(self, name), get_args(hints[name])
            if value not in allowed:
                raise InputError(f"bootstrap's {name} is {value!r}; choose one of {', '.join(allowed)}.")
