"""TFLite models of one operator, several times, each time with quantization of its own.

model = random_model("ADD", "int8", seed=3)
model.content    the file
model.inputs     an array for each of its inputs
"""

import numpy as np

from tests.tools.random_arithmetic import ARITHMETIC
from tests.tools.random_model import RandomModel
from tests.tools.random_movement import MOVEMENT

_DRAWS = {**ARITHMETIC, **MOVEMENT}
# Those with a kernel for int16; the others run as float fallbacks, if TFLM knows them at all.
INT16 = (
    "ADD", "AVERAGE_POOL_2D", "CAST", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEQUANTIZE",
    "EXPAND_DIMS", "FULLY_CONNECTED", "LEAKY_RELU", "MAXIMUM", "MAX_POOL_2D", "MINIMUM", "MUL", "PACK", "PAD",
    "QUANTIZE", "QUANTIZE of float32", "QUANTIZE to int16", "QUANTIZE to int32", "RELU", "RELU6", "RESHAPE",
    "RESIZE_NEAREST_NEIGHBOR", "SLICE", "SOFTMAX", "SPLIT", "SPLIT_V", "SQUARED_DIFFERENCE", "SQUEEZE",
    "STRIDED_SLICE", "SUB", "TRANSPOSE", "TRANSPOSE_CONV", "UNPACK",
)  # fmt: skip
DRAWS = [*((kind, "int8") for kind in _DRAWS), *((kind, "int16") for kind in INT16)]
_COUNT, _FEW = 8, 2
# How often an operator is drawn, where the last bit of its factors seldom shows.
_COUNTS = {"BATCH_MATMUL": 20, "FULLY_CONNECTED": 20, "HARD_SWISH": 64}


def random_model(kind: str, dtype: str, seed: int) -> RandomModel:
    """A model of one kind of operator; they know nothing of each other."""
    model = RandomModel(np.random.default_rng(seed), dtype)
    for _ in range(_COUNTS.get(kind, _FEW if kind in MOVEMENT else _COUNT)):
        _DRAWS[kind](model)
    return model
