"""Whatever is written is written here: whole or not at all, and only where nothing of the user's lies."""

from __future__ import annotations

from .atomic import atomic_file as atomic_file
from .atomic import atomic_folder as atomic_folder
from .atomic import atomic_stream as atomic_stream
from .atomic import explained_errors as explained_errors
from .atomic import made_parents as made_parents
from .atomic import remove_folder as remove_folder
from .atomic import replace_folder as replace_folder
from .atomic import save_picture as save_picture
from .atomic import write_error as write_error
from .claims import Claim as Claim
from .claims import claimed as claimed
from .kinds import Kind as Kind
from .names import distinct as distinct
from .names import require_name as require_name
from .places import MARK as MARK
from .places import is_marked as is_marked
from .places import names_in as names_in
from .places import require_free_file as require_free_file
from .places import require_ours as require_ours
from .places import require_replaceable as require_replaceable
from .remote_folder import remote_folder as remote_folder
from .remote_folder import written_file as written_file
from .temporaries import sweep as sweep
