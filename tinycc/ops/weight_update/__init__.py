"""Weights of a layer after a training step."""

from tinycc.ops.room import Room
from tinycc.ops.weight_update.dsp import DspPointwiseWeightUpdate
from tinycc.ops.weight_update.portable import (
    PortableDepthwiseWeightUpdate,
    PortablePointwiseWeightUpdate,
    PortableWeightUpdate,
)
from tinycc.ops.weight_update.view import WeightUpdate, weight_update

__all__ = ["ROOM", "WeightUpdate", "weight_update"]

ROOM = Room(
    WeightUpdate,
    (
        DspPointwiseWeightUpdate(),
        PortableDepthwiseWeightUpdate(),
        PortablePointwiseWeightUpdate(),
        PortableWeightUpdate(),
    ),
)
