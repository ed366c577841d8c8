"""tinycc's passes in a TVM flow of one's own: import, passes one by one, plan, C.

python examples/tvm_flow.py models/spoken_digits/spoken_digits.onnx build/flow
"""

import sys
from pathlib import Path

import tvm

import tinycc
from tinycc.frontend.load import load_model
from tinycc.passes.pipeline import default_passes


@tvm.transform.module_pass(opt_level=0, name="CountCalls")
class CountCalls:
    """A pass of the user's own: says how many functions the module has, changes nothing."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Print and return."""
        print(f"  {len(module.functions)} functions")
        return module


def main(model: str, output: str) -> None:
    """Show the pipeline, put a pass of one's own into it, compile with it."""
    passes = default_passes(io="int8")
    print("tinycc's passes:")
    for transform in passes:
        print(f"  {transform.info.name}")

    module = load_model(Path(model))
    print("Any prefix of them gives a module that TVM's VM can run:")
    print(tvm.transform.Sequential(passes[:3])(module)["main"].script()[:300], "...")

    compiled = tinycc.compile(module, passes=[*passes, CountCalls()])
    compiled.export(output)
    print(f"{output}: an arena of {compiled.report['arena_bytes']:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
