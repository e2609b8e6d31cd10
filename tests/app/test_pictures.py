"""The pictures of a page."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from monoform.app.pictures import texture_uri


def test_noise_at_full_detail_is_written():
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    kind, coded = texture_uri(noise).split(",")
    assert kind == "data:image/jpeg;base64"
    again = np.asarray(Image.open(io.BytesIO(base64.b64decode(coded))))
    assert np.abs(again.astype(int) - noise).mean() < 20
