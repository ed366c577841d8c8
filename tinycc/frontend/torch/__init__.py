"""The door for torch.export programs with quantize and dequantize operators, as PT2E makes them.

It is entered only for such a program, as it imports torch. A program is held to what is supported (`check`,
`operators`) and given to TVM's importer (`importer`, `converters`).
"""

from tinycc.frontend.torch.load import load_torch

__all__ = ["load_torch"]
