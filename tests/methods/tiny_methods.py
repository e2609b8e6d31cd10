"""Each method in small: a network of random weights that works, something to learn from, and what it refuses.

A method that is installed and has no entry in `TINY` fails the tests of all methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
import trimesh
from tests.data.capture_cases import orbit_cameras, write_transforms
from tests.data.category_cases import write_detections
from tests.data.posed_files_cases import write_srn
from tests.data.test_sdf import shapenet
from tests.methods.bootstrap.tiny_bootstrap import TINY_BACKBONE as ENCODER
from tests.methods.bootstrap.tiny_bootstrap import generator as bootstrap_generator
from tests.methods.bootstrap.tiny_bootstrap import save_encoder, save_seen_from_around
from tests.methods.bootstrap.training_cases import OPTIONS as BOOTSTRAP
from tests.methods.inerf.painted import RENDERER, at, photo, starts
from tests.methods.list.tiny_list import octahedron_net
from tests.methods.nerf.test_hash_scene import even_scene
from tests.methods.nerf.test_scene_training import TINY as TINY_SCENE
from tests.methods.pixelnerf.tiny import CONFIG, net_of, solid
from tests.methods.pof3d.tiny import CONFIG as POF3D
from tests.methods.pof3d.tiny import CRITIC
from tests.methods.pof3d.tiny import networks as pof3d_networks
from tests.methods.pof3d.tiny import pictures as photos_of_discs
from tests.methods.realfusion.tiny_realfusion import ball_field as realfusion_ball
from tests.methods.test_lift import TINY as TINY_LIFT
from tests.methods.triposr.tiny_triposr import ellipsoid_net
from tests.pictures import disc, png
from torch import Tensor, nn

from monoform import Photo, View
from monoform.camera import orbit
from monoform.data import LabelOptions, PackOptions, ViewOptions, pack_meshes, procedural_sources
from monoform.methods import Generator, Method, PoseEstimator, Reconstructor, SceneBounds, make, method_class
from monoform.methods.bootstrap import BootstrapConfig, BootstrapGenerator
from monoform.methods.lift import LiftConfig, LiftNet
from monoform.methods.list.config import ListConfig
from monoform.methods.list.model import build as build_list
from monoform.methods.nerf import HashConfig, HashScene, load_scene
from monoform.methods.pixelnerf import PixelNerfConfig, PixelNerfNet
from monoform.methods.pof3d.networks import NetworksConfig, Pof3dNetworks
from monoform.methods.realfusion.model import RealFusionField
from monoform.methods.realfusion.network_config import FieldConfig
from monoform.methods.triposr import TripoSrConfig, TripoSrNet
from monoform.scene import Reconstruction
from monoform.training import save_pretrained

Net = nn.Module


FEW_STEPS = ("--optimizer", "adam", "--steps", "3", "--rays", "32")


def lift_net() -> LiftNet:
    torch.manual_seed(0)
    return LiftNet(TINY_LIFT)


@dataclass(frozen=True)
class TinyTraining:
    """A further training of a method in small; see `TinyMethod`."""

    data: Callable[[Path], Path]
    settings: Mapping[str, Any]
    bad_setting: tuple[str, str]


@dataclass(frozen=True)
class TinyMethod:
    """A method in small.

    Attributes:
        net: a network that works; None where the method has none.
        build: makes one of its configuration.
        config_class: of that.
        overrides: options of the method that make it quick.
        opened: from the folder of weights and a device to a reconstruction, where the method itself makes none.
        data: writes something to learn from into a folder.
        settings: of a quick training.
        evaluated: from a folder for data and that of weights to the words of a quick evaluation of one item.
        bad: an option of the method and its refusal.
        bad_setting: the same of the training.
        further: its other trainings, by their names.
    """

    net: Callable[[], Net] | None = None
    build: Callable[[Any], Net] | None = None
    config_class: type | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    opened: Callable[[str, str], Reconstruction] | None = None
    data: Callable[[Path], Path] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    evaluated: Callable[[Path, str], tuple[str, ...]] | None = None
    bad: tuple[str, str] | None = None
    bad_setting: tuple[str, str] | None = None
    further: Mapping[str, TinyTraining] = field(default_factory=dict)

    def save(self, folder: Path) -> str:
        """Weights of the network, as they are; the folder, or "" where there is none."""
        if self.net is None:
            return ""
        net = self.net()
        return str(save_pretrained(net, net.config, folder, card="Of the tests.", exact=True))

    def trained(self, training: str, name: str) -> TinyTraining:
        """What one of its trainings, that called as the method or another, learns from and is set to."""
        if training in self.further:
            return self.further[training]
        assert self.data is not None and self.bad_setting is not None, f"{name} has no data or bad_setting in TINY"
        return TinyTraining(self.data, self.settings, self.bad_setting)


def pack(folder: Path) -> Path:
    """Two objects, as `monoform prepare meshes` packs them."""
    views = ViewOptions(count=2, size=48, samples=1)
    labels = LabelOptions(points=256, surface=128, voxels=48)
    assert pack_meshes(procedural_sources(2), folder, PackOptions(views=views, labels=labels), workers=1) == []
    return folder


def posed(folder: Path) -> Path:
    """Two objects from three sides, in the layout of SRN."""
    write_srn(folder / "cars_train", ("a", "b"))
    write_srn(folder / "cars_val", ("c",))
    write_srn(folder / "cars_test", ("d",))
    return folder


def capture(folder: Path) -> Path:
    """Photos of a ball from around."""
    write_transforms(folder, orbit_cameras(10, width=24, height=20))
    return folder


def posed_words(folder: Path, weights: str) -> tuple[str, ...]:
    return ("--data", str(posed(folder)), "--weights", weights, "--sources", "0", "--targets", "1", "--scale", "0.5")


def scene_of(folder: Path) -> str:
    """A trained scene, for a step or two."""
    training = method_class("nerf").training()
    assert training is not None
    settings = training.options(**TINY_SCENE)
    options = settings.loop(steps=2, device="cpu", progress=False)
    training.run(capture(folder / "capture"), folder / "scene", options, settings)
    return str(folder / "scene")


def category_words(folder: Path, weights: str) -> tuple[str, ...]:
    write_detections(folder, count=3)
    encoder = save_encoder(folder / "encoder")
    named = ("--data", str(folder), "--category", "p3d_car", "--test-set", "train", "--weights", weights)
    return (*named, "--encoder", encoder, "--refine", "0", "--loss", "l1", "--limit", "2")


def photo_words(folder: Path, weights: str) -> tuple[str, ...]:
    few = ("--generated", "8", "--block", "12", "--poses", "own")
    return ("--data", str(photos_of_discs(folder)), "--weights", weights, *few)


def mesh_words(folder: Path, weights: str) -> tuple[str, ...]:
    folder.mkdir()
    trimesh.creation.icosphere(subdivisions=2, radius=0.4).export(folder / "ball.ply")
    return (str(folder), "--weights", weights, "--refine", "0", "--views", "1")


def result_words(folder: Path, weights: str) -> tuple[str, ...]:
    rgb, mask = disc(64, 48, 17.0)
    view = View(Photo.open(rgb, mask=mask))
    result = make("realfusion", weights=weights).reconstruct([view], generator=torch.Generator())
    replace(result, surface=result.mesh(faces=300, texture=64, resolution=32)).save(folder)
    return (str(folder), "--size", "32")


def shape_words(folder: Path, weights: str) -> tuple[str, ...]:
    shapenet(folder, "a")
    (folder / "splits" / "1_test.lst").write_text("a")
    rgb, mask = disc(32, 32, 11.0)
    (folder / "images" / "1" / "a" / "easy" / "00.png").write_bytes(png(rgb * mask[..., None]))
    meshes = folder / "isosurface" / "1" / "a"
    meshes.mkdir(parents=True)
    trimesh.creation.icosphere(subdivisions=2, radius=0.4).export(meshes / "isosurf_scaled.obj")
    quick = ("--points", "200", "--inside-points", "500", "--emd-points", "0", "--nodes", "16")
    return ("--data", str(folder), "--weights", weights, *quick)


def opened_scene(folder: str, device: str) -> Reconstruction:
    return load_scene(folder, device=device).reconstruction()


TINY: dict[str, TinyMethod] = {
    "bootstrap": TinyMethod(
        net=bootstrap_generator,
        build=BootstrapGenerator,
        config_class=BootstrapConfig,
        data=lambda folder: write_detections(folder, count=6),
        evaluated=category_words,
        settings={item.name: getattr(BOOTSTRAP, item.name) for item in fields(BOOTSTRAP)} | {"evaluate_every": 2},
        bad=("refine=-1", "bootstrap's refine is -1"),
        bad_setting=("pretraining=-1", "bootstrap's pretraining is -1"),
        further={
            "bootstrap-encoder": TinyTraining(
                save_seen_from_around,
                {"backbone": ENCODER, "batch": 2, "evaluated": 2},
                ("batch=0", "The encoder's batch is 0"),
            )
        },
    ),
    "inerf": TinyMethod(
        evaluated=lambda folder, _: ("--scene", scene_of(folder), "--photos", "1", "--starts", "1", *FEW_STEPS),
        overrides={"starts": 1, "longest": 40, "elsewhere": False},
        bad=("optimizer=sgd", "--set optimizer is 'sgd': give lm or adam."),
    ),
    "inflate": TinyMethod(overrides={"detail": 64}, bad=("thickness=9", "inflate's thickness is 9.0")),
    "lift": TinyMethod(
        net=lift_net,
        build=LiftNet,
        config_class=LiftConfig,
        overrides={"refine": 2},
        data=pack,
        evaluated=mesh_words,
        settings={"objects": 1, "early_size": 16},
        bad=("refine=-1", "lift's refine is -1"),
        bad_setting=("early_size=17", "lift's early_size is 17"),
    ),
    "list": TinyMethod(
        net=octahedron_net,
        build=build_list,
        config_class=ListConfig,
        data=pack,
        evaluated=shape_words,
        settings={"config": "tiny", "first_batch": 2, "batch": 2, "points": 32, "cloud": 32},
        bad=("fov=500", "list's fov is 500.0"),
        bad_setting=("batch=0", "LIST's batch is 0"),
    ),
    "nerf": TinyMethod(
        net=lambda: even_scene(20.0),
        build=HashScene,
        config_class=HashConfig,
        opened=opened_scene,
        data=capture,
        evaluated=lambda folder, _: ("--scene", scene_of(folder)),
        settings=TINY_SCENE,
        bad_setting=("rays=0", "A scene's rays is 0"),
    ),
    "pixelnerf": TinyMethod(
        net=lambda: solid(net_of(CONFIG)),
        build=PixelNerfNet,
        config_class=PixelNerfConfig,
        data=posed,
        evaluated=posed_words,
        settings={"objects": 1, "rays": 16, "validation_objects": 1, "validation_rays": 16},
        bad=("margin=99", "pixelnerf's margin is 99.0"),
        bad_setting=("rays=0", "pixelNeRF's rays is 0"),
    ),
    "pof3d": TinyMethod(
        net=pof3d_networks,
        build=Pof3dNetworks,
        config_class=NetworksConfig,
        data=photos_of_discs,
        evaluated=photo_words,
        settings={"network": POF3D, "discriminator": CRITIC, "batch": 4},
        bad=("truncation=99", "pof3d's truncation is 99.0"),
        bad_setting=("batch=0", "PoF3D's batch is 0"),
    ),
    "realfusion": TinyMethod(
        net=realfusion_ball,
        build=RealFusionField,
        config_class=FieldConfig,
        evaluated=result_words,
        bad=("margin=9", "realfusion's margin is 9.0"),
    ),
    "triposr": TinyMethod(
        net=ellipsoid_net,
        build=TripoSrNet,
        config_class=TripoSrConfig,
        overrides={"refine": 2},
        bad=("threshold=0", "triposr's threshold is 0.0"),
        data=pack,
        settings={"config": "small", "views": 2, "patch": 8},
        bad_setting=("patch=0", "TripoSR's patch is 0"),
    ),
}


def used(name: str, folder: str, device: str = "cpu") -> dict[str, Tensor]:
    """What a method makes of the tests' photo, scene or seed, as numbers on the CPU."""
    tiny = TINY[name]
    if tiny.opened is not None:
        return numbers_of(tiny.opened(folder, device))
    weights = {"weights": folder} if folder else {}
    method: Method = make(name, device=device, **tiny.overrides, **weights)
    generator = torch.Generator().manual_seed(0)
    if isinstance(method, PoseEstimator):
        start = at(starts(1, 5)[0])
        seen = Photo.open(photo().clamp(0, 1).numpy())
        found = method.estimate(seen, RENDERER, start, scene_bounds=SceneBounds(), generator=generator)
        return {"pose": found.camera.world_from_camera}
    if isinstance(method, Reconstructor) and not isinstance(method, Generator):  # whose fits divide by tiny numbers
        rgb, mask = disc(64, 48, 17.0)
        # The pretended device has no inference mode.
        with torch.inference_mode() if device == "cpu" else torch.no_grad():
            return numbers_of(method.reconstruct([View(Photo.open(rgb, mask=mask))], generator=generator))
    assert isinstance(method, Generator), f"{name} does nothing that these tests know: say how it is used"
    return numbers_of(method.generate(method.latent(generator), generator=generator))


def numbers_of(made: Reconstruction) -> dict[str, Tensor]:
    """Geometry and colors at points, what rays see, and the camera."""
    points = 0.3 * torch.randn(64, 3, generator=torch.Generator().manual_seed(1))
    found = {"geometry": made.field.geometry(points), "values": made.field.values(points)}
    if made.has_camera:
        found["camera"] = made.camera.world_from_camera
    if made.renderer is not None:
        origins = torch.tensor([[0.0, 0.0, 1.3]]).expand(4, 3)
        ahead = torch.tensor([[0.0, 0, -1], [0.1, 0, -1], [0, 0.1, -1], [1, 1, -1]])
        directions = nn.functional.normalize(ahead, dim=1)
        seen = made.renderer(origins, directions)
        found |= {"rgb": seen.rgb, "alpha": seen.alpha}
    if made.image is not None:
        camera = orbit(1, elevation=0.2, distance=1.3, fov_y=0.6, width=6, height=5)
        found["picture"] = made.image(camera).rgb
    return found
