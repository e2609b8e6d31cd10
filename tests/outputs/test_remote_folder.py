"""Results behind addresses: whole or not at all, and nothing of the user's is replaced."""

from __future__ import annotations

import json

import fsspec
import pytest
from tests.pictures import disc, png

from monoform import InputError
from monoform.cli.reconstruct import run as command
from monoform.inputs.photo_folders import named_photos
from monoform.inputs.remote import RemotePath, place_of
from monoform.jobs import ReconstructOptions
from monoform.jobs.batch import plan, run
from monoform.outputs import remote_folder
from monoform.outputs.remote_folder import UNFINISHED
from monoform.scene.result_files import RECONSTRUCTED

QUICK = ReconstructOptions(method="inflate", faces=200, texture=64, resolution=32, frames=0)
WORDS = ("--method", "inflate", "--faces", "200", "--texture", "64", "--resolution", "32", "--frames", "0")


@pytest.fixture
def bucket():
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.fixture
def photos(bucket):
    rgb, mask = disc()
    for name, color in (("ball", 1.0), ("deep/marble", 0.5)):
        bucket.pipe(f"/in/{name}.png", png(_with_alpha(rgb * color, mask)))
    bucket.pipe("/in/deep/marble_mask.png", b"x")
    bucket.pipe("/in/result/result.json", b"{}")
    bucket.pipe("/in/result/photo.jpg", b"x")
    return "memory://in"


def _with_alpha(rgb, mask):
    import numpy as np

    return np.concatenate((rgb, mask[..., None]), axis=2)


def test_photos_of_a_bucket_are_those_of_a_folder(photos):
    found = named_photos([photos, "memory://in/ball.png"])
    assert found == [
        ("memory://in/ball.png", "ball"),
        ("memory://in/deep/marble.png", "deep-marble"),
        ("memory://in/ball.png", "ball"),
    ]


def test_the_command_reads_and_writes_buckets_and_keeps_what_is_there(bucket, photos, capsys):
    words = [photos, "-o", "memory://out", *WORDS]
    assert command(words) == 0
    told = capsys.readouterr().out
    assert "2 of 2 photos done; memory://out/index.html" in told
    assert {name for name in bucket.find("/out") if "/ball/" not in name and "/deep-marble/" not in name} == {
        "/out/index.html",
        "/out/summary.csv",
    }
    summary = json.loads(bucket.cat("/out/ball/result.json"))
    assert {f"/out/ball/{name}" for name in summary["files"]} == set(bucket.find("/out/ball"))
    assert b"data:image/jpeg" in bucket.cat("/out/index.html")
    made = bucket.cat("/out/ball/mesh.glb")
    assert command(words) == 0
    assert capsys.readouterr().out.count(": kept") == 2
    assert command([*words, "--overwrite"]) == 0
    assert capsys.readouterr().out.count(": done") == 2
    assert bucket.cat("/out/ball/mesh.glb") == made


def test_an_upload_that_is_broken_off_is_no_result_and_is_made_again(bucket, photos, monkeypatch):
    items = plan(["memory://in/ball.png"], place_of("memory://out"))
    upload = RemotePath.upload
    left = [3]

    def broken(place, file):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        upload(place, file)

    with monkeypatch.context() as patch:
        patch.setattr(RemotePath, "upload", broken)
        with pytest.raises(KeyboardInterrupt):
            list(run(items, QUICK))
    names = {name.rpartition("/")[2] for name in bucket.find("/out/ball")}
    assert UNFINISHED in names and "result.json" not in names
    assert [each.status for each in run(items, QUICK)] == ["done"]
    assert not bucket.exists(f"/out/ball/{UNFINISHED}")
    assert [each.status for each in run(items, QUICK)] == ["kept"]


def test_what_is_the_users_stays(bucket, photos):
    bucket.pipe("/out/ball/notes.txt", b"mine")
    items = plan(["memory://in/ball.png"], place_of("memory://out"))
    (refused,) = run(items, QUICK)
    assert refused.status == "failed" and "is there and no result of monoform" in refused.message
    assert bucket.find("/out/ball") == ["/out/ball/notes.txt"]
    bucket.rm("/out/ball/notes.txt")
    assert [each.status for each in run(items, QUICK)] == ["done"]
    bucket.pipe("/out/ball/notes.txt", b"mine")
    with (
        pytest.raises(InputError, match=r"holds notes\.txt, which monoform did not write"),
        remote_folder(place_of("memory://out/ball"), RECONSTRUCTED),
    ):
        raise AssertionError("nothing is begun")
    assert bucket.cat("/out/ball/notes.txt") == b"mine"
    bucket.pipe("/elsewhere/index.html", b"<p>mine</p>")
    with pytest.raises(InputError, match=r"index\.html is there and not monoform's"):
        command([photos, "-o", "memory://elsewhere", *WORDS])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--engine", "slurm"), "no folder that its machines see"),
        (("--seeds", "2", "--method", "inflate"), "a folder here"),
    ],
)
def test_what_needs_a_folder_here_says_so(photos, words, sentence):
    with pytest.raises(InputError, match=sentence):
        command([photos, "-o", "memory://out", *words])


def test_a_system_whose_package_is_missing_is_named():
    with pytest.raises(InputError, match="s3fs"):
        place_of("s3://bucket/out").exists()
