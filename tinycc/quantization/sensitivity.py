"""Where accuracy is lost: each layer quantized alone, and the fewest layers to keep in float."""

from dataclasses import dataclass, replace

from tinycc.errors import UnsupportedError
from tinycc.quantization.float_model import Choice, FloatModel, Precision, Progress
from tinycc.quantization.reference import Reference

# What is in progress.
ALONE = "Each layer alone"


@dataclass(frozen=True)
class LayerLoss:
    """What quantization does to one layer, in decibels of signal-to-noise.

    decibels: of the layer's result in the quantized model; None where that does not have it, as its work is
        done by the next layer.
    alone: of the model's outputs if nothing but this layer is quantized.
    """

    layer: str
    decibels: float | None
    alone: float


def analyze(model: FloatModel, choice: Choice, reference: Reference, progress: Progress) -> list[LayerLoss]:
    """The loss of every layer, in order. `model` is calibrated with the choice's method."""
    whole = reference.layer_decibels(model.quantized(choice))
    return [
        LayerLoss(layer, whole.get(layer), _alone(model, choice, reference, layer))
        for layer in progress(model.layers, ALONE)
    ]


def _alone(model: FloatModel, choice: Choice, reference: Reference, layer: str) -> float:
    only = replace(choice, keep={}, only=frozenset([layer]), raw=None)
    return reference.decibels(model.quantized(only))


def keep_fewest(
    model: FloatModel, choice: Choice, reference: Reference, at_least: float, progress: Progress
) -> Choice:
    """Keep in float, or in int8 where weights are to be int4, as few layers as it takes.

    Those go first that cost most alone. at_least: the share of the cases in which the first output is largest
    at the same place as the float model's. Raises UnsupportedError where no number of layers is enough.
    """
    precision: Precision = "float" if choice.weights == "int8" else "int8"
    layers = model.layers if precision == "float" else [name for name, can in model.narrowable.items() if can]
    losses = {layer: _alone(model, choice, reference, layer) for layer in progress(layers, ALONE)}
    worst = sorted(losses, key=losses.__getitem__)
    for kept in progress([worst[:count] for count in range(len(worst) + 1)], "Layers to keep"):
        tried = replace(choice, keep={**choice.keep, **dict.fromkeys(kept, precision)})
        if reference.agreement(model.quantized(tried)) >= at_least:
            return tried
    raise UnsupportedError(
        f"with all layers in {precision}, the model still agrees in less than {at_least:.1%}"
    )
