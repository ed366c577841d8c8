"""Training as the device does it, in torch: the integers of the generated C, and gradients of them.

It needs the extra tinycc[torch], and is imported by whom it is asked for only.
"""

from tinycc.training.simulation.network import IntegerNetwork

__all__ = ["IntegerNetwork"]
