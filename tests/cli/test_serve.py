"""monoform serve: it says where, answers, and leaves nothing behind when it is stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from tests.command_line import monoform

from monoform.cli.main import main


def test_it_serves_until_it_is_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monoform", "serve", "--port", "0", "--queue", "3", "--grace", "0"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as made:
        assert made.stdout is not None
        line = made.stdout.readline()
        address = line.split()[2]
        assert line.startswith("Serving at http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=30) as answer:
            about = json.load(answer)
        assert about["limits"]["queue"] == 3 and [each["name"] for each in about["methods"]] == ["lift", "inflate"]
        made.send_signal(signal.SIGTERM)
        out, err = made.communicate(timeout=60)
    assert made.returncode == 0 and out == "Stopped.\n" and "Traceback" not in err
    assert not list(tmp_path.glob("monoform-serve-*"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--methods", "inerf"], "inerf makes no mesh of a photo"),
        (["--methods", "nosuch"], "There is no method 'nosuch'"),
        (["--weights", "lift"], "--weights lift: give METHOD=FOLDER."),
        (["--weights", "lift=/no/such"], "there is no folder /no/such"),
        (["--queue", "0"], "queue is 0"),
        (["--port", "70000"], "--port is 70000"),
        (["--host", "192.0.2.1"], "Cannot listen on 192.0.2.1"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(words: list[str], sentence: str, tmp_path: Path) -> None:
    said = monoform("serve", *words)
    assert said.returncode == 2 and sentence in said.stderr and said.stderr.count("\n") == 1


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = monoform("serve", "--port", taken.getsockname()[1])
    assert said.returncode == 2 and "Choose --port" in said.stderr


@pytest.mark.parametrize(("verb", "package", "extra"), [("serve", "fastapi", "serve"), ("app", "gradio", "app")])
def test_it_says_which_packages_it_lacks(
    verb: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    with pytest.raises(SystemExit) as left:
        main([verb])
    assert left.value.code == 2 and f"pip install 'monoform[{extra}]'" in capsys.readouterr().err
