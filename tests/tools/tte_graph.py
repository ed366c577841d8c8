"""The training graph of operators that TinyEngine's authors published: run as it is, and as a network.

graph = TrainingGraph.load(corpus)
values, gradients = graph.run(image, label)     by the names of operators, and of parameters
graph.module()                                  the forward part in the normal form, for tinycc
"""

import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tvm
from torch.nn import functional
from tvm import relax

from tests.tools.kernel_runner import dequantized, quantized
from tinycc.edges import Edge, Edges, with_edges

Operator = dict[str, Any]
Tensors = dict[str, torch.Tensor]
_ARRAYS = {"_reconstruct", "scalar", "ndarray", "dtype"}


class _ArrayUnpickler(pickle.Unpickler):
    """Reads arrays, and calls nothing but what makes them."""

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] != "numpy" or name not in _ARRAYS:
            raise pickle.UnpicklingError(f"{module}.{name} is no array")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


@dataclass(frozen=True)
class TrainingGraph:
    """operators: in order. parameters: arrays by name. scales: of inputs and outputs of layers."""

    operators: list[Operator]
    parameters: dict[str, np.ndarray]
    scales: dict[str, float]

    @classmethod
    def load(cls, corpus: Path) -> "TrainingGraph":
        folder = corpus / "other"
        arrays = _ArrayUnpickler(io.BytesIO((folder / "te_full-int8-params.pkl").read_bytes())).load()
        graph, scales = (
            json.loads((folder / f"te_{name}.json").read_text()) for name in ("49kb-int8-graph", "scale")
        )
        return cls(graph, {name: np.asarray(array) for name, array in arrays.items()}, scales)

    def run(self, image: torch.Tensor, label: int) -> tuple[Tensors, Tensors]:
        """Every operator's result, and the gradients among them by parameter; all in float64.

        image: whole numbers [1, 3, height, width].
        """
        values: Tensors = {name: torch.tensor(array).double() for name, array in self.parameters.items()}
        values["input"] = image.double()
        gradients: Tensors = {}
        values["label"] = functional.one_hot(torch.tensor([label]), 10).double()
        for operator in self.operators:
            operands = [
                torch.tensor(item["meta"]["data"], dtype=torch.float64)
                if item["var_type"] == "constant"
                else values[item["name"]]
                for item in operator["inputs"]
            ]
            (output,) = operator["outputs"]
            value = _COMPUTE[operator["type"]](operator["attrs"], *operands).reshape(output["shape"])
            values[output["name"]] = value
            belongs_to = output["meta"].get("output_info", "")
            if belongs_to.endswith(("_weight", "_bias")):
                gradients[belongs_to] = value
        return values, gradients

    def forward(self) -> list[Operator]:
        """The layers and sums of the forward part, in order."""
        return [item for item in self.operators if item["type"] in ("nn.mcuconv2d", "nn.mcuadd", "mcumean")]

    def module(self) -> tvm.IRModule:
        """The forward part in the normal form, from an NHWC image to logits."""
        shape = self.operators[0]["inputs"][0]["shape"]
        image = relax.Var("image", relax.TensorType([shape[0], *shape[2:], shape[1]], "int8"))
        builder = relax.BlockBuilder()
        values: dict[str, relax.Var] = {"input": image}
        # Of tensors, by name, once something says it.
        quantization: dict[str, tuple[float, int]] = {}
        with builder.function("main", [image]):
            with builder.dataflow():
                for item in self.operators[: self.index("reshape")]:
                    (output,) = item["outputs"]
                    first = item["inputs"][0]["name"]
                    if item["type"] == "nn.mcutruncate":
                        values[output["name"]], quantization[output["name"]] = (
                            values[first],
                            quantization[first],
                        )
                        continue
                    real, quantization[output["name"]] = self._real(item, values, quantization)
                    values[output["name"]] = builder.emit(quantized(real, *quantization[output["name"]]))
                result = builder.emit_output(values[output["name"]])
            builder.emit_func_output(result)
        scale, zero_point = quantization[output["name"]]
        edges = Edges(
            (Edge("image", "int8", tuple(map(int, image.ty.shape)), self.scales["v0_x_scale"], 0),),
            (Edge("logits", "int8", tuple(map(int, result.ty.shape)), scale, zero_point),),
        )
        return tvm.IRModule({"main": with_edges(builder.get()["main"], edges)})

    def index(self, kind: str) -> int:
        """Of the first operator of a kind."""
        return next(index for index, item in enumerate(self.operators) if item["type"] == kind)

    def _real(
        self, item: Operator, values: dict[str, relax.Var], quantization: dict[str, tuple[float, int]]
    ) -> tuple[relax.Expr, tuple[float, int]]:
        """What an operator computes in real numbers, and how that is quantized."""
        names = [operand["name"] for operand in item["inputs"]]
        if item["type"] == "mcumean":
            (scale, zero_point) = quantization[names[0]]
            real = dequantized(values[names[0]], scale, zero_point)
            return relax.op.mean(real, [1, 2], keepdims=True), (scale, zero_point)
        numbers = {name: self.parameters[name] for name in names if name in self.parameters}
        if item["type"] == "nn.mcuadd":
            zeros_and_scales = [numbers[name].item() for name in names[2:]]
            zero_a, zero_b, scale_a, scale_b, zero_y, scale_y = zeros_and_scales
            terms = (
                dequantized(values[name], scale, int(zero))
                for name, scale, zero in zip(names, (scale_a, scale_b), (zero_a, zero_b), strict=False)
            )
            return relax.op.add(*terms), (scale_y, int(zero_y))
        layer = names[1].removesuffix("_weight")
        weights, bias, zero_x, zero_y, factors = (numbers[name] for name in names[1:])
        # The loss takes the logits' integers for real numbers.
        scale_x, scale_y = self.scales[f"{layer}_x_scale"], 1.0
        if layer != "v15":
            scale_y = self.scales[f"{layer}_y_scale"]
        weight_scales = (factors.astype(np.float64) * scale_y / scale_x).astype(np.float32)
        groups = item["attrs"]["groups"]
        product = relax.op.nn.conv2d(
            dequantized(values[names[0]], scale_x, int(zero_x.item())),
            dequantized(np.ascontiguousarray(weights.transpose(2, 3, 1, 0)), weight_scales),
            strides=item["attrs"]["strides"], padding=item["attrs"]["padding"], groups=groups,
            data_layout="NHWC", kernel_layout="HWIO",
        )  # fmt: skip
        bias_scales = (np.float32(scale_x) * weight_scales).astype(np.float32)
        real = relax.op.add(product, dequantized(bias.astype(np.int32), bias_scales))
        return real, (scale_y, int(zero_y.item()))


def _convolution(
    attrs: Operator, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, *rest: torch.Tensor
) -> Any:
    zero_x, zero_y, scale = rest
    sums = functional.conv2d(x - zero_x, w, b, attrs["strides"], attrs["padding"][:2], groups=attrs["groups"])
    return (sums * scale[:, None, None]).round() + zero_y


def _sum_of_two(attrs: Operator, a: torch.Tensor, b: torch.Tensor, *rest: torch.Tensor) -> Any:
    zero_a, zero_b, scale_a, scale_b, zero_y, scale_y = rest
    return (((a - zero_a) * scale_a + (b - zero_b) * scale_b) / scale_y).round() + zero_y


def _sum(attrs: Operator, x: torch.Tensor) -> torch.Tensor:
    axes = [axis % x.ndim for axis in attrs["axis"]]
    return x.sum([axis for axis in range(x.ndim) if (axis in axes) != bool(attrs["exclude"])])


def _transposed(attrs: Operator, g: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return functional.conv_transpose2d(
        g, w, None, attrs["strides"], attrs["padding"][:2], attrs["output_padding"], attrs["groups"]
    )


_COMPUTE: dict[str, Callable[..., torch.Tensor]] = {
    "nn.mcuconv2d": _convolution,
    "nn.mcutruncate": lambda attrs, x: x.clamp(attrs["min"], attrs["max"]),
    "nn.mcuadd": _sum_of_two,
    "mcumean": lambda attrs, x: x.mean(attrs["axis"]).round(),
    "nn.log_softmax": lambda attrs, x: x.log_softmax(-1),
    "nn.cross_entropy_with_logits": lambda attrs, x, y: -(x * y).sum() / len(x),
    "nn.conv2d": lambda attrs, x, w: functional.conv2d(
        x, w, None, attrs["strides"], attrs["padding"][:2], attrs["dilation"], attrs["groups"]
    ),
    "nn.conv2d_transpose": _transposed,
    "cast": lambda attrs, x: x,
    "reshape": lambda attrs, x: x,
    "zeros": lambda attrs: torch.zeros(attrs["shape"], dtype=torch.float64),
    "ones": lambda attrs: torch.ones(attrs["shape"], dtype=torch.float64),
    "sum": _sum,
    "tile": lambda attrs, x: x.repeat(attrs["reps"]),
    "transpose": lambda attrs, x: x.permute(attrs["axes"]),
    "strided_slice": lambda attrs, x: x[tuple(map(slice, attrs["begin"], attrs["end"]))],
    "greater_equal": lambda attrs, a, b: (a >= b).double(),
    "less_equal": lambda attrs, a, b: (a <= b).double(),
    "where": lambda attrs, condition, a, b: torch.where(condition != 0, a, b),
    "multiply": lambda attrs, a, b: a * b,
    "divide": lambda attrs, a, b: a / b,
    "subtract": lambda attrs, a, b: a - b,
    "negative": lambda attrs, x: -x,
    "exp": lambda attrs, x: x.exp(),
}
