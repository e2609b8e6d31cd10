"""Photo, view, reconstruction and the result folder."""

from __future__ import annotations

from .photo import Photo as Photo
from .reconstruction import Provenance as Provenance
from .reconstruction import Reconstruction as Reconstruction
from .reconstruction import View as View
from .reconstruction import versions as versions
from .result import SavedResult as SavedResult
from .result import load as load
from .silhouette import Silhouette as Silhouette
from .silhouette import read_silhouette as read_silhouette
