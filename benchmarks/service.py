"""Photos sent to the service at once: whether each comes back as its own result, how long it takes, how much memory.

    python benchmarks/service.py --count 50

Starts `monoform serve` itself, sends photos of rectangles of different sizes to `inflate`, and reads the memory of the
server and its workers while they work (Linux).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

FORM = {"method": "inflate", "frames": "0", "resolution": "48", "texture": "128", "faces": "1000"}


def photo(number: int) -> bytes:
    image = np.zeros((96, 128, 4), np.uint8)
    image[20:-20, 20 : 60 + number % 48] = (90, 60 + number, 40, 255)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def post(address: str, number: int) -> str:
    mark = uuid.uuid4().hex
    parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{FORM[key]}\r\n' for key in FORM]
    name = f'name="photo"; filename="photo{number}.png"'
    head = "".join(parts) + f"--{mark}\r\nContent-Disposition: form-data; {name}\r\n\r\n"
    body = head.encode() + photo(number) + f"\r\n--{mark}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={mark}"}
    with urllib.request.urlopen(urllib.request.Request(f"{address}/reconstruct", body, kind), timeout=120) as answer:
        return str(json.load(answer)["id"])


def one(address: str, number: int) -> bool:
    """Whether the result is there and is this photo's."""
    job = f"{address}/jobs/{post(address, number)}"
    while True:
        with urllib.request.urlopen(job, timeout=120) as answer:
            status = json.load(answer)
        if status["state"] in ("done", "failed"):
            break
        time.sleep(0.5)
    if status["state"] == "failed":
        print(status["message"])
        return False
    with urllib.request.urlopen(f"{job}/files/result.json", timeout=120) as answer:
        return Path(json.load(answer)["request"]["photo"]).stem == f"photo{number}"


def memory_of(process: int) -> float:
    """GB of a process and all below it, shared pages counted once."""
    total = 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(place.name)) == process:
                found = (place / "smaps_rollup").read_text().split("Pss:")[1]
                total += int(found.split()[0])
        except (OSError, IndexError):
            continue
    return total * 1024 / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    command = [sys.executable, "-m", "monoform", "serve", "--port", "0", "--workers", str(asked.workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().split()[2]
        used, ended = [0.0], threading.Event()

        def watch() -> None:
            while not ended.wait(1.0):
                used.append(memory_of(server.pid))

        watching = threading.Thread(target=watch)
        watching.start()
        begun = time.perf_counter()
        with ThreadPoolExecutor(asked.count) as pool:
            good = list(pool.map(lambda number: one(address, number), range(asked.count)))
        seconds = time.perf_counter() - begun
        ended.set()
        watching.join()
        server.terminate()
    print(f"{sum(good)} of {asked.count} have their own result, {seconds:.1f} s in all, {max(used):.2f} GB at most")


if __name__ == "__main__":
    main()
