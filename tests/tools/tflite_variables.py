"""Resource variables in .tflite files that tests write.

net = TFLiteWriter()
initialize(net, {"memory": np.full((1, 4), -3, np.int8)})
old = read_variable(net, "memory", (1, 4), scale=0.1, zero_point=-3)
assign_variable(net, "memory", new)
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.tools.tflite_writer import TFLiteWriter


def handle(net: TFLiteWriter, name: str, container: str = "") -> int:
    """The tensor that VAR_HANDLE makes; without `container` the file names none."""
    result = net.add_tensor(f"handle_of_{name}", (), "resource")
    named = {"SharedName": name, **({"Container": container} if container else {})}
    net.add_operator("VAR_HANDLE", [], [result], "VarHandleOptions", **named)
    return result


def read_variable(
    net: TFLiteWriter, name: str, shape: Sequence[int], dtype: str = "int8", **quantization: Any
) -> int:
    """The tensor that READ_VARIABLE makes. quantization: as TFLiteWriter.add_tensor takes it."""
    result = net.add_tensor(f"old_{name}", shape, dtype, **quantization)
    net.add_operator("READ_VARIABLE", [handle(net, name)], [result], "ReadVariableOptions")
    return result


def assign_variable(net: TFLiteWriter, name: str, value: int) -> None:
    """ASSIGN_VARIABLE of a tensor."""
    net.add_operator("ASSIGN_VARIABLE", [handle(net, name), value], [], "AssignVariableOptions")


def initialize(net: TFLiteWriter, values: Mapping[str, NDArray[Any]], subgraph: int = 1) -> TFLiteWriter:
    """CALL_ONCE of a new subgraph, the number of which is `subgraph`, that assigns constants."""
    start = TFLiteWriter(net)
    for name, value in values.items():
        constant = start.add_tensor(f"first_{name}", value.shape, str(value.dtype), scale=0.1, data=value)
        assign_variable(start, name, constant)
    net.add_operator("CALL_ONCE", [], [], "CallOnceOptions", InitSubgraphIndex=subgraph)
    return start


def small(*values: int) -> NDArray[np.int8]:
    """int8 [1, elements]."""
    return np.array([values], np.int8)
