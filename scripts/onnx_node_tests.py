"""Run ONNX's own node tests on the generated C, and write the table of docs/onnx.md.

.venv/bin/python scripts/onnx_node_tests.py            the tests that the corpus names
.venv/bin/python scripts/onnx_node_tests.py --only reduce --names FILE
"""

import argparse
import json
import os
import re
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx.backend.test.loader import load_model_tests

from tinycc import onnx_backend
from tinycc.errors import TinyccError

NAMES = Path(os.environ.get("TINYCC_CORPUS", "/work/shared/corpus")) / "ONNX_NODE_TESTS.md"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--only", default="")
    p.add_argument("--names", type=Path, default=NAMES)
    p.add_argument("--out", default="/tmp/onx_results.json")
    p.add_argument("--retry", action="store_true")
    p.add_argument("-v", action="store_true")
    a = p.parse_args()
    names = (
        [n for n in re.findall(r"test_\w+", a.names.read_text()) if n != "test_data_set_0"]
        if a.names.is_file()
        else a.names.name.split(",")
    )
    old = json.load(open(a.out)) if os.path.exists(a.out) else {}
    if a.only:
        names = [n for n in names if re.search(a.only, n)]
    if a.retry:
        names = [n for n in names if not old.get(n, "").startswith("pass")]
    cases = {c.name: c for c in load_model_tests(kind="node")}
    warnings.simplefilter("ignore")
    count = 0
    for n in names:
        c = cases[n]
        ins, outs = (
            [onnx.numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for v in side]
            for side in c.data_sets[0]
        )
        t = time.time()
        try:
            rep = onnx_backend.prepare(c.model)
            got = rep.run(ins)
            for g, w in zip(got, outs, strict=True):
                assert g.shape == w.shape, (g.shape, w.shape)
                assert g.dtype == w.dtype, (g.dtype, w.dtype)
                np.testing.assert_allclose(g, w, rtol=c.rtol, atol=c.atol)
            r = "pass " + ",".join(
                s.operator.kind
                + (":" + "+".join(s.operator.operators) if s.operator.kind == "fallback" else "")
                for s in rep.compiled.plan.steps
            )
        except TinyccError as e:
            r = "refused: " + str(e).replace("\n", " | ")
            if len(e.args) and "\n" in str(e):
                r = "MULTILINE " + r
        except AssertionError as e:
            r = "WRONG: " + " ".join(str(e).split())[:300]
        except Exception as e:
            r = f"CRASH {type(e).__name__}: " + " ".join(str(e).split())[:300]
            if a.v:
                traceback.print_exc()
        old[n] = r
        if not r.startswith("pass") or a.v:
            print(n, r[:330], f"{time.time() - t:.1f}s", flush=True)
        count += r.startswith("pass")
    json.dump(old, open(a.out, "w"), indent=0)
    print(count, "of", len(names))


main()
