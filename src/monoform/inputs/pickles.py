"""Pickles, read step by step without `pickle`: numbers, words, containers of them, and what a table of names makes.

Nothing that a pickle names is imported or called: it is looked up in the table, whose makers check their arguments.
Steps and depth are bounded, so that a short pickle cannot become a large object. (PEP 307 and PEP 3154 tell the
instructions.)
"""

from __future__ import annotations

import io
import pickletools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_STEPS = 1_000_000  # a training's checkpoint of 3000 tensors takes some 150 000
MAX_DEPTH = 64
WORDS: dict[type, str] = {str: "word", list: "list", dict: "table", set: "set", tuple: "list of arguments"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_EMPTY: dict[str, type] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": set}
_IGNORED = ("PROTO", "FRAME", "STOP")
_VALUES = re.compile(
    r"(BIN)?INT[12]?|LONG[14]?|(BIN)?FLOAT|((SHORT_)?BIN)?(UNICODE|STRING)8?|(SHORT_)?BINBYTES8?|BYTEARRAY8"
)


@dataclass(frozen=True)
class Maker:
    """What a pickle may ask for by name: `make` is given its arguments, and `fill` the state of what was made."""

    make: Callable[..., Any]
    fill: Callable[[Any, Any], None] | None = None


class Stranger(str):
    """The name of a class that is not in the table, where such are let through."""


IGNORED = Maker(lambda *_: {}, lambda *_: None)  # what stands for an object of a stranger


class Unpickler:
    """Reads pickles with one table of names and one bound on all steps.

    Args:
        names: "module name" -> a `Maker`, or a value that stands for the name.
        load: what persistent identifiers stand for.
        steps: the bound; None for that of checkpoints.
        strangers: names that are not in the table become words, and their objects empty tables; otherwise they are
            refused.
    """

    def __init__(
        self,
        names: Mapping[str, Any],
        load: Callable[[Any], Any] | None = None,
        *,
        steps: int | None = None,
        strangers: bool = False,
    ) -> None:
        self.names, self.load, self.strangers = names, load, strangers
        self.steps = self.left = MAX_STEPS if steps is None else steps
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.fills: dict[int, tuple[Any, Maker]] = {}

    def read(self, stream: io.IOBase) -> Any:
        """The object of the next pickle of a stream.

        Raises:
            Exception: of any kind where the bytes are no pickle, name what is not in the table, or break a bound.
        """
        self.stack, self.marks, self.memo, self.fills = [], [], {}, {}
        for operation, argument, _ in pickletools.genops(stream):  # type: ignore[arg-type]
            self.spend(1)
            try:
                self._step(operation.name, argument)
            except (KeyError, IndexError) as error:
                raise ValueError("its pickle takes what was never put") from error
        (result,) = self.stack
        self.stack, self.memo, self.fills = [], {}, {}  # bytes of which tensors were made are not kept
        _measure(result, MAX_DEPTH, {})
        return result

    def spend(self, steps: int) -> None:
        """Count steps, or things made by one."""
        self.left -= steps
        if self.left < 0:
            raise ValueError(f"its pickle has more than {self.steps} steps")

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if _VALUES.fullmatch(name):
            stack.append(bytearray(argument) if name == "BYTEARRAY8" else argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            if name == "STACK_GLOBAL":
                last, room = stack.pop(), stack.pop()
                argument = f"{_of_kind(room, str)} {_of_kind(last, str)}"
            stack.append(self._named(argument))
        elif name == "BINPERSID" and self.load is not None:
            stack.append(self.load(stack.pop()))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments = stack.pop()
            stack.append(self._made(stack.pop(), arguments))
        elif name == "BUILD":
            state, maker = stack.pop(), self.fills.get(id(stack[-1]), (None, None))[1]
            if maker is None or maker.fill is None:
                raise ValueError("it sets the state of what has none")
            maker.fill(stack[-1], state)
        elif name not in _IGNORED:
            self._collect(name)

    def _collect(self, name: str) -> None:
        """Instructions that put the last values into a container."""
        stack = self.stack
        if name.startswith("TUPLE"):
            stack.append(tuple(self._marked() if name == "TUPLE" else self._last(int(name[-1]))))
        elif name == "POP":
            self._last(1)
        elif name == "LIST":
            stack.append(self._marked())
        elif name == "DICT":
            stack.append(_paired({}, self._marked()))
        elif name in ("APPEND", "APPENDS"):
            items = self._last(1) if name == "APPEND" else self._marked()
            _of_kind(stack[-1], list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._last(2) if name == "SETITEM" else self._marked()
            _paired(_of_kind(stack[-1], dict), items)
        elif name == "ADDITEMS":
            items = self._marked()
            _of_kind(stack[-1], set).update(map(as_key, items))
        else:
            raise ValueError(f"its pickle has the instruction {name}")

    def _last(self, count: int) -> list[Any]:
        items = self.stack[-count:]
        if len(items) < count:
            raise ValueError("its stack is empty")
        del self.stack[-count:]
        return items

    def _marked(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _named(self, name: str) -> Any:
        if name not in self.names and self.strangers:
            return Stranger(name)
        if name not in self.names:
            raise ValueError(
                f"it holds {name[:80].replace(' ', '.')}, which is no tensor, number, word or container of them"
            )
        return self.names[name]

    def _made(self, maker: Any, arguments: Any) -> Any:
        self.spend(len(_of_kind(arguments, tuple)))
        maker = IGNORED if isinstance(maker, Stranger) else maker
        made = _of_kind(maker, Maker).make(*arguments)
        if maker.fill is not None:
            self.fills[id(made)] = (made, maker)
        return made


def as_key(key: Any) -> Any:
    """A value that may be a key or a member of a set: words and numbers, whose hashes nobody can make collide.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(key, (str, bytes)) or key is None or (isinstance(key, int) and abs(key) < 1 << 60):
        return key
    raise ValueError("it has a key that is neither a word nor a number")


def _paired(container: dict[Any, Any], items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise ValueError("it has a key without a value")
    container.update(zip(map(as_key, items[::2]), items[1::2], strict=True))
    return container


def _of_kind(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"it has something else in the place of a {WORDS.get(kind, 'name')}")
    return value


def _measure(value: Any, depth: int, known: dict[int, int]) -> int:
    """Levels of containers below a value; also ends where one holds itself.

    Raises:
        ValueError: there are more than `depth`.
    """
    if not isinstance(value, (list, dict, tuple)):
        return 0
    if depth == 0:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    if id(value) not in known:
        items = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + max((_measure(item, depth - 1, known) for item in items), default=0)
    if known[id(value)] > depth:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    return known[id(value)]
