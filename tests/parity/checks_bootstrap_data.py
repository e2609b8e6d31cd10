"""Bootstrapped inversion's data readers and measures against their golden cases."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.io import savemat
from tests.parity.checks_bootstrap_encoder import lpips_of
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from torch import Tensor

from monoform.camera import to_opengl
from monoform.data.categories import CATEGORIES, CategoryPhotos, open_category
from monoform.data.categories.run_lengths import RunLengthMask
from monoform.data.categories.squares import grown, masked_square, normalized_box, square_around, whole
from monoform.methods.bootstrap.evaluated_views import LIMIT, evaluated_views
from monoform.methods.bootstrap.image_scores import CAP, THRESHOLD, capped_psnr, opacity_iou, similarity
from monoform.metrics import Moments, frechet_distance
from monoform.metrics.image import SSIM_WINDOW

NO_CLASS = -1


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for the files of a case."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def save(array: np.ndarray, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(file)


def require_published(case: Case) -> str:
    """The set's name; what the manifest says of it must be what the project knows."""
    config = case.config
    known = CATEGORIES[config["dataset"]]
    config.one_of("scene_range", known.scene_range)
    config.one_of("projection", "orthographic" if known.orthographic else "perspective")
    config.one_of("camera_flipped", known.flipped)
    config.one_of("white_background", known.white)
    config.one_of("has_mask", known.masked)
    config.one_of("has_bbox", known.masked)
    config.one_of("views_per_object", known.views)
    assert config["views_per_object_test"] == known.test_views
    return known.name


def side_of(size: list[int]) -> int:
    assert size[0] == size[1], "pictures are square"
    return size[0]


def published_poses(photos: CategoryPhotos) -> Tensor:
    """Matrices as the authors' programs have them: OpenGL's axes, orthographic ones divided by their scale."""
    poses = to_opengl(photos.poses.world_from_camera)
    if photos.poses.orthographic:
        poses = poses.clone()
        poses[:, :3, :3] /= photos.poses.focal[:, None, None]
        poses[:, 3, 3] /= photos.poses.focal
    return poses


def compare_split(case: Case, split: str, photos: CategoryPhotos, size: int) -> None:
    """Every array of one published reader."""
    name = f"out_{split}_"
    pictures = [photos.photo(number, size) for number in range(len(photos))]
    orthographic = photos.poses.orthographic
    values = {
        "img": torch.stack([picture.image for picture in pictures]),
        "pose": published_poses(photos),
        "mirrored": np.array([picture.mirrored for picture in pictures]),
        "class": np.array([picture.label for picture in pictures]),
        # Orthographic cameras have neither in the published reader.
        "focal": np.zeros((len(photos), 1)) if orthographic else photos.poses.focal[:, None],
        "normalized_bbox": torch.stack([picture.box for picture in pictures]),
    }
    if orthographic:
        values["normalized_bbox"] = np.zeros((len(photos), 1), np.float32)
    for key, found in values.items():
        case.compare(name + key, found)
    require_cameras_see_the_same(photos, pictures, size)


def require_cameras_see_the_same(photos: CategoryPhotos, pictures: list, size: int) -> None:
    """Rays of our cameras through our pixels are the published ones through the corners of theirs."""
    for number, picture in enumerate(pictures):
        pose, focal = to_opengl(photos.poses.world_from_camera[number]), photos.poses.focal[number]
        steps = torch.arange(size) / size
        v, u = torch.meshgrid(steps, steps, indexing="ij")
        (x0, y0), (width, height) = picture.box.tolist()
        a, b = width * u + x0, -(height * (1 - v) + y0)
        if photos.poses.orthographic:
            wanted = torch.stack((a, -b, torch.zeros_like(a)), -1) / focal @ pose[:3, :3].mT + pose[:3, 3]
            found = picture.camera.rays()[0]
        else:
            wanted = torch.stack((a / 2 / focal, -b / 2 / focal, -torch.ones_like(a)), -1) @ pose[:3, :3].mT
            wanted, found = wanted / wanted.norm(dim=-1, keepdim=True), picture.camera.rays()[1]
        torch.testing.assert_close(found.reshape(size, size, 3), wanted, atol=2e-5, rtol=1e-5)


SPLITS = {"train": "train", "eval": "train-eval", "test": "test"}


def write_detections(case: Case, root: Path, dataset: str) -> None:
    kind, templates = ("p3d", "singletpl") if dataset.startswith("p3d") else ("imagenet", "multitpl")
    entries = []
    for number in range(case.config["detections"]):
        path = f"datasets/{kind}/photos/{number}.png"
        save(case.array(f"image{number}"), root / path.removeprefix("datasets/"))
        mask = RunLengthMask.of(case.array(f"mask{number}")).entry()
        entries.append({"image_path": path, "bbox": case.array(f"bbox{number}"), "mask": mask})
    lists = root / kind / dataset
    lists.mkdir(parents=True)
    np.save(lists / "detections.npy", np.array(entries, dtype=object), allow_pickle=True)
    poses = {name: case.tensor(f"pose_{name}") for name in ("indices", "z0", "t", "s", "R")}
    torch.save(poses, lists / f"poses_estimated_{templates}_perspective.bin")


def compare_manual(case: Case, size: int, options: Fields) -> None:
    """A photo of one's own, after a detector gave its mask and box."""
    rgb, mask = case.array("manual_image"), case.array("manual_mask")
    box = case.array("manual_bbox").tolist()
    height, width = mask.shape
    square = square_around(grown(box, case.config["crop_margin"]) if options["crop"] else whole(width, height))
    assert not options["add_mirrored"]
    case.compare("out_manual", masked_square(rgb, mask, square, size).double())
    case.compare("out_manual_bbox", normalized_box(square, width, height).astype(np.float64))


def detections(case: Case) -> None:
    config, dataset = case.config, require_published(case)
    config.one_of("reader", "detections + perspective poses")
    size = side_of(config["image_size"])
    with folder() as root:
        write_detections(case, root, dataset)
        for split, options in config["splits"].items():
            if split == "manual":
                compare_manual(case, size, options)
                continue
            photos = open_category(
                root,
                dataset,
                SPLITS[split],
                crop=options["crop"],
                mirrored=options["add_mirrored"],
                margin=config["crop_margin"],
            )
            compare_split(case, split, photos, size)


check("bootstrap-inversion", "data-p3d")(detections)
check("bootstrap-inversion", "data-imagenet")(detections)


def structures(entries: list[dict]) -> np.ndarray:
    """An array of MATLAB's structures."""
    found = np.empty(len(entries), dtype=[(name, object) for name in entries[0]])
    for number, entry in enumerate(entries):
        found[number] = tuple(entry.values())
    return found


@check("bootstrap-inversion", "data-cub")
def data_cub(case: Case) -> None:
    config, dataset = case.config, require_published(case)
    config.one_of("reader", "birds with structure-from-motion cameras")
    config.one_of("dummies", ["out_*_focal", "out_*_normalized_bbox"])
    size = side_of(config["image_size"])
    labels = case.arrays[f"out_{next(iter(config['splits']))}_class"]  # the case has no other copy of the labels
    with folder() as root:
        images, cameras, numbers, classes = [], [], [], []
        release = root / "cub" / "CUB_200_2011"
        for number in range(config["items"]):
            path = f"{number:03d}.Bird/bird_{number}.png"
            save(case.array(f"image{number}"), release / "images" / path)
            box = dict(zip(("x1", "y1", "x2", "y2"), case.array(f"bbox{number}") + 1, strict=True))
            images.append({"rel_path": path.replace("/", "\\"), "mask": case.array(f"mask{number}"), "bbox": box})
            cameras.append({name: case.array(f"sfm_{name}{number}") for name in ("scale", "trans", "rot")})
            numbers.append(f"{number + 1} {path}")
            classes.append(f"{number + 1} {labels[number] + 1}")
        (release / "images.txt").write_text("\n".join(numbers) + "\n")
        (release / "image_class_labels.txt").write_text("\n".join(classes) + "\n")
        files = {"data/{}_cub_cleaned": ("images", images), "sfm/anno_{}": ("sfm_anno", cameras)}
        for place, (name, entries) in files.items():
            for part in ("train", "test"):
                file = root / "cub" / f"{place.format(part)}.mat"
                file.parent.mkdir(exist_ok=True)
                savemat(file, {name: structures(entries)}, do_compression=True)
        for split, options in config["splits"].items():
            photos = open_category(
                root,
                dataset,
                SPLITS[split],
                crop=options["crop"],
                mirrored=options["add_mirrored"],
                margin=config["crop_margin"],
            )
            compare_split(case, split, photos, size)


@check("bootstrap-inversion", "data-srn")
def data_srn(case: Case) -> None:
    """Of most views every second pixel is known alone: the others repeat it, and only the whole one is made smaller."""
    config, dataset = case.config, require_published(case)
    config.one_of("reader", "ShapeNet-SRN folders")
    strides = config["stored_stride"]
    stride = strides["image_*"]
    assert strides["out_images_sub"] % stride == 0, "of the pixels that are not stored nothing is known"
    objects, views = config["objects"], config["views_per_object_here"]
    first, last = config["intrinsics_first_line"], config["intrinsics_last_line"]
    with folder() as root:
        category = dataset.removeprefix("shapenet_")
        for number in range(objects):
            place = root / "shapenet" / f"{category}_train" / f"object{number}"
            (place / "pose").mkdir(parents=True)
            lines = (" ".join(map(str, first)), "0. 0. 0.", "1.", " ".join(map(str, last)))
            (place / "intrinsics.txt").write_text("\n".join(lines) + "\n")
            for view in range(views):
                part = case.array(f"image_{number}_{view}")
                pixels = part.repeat(stride, axis=0).repeat(stride, axis=1)
                full = case.array("full_image") if (number, view) == (0, 0) else pixels
                assert list(full.shape[:2]) == config["file_size"]
                assert np.array_equal(full[::stride, ::stride, :3], part)
                save(full, place / "rgb" / f"{view:06d}.png")
                words = " ".join(map(repr, case.array(f"pose_{number}_{view}").reshape(-1).tolist()))
                (place / "pose" / f"{view:06d}.txt").write_text(words)
        photos = open_category(root, dataset)
        assert photos.views_per_object == views and len(photos) == objects * views
        case.compare("out_poses", published_poses(photos).reshape(objects, views, 4, 4))
        focal = photos.poses.focal.reshape(objects, views)[:, 0]
        size, smaller = config["sizes"]["out"], config["sizes"]["out32"]
        camera = photos.photo(0, size).camera
        center = (camera.intrinsics[0, :2, 2] - 0.5) / size
        case.compare("out_focal", focal)
        case.compare("out_center", center.expand(objects, 2))
        case.compare("out32_focal", focal)
        images = photos.images(range(len(photos)), size).reshape(objects, views, 3, size, size)
        shown = strides["out_images_sub"]
        case.compare("out_images_sub", images[..., ::shown, ::shown])
        golden = case.arrays["out32_images"]
        known = photos.photo(0, smaller).image.numpy()
        assert golden.shape == (objects, views, 3, smaller, smaller)
        away = float(np.abs(known - golden[0, 0]).max())
        case.compare_within("out32_images", away, case.limit("out32_images", "abs"))


@check("bootstrap-inversion", "data-carla")
def data_carla(case: Case) -> None:
    config, dataset = case.config, require_published(case)
    config.one_of("reader", "CARLA folders")
    with folder() as root:
        poses = root / "carla" / "carla_poses"
        poses.mkdir(parents=True)
        for number in range(config["items"]):
            image = case.array(f"image{number}")
            assert list(image.shape[:2]) == config["file_size"]
            save(image, root / "carla" / f"{number:04d}.png")
            np.save(poses / f"{number:04d}_extrinsics.npy", case.array(f"extrinsics{number}"))
        np.save(poses / "intrinsics.npy", case.array("intrinsics"))
        photos = open_category(root, dataset)
        assert len(photos) == config["items"]
        for kind, size in (("out_", config["image_size"]), ("out_up_", config["highres_size"])):
            side = side_of(size)
            center = (photos.photo(0, side).camera.intrinsics[0, :2, 2] - 0.5) / side
            case.compare(f"{kind}image", photos.images(range(len(photos)), side))
            case.compare(f"{kind}pose", published_poses(photos))
            case.compare(f"{kind}focal", photos.poses.focal[:, None])
            case.compare(f"{kind}c", center.expand(len(photos), 2))


@check("bootstrap-inversion", "novel-view-pairing")
def novel_view_pairing(case: Case) -> None:
    config = case.config
    config.one_of("compares", "list position with global index", "global index with global index")
    order = ["training indices", "training pairing", "test indices", "test pairing", "re-seed", "z of training"]
    config.one_of("order", [*order, "z of test"])
    config.one_of("published_limit", LIMIT)
    for name, variant in config["variants"].items():
        assert variant["dataset"] in CATEGORIES
        train, test = evaluated_views(
            variant["views"],
            variant["test_views"],
            views=variant["views_per_object"],
            test_views=variant["views_per_object_test"],
            repeats=variant["repeats"],
            latent_dim=config["latent_dim"],
            limit=config["limit"],
            seed=case.manifest["seeds"]["all"]["seed"],
            same_view=config["compares"] == "list position with global index",
        )
        case.compare(f"{name}/eval_indices", train.numbers)
        case.compare(f"{name}/eval_indices_perm", train.other)
        case.compare(f"{name}/z", train.latents)
        assert (test is None) == (f"{name}/z_test" not in case)
        if test is not None:
            case.compare(f"{name}/test_eval_indices", test.numbers)
            case.compare(f"{name}/test_eval_indices_perm", test.other)
            case.compare(f"{name}/z_test", test.latents)


@check("bootstrap-inversion", "metrics")
def metrics(case: Case) -> None:
    config = case.config
    config.one_of("psnr_cap", CAP)
    config.one_of("clamp", [0, 1])
    config.one_of("iou_threshold", THRESHOLD)
    window = config["ssim"]
    window.one_of("window", SSIM_WINDOW)
    window.one_of("kind", "uniform")
    window.one_of("data_range", 1.0)
    pairs = list(zip(*(case.tensor(name).permute(0, 2, 3, 1) for name in ("pred", "target")), strict=True))
    ratios = torch.tensor([capped_psnr(*pair) for pair in pairs])
    likeness = torch.tensor([similarity(*pair) for pair in pairs])
    case.compare("out_psnr", ratios)
    case.compare("out_psnr_mean", ratios.mean())
    case.compare("out_ssim", likeness)
    planes = [torch.cat(images, dim=-1) for images in zip(*pairs, strict=True)]
    case.compare("out_ssim_mean", torch.tensor([similarity(*planes)]))
    masks = zip(case.tensor("alpha_pred"), case.tensor("alpha_real"), strict=True)
    case.compare("out_iou", torch.tensor([opacity_iou(*pair) for pair in masks]))
    divisor = config.one_of("fid_covariance", "n-1", "n")
    first, second = (Moments.of(case.array(name)) for name in ("feat1", "feat2"))
    case.compare("out_mu1", first.mean)
    case.compare("out_sigma1", first.covariance(divisor))
    case.compare("out_fid", np.float64(frechet_distance(first, second, divisor)))


@check("bootstrap-inversion", "lpips")
def lpips(case: Case) -> None:
    config = case.config
    config.one_of("network", "vgg16")
    config.one_of("version", "lpips 0.1 form")
    config.one_of("rgb", "u8/127.5 - 1")
    distance = lpips_of(case.manifest)
    first, second = (case.tensor(name).float() / 127.5 - 1 for name in ("a_u8", "b_u8"))
    assert list(first.shape[2:]) == config["image_size"]
    first.requires_grad_()
    found = distance.distances(first, second)
    case.compare("out_distance", found[:, None])
    case.compare("out_grad_a", torch.autograd.grad(found.sum(), first)[0])
    unit = [[(image.detach() / 2 + 0.5).permute(1, 2, 0) for image in images] for images in (first, second)]
    case.compare("out_distance_normalize", torch.tensor([[distance(*pair)] for pair in zip(*unit, strict=True)]))
    strides = config["feature_stride"]
    with torch.no_grad():
        for number, values in enumerate(distance.features(first)):
            part = values[:, :: strides["channels"], :: strides["rows"], :: strides["columns"]]
            case.compare(f"out_feature{number}_sub", part)
