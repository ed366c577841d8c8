"""The door for ONNX files, QDQ and QOperator, int8 or uint8.

A file is read (`file`), held to what is supported (`operators`, `attributes`), rewritten until everything is
explicit (`explicit`, `qoperators`, `constants`), and given to TVM's importer (`importer`, `converters`).
"""

from tinycc.frontend.onnx.load import load_onnx

__all__ = ["load_onnx"]
