"""The published way from points to a pose, image by image and guess by guess through OpenCV's solvers."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...camera.pnp import LEAST_POINTS, PnpPoses
from .pose_parameters import DEPTH

FAR = 100.0
"""Focal length with which a perspective camera stands for an orthographic one."""


def solve_as_published(
    points: Float[Tensor, "b n 3"],
    pixels: Float[Tensor, "b n 2"],
    weights: Float[Tensor, "b n"],
    intrinsics: Float[Tensor, "b g 3 3"],
    *,
    orthographic: bool = False,
) -> PnpPoses:
    """Poses as `camera.pnp.solve_pnp` has them; every point with a weight is fully believed."""
    images, guesses = intrinsics.shape[:2]
    poses, matrices = torch.eye(4).double().repeat(images, guesses, 1, 1), intrinsics.double().clone()
    errors = torch.full((images, guesses), torch.inf, dtype=torch.float64)
    if orthographic:
        matrices[:, :, :2, :2] = matrices[:, :, :2, :2] / matrices[:, :, :1, :1]
    for image in range(images):
        used = (weights[image] > 0).cpu().numpy()
        if used.sum() < LEAST_POINTS:
            continue
        world, seen = points[image].double().cpu().numpy()[used], pixels[image].double().cpu().numpy()[used]
        for guess in range(guesses):
            matrix = matrices[image, guess].cpu().numpy().copy()
            if orthographic:
                matrix[:2, :2] *= FAR
            found = _solved(world, seen, matrix)
            if found is not None:
                poses[image, guess], errors[image, guess] = torch.from_numpy(found[0]), found[1]
    if orthographic:
        depth = poses[:, :, 2, 3]
        matrices[:, :, :2, :2] *= torch.where(depth > 0, FAR / depth, 1.0)[:, :, None, None]
        poses[:, :, 2, 3] = torch.where(depth > 0, DEPTH, depth)
    found_any = torch.isfinite(errors)
    return PnpPoses(poses, matrices, errors, found_any.double(), found_any)


def _solved(world: np.ndarray, seen: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, float] | None:
    """SQPnP, or EPnP where that has no solution before the camera; then OpenCV's iterative refinement."""
    import cv2

    for solver in (cv2.SOLVEPNP_SQPNP, cv2.SOLVEPNP_EPNP):
        try:
            _, rotations, translations, errors = cv2.solvePnPGeneric(world, seen, matrix, None, flags=solver)
        except cv2.error:
            continue
        before = [number for number, translation in enumerate(translations) if translation[2] > 0]
        if before:
            best = min(before, key=lambda number: float(errors[number][0]))
            found = rotations[best], translations[best], float(errors[best][0])
            break
    else:
        return None
    refined = cv2.solvePnPGeneric(
        world, seen, matrix, None, flags=cv2.SOLVEPNP_ITERATIVE, useExtrinsicGuess=True, rvec=found[0], tvec=found[1]
    )
    if refined[0] == 1 and refined[2][0][2] > 0:
        found = refined[1][0], refined[2][0], float(refined[3][0][0])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(found[0])[0], found[1].ravel()
    return pose, found[2]
