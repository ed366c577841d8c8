"""Results in a JSON file to which several processes may add, each as soon as it knows something."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinycc.output_file import new_file


class KeptResults:
    """What is known under one setting; results under another one are thrown away."""

    def __init__(self, path: Path, setting: dict[str, Any]) -> None:
        """setting: all that results depend on."""
        self._path = path
        self._setting = json.loads(json.dumps(setting))
        with self._locked():
            if self._read().get("setting") != self._setting:
                self._write({"setting": self._setting})

    def part(self, *keys: str) -> Any:
        """What lies there; an empty dictionary where nothing does."""
        content: Any = self._read()
        for key in keys:
            content = content.get(key, {})
        return content

    def add(self, value: Any, *keys: str) -> None:
        """Put it there, beside what others have added."""
        with self._locked():
            content = self._read()
            place = content
            for key in keys[:-1]:
                place = place.setdefault(key, {})
            place[keys[-1]] = value
            self._write(content)

    def _read(self) -> dict[str, Any]:
        return json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}

    def _write(self, content: dict[str, Any]) -> None:
        with new_file(self._path) as place:
            place.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # By the folder: a file that is replaced cannot be locked.
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
