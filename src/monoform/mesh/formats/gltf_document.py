"""The container of glTF 2.0: its JSON tree, and the bytes of its buffers."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import numpy as np

from ...errors import InputError
from .limits import Count
from .neighbors import MAX_BYTES, Neighbors

# Those that change neither the surface nor its base color, and those that are followed here.
KNOWN = frozenset(
    """
    KHR_mesh_quantization KHR_texture_transform KHR_materials_pbrSpecularGlossiness KHR_materials_unlit
    KHR_materials_anisotropy KHR_materials_clearcoat KHR_materials_diffuse_transmission KHR_materials_dispersion
    KHR_materials_emissive_strength KHR_materials_ior KHR_materials_iridescence KHR_materials_sheen
    KHR_materials_specular KHR_materials_transmission KHR_materials_variants KHR_materials_volume
    KHR_lights_punctual KHR_xmp KHR_xmp_json_ld KHR_animation_pointer EXT_texture_webp EXT_texture_avif
    """.split()  # noqa: SIM905
)
_ADVICE = {
    "KHR_draco_mesh_compression": "export it without compression",
    "EXT_meshopt_compression": "export it without compression",
    "KHR_meshopt_compression": "export it without compression",
    "KHR_texture_basisu": "export it with PNG, JPEG or WebP textures",
    "MSFT_texture_dds": "export it with PNG, JPEG or WebP textures",
}
_MOST_ITEMS = 2_000_000  # values in the JSON: a hundred bytes each, and more, once read


class Document:
    """A glTF tree with its buffers. Faults of the file are raised as ValueError, unknown needs as InputError."""

    def __init__(self, data: bytes, files: Neighbors) -> None:
        text, self._chunk = _chunks(data)
        self.tree = _parsed(text)
        self.files = files
        self.count = Count()
        self._buffers: dict[int, np.ndarray] = {}
        self._embedded_left = MAX_BYTES
        _check_version(self.tree)
        for name in _texts(self.tree.get("extensionsRequired", [])):
            if name not in KNOWN:
                raise needs(name)

    def item(self, kind: str, index: object) -> dict[str, Any]:
        """Entry `index` of a list of the tree, such as "meshes"."""
        return entry(self.tree.get(kind), index, kind)

    def view(self, index: object) -> tuple[np.ndarray, int | None]:
        """The bytes of a buffer view, and the bytes from one element to the next if it says so."""
        view = self.item("bufferViews", index)
        extensions = table(view.get("extensions", {}))
        packed = next((name for name in extensions if name.endswith("meshopt_compression")), None)
        buffer = self._buffer(whole(view.get("buffer"), "a buffer's number"), packed)
        start, length = whole(view.get("byteOffset", 0), "byteOffset"), whole(view.get("byteLength"), "byteLength")
        if start + length > len(buffer):
            raise ValueError(f"buffer view {index} ends at byte {start + length} of a buffer of {len(buffer)}")
        stride = view.get("byteStride")
        return buffer[start : start + length], None if stride is None else whole(stride, "byteStride")

    def resource(self, uri: object, what: str) -> bytes:
        """The bytes behind a URI: embedded in it, or in a file whose name is percent-encoded."""
        if not isinstance(uri, str):
            raise ValueError(f"the URI of a {what} is no text")
        if uri[:5].lower() == "data:":
            return self._embedded(uri, what)
        try:
            return self.files.read(unquote(uri, errors="strict"), what)
        except (InputError, UnicodeDecodeError):
            if "%" not in uri:
                raise
            try:
                return self.files.read(uri, what)  # some exporters leave the percent sign of a name as it is
            except InputError:
                pass
            return self.files.read(unquote(uri), what)

    def _buffer(self, index: int, packed: str | None) -> np.ndarray:
        if index not in self._buffers:
            buffer = self.item("buffers", index)
            fallback = next((e for e in table(buffer.get("extensions", {})) if e.endswith("meshopt_compression")), None)
            if "uri" in buffer:
                data = self.resource(buffer["uri"], "buffer")
            elif index == 0 and self._chunk is not None:
                data = self._chunk
            elif packed or fallback:
                raise needs(packed or str(fallback))
            else:
                raise ValueError(f"buffer {index} has no bytes")
            said = whole(buffer.get("byteLength"), "byteLength")
            if said > len(data):
                raise ValueError(f"buffer {index} is cut short: {len(data)} of its {said} bytes are there")
            self._buffers[index] = np.frombuffer(data, np.uint8)[:said]
        return self._buffers[index]

    def _embedded(self, uri: str, what: str) -> bytes:
        head, comma, body = uri.partition(",")
        if not comma:
            raise ValueError(f"the embedded {what} has no data")
        self._embedded_left -= len(body)
        if self._embedded_left < 0:
            raise InputError(f"its embedded data hold more than {MAX_BYTES / 1e6:.0f} MB; export it as GLB.")
        raw = unquote_to_bytes(body) if "%" in body else body.encode("ascii")
        if not head.lower().endswith(";base64"):
            return raw
        return base64.b64decode(raw + b"=" * (-len(raw) % 4))


def needs(extension: str) -> InputError:
    """The refusal of a file that cannot be read without `extension`."""
    advice = _ADVICE.get(extension, "export it without that extension")
    return InputError(f"it needs {extension[:100]}, which is not supported here; {advice}.")


def entry(values: object, index: object, kind: str) -> dict[str, Any]:
    """Entry `index` of a list of JSON objects."""
    number = whole(index, f"the number of one of the {kind}")
    if not isinstance(values, list) or number >= len(values):
        count = len(values) if isinstance(values, list) else 0
        raise ValueError(f"it names number {number} of {count} {kind}")
    return table(values[number])


def table(value: object) -> dict[str, Any]:
    """`value` if it is a JSON object."""
    if not isinstance(value, dict):
        raise ValueError(f"{json.dumps(value)[:40]} stands where an object should")
    return value


def items(value: object) -> list[Any]:
    """`value` if it is a JSON array."""
    if not isinstance(value, list):
        raise ValueError(f"{json.dumps(value)[:40]} stands where a list should")
    return value


def whole(value: object, what: str) -> int:
    """`value` if it is a whole number of at least 0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        raise ValueError(f"{what} is {json.dumps(value)[:40]}")
    return value


def numbers(value: object, count: int, what: str) -> np.ndarray:
    """`value` if it is a list of so many finite numbers."""
    listed = value if isinstance(value, list) else []
    if len(listed) != count or not all(isinstance(each, (int, float)) and abs(each) < 1e300 for each in listed):
        raise ValueError(f"{what} is {json.dumps(value)[:60]} instead of {count} numbers")
    return np.array(listed, np.float64)


def _texts(value: object) -> list[str]:
    return [each for each in items(value) if isinstance(each, str)]


def _chunks(data: bytes) -> tuple[bytes, bytes | None]:
    """The JSON text and, of a GLB file, the binary chunk."""
    if data[:4] != b"glTF":
        return data, None
    if len(data) < 20:
        raise ValueError("the file is cut short")
    version, length = struct.unpack("<II", data[4:12])
    if version != 2:
        raise ValueError(f"it is GLB of version {version}, version 2 is read")
    if length > len(data):
        raise ValueError(f"the file is cut short: {len(data)} of its {length} bytes are there")
    found: dict[bytes, bytes] = {}
    start = 12
    while start + 8 <= length:
        size, kind = struct.unpack("<I4s", data[start : start + 8])
        if start + 8 + size > length:
            raise ValueError("a chunk of the file is cut short")
        found.setdefault(kind, data[start + 8 : start + 8 + size])
        start += 8 + size
    if b"JSON" not in found:
        raise ValueError("it has no JSON chunk")
    return found[b"JSON"], found.get(b"BIN\0")


def _parsed(text: bytes) -> dict[str, Any]:
    if sum(text.count(mark) for mark in (b",", b"{", b"[")) > _MOST_ITEMS:
        raise ValueError(f"its JSON holds more than {_MOST_ITEMS} values")
    try:
        tree = json.loads(text.decode("utf-8-sig").rstrip("\0"))
    except RecursionError as error:
        raise ValueError("its JSON is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ValueError("its JSON is not UTF-8") from error
    return table(tree)


def _check_version(tree: dict[str, Any]) -> None:
    version = str(table(tree.get("asset", {})).get("version", "2.0"))
    if not version.startswith("2."):
        raise ValueError(f"it is glTF {version[:20]}, glTF 2.0 is read")
