"""Ways in which files get damaged, or are made to harm."""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

NUMBERS = ["nan", "inf", "-inf", "1e308", "-1", "0", "1e30", "9223372036854775808", "9" * 400, "abc", "", "1,5", "0x10"]
VALUES: list[Any] = [
    None, True, [], {}, "", "x", -1, 0, 1, 0.5, 1e308, -1e308, 2**31, 2**63, 10**400, float("nan"), float("inf"),
    "../../beside/precious.txt", "/etc/passwd", "a\x00b", "\ud800", "\n\x1b[2J", "x" * 100_000, [[]], {"a": {}},
    [1, 2, 3], [None] * 5, "nan",
]  # fmt: skip
HUGE = 1 << 40  # bytes of a file of nothing
EXTREMES = [
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"\xff" * 8,
    b"\x7f" * 8,
]


def damage(folder: Path, rng: random.Random) -> None:
    """Damage one to three things of a folder."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        whole = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        files = sorted(path for path in whole if path.stat().st_size < HUGE)
        if not files:
            return
        file = rng.choice(files)
        if rng.random() < 0.12:
            rng.choice(REPLACEMENTS)(file, rng)
        else:
            file.write_bytes(damaged(file.read_bytes(), file.suffix.lower(), rng))


def damaged(data: bytes, suffix: str, rng: random.Random) -> bytes:
    """Bytes of a file, damaged as fits its kind, or anyhow."""
    ways: list[Callable[[bytes, random.Random], bytes]] = [in_bytes]
    if suffix == ".json" or data[:1] in (b"{", b"["):
        ways = [in_json, in_json, in_json, in_text, in_bytes]
    elif suffix in (".txt", ".obj", ".mtl", ".csv", ".lst", ".gltf"):
        ways = [in_text, in_text, in_bytes]
    elif suffix in (".npy", ".npz"):
        ways = [in_array, in_bytes]
    elif suffix in (".glb", ".safetensors"):
        ways = [in_embedded_json, in_embedded_json, in_bytes]
    return rng.choice(ways)(data, rng)


def in_bytes(data: bytes, rng: random.Random) -> bytes:
    """Bits turned, parts cut off, left out, doubled, moved, or numbers made extreme."""
    way, size = rng.randrange(8), len(data)
    if size == 0:
        return rng.randbytes(rng.randrange(1, 64))
    start = rng.randrange(size)
    end = min(size, start + rng.randrange(1, 1 + max(1, size // 4)))
    if way == 0:
        return data[:start]
    if way == 1:
        return data[:start] + data[end:]
    if way == 2:
        return data[:end] + data[start:]
    if way == 3:
        return data[:start] + rng.randbytes(end - start) + data[end:]
    if way == 4:
        return data[:start] + bytes(end - start) + data[end:]
    place = rng.randrange(min(size, 400)) if way < 7 else start
    if way == 5:
        extreme = rng.choice(EXTREMES)
        return data[:place] + extreme + data[place + len(extreme) :]
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(min(size, 400)) if way == 6 else rng.randrange(size)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def in_text(data: bytes, rng: random.Random) -> bytes:
    """A word replaced, a line left out, doubled or cut, other encodings."""
    lines = data.decode("utf-8", errors="replace").splitlines(keepends=True)
    if not lines:
        return b"x"
    number, way = rng.randrange(len(lines)), rng.randrange(6)
    if way == 0:
        del lines[number]
    elif way == 1:
        lines.insert(number, lines[number])
    elif way == 2:
        lines[number] = lines[number][: rng.randrange(len(lines[number]) + 1)]
    elif way == 3:
        return "".join(lines).encode(rng.choice(("utf-16", "utf-8-sig", "utf-32")))
    else:
        words = re.split(r"(\s+)", lines[number])
        words[2 * rng.randrange((len(words) + 1) // 2)] = rng.choice(NUMBERS)
        lines[number] = "".join(words)
    return "".join(lines).encode("utf-8", errors="surrogatepass")


def in_json(data: bytes, rng: random.Random) -> bytes:
    """A value replaced by another kind, left out, or doubled; or nested without end."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return in_bytes(data, rng)
    if rng.random() < 0.05:
        return b"[" * 100_000
    places = list(_places(content))
    if not places or rng.random() < 0.03:
        return json.dumps(rng.choice(VALUES)).encode("utf-8", errors="surrogatepass")
    holder, key = rng.choice(places)
    if rng.random() < 0.15:
        del holder[key]
    elif isinstance(holder, list) and rng.random() < 0.15:
        holder.append(holder[key])
    else:
        holder[key] = rng.choice(VALUES)
    return json.dumps(content).encode("utf-8", errors="surrogatepass")


def in_embedded_json(data: bytes, rng: random.Random) -> bytes:
    """The JSON at the start of a GLB or safetensors file, its length told anew (or not)."""
    start = data.find(b"{")
    is_glb = data[:4] == b"glTF"
    length = int.from_bytes(data[12:16] if is_glb else data[:8], "little")
    head, rest = data[start : start + length], data[start + length :]
    changed = in_json(head, rng)
    changed += b" " * (-len(changed) % 8)
    if not is_glb:
        return struct.pack("<Q", len(changed)) + changed + rest
    whole = data[:4] + data[4:8] + struct.pack("<I", 20 + len(changed) + len(rest))
    return whole + struct.pack("<I", len(changed)) + data[16:20] + changed + rest


def in_array(data: bytes, rng: random.Random) -> bytes:
    """An array of another shape or type, or with numbers that are none."""
    try:
        loaded = np.load(io.BytesIO(data))
        arrays = dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else {"": loaded}
    except Exception:
        return in_bytes(data, rng)
    name = rng.choice(sorted(arrays))
    array, way = np.array(arrays[name]), rng.randrange(7)
    if way == 0:
        array = array.reshape(-1)[: rng.randrange(1 + array.size)]
    elif way == 1:
        array = array[None]
    elif way == 2:
        array = np.nan_to_num(array) if array.dtype.kind == "f" else array
        array = array.astype(rng.choice(["u1", "i8", "f2", ">f4", "U5", "c8", "f8", "?"]))
    elif way == 3:
        array = np.array([{"a": 1}], dtype=object)
    elif way == 4 and array.size:
        array = array.astype(np.float64)
        array.reshape(-1)[rng.randrange(array.size)] = rng.choice((np.nan, np.inf, 1e300, -1, 0))
    elif way == 5:
        arrays.pop(name)
    else:
        array = np.zeros((0, *array.shape[1:]), array.dtype)
    if name in arrays:
        arrays[name] = array
    file = io.BytesIO()
    if "" in arrays or not arrays:
        np.save(file, array, allow_pickle=True)
    else:
        np.savez(file, **arrays)
    return file.getvalue()


def _places(content: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [content]
    while waiting:
        holder = waiting.pop()
        keys = holder.keys() if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            found.append((holder, key))
            waiting.append(holder[key])
    return found


def _gone(file: Path, rng: random.Random) -> None:
    file.unlink()


def _empty(file: Path, rng: random.Random) -> None:
    file.write_bytes(b"")


def _folder(file: Path, rng: random.Random) -> None:
    file.unlink()
    file.mkdir()


def _pipe(file: Path, rng: random.Random) -> None:
    file.unlink()
    os.mkfifo(file)


def _device(file: Path, rng: random.Random) -> None:
    file.unlink()
    file.symlink_to(rng.choice(("/dev/zero", "/dev/full", "/proc/self/mem", "/proc/self/maps")))


def _loop(file: Path, rng: random.Random) -> None:
    file.unlink()
    file.symlink_to(rng.choice((file.name, ".", "..")))


def _other(file: Path, rng: random.Random) -> None:
    files = sorted(path for path in file.parent.iterdir() if path.is_file() and not path.is_symlink())
    files = [path for path in files if path.stat().st_size < HUGE]
    shutil.copyfile(rng.choice(files), file.with_name("other.tmp"))
    file.with_name("other.tmp").rename(file)


def _huge(file: Path, rng: random.Random) -> None:
    os.truncate(file, HUGE)


REPLACEMENTS = [_gone, _empty, _folder, _pipe, _device, _loop, _other, _huge]
