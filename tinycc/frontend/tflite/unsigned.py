"""uint8 tensors of a TFLite file become int8: values and zero points less 128, the real numbers the same.

What post-training quantization for uint8 edges makes: an int8 network between QUANTIZE from and to uint8.
"""

from dataclasses import replace

import numpy as np

from tinycc.frontend.tflite.file import FileTensor, TfliteFile

# Operators that do not compute with the integers: any others on uint8 are TFLite's legacy quantization.
ORDER_PRESERVING = frozenset({
    "ARG_MAX", "CONCATENATION", "DEQUANTIZE", "EXPAND_DIMS", "MIRROR_PAD", "PACK", "PAD", "PADV2", "QUANTIZE",
    "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "SHAPE", "SLICE", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE",
    "TRANSPOSE", "UNPACK",
})  # fmt: skip


def make_signed(file: TfliteFile) -> TfliteFile:
    """The file without uint8 tensors; its operators on uint8 have to be of ORDER_PRESERVING."""
    return replace(file, tensors=tuple(map(_signed, file.tensors)))


def _signed(tensor: FileTensor) -> FileTensor:
    if tensor.dtype != "uint8":
        return tensor
    value = tensor.value
    return replace(
        tensor,
        dtype="int8",
        value=None if value is None else (value.astype(np.int16) - 128).astype(np.int8),
        zero_points=tensor.zero_points - 128,
    )
