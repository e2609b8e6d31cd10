"""What a method offers to the jobs: a card, and a small contract for each kind of method."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..camera import Camera
from ..devices import on_device
from ..errors import InputError
from ..metrics.evaluation import Evaluation
from ..renamed import renamed
from ..render.ray_renderer import RayRenderer
from ..scene import Photo, Reconstruction, View
from ..training import Training
from .samples import PublishedSamples, Studio, Styles, label_of

Kind = TypeVar("Kind", bound="Method")


@renamed(licence="license")
@dataclass(frozen=True)
class MethodCard:
    """What a user should know of a method before choosing it.

    Attributes:
        name: on the command line.
        summary: one line.
        needs: what has to be there first ("nothing", "weights", ...).
        license: of the code and of the weights it uses.
        weights: names of the weights, or None.
        size: megabytes of the weights.
        citation: BibTeX of what it is built on.
    """

    name: str
    summary: str
    needs: str
    license: str
    weights: str | None
    size: float
    citation: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PublishedWeights:
    """What was read from checkpoints of a method's authors.

    Attributes:
        module: the networks.
        config: of them.
        card: Markdown of where they come from.
        use: a command that uses the weights in {folder}; "" for the method's own.
    """

    module: nn.Module
    config: Any
    card: str
    use: str = ""


@runtime_checkable
class PublishedFormat(Protocol):
    """Reads the checkpoints of a method's authors: a module `published` beside the method, or any object.

    It may have more: `USE`, a command that uses the weights in {folder} where that is not `monoform reconstruct`;
    `DEFAULT`, the configuration where none is named;
    `published_config(name)`, a configuration as a dataclass, which `monoform models METHOD --config NAME` prints;
    `read_files(files, config, data, precision)` to `PublishedWeights`, where weights lie in several files or lack what
    the training set (a folder, "" for none) tells;
    `config_from_file(file, name)`, the configuration in the authors' own file of options, for `convert --conf`;
    `write_weights(folder, file)`, which writes weights as the authors' programs read them;
    `written_beside(folder, file)`, the further files that this writes; and
    `reads_folder(folder)`, whether a folder is one of theirs, to be read, and not weights to be written.
    """

    def read_published(self, file: str | Path, config: str) -> tuple[nn.Module, Any]:
        """The network in a checkpoint, and its configuration.

        Raises:
            InputError: the file is no such checkpoint.
        """

    def config_names(self) -> Sequence[str]:
        """Names of the published configurations."""

    def card(self, file: str | Path, config: str, precision: str) -> str:
        """Markdown of where the weights come from."""


class Method:
    """A method: its card, its options, and which verbs it has; the commands use nothing else.

    Attributes:
        card: for choosing it.
        config_class: dataclass of its options, each documented on a line of its own.
        further_trainings: files of the method's folder that have a TRAINING besides train.py, by their names in Python.
    """

    card: ClassVar[MethodCard]
    config_class: ClassVar[type]
    further_trainings: ClassVar[tuple[str, ...]] = ()

    def to(self: Kind, device: torch.device | str) -> Kind:
        """The method with its networks on a device; copies, where they are not there already.

        The networks are its attributes that are modules. What they are given is brought to them by the method itself, a
        `Reconstruction` brings its field and renderer home, and generators stay on the CPU: the draws are the same.
        """
        moved, place = copy.copy(self), torch.device(device)
        nets = {name: value for name, value in vars(self).items() if isinstance(value, nn.Module)}
        vars(moved).update({name: on_device(net, place) for name, net in nets.items()})
        return moved

    @classmethod
    def training(cls) -> Training | None:
        """How it is trained: `TRAINING` of train.py in the method's folder; None where there is none."""
        return getattr(_beside(cls, "train"), "TRAINING", None)

    @classmethod
    def trainings(cls) -> tuple[Training, ...]:
        """All that is trained for it: `training`, then TRAINING of each of `further_trainings`."""
        found = (cls.training(), *(getattr(_beside(cls, name), "TRAINING", None) for name in cls.further_trainings))
        return tuple(each for each in found if each is not None)

    @classmethod
    def evaluation(cls) -> Evaluation | None:
        """Its protocol: `EVALUATION` of evaluate.py in the method's folder; None where there is none."""
        return getattr(_beside(cls, "evaluate"), "EVALUATION", None)

    @classmethod
    def published(cls) -> PublishedFormat | None:
        """Reader of its authors' checkpoints: published.py in the method's folder; None where there is none."""
        found = _beside(cls, "published")
        return found if isinstance(found, PublishedFormat) else None

    @classmethod
    def capabilities(cls) -> tuple[str, ...]:
        """The verbs of the command line that it serves, in their order there."""
        able = {
            "reconstruct": issubclass(cls, Reconstructor),
            "pose": issubclass(cls, PoseEstimator),
            "generate": issubclass(cls, Generator),
            "train": bool(cls.trainings()),
            "evaluate": cls.evaluation() is not None,
            "convert": cls.published() is not None,
        }
        return tuple(verb for verb, can in able.items() if can)


def _beside(method: type[Method], name: str) -> ModuleType | None:
    """A module of the method's folder, imported on first use; None where there is none."""
    package = method.__module__.rpartition(".")[0]
    if not package or find_spec(f"{package}.{name}") is None:
        return None
    try:
        return import_module(f"{package}.{name}")
    except ImportError as error:
        raise InputError(f"{package}.{name} is installed but cannot be imported: {error}.") from error


class Reconstructor(Method, ABC):
    """A method that turns views of one object into a reconstruction.

    Attributes:
        several_views: whether it takes more than one, with their cameras.
    """

    several_views: ClassVar[bool] = False

    @abstractmethod
    def reconstruct(self, views: Sequence[View], *, generator: torch.Generator) -> Reconstruction:
        """Shape, camera and appearance of the object that the views show.

        Args:
            views: photos with their masks, and their cameras where these are known.
            generator: the only source of randomness.

        Raises:
            InputError: the views cannot be used.
        """


class Generator(Method, ABC):
    """A method that makes objects without a photo: a latent is drawn, and an object is made of it.

    `latent` and `generate` are all that it needs. The rest is for networks that make styles of a latent, that predict
    the camera, or whose pictures are taken in a way of their own.

    Attributes:
        architectures: names of the networks whose weights it takes, as config.json says them.
    """

    architectures: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def latent(self, generator: torch.Generator) -> Float[Tensor, " d"]:
        """A random latent; between two of them lie others."""

    @abstractmethod
    def generate(self, latent: Float[Tensor, " d"], *, generator: torch.Generator) -> Reconstruction:
        """The object of a latent, without views.

        Args:
            latent: as `latent` draws it, or a mixture of such.
            generator: the only source of further randomness.
        """

    @property
    def studio(self) -> Studio:
        """How its pictures are taken; the house's turntable where it says nothing."""
        return Studio()

    def seeded(self, seed: int, generator: torch.Generator) -> Float[Tensor, " d"]:
        """The latent of a seed; `generator` has this seed."""
        del seed
        return self.latent(generator)

    def styles(self, latent: Float[Tensor, " d"]) -> Styles:
        """What a latent is made into; the latent itself where there are no layers."""
        return Styles(latent[None])

    def of_styles(self, styles: Styles, *, generator: torch.Generator) -> Reconstruction:
        """The object of styles, as `generate` makes it of a latent."""
        return self.generate(styles.layers[0], generator=generator)

    def styles_of_result(self, folder: Path) -> Styles:
        """The styles that made the object in a result's folder.

        Raises:
            InputError: its results keep none, there are none, or another generator made it.
        """
        raise InputError(f"{self.card.name} keeps no styles in its results: give seeds, not {folder}.")

    def predicted_camera(self, styles: Styles) -> Camera | None:
        """The camera that the method itself sees the sample with, one; None where it predicts none."""
        del styles
        return None

    def label(self, camera: Camera) -> list[float]:
        """One camera as the 25 numbers of dataset.json, in the world that the method's networks know."""
        return label_of(camera)

    def write_published(self, out: Path, seeds: Sequence[int], options: PublishedSamples) -> Iterator[str]:
        """Write the samples of seeds as the authors' program does, and yield what it prints.

        Raises:
            InputError: there is no such program, or a file may not be replaced.
        """
        raise InputError(f"{self.card.name} knows no files of its authors' program: leave out --published.")


@renamed(centre="center")
@dataclass(frozen=True)
class SceneBounds:
    """Where in the world a scene's content is.

    Attributes:
        center: of what the photo shows, in world units.
        radius: of the sphere around `center` that holds it.
        cameras: from where the scene is known, to begin at where no pose is given.
        background: the renderer's plain background, sRGB 0..1.
    """

    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    radius: float = 0.5
    cameras: Camera | None = None
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)


@renamed(doubts="failure_reasons")
@dataclass(frozen=True, eq=False)
class PoseEstimate:
    """The camera of a photo, and how far to trust it.

    Attributes:
        camera: one, in pixels of the original photo.
        covariance: of the pose's motion in the camera's axes, rotation in radians before translation in world units;
            None where it is not known.
        converged: whether the pose can be believed.
        failure_reasons: why not, a clause each.
        score: mean robust difference of the rendered picture to the photo, in colours 0..1.
        path: poses from the winning start to the result.
        seconds: when each of `path` was measured.
        losses: of `path` as the optimizer saw them, NaN where it did not.
        alternatives: other poses that were given up on the way, the better first.
        details: further numbers, for the record.
    """

    camera: Camera
    covariance: Float[Tensor, "6 6"] | None
    converged: bool
    failure_reasons: tuple[str, ...]
    score: float
    path: Float[Tensor, "t 4 4"]
    seconds: Float[Tensor, " t"]
    losses: Float[Tensor, " t"]
    alternatives: Float[Tensor, "a 4 4"]
    details: dict[str, float]


class PoseEstimator(Method, ABC):
    """A method that finds the camera of a photo of a known scene."""

    @abstractmethod
    def estimate(
        self,
        photo: Photo,
        field: RayRenderer,
        start: Camera,
        *,
        scene_bounds: SceneBounds,
        generator: torch.Generator,
        search: bool = False,
    ) -> PoseEstimate:
        """The pose from which the scene looks like the photo.

        Args:
            photo: of the scene; transparent parts are seen as the background.
            field: renders the scene.
            start: one camera in pixels of the original photo; its intrinsics are kept.
            scene_bounds: where in the world to look.
            generator: the only source of randomness.
            search: whether nothing is known of the pose: that of `start` does not count.

        Raises:
            InputError: photo and start do not fit.
        """
