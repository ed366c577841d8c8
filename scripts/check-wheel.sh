#!/bin/bash
# Builds the wheel, installs it into a clean venv outside the checkout, and compiles and runs models there.
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
