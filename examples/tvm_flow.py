"""tinycc in TVM flows of one's own: an imported module, passes one by one, C; and regions in relax.build.

python examples/tvm_flow.py models/spoken_digits/spoken_digits.onnx build/flow
"""

import sys

import numpy as np
import onnx
import tvm
from tvm import relax
from tvm.ir.instrument import PassTimingInstrument
from tvm.relax.frontend.onnx import from_onnx

import tinycc
from tinycc.passes import default_passes


@tvm.transform.module_pass(opt_level=0, name="CountCalls")
class CountCalls:
    """A pass of the user's own: says how many functions the module has, changes nothing."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Print and return."""
        print(f"  {len(module.functions)} functions")
        return module


def compile_to_c(module: tvm.IRModule, output: str) -> None:
    """Tinycc's passes and one's own, in a PassContext of one's own."""
    passes = default_passes(io="int8")
    print("tinycc's passes:")
    for transform in passes:
        print(f"  {transform.info.name}")
    times = PassTimingInstrument()
    with tvm.transform.PassContext(instruments=[times], disabled_pass=["WidenWeights"]):
        compiled = tinycc.compile(module, passes=[*passes, CountCalls()])
        print(times.render().partition("\n")[0])
    compiled.export(output)
    print(f"{output}: an arena of {compiled.report['arena_bytes']:,} bytes")


def lower_in_tvm(module: tvm.IRModule) -> tvm.IRModule:
    """The whole pipeline by its name, as any of TVM's."""
    return relax.get_pipeline("tinycc", target="cortex-m7", sram="64K")(module)


def run_in_tvm(module: tvm.IRModule, output: str) -> None:
    """What tinycc has kernels for runs on them, in an executable of TVM's; the rest is TVM's."""
    regions = relax.transform.RunCodegen()(tinycc.partition_for_tinycc(module))
    executable = relax.build(regions, target="llvm")
    executable.export_library(f"{output}/model.so")
    machine = relax.VirtualMachine(tvm.runtime.load_module(f"{output}/model.so"), tvm.cpu())
    kind = regions["main"].params[0].ty
    shape = [int(extent) for extent in kind.shape.values]
    case = tvm.runtime.tensor(np.random.default_rng(0).normal(size=shape).astype(str(kind.dtype)))
    found = machine["main"](case).numpy()
    print(f"{output}/model.so:", found)
    # TVM computes in float between dequantize and quantize and rounds once, tinycc has TFLite's integers.
    by_tvm = relax.VirtualMachine(relax.build(module, target="llvm"), tvm.cpu())["main"](case).numpy()
    print("by TVM's own code:", by_tvm, "largest difference:", np.abs(found - by_tvm).max())


def main(model: str, output: str) -> None:
    """Import with TVM, compile in three ways."""
    module = from_onnx(onnx.load(model))
    compile_to_c(module, output)
    print(f"{len(lower_in_tvm(module).functions)} functions after the pipeline")
    run_in_tvm(module, output)


if __name__ == "__main__":
    main(*sys.argv[1:])
