"""Long short-term memory in one direction, as TFLite computes it on integers."""

from tinycc.ops.room import Room
from tinycc.ops.unidirectional_lstm.dsp import DspLSTM
from tinycc.ops.unidirectional_lstm.helium import HeliumLSTM
from tinycc.ops.unidirectional_lstm.portable import PortableLSTM
from tinycc.ops.unidirectional_lstm.view import UnidirectionalLSTM

ROOM = Room(UnidirectionalLSTM, (HeliumLSTM(), DspLSTM(), PortableLSTM()))
