#!/bin/bash
# Builds the wheel, installs it into a clean venv outside the checkout, compiles and runs models there, and lets
# TVM find its code generator.
set -euo pipefail
unset PYTHONPATH # the checkout in it would count as installed
cd "$(dirname "$0")/.."

checkout=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

.venv/bin/pip wheel -q --no-deps -w "$scratch" .
"${PYTHON:-python3}" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q -c constraints.txt "$scratch"/tinycc_mcu-*.whl
cd "$scratch"
for model in mobile_int8.tflite branches_int8_qdq.onnx; do
    venv/bin/tinycc compile "$checkout/tests/data/$model" -o "${model%.*}" >/dev/null
    venv/bin/tinycc run "${model%.*}" --json
done
venv/bin/pip install -q -c "$checkout/constraints.txt" 'tinycc-mcu[quantize]'
venv/bin/python - <<'PYTHON'
import numpy as np
import onnx
from onnx import helper, numpy_helper

weights = numpy_helper.from_array(np.eye(4, dtype=np.float32), "weights")
edges = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
node = helper.make_node("Gemm", ["x", "weights"], ["y"])
graph = helper.make_graph([node], "dense", edges[:1], edges[1:], [weights])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "float.onnx")
np.savez("data.npz", in0=np.random.default_rng(0).normal(size=(8, 4)))
PYTHON
venv/bin/tinycc quantize float.onnx --calib data.npz --analyze -o int8.onnx
venv/bin/python -W error - <<'PYTHON'
import sys

import tvm
from tvm import relax

tvm.get_global_func("relax.ext.tinycc")
if {"tinycc.compiler", "tinycc.passes"} & set(sys.modules):
    sys.exit("import tvm imports tinycc's compiler")
print(f"import tvm finds tinycc: {relax.get_pipeline('tinycc').info.name}")
PYTHON
cat >region.py <<'PYTHON'
import sys

import numpy as np
import onnx
import tinycc
import tvm
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx

module = tinycc.partition_for_tinycc(from_onnx(onnx.load(sys.argv[1])))
executable = relax.build(relax.transform.RunCodegen()(module), target="llvm")
image = tvm.runtime.tensor(np.zeros((1, 2, 9, 8), np.float32))
result = relax.VirtualMachine(executable, tvm.cpu())["main"](image)
print(f"a region runs in TVM's VM: {result.shape}")
PYTHON
venv/bin/python region.py "$checkout/tests/data/branches_int8_qdq.onnx"
venv/bin/python - "$checkout" <<'PYTHON'
import pathlib
import sys

import tinycc
import tinycc.passes
import tinycc.runtime_c

for module in (tinycc, tinycc.passes, tinycc.runtime_c):
    if pathlib.Path(module.__file__).is_relative_to(sys.argv[1]):
        sys.exit(f"{module.__name__} comes from the checkout")
kernels = list(pathlib.Path(tinycc.runtime_c.__file__).parent.rglob("*.h"))
if not kernels:
    sys.exit("the wheel has no kernels")
print(f"the wheel works outside the checkout: {len(kernels)} C headers")
PYTHON
