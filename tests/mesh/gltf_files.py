"""Tiny glTF files, built number by number."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
SQUARE_UV = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
_COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


class Gltf:
    """A tree and its binary chunk; `primitive` makes a mesh and a node of one primitive."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": []}]}
        self.body = bytearray()

    def add(self, kind: str, **content: Any) -> int:
        self.tree.setdefault(kind, []).append(content)
        return len(self.tree[kind]) - 1

    def view(self, data: bytes, **content: Any) -> int:
        start = len(self.body)
        self.body += data + b"\0" * (-len(data) % 4)
        return self.add("bufferViews", buffer=0, byteOffset=start, byteLength=len(data), **content)

    def accessor(self, values: np.ndarray, **content: Any) -> int:
        values = np.ascontiguousarray(values)
        rows = values.reshape(len(values), -1)
        kind = {"componentType": _COMPONENTS[values.dtype.str[1:]], "type": _TYPES[rows.shape[1]], "count": len(rows)}
        return self.add("accessors", bufferView=self.view(values.tobytes()), **kind, **content)

    def texture(self, pixels: np.ndarray, file_format: str = "PNG", **sampler: Any) -> int:
        stored = io.BytesIO()
        Image.fromarray(pixels).save(stored, format=file_format, lossless=True)
        image = self.add("images", bufferView=self.view(stored.getvalue()), mimeType=f"image/{file_format.lower()}")
        return self.add("textures", source=image, sampler=self.add("samplers", **sampler))

    def primitive(self, attributes: dict[str, int], node: dict[str, Any] | None = None, **content: Any) -> None:
        mesh = self.add("meshes", primitives=[{"attributes": attributes, **content}])
        self.tree["scenes"][0]["nodes"].append(self.add("nodes", mesh=mesh, **(node or {})))

    def painted(self, color: dict[str, Any] | None, **attributes: np.ndarray) -> Gltf:
        """The triangle with a material whose pbrMetallicRoughness is `color`, and more attributes."""
        found = {"POSITION": self.accessor(TRIANGLE)}
        for name, values in attributes.items():
            found[name] = self.accessor(values, normalized=values.dtype.kind in "ui" and not name.startswith("_"))
        look = {} if color is None else {"material": self.add("materials", pbrMetallicRoughness=color)}
        self.primitive(found, **look)
        return self

    def save(self, path: Path) -> Path:
        if self.body:
            self.tree["buffers"] = [{"byteLength": len(self.body)}]
        return write_glb(path, self.tree, bytes(self.body))


def write_glb(path: Path, tree: dict[str, Any], body: bytes) -> Path:
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    return path


def plain_picture(*color: int, side: int = 8) -> np.ndarray:
    return np.full((side, side, 3), color, np.uint8)
