"""Layers whose weights or bias are trained on the device."""

from tinycc.ops.room import Room
from tinycc.ops.trained_layer.dsp import DspTrainedDepthwise, DspTrainedPointwise
from tinycc.ops.trained_layer.portable import PortableTrainedDepthwise, PortableTrainedLayer
from tinycc.ops.trained_layer.view import TrainedLayer, trained_layer

__all__ = ["ROOM", "TrainedLayer", "trained_layer"]

ROOM = Room(
    TrainedLayer,
    (DspTrainedPointwise(), DspTrainedDepthwise(), PortableTrainedDepthwise(), PortableTrainedLayer()),
)
