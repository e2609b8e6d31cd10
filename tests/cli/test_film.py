"""monoform film RESULT, and reconstruct --film, in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from tests.methods.pixelnerf.tiny import net_of
from tests.pictures import disc

from monoform.cli import film
from monoform.errors import InputError
from monoform.jobs.reconstruct import reconstruct_to_folder
from monoform.jobs.reconstruct_options import ReconstructOptions
from monoform.nn.analytic import Sphere
from monoform.scene import Provenance, Reconstruction
from monoform.training import save_pretrained


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> Path:
    shape = Reconstruction(Sphere(radius=0.4), (), Provenance("generator"))
    mesh = shape.mesh(faces=300, texture=64, resolution=32)
    return (
        Reconstruction(shape.field, (), shape.provenance, surface=mesh)
        .save(tmp_path_factory.mktemp("results") / "ball")
        .folder
    )


def test_a_result_is_filmed(result: Path, tmp_path: Path, capsys) -> None:
    file = tmp_path / "ball.gif"
    assert film.run([str(result), "-o", str(file), "--frames", "4", "--size", "24"]) == 0
    assert str(file) in capsys.readouterr().out
    with Image.open(file) as frames:
        assert frames.n_frames == 4 and frames.size == (24, 24)
    assert film.run([str(result), "-o", str(file), "--frames", "2", "--size", "16"]) == 0  # ours, and so replaced


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "either RESULT"),
        (["RESULT", "--data", "d", "--weights", "w"], "either RESULT"),
        (["--data", "d"], "There is no data folder d"),
        (["RESULT", "--weights", "w"], "give a photo or --data"),
        (["nowhere"], "no scene"),
        (["RESULT", "--frames", "0"], "--frames"),
        (["RESULT", "--size", "1"], "--size"),
        (["RESULT", "--elevation", "-90"], "between -90 and 90"),
    ],
)
def test_what_cannot_be_filmed_is_refused(result: Path, tmp_path: Path, words: list[str], sentence: str) -> None:
    words = [str(result) if word == "RESULT" else word for word in words]
    with pytest.raises(InputError, match=sentence):
        film.run([*words, "-o", str(tmp_path / "film.gif")])
    assert not list(tmp_path.iterdir())


def test_other_files_stay(result: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.gif"
    own.write_bytes(b"mine")
    with pytest.raises(InputError, match="is there already"):
        film.run([str(result), "-o", str(own)])
    with pytest.raises(InputError, match=r"\.mp4 or \.gif"):
        film.run([str(result), "-o", str(tmp_path / "film.avi")])
    assert own.read_bytes() == b"mine" and len(list(tmp_path.iterdir())) == 1


def test_the_turntable_can_show_the_field(tmp_path: Path) -> None:
    net = net_of()
    save_pretrained(net, net.config, tmp_path / "weights", card="# Weights")
    rgb, mask = disc(48, 48, 15.0)
    options = {"faces": 200, "texture": 64, "resolution": 32, "frames": 1, "film": "field"}
    with pytest.raises(InputError, match="inflate gives no radiance field"):
        reconstruct_to_folder(rgb, tmp_path / "out", mask=mask, options=ReconstructOptions(method="inflate", **options))
    assert not (tmp_path / "out").exists()
