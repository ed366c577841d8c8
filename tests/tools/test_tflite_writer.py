"""TFLiteWriter writes files that LiteRT and the schema's readers agree on."""

import numpy as np
import tflite

from tests.tools.tflite_writer import TFLiteWriter, run_litert


def test_dense_layer_runs() -> None:
    net = TFLiteWriter()
    x = net.add_tensor("x", (1, 4), scale=0.5, zero_point=3)
    w = net.add_tensor("w", (2, 4), scale=[0.5, 0.25], data=np.array([[1, 2, 3, 4], [-2, 0, 2, 0]]))
    b = net.add_tensor("b", (2,), "int32", scale=[0.25, 0.125], data=np.array([4, -8]))
    y = net.add_tensor("y", (1, 2), scale=0.25, zero_point=-1)
    net.add_operator("FULLY_CONNECTED", [x, w, b], [y], "FullyConnectedOptions")
    blob = net.finish([x], [y])
    cases = np.array([[[3, 4, 5, 6]], [[3, 3, 3, 3]]], np.int8)
    assert run_litert(blob, [cases])[0].tolist() == [[[23, -3]], [[3, -5]]]


def test_constants_are_aligned_and_readable() -> None:
    net = TFLiteWriter()
    net.add_tensor("odd", (3,), data=np.array([7, -8, 9]))
    net.add_tensor("even", (5,), data=np.arange(100, 105))
    blob = net.finish([], [])
    assert blob.find(bytes(range(100, 105))) % 16 == 0
    graph = tflite.Model.GetRootAs(blob, 0).Subgraphs(0)
    assert [graph.Tensors(i).Name() for i in range(2)] == [b"odd", b"even"]
    assert graph.Tensors(0).Quantization() is None


def test_custom_operator_keeps_its_name() -> None:
    net = TFLiteWriter()
    x = net.add_tensor("x", (1, 4), scale=0.5)
    net.add_operator("CUSTOM", [x], [x], custom="Mine")
    code = tflite.Model.GetRootAs(net.finish([x], [x]), 0).OperatorCodes(0)
    assert code.BuiltinCode() == tflite.BuiltinOperator.CUSTOM and code.CustomCode() == b"Mine"
