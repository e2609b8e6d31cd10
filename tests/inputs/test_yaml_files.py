"""The part of YAML that is read: names and values by their indentation, references, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from monoform import InputError
from monoform.inputs.yaml_files import read_yaml

TEXT = """
# of a network
size: 512
tokenizer:
  channels: 1024   # of each
  name: "a # b"
backbone:
  inner:
      rate: -1.0e-3
      on: true
  channels: ${tokenizer.channels}
  again: ${backbone.channels}
empty:
last: 'x'
"""


def test_names_and_values_are_read_and_references_followed(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(TEXT)
    assert read_yaml(file) == {
        "size": 512,
        "tokenizer": {"channels": 1024, "name": "a # b"},
        "backbone": {"inner": {"rate": -1e-3, "on": True}, "channels": 1024, "again": 1024},
        "empty": None,
        "last": "x",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "line 1 is no name with a value"),
        ("a: [1, 2]", r"line 1 has the value '\[1, 2\]'"),
        ("a: &x 1", "line 1 has the value '&x 1'"),
        ("a: !!python/object/apply:os.system ['true']", "line 1 has the value .!!python"),
        ("a: 1\n   b: 2", "line 2 is indented by 3"),
        ("a:\n  b: 1\n c: 2", "line 3 is indented by 1"),
        ("a: 1\na: 2", "line 2 says a again"),
        ("a: ${b}", r"refers to '\$\{b\}', where no value stands"),
        ("a: x${b}\nb: 1", "where no value stands"),
        ("a: ${b}\nb: ${a}", "lead in a circle"),
        ("a: 'x", "quotation without its end"),
        ("\n".join("  " * level + "a:" for level in range(40)), "line 16 is indented by 30"),
        ("a: 1\n" * 20000, "up to 66 kB are read"),
    ],
)
def test_what_is_not_of_it_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=said):
        read_yaml(file)
    file.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(InputError, match="no text in UTF-8"):
        read_yaml(file)
