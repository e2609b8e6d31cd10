"""Boxes and points that help to find a mask."""

from __future__ import annotations

import numpy as np
import pytest
from tests.command_line import monoform
from tests.pictures import disc, png

import monoform as package
from monoform import InputError, Photo, matting
from monoform.jobs.reconstruct_options import ReconstructOptions, request
from monoform.matting import Hints, segment
from monoform.metrics import mask_iou

LEFT, RIGHT = (70.0, 60.0), (170.0, 60.0)


def two_balls():
    """Two equal balls beside each other: colors, and the mask of each."""
    rgb, left = disc(240, 120, 36, LEFT)
    other, right = disc(240, 120, 36, RIGHT)
    return np.where(right[..., None] > 0, other, rgb), left > 0.5, right > 0.5


def found(backend: str, hints: Hints) -> np.ndarray:
    mask = segment(Photo.open(two_balls()[0]), backend=backend, hints=hints).mask
    assert mask is not None
    return mask > 0.5


@pytest.mark.parametrize("backend", ["grabcut", "network"])
@pytest.mark.parametrize(
    "hints",
    [
        Hints(box=(128, 18, 84, 84)),
        Hints(points=(RIGHT,)),
        Hints(points=(RIGHT,), not_points=(LEFT,)),
        Hints(not_points=(LEFT,)),
    ],
)
def test_the_ball_that_is_meant_is_found_alone(backend, hints):
    _, _, right = two_balls()
    assert mask_iou(found(backend, hints), right) > 0.9


@pytest.mark.parametrize("backend", ["grabcut", "network"])
def test_nothing_is_taken_outside_a_box(backend):
    mask = found(backend, Hints(box=(128, 18, 84, 66)))  # the ball reaches down to 96
    assert mask[40:70, 155:185].all()
    mask[16:87, 126:215] = False
    assert not mask.any()


@pytest.mark.parametrize("box", [(150.0, 40.0, 40.0, 40.0), (142.0, 44.0, 36.0, 36.0)])
def test_a_box_well_inside_an_object_is_filled_by_it(box):
    photo = segment(Photo.open(two_balls()[0]), backend="network", hints=Hints(box=box))
    left, top, width, height = (round(each) for each in box)
    within = np.zeros((120, 240), bool)
    within[top : top + height, left : left + width] = True
    assert photo.mask is not None and mask_iou(photo.mask > 0.5, within) > 0.95
    assert "beyond the box (left, top, right, bottom)" in photo.notices[0]


def test_what_surrounds_a_box():
    probability = two_balls()[2].astype(np.float32)
    assert Hints(box=(150, 40, 40, 40)).surrounded(probability)
    assert not Hints(box=(128, 18, 84, 84)).surrounded(probability)  # around the ball
    assert not Hints(box=(90, 20, 80, 80)).surrounded(probability)  # half of it
    assert not Hints(points=(RIGHT,)).surrounded(probability)
    assert not Hints(box=(0, 0, 240, 120)).surrounded(np.ones_like(probability))  # nothing lies beyond
    clipped = Hints(box=(150, 40, 40, 40)).clipped(probability)
    assert clipped.sum() == 1600 and clipped[40:80, 150:190].all()


def test_a_point_is_kept_in_the_size_of_the_original():
    rgb, _, right = two_balls()
    photo = Photo.open(rgb, working_side=120)
    mask = segment(photo, backend="grabcut", hints=Hints(points=(RIGHT,))).original_mask()
    assert mask_iou(mask > 0.5, right) > 0.85


@pytest.mark.parametrize(
    ("hints", "said"),
    [
        (Hints(points=((241, 3),)), "point 241,3 lies outside the photo of 240 x 120"),
        (Hints(points=((240, 3),)), "point 240,3 lies outside the photo of 240 x 120 pixels, which are counted from 0"),
        (Hints(not_points=((3, -1),)), "point 3,-1 lies outside"),
        (Hints(points=((9, 9), (30.2, 40)), not_points=((30.7, 40),)), "30.2,40 is to be kept and to be left out"),
        (Hints(box=(200, 0, 41, 20)), "box 200,0,41,20 .* reaches outside"),
        (Hints(box=(20, 0, 0, 20)), "box 20,0,0,20 is empty"),
        (Hints(box=(0, 0, 20, 20), points=(RIGHT,)), "point 170,60 lies outside the box 0,0,20,20"),
    ],
)
def test_hints_that_do_not_fit_the_photo_are_refused(hints, said):
    with pytest.raises(InputError, match=said):
        segment(Photo.open(two_balls()[0]), backend="grabcut", hints=hints)


def test_hints_that_nothing_can_use_are_refused():
    rgb, left, _ = two_balls()
    with pytest.raises(InputError, match="has one: leave them out"):
        segment(Photo.open(rgb, mask=left), hints=Hints(points=(LEFT,)))
    with pytest.raises(InputError, match="rembg takes no box"):
        segment(Photo.open(rgb), backend="rembg", hints=Hints(points=(LEFT,)))


def test_a_box_without_an_object_is_not_answered_with_advice_to_give_a_box():
    with pytest.raises(
        InputError, match=r"No object is found where the box and the points say it is.* around all of it"
    ):
        segment(Photo.open(two_balls()[0]), backend="grabcut", hints=Hints(box=(120, 100, 1, 1)))


def test_a_rerun_notices_other_hints():
    plain = request("photo.jpg", None, ReconstructOptions())
    assert "hints" not in plain
    hinted = request("photo.jpg", None, ReconstructOptions(hints=Hints(points=(LEFT,))))
    assert hinted["hints"] == {"box": None, "points": [[70.0, 60.0]], "not_points": []}


def test_python_takes_them():
    rgb, _, right = two_balls()
    made = package.reconstruct(rgb, method="inflate", matting="grabcut", points=[RIGHT], not_points=[LEFT])
    assert mask_iou(made.photo.mask > 0.5, right) > 0.9
    with pytest.raises(InputError, match=r"box is 1,2,3; give X,Y,W,H"):
        package.reconstruct(rgb, method="inflate", box=(1, 2, 3))
    with pytest.raises(InputError, match=r"points is 5; give a list of X,Y"):
        Hints.given(None, 5, ())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--point", "3;4"), "--point is 3;4; give X,Y, 2 numbers"),
        (("--box", "1,2,3"), "--box is 1,2,3; give X,Y,W,H, 4 numbers"),
        (("--not", "1,inf"), "--not is 1,inf; give X,Y"),
        (("--not", "70,60", "-999,60"), "-999,60"),
        (("--point", "170,60", "--point", "999,60"), "The point 999,60 lies outside the photo"),
        (("--not", "999,60", "--point", "170,60", "--not", "70,60"), "The point 999,60 lies outside the photo"),
    ],
)
def test_the_command_refuses_in_a_sentence(tmp_path, words, said):
    (tmp_path / "balls.png").write_bytes(png(two_balls()[0]))
    done = monoform("reconstruct", tmp_path / "balls.png", "-o", tmp_path / "out", "--method", "inflate", *words)
    assert done.returncode == 2 and said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_box_that_cuts_the_object_is_said_first(monkeypatch):
    rgb, _, right = two_balls()
    right = right.astype(np.float32)
    monkeypatch.setattr(matting, "network_probability", lambda *_, **__: right)
    photo = Photo.open(rgb)
    said = segment(photo, backend="network", hints=Hints(box=(150, 10, 70, 50))).notices[0]
    assert said.startswith("The object seems to go on beyond the box (left, bottom), where nothing is taken")
    assert not any(
        "beyond" in said for said in segment(photo, backend="network", hints=Hints(box=(128, 18, 84, 84))).notices
    )
    assert Hints().crossed(right, right) == Hints(box=(0, 0, 240, 120)).crossed(right, right) == ()
    assert Hints(box=(168, 58, 4, 4)).crossed(right, right) == ()
