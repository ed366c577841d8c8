"""Filling in the templates of the files that are generated."""

from collections.abc import Mapping
from typing import Any

import jinja2

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("tinycc.codegen"),
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
)


def render(template: str, context: Mapping[str, Any]) -> str:
    """A file from `templates/<template>.j2`; an error where the context lacks something."""
    return _TEMPLATES.get_template(f"{template}.j2").render(context)
