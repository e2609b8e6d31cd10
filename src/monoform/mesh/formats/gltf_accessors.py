"""Typed arrays out of glTF's buffers (glTF 2.0, section 3.6), sparse and interleaved ones too."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from .gltf_document import Document, table, whole

_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def read_floats(
    document: Document,
    index: object,
    widths: tuple[int, ...],
    rows: Int[np.ndarray, " n"],
    *,
    normalized: bool = False,
) -> Float[np.ndarray, "n c"]:
    """Rows of an accessor as numbers; whole ones that are normalized, or said to be, become -1..1 or 0..1."""
    accessor = document.item("accessors", index)
    values = _read(document, accessor, widths, rows)
    if values.dtype.kind == "f" or not (normalized or accessor.get("normalized") is True):
        return values.astype(np.float64)
    return np.maximum(values / float(np.iinfo(values.dtype).max), -1.0)


def read_indices(document: Document, index: object) -> Int[np.ndarray, " n"]:
    """An accessor as whole numbers, one for each element."""
    values = _read(document, document.item("accessors", index), (1,), None)
    if values.dtype.kind == "f":
        raise ValueError(f"accessor {index} holds indices that are no whole numbers")
    return values[:, 0].astype(np.int64)


def element_count(document: Document, index: object) -> int:
    """How many elements an accessor says it has."""
    return whole(document.item("accessors", index).get("count"), "an accessor's count")


def _read(
    document: Document, accessor: dict[str, Any], widths: tuple[int, ...], rows: np.ndarray | None
) -> Shaped[np.ndarray, "n c"]:
    """The rows asked for, all if None."""
    dtype, width = _kind(accessor, widths)
    count = whole(accessor.get("count"), "an accessor's count")
    if rows is not None and len(rows) and rows.max() >= count:
        raise ValueError(f"an accessor has {count} elements, element {rows.max()} is named")
    changes = "sparse" in accessor
    document.count.add_numbers((count if rows is None or changes else len(rows)) * width)
    if "bufferView" in accessor:
        offset = whole(accessor.get("byteOffset", 0), "byteOffset")
        values = _elements(document, accessor["bufferView"], offset, count, dtype, width)
    else:
        values = np.broadcast_to(np.zeros(1, dtype), (count, width))
    values = _with_exceptions(document, values, accessor["sparse"]) if changes else values
    return values if rows is None else values[rows]


def _kind(accessor: dict[str, Any], widths: tuple[int, ...]) -> tuple[np.dtype, int]:
    component, shape = accessor.get("componentType"), accessor.get("type")
    if not isinstance(component, int) or component not in _COMPONENTS:
        raise ValueError(f"an accessor has the component type {str(component)[:40]}")
    if not isinstance(shape, str) or _WIDTHS.get(shape) not in widths:
        raise ValueError(f"an accessor has the type {str(shape)[:40]} where {widths[0]} numbers are needed")
    return np.dtype(_COMPONENTS[component]), _WIDTHS[shape]


def _elements(document: Document, view: object, offset: int, count: int, dtype: np.dtype, width: int) -> np.ndarray:
    data, stride = document.view(view)
    size = dtype.itemsize * width
    step = stride or size
    if step < size and count > 1:
        raise ValueError(f"buffer view {view} has elements of {size} bytes every {step} bytes")
    if count and offset + step * (count - 1) + size > len(data):
        raise ValueError(f"an accessor of {count} elements leaves its buffer view of {len(data)} bytes")
    if count == 0:
        return np.zeros((0, width), dtype)
    return np.ndarray((count, width), dtype, data, offset, (step, dtype.itemsize))


def _with_exceptions(document: Document, values: np.ndarray, sparse: object) -> np.ndarray:
    """A copy of `values` with the rows that `sparse` gives (glTF 2.0, section 3.6.2.3)."""
    said = table(sparse)
    count = whole(said.get("count"), "a sparse count")
    where, what = table(said.get("indices")), table(said.get("values"))
    rows = _elements(
        document,
        where.get("bufferView"),
        whole(where.get("byteOffset", 0), "byteOffset"),
        count,
        _kind({**where, "type": "SCALAR"}, (1,))[0],
        1,
    )[:, 0].astype(np.int64)
    if count and rows.max() >= len(values):
        raise ValueError(f"a sparse accessor changes element {rows.max()} of {len(values)}")
    changed = values.copy()
    changed[rows] = _elements(
        document,
        what.get("bufferView"),
        whole(what.get("byteOffset", 0), "byteOffset"),
        count,
        values.dtype,
        values.shape[1],
    )
    return changed
