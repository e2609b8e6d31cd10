"""The HTTP service: what is sent comes back as a result, and only what may be asked for is done."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from tests.app.fake_work import by_name

from monoform.app.queue import JobQueue, Limits
from monoform.app.queue.worker import perform
from monoform.app.service.offered import Offer
from monoform.app.service.routes import create_app

Serve = Callable[..., TestClient]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A running service of a stand-in, or of another function."""
    clients: list[TestClient] = []

    def start(function: Any = by_name, offer: Offer | None = None, gate: Any = None, **limits: float) -> TestClient:
        queue = JobQueue(Limits(**{"grace": 0.0, **limits}), function=function)
        app = create_app(queue, offer or Offer(("inflate", "lift")), **(gate or {}))
        clients.append(TestClient(app).__enter__())
        return clients[-1]

    yield start
    for client in clients:
        client.__exit__(None, None, None)


def photo(shade: int = 90, width: int = 64, height: int = 48) -> bytes:
    """A photo with the object in its alpha channel."""
    image = np.zeros((height, width, 4), np.uint8)
    image[height // 4 : -height // 4, width // 4 : -width // 4] = (shade, 60, 40, 255)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def send(client: TestClient, name: str = "cup.png", data: bytes | None = None, **form: object) -> Any:
    return client.post("/reconstruct", files={"photo": (name, photo() if data is None else data)}, data=form)


def finished(client: TestClient, answer: Any) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    end = time.monotonic() + 120
    while (status := client.get(answer.headers["location"]).json())["state"] not in ("done", "failed"):
        assert time.monotonic() < end
        time.sleep(0.02)
    return dict(status)


def test_a_photo_becomes_a_result_that_tells_nothing_of_the_server(serve: Serve, tmp_path: Path) -> None:
    client = serve(perform)
    small = {"frames": 2, "resolution": 32, "texture": 64, "faces": 500, "options": '{"thickness": 0.5}'}
    sent = send(client, "../../etc/my cup.png", method="inflate", **small)
    status = finished(client, sent)
    assert status["state"] == "done" and status["name"] == "my cup", status
    assert status["result"]["faces"] > 100 and status["result"]["watertight"] is True
    job = f"/jobs/{status['id']}"
    archive = client.get(f"{job}/result.zip")
    assert archive.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(archive.content)) as packed:
        names = {Path(name).name for name in packed.namelist()}
        assert {"mesh.glb", "camera.json", "overlay.png", "result.json", "report.html", "turntable.mp4"} <= names
        assert names == set(status["files"])
        assert all(name.startswith("my cup/") for name in packed.namelist())
        summary = json.loads(packed.read("my cup/result.json"))
        everything = b"".join(packed.read(name) for name in packed.namelist() if name.endswith((".json", ".html")))
    assert summary["request"]["overrides"] == {"thickness": 0.5} and summary["seed"] == 0
    assert b"monoform-serve" not in everything and str(Path.home()).encode() + b"/" not in everything
    page = client.get(f"{job}/files/report.html")
    assert page.headers["content-type"].startswith("text/html") and "sandbox" in page.headers["content-security-policy"]
    assert client.get(f"{job}/files/mesh.glb").content[:4] == b"glTF"
    for name in ("nothing.txt", "..%2F..%2Fresult.zip", "%2Fetc%2Fpasswd", ".monoform"):
        assert client.get(f"{job}/files/{name}").status_code == 404
    assert client.delete(job).status_code == 204
    assert client.delete(job).status_code == client.get(job).status_code == 404
    assert client.get(f"{job}/result.zip").status_code == 404


def test_fifty_at_once_and_each_gets_its_own(serve: Serve) -> None:
    client = serve(workers=2)

    def one(shade: int) -> bool:
        data = photo(shade, 64 + shade, 48)
        sent = send(client, "cup.png", data, faces=100 + shade)
        status = finished(client, sent)
        found = client.get(f"/jobs/{status['id']}/files/result.json").text
        return found == hashlib.sha256(data).hexdigest() and status["result"]["faces"] == 100 + shade

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(one, range(50))) == [True] * 50
    assert client.get("/health").json() == {"status": "ok", "waiting": 0}


def test_what_has_no_room_is_told_when_to_come_again(serve: Serve) -> None:
    client = serve(queue=1)
    slow = send(client, "slow.png")
    while client.get(slow.headers["location"]).json()["state"] == "waiting":
        time.sleep(0.02)
    waits = send(client, "cup.png")
    assert waits.status_code == 202 and waits.json()["position"] == 0
    full = send(client, "cup.png")
    assert full.status_code == 429 and int(full.headers["retry-after"]) >= 1 and "no room" in full.json()["detail"]
    assert client.get(f"{waits.headers['location']}/result.zip").status_code == 409
    assert client.delete(slow.headers["location"]).status_code == 204
    assert finished(client, waits)["state"] == "done"
    for _ in range(3):  # refused requests keep no place
        assert send(client, "cup.png", b"no picture").status_code == 422
    assert finished(client, send(client))["state"] == "done"


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({"data": b""}, 422, "not an image that can be read"),
        ({"data": b"GIF89a nothing"}, 422, "The photo is"),
        ({"data": photo(90, 500, 400)}, 422, "500 x 400 pixels, and 0.1 million are taken"),
        ({"data": bytes(200_001)}, 413, "0.2 MB at most"),
        ({"name": "cup", "method": "triposr"}, 422, "'triposr' is not offered"),
        ({"method": "lift", "options": '{"weights": "/etc"}'}, 422, "no option 'weights' that can be set here"),
        ({"options": '{"thickness": "much"}'}, 422, "thickness is 'much'; it is a number"),
        ({"options": '{"thickness": 1e999}'}, 422, "thickness is inf"),
        ({"options": "[1]"}, 422, "a JSON object"),
        ({"options": "[" * 3000}, 422, "a JSON object"),
        ({"box": "1,2,3"}, 422, "box"),
        ({"point": "1,2,3"}, 422, "point is '1,2,3': give 2 numbers"),
        ({"point": "nan,2"}, 422, "point is 'nan,2'"),
        ({"faces": 10**9}, 422, "faces"),
        ({"focal": "nan"}, 422, "focal"),
        ({"matting": "magic"}, 422, "matting"),
        ({"url": "http://127.0.0.1/cup.png"}, 422, "Send one photo"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(serve: Serve, change: dict[str, Any], code: int, sentence: str) -> None:
    client = serve(megabytes=0.2, megapixels=0.1)
    answer = send(client, **change)
    assert answer.status_code == code and sentence in answer.json()["detail"], answer.text
    assert "/tmp" not in answer.text and "\n" not in answer.json()["detail"]


def test_a_body_of_unknown_length_ends_at_the_limit(serve: Serve) -> None:
    client = serve(megabytes=0.2)
    start = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n'
    parts = iter([start, *[bytes(50_000)] * 8, b"\r\n--x--\r\n"])
    answer = client.post("/reconstruct", content=parts, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 413


def test_a_mask_is_as_large_as_its_photo(serve: Serve) -> None:
    client = serve()
    files = {"photo": ("cup.jpg", photo()), "mask": ("any.png", photo(width=32))}
    answer = client.post("/reconstruct", files=files)
    assert answer.status_code == 422 and "32 x 48 pixels and the photo 64 x 48" in answer.json()["detail"]
    files["mask"] = ("any.png", photo())
    assert finished(client, client.post("/reconstruct", files=files))["state"] == "done"


def test_addresses_are_fetched_only_where_that_is_allowed_and_public(serve: Serve) -> None:
    form = {"url": "http://127.0.0.1:1/cup.png"}
    assert "fetches nothing" in serve().post("/reconstruct", data=form).json()["detail"]
    client = serve(perform, gate={"urls": True})
    assert "no http" in client.post("/reconstruct", data={"url": "file:///etc/passwd"}).json()["detail"]
    status = finished(client, client.post("/reconstruct", data=form))
    assert status["state"] == "failed" and "no address of the public internet" in status["message"]


def test_only_who_shows_the_token_is_let_in(serve: Serve) -> None:
    client = serve(gate={"token": "sesame"})
    assert send(client).status_code == client.get("/").status_code == 401
    assert client.get("/", headers={"Authorization": "Bearer sesamE"}).status_code == 401
    assert client.get("/health").status_code == 200
    client.headers["Authorization"] = "Bearer sesame"
    assert finished(client, send(client))["state"] == "done"


def test_pages_of_other_sites_and_other_names_are_kept_out(serve: Serve) -> None:
    client = serve(gate={"hosts": {"testserver"}})
    client.headers["Origin"] = "http://elsewhere.test"
    assert send(client).status_code == 403
    client.headers["Origin"] = "null"
    assert send(client).status_code == 403
    client.headers["Origin"] = "http://testserver"
    assert send(client).status_code == 202
    assert client.get("/", headers={"Host": "rebound.test"}).status_code == 421
    assert client.get("/", headers={"Host": "[:"}).status_code == 421


def test_it_describes_itself(serve: Serve) -> None:
    client = serve(queue=7)
    about = client.get("/").json()
    assert about["limits"]["queue"] == 7 and about["urls"] is False
    assert about["methods"][0]["name"] == "inflate" and "refine" in about["methods"][1]["options"]
    described = client.get("/openapi.json").json()
    assert {"/reconstruct", "/jobs/{job_id}", "/jobs/{job_id}/result.zip"} <= set(described["paths"])
