"""Photos of one category with a camera each, in the layouts that Pavllo et al. (2023) train and measure on."""

from __future__ import annotations

from .kinds import CATEGORIES as CATEGORIES
from .kinds import Category as Category
from .open import open_category as open_category
from .photos import CategoryPhoto as CategoryPhoto
from .photos import CategoryPhotos as CategoryPhotos
