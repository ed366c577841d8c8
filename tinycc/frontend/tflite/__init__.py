"""The door for TFLite files: int8 or 16x8, with what TFLite's and TFLM's kernels compute to the bit.

A file is parsed (`file`), held to what is supported (`check`, `options`), and each of its operators converted
(`converter` and the modules that it lists).
"""

from tinycc.frontend.tflite.load import load_tflite

__all__ = ["load_tflite"]
