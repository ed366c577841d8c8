"""uint8 tensors of a TFLite file become int8: values and zero points less 128, the real numbers the same.

What post-training quantization for uint8 edges makes: an int8 network between QUANTIZE from and to uint8.
"""

from dataclasses import replace

import numpy as np

from tinycc.frontend.tflite.file import FileTensor, TfliteFile

# Operators that do not compute with the integers: any others on uint8 are TFLite's legacy quantization.
ORDER_PRESERVING = frozenset({
    "ARG_MAX", "ASSIGN_VARIABLE", "CONCATENATION", "DEQUANTIZE", "EXPAND_DIMS", "MIRROR_PAD", "PACK", "PAD",
    "PADV2", "QUANTIZE", "READ_VARIABLE", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "SHAPE", "SLICE", "SPLIT",
    "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE", "UNPACK",
})  # fmt: skip


def make_signed(file: TfliteFile) -> TfliteFile:
    """The file without uint8 tensors; its operators on uint8 have to be of ORDER_PRESERVING."""
    return replace(file, tensors=tuple(map(_signed, file.tensors)))


def _signed(tensor: FileTensor) -> FileTensor:
    if tensor.dtype != "uint8":
        return tensor
    return replace(
        tensor,
        dtype="int8",
        value=_shifted(tensor.value),
        zero_points=tensor.zero_points - 128,
        initial=_shifted(tensor.initial),
    )


def _shifted(value: np.ndarray | None) -> np.ndarray | None:
    return None if value is None else (value.astype(np.int16) - 128).astype(np.int8)
