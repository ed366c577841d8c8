"""A model file in its own runtime: onnxruntime or LiteRT."""

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinycc.quantization.calibration import Case
from tinycc.quantization.extra import library, refusing
from tinycc.quantization.onnx_layers import quantized_layers, quantized_pairs
from tinycc.quantization.tflite_edits import widen_int4_constants

THREADS = min(4, os.cpu_count() or 1)


class Runtime(ABC):
    """Runs cases, and shows what layers compute.

    A tensor is told by the name that it has in the float model; where it is quantized, as the real numbers
    that its integers stand for.
    """

    def tensors(self, case: Case) -> dict[str, np.ndarray]:
        """Inputs, outputs and the layers asked for, by name, as real numbers."""
        with refusing("the model's own runtime cannot compute it"):
            return self._compute(case)

    @abstractmethod
    def _compute(self, case: Case) -> dict[str, np.ndarray]:
        """What `tensors` gives."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """The names of the model's outputs, in its order."""

    def run(self, cases: Iterable[Case]) -> list[np.ndarray]:
        """For each output all cases, [cases, *shape], as real numbers."""
        rows = [[tensors[name] for name in self.outputs] for tensors in map(self.tensors, cases)]
        return [np.stack(column) for column in zip(*rows, strict=True)]


def open_runtime(content: bytes, kind: str, layers: Iterable[str] = (), *, exact: bool = False) -> Runtime:
    """The runtime of a model file of this format, "onnx" or "tflite". Raises UnsupportedError.

    layers: names of tensors that `tensors` shows beside inputs and outputs, as far as the model has them.
    exact: round as the format's specification says, which LiteRT's reference kernels do, at a tenth of the
        speed of its others.
    """
    names = frozenset(layers)
    with refusing("the model's own runtime refuses it"):
        return OnnxRuntime(content, names) if kind == "onnx" else LiteRt(content, names, exact)


def scales(content: bytes, kind: str) -> dict[str, tuple[float, int]]:
    """Scale and zero point of every quantized tensor that a model computes, by the tensor's name.

    Zero points are those of signed integers: 128 less for uint8.
    """
    return _onnx_scales(content) if kind == "onnx" else _tflite_scales(content)


class OnnxRuntime(Runtime):
    """onnxruntime without optimisations, so that every node is computed as it is written."""

    def __init__(self, content: bytes, layers: frozenset[str]) -> None:
        onnx, onnxruntime = library("onnx"), library("onnxruntime")
        model = onnx.load_model_from_string(content)
        self._outputs = tuple(value.name for value in model.graph.output)
        # What the integers of a tensor stand for, by the tensor's own name.
        self.named: dict[str, str] = {}
        self._show(model, layers - set(self._outputs))
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = THREADS
        options.log_severity_level = 4
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = [_onnx_input(model, value) for value in model.graph.input]
        self.shown = tuple(value.name for value in self.session.get_outputs())

    def _show(self, model: Any, layers: frozenset[str]) -> None:
        """Make outputs of the layers, of what they are once dequantized where they are quantized."""
        helper, kinds = library("onnx.helper"), library("onnx").TensorProto
        computed = {name for node in model.graph.node for name in node.output}
        for quantize, dequantize in quantized_pairs(model):
            if quantize.input[0] in layers:
                self.named[quantize.input[0]] = dequantize.output[0]
        shown = {self.named.get(name, name) for name in layers} & computed
        model.graph.output.extend(
            helper.make_tensor_value_info(name, kinds.FLOAT, None) for name in sorted(shown)
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the model's outputs, in its order."""
        return self._outputs

    def _compute(self, case: Case) -> dict[str, np.ndarray]:
        names = [tensor.name for tensor in self.inputs]
        real = dict(zip(names, case, strict=True))
        feeds = {tensor.name: tensor.quantize(real[tensor.name]) for tensor in self.inputs}
        computed = dict(zip(self.shown, self.session.run(None, feeds), strict=True))
        named = {name: computed[source] for name, source in self.named.items()}
        return {**real, **computed, **named}


class LiteRt(Runtime):
    """LiteRT, with its reference kernels or those of XNNPACK."""

    def __init__(self, content: bytes, layers: frozenset[str], exact: bool) -> None:
        module = library("ai_edge_litert.interpreter")
        kernels = module.OpResolverType
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that showing layers costs memory
            self.interpreter = module.Interpreter(
                model_content=widen_int4_constants(bytes(content)),
                num_threads=THREADS,
                experimental_op_resolver_type=kernels.BUILTIN_REF if exact else kernels.AUTO,
                experimental_preserve_all_tensors=bool(layers),
            )
        self.interpreter.allocate_tensors()
        self.inputs = self.interpreter.get_input_details()
        outputs = self.interpreter.get_output_details()
        self._outputs = tuple(str(detail["name"]) for detail in outputs)
        others = [detail for detail in self.interpreter.get_tensor_details() if detail["name"] in layers]
        self.shown = [*others, *outputs]

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the model's outputs, in its order."""
        return self._outputs

    def _compute(self, case: Case) -> dict[str, np.ndarray]:
        real = {}
        for detail, array in zip(self.inputs, case, strict=True):
            tensor = _Input(str(detail["name"]), np.dtype(detail["dtype"]), *detail["quantization"])
            self.interpreter.set_tensor(detail["index"], tensor.quantize(array))
            real[tensor.name] = array
        self.interpreter.reset_all_variables()
        self.interpreter.invoke()
        return {**real, **{str(detail["name"]): self._real(detail) for detail in self.shown}}

    def _real(self, detail: dict[str, Any]) -> np.ndarray:
        stored = self.interpreter.get_tensor(detail["index"])
        scale, zero_point = detail["quantization"]
        if stored.dtype.kind == "f" or not scale:
            return stored
        return ((stored.astype(np.float32) - zero_point) * np.float32(scale)).astype(np.float32)


@dataclass(frozen=True)
class _Input:
    """An input of the file; scale is 0 where it is not quantized."""

    name: str
    dtype: np.dtype[Any]
    scale: float
    zero_point: int

    def quantize(self, array: np.ndarray) -> np.ndarray:
        """Real numbers as the integers that the file reads; others as they are."""
        if not self.scale or array.dtype == self.dtype:
            return array
        limits = np.iinfo(self.dtype)
        steps = np.rint(array / np.float32(self.scale)) + self.zero_point
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)


def _onnx_scales(content: bytes) -> dict[str, tuple[float, int]]:
    model = library("onnx").load_model_from_string(content)
    return {layer.name: (layer.scale, layer.zero_point - layer.shift) for layer in quantized_layers(model)}


def _tflite_scales(content: bytes) -> dict[str, tuple[float, int]]:
    interpreter = LiteRt(content, frozenset(), exact=True).interpreter
    found = {}
    for detail in interpreter.get_tensor_details():
        scale, zero_point = detail["quantization"]
        if scale and detail["dtype"] in (np.int8, np.int16, np.uint8):
            shift = 128 if detail["dtype"] == np.uint8 else 0
            found[str(detail["name"])] = (float(scale), int(zero_point) - shift)
    return found


def _onnx_input(model: Any, value: Any) -> _Input:
    onnx = library("onnx")
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] == value.name:
            scale, zero_point = (onnx.numpy_helper.to_array(constants[name]) for name in node.input[1:3])
            return _Input(value.name, dtype, float(scale), int(zero_point))
    return _Input(value.name, dtype, 0.0, 0)
