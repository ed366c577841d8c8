"""Folders that appear whole or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tinycc.errors import OutputError


def check_free(path: Path) -> None:
    """OutputError if something stands where a folder is to be written."""
    try:
        is_free = not path.exists() or (path.is_dir() and not any(path.iterdir()))
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    if not is_free:
        raise OutputError(f"{path} exists and is not an empty folder: choose another output or remove it")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to write into, which is `path` at the end; nothing stays of it where an error comes between.

    The path must not exist, or be an empty folder. Raises OutputError.
    """
    check_free(path)
    missing = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        _remove_empty(missing)
        raise OutputError(f"cannot write {path}: {error.filename}: {error.strerror}") from error
    try:
        yield staging
        staging.chmod(0o755)
        staging.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if not path.exists():
            _remove_empty(missing)


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders, innermost first, as far as they are empty."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
