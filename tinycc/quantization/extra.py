"""Libraries of the extra `quantize`, imported when they are needed."""

from importlib import import_module
from typing import Any

from tinycc.errors import ToolError


def library(module: str) -> Any:
    """A module of the extra. Raises ToolError that says how to install it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ToolError(
            f"{module.split('.')[0]} is not installed: pip install 'tinycc-mcu[quantize]'"
        ) from error
