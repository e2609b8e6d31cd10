"""Files behind http(s) addresses, within a size and a time."""

from __future__ import annotations

import re
import urllib.error
import urllib.request

from ..errors import InputError
from .files import MAX_BYTES

MAX_SECONDS = 60.0
_URL = re.compile(r"^https?://", re.IGNORECASE)


def is_url(source: object) -> bool:
    """Whether this is an http(s) address."""
    return isinstance(source, str) and _URL.match(source) is not None


def download(url: str, timeout: float = MAX_SECONDS) -> bytes:
    """What an address holds.

    Raises:
        InputError: it cannot be fetched, or sends more than 256 MiB.
    """
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "monoform"})
        with urllib.request.urlopen(request, timeout=timeout) as response:
            data = response.read(MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise InputError(f"{url} cannot be fetched: the server says {error.code} {error.reason}.") from error
    except Exception as error:  # urllib passes on whatever its sockets, codecs and parsers raise
        reason = getattr(error, "reason", None) or error
        raise InputError(f"{url} cannot be fetched: {reason}. Check the address and the connection.") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{url} sends more than {MAX_BYTES / 1e6:.0f} MB: save a smaller copy and give its path.")
    return data
