"""What messages of the ONNX frontend have in common."""

from pathlib import Path

from tinycc.errors import TinyccError


def first_line(error: BaseException) -> str:
    """The first line of an error's text that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__


def located(path: Path, error: TinyccError) -> TinyccError:
    """The error with the file in front, if its message does not begin with it."""
    message = str(error)
    return error if message.startswith(str(path)) else type(error)(f"{path}: {message}")
