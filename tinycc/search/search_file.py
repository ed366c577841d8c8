"""The JSON file that a search is kept in after each generation, and taken up again from."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinycc.errors import TinyccError
from tinycc.output_file import new_file
from tinycc.search.constraints import Constraints
from tinycc.search.space import Space

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class SearchFile:
    """Where a search is kept; nowhere without a path.

    setup: all that decides what a search finds, besides who says how accurate networks are.
    """

    def __init__(self, path: Path | None, setup: dict[str, Any]) -> None:
        self._path = path
        # As a file has it, lists in place of tuples.
        self._setup = json.loads(json.dumps(setup))

    def save(self, state: dict[str, Any]) -> None:
        """Replaces what was there. Raises OutputError."""
        if self._path is not None:
            with new_file(self._path) as place:
                place.write_text(json.dumps({"setup": self._setup} | state) + "\n", encoding="utf-8")

    def load(self, resume: Callable[[dict[str, Any]], None]) -> None:
        """Hands over the state that is there, if any.

        Raises TinyccError where it is of another search, or `resume` cannot make one of it.
        """
        if self._path is None or not self._path.exists():
            return
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if content["setup"] != self._setup:
                raise TinyccError(f"{self._path} is of another search: give another file, or remove it")
            resume(content)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TinyccError(
                f"{self._path} holds no search, so remove it: {type(error).__name__}: {error}"
            ) from error


def setup_of(
    kind: str, space: Space, constraints: Constraints, options: "DataclassInstance", seed: int
) -> dict[str, Any]:
    """The setup of a search. kind: of search."""
    parts = {"space": asdict(space), "constraints": asdict(constraints), "options": asdict(options)}
    return {"kind": kind, "seed": seed} | parts
