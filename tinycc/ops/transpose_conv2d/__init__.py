"""Transposed convolution with bias, activation and requantization."""

from tinycc.ops.room import Room
from tinycc.ops.transpose_conv2d.float32 import FloatTransposeConv2D
from tinycc.ops.transpose_conv2d.portable import PortableTransposeConv2D
from tinycc.ops.transpose_conv2d.view import TransposeConv2D

ROOM = Room(TransposeConv2D, (PortableTransposeConv2D(),), float_kernels=(FloatTransposeConv2D(),))
