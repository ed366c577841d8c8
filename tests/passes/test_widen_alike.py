"""Entries of a program have the same weights wide, so that flash has them once."""

from typing import Any

import pytest
import tvm

import tinycc
from tests.passes.test_widen_weights import DSP, SIZES, network, widened
from tests.tools.cut_stages import CutStages
from tinycc.ops.stage import Grid
from tinycc.passes.pipeline import default_passes
from tinycc.passes.widen_alike import WidenAlike
from tinycc.passes.widen_weights import CODE_BYTES, WidenWeights


def compiled(*further: Any) -> tinycc.CompiledModel:
    return tinycc.compile(network(), passes=[*default_passes("float", features=DSP), *further])


@pytest.mark.parametrize("stages", [[], [CutStages(Grid())]], ids=["whole", "row by row"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_weights_are_wide_where_another_entry_has_them_wide(stages: list[Any], count: int) -> None:
    """However operators are run, and however many have wide weights."""
    flash_bytes = CODE_BYTES + compiled().report["weight_bytes"] + sum(sorted(SIZES)[:count])
    widen = WidenWeights(flash_bytes)
    other = tvm.transform.Sequential([*default_passes("float", features=DSP), widen])(network())
    expected = widened(compiled(widen))
    assert any(expected) == (count > 0)
    assert widened(compiled(*stages, WidenAlike(other))) == expected
