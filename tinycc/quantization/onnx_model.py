"""Float ONNX models, quantized by onnxruntime: QDQ, weights int8 by channel, activations int8 or int16."""

import copy
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, version_converter

from tinycc.errors import ModelError, UnsupportedError
from tinycc.frontend.onnx.description import describe_onnx
from tinycc.frontend.onnx.file import read_onnx
from tinycc.quantization.calibration import Case
from tinycc.quantization.equalization import FACTORS, channel_factors, dump_factors
from tinycc.quantization.extra import library, refusing
from tinycc.quantization.float_model import Choice, FloatModel, Progress
from tinycc.quantization.masks import may_be_mask, write_out_masks
from tinycc.quantization.normalization import write_out_normalizations
from tinycc.quantization.onnx_pairs import conv_pairs, scale_pairs
from tinycc.quantization.raw_input import RawInput

# The first opset with scales by channel, and the first with integers of 16 and of 4 bits.
CHANNEL_OPSET = 13
WIDTHS_OPSET = 21
# Cases whose activations onnxruntime's histograms have in memory at a time.
CASES_AT_ONCE = 16
PERCENTILE = 99.99
# Operators whose third input is a bias.
WITH_BIAS, BIAS = ("Conv", "ConvTranspose", "Gemm"), 2
# Operators with weights as their second input, and the axis of their output channels.
CHANNEL_AXES = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}
# The ends of a range, which the quantizer makes the range of the layer before.
ACTIVATIONS = {"Relu", "Clip"}
# They compute nothing, so that there is nothing to lose.
MOVING = {"Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}


class OnnxModel(FloatModel):
    """A float ONNX file, normalisations folded into the weights."""

    kind = "onnx"
    methods = ("min-max", "moving-average", "percentile", "entropy")

    def __init__(self, path: Path) -> None:
        """Read and prepare a file. Raises ModelError, UnsupportedError, ToolError."""
        self.path = path
        self.library = library("onnxruntime.quantization")
        model, _ = read_onnx(path)
        _refuse_quantized(path, model)
        _refuse_weights(path, model, lambda name: may_be_mask(model, name))
        self.inputs = describe_onnx(path).inputs
        self.model = self._prepared(model)
        self.masks = write_out_masks(self.model)
        _refuse_weights(path, self.model)
        self.content = self.model.SerializeToString()
        operators = set(library("onnxruntime.quantization.registry").QDQRegistry) | set(
            library("onnxruntime.quantization.registry").QLinearOpsRegistry
        )
        self.operators = sorted(operators)
        # The names of the nodes of a layer, by the layer's own, that of its result.
        masked = {name for mask in self.masks for name in mask.nodes}
        layers = _nodes(self.model, operators - MOVING)
        self.nodes = {name: nodes for name, nodes in layers.items() if masked.isdisjoint(nodes)}
        self.layers = tuple(self.nodes)
        # The name of a layer's weights, and the axis of their output channels.
        self.weights = _weights(self.model, self.nodes)
        self.narrowable = dict.fromkeys(self.weights, True)
        self.ranges: dict[str, Any] = {}

    def _prepared(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """As onnxruntime's quantizer wants it: a late opset, normalisations folded, shapes inferred."""
        if _opset(model) < CHANNEL_OPSET:
            model = version_converter.convert_version(model, CHANNEL_OPSET)
        with tempfile.TemporaryDirectory() as folder:
            given, prepared = Path(folder) / "model.onnx", Path(folder) / "prepared.onnx"
            onnx.save(model, given)
            with refusing(f"{self.path}: onnxruntime cannot prepare it"):
                try:
                    self.library.quant_pre_process(str(given), str(prepared))
                except Exception:  # of what symbolic inference does not know plain inference may know enough
                    self.library.quant_pre_process(str(given), str(prepared), skip_symbolic_shape=True)
            model = onnx.load(prepared)
        write_out_normalizations(model)
        _separate_biases(model)
        _flatten_biases(model)
        used = {node.domain for node in model.graph.node} | {""}
        imports = [entry for entry in model.opset_import if entry.domain in used]
        del model.opset_import[:]
        model.opset_import.extend(imports)
        for index, node in enumerate(model.graph.node):
            node.name = node.name or f"{node.op_type}_{index}"
        return model

    def equalize(self, cases: list[Case]) -> int:
        """Bring channels of tensors between two layers to one range; how many tensors."""
        pairs = conv_pairs(self.model)
        factors = channel_factors(self.content, self.kind, pairs, cases)
        scale_pairs(self.model, pairs, factors)
        helper.set_model_props(self.model, {FACTORS: dump_factors(pairs, factors)})
        self.content = self.model.SerializeToString()
        return len(pairs)

    def calibrate(self, cases: list[Case], method: str, progress: Progress) -> None:
        """Find the ranges of all activations."""
        if method in self.ranges:
            return
        kinds = self.library.CalibrationMethod
        kind, options, at_once = {
            "min-max": (kinds.MinMax, {}, len(cases)),
            "moving-average": (kinds.MinMax, {"moving_average": True}, len(cases)),
            "percentile": (kinds.Percentile, {"percentile": PERCENTILE, "symmetric": False}, CASES_AT_ONCE),
            "entropy": (kinds.Entropy, {}, CASES_AT_ONCE),
        }[method]
        shown = progress(cases, f"Ranges: {method}")
        with (
            tempfile.TemporaryDirectory() as folder,
            refusing(f"{self.path}: onnxruntime cannot calibrate it"),
        ):
            path = Path(folder) / "model.onnx"
            onnx.save(self.model, path)
            calibrator = self.library.create_calibrator(
                path, self.operators, str(Path(folder) / "shown.onnx"), kind, extra_options=options
            )
            names = [tensor.name for tensor in self.inputs]
            feeds = (dict(zip(names, case, strict=True)) for case in shown)
            with redirect_stdout(StringIO()):  # the calibrators of histograms print what they do
                for count in _portions(len(cases), at_once):
                    calibrator.collect_data(_Reader(feeds, count))
                self.ranges[method] = calibrator.compute_data()

    def quantized(self, choice: Choice) -> bytes:
        """The content of the int8 file."""
        with refusing(f"{self.path}: onnxruntime's quantizer refuses it"), _without_warnings():
            return self._quantized(choice)

    def _quantized(self, choice: Choice) -> bytes:
        kinds = self.library.QuantType
        model = copy.deepcopy(self.model)
        overrides: dict[str, list[dict[str, Any]]] = {}
        wide = [layer for layer, precision in choice.keep.items() if precision == "int16"]
        narrow = [layer for layer in self.weights if choice.is_narrow(layer)]
        if (wide or narrow) and _opset(model) < WIDTHS_OPSET:
            model = version_converter.convert_version(model, WIDTHS_OPSET)
        for layer in narrow:
            name, axis = self.weights[layer]
            overrides[name] = [{"quant_type": kinds.QInt4, "symmetric": True, "axis": axis}]
        for layer in wide:
            overrides[layer] = [{"quant_type": kinds.QInt16, "symmetric": True}]
        if choice.raw is not None:
            scale = np.array(choice.raw.scale, np.float32)
            zero_point = np.array(choice.raw.zero_point - 128, np.int8)
            for name in _moved(model, self.inputs[0].name):
                overrides[name] = [{"scale": scale, "zero_point": zero_point}]
        quantizer = self.library.QDQQuantizer(
            model,
            per_channel=True,
            reduce_range=False,
            weight_qType=kinds.QInt8,
            activation_qType=kinds.QInt8,
            tensors_range=self.ranges[choice.method],
            nodes_to_quantize=None if choice.only is None else self._names(choice.only),
            nodes_to_exclude=[
                *(name for mask in self.masks for name in mask.nodes),
                *self._names(name for name, kept in choice.keep.items() if kept == "float"),
            ],
            op_types_to_quantize=self.operators,
            extra_options={"TensorQuantOverrides": overrides, "ForceQuantizeNoInputCheck": True},
        )
        for mask in self.masks if choice.only is None else ():
            quantizer.quantize_activation_tensor(mask.scores)
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        quantized = quantizer.model.model
        if choice.raw is not None:
            _take_pixels(quantized, choice.raw)
        return bytes(quantized.SerializeToString())

    def _names(self, layers: Iterable[str]) -> list[str]:
        return [name for layer in layers for name in self.nodes[layer]]


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Without what onnxruntime logs of vectors that have no axis of channels; errors stay."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        yield
    finally:
        logging.disable(before)


def _flatten_biases(model: onnx.ModelProto) -> None:
    """Biases of Gemm of shape (1, n) become (n,): onnxruntime's quantizer takes a number of each channel."""
    biases = {node.input[2] for node in model.graph.node if node.op_type == "Gemm" and len(node.input) == 3}
    others = {name for node in model.graph.node if node.op_type != "Gemm" for name in node.input}
    for tensor in model.graph.initializer:
        if tensor.name in biases - others and len(tensor.dims) == 2 and tensor.dims[0] == 1:
            del tensor.dims[0]


def _separate_biases(model: onnx.ModelProto) -> None:
    """Layers that share a bias get one each: onnxruntime's quantizer gives copies names that may be taken."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    seen: set[str] = set()
    for node in model.graph.node:
        name = node.input[BIAS] if node.op_type in WITH_BIAS and len(node.input) > BIAS else ""
        if name in seen:
            copied = copy.deepcopy(constants[name])
            copied.name = node.input[BIAS] = f"{name}_of_{node.output[0]}"
            model.graph.initializer.append(copied)
        elif name in constants:
            seen.add(name)


def _nodes(model: onnx.ModelProto, kinds: set[str]) -> dict[str, list[str]]:
    """The names of the nodes of each layer of these kinds, by its own; what moves its result is of it."""
    nodes: dict[str, list[str]] = {}
    origin: dict[str, str] = {}
    for layer in _layers(model):
        first, last = layer[0], layer[-1]
        source = origin.get(first.input[0]) if first.op_type in MOVING else None
        if first.op_type in kinds:
            source = last.output[0]
            nodes[source] = []
        if source is not None:
            nodes[source] += [node.name for node in layer]
            origin.update(dict.fromkeys(last.output, source))
    return nodes


def _weights(model: onnx.ModelProto, layers: Mapping[str, list[str]]) -> dict[str, tuple[str, int]]:
    """The constant weights of each layer that has some, and the axis of their output channels."""
    nodes = {node.name: node for node in model.graph.node}
    ranks = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    found = {}
    for layer, names in layers.items():
        node = nodes[names[0]]
        if node.op_type in CHANNEL_AXES and ranks.get(node.input[1], 0) > 1:
            is_transposed = any(entry.name == "transB" and entry.i for entry in node.attribute)
            found[layer] = node.input[1], 0 if is_transposed else CHANNEL_AXES[node.op_type]
    return found


def _layers(model: onnx.ModelProto) -> Iterator[list[onnx.NodeProto]]:
    """Each node, together with the activation behind it where nothing else reads its result."""
    readers: dict[str, list[onnx.NodeProto]] = {value.name: [value] for value in model.graph.output}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    absorbed: set[str] = set()
    for node in model.graph.node:
        if node.name in absorbed:
            continue
        layer = [node]
        if len(node.output) == 1 and len(readers.get(node.output[0], ())) == 1:
            [reader] = readers[node.output[0]]
            if isinstance(reader, onnx.NodeProto) and reader.op_type in ACTIVATIONS:
                layer.append(reader)
                absorbed.add(reader.name)
        yield layer


class _Reader:
    """Gives onnxruntime's calibrators the next `count` of the cases."""

    def __init__(self, feeds: Iterator[dict[str, np.ndarray]], count: int) -> None:
        self.feeds, self.count = feeds, count

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next case, None after the last."""
        self.count -= 1
        return next(self.feeds, None) if self.count >= 0 else None


def _portions(count: int, at_once: int) -> Iterable[int]:
    return (min(at_once, count - first) for first in range(0, count, at_once))


def _opset(model: onnx.ModelProto) -> int:
    return next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _refuse_quantized(path: Path, model: onnx.ModelProto) -> None:
    """UnsupportedError for a model that is quantized already."""
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul"):
            raise UnsupportedError(
                f"{path} is quantized already: {node.op_type} {node.name or node.output[0]!r}"
            )


def _refuse_weights(
    path: Path, model: onnx.ModelProto, may_be_closed: Callable[[str], bool] = lambda name: False
) -> None:
    """ModelError for weights that are not finite, but for minus infinity in those that may be masks."""
    for tensor in model.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype.kind != "f":
            continue
        closed = np.isneginf(value) if may_be_closed(tensor.name) else False
        if not (np.isfinite(value) | closed).all():
            raise ModelError(
                f"{path}: weights {tensor.name!r} have values that are not finite (NaN or infinity)"
            )


def _moved(model: onnx.ModelProto, name: str) -> Iterator[str]:
    """A tensor, and what it becomes where it is only moved."""
    names = {name}
    for node in model.graph.node:
        if node.op_type in MOVING and node.input[0] in names:
            names.add(node.output[0])
    return iter(sorted(names))


def _take_pixels(model: onnx.ModelProto, raw: RawInput) -> None:
    """The input becomes uint8; what read it reads the real numbers that its integers stand for."""
    graph = model.graph
    source = graph.input[0]
    real, scale, zero_point = (f"{source.name}_{what}_of_pixels" for what in ("real", "scale", "zero_point"))
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == source.name:
                node.input[place] = real
    graph.node.insert(0, helper.make_node("DequantizeLinear", [source.name, scale, zero_point], [real]))
    graph.initializer.append(numpy_helper.from_array(np.array(raw.scale, np.float32), scale))
    graph.initializer.append(numpy_helper.from_array(np.array(raw.zero_point, np.uint8), zero_point))
    source.type.tensor_type.elem_type = TensorProto.UINT8
