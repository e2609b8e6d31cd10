"""Photo, view, reconstruction and the result folder."""

from __future__ import annotations

from .photo import Photo as Photo
from .photo import PictureSource as PictureSource
from .reconstructed import Provenance as Provenance
from .reconstructed import ReconstructedObject as ReconstructedObject
from .reconstructed import View as View
from .reconstructed import versions as versions
from .reconstruction import Reconstruction as Reconstruction
from .result import load as load
from .result_files import SavedResult as SavedResult
from .silhouette import Silhouette as Silhouette
from .silhouette import read_silhouette as read_silhouette
