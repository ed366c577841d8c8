"""A layer on an emulated Cortex-M55, beside the reference of its view."""

from pathlib import Path

import numpy as np
import tvm

import tinycc
from tests.tools.kernel_runner import views_in
from tests.tools.layers import inputs_of
from tests.tools.view_reference import reference_of
from tinycc.run import run


def check_on_helium(module: tvm.IRModule, variant: str, folder: Path) -> None:
    """A module of one layer runs by the kernel of this name, and gives the reference's integers."""
    [view] = views_in(module, ("helium",))
    assert view.variant == variant
    inputs = inputs_of(view, 1)
    tinycc.compile(module, target="cortex-m55", io="float").export(folder)
    result = run(folder, "cortex-m55", [array[None] for array in inputs])
    assert result.warnings == ""
    expected = reference_of(view, inputs)
    np.testing.assert_array_equal(result.outputs[0].reshape(expected.shape), expected)
