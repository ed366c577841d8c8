"""Float TFLite models, quantized by ai-edge-quantizer: weights int8 by channel, activations int8 or int16."""

import copy
import re
import warnings
from collections.abc import Iterable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from tinycc.errors import ModelError, UnsupportedError
from tinycc.frontend.tflite.description import describe_tflite
from tinycc.frontend.tflite.file import TfliteFile, read_tflite
from tinycc.quantization.calibration import Case
from tinycc.quantization.equalization import FACTORS, channel_factors, dump_factors
from tinycc.quantization.extra import library, refusing
from tinycc.quantization.float_model import Choice, FloatModel, Progress
from tinycc.quantization.runtime import THREADS
from tinycc.quantization.tflite_edits import (
    add_metadata,
    add_signature,
    fold_float16_weights,
    read_object,
    take_pixels,
    write,
)
from tinycc.quantization.tflite_pairs import conv_pairs, scale_pairs

ALL = "."
WITH_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# Of these, those to which the library gives weights of four bits.
WITH_NARROW_WEIGHTS = ("CONV_2D", "FULLY_CONNECTED")
# They compute nothing, so that there is nothing to lose.
MOVING = {"RESHAPE", "SQUEEZE", "TRANSPOSE"}


class TfliteModel(FloatModel):
    """A float .tflite file, with a signature, and float32 weights where it has float16 ones."""

    kind = "tflite"
    methods = ("min-max", "moving-average", "mse")

    def __init__(self, path: Path) -> None:
        """Read and prepare a file. Raises ModelError, UnsupportedError, ToolError."""
        self.path = path
        self.library = library("ai_edge_quantizer.quantizer")
        _refuse_weights(read_tflite(path))
        self.inputs = describe_tflite(path).inputs
        with refusing(f"{path}: ai-edge-quantizer cannot read it"):
            model = read_object(path.read_bytes())
            fold_float16_weights(model)
            self.signature = add_signature(model)
            self.content = write(model)
            # What the library's recipes call a layer and what moves its result, by the layer's own name.
            self.scopes, kinds = self._scopes(model)
        self.layers = tuple(self.scopes)
        weighted = {layer: kind for layer, kind in kinds.items() if kind in WITH_WEIGHTS}
        self.narrowable = {layer: kind in WITH_NARROW_WEIGHTS for layer, kind in weighted.items()}
        self.statistics: dict[str, dict[str, Any]] = {}

    def _scopes(self, model: Any) -> tuple[dict[str, list[str]], dict[str, str]]:
        """The scopes of each layer, and its kind."""
        utilities = library("ai_edge_quantizer.utils.tfl_flatbuffer_utils")
        graph = model.subgraphs[0]
        scopes: dict[str, list[str]] = {}
        kinds: dict[str, str] = {}
        origin: dict[int, str] = {}
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex].builtinCode
            kind = utilities.TFL_OP_CODE_TO_NAME.get(code)
            source = origin.get(operator.inputs[0]) if kind in MOVING else None
            if kind is not None and kind not in MOVING:
                source = graph.tensors[operator.outputs[0]].name.decode()
                scopes[source], kinds[source] = [], kind
            if source is not None:
                scopes[source].append(utilities.get_op_scope(operator, graph.tensors))
                origin.update(dict.fromkeys(operator.outputs, source))
        return scopes, kinds

    def equalize(self, cases: list[Case]) -> int:
        """Bring channels of tensors between two layers to one range; how many tensors."""
        model = read_object(self.content)
        pairs = conv_pairs(model)
        factors = channel_factors(self.content, self.kind, pairs, cases)
        scale_pairs(model, pairs, factors)
        add_metadata(model, FACTORS, dump_factors(pairs, factors))
        self.content = write(model)
        return len(pairs)

    def calibrate(self, cases: list[Case], method: str, progress: Progress) -> None:
        """Find the ranges of all activations."""
        if method not in self.statistics:
            with refusing(f"{self.path}: ai-edge-quantizer cannot calibrate it"):
                self.statistics[method] = self._statistics(cases, method, progress)

    def _statistics(self, cases: list[Case], method: str, progress: Progress) -> dict[str, Any]:
        """Least and largest of every tensor, by its name."""
        updates = library("ai_edge_quantizer.utils.qsv_utils")
        update = updates.moving_average_update if method == "moving-average" else updates.min_max_update
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that showing layers costs memory
            calibrator = library("ai_edge_quantizer.calibrator").Calibrator(
                self.content, num_threads=THREADS, qsv_update_func=update
            )
        recipe = self._recipe(Choice(method))
        for case in progress(cases, f"Ranges: {method}"):
            feeds = dict(zip(self.signature.inputs, case, strict=True))
            with redirect_stderr(StringIO()):  # it has bars of its own
                calibrator.calibrate({self.signature.key: [feeds]}, recipe)
        return calibrator.get_model_qsvs()

    def quantized(self, choice: Choice) -> bytes:
        """The content of the int8 file."""
        statistics = copy.deepcopy(self.statistics[choice.method])
        name = self.inputs[0].name
        if choice.raw is not None and name in statistics:
            ends = {"min": choice.raw.low, "max": choice.raw.high}
            statistics[name] = {
                end: np.full_like(statistics[name][end], value) for end, value in ends.items()
            }
        recipe = self._recipe(choice).get_quantization_recipe()
        with refusing(f"{self.path}: ai-edge-quantizer refuses it"), redirect_stderr(StringIO()):
            quantizer = self.library.Quantizer(self.content, recipe)
            result = quantizer.quantize(statistics, enable_progress_report=False)
        model = read_object(bytes(result.quantized_model))
        if choice.raw is not None:
            take_pixels(model, choice.raw)
        return write(model)  # all of it in the flatbuffer, where readers for microcontrollers look

    def _recipe(self, choice: Choice) -> Any:
        names, operations = self.library.AlgorithmName, self.library.qtyping.TFLOperationName
        every = operations.ALL_SUPPORTED
        recipe = library("ai_edge_quantizer.recipe_manager").RecipeManager()

        def add_weights(scope: str, kinds: Iterable[str], bits: int) -> None:
            method = names.MSE if choice.method == "mse" else names.MIN_MAX_UNIFORM_QUANT
            for kind in kinds:
                recipe.add_static_config(scope, operations(kind), 8, bits, algorithm_key=method)

        # What is added later holds.
        for scope in [ALL] if choice.only is None else self._patterns(choice.only):
            recipe.add_static_config(scope, every, 8, 8)
            if choice.method == "mse":
                add_weights(scope, WITH_WEIGHTS, 8)
        for scope in self._patterns(filter(choice.is_narrow, self.narrowable)):
            add_weights(scope, WITH_NARROW_WEIGHTS, 4)
        for layer, precision in choice.keep.items():
            for scope in self._patterns([layer]):
                if precision == "int16":
                    recipe.add_static_config(scope, every, 16, 8)
                elif precision == "float":
                    recipe.add_quantization_config(scope, every, algorithm_key=names.NO_QUANTIZE)
        return recipe

    def _patterns(self, layers: Iterable[str]) -> list[str]:
        return [f"^{re.escape(scope)}$" for layer in sorted(layers) for scope in self.scopes[layer]]


def _refuse_weights(file: TfliteFile) -> None:
    """ModelError for weights that are not finite, UnsupportedError for a model that is quantized already."""
    for tensor in file.tensors:
        if tensor.is_quantized and tensor.dtype != "float32":
            raise UnsupportedError(
                f"{file.path} is quantized already: tensor {tensor.name!r} is {tensor.dtype}"
            )
        value = tensor.value
        if value is not None and value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ModelError(
                f"{file.path}: weights {tensor.name!r} have values that are not finite (NaN or infinity)"
            )
