"""Tables with Helium, which gathers bytes."""

import numpy as np

from tinycc.ops import helium
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.lookup.portable import PortableLookup, lookup_call
from tinycc.ops.lookup.view import Lookup


class HeliumLookup(PortableLookup):
    """Sixteen elements at a time."""

    name = helium.FEATURE
    needs = helium.FEATURE

    def call(self, view: Lookup) -> FlatCall:
        """A gather takes elements as unsigned numbers."""
        table = view.written_table
        is_signed = view.inputs[0].dtype == "int8"
        return lookup_call(view, "lookup_helium", np.roll(table, 128) if is_signed else table)
