"""Training on the device: what trains, its gradients, and the step that a microcontroller takes."""

from typing import Any

from tinycc.training.compiler import compile
from tinycc.training.scheme import LayerScheme, Scheme, full, last_biases, last_layers, named_scheme
from tinycc.training.scheme_search.contribution import Contributions
from tinycc.training.update_rule import UpdateRule

__all__ = [
    "Contributions",
    "LayerScheme",
    "Scheme",
    "UpdateRule",
    "compile",
    "full",
    "last_biases",
    "last_layers",
    "measure_contributions",
    "named_scheme",
    "simulate",
]


def __getattr__(name: str) -> Any:
    """Import what simulates, and torch with it, when it is first asked for."""
    if name == "simulate":
        from tinycc.training.simulation import simulate

        return simulate
    if name == "measure_contributions":
        from tinycc.training.scheme_search.measure import measure_contributions

        return measure_contributions
    raise AttributeError(f"module 'tinycc.training' has no attribute {name!r}")
