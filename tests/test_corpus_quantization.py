"""A published float network, quantized with 50 photographs: the C decides as the float model does."""

from pathlib import Path

import numpy as np

import tinycc
from tests.tools.corpus import load_arrays
from tinycc.quantization.runtime import open_runtime
from tinycc.quantization.signal import agreement, top_one

CASES = 200


def test_resnet8_sees_the_same_in_int8(corpus: Path) -> None:
    path = corpus / "tflite" / "float" / "mlperf_ic_resnet8_float.tflite"
    images = load_arrays(corpus / "data" / "cifar10_jpeg_subset.npz")
    pixels, labels = images["x_test"][:CASES], images["y_test"][:CASES]
    compiled = tinycc.compile(path, calibration=images["x_train"][::200])
    assert compiled.report["inputs"][0]["dtype"] == "uint8" and not compiled.report["fallbacks"]
    [scores] = compiled.run([pixels])
    floats = [(image[np.newaxis].astype(np.float32),) for image in pixels]
    [expected] = open_runtime(path.read_bytes(), "tflite").run(floats)
    assert agreement(expected, scores) > 0.9
    right = [(top_one(found) == labels).mean() for found in (expected, scores)]
    assert right[1] > right[0] - 0.03  # two standard errors of the share that changes
