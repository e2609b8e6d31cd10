"""The doors: whatever the user brings is opened here, and nowhere else, within limits of size and time."""

from __future__ import annotations

from .arrays import read_array as read_array
from .arrays import read_arrays as read_arrays
from .files import read_bytes as read_bytes
from .files import read_text as read_text
from .files import require_folder as require_folder
from .files import require_regular_file as require_regular_file
from .json_files import read_json as read_json
from .json_files import read_json_entries as read_json_entries
from .json_files import read_json_value as read_json_value
from .json_files import require_finite as require_finite
from .listing import is_clutter as is_clutter
from .listing import listed as listed
from .listing import listed_below as listed_below
from .names import name_of as name_of
from .names import safe_name as safe_name
from .pictures import Picture as Picture
from .pictures import open_picture as open_picture
from .pictures import picture_orientation as picture_orientation
from .pictures import picture_size as picture_size
from .pictures import read_pixels as read_pixels
