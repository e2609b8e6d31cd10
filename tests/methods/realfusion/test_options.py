"""Every option changes something: what, one row of a table says of each."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from tests.guidance.priors import PointPrior
from tests.mesh.mesh_shapes import icosphere
from tests.methods.realfusion.tiny_realfusion import ball_field, options, prior, view
from torch import Tensor

from monoform.camera import orbit
from monoform.errors import InputError
from monoform.guidance.stable_diffusion import StableDiffusion
from monoform.guidance.words import Word, read_word
from monoform.guidance.zero123 import Zero123
from monoform.methods.realfusion.config import RealFusionOptions
from monoform.methods.realfusion.fit_options import PUBLISHED, Compat
from monoform.methods.realfusion.guide import open_judges
from monoform.methods.realfusion.infer import RealFusion
from monoform.methods.realfusion.photo_square import cut_square
from monoform.methods.realfusion.steps import PriorDraws, choose, prior_view
from monoform.methods.realfusion.task import FitTask, rays
from monoform.scene import Reconstruction, View
from monoform.scene.mesh_field import MeshField
from monoform.training.checkpoint import Checkpoint

FILES = "@"
"""Begins values that are files of the test."""
BASE: dict[str, Any] = {
    "steps": 3,
    "albedo_steps": 3,
    "hidden_steps": 1,
    "occupancy_every": 2,
    "ema_every": 1,
    "embedding": FILES + "ball.bin",
    "text": "a <token>",  # after the word that it has
}
SHAPED = {"depth": FILES + "depth.npy", "normals": FILES + "normals.npy"}
MANY = {"views.count": 8}
VIEW = {"view_prior": "a/zero123", "prior_scale": 1.0}
DRAWN = ("draws", "clock")
"""What is known without a fit."""
TABLE: dict[str, tuple[str, Any] | tuple[str, Any, dict[str, Any]]] = {
    # option: what it changes, a value of it, and what else holds with and without it
    "steps": ("field", 2),
    "albedo_steps": ("judged", 0),
    "normal_steps": ("judged", 1),
    "hidden_levels": ("field", 2),
    "hidden_steps": ("field", 3),
    "occupancy_every": ("judged", 1),
    "optimizer": ("field", "adan"),
    "rate": ("field", 1e-3),
    "weight_decay": ("field", 0.5),
    "ema_decay": ("field", 0.0),
    "ema_every": ("field", 2),
    "prior_scale": ("field", 1.0),
    "views.elevation": ("camera", 40.0),
    "views.radius": ("camera", 1.5),
    "views.count": ("draws", 2),
    "views.size": ("judged", 12),
    "views.radius_range": ("draws", (1.0, 1.1)),
    "views.fov_range": ("camera", (40.0, 44.0)),
    "views.polar_range": ("draws", (80.0, 90.0), MANY),
    "views.azimuth_range": ("draws", (0.0, 5.0), MANY),
    "views.sphere_share": ("draws", 1.0, MANY),
    "views.jitter": ("draws", True),
    "views.front": ("draws", 175.0, MANY),
    "views.overhead": ("draws", 85.0, MANY),
    "views.directions": ("told", False),
    "views.replace_every": ("judged", 2),
    "views.replace_noise": ("judged", 0.5),
    "photo.size": ("field", 16),
    "photo.rays": ("field", 64),
    "photo.every": ("field", 2),
    "photo.start": ("field", 2),
    "photo.noise": ("field", 0.5),
    "photo.noise_annealed": ("field", False, {"photo.noise": 0.5}),
    "photo.background": ("field", "learned"),
    "losses.prior": ("field", "1000"),
    "losses.view": ("field", "1000", VIEW),
    "losses.image": ("field", "1"),
    "losses.mask": ("field", "5"),
    "losses.entropy": ("field", "1"),
    "losses.opacity": ("field", "1"),
    "losses.orient": ("field", "1"),
    "losses.smooth": ("field", "1"),
    "losses.smooth_2d": ("field", "10"),
    "losses.depth": ("field", "10", SHAPED),
    "losses.normal": ("field", "10", SHAPED),
    "network.bound": ("field", 0.9),
    "network.levels": ("field", 3),
    "network.resolution": ("field", 128),
    "network.base": ("field", 8),
    "network.features": ("field", 4),
    "network.log2_hashmap_size": ("field", 10),
    "network.kind": ("field", "tiled"),
    "network.hidden": ("field", 8),
    "network.layers": ("field", 2),
    "network.background_hidden": ("judged", 0),
    "network.background_layers": ("judged", 1),
    "network.background_frequencies": ("judged", 2),
    "network.blob_density": ("field", 1.0),
    "network.blob_radius": ("field", 0.4),
    "network.density_gradient_limit": ("field", 1.0),
    "network.cells": ("judged", 8),
    "network.density_threshold": ("judged", 1e-3),
    "network.steps": ("judged", 24),
    "network.step_growth": ("judged", 0.5),
    "network.nearest": ("judged", 1.7),
    "network.normals": ("field", "analytic"),
    "network.normal_epsilon": ("field", 0.1),
    "network.mirrored": ("draws", True),
    "compat.off_center": ("draws", True, MANY),
    "compat.inverted_replacement": ("told", True),
    "compat.late_occupancy": ("judged", True),
    "compat.padded_means": ("field", True, {"losses.orient": "1"}),
    "compat.constant_annealing": ("field", True, {"losses.image": "5 1 3 linear"}),
    "compat.zero_depth_clock": ("clock", True),
    "prior": ("opened", "another/model"),
    "text": ("told", "two <token>"),
    "negative": ("told", "blurred"),
    "embedding": ("told", FILES + "egg.bin"),
    "view_prior": ("told", "a/zero123"),
    "view_scale": ("field", 50.0, VIEW),
    "view_timesteps": ("told", "0.5 / 0.6", VIEW),
    "view_size": ("opened", 64, VIEW),
    "view_tells": ("opened", "polar", VIEW),
    "view_by_angle": ("field", True, VIEW),
    "guidance_scale": ("field", 1.0, {"prior_scale": 1.0}),
    "timesteps": ("told", "0.5 / 0.6"),
    "prior_size": ("opened", 64),
    "suppress_face": ("told", "face"),
    "perp_neg": ("told", 1.0, {"views.replace_every": 0}),
    "precision": ("opened", "bfloat16"),
    "offload": ("opened", True),
    "depth": ("field", SHAPED["depth"]),
    "normals": ("field", SHAPED["normals"]),
    "start": ("field", FILES + "result"),
    "run": ("kept", FILES + "run"),
    "weights": ("field", FILES + "weights"),
    "checkpoint_every": ("kept", 1, {"run": FILES + "run"}),
    "preview_every": ("kept", 1, {"run": FILES + "run"}),
    "pretrain_check": ("files", 1),
    "margin": ("camera", 0.3),
    "level": ("level", 3.0),
    "films": ("files", 2),
    "film_size": ("files", 16, {"films": 2}),
}


def own_checkpoint(path: Path) -> Checkpoint:
    """A checkpoint of this test, as torch reads one."""
    content = torch.load(path, weights_only=True)
    return Checkpoint(**{name: content[name] for name in Checkpoint.__dataclass_fields__})


QUICK = {
    "monoform.training.weights.load_checkpoint": own_checkpoint,
    "monoform.methods.realfusion.guide.read_word": lru_cache(read_word),
    "monoform.methods.realfusion.start.STEPS": 30,
}
"""What a hundred fits of three steps spend most of their time on, made quick; other tests look at it."""


def leaves(asked: Any, before: str = "") -> Iterator[str]:
    """Names of all options, those within others after a dot."""
    for item in dataclasses.fields(asked):
        value = getattr(asked, item.name)
        if dataclasses.is_dataclass(value):
            yield from leaves(value, f"{before}{item.name}.")
        else:
            yield before + item.name


def changed(asked: Any, name: str, value: Any) -> Any:
    """Options with another value of one of them."""
    first, _, rest = name.partition(".")
    return dataclasses.replace(asked, **{first: changed(getattr(asked, first), rest, value) if rest else value})


class Recorder(PointPrior):
    """A prior to which each text is a picture of its own, and which keeps what it is shown and told."""

    def __init__(self) -> None:
        super().__init__({"": torch.zeros(4, 8, 8)})
        self.shown: list[Tensor] = []
        self.told: list[Tensor] = []
        self.photo_elevation: float | None = None

    def add(self, word: Word) -> None:
        pass

    def encode(self, images: Tensor, **more: Any) -> Tensor:
        self.shown.append(images.detach().clone())
        return super().encode(images, **more)

    def embed(self, prompts: Sequence[str]) -> Tensor:
        seeds = [torch.Generator().manual_seed(zlib.crc32(text.encode())) for text in prompts]
        return torch.stack([torch.rand(1, 256, generator=seed) for seed in seeds])

    def embed_view(self, photo: Tensor, *way: Tensor) -> tuple[Tensor, Tensor]:
        self.told += [photo, *way]
        told = photo.mean() * torch.ones(len(way[0]), 1, 256)
        return told, torch.zeros_like(told)

    def pictures(self, prompts: Sequence[str], *, generator: torch.Generator, negative: str = "") -> Tensor:
        return torch.rand(len(prompts), 8, 8, 3, generator=generator)

    def predict(self, latents: Tensor, timesteps: Tensor, embeddings: Any) -> Tensor:
        self.told += [timesteps.float(), embeddings.detach().clone()]
        return super().predict(latents, timesteps, embeddings)


def flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([each.detach().double().flatten() for each in tensors]) if tensors else torch.zeros(0)


def drawn(asked: RealFusionOptions) -> dict[str, object]:
    """What is drawn for a step, and the depth of a first view."""
    seeded = torch.Generator().manual_seed(4)
    task = FitTask(ball_field(asked.network), cut_square(view().photo, None, asked, asked.margin), asked)
    batch, side = task.batch(0, seeded), asked.views.size
    places = [each.flatten(0, 1) for each in rays(batch["poses"], batch["fov"], side, side)]
    draws = PriorDraws.draw(len(places[0]), seeded)
    seen = prior_view(task.field, places[0], places[1], choose(0, 1.0, asked), draws, asked)[0]
    return {"draws": flat([batch[name] for name in ("poses", "fov", "labels")]), "clock": flat([seen.depth])}


def outcome(asked: RealFusionOptions) -> dict[str, object]:
    """What comes of a short fit."""
    judge, opened = Recorder(), {}

    def open_it(name: str, **more: Any) -> Recorder:
        opened.update({"name": name} | more)
        return judge

    def open_view(name: str, **more: Any) -> Recorder:
        opened["view"] = {"name": name} | more
        return judge

    with ExitStack() as stack:
        for kind, opener in ((StableDiffusion, open_it), (Zero123, open_view)):
            stack.enter_context(patch.object(kind, "from_pretrained", opener))
        for name, instead in QUICK.items():
            stack.enter_context(patch(name, instead))
        made = RealFusion(asked).reconstruct([view()], generator=torch.Generator().manual_seed(3))
    found = made.field.query(torch.rand(200, 3, generator=torch.Generator().manual_seed(5)) - 0.5)
    run = Path(asked.run) if asked.run else None
    with TemporaryDirectory() as place:
        if made.own_files is not None:
            made.own_files(Path(place), None)
        files = {path.name: path.stat().st_size for path in Path(place).iterdir()}
    return {
        "judged": flat(judge.shown),
        "told": flat(judge.told),
        "field": flat([found.geometry, found.rgb]),
        "camera": flat([made.camera.world_from_camera, made.camera.intrinsics]),
        "level": made.level,
        "files": files,
        "opened": opened | {"elevation": judge.photo_elevation},
        "kept": sorted(path.name for path in run.rglob("*")) if run else [],
    }


def same(one: object, other: object) -> bool:
    return torch.equal(one, other) if isinstance(one, Tensor) and isinstance(other, Tensor) else one == other


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Words, maps, and a field that is fitted already."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("ball", "egg"):
        torch.save({f"_{name}_": torch.ones(8)}, folder / f"{name}.bin")
    rows, columns = np.mgrid[0:48, 0:48] / 48.0 - 0.5
    np.save(folder / "depth.npy", np.hypot(rows, columns))
    slope = np.stack((columns, rows, -np.ones_like(rows)), axis=-1)
    np.save(folder / "normals.npy", slope / np.linalg.norm(slope, axis=-1, keepdims=True))
    RealFusion(options(steps=1, run=str(folder / "fitted")), prior=prior()).reconstruct(
        [view()], generator=torch.Generator().manual_seed(9)
    )
    camera = orbit(1, elevation=0.0, distance=2.0, fov_y=0.7, width=48, height=48)
    begun = icosphere(0.4, 2)
    Reconstruction(MeshField(begun), (View(view().photo, camera),), surface=begun).save(folder / "result")
    (folder / "fitted" / "weights").rename(folder / "weights")
    return folder


@lru_cache(maxsize=32)
def plain(files: Path, more: tuple[tuple[str, Any], ...], fitted: bool) -> dict[str, object]:
    """What comes out without the option."""
    return (outcome if fitted else drawn)(asked_for(files / "plain", files, dict(more)))


def asked_for(place: Path, files: Path, more: dict[str, Any]) -> RealFusionOptions:
    """Options of a short fit, whose run is kept at a place of its own."""
    asked = options()
    for name, value in (BASE | more).items():
        if isinstance(value, str) and value.startswith(FILES):
            value = str((place if name == "run" else files) / value[len(FILES) :])
        asked = changed(asked, name, value)
    return asked


@pytest.mark.parametrize("name", TABLE)
def test_it_changes_what_the_table_says(name: str, files: Path, tmp_path: Path) -> None:
    what, value, *rest = TABLE[name]
    more = rest[0] if rest else {}
    fitted = what not in DRAWN
    with_it = asked_for(tmp_path, files, more | {name: value})
    made = (outcome if fitted else drawn)(with_it)[what]
    assert not same(made, plain(files, tuple(more.items()), fitted)[what])


def test_the_table_has_every_option() -> None:
    assert set(leaves(RealFusionOptions())) == set(TABLE)


def test_nothing_changes_by_itself(files: Path) -> None:
    for fitted in (True, False):
        again, before = (outcome if fitted else drawn)(asked_for(files, files, {})), plain(files, (), fitted)
        assert [name for name in before if not same(before[name], again[name])] == []


def test_published_has_all_faults() -> None:
    assert PUBLISHED.compat == Compat.published()
    assert all(dataclasses.astuple(Compat.published())) and not any(dataclasses.astuple(Compat()))


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if isinstance(row[1], float)])
def test_a_number_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        changed(RealFusionOptions(), name, float("nan"))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("timesteps", "0.98 / 0.02", "timesteps are '0.98 / 0.02'; give the lowest / the highest"),
        ("timesteps", "0.02 0.6 / 0.98 0.5", "give the lowest / the highest"),
        ("view_timesteps", "0.1 / 1.5", r"view_timesteps is 1\.5; it must lie in 0\.0\.\.1\.0"),
        ("losses.image", "5 -1", r"losses\.image is -1\.0; it must lie in 0"),
        ("views.radius", 0.5, r"views\.radius is 0\.5, within the box of half side 0\.75"),
        ("network.bound", 1.2, r"views\.radius_range is 1, within the box of half side 1\.2"),
    ],
)
def test_what_makes_no_fit_is_refused_before_it(name: str, value: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        changed(RealFusionOptions(), name, value)


def test_a_weight_of_a_prior_that_is_not_given_is_refused() -> None:
    photo = torch.ones(8, 8, 3)
    lonely = RealFusionOptions.preset("magic123")
    with pytest.raises(InputError, match=r"losses\.view is 40 .*no view_prior: give one, or losses\.view=0"):
        open_judges(lonely, photo, torch.device("cpu"), Recorder())
    alone = changed(lonely, "losses.view", "0")
    assert set(open_judges(alone, photo, torch.device("cpu"), Recorder())) == {"prior"}
