"""Kernels that 1x1 convolutions and dense layers share: weights times each vector along the last axis."""
