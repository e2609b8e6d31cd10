"""A method's answer to an input of the protocol: mask and focal length are the true ones, the pose is its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8

from ..camera import Camera
from ..errors import InputError
from ..mesh import Mesh, RayCaster, sample_surface
from ..mesh.topology import volume
from ..metrics.shape_truth import SURFACE_POINTS, Truth
from ..scene import Photo, Reconstruction, View
from .base import Reconstructor

FACES, TEXTURE, RESOLUTION = 8_000, 512, 96
# Along no axis, so that rays seldom meet the edges of boxes and grids.
_DIRECTIONS = np.array([[0.2853, 0.8817, 0.3758], [-0.6141, 0.2217, 0.7575], [0.4469, -0.3401, -0.8274]])


@dataclass(frozen=True, eq=False)
class Answer:
    """A textured mesh in a frame of its own, and the camera of the input in that frame.

    Attributes:
        mesh: the answer.
        camera: of the input.
        points: on its surface.
        contains: whether points of its frame are inside.
        volume: what it encloses.
        seconds: what the method took, meshing included.
    """

    mesh: Mesh
    camera: Camera
    points: Float[np.ndarray, "n 3"]
    contains: Callable[[np.ndarray], np.ndarray]
    volume: float
    seconds: float


Answerer = Callable[[Truth, int], Answer | None]


def answers_of(method: Reconstructor) -> Answerer:
    """A method's answer to an input: mask and focal length are the true ones, the pose is the method's own."""

    def answer(truth: Truth, view: int) -> Answer | None:
        start = time.perf_counter()
        try:
            found = answered(method, truth.images[view], truth.camera(view))
            with torch.inference_mode():
                mesh = found.mesh(faces=FACES, texture=TEXTURE, resolution=RESOLUTION)
        except InputError:
            return None
        seconds = time.perf_counter() - start
        points = sample_surface(mesh, SURFACE_POINTS, seed=0)[0]
        return Answer(mesh, found.camera, points, inside_of(mesh), volume(mesh), seconds)

    return answer


def answered(
    method: Reconstructor, image: UInt8[np.ndarray, "h w 4"], camera: Camera | None, *, seed: int = 0
) -> Reconstruction:
    """What a method makes of a picture with its true mask.

    Args:
        camera: whose intrinsics the method is told, without its pose; None: nothing.

    Raises:
        InputError: the method cannot use the picture.
    """
    photo = Photo.open(image[..., :3].copy(), mask=image[..., 3].copy())
    known = None if camera is None else Camera(torch.eye(4)[None], camera.intrinsics, camera.width, camera.height)
    with torch.inference_mode():
        return method.reconstruct([View(photo, known)], generator=torch.Generator().manual_seed(seed))


def inside_of(mesh: Mesh) -> Callable[[np.ndarray], np.ndarray]:
    """Whether points are inside a closed mesh: of three rays, two or more meet it from within."""
    caster, normals = RayCaster(mesh), mesh.face_normals

    def contains(points: np.ndarray) -> np.ndarray:
        votes = np.zeros(len(points), int)
        for direction in _DIRECTIONS:
            hits = caster.cast(points, np.broadcast_to(direction, points.shape))
            votes += hits.hit & (normals[hits.face] @ direction > 0)
        return votes >= 2

    return contains
