"""Libraries of the extra `quantize`: imported when they are needed, and what they raise made one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from tinycc.errors import TinyccError, ToolError, UnsupportedError
from tinycc.frontend.onnx.file import first_line


def library(module: str) -> Any:
    """A module of the extra. Raises ToolError that says how to install it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ToolError(
            f"{module.split('.')[0]} is not installed: pip install 'tinycc-mcu[quantize]'"
        ) from error


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """UnsupportedError that begins with `what`, for whatever a library raises; each has errors of its own."""
    try:
        yield
    except TinyccError:
        raise
    except Exception as error:
        raise UnsupportedError(f"{what}: {first_line(error)}") from error
