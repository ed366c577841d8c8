"""Errors that tinycc shows to its users.

Every message is one line that says what is wrong, where (file, layer or flag) and what to do.
The command line prints it and leaves with exit code 2; anything else that escapes is a bug.
"""

_MOST_LETTERS = 1500


def printable(text: str) -> str:
    """`text` on one line; what a damaged file's names bring along of line breaks and the like is escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


class TinyccError(Exception):
    """Base of all errors that a user can cause and mend."""

    def __str__(self) -> str:
        """The message, on one line, which is cut off where a damaged file's names make it endless."""
        text = printable(super().__str__())
        return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."


class TinyccWarning(UserWarning):
    """Of a model that compiles, but not as it could: one line that says why and what to do."""


class ModelError(TinyccError):
    """The model file is missing, malformed or contradicts itself."""


class UnsupportedError(TinyccError):
    """The model is sound, but asks for something tinycc does not do."""


class BudgetError(TinyccError):
    """The model does not fit the SRAM or flash that was given."""


class OutputError(TinyccError):
    """The output folder cannot be written, or is not what a command expects."""


class ToolError(TinyccError):
    """A compiler or emulator is missing or failed."""


class InputDataError(TinyccError):
    """The arrays given to a compiled model do not fit its inputs."""


class TrainingError(TinyccError):
    """What is asked of training cannot be: a scheme of another network, a layer that cannot be trained."""
