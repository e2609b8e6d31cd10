"""Batches beyond this process: jobs of a cluster, whose failures are alone, and which a rerun goes on from."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.pictures import disc, png

from monoform import InputError
from monoform.cli.reconstruct import run as command
from monoform.jobs import ReconstructOptions
from monoform.jobs.batch import plan, run
from monoform.jobs.engines import Cluster, JobOptions

QUICK = ReconstructOptions(method="inflate", faces=200, texture=64, resolution=32, frames=0)
WORDS = ("--method", "inflate", "--faces", "200", "--texture", "64", "--resolution", "32", "--frames", "0")
PROGRAMS = {  # of a cluster of this machine alone
    "sbatch": r"""
cp "$1" "$(dirname "$0")/script"
if grep -q partition=none "$1"; then echo "sbatch: error: invalid partition specified: none" >&2; exit 1; fi
last=$(sed -n 's/.*--array=0-\([0-9]*\)%.*/\1/p' "$1")
for task in $(seq 0 "$last"); do
  SLURM_JOB_ID=7 SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 \
    SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1 bash "$1" >/dev/null 2>&1 &
done
echo "Submitted batch job 7"
""",
    "srun": 'shift 5\nexec "$@"\n',
    "sacct": "true\n",
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name, center in (("ball", 0.5), ("marble", 0.45)):
        rgb, mask = disc()
        (folder / f"{name}.png").write_bytes(png(rgb * center))
        (folder / f"{name}_mask.png").write_bytes(png(mask))
    (folder / "text.png").write_text("no image")
    return folder


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A folder with the programs of SLURM, on the path."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in PROGRAMS.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_a_job_array_makes_what_one_process_makes(photos, cluster, tmp_path, monkeypatch):
    names = [str(photos / f"{name}.png") for name in ("ball", "text")]
    words = [*names, "-o", "out", "--mask", str(photos), "--engine", "slurm", *WORDS]
    asked = ("--slurm", "partition=short", "minutes=7", "memory=3", "--workers", "2")
    # A mask for the file that is no photo: it fails in its job, not before.
    (photos / "text_mask.png").write_bytes((photos / "ball_mask.png").read_bytes())
    made = subprocess.run(
        [sys.executable, "-m", "monoform", "reconstruct", *words, *asked],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert made.returncode == 2, made.stderr
    assert "1 of 2 photos done" in made.stdout and "text: failed" in made.stdout and "not an image" in made.stdout
    script = (cluster / "script").read_text()
    for line in ("array=0-1%2", "partition=short", "time=7", "mem=3GB", "cpus-per-task=8"):
        assert f"#SBATCH --{line}\n" in script
    assert "gpus" not in script
    assert sorted(os.listdir(tmp_path / "out")) == ["ball", "index.html", "summary.csv"]

    # What a job has made is what is made here, and is kept by a rerun of either kind.
    stamp = (tmp_path / "out/ball/mesh.glb").stat().st_mtime_ns
    monkeypatch.chdir(tmp_path)
    assert [each.status for each in run(plan(names[:1], Path("out"), str(photos)), QUICK)] == ["kept"]
    assert (tmp_path / "out/ball/mesh.glb").stat().st_mtime_ns == stamp
    assert [each.status for each in run(plan(names[:1], Path("local"), str(photos)), QUICK)] == ["done"]
    twins = [(tmp_path / out / "ball" / "mesh.glb").read_bytes() for out in ("out", "local")]
    assert twins[0] == twins[1]


def test_a_cluster_that_refuses_is_quoted(photos, cluster, tmp_path):
    items = plan([str(photos / "ball.png"), str(photos / "marble.png")], tmp_path / "out", str(photos))
    engine = Cluster(tmp_path / "out", JobOptions(partition="none"))
    with pytest.raises(InputError, match=r"The cluster took no jobs: .*invalid partition specified: none"):
        list(run(items, QUICK, engine=engine))
    assert not (tmp_path / "out").exists() or not os.listdir(tmp_path / "out")


def test_there_is_no_cluster_where_there_are_no_programs_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="there is no srun and sbatch here"):
        Cluster(tmp_path / "out")
    assert os.listdir(tmp_path) == []


def _ended_by_the_cluster(folder: Path) -> None:
    print("slurmstepd: error: Detected 1 oom_kill event", file=sys.stderr, flush=True)
    os._exit(9)


def test_a_job_that_is_ended_is_a_failure_alone(photos, tmp_path, monkeypatch):
    import submitit

    monkeypatch.setattr(submitit.LocalJob, "_results_timeout_s", 0)
    engine = Cluster(tmp_path / "out", name="local")
    (item,) = plan([str(photos / "ball.png")], tmp_path / "out", str(photos / "ball_mask.png"))
    (lost,) = run([item], QUICK, engine=engine, finish=_ended_by_the_cluster)
    assert lost.status == "failed" and "left no result" in lost.message and "oom_kill" in lost.message
    assert not item.folder.exists()
    (made,) = run([item], QUICK, engine=engine)  # a rerun goes on
    assert made.status == "done" and (item.folder / "mesh.glb").is_file()


def test_the_device_is_looked_for_where_the_job_is(photos, tmp_path):
    from monoform.devices import there_are

    lacking = next(name for name in ("cuda", "mps") if name not in there_are())
    (item,) = plan([str(photos / "ball.png")], tmp_path, str(photos / "ball_mask.png"))
    (refused,) = run([item], QUICK, device=lacking)
    assert refused.status == "failed" and f"--device is {lacking}, which is not there" in refused.message
    (made,) = run([item], QUICK, device="auto")
    assert made.status == "done"
    assert [each.status for each in run([item], replace(QUICK, device="cpu"))] == ["kept"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--engine", "slurm", "--slurm", "queue=long"), "--slurm queue=long: give NAME=VALUE"),
        (("--engine", "slurm", "--slurm", "minutes=0"), "--slurm minutes is 0; it must lie in 1..100000"),
        (("--engine", "slurm", "--device", "cuda"), "add --slurm gpus=1"),
        (("--slurm", "gpus=1"), "is for --engine slurm"),
        (("--ray-address", "auto"), "--ray-address auto is for --engine ray"),
        (("--engine", "ray"), "--engine ray needs Ray Data: pip install 'monoform[ray]'"),
        (("--workers", "0"), "--workers is 0"),
    ],
)
def test_what_does_not_fit_is_one_sentence(photos, tmp_path, monkeypatch, words, sentence):
    monkeypatch.setattr(sys.modules["monoform.cli.main"], "listen", lambda: None)  # signals stay as they are
    monkeypatch.setitem(sys.modules, "ray", None)  # not installed
    with pytest.raises(InputError, match=re.escape(sentence)) as refused:
        command([str(photos / "ball.png"), "-o", str(tmp_path / "out"), *words])
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def _interrupted(_: float) -> None:
    raise KeyboardInterrupt


def test_jobs_end_with_the_command_that_waits_for_them(photos, tmp_path, monkeypatch):
    import submitit

    from monoform.jobs import engines

    jobs = []
    cancel = submitit.LocalJob.cancel
    monkeypatch.setattr(submitit.LocalJob, "cancel", lambda job, check=True: (jobs.append(job), cancel(job, check)))
    monkeypatch.setattr(engines, "time", SimpleNamespace(sleep=_interrupted))
    items = plan([str(photos / "ball.png")], tmp_path / "out", str(photos / "ball_mask.png"))
    with pytest.raises(KeyboardInterrupt):
        list(run(items, QUICK, engine=Cluster(tmp_path / "out", name="local")))
    assert [job._process.wait(30) for job in jobs] != [0]
    assert os.listdir(tmp_path / "out") == []
