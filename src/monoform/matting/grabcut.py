"""The mask without a network: saliency against the borders, then GrabCut (Rother et al. 2004), then a guided filter."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from skimage.color import rgb2lab

from .guided import guided_filter
from .hints import DOT_BESIDE, OBJECT, Hints

SIDE = 320
BAND = 64  # rows that are looked at together for bars
GEODESIC_SIDE = 96
ITERATIONS = 6
PLAIN = 0.012
CRUMB = 0.005  # share of the largest part below which a part of a cut is dropped
PROBABLE, POSSIBLE = 0.5, 0.3  # mean probability of a part that is kept for it, and that of each of its pixels
CUT = 0.6  # weight of what was cut beside a probability: above a half, so that it decides
UNLIKE, LEAST = 2, 0.002  # steps of 255 from a picture's one color, and the share of pixels beyond that make an object
LAB_RANGE = np.array([100, 128, 128], np.float32)


def grabcut_mask(rgb: Float[np.ndarray, "h w 3"], *, hints: Hints | None = None) -> Float[np.ndarray, "h w"]:
    """Coverage of the object, 0..1; the object is taken to differ from what lies along the photo's borders.

    Bars of one colour around the picture are recognised and left out. Deterministic.

    Args:
        rgb: colours, 0..1.
        hints: where the object is, in pixels of `rgb`.
    """
    hints = hints or Hints()
    region = hints.region(content_box(rgb), rgb.shape)
    return mask_by_cut(rgb, region, lambda small: _saliency_labels(border_saliency(small)), hints)


def mask_by_cut(
    rgb: Float[np.ndarray, "h w 3"],
    box: tuple[int, int, int, int],
    labels: Callable[[Float[np.ndarray, "hs ws 3"]], UInt8[np.ndarray, "hs ws"]],
    hints: Hints,
    probability: Float[np.ndarray, "hb wb"] | None = None,
) -> Float[np.ndarray, "h w"]:
    """Coverage of the object, 0..1: GrabCut at a working size from first labels, then the photo's own edges.

    Args:
        rgb: colours, 0..1.
        box: left, top, right and bottom of the part that may hold the object.
        labels: gives GrabCut's first labels (cv2.GC_*) of that part, reduced to at most 320 pixels.
        hints: where the object is, in pixels of `rgb`; they stand above the labels.
        probability: of being the object, in the box; without points it says which parts of the cut are kept, and it
            softens what was cut, before that follows the edges.
    """
    x0, y0, x1, y1 = box
    content = rgb[y0:y1, x0:x1]
    scale = min(1.0, SIDE / max(content.shape[:2]))
    size = (max(8, round(content.shape[1] * scale)), max(8, round(content.shape[0] * scale)))
    small = cv2.resize(content, size, interpolation=cv2.INTER_AREA)
    seeds = hints.seeds(box, small.shape)
    inside = _cut(small, hints.labels(labels(small), small, box))
    parts = _object_parts(inside, seeds)
    if probability is not None and not ((seeds == OBJECT) | (seeds == DOT_BESIDE)).any():
        parts |= _probable_parts(inside, cv2.resize(probability, size, interpolation=cv2.INTER_AREA))
    coarse = parts & ~(_plain_background(small) & (seeds <= 0))
    mask = cv2.resize(coarse.astype(np.float32), (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    if probability is not None:
        mask = np.where(_near(mask), CUT * mask + (1 - CUT) * probability, mask)
    full = np.zeros(rgb.shape[:2], np.float32)
    full[y0:y1, x0:x1] = _sharpened(content, mask, scale)
    return full


def _near(mask: np.ndarray) -> np.ndarray:
    """Where a mask is or could grow to: parts that were dropped do not come back."""
    return cv2.dilate(mask, np.ones((7, 7), np.uint8)) > 0


def _sharpened(rgb: np.ndarray, mask: np.ndarray, scale: float) -> np.ndarray:
    """A mask found at `scale` times the photo's size, moved to the photo's edges."""
    radius = max(2, round(2 / scale))
    return np.clip((guided_filter(rgb, mask, radius=radius, epsilon=1e-4) - 0.5) * 3 + 0.5, 0, 1)


def content_box(rgb: Float[np.ndarray, "h w 3"]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the picture inside bars of one colour (letter box); the whole if there are none.

    A bar is a run of rows or columns of one colour that ends in an edge along most of its length: a plain
    background ends only where the object begins.
    """
    height, width = rgb.shape[:2]
    top = _bar(rgb)
    bottom = height - _bar(rgb[::-1])
    if bottom - top < 0.25 * height:
        return 0, 0, width, height
    columns = rgb[top:bottom].swapaxes(0, 1)
    left = _bar(columns)
    right = width - _bar(columns[::-1])
    if right - left < 0.25 * width:
        return 0, 0, width, height
    return left, top, right, bottom


def _bar(rows: np.ndarray) -> int:
    color = np.median(rows[0], axis=0)

    def off(part: np.ndarray) -> np.ndarray:
        return (np.abs(part - color).max(axis=2) > 0.06).mean(axis=1)

    if off(rows[:1])[0] > 0.02:
        return 0
    for start in range(0, len(rows), BAND):  # in bands: a bar ends soon, and most photos have none
        beyond = off(rows[start : start + BAND]) > 0.02
        if beyond.any():
            last = min(start + int(np.argmax(beyond)) + 3, len(rows) - 1)
            return last if off(rows[last : last + 1])[0] > 0.6 else 0
    return 0


def border_saliency(rgb: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """How unlike the borders each pixel is, 0..1: in colour, and in the colour steps on the way there."""
    lab = rgb2lab(rgb) / LAB_RANGE
    height, width = rgb.shape[:2]
    color = _color_distance(lab)
    geodesic = cv2.resize(_geodesic_distance(lab), (width, height), interpolation=cv2.INTER_LINEAR)
    rows, columns = np.mgrid[0:height, 0:width]
    off_center = ((columns + 0.5) / width - 0.5) ** 2 + ((rows + 0.5) / height - 0.5) ** 2
    saliency = (_normalized(color) + _normalized(geodesic)) * np.exp(-off_center / (2 * 0.33**2))
    return _normalized(cv2.GaussianBlur(saliency.astype(np.float32), (0, 0), 2))


def _normalized(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, (2, 98))
    return np.clip((values - low) / max(high - low, 1e-6), 0, 1)


def _border(shape: tuple[int, ...], share: float) -> np.ndarray:
    width = max(1, round(share * min(shape[:2])))
    border = np.ones(shape[:2], bool)
    border[width:-width, width:-width] = False
    return border


def _color_distance(lab: np.ndarray) -> np.ndarray:
    """Distance to the nearest of the colours that make up the borders, in their standard deviations."""
    samples = lab[_border(lab.shape, 0.05)].astype(np.float32)
    clusters = 5
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 1e-3)
    _, labels, centers = cv2.kmeans(samples, clusters, None, criteria, 2, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    distances = []
    for index in range(clusters):
        member = samples[labels.ravel() == index]
        if len(member) < 0.06 * len(samples):
            continue
        covariance = np.cov(member.T) + 4e-4 * np.eye(3)
        offset = lab.reshape(-1, 3) - centers[index]
        distances.append(np.sqrt(np.einsum("ni,ij,nj->n", offset, np.linalg.inv(covariance), offset)))
    return np.minimum(np.min(distances, axis=0).reshape(lab.shape[:2]), 12)


def _geodesic_distance(lab: np.ndarray) -> np.ndarray:
    """Least sum of colour steps on a path to the borders (geodesic saliency, Wei et al. 2012)."""
    scale = GEODESIC_SIDE / max(lab.shape[:2])
    size = (max(4, round(lab.shape[1] * scale)), max(4, round(lab.shape[0] * scale)))
    small = cv2.resize(lab, size, interpolation=cv2.INTER_AREA)
    index = np.arange(small.shape[0] * small.shape[1]).reshape(small.shape[:2])
    starts, ends, weights = [], [], []
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        step = np.linalg.norm(small[a] - small[b], axis=2)
        starts.append(index[a].ravel())
        ends.append(index[b].ravel())
        weights.append(np.maximum(step - 0.015, 0).ravel() + 1e-5)
    graph = coo_matrix((np.concatenate(weights), (np.concatenate(starts), np.concatenate(ends))), (index.size,) * 2)
    edge = index[_border(small.shape, 0.01)]
    distance = dijkstra(graph.tocsr(), directed=False, indices=edge, min_only=True)
    return distance.reshape(small.shape[:2]).astype(np.float32)


def _saliency_labels(saliency: np.ndarray) -> np.ndarray:
    """First labels: fixed where the saliency is very high, and at the very border where it is low."""
    threshold = cv2.threshold(np.round(saliency * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0] / 255
    labels = np.where(saliency > threshold, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[saliency > max(0.85, threshold + 0.25)] = cv2.GC_FGD
    labels[_border(labels.shape, 0.01) & (saliency < threshold)] = cv2.GC_BGD
    return labels


def _cut(rgb: np.ndarray, labels: np.ndarray) -> Bool[np.ndarray, "h w"]:
    """GrabCut's object; empty where the labels name only one side, or where the picture is of one color."""
    if not ((labels & 1) == 1).any() or not ((labels & 1) == 0).any():
        return np.zeros(labels.shape, bool)
    image = np.round(rgb * 255).astype(np.uint8)[..., ::-1].copy()
    if (np.abs(image - np.median(image, axis=(0, 1))).max(axis=2) > UNLIKE).mean() < LEAST:
        return np.zeros(labels.shape, bool)  # GrabCut takes a minute to find nothing
    labels = labels.copy()
    cv2.setRNGSeed(0)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image, labels, None, background, foreground, ITERATIONS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    return (labels & 1) == 1


def _plain_background(rgb: np.ndarray) -> Bool[np.ndarray, "h w"]:
    """Patches of exactly the colour that nearly all of the borders have: also between a chair's legs."""
    lab = rgb2lab(rgb) / LAB_RANGE
    samples = lab[_border(lab.shape, 0.03)]
    color = np.median(samples, axis=0)
    if (np.abs(samples - color).max(axis=1) < PLAIN).mean() < 0.9:
        return np.zeros(lab.shape[:2], bool)
    plain = np.abs(lab - color).max(axis=2) < PLAIN
    return ndimage.binary_propagation(ndimage.binary_opening(plain), mask=plain)


def _object_parts(inside: np.ndarray, seeds: np.ndarray) -> Bool[np.ndarray, "h w"]:
    """The largest part, and others of at least a fifth of its size; thin bridges to the background are cut.

    With seeds of the object the parts that hold one, thin ones too; holes that hold a seed of what is not the object
    stay open, and a part all around such a dot goes where another one is left.
    """
    opened = ndimage.binary_opening(inside, iterations=1)
    labels, count = ndimage.label(opened)
    named = seeds > 0
    if named.any():
        kept = named | (opened & ndimage.binary_propagation(named & inside, mask=inside))
    elif count == 0:
        return inside
    else:
        sizes = _without_refused(np.bincount(labels.ravel())[1:], labels, seeds == DOT_BESIDE)
        kept = np.isin(labels, np.flatnonzero(sizes >= 0.2 * sizes.max()) + 1)
    kept = ndimage.binary_propagation(kept, mask=inside & ndimage.binary_dilation(kept, iterations=4))
    holes, hole_count = ndimage.label(~kept)
    hole_sizes = np.bincount(holes.ravel(), minlength=hole_count + 1)
    hole_sizes[np.unique(holes[seeds < 0])] = inside.size
    return kept | ((holes > 0) & (hole_sizes[holes] < 0.004 * kept.sum()))


def _probable_parts(inside: np.ndarray, probability: np.ndarray) -> Bool[np.ndarray, "h w"]:
    """Parts of a cut, thin and loose ones too, that are probable as a whole: a grip in openwork, rails, feet."""
    labels, count = ndimage.label(inside)
    if not count:
        return inside
    sizes = np.bincount(labels.ravel())[1:]
    probable = ndimage.mean(probability, labels, np.arange(1, count + 1)) > PROBABLE
    kept = np.flatnonzero(probable & (sizes >= CRUMB * sizes.max())) + 1
    return np.isin(labels, kept) & (probability > POSSIBLE)


def _without_refused(sizes: np.ndarray, labels: np.ndarray, dots: np.ndarray) -> np.ndarray:
    """Sizes of the labelled parts, 0 for those that surround a dot, unless little else is there."""
    if not dots.any():
        return sizes
    spots, count = ndimage.label(dots)
    left = sizes.copy()
    for spot in range(1, count + 1):
        inner = spots == spot
        ring = labels[ndimage.binary_dilation(inner, iterations=3) & ~ndimage.binary_dilation(inner, iterations=2)]
        part = int(np.bincount(ring).argmax()) if len(ring) else 0
        if part and (ring == part).mean() > 0.7:
            left[part - 1] = 0
    return left if left.max() >= 0.2 * sizes.max() else sizes
