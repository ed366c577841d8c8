"""What a space has to be: each value is read with its name, so that an error says which is wrong, and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from tinycc.errors import TinyccError
from tinycc.search.architecture import Pair
from tinycc.search.space import Space, Stage

# What no network of a microcontroller has: sides of images and channels, sides of kernels, blocks of a stage,
# and by what channels are multiplied. With more a supernet has no room in memory.
_MOST, _MOST_KERNEL, _MOST_DEPTH, _MOST_FACTOR = 2048, 31, 32, 16

_T = TypeVar("_T")
# Of a value and its name; raises TinyccError.
_Reader = Callable[[Any, str], _T]


def read_space(content: Any, where: str) -> Space:
    """A space from a mapping of the fields of `Space`, stages as mappings of those of `Stage`.

    A pair may be one number, e.g. 3 for a kernel of (3, 3). where: what errors begin with.
    Raises TinyccError.
    """
    return Space(**_fields(Space, _SPACE, content, where, ""))


def check_choice(space: Space) -> None:
    """TinyccError where a space has one network, because all genes have one option."""
    if all(len(gene.options) == 1 for gene in space.genes):
        raise TinyccError(
            "the space has one network, so that there is nothing to search: give an input size, a width, "
            "a depth, a kernel or an expansion more than one option"
        )


def check_fits(space: Space, channels: int, outputs: int) -> None:
    """TinyccError for a space of images with other channels than the data, or of other classes."""
    for name, found, needed, what in (
        ("input_channels", space.input_channels, channels, "channels"),
        ("outputs", space.outputs, outputs, "classes"),
    ):
        if found != needed:
            raise TinyccError(f"{name} of the space is {found}, but the data have {needed} {what}")


def _stage(value: Any, where: str) -> Stage:
    return Stage(**_fields(Stage, _STAGE, value, where, "of a stage "))


def _fields(
    kind: type, readers: Mapping[str, _Reader[Any]], content: Any, where: str, of: str
) -> dict[str, Any]:
    """The arguments of a dataclass; those with a default may be left out."""
    if not isinstance(content, Mapping):
        raise TinyccError(f"{where} is {_shown(content)}: give the keys {', '.join(readers)}")
    unknown = [name for name in content if name not in readers]
    if unknown:
        raise TinyccError(f"{where}: {unknown[0]!r} is unknown: the keys {of}are {', '.join(readers)}")
    needed = [field.name for field in fields(kind) if field.default is MISSING]
    missing = [name for name in needed if name not in content]
    if missing:
        raise TinyccError(f"{where}: {missing[0]!r} is missing: give {', '.join(needed)}")
    return {name: readers[name](value, f"{where}: {name}") for name, value in content.items()}


def _whole(least: int, most: int = _MOST) -> _Reader[int]:
    def read(value: Any, where: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise TinyccError(f"{where} is {_shown(value)}: give a whole number, {least} to {most}")
        return value

    return read


def _odd(value: Any, where: str) -> int:
    side = _whole(1, _MOST_KERNEL)(value, where)
    if side % 2 == 0:
        raise TinyccError(f"{where} is {side}: sides of kernels are odd, so give {side - 1} or {side + 1}")
    return side


def _positive(value: Any, where: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value <= _MOST_FACTOR:
        raise TinyccError(f"{where} is {_shown(value)}: give a number above 0, {_MOST_FACTOR} at most")
    return float(value)


def _pair(of: _Reader[int]) -> _Reader[Pair]:
    """Vertical and horizontal, or one number for both."""

    def read(value: Any, where: str) -> Pair:
        if not _is_list(value):
            return of(value, where), of(value, where)
        if len(value) != 2:
            raise TinyccError(f"{where} is {_shown(value)}: give one number, or [vertical, horizontal]")
        return of(value[0], where), of(value[1], where)

    return read


def _options(of: _Reader[_T], least: int = 1) -> _Reader[tuple[_T, ...]]:
    """Those of a gene: none twice."""

    def read(value: Any, where: str) -> tuple[_T, ...]:
        items = _items(of, least)(value, where)
        twice = [item for index, item in enumerate(items) if item in items[:index]]
        if twice:
            raise TinyccError(f"{where} has {_shown(twice[0])} twice: give each once")
        return items

    return read


def _items(of: _Reader[_T], least: int) -> _Reader[tuple[_T, ...]]:
    def read(value: Any, where: str) -> tuple[_T, ...]:
        if not _is_list(value) or len(value) < least:
            raise TinyccError(f"{where} is {_shown(value)}: give a list of {least} or more")
        return tuple(of(item, f"{where}[{index}]") for index, item in enumerate(value))

    return read


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _shown(value: Any) -> str:
    """As a file has it, not too long."""
    text = "nothing" if value is None else repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) < 60 else f"{text[:60]}..."


_STAGE: dict[str, _Reader[Any]] = {
    "channels": _whole(1),
    "stride": _pair(_whole(1)),
    "depths": _options(_whole(1, _MOST_DEPTH)),
    "kernels": _options(_pair(_odd)),
    "expansions": _options(_positive, 0),
    "widths": _options(_positive),
}
_SPACE: dict[str, _Reader[Any]] = {
    "input_sizes": _options(_pair(_whole(1))),
    "input_channels": _whole(1),
    "stem_channels": _whole(1),
    "stem_kernel": _pair(_odd),
    "stem_stride": _pair(_whole(1)),
    "stages": _items(_stage, 1),
    "head_channels": _whole(0),
    "outputs": _whole(1),
    "width": _positive,
    "divisor": _whole(1),
}
