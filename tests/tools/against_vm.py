"""Compile a module in the normal form, and hold its results against TVM's VM."""

import numpy as np
import tvm

from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.kernel_runner import Features, compile_and_run, views_in


def kinds_in(module: tvm.IRModule) -> list[str]:
    """The kinds of the operators that a module becomes."""
    return [view.kind for view in views_in(module)]


def steps_from_vm(module: tvm.IRModule, seed: int = 0, features: Features = ()) -> list[int]:
    """By how many integer steps each result of the C differs from the VM's, at most, on random inputs."""
    inputs = random_inputs(module, seed)
    results = compile_and_run(module, inputs, features=features)
    return [
        int(np.abs(result.astype(np.int64).reshape(wanted.shape) - wanted).max())
        for result, wanted in zip(results, run_on_vm(module, inputs), strict=True)
    ]
