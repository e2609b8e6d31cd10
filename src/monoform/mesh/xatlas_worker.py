"""Run as a program of its own: unwraps one mesh with xatlas, so that the parent can stop it.

Reads two arrays (vertices float32, faces uint32) and three numbers in .npy form from standard input, writes the new
vertices' old indices, the faces and uv in 0..1 to standard output. The argument is the number of seconds after which
the system ends it, even where the parent was killed. It imports nothing of monoform: starting takes a fraction of a
second.
"""

from __future__ import annotations

import io
import math
import os
import signal
import sys

import numpy as np
import xatlas


def main() -> None:
    """Read, unwrap, write."""
    if hasattr(signal, "alarm"):
        signal.alarm(math.ceil(float(sys.argv[1])) + 1)
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the library prints must not get into the answer
    source = io.BytesIO(sys.stdin.buffer.read())
    vertices, faces, (resolution, padding, chart_area) = (np.load(source, allow_pickle=False) for _ in range(3))
    atlas = xatlas.Atlas()
    atlas.add_mesh(vertices, faces)
    charts, packing = xatlas.ChartOptions(), xatlas.PackOptions()
    charts.max_chart_area = float(chart_area)
    packing.resolution, packing.padding = int(resolution), int(padding)
    packing.bilinear = True
    atlas.generate(charts, packing)
    if atlas.atlas_count != 1:
        raise SystemExit(f"xatlas made {atlas.atlas_count} atlases instead of one")
    answer = io.BytesIO()
    for array in atlas.get_mesh(0):
        np.save(answer, array, allow_pickle=False)
    with pipe:
        pipe.write(answer.getvalue())


if __name__ == "__main__":
    main()
