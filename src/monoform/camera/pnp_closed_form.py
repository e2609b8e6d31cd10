"""Poses from points and their places in the image without a start: the closed forms that `pnp` refines.

Perspective: the error that is quadratic in the rotation (Hesch and Roumeliotis 2011; Terzakis and Lourakis 2020),
whose least eigenvectors are the starts of a descent on the rotations. Orthographic: the affine camera of least squares
(Tomasi and Kanade 1992), made a scaled rotation.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from .least_squares import NormalEquations, State, levenberg_marquardt
from .lie import hat, so3_exp
from .rigid import rigid

STARTS = 3
"""Eigenvectors that a descent begins at, with either sign."""
STEPS = 12
_RIDGE = 1e-12  # share of the trace; points in a plane or rays of one direction leave a matrix singular


def perspective_pose(
    points: Float[Tensor, "h n 3"], plane: Float[Tensor, "h n 2"], weights: Float[Tensor, "h n"]
) -> Float[Tensor, "h 4 4"]:
    """camera_from_world that brings points onto their rays; weighted squared distances times the depths are least.

    Args:
        plane: where the rays meet the plane z = 1.
        weights: 0 leaves a point out.
    """
    center = _mean(points, weights)
    moved = points - center[:, None]
    form, translation = _quadratic_form(moved, plane, weights)
    vectors = torch.linalg.eigh(form).eigenvectors[:, :, :STARTS].mT
    starts = _nearest_rotation(torch.cat([vectors, -vectors], dim=1).unflatten(2, (3, 3)))
    count = starts.shape[1]
    rotations = _descend(starts.flatten(0, 1), form.repeat_interleave(count, dim=0)).unflatten(0, (-1, count))
    flat = rotations.flatten(2)
    shifts = torch.einsum("hae,hse->hsa", translation, flat)
    cost = torch.einsum("hsa,hab,hsb->hs", flat, form, flat)
    # The mirror image behind the camera has the same rays.
    best = torch.where(shifts[:, :, 2] > 0, cost, torch.inf).argmin(dim=1)
    rows = torch.arange(len(best), device=best.device)
    rotation, shift = rotations[rows, best], shifts[rows, best]
    return rigid(rotation, shift - (rotation @ center[:, :, None])[:, :, 0])


def orthographic_pose(
    points: Float[Tensor, "h n 3"], plane: Float[Tensor, "h n 2"], weights: Float[Tensor, "h n"], depth: float
) -> tuple[Float[Tensor, "h 4 4"], Float[Tensor, " h"]]:
    """camera_from_world with the world's origin at a depth, and the logarithm of the scale from world to plane."""
    center, middle = _mean(points, weights), _mean(plane, weights)
    moved, seen = points - center[:, None], plane - middle[:, None]
    second = torch.einsum("hn,hna,hnb->hab", weights, moved, moved)
    affine = torch.linalg.solve(_ridged(second), torch.einsum("hn,hna,hnb->hab", weights, moved, seen)).mT
    left, sizes, right = torch.linalg.svd(affine, full_matrices=False)
    rows = left @ right
    rotation = torch.cat([rows, torch.linalg.cross(rows[:, 0], rows[:, 1])[:, None]], dim=1)
    scale = sizes.mean(dim=1).clamp_min(1e-12)
    offset = middle / scale[:, None] - (rows @ center[:, :, None])[:, :, 0]
    shift = torch.cat([offset, torch.full_like(offset[:, :1], depth)], dim=1)
    return rigid(rotation, shift), scale.log()


def _quadratic_form(
    points: Float[Tensor, "h n 3"], plane: Float[Tensor, "h n 2"], weights: Float[Tensor, "h n"]
) -> tuple[Float[Tensor, "h 9 9"], Float[Tensor, "h 3 9"]]:
    """The error as a form of the rotation's rows, and the map from these to the best translation."""
    x, y = plane.unbind(-1)
    # (X - x Z)^2 + (Y - y Z)^2 of a point (X, Y, Z) before the camera, as a matrix of 1, x, y and x^2 + y^2.
    parts = torch.zeros(4, 3, 3).to(points)
    parts[0, 0, 0] = parts[0, 1, 1] = parts[3, 2, 2] = 1.0
    parts[1, 0, 2] = parts[1, 2, 0] = parts[2, 1, 2] = parts[2, 2, 1] = -1.0
    basis = torch.stack([torch.ones_like(x), x, y, x * x + y * y], dim=-1) * weights[..., None]
    homogeneous = torch.cat([torch.ones_like(points[..., :1]), points], dim=-1)
    moments = torch.einsum("hnk,hne->hke", basis, homogeneous)
    second = torch.einsum("hnk,hnd,hne->hkde", basis, points, points)
    total = torch.einsum("hk,kac->hac", moments[:, :, 0], parts)
    mixed = torch.einsum("hke,kac->hace", moments[:, :, 1:], parts).flatten(2)
    whole = torch.einsum("hkde,kac->hadce", second, parts).flatten(3).flatten(1, 2)
    translation = -torch.linalg.solve(_ridged(total), mixed)
    form = whole + mixed.mT @ translation
    form = (form + form.mT) / 2
    return form / form.diagonal(dim1=1, dim2=2).sum(1).clamp_min(1e-300)[:, None, None], translation


def _descend(rotations: Float[Tensor, "s 3 3"], form: Float[Tensor, "s 9 9"]) -> Float[Tensor, "s 3 3"]:
    """Rotations of locally least error."""
    generators = hat(torch.eye(3)).to(rotations)

    def equations(state: State) -> NormalEquations:
        flat = state["rotation"].flatten(1)
        jacobian = torch.einsum("kab,sbc->skac", generators, state["rotation"]).flatten(2)
        product = jacobian @ form
        cost = 0.5 * torch.einsum("sa,sab,sb->s", flat, form, flat)
        return NormalEquations(cost, product @ jacobian.mT, torch.einsum("ska,sa->sk", product, flat))

    def move(state: State, step: Tensor) -> State:
        return {"rotation": so3_exp(step) @ state["rotation"]}

    return levenberg_marquardt({"rotation": rotations}, equations, move, steps=STEPS).values["rotation"]


def _nearest_rotation(matrices: Float[Tensor, "*s 3 3"]) -> Float[Tensor, "*s 3 3"]:
    left, _, right = torch.linalg.svd(matrices)
    sign = torch.linalg.det(left @ right)
    left = torch.cat([left[..., :2], left[..., 2:] * sign[..., None, None]], dim=-1)
    return left @ right


def _mean(values: Float[Tensor, "h n c"], weights: Float[Tensor, "h n"]) -> Float[Tensor, "h c"]:
    return (values * weights[..., None]).sum(1) / weights.sum(1, keepdim=True).clamp_min(1e-300)


def _ridged(matrix: Float[Tensor, "h 3 3"]) -> Float[Tensor, "h 3 3"]:
    trace = matrix.diagonal(dim1=1, dim2=2).sum(1)
    return matrix + (_RIDGE * trace + 1e-30)[:, None, None] * torch.eye(3).to(matrix)
