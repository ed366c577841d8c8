"""Elementwise multiplication."""

from tinycc.ops.multiply.dsp import DspMultiply
from tinycc.ops.multiply.helium import HeliumMultiply
from tinycc.ops.multiply.portable import PortableMultiply
from tinycc.ops.multiply.view import Multiply
from tinycc.ops.room import Room

ROOM = Room(Multiply, (HeliumMultiply(), DspMultiply(), PortableMultiply()))
