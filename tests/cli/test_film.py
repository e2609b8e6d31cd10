"""monoform film RESULT, and reconstruct --film, in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.methods.pixelnerf.tiny import net_of, solid
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
        (["RESULT", "--depth"], "--depth is of the field"),
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


def test_a_name_that_no_film_has_is_refused_as_it_was_given(result: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"as 'film\.txt'; end the name in \.mp4"):
        film.run([str(result), "-o", str(tmp_path / "film.txt")])
    assert not list(tmp_path.iterdir())


def test_a_film_of_depths_lies_beside_that_of_a_photo(tmp_path: Path) -> None:
    """A body of one density everywhere is as near as rays begin: white; the corners see nothing of a field of none."""
    for name, density, shade in (("solid", 400.0, 200), ("empty", -1.0, 0)):
        net = solid(net_of(), density)
        save_pretrained(net, net.config, tmp_path / name, card="# Weights")
        rgb, mask = disc(48, 48, 15.0)
        Image.fromarray(np.dstack((255 * rgb, 255 * mask)).astype(np.uint8)).save(tmp_path / "photo.png")
        words = [str(tmp_path / "photo.png"), "--weights", str(tmp_path / name), "--frames", "2", "--depth"]
        assert film.run([*words, "--scale", "0.25", "-o", str(tmp_path / f"{name}.gif")]) == 0
        with Image.open(tmp_path / f"{name}_depth.gif") as frames, Image.open(tmp_path / f"{name}.gif") as colors:
            assert frames.size == colors.size  # equal frames are one in a GIF
            gray = np.asarray(frames.convert("L"))
            assert (gray >= shade).all() if shade else (gray <= 2).all()


def test_other_files_stay(result: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.gif"
    own.write_bytes(b"mine")
    with pytest.raises(InputError, match="is there already"):
        film.run([str(result), "-o", str(own)])
    with pytest.raises(InputError, match=r".mp4, .gif, .webp or .apng"):
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
