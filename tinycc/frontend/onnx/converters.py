"""ONNX operators as Relax expressions, where TVM's importer refuses or misreads them or makes much of them.

Shapes, padding and zero points are written out before (`explicit`).
"""

from tinycc.frontend.onnx import arithmetic, indexing, layers, movement, quantization, recurrent, resize
from tinycc.frontend.onnx.base import Convert

CONVERTERS: dict[str, Convert] = {
    **arithmetic.CONVERTERS,
    **indexing.CONVERTERS,
    **layers.CONVERTERS,
    **movement.CONVERTERS,
    **quantization.CONVERTERS,
    **recurrent.CONVERTERS,
    **resize.CONVERTERS,
}
