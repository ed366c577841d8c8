"""Building partitioned modules through TVM's own passes, and running them in its VM."""

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter


def built(module: tvm.IRModule) -> relax.VMExecutable:
    """A partitioned module after RunCodegen, through TVM's own passes before and after."""
    passes = [relax.transform.FoldConstant(), relax.transform.RunCodegen(), relax.transform.LegalizeOps()]
    return relax.build(tvm.transform.Sequential(passes)(module), target="llvm")


def run(executable: relax.VMExecutable, inputs: list[np.ndarray], entry: str = "main") -> list[np.ndarray]:
    """The results of one function for one set of inputs."""
    result = relax.VirtualMachine(executable, tvm.cpu())[entry](*map(tvm.runtime.tensor, inputs))
    return [item.numpy() for item in ([result] if isinstance(result, tvm.runtime.Tensor) else result)]


def regions_of(module: tvm.IRModule) -> list[str]:
    """The names of the functions that are tinycc's."""
    return [
        str(variable.name_hint)
        for variable, function in module.functions.items()
        if tvm_adapter.attribute(function, "Codegen") == "tinycc"
    ]
