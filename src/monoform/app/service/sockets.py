"""A socket to listen on, or one sentence."""

from __future__ import annotations

import socket

from ...errors import InputError


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket that nobody else listens on.

    Raises:
        InputError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(256)
    except OSError as error:
        made.close()
        raise InputError(f"Cannot listen on {host}, port {port}: {error.strerror or error}. Choose --port.") from error
    return made
