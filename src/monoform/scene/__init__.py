"""Photo, view, reconstruction and the result folder."""

from .photo import Photo as Photo
from .silhouette import Silhouette as Silhouette
from .silhouette import read_silhouette as read_silhouette
