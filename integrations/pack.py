"""Puts each integration and the client that it needs into one zip file.

    python integrations/pack.py dist

writes monoform_blender.zip, which Blender installs from disk, and monoform_comfyui.zip, to be unpacked in custom_nodes.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
CLIENT = "monoform_client.py"


def pack(name: str, out: Path) -> Path:
    """One integration, "blender" or "comfyui", as a zip file with a folder in it."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"monoform_{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in [HERE / CLIENT, *sorted((HERE / name).iterdir())]:
            if file.is_file():
                packed.write(file, f"monoform_{name}/{file.name}")
    return path


if __name__ == "__main__":
    for each in ("blender", "comfyui"):
        print(pack(each, Path(sys.argv[1] if len(sys.argv) > 1 else "dist")))
