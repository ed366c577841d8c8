"""Long short-term memory with Helium."""

import numpy as np

from tinycc.ops import helium
from tinycc.ops.kernel_call import Value
from tinycc.ops.unidirectional_lstm.portable import PortableLSTM
from tinycc.ops.unidirectional_lstm.view import Products, UnidirectionalLSTM


class HeliumLSTM(PortableLSTM):
    """The four gates of a unit together."""

    name = helium.FEATURE
    needs = helium.FEATURE
    suffix = "_helium"

    def fits(self, view: UnidirectionalLSTM) -> bool:
        """Results that are less than the sums."""
        return bool((np.concatenate([products.shift for products in view.products.values()]) < 0).all())

    def products_data(self, products: Products) -> dict[str, Value]:
        """Rows of weights four by four."""
        return {
            "weights": helium.pack_rows(products.rows, helium.fours(len(products.rows))),
            "bias": products.folded_bias,
            "scale": np.concatenate([products.shift.astype(np.int32), products.multiplier]),
        }
