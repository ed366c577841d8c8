"""Pictures, written whole or not at all."""

from pathlib import Path

from matplotlib.figure import Figure

from tinycc.errors import OutputError
from tinycc.output_file import new_file


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a picture of the kind that the ending says. Raises OutputError, of the ending as well."""
    try:
        with new_file(path) as place:
            figure.savefig(place)
    except ValueError as error:
        raise OutputError(f"cannot draw {path}: {error}") from error
