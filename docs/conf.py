"""Sphinx: MyST pages, furo, the public names by autodoc. Needs no network."""

from __future__ import annotations

import re

from monoform import __version__

project = "monoform"
author = "The monoform authors"
copyright = "The monoform authors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
default_role = "code"  # docstrings write names between single backticks

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"monoform {release}"
html_show_sphinx = False


def _plain_math(app, what, name, obj, options, lines: list[str]) -> None:  # type: ignore[no-untyped-def]
    """Docstrings are prose: bars, stars and trailing underscores are themselves, not markup."""
    for number, line in enumerate(lines):
        parts = re.split(r"(``?[^`]*``?)", line)
        parts[::2] = [re.sub(r"(\*+(?=\w)|(?<=\w)_(?!\w)|\|)", r"\\\1", part) for part in parts[::2]]
        lines[number] = "".join(parts)


def setup(app) -> None:  # type: ignore[no-untyped-def]
    """Escape what reStructuredText would misread, before napoleon turns sections into fields."""
    app.connect("autodoc-process-docstring", _plain_math, priority=100)
