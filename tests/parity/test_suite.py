"""The parity suite itself: it notices wrong numbers, left out arrays, unreadable cases and kinds without a check."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.parity.conftest import golden_folder
from tests.parity.parity_case import Case
from tests.parity.parity_checks import CHECKS, case_folders, checked, kind_of, with_and_without_check

from monoform.errors import InputError

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden"
FOLDERS = case_folders(GOLDEN)
SOME = {"share", "count", "count_share", "overlap", "mean_abs"}  # tolerances that let some entries differ
DRAWS = ("u_coarse", "u_cdf", "u_bin", "n_depth")
# Used, and without effect on what the case holds: interest points and draws of a step of which little is stored; a bit
# of a cell that no ray meets; a density far below the threshold; what is asked of a ray without samples.
UNSEEN = {("sampling", "image"), ("train_step_srn", "step1/n_depth")}
UNSEEN |= {(f"pixelnerf_{kind}_steps", f"step{step}/n_depth") for kind in ("matrix", "se3") for step in range(1, 5)}
UNSEEN |= {("03_rays_morton_bits", "grid"), ("05_composite_train", "grad_weights_sum")}
UNSEEN |= {("04_march", f"{name}.bitfield") for name in "ab"}
# Draws and latents that the published step makes and does not use.
UNSEEN |= {("train_step", f"draw/{name}_rand") for name in ("Gmain/00", "Dmain/00", "Dmain/03")}
UNSEEN |= {("train_step", "z/Dreg")}
# A discriminator of the image alone; the truth that a case was made from, beside what the published solver found of it;
# of a mask, pixels far more than a pose needs.
UNSEEN |= {("discriminator_single", "image_raw")}
UNSEEN |= {("pose-pnp", name) for name in ("true_cam2world", "true_focal", "ortho_true_cam2world", "ortho_mask")}
# A gradient of thousands, of which the smallest may differ by more than it is moved.
UNSEEN |= {("11_sds", "pixel_grad")}
# Of these coins, every second one shows the same side when it is moved.
UNSEEN |= {
    ("augment-schedules", f"{name}{run}_draw1_rand") for name in ("p3d_car", "cub", "carla") for run in ("", "_noscale")
}
# One slope among many that are a thousand times as steep; a loss of weight 0.
UNSEEN |= {("07_network", f"mask{hidden}.raw_normal") for hidden in (0, 8)}
UNSEEN |= {("20_replaced_camera_step", "render_loss_smooth")}
# Faces of cells that may be cut in several ways.
UNSEEN |= {(case, f"{name}_faces") for case in ("mesh", "end_to_end_small") for name in ("raw", "mesh")}
NAMES = [
    (folder, name)
    for folder in FOLDERS
    for name, values in Case.load(folder).arrays.items()
    if values.size  # there is nothing to change in an empty file
    and (folder.name, name) not in UNSEEN
]


def first_input(folder: Path) -> str:
    """An input of a case that can be changed; of a mesh that is all made from parameters, a result."""
    case = Case.load(folder)
    names = [name for name in (*case.manifest["inputs"], *case.arrays) if (folder, name) in NAMES]
    return names[0]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_an_input_matters(folder: Path) -> None:
    """One of those that `test_every_array_matters` changes."""
    fails_when_changed(folder, first_input(folder))


def of_case(folder: Path, *others: Any) -> Any:
    """Parameters of a test, for the process that runs all tests of the case."""
    name = f"{folder.parent.name}/{folder.name}"
    label = "-".join([folder.name, *(".".join(each) if isinstance(each, tuple) else each for each in others)])
    return pytest.param(folder, *others, id=label, marks=pytest.mark.xdist_group(name))


@pytest.mark.suite
@pytest.mark.parametrize(("folder", "name"), [of_case(*each) for each in NAMES])
def test_every_array_matters(folder: Path, name: str) -> None:
    """Change one number or word of one array, or empty one file: the check must fail."""
    fails_when_changed(folder, name)


def fails_when_changed(folder: Path, name: str) -> None:
    """What an input changes is computed anew; what an output is compared with is not."""
    case = Case.load(folder)
    case.arrays[name] = changed(name, case)
    # Inputs that became useless may be refused; all else is noticed by comparing.
    with pytest.raises((AssertionError, InputError, RuntimeError, ValueError, IndexError)):
        if name not in case.manifest["inputs"]:
            before = checked(folder)
            if name in before.compared and name not in before.taken:
                actual, rounding = before.compared[name]
                case.compare(name, actual, rounding=rounding)
        CHECKS[kind_of(folder)](case)


def changed(name: str, case: Case) -> np.ndarray:
    values = case.arrays[name]
    if name.startswith("file/"):
        return values[:0]
    if values.dtype.kind == "U":
        return np.char.add(values, "x")
    if values.dtype.kind == "b":
        return ~values
    if values.dtype == np.uint8 and values.ndim > 1:
        return 255 - values
    if name.split("/")[-1] in DRAWS:
        return values + 30  # all of them, and far: a draw may move a sample where there is nothing to see
    if name not in case.manifest["inputs"] and set(case.tolerance(name)) & SOME:
        return values + np.asarray(1, values.dtype)  # some may differ
    if name not in case.manifest["inputs"] and "surface" in case.tolerance(name):
        return values[: len(values) // 2]
    if values.dtype.kind != "f":
        smaller = values // 2  # what was an index is one still
        is_input = name in case.manifest["inputs"] and not np.array_equal(smaller, values)
        return smaller if is_input else values + np.asarray(1, values.dtype)
    values = values.copy()
    # Of an input every second number; of a result the smallest, which is the least likely to be seen. Not by a whole: a
    # hue that is a whole turn away is the same. More of a large number: tolerances are relative.
    places = slice(None, None, 2) if name in case.manifest["inputs"] else np.abs(values).argmin()
    values.reshape(-1)[places] += 0.5 + 0.1 * np.abs(values.reshape(-1)[places])
    return values


def numbers_of(fields: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where the numbers and switches of a manifest's branch are."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from numbers_of(value, (*path, name))
        elif isinstance(value, (bool, int, float)) or (isinstance(value, list) and _is_numbers(value)):
            yield (*path, name)


def _is_numbers(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(value, (int, float)) for value in values)


# Of no effect on what these cases hold: an option of what they do not do or that is of weight in none of their numbers,
# a range that holds what was drawn, the step of the golden run's own derivative.
UNREAD = {
    ("exp_map", "config.jacobian_step"),
    ("pose_error", "config.euler_wrap_above"),
    ("metrics_mesh", "config.box"),
}
UNREAD |= {("perturbation", f"config.{name}") for name in ("angle_range_deg", "translation_range")}
UNREAD |= {("color_jitter", f"config.{name}") for name in ("brightness", "saturation", "hue")}
UNREAD |= {("preproc", f"config.{name}.major_scale") for name in ("default", "const")}
UNREAD |= {("renderer", f"config.{name}.depth_std") for name in ("lindisp", "coarse_only")}
UNREAD |= {
    (f"vanilla_{kind}_steps", f"config.{name}") for kind in ("se3", "screw") for name in ("decay_steps", "near_plane")
}
UNREAD |= {("04_march", "config.a.min_near")}
UNREAD |= {("pixelnerf_matrix_steps", f"config.inerf.{name}") for name in ("decay_factor", "decay_steps")}
UNREAD |= {(f"pixelnerf_{kind}_steps", "config.random_start") for kind in ("matrix", "se3")}  # start_pose says it
UNREAD |= {(f"list_forward_{nodes}", "config.sdf_scale") for nodes in (32, 128)}  # what is stored is scaled already
UNREAD |= {("geod", "config.uncovered")}  # however far, depths are clamped at the end of their range
UNREAD |= {("train_step_list", "config.weight_decay")}  # of three steps it changes less than the order of a sum
UNREAD |= {("list_inference_32", "config.test_pointnum")}  # points asked for at once
# Where there are more views than the limit they are drawn anyway; seven views are one object of seven or of more.
UNREAD |= {("novel-view-pairing", f"config.variants.{name}.repeats") for name in ("carla", "srn")}
UNREAD |= {("novel-view-pairing", "config.variants.srn_small.views_per_object_test")}
# Of diffusion models: sizes that are told and not built in, ends that only summaries know, what sampling alone uses.
DIFFUSION = ("vae.sample_size", "unet.sample_size", "text.projection_dim")
DIFFUSION += tuple(f"text.{name}_token_id" for name in ("bos", "eos", "pad"))
DIFFUSION += tuple(f"scheduler.{name}" for name in ("skip_prk_steps", "set_alpha_to_one", "steps_offset"))
UNREAD |= {(case, f"config.{name}") for case in ("11_sds", "14_textual_inversion") for name in DIFFUSION}
UNREAD |= {("14_textual_inversion", "config.vae.scaling_factor")}  # its latents are given
UNREAD |= {("14_textual_inversion", "config.optimiser.weight_decay")}  # in five steps less than what is allowed
# Probabilities between which none of the coins of these pictures lies.
UNREAD |= {("21_textual_augmentation", f"config.{name}.p") for name in ("blur", "greyscale")}
UNREAD |= {
    ("21_textual_augmentation", f"config.plain.{name}.flip_p") for name in ("plain", "plain_centre", "plain_flipped")
}
UNREAD |= {(name, "config.focal") for name in ("end_to_end_srn", "train_step_srn")}  # an array of the case says it too
UNREAD |= {("discriminator_single", "config.epilogue.mbstd_group_size")}  # of a batch of one group
UNREAD |= {(f"generator_{name}", "seeds.z.seeds") for name in ("ffhq", "shapenet")}  # the draws are stored, too
# What is said of a data set beside its cameras as matrices.
UNREAD |= {("render-carla", f"config.{name}") for name in ("camera_flipped", "has_bbox", "views_per_object")}
DATA_SET = ("scene_range", "white_background", "has_mask", "has_bbox", "views_per_object", "views_per_object_test")
UNREAD |= {("inversion-losses", f"config.{name}") for name in (*DATA_SET, "camera_flipped")}
UNREAD |= {
    ("pose-utils", f"config.variants.{variant}.{name}")
    for variant in ("p3d_car", "cub", "shapenet_cars")
    for name in DATA_SET
}
UNREAD |= {("inversion-losses", f"config.augmented_copies.{name}") for name in ("vgg_nocrop", "l1", "mse")}  # have none
UNREAD |= {("pose-pnp", "config.noise")}  # is in the arrays
# Paths are dropped in training alone; two heads for one change features of the first stage by less than is allowed.
UNREAD |= {("encoder-separate", f"config.{name}") for name in ("drop_path_rate", "num_heads")}
UNREAD |= {("triplane_decoder", f"config.box_warps.{name}") for name in ("bw10", "bw16")}  # points come in its units
UNREAD |= {("stylegan-ops", "config.blocks.map_c.normalise")}  # a condition is not brought to unit length
UNREAD |= {("ada-p", "config.start_p")}  # the first iterations forget it
UNREAD |= {  # what is said of a data set beside its images and cameras
    ("augment-schedules", f"config.variants.{name}.{field}")
    for name in ("p3d_car", "cub", "carla")
    for field in ("has_bbox", "views_per_object", "views_per_object_test")
}
# Of RealFusion: the background's radius is only asked whether it is positive, and occupied cells are given.
UNREAD |= {
    (name, f"config.{field}")
    for name in ("07_network", "09_render_eval", "10_render_train", "19_six_channel_frames")
    for field in ("bg_radius", "density_thresh")
}
# No ray is marched; each hidden count is a variant of its own.
UNREAD |= {("07_network", f"config.{name}") for name in ("grid_levels_mask", "max_steps", "dt_gamma")}
UNREAD |= {("09_render_eval", "config.shadings.albedo.ambient_ratio")}  # albedo has no light
UNREAD |= {("10_render_train", "config.density_gradient_limit")}  # which no density reaches
UNREAD |= {("13_optimizers_ema_scaler", "config.ema.decay")}  # which 30 averages do not reach
# Steps are as long as a cell already; the box begins farther away; the cells are given.
UNREAD |= {
    ("19_six_channel_frames", f"config.{name}")
    for name in ("max_steps", "dt_gamma", "march_min_near", "occupied_radius")
}
# The guidance's loss is given, and weights of one number do not change over the steps.
UNREAD |= {("20_replaced_camera_step", f"config.training.{name}") for name in ("guidance_scale", "iters")}
# The frequencies are tensors of the checkpoint; the release names the other two and uses them nowhere here.
UNUSED = ("model.code.freq_factor", "model.canon_xyz", "model.encoder.pretrained")
OF_ANOTHER_PART = {
    "encoder": ("renderer", "model.code", "model.use_", "model.mlp", *UNUSED),
    "mlp": ("renderer", "model.code", "model.use_", "model.encoder", *UNUSED),
    "net_query": ("renderer", *UNUSED),
    "end_to_end": UNUSED,
    # Read as those of `end_to_end` are.
    "train_step": ("model", "renderer"),
    "pixelnerf_steps": ("model", "renderer"),
}
"""Branches of the published configuration that a kind of case has and its part of the network does not use."""
# Options of the published trainings that a generator's configuration holds too; what tensors or arrays of a case say as
# well, sizes of batches among them; more of what is at its limit already; which of many equal rows are stored.
TRAINED = ("c_gen", "c_scale", "gpc", "density_reg", "sr_antialias", "flip_to", "dis_cam", "pose_gd", "rnd_pose")
OF_TRAINING = tuple(f"rendering_kwargs.{name}" for name in (*TRAINED, "detach_w", "nocond", "learn_fov", "image_res"))
OF_POF3D = {
    "augment": ("strength", "runs.ada_strength0.strength", "pipes"),
    "background_nerf": ("bg_kwargs.bg_start",),
    "cameras_rays": ("focal_shapenet",),
    "discriminator": ("epilogue.dis_cam", "epilogue.pose_gd", "epilogue.nocond", "batch", "raw_size", "channel_base"),
    "generator": (*OF_TRAINING, "rendering_kwargs.clamp_"),
    "mapping": ("c_dim", "num_ws", "cam_dim", "runs.ws_psi07.slots", "runs.ws_psi05_cutoff5"),
    "renderer": ("rendering_kwargs.depth_resolution",),
    "superres": ("sr_num_fp16_res",),
    "synthesis_network": ("img_resolution", "channel_base", "num_fp16_res"),
    "train_step": ("",),  # said again for each of the networks
}
OF_TRIPOSR = {
    "backbone_block": ("backbone.num_layers",),  # one is run
    "checkpoint_keys": ("model.renderer", "vit.num_attention_heads", "vit.layer_norm_eps"),  # none of a tensor's shape
    "pos_embed": ("vit.num_", "vit.intermediate_size", "vit.layer_norm_eps", "vit.qkv_bias"),  # the table alone is read
    "mesh": ("renderer.num_samples_per_ray",),
    "triplane_query": ("renderer.num_samples_per_ray",),
    "ray_box": ("valid_thresh",),  # no ray's way is about as short
    "end_to_end": ("scene_code_stride",),  # the first is that of the batch, of one
}
OF_SYSTEM = {"pof3d": OF_POF3D, "triposr": OF_TRIPOSR}


def is_read(folder: Path, path: tuple[str, ...]) -> bool:
    """Whether a parameter is one that the check of a case must notice."""
    said = ".".join(path)
    system, kind = kind_of(folder)
    others = OF_SYSTEM.get(system, {}).get(kind, ()) + (() if system == "triposr" else OF_ANOTHER_PART.get(kind, ()))
    return (folder.name, said) not in UNREAD and not said.startswith(tuple(f"config.{name}" for name in others))


PARAMETERS = [
    (folder, path)
    for folder in FOLDERS
    for branch in ("config", "seeds")
    for path in numbers_of(Case.load(folder).manifest[branch], (branch,))
    if is_read(folder, path)
]


@pytest.mark.suite
@pytest.mark.parametrize(("folder", "path"), [of_case(*each) for each in PARAMETERS])
def test_every_parameter_matters(folder: Path, path: tuple[str, ...]) -> None:
    """Change one number of a manifest, or leave it out where the published code has no default: the check must fail."""
    case = Case.load(folder)
    place = case.manifest
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = other_number(place[path[-1]])
    # Networks of other sizes do not take the tensors, which is another kind of error.
    with pytest.raises((AssertionError, InputError, RuntimeError, ValueError, LookupError, OSError, TypeError)):
        CHECKS[kind_of(folder)](case)


def other_number(value: Any) -> Any:
    if isinstance(value, list):
        return [other_number(value[0]), *value[1:]]
    if isinstance(value, bool):
        return not value
    return value + 1 + abs(value) // 4 if isinstance(value, int) else 1.25 * value + 0.01


def a_case(**manifest: Any) -> Case:
    arrays = {"a": np.zeros(3, np.float32), "n": np.zeros(2, np.int64)}
    return Case(Path("x"), {"inputs": [], "tolerances": {"a": {"abs": 1e-3}}} | manifest, arrays)


def test_shape_and_type_must_agree_and_all_results_be_compared() -> None:
    case = a_case()
    with pytest.raises(AssertionError, match="shape"):
        case.compare("a", np.zeros((1, 3)))
    with pytest.raises(AssertionError, match="golden int64"):
        case.compare("n", np.zeros(2))
    with pytest.raises(AssertionError, match="uncompared: a, n"):
        case.finish()
    case.array("n")
    case.compare("a", np.zeros(3))
    with pytest.raises(AssertionError, match="results used and left uncompared: n"):
        case.finish()
    case.manifest["inputs"] = ["n"]
    case.finish()
    with pytest.raises(AssertionError, match="nothing was compared"):
        Case(Path("x"), {}, {}).finish()


def test_what_a_manifest_does_not_say_is_named() -> None:
    case = a_case(config={"rays": {"width": 5}}, tolerances={})
    with pytest.raises(AssertionError, match=r"manifest\.json\.config\.rays has no 'focal'"):
        case.config["rays"]["focal"]
    with pytest.raises(AssertionError, match=r"config\.rays\.width is 5, of which only \(4,\) are known here"):
        case.config["rays"].one_of("width", 4)
    with pytest.raises(AssertionError, match=r"manifest\.json has no 'seeds'"):
        case.manifest["seeds"]
    with pytest.raises(AssertionError, match=r"io\.npz has no 'b'"):
        case.array("b")
    with pytest.raises(AssertionError, match=r"tolerances of manifest\.json has no entry for a"):
        case.compare("a", np.zeros(3))
    with pytest.raises(AssertionError, match=r"'percent'.*no check knows"):
        a_case(tolerances={"a": {"percent": 1}}).compare("a", np.zeros(3))
    with pytest.raises(AssertionError, match="says no number for a"):
        a_case(tolerances={"a": {"note": "about"}}).compare("a", np.zeros(3))


def write_case(folder: Path, kind: str) -> None:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"kind": kind}))
    np.savez(folder / "io.npz", values=np.zeros(2))


def test_cases_are_sorted_into_tested_and_unchecked(tmp_path: Path) -> None:
    write_case(tmp_path / "pixelnerf" / "any name", "geometry")
    write_case(tmp_path / "pixelnerf" / "later", "not yet written")
    write_case(tmp_path / "other" / "geometry", "geometry")
    (tmp_path / "list" / "broken").mkdir(parents=True)
    (tmp_path / "list" / "broken" / "manifest.json").write_text("{")
    tested, unchecked = with_and_without_check(tmp_path)
    assert [folder.name for folder in tested] == ["broken", "any name"]
    assert [folder.name for folder in unchecked] == ["geometry", "later"]


def test_the_command_line_lists_what_it_cannot_check_and_fails_on_wrong_numbers(tmp_path: Path) -> None:
    write_case(tmp_path / "pixelnerf" / "later", "not yet written")
    for name in ("right", "wrong"):
        shutil.copytree(GOLDEN / "list" / "metrics_points", tmp_path / "list" / name)
    arrays = Case.load(tmp_path / "list" / "wrong").arrays
    arrays["near/accuracy"] = arrays["near/accuracy"] * 1.0001
    np.savez(tmp_path / "list" / "wrong" / "io.npz", **arrays)
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(HERE / "test_parity.py"),
        "--golden",
        str(tmp_path),
        "-p",
        "no:xdist",
    ]
    run = subprocess.run(command, check=False, capture_output=True, text=True, cwd=HERE.parent.parent, timeout=300)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "1 failed, 1 passed" in run.stdout
    assert "near/accuracy" in run.stdout
    assert "list/right: 28 arrays compared" in run.stdout
    assert "no check for this kind yet, 1 cases NOT compared" in run.stdout
    assert "pixelnerf/later (kind not yet written)" in run.stdout


def test_a_folder_without_cases_is_refused(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    with pytest.raises(pytest.UsageError, match="there is no case in it"):
        golden_folder(pytestconfig, tmp_path)
