"""Two processes equal one with the batches of both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.training.hooked_cases import HookedBranches
from tests.training.training_cases import final_state
from tests.training.two_processes import Branches, options

from monoform.training import train

ROOT = Path(__file__).parents[2]

SCRIPT = """
import os, signal, sys
import torch
from tests.training.hooked_cases import HookedBranches
from tests.training.two_processes import Branches, options
from monoform.training import train

Kind = {"Branches": Branches, "HookedBranches": HookedBranches}[sys.argv[2]]

def happening(step):
    # One process alone is told to stop: both must.
    if step == 3 and os.environ["RANK"] == "1" and not os.path.exists(sys.argv[1] + "/told"):
        open(sys.argv[1] + "/told", "w").close()
        os.kill(os.getpid(), signal.SIGTERM)

first = train(Kind(happening, different=int(os.environ["RANK"])), sys.argv[1], options=options(accumulate=1))
assert (first.stopped, first.step) == ("SIGTERM", 4), first
task = Kind()
second = train(task, sys.argv[1], options=options(accumulate=1))
assert second.finished
torch.save(task.module.state_dict(), sys.argv[1] + "/rank" + os.environ["RANK"] + ".pt")
"""


@pytest.mark.parametrize("kind", [Branches, HookedBranches])
def test_two_processes_equal_one(kind: type[Branches], tmp_path: Path) -> None:
    out = tmp_path / "two"
    out.mkdir()
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [*command, str(tmp_path / "script.py"), str(out), kind.__name__],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-3000:]

    task = kind()
    train(task, tmp_path / "one", options=options(accumulate=2))
    one, two = final_state(tmp_path / "one"), final_state(out)
    # Double precision, sums in another order: twelve steps of Adam stay within 1e-10.
    torch.testing.assert_close(two["model"], one["model"], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(two["ema"], one["ema"], rtol=1e-10, atol=1e-12)
    assert two["options"] == one["options"]
    ranks = [torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert all(torch.equal(ranks[0][name], ranks[1][name]) for name in ranks[0])

    lines = [
        [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        for path in (tmp_path / "one", out)
    ]
    assert [line["fit/loss"] for line in lines[1]] == pytest.approx([line["fit/loss"] for line in lines[0]], rel=1e-9)
    assert [line["fit/spread"] for line in lines[1]] == pytest.approx(
        [line["fit/spread"] for line in lines[0]], rel=1e-9
    )
