"""Base colors of glTF materials: linear factors, textures, and where textures lie."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from ...errors import InputError
from ..light import dimmed
from .gltf_document import Document, needs, numbers, table, whole
from .textures import Textures
from .wrapping import Wrap, repeating

_GLOSSY = "KHR_materials_pbrSpecularGlossiness"
_TRANSFORM = "KHR_texture_transform"
_PICTURES = ("EXT_texture_webp", "EXT_texture_avif")
_WRAPS: dict[int, Wrap] = {10497: "repeat", 33071: "clamp", 33648: "mirror"}


@dataclass(frozen=True, eq=False)
class Placed:
    """A texture and how a primitive's coordinates (v downwards) lead into it.

    Attributes:
        image: its number.
        tex_coord: number of the coordinates.
        matrix: applied to (u, v, 1).
        wrap: along u and v.
    """

    image: int
    tex_coord: int
    matrix: Float[np.ndarray, "2 3"] | None
    wrap: tuple[Wrap, Wrap]


@dataclass(frozen=True, eq=False)
class Material:
    """What can be seen of a material.

    Attributes:
        factor: base color, linear.
        texture: that the factor multiplies; None for none.
    """

    factor: Float[np.ndarray, " 3"]
    texture: Placed | None


class Materials:
    """The materials of a document; pictures are opened when first asked for."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._textures = Textures()
        self._pictures: dict[int, np.ndarray] = {}
        self._dimmed: dict[tuple[int, tuple[float, ...]], np.ndarray] = {}

    def __getitem__(self, index: object) -> Material:
        material = self._document.item("materials", index)
        glossy = table(material.get("extensions", {})).get(_GLOSSY)
        if glossy is not None:
            shading, factor, texture = table(glossy), "diffuseFactor", "diffuseTexture"
        else:
            shading, factor, texture = (
                table(material.get("pbrMetallicRoughness", {})),
                "baseColorFactor",
                "baseColorTexture",
            )
        color = numbers(shading.get(factor, [1, 1, 1, 1]), 4, factor)[:3].clip(0, 1)
        return Material(color, self._placed(table(shading[texture])) if texture in shading else None)

    def pixels(self, image: int, factor: Float[np.ndarray, " 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """The colors of an image times a factor of linear light; the same array whenever both are the same."""
        key = (image, tuple(factor.tolist()))
        if key not in self._dimmed:
            picture = self._picture(image)
            if np.any(factor != 1.0):
                self._textures.count(picture.shape[1], picture.shape[0], f"number {image}")
            self._dimmed[key] = dimmed(picture, factor)
        return self._dimmed[key]

    def repeating(
        self, texture: UInt8[np.ndarray, "h w 3"], uv: Float[np.ndarray, "n 2"], wrap: tuple[Wrap, Wrap]
    ) -> tuple[UInt8[np.ndarray, "rows columns 3"], Float[np.ndarray, "n 2"]]:
        """An equal texture and coordinates for readers that repeat textures; see `wrapping.repeating`."""
        wider, placed = repeating(texture, uv, wrap)
        if wider is not texture:
            self._textures.count(wider.shape[1], wider.shape[0], "with its border")
        return wider, placed

    def _picture(self, image: int) -> np.ndarray:
        if image not in self._pictures:
            said = self._document.item("images", image)
            name = f"number {image}"
            if "uri" in said:
                data = self._document.resource(said["uri"], "texture")
                name = name if said["uri"][:5].lower() == "data:" else repr(said["uri"][:100])
            else:
                data = self._document.view(said.get("bufferView"))[0].tobytes()
            self._pictures[image] = self._textures.open(data, name)
        return self._pictures[image]

    def _placed(self, info: dict[str, Any]) -> Placed:
        texture = self._document.item("textures", info.get("index"))
        place = table(table(info.get("extensions", {})).get(_TRANSFORM, {}))
        tex_coord = whole(place.get("texCoord", info.get("texCoord", 0)), "texCoord")
        return Placed(self._image(texture), tex_coord, _matrix(place) if place else None, self._wrap(texture))

    def _image(self, texture: dict[str, Any]) -> int:
        extensions = table(texture.get("extensions", {}))
        for name in _PICTURES:
            if name in extensions and "source" not in texture:
                return whole(table(extensions[name]).get("source"), "the number of an image")
        if "source" in texture:
            return whole(texture["source"], "the number of an image")
        if extensions:
            raise needs(next(iter(extensions)))
        raise InputError("a texture of it has no image; export the mesh again.")

    def _wrap(self, texture: dict[str, Any]) -> tuple[Wrap, Wrap]:
        if "sampler" not in texture:
            return "repeat", "repeat"
        sampler = self._document.item("samplers", texture["sampler"])
        along_u, along_v = (_WRAPS.get(whole(sampler.get(name, 10497), name), "repeat") for name in ("wrapS", "wrapT"))
        return along_u, along_v


def _matrix(place: dict[str, Any]) -> Float[np.ndarray, "2 3"]:
    """KHR_texture_transform: translation times rotation times scale."""
    offset = numbers(place.get("offset", [0, 0]), 2, "a texture's offset")
    scale = numbers(place.get("scale", [1, 1]), 2, "a texture's scale")
    angle = float(numbers([place.get("rotation", 0)], 1, "a texture's rotation")[0])
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    return np.concatenate([turn * scale, offset[:, None]], axis=1)
