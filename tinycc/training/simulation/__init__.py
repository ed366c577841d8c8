"""Training as the device does it, in torch: the integers of the generated C, and gradients of them.

It needs the extra tinycc[torch], and is imported by whom it is asked for only.
"""

from tinycc.training.simulation.cases import Data
from tinycc.training.simulation.integer_gradients import integer_gradients
from tinycc.training.simulation.loss import gradients
from tinycc.training.simulation.network import IntegerNetwork
from tinycc.training.simulation.simulate import Run, Simulated, constant, cosine, evaluate, simulate
from tinycc.training.simulation.update import GradientDescent

__all__ = [
    "Data",
    "GradientDescent",
    "IntegerNetwork",
    "Run",
    "Simulated",
    "constant",
    "cosine",
    "evaluate",
    "gradients",
    "integer_gradients",
    "simulate",
]
