"""Long short-term memory with the DSP extension."""

import numpy as np

from tinycc.ops import dsp
from tinycc.ops.dsp_layer import DspLayer
from tinycc.ops.dsp_linear import DENSE_BLOCK
from tinycc.ops.kernel_call import Value
from tinycc.ops.unidirectional_lstm.portable import PortableLSTM
from tinycc.ops.unidirectional_lstm.view import Products, UnidirectionalLSTM


class DspLSTM(PortableLSTM):
    """The four gates of a unit together."""

    name = dsp.FEATURE
    needs = dsp.FEATURE
    suffix = "_dsp"

    def fits(self, view: UnidirectionalLSTM) -> bool:
        """Sums of 24 bits that do not grow."""
        return all(_sums(products).fits for products in view.products.values())

    def products_data(self, products: Products) -> dict[str, Value]:
        """Sums of fours, which carry the exponent of their requantization, without multipliers."""
        matrix = np.ascontiguousarray(_sums(products).matrix(DENSE_BLOCK)[:, :-1])
        multiplier = dsp.stored_multiplier(products.multiplier.astype(np.int64)).astype(np.int32)
        return {"matrix": matrix, "multiplier": multiplier}


def _sums(products: Products) -> DspLayer:
    """The sums, each with the exponent of its requantization."""
    exponent = np.tile(-products.shift.astype(np.int64), len(products.weights))
    return DspLayer.of_sums(products.rows, products.folded_bias.reshape(-1), exponent)
