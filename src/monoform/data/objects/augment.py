"""Other objects made of given ones: stretched, bent, painted anew, put together."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from ...errors import InputError
from ...mesh import Mesh
from ...mesh.solid.subdivide import subdivided
from ...mesh.texture import sample_texture, to_bytes
from ...renamed import renamed
from .palettes import random_texture
from .solids import joined


@renamed(paint="retexture")
@dataclass(frozen=True)
class AugmentOptions:
    """How a mesh is augmented: chances and strengths.

    Attributes:
        stretch: standard deviation of the logarithm of each axis' scale.
        deform: chance to be bent, twisted or tapered.
        bend: largest angle, in radians.
        twist: largest angle, in radians.
        taper: largest change of width along the axis, as a share.
        retexture: chance of another texture, half of them over the old colors.
        lay: chance to be laid on a side.
        edge: longest edge after subdivision, the finest detail of a new texture.
    """

    stretch: float = 0.2
    deform: float = 0.5
    bend: float = math.radians(50.0)
    twist: float = math.radians(60.0)
    taper: float = 0.4
    retexture: float = 0.7
    lay: float = 0.1
    edge: float = 0.03


def augmented(
    mesh: Mesh, *, generator: np.random.Generator, options: AugmentOptions | None = None, other: Mesh | None = None
) -> Mesh:
    """A random variation of a mesh, in the sphere of radius 0.5; with `other` the two are put together first.

    Raises:
        InputError: a mesh has no faces.
    """
    options = options or AugmentOptions()
    mesh = fitted(mesh)
    if other is not None:
        mesh = composed(mesh, fitted(other), generator=generator)
    mesh = fitted(_laid(_stretched(mesh, options, generator), options, generator))
    deform, retexture = generator.random() < options.deform, generator.random() < options.retexture
    if deform or retexture:
        mesh = subdivided(mesh, longest=options.edge if retexture else 3 * options.edge)
    if deform:
        mesh = fitted(deformed(mesh, options, generator=generator))
    return repainted(mesh, generator=generator) if retexture else mesh


def fitted(mesh: Mesh) -> Mesh:
    """The mesh with its box centred at the origin and its farthest vertex at distance 0.5.

    Raises:
        InputError: the mesh has no faces or no extent.
    """
    center = mesh.bounds.mean(axis=0)
    used = mesh.vertices[np.unique(mesh.faces)] if len(mesh.faces) else np.zeros((0, 3))
    radius = float(np.linalg.norm(used - center, axis=1).max(initial=0.0))
    if not radius > 0:
        raise InputError("The mesh has no extent; remove it from the list.")
    return replace(mesh, vertices=(mesh.vertices - center) * (0.5 / radius))


def composed(mesh: Mesh, other: Mesh, *, generator: np.random.Generator) -> Mesh:
    """Two meshes as one, with vertex colors: the other one smaller, on top of the first or on the ground next to it."""
    scale = generator.uniform(0.4, 0.9)
    turn = generator.uniform(0, 2 * math.pi)
    cosine, sine = math.cos(turn), math.sin(turn)
    spun = other.vertices @ np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]).T * scale
    low, high = mesh.bounds
    own_low, own_high = spun.min(axis=0), spun.max(axis=0)
    if generator.random() < 0.4:
        offset = np.array([0.0, high[1] - own_low[1] - 0.01, 0.0])
    else:
        side = generator.choice([-1, 1])
        shift = high[0] - own_low[0] if side > 0 else low[0] - own_high[0]
        offset = np.array([shift * generator.uniform(0.7, 1.05), low[1] - own_low[1], generator.uniform(-0.2, 0.2)])
    second = replace(other, vertices=spun + offset)
    return joined([with_vertex_colors(mesh), with_vertex_colors(second)])


def with_vertex_colors(mesh: Mesh, *, longest: float = 0.04) -> Mesh:
    """The mesh coloured at its vertices; a textured one is subdivided first so that the texture survives."""
    if mesh.texture is None or mesh.uv is None:
        return replace(mesh, uv=None, texture=None)
    mesh = subdivided(mesh, longest=longest)
    assert mesh.texture is not None and mesh.uv is not None
    return replace(mesh, uv=None, texture=None, vertex_colors=to_bytes(sample_texture(mesh.texture, mesh.uv)))


def repainted(mesh: Mesh, *, generator: np.random.Generator) -> Mesh:
    """The mesh in a random solid texture, or with its own colours patterned by one; detail is that of its vertices."""
    texture = random_texture(generator)(mesh.vertices).astype(np.float32)
    old = with_vertex_colors(mesh, longest=math.inf).vertex_colors
    if old is not None and generator.random() < 0.5:
        own = old.astype(np.float32) / 255
        share = generator.uniform(0.2, 0.8)
        texture = own * (1 - share) + share * texture if generator.random() < 0.5 else own * (0.4 + 0.8 * texture)
    return replace(mesh, uv=None, texture=None, vertex_colors=to_bytes(texture))


def deformed(mesh: Mesh, options: AugmentOptions, *, generator: np.random.Generator) -> Mesh:
    """The mesh bent, twisted or tapered along a random axis (Barr 1984)."""
    along, first, second = generator.permutation(3)
    x, y, z = mesh.vertices[:, along], mesh.vertices[:, first], mesh.vertices[:, second]
    kind = generator.integers(3)
    vertices = mesh.vertices.copy()
    if kind == 0:
        angle = generator.uniform(-options.bend, options.bend)
        vertices[:, along], vertices[:, first] = _bent(x, y, angle)
    elif kind == 1:
        turns = generator.uniform(-options.twist, options.twist) * x
        vertices[:, first] = np.cos(turns) * y - np.sin(turns) * z
        vertices[:, second] = np.sin(turns) * y + np.cos(turns) * z
    else:
        width = 1 + 2 * x * generator.uniform(-options.taper, options.taper)
        vertices[:, first], vertices[:, second] = width * y, width * z
    return replace(mesh, vertices=vertices)


def _bent(along: np.ndarray, across: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """The line of unit length `along` laid onto an arc of `angle`."""
    if abs(angle) < 1e-3:
        return along, across
    radius = 1.0 / angle
    turn = along * angle
    return np.sin(turn) * (radius - across), radius - np.cos(turn) * (radius - across)


def _stretched(mesh: Mesh, options: AugmentOptions, generator: np.random.Generator) -> Mesh:
    scale: Float[np.ndarray, " 3"] = np.exp(np.clip(options.stretch * generator.normal(size=3), -0.5, 0.5))
    if generator.random() < 0.5:
        scale[0] *= -1
    return mesh.transformed(np.diag([*scale, 1.0]))


def _laid(mesh: Mesh, options: AugmentOptions, generator: np.random.Generator) -> Mesh:
    if generator.random() >= options.lay:
        return mesh
    world_from_mesh = np.eye(4)
    turns = [[[0, -1, 0], [1, 0, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, -1], [0, 1, 0]]]
    world_from_mesh[:3, :3] = np.array(turns[generator.integers(2)])
    return mesh.transformed(world_from_mesh)
