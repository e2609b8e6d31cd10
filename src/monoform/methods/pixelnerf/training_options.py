"""Options of a training of pixelNeRF (Yu et al. 2021, section 5 and supplement B.2)."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InputError
from ...renamed import renamed
from ...training import LoopSettings
from .config import Sampling
from .sample_schedule import SampleSchedule


@renamed(recolour="recolor", judged="validation_objects", judged_rays="validation_rays")
@dataclass(frozen=True)
class PixelNerfTraining(LoopSettings):
    """What is trained, and what a step consists of.

    Attributes:
        config: name of a configuration: small for CPUs, or a published one.
        format: of the data: srn, dvr, dtu, two_object, captures; auto tells it by the files.
        unseen: for dvr: take the lists of the unseen categories.
        encoder_init: file of ImageNet weights of the encoder, in torchvision's names; "" for none.
        weights: folder of weights to start from, for fine-tuning; "" for none. Its configuration takes precedence.
        published: folder of a training with the authors' program (checkpoints/NAME) that goes on here, with the
            authors' behaviors; "" for none. `config` is then one of the published ones.
        conf: the file of options that it was trained with, HOCON, where it is none of the published ones.
        original: begin anew as the authors' program does: the first step normalises by running statistics, the fine
            loss moves the coarse network through the samples around its depth.
        objects: in a step.
        rays: of each object in a step.
        views: numbers of source views, one of which is drawn for each step, for instance 1 and 2.
        rate: learning rate.
        falling: whether the rate falls to 0 along a cosine.
        warmup: steps in which a falling rate first rises.
        boxes_until: steps in which rays are drawn within the object's box in their view, where boxes are known.
        most_views: of an object that rays are drawn from, at random when it has more; 0 for all.
        samples_from: numbers of objects that have been seen, steps times objects, from each of which on the samples of
            a ray are those of coarse_samples and fine_samples; none for those of the configuration at all times.
        coarse_samples: of a ray, one number for each of samples_from.
        fine_samples: of a ray besides, likewise; some of them lie around the coarse depth, as the configuration says.
        absolute: compare colours by their absolute, not their squared difference.
        recolor: change the colours of each object at random, as for DTU.
        freeze_encoder: leave the encoder as it is, its batch statistics too.
        validation_objects: objects of the evaluation.
        validation_rays: rays of each object of the evaluation.
    """

    config: str = "small"
    format: str = "auto"
    unseen: bool = False
    encoder_init: str = ""
    weights: str = ""
    published: str = ""
    conf: str = ""
    original: bool = False
    objects: int = 4
    rays: int = 128
    views: tuple[int, ...] = (1,)
    rate: float = 1e-4
    falling: bool = False
    warmup: int = 0
    boxes_until: int = 100_000
    most_views: int = 0
    samples_from: tuple[int, ...] = ()
    coarse_samples: tuple[int, ...] = ()
    fine_samples: tuple[int, ...] = ()
    absolute: bool = False
    recolor: bool = False
    freeze_encoder: bool = False
    validation_objects: int = 8
    validation_rays: int = 512

    def __post_init__(self) -> None:
        for name in ("objects", "rays", "validation_objects", "validation_rays"):
            if getattr(self, name) < 1:
                raise InputError(f"pixelNeRF's {name} is {getattr(self, name)}; it must be at least 1.")
        if not self.views or min(self.views) < 1:
            raise InputError(f"pixelNeRF's views are {self.views}; give numbers of source views, as in '1 2'.")
        if self.published and (self.weights or self.encoder_init):
            raise InputError("A published training has weights of its own: leave weights and encoder_init out.")
        SampleSchedule(Sampling(depth=0), self.samples_from, self.coarse_samples, self.fine_samples)
        if self.conf and not self.published:
            raise InputError("pixelNeRF's conf is that of a published training: give published, its folder.")
