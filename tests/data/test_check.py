"""`check_data` says what is there, or the first thing that is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.data import posed_files_cases as cases

from monoform.data.posed.check import check_data, detect_format
from monoform.errors import InputError


def test_every_format_is_told_and_counted(tmp_path: Path) -> None:
    cases.write_srn(tmp_path / "srn/cars_train", ("a", "b"))
    cases.write_srn(tmp_path / "srn/cars_test", ("c", "d"), blank=("d",))
    cases.write_dvr(tmp_path / "dvr", "0001", ("a", "b"))
    (tmp_path / "dvr/0001/softras_train.lst").write_text("")  # empty lists are no fault
    cases.write_scene(tmp_path / "two/val/s1")
    assert [detect_format(tmp_path / name) for name in ("srn", "dvr", "two")] == ["srn", "dvr", "two_object"]
    assert detect_format(tmp_path / "srn/cars") == "srn"
    seen: list[tuple[int, int, str]] = []
    with pytest.warns(UserWarning, match="white"):
        train, test = check_data(tmp_path / "srn", progress=lambda *values: seen.append(values))
    assert (train.name, train.objects, train.views, train.sizes) == ("cars_train", 2, 6, ((12, 12),))
    assert test.objects == 1 and "Left out" in test.sentence() and "d: all its views are white" in test.sentence()
    assert seen == [(1, 3, "cars/a"), (2, 3, "cars/b"), (3, 3, "cars/c")]
    assert [(split.name, split.views) for split in check_data(tmp_path / "dvr")] == [("softras_test", 6)]
    assert check_data(tmp_path / "two")[0].sentence() == "val: 1 objects, 2 views of 12 x 12 pixels, near 4, far 9."


def test_what_it_cannot_tell_it_says(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no data folder"):
        detect_format(tmp_path / "nowhere")
    with pytest.raises(InputError, match="none of the known formats"):
        detect_format(tmp_path)
    cases.write_dvr(tmp_path, "0001", ("a",))
    (tmp_path / "logs_train/run").mkdir(parents=True)  # a name alone makes no data set
    assert detect_format(tmp_path) == "dvr"
    cases.write_srn(tmp_path / "cars_train", ("a",))
    with pytest.raises(InputError, match="of the formats srn, dvr; say which one to read with --format"):
        check_data(tmp_path)
    assert check_data(tmp_path, "dvr")[0].objects == 1
    with pytest.raises(InputError, match="no object of the format two_object"):
        check_data(tmp_path, "two_object")


def turned(root: Path, change: np.ndarray) -> None:
    for file in root.rglob("pose/*.txt"):
        values = np.array(file.read_text().split(), float).reshape(4, 4) @ change
        file.write_text(" ".join(map(str, values.ravel())))


def test_wrong_axes_and_wrong_scale_are_noticed(tmp_path: Path) -> None:
    root = cases.write_srn(tmp_path / "cars_test", ("a",))
    turned(root, np.diag([1.0, -1, -1, 1]))  # poses of a NeRF: y up, z backward
    with pytest.raises(InputError, match="a, view 0: the camera looks away from the world's origin"):
        check_data(tmp_path)
    shutil.rmtree(root)
    cases.write_srn(root, ("a",))
    intrinsics = root / "a/intrinsics.txt"
    for file in root.rglob("pose/*.txt"):
        values = np.array(file.read_text().split(), float).reshape(4, 4)
        values[:3, 3] *= 3
        file.write_text(" ".join(map(str, values.ravel())))
    with pytest.raises(InputError, match=r"the camera is 3\.9 from the world's origin.*0\.8 to 1\.8; scale the poses"):
        check_data(tmp_path)
    intrinsics.write_text("13.5 60. 6. 0.\n12 12\n")
    with pytest.raises(InputError, match="looks away"):
        check_data(tmp_path)


def test_quick_decodes_the_ends_and_the_full_check_everything(tmp_path: Path) -> None:
    root = cases.write_srn(tmp_path / "cars_test", ("a", "b"))
    (root / "b/rgb/000001.png").write_bytes((root / "b/rgb/000001.png").read_bytes()[:60])
    assert check_data(tmp_path, quick=True)[0].views == 6
    with pytest.raises(InputError, match=r"b/rgb/000001\.png is damaged"):
        check_data(tmp_path)
