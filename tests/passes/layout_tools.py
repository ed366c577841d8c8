"""Running modules on TVM's VM, to compare a pass's result with what it was given."""

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter

# Small modules run once: to optimise them would take longer than anything else of the test.
QUICK_LLVM = tvm.target.Target({"kind": "llvm", "opt-level": 0})


def run_on_vm(module: tvm.IRModule, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The results of `main` for one set of inputs."""
    machine = relax.VirtualMachine(tvm.compile(module, target=QUICK_LLVM), tvm.cpu())
    result = machine["main"](*[tvm.runtime.tensor(np.ascontiguousarray(value)) for value in inputs])
    tensors = [result] if isinstance(result, tvm.runtime.Tensor) else list(result)
    return [tensor.numpy() for tensor in tensors]


def random_inputs(module: tvm.IRModule, seed: int = 0) -> list[np.ndarray]:
    """Random values over the whole range of int8, or normally distributed floats, for `main`'s parameters."""
    generator = np.random.default_rng(seed)
    inputs = []
    for parameter in module["main"].params:
        shape, dtype = tvm_adapter.shape_of(parameter), tvm_adapter.dtype_of(parameter)
        if dtype == "float32":
            inputs.append(generator.normal(size=shape).astype(dtype))
        else:
            inputs.append(generator.integers(-128, 128, shape).astype(dtype))
    return inputs


def operators(module: tvm.IRModule) -> list[str]:
    """The operators of `main` in order, without their "relax." prefix."""
    names = [tvm_adapter.op_name(binding.value) for binding in tvm_adapter.bindings_of(module["main"])]
    return [name.removeprefix("relax.") for name in names if name]
