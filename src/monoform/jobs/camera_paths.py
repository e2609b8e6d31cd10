"""Files of camera paths."""

from __future__ import annotations

from pathlib import Path

from ..camera.path_json import CameraPath, path_from_json
from ..errors import InputError
from ..inputs import read_json


def open_path(file: str | Path) -> CameraPath:
    """A camera path; see `monoform.camera.path_json`.

    Raises:
        InputError: the file is missing or no camera path.
    """
    content = read_json(Path(file), advice="write it again", missing="give the file of a camera path")
    try:
        return path_from_json(content)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
