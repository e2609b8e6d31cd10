"""What is packed for other programs, against a running service."""

from __future__ import annotations

import importlib
import io
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import uvicorn
from integrations.monoform_client import Service, ServiceError
from integrations.pack import pack
from PIL import Image

from monoform.app.queue import JobQueue, Limits
from monoform.app.queue.worker import perform
from monoform.app.service.offered import Offer
from monoform.app.service.routes import create_app
from monoform.app.service.sockets import bound_socket
from monoform.mesh import Mesh

FORM = {"frames": 0, "resolution": 32, "texture": 64, "faces": 500}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A service with a token, on a port of its own."""
    queue = JobQueue(Limits(grace=0.0), function=perform)
    app = create_app(queue, Offer(("inflate",)), token="sesame")
    listening = bound_socket("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)
    assert not queue.folder.exists()


def pixels() -> np.ndarray:
    image = np.full((48, 64, 3), 230, np.uint8)
    image[12:36, 16:48] = (90, 60, 40)
    return image


def test_a_photo_goes_and_a_result_comes(address: str) -> None:
    service = Service(address, "sesame")
    assert service.about()["methods"][0]["name"] == "inflate"
    file, mask, told = io.BytesIO(), io.BytesIO(), []
    Image.fromarray(pixels()).save(file, "PNG")
    Image.fromarray((pixels()[..., 0] < 128).astype(np.uint8) * 255).save(mask, "PNG")
    job = service.submit(file.getvalue(), 'a "cup".png', mask=mask.getvalue(), form={**FORM, "seed": 3})
    status = service.wait(job, lambda *said: told.append(said))
    assert status["name"] == "a _cup" and status["result"]["mask"] == "file" and told
    with zipfile.ZipFile(io.BytesIO(service.archive(job))) as packed:
        assert "a _cup/mesh.glb" in packed.namelist()
    assert service.file(job, "mesh.glb")[:4] == b"glTF"
    service.forget(job)
    with pytest.raises(ServiceError, match="no such job"):
        service.status(job)


def test_what_goes_wrong_is_one_sentence(address: str) -> None:
    with pytest.raises(ServiceError, match="needs its token"):
        Service(address).about()
    with pytest.raises(ServiceError, match="not an image"):
        Service(address, "sesame").submit(b"no picture")
    with pytest.raises(ServiceError, match=r"cannot be reached: .*Is `monoform serve` running"):
        Service("http://127.0.0.1:9").about()
    with pytest.raises(ServiceError, match="no address of a service"):
        Service("file:///etc/passwd")
    service = Service(address, "sesame")
    file = io.BytesIO()
    Image.new("RGB", (64, 48)).save(file, "PNG")
    with pytest.raises(ServiceError, match="No object can be told"):
        service.wait(service.submit(file.getvalue(), form=FORM))


def test_a_job_can_be_broken_off(address: str) -> None:
    service = Service(address, "sesame")
    file = io.BytesIO()
    Image.fromarray(pixels()).save(file, "PNG")
    job = service.submit(file.getvalue(), form={**FORM, "frames": 240, "resolution": 256})
    with pytest.raises(ServiceError, match="Broken off"):
        service.wait(job, stop=lambda: True)
    with pytest.raises(ServiceError, match="no such job"):
        service.status(job)


def test_the_node_gives_a_mesh_of_an_image(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes: Any = opened("comfyui", tmp_path, monkeypatch)
    monkeypatch.setenv("MONOFORM_TOKEN", "sesame")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kind = nodes.NODE_CLASS_MAPPINGS["MonoformReconstruct"]
    assert set(kind.INPUT_TYPES()["required"]) == {"image", "method", "seed", "faces", "texture", "address"}
    image = torch.from_numpy(pixels()).float()[None] / 255
    mask = (image[..., 0] < 0.5).float()
    node = getattr(kind(), kind.FUNCTION)
    path, overlay, used = node(image, "inflate", 1, 800, 64, address, mask=mask, options='{"thickness": 0.5}')
    assert Mesh.load(path).faces.shape[0] == pytest.approx(800, rel=0.05) and Path(path).is_relative_to(tmp_path)
    assert overlay.shape == (1, 48, 64, 3) and 0 <= overlay.min() <= overlay.max() <= 1
    assert used.shape == (1, 48, 64) and torch.equal(used > 0.5, mask > 0.5)


def opened(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """An integration as users have it: unpacked from its zip file, with nothing else beside it."""
    with zipfile.ZipFile(pack(name, folder)) as packed:
        packed.extractall(folder)
    monkeypatch.syspath_prepend(str(folder))
    for each in [each for each in sys.modules if each.startswith(f"monoform_{name}")]:
        monkeypatch.delitem(sys.modules, each)
    return importlib.import_module(f"monoform_{name}")
