"""SVDF: a layer of filters over time, each the product of a filter of features and one of time."""

from tinycc.ops.room import Room
from tinycc.ops.svdf.dsp import DspSVDF
from tinycc.ops.svdf.helium import HeliumSVDF
from tinycc.ops.svdf.portable import PortableSVDF
from tinycc.ops.svdf.view import SVDF

ROOM = Room(SVDF, (HeliumSVDF(), DspSVDF(), PortableSVDF()))
