"""Elementwise addition and subtraction."""

from tinycc.ops.add.dsp import DspAdd
from tinycc.ops.add.helium import HeliumAdd
from tinycc.ops.add.portable import PortableAdd
from tinycc.ops.add.view import Add
from tinycc.ops.room import Room

ROOM = Room(Add, (HeliumAdd(), DspAdd(), PortableAdd()))
