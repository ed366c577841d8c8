"""What of a network trains: the biases and the weights of which layers."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from tinycc.errors import ModelError, TrainingError
from tinycc.output_file import new_file
from tinycc.training.layers import Layer

_FORMAT = 1

# A scheme, or what makes one of a network's layers.
AnyScheme: TypeAlias = "Scheme | Callable[[Mapping[str, Layer]], Scheme]"


@dataclass(frozen=True)
class LayerScheme:
    """Of one layer: whether its bias trains, and the share of its input channels whose weights do."""

    bias: bool = True
    weights: float = 0.0


@dataclass(frozen=True)
class Scheme:
    """What trains of each layer, by name (see `tinycc.training.layers`); others are frozen.

    model: the fingerprint of the network that it was made for; "" for any that has these layers.
    """

    layers: Mapping[str, LayerScheme]
    model: str = ""

    def save(self, path: str | Path) -> None:
        """Write it as JSON; the file appears whole or not at all. Raises OutputError."""
        layers = {name: vars(part) for name, part in self.layers.items()}
        content = {"format": _FORMAT, "model": self.model, "layers": layers}
        with new_file(Path(path)) as place:
            place.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Scheme":
        """Read what `save` wrote. Raises ModelError where the file is no scheme."""
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            if content["format"] != _FORMAT:
                raise ValueError(f"its format is {content['format']}, not {_FORMAT}")
            layers = {
                str(name): LayerScheme(bool(part["bias"]), float(part["weights"]))
                for name, part in content["layers"].items()
            }
            return cls(layers, str(content["model"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{path} is no training scheme: {error}") from error

    def check(
        self, layers: Mapping[str, Layer], untrainable: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """TrainingError where it is of another network, or says what cannot be.

        layers, untrainable: what `layers_of` and `untrainable_layers` give.
        """
        if not layers:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in untrainable.items())
            raise TrainingError(f"no layer of the model can be trained ({reasons or 'it has none'})")
        if self.model and self.model != fingerprint(layers):
            raise TrainingError("the scheme was made for another model: make one for this model")
        for name, part in self.layers.items():
            if name in untrainable:
                raise TrainingError(f"{name} cannot be trained: {untrainable[name]}")
            if name not in layers:
                known = ", ".join(layers) or "none"
                raise TrainingError(
                    f"the scheme trains {name}, which is no layer that can be trained: {known}"
                )
            if not 0.0 <= part.weights <= 1.0:
                raise TrainingError(f"the scheme trains {part.weights} of the weights of {name}, not 0 to 1")
        if not any(part.bias or part.weights for part in self.layers.values()):
            raise TrainingError("the scheme trains nothing")


def fingerprint(layers: Mapping[str, Layer]) -> str:
    """What tells a network from others: names and shapes of its layers."""
    text = ";".join(f"{name}:{layer.weights.shape}" for name, layer in layers.items())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def full(layers: Mapping[str, Layer]) -> Scheme:
    """All weights and biases."""
    return Scheme({name: LayerScheme(True, 1.0) for name in layers}, fingerprint(layers))


def last_layers(layers: Mapping[str, Layer], count: int) -> Scheme:
    """Weights and biases of the last `count` layers."""
    return Scheme({name: LayerScheme(True, 1.0) for name in list(layers)[-count:]}, fingerprint(layers))


def last_biases(layers: Mapping[str, Layer], count: int) -> Scheme:
    """The biases of the last `count` layers, and the weights of the last one."""
    names = list(layers)[-count:]
    return Scheme({name: LayerScheme(True, float(name == names[-1])) for name in names}, fingerprint(layers))


def named_scheme(text: str) -> AnyScheme:
    """A scheme as the command line says it: "full", "last:N", "biases:N", or a file that `Scheme.save` wrote.

    Raises TrainingError, and ModelError for what is no scheme's file.
    """
    kind, _, number = text.partition(":")
    if text == "full":
        return full
    if kind in ("last", "biases"):
        if not number.isdecimal() or int(number) == 0:
            raise TrainingError(f"the scheme {text!r} does not say of how many layers: e.g. {kind}:2")
        return partial(last_layers if kind == "last" else last_biases, count=int(number))
    return Scheme.load(text)
