"""A quantizer for torch's PT2E whose programs compute what tinycc's kernels compute, integer by integer.

    prepared = prepare_pt2e(torch.export.export(module, example_inputs).module(), Quantizer())
    prepared = prepare_qat_pt2e(torch.export.export(module, example_inputs).module(), Quantizer(is_qat=True))

Real numbers are quantized where a kernel ends (see `frontend.torch.fusion`); what only moves or chooses
elements keeps the quantization of its operands; softmax, sigmoid and tanh have the one that TFLite fixes. So
what is trained or calibrated with it is what the board computes, but for the rounding of single results.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

import torch
from torchao.quantization.pt2e import (
    FakeQuantize,
    HistogramObserver,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PerChannelMinMaxObserver,
)
from torchao.quantization.pt2e.quantizer import (
    FixedQParamsQuantizationSpec,
    QuantizationAnnotation,
    QuantizationSpec,
    QuantizationSpecBase,
    SharedQuantizationSpec,
)
from torchao.quantization.pt2e.quantizer import Quantizer as TorchQuantizer

from tinycc.errors import UnsupportedError
from tinycc.frontend.torch.attention import attention_as_products
from tinycc.frontend.torch.batch_norm import batch_norms_as_layers
from tinycc.frontend.torch.fusion import (
    Fusion,
    functional,
    is_mask,
    is_number,
    is_real,
    operands,
    value_of,
)
from tinycc.frontend.torch.nodes import GETITEM, arguments
from tinycc.frontend.torch.operators import (
    ARITHMETIC,
    AVERAGES,
    BATCH_NORMS,
    BINARY,
    CHOICES,
    CLAMPS,
    FIXED_RANGES,
    MATRIX_PRODUCTS,
    MOVING,
    WEIGHTED,
)

Activations = Literal["int8", "int16"]
Weights = Literal["int8", "int4"]
Kept = Literal["float", "int8"]
Ranges = Literal["min-max", "moving-average", "mse", "percentile"]

Specs = dict[torch.fx.Node, QuantizationSpecBase]
Annotations = dict[torch.fx.Node, QuantizationSpecBase]

# The integers of weights, as far to either side: the most negative one is left out.
_WEIGHT_LIMITS = {"int8": (-127, 127), "int4": (-7, 7)}
# The least scale, of what is 0 throughout.
_LEAST_SCALE = {"eps": 2.0**-24}


class PercentileObserver(HistogramObserver):
    """The range that holds all but 0.001 % of the numbers at either end; torchao has none such."""

    outside = 1e-5

    def calculate_qparams(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale and zero point, each [1]."""
        shares = torch.cumsum(self.histogram, 0) / self.histogram.sum()
        width = (self.max_val - self.min_val) / self.bins
        first = int((shares < self.outside).sum())
        last = int((shares < 1 - self.outside).sum())
        return self._calculate_qparams(self.min_val + first * width, self.min_val + (last + 1) * width)


_OBSERVERS = {
    "min-max": MinMaxObserver,
    "moving-average": MovingAverageMinMaxObserver,
    "mse": HistogramObserver,
    "percentile": PercentileObserver,
}


class Quantizer(TorchQuantizer):
    """Annotates a graph for prepare_pt2e, or for prepare_qat_pt2e.

    activations: "int16" has 16-bit activations beside 8-bit weights; biases are left to the compiler, which
        rounds them to the scale of the sums.
    weights: "int4" has weights of -7 to 7, in int8 tensors, as torch has none narrower; the compiler packs
        them.
    per_channel: weights have a scale for each output channel, or one for all.
    ranges: how the range of an activation follows from what is seen of it: least and greatest ("min-max"),
        the same averaged over calls ("moving-average"), the least squared error ("mse"), or all but 0.001 %
        at either end ("percentile"). By default "min-max", and "moving-average" with `is_qat`.
    keep: layers that stay in float: names of modules ("layers.0", with all that it holds) or types ("Linear",
        nn.Linear); or what each of them keeps, "float", or "int8" for weights beside others of int4.
    inputs: scale and zero point of all inputs, where they are known: of pixels, say. By default they are
        observed as other ranges are.
    is_qat: for prepare_qat_pt2e.

    Raises UnsupportedError, when a graph is annotated, for a layer in `keep` that it does not have.
    """

    def __init__(
        self,
        *,
        activations: Activations = "int8",
        weights: Weights = "int8",
        per_channel: bool = True,
        ranges: Ranges | None = None,
        keep: Iterable[str | type[torch.nn.Module]] | Mapping[str | type[torch.nn.Module], Kept] = (),
        inputs: tuple[float, int] | None = None,
        is_qat: bool = False,
    ) -> None:
        super().__init__()
        ranges = ranges or ("moving-average" if is_qat else "min-max")
        layers = [keep] if isinstance(keep, str | type) else keep
        self._keep = dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(layers, "float")
        for name, value, known in (
            ("activations", activations, get_args(Activations)),
            ("weights", weights, get_args(Weights)),
            ("ranges", ranges, get_args(Ranges)),
            *(("keep", value, get_args(Kept)) for value in self._keep.values()),
        ):
            if value not in known:
                raise UnsupportedError(f"Quantizer: {name} = {value!r} is not known, only {', '.join(known)}")
        self._with_int8: set[torch.fx.Node] = set()
        self._is_qat, self._per_channel, self._weight_type = is_qat, per_channel, weights
        self._dtype = {"int8": torch.int8, "int16": torch.int16}[activations]
        self._activation = self._tensor(_OBSERVERS[ranges])
        self._constant = self._tensor(MinMaxObserver)
        self._input = None if inputs is None else self._known(*inputs)

    def transform_for_annotation(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
        """Say with operators that have kernels what has none."""
        return attention_as_products(batch_norms_as_layers(model))

    def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
        """Write into the nodes' metadata how operands and results are quantized."""
        kept, self._with_int8 = self._kept(model.graph, "float"), self._kept(model.graph, "int8")
        fusion = Fusion(model.graph, kept)
        # How each result is quantized, in the end.
        specs: Specs = {}
        for node in model.graph.nodes:
            if node.op == "placeholder" and self._input is not None:
                specs[node] = self._input
                _annotate(node, {}, self._input)
            if node.op != "call_function" or node in kept:
                continue
            name = functional(node)
            before = node.all_input_nodes[0] if node.all_input_nodes else None
            if name == GETITEM and before in specs and is_real(node):
                specs[node] = specs[before]
                _annotate(node, {}, SharedQuantizationSpec((before.all_input_nodes[0], before)))
            elif _is_sharing(node):
                self._share(node, specs)
            elif name in ARITHMETIC or name in CLAMPS or name in BATCH_NORMS or before in fusion.inner:
                self._compute(node, fusion.inner, specs)
        return model

    def validate(self, model: torch.fx.GraphModule) -> None:
        """UnsupportedError for a state: PT2E would make a constant of it. The compiler refuses the rest."""
        for node in model.graph.nodes:
            state = node.args[0] if node.args else None
            if not isinstance(state, torch.fx.Node) or state.op != "get_attr" or not _writes(node):
                continue
            if node.users or len(state.users) > 1:
                raise UnsupportedError(
                    f"the torch module changes {state.target!r}: let it take and return that, and pair the "
                    "two (states={input: output})"
                )

    def _compute(self, node: torch.fx.Node, inner: set[torch.fx.Node], specs: Specs) -> None:
        """A result with a quantization of its own, unless it stays inside a kernel."""
        name = functional(node)
        given = arguments(node) if name in WEIGHTED else {}
        inputs: Annotations = {}
        for source in operands(node):
            if source is given.get("weight"):
                inputs[source] = self._weights(node, axis=1 if "transpose" in name else 0)
            elif source.op != "get_attr":
                inputs |= {} if source in inner else {source: _as_result(source, specs, self._activation)}
            elif name in MATRIX_PRODUCTS and source is node.args[1]:
                inputs[source] = self._weights(node, axis=1)
            elif name in (*BINARY, *MATRIX_PRODUCTS) and not (
                is_number(source) or is_mask(source) or inner.intersection(node.all_input_nodes)
            ):
                inputs[source] = self._constant
        if is_real(node) and node not in inner:
            specs[node] = self._fixed(name) or self._activation
        _annotate(node, inputs, specs.get(node))

    def _share(self, node: torch.fx.Node, specs: Specs) -> None:
        """Operands and result of one quantization."""
        sources = operands(node)
        if not sources:
            return
        first = sources[0]
        found = [specs.get(source, self._activation) for source in sources]
        is_one = all(spec == found[0] for spec in found)
        # Nothing can share several fixed quantizations: then the operands are quantized anew.
        spec = _as_result(first, specs, self._activation) if is_one else self._activation
        shared = SharedQuantizationSpec((first, node))
        specs[node] = found[0] if is_one else self._activation
        _annotate(node, {first: spec} | dict.fromkeys(sources[1:], shared), shared if is_real(node) else None)

    def _observed(self, observer: Any, **options: Any) -> Any:
        """What makes an observer, or what quantizes as well when training."""
        if self._is_qat:
            return FakeQuantize.with_args(observer=observer, **_LEAST_SCALE, **options)
        return observer.with_args(**_LEAST_SCALE, **options)

    def _tensor(self, observer: Any) -> QuantizationSpec:
        """Of an activation: a scale and a zero point, which int16 does without."""
        limits = torch.iinfo(self._dtype)
        scheme = torch.per_tensor_affine if self._dtype == torch.int8 else torch.per_tensor_symmetric
        return QuantizationSpec(self._dtype, self._observed(observer), limits.min, limits.max, qscheme=scheme)

    def _weights(self, layer: torch.fx.Node, axis: int) -> QuantizationSpec:
        """Of weights with output channels along `axis`; in training they have the range of the moment."""
        limits = _WEIGHT_LIMITS["int8" if layer in self._with_int8 else self._weight_type]
        now = {"averaging_constant": 1.0} if self._is_qat else {}
        if not self._per_channel:
            observer = MovingAverageMinMaxObserver if self._is_qat else MinMaxObserver
            made = self._observed(observer, **now)
            return QuantizationSpec(torch.int8, made, *limits, qscheme=torch.per_tensor_symmetric)
        observer = MovingAveragePerChannelMinMaxObserver if self._is_qat else PerChannelMinMaxObserver
        made = self._observed(observer, ch_axis=axis, **now)
        return QuantizationSpec(torch.int8, made, *limits, qscheme=torch.per_channel_symmetric, ch_axis=axis)

    def _fixed(self, name: str) -> FixedQParamsQuantizationSpec | None:
        """Of an operator whose results lie in a known range."""
        if name not in FIXED_RANGES:
            return None
        return self._known(*FIXED_RANGES[name] if self._dtype == torch.int8 else (2.0**-15, 0))

    def _known(self, scale: float, zero_point: int) -> FixedQParamsQuantizationSpec:
        """Of numbers whose scale and zero point are known beforehand."""
        limits = torch.iinfo(self._dtype)
        return FixedQParamsQuantizationSpec(
            self._dtype, scale, zero_point, limits.min, limits.max, qscheme=torch.per_tensor_affine
        )

    def _kept(self, graph: torch.fx.Graph, precision: Kept) -> set[torch.fx.Node]:
        """The nodes of the layers that keep this."""
        kept: set[torch.fx.Node] = set()
        for layer in (layer for layer, has in self._keep.items() if has == precision):
            found = {node for node in graph.nodes if _is_of(node, layer)}
            if not found:
                name = layer if isinstance(layer, str) else layer.__name__
                raise UnsupportedError(f"keep: the torch module has no layer of the name or type {name!r}")
            kept |= found
        for node in graph.nodes:
            # A clamp is computed with the layer before it, in float, too.
            before = node.all_input_nodes[0] if functional(node) in CLAMPS else None
            if before in kept and len(before.users) == 1:
                kept.add(node)
        return kept


def _is_of(node: torch.fx.Node, layer: str | type[torch.nn.Module]) -> bool:
    """Whether a node is computed in a module of this name or type, or in a part of it."""
    for path, kind in node.meta.get("nn_module_stack", {}).values():
        full = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
        if isinstance(layer, type):
            if full == f"{layer.__module__}.{layer.__qualname__}":
                return True
        elif path == layer or full.rpartition(".")[2] == layer:
            return True
    return False


def _writes(node: torch.fx.Node) -> bool:
    """Whether an operator changes its first operand."""
    schema = getattr(node.target, "_schema", None)
    alias = schema.arguments[0].alias_info if schema is not None and schema.arguments else None
    return alias is not None and alias.is_write


def _is_sharing(node: torch.fx.Node) -> bool:
    """Whether the result is elements of the operands, or lies between them and is as coarse."""
    name = functional(node)
    if name in CHOICES:
        return len(operands(node)) == 2 and all(source.op != "get_attr" for source in operands(node))
    value = value_of(node)
    # A mean of all pixels has a much smaller range than these.
    is_mean = name in AVERAGES and value is not None and value.shape[2:].numel() == 1
    return name in MOVING or (name in AVERAGES and not is_mean)


def _as_result(source: torch.fx.Node, specs: Specs, otherwise: QuantizationSpec) -> QuantizationSpecBase:
    """The quantization that `source` has as the result of an operator, if it is one."""
    return SharedQuantizationSpec(source) if source in specs else otherwise


def _annotate(node: torch.fx.Node, inputs: Annotations, output: QuantizationSpecBase | None) -> None:
    node.meta["quantization_annotation"] = QuantizationAnnotation(inputs, output, _annotated=True)
