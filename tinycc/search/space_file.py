"""Spaces in YAML files, with the names that `Space` and `Stage` have for their fields."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from tinycc.errors import TinyccError
from tinycc.search.space import Space
from tinycc.search.space_checks import read_space


def load_space(path: Path) -> Space:
    """The space of a file. Raises TinyccError that says what is wrong, and what may stand there."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TinyccError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    except yaml.YAMLError as error:
        raise TinyccError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    return read_space(content, str(path))


def space_to_yaml(space: Space) -> str:
    """What `load_space` reads."""
    return yaml.safe_dump(_plain(asdict(space)), sort_keys=False, default_flow_style=None)


def _plain(value: Any) -> Any:
    """As people write it: pairs of equal numbers are one."""
    match value:
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case (int() as one, int() as other) if one == other:
            return one
        case tuple():
            return [_plain(item) for item in value]
    return value
