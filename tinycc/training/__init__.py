"""Training on the device: what trains, its gradients, and the step that a microcontroller takes."""

from tinycc.training.build_backward import UpdateRule
from tinycc.training.compiler import compile
from tinycc.training.scheme import LayerScheme, Scheme, full, last_biases, last_layers, named_scheme

__all__ = [
    "LayerScheme",
    "Scheme",
    "UpdateRule",
    "compile",
    "full",
    "last_biases",
    "last_layers",
    "named_scheme",
]
