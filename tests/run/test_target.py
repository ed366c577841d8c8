"""Names of targets, and sizes as users write them."""

import pytest

from tinycc.errors import UnsupportedError
from tinycc.target import TARGETS, parse_size, target_named


def test_targets_are_found_by_name() -> None:
    assert all(target_named(name).name == name for name in TARGETS)
    with pytest.raises(UnsupportedError, match=r"unknown target 'z80': choose one of host, .*rv32imc"):
        target_named("z80")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("65536", 65536), ("320K", 327680), ("1M", 1048576), ("16 KiB", 16384), ("2kb", 2048)],
)
def test_sizes(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "K", "-1", "1.5M", "0", "12Q", "1 2"])
def test_other_texts_are_not_sizes(text: str) -> None:
    with pytest.raises(UnsupportedError, match="is not a size"):
        parse_size(text)
