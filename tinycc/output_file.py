"""Files that appear whole or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinycc.errors import OutputError


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A place to write a file to, which is `path` at the end; what stood there is replaced then.

    A device or a pipe is written to as it is. Raises OutputError.
    """
    place = path.resolve()
    try:
        if place.exists() and not place.is_file():
            yield place
            return
        with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as staging:
            finished = Path(staging) / place.name
            yield finished
            finished.replace(place)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
