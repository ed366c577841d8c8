"""What kernels for the DSP extension have in common."""

from typing import Any

from tinycc.runtime_c.constants import constant

FEATURE = "dsp"
INT8_RANGE = (-128, 127)
# Of tinycc_dsp_mode.
_RECTIFIED, _FULL, _CLAMPED = (constant(f"TINYCC_DSP_{mode}") for mode in ("RECTIFIED", "FULL", "CLAMPED"))
# Of layers alone: a bias of 32 bits.
LARGE = constant("TINYCC_DSP_LARGE")


def stored_multiplier(multiplier: Any) -> Any:
    """A multiplier in [2**30, 2**31), or an array of them, as kernels take it."""
    return 2 * multiplier - 2**32


def mode_of(output_range: tuple[int, int], zero_point: int, least_exponent: int) -> int:
    """How an operator's results become outputs, a tinycc_dsp_mode."""
    if output_range != INT8_RANGE:
        return _CLAMPED
    return _RECTIFIED if zero_point == INT8_RANGE[0] and least_exponent >= 1 else _FULL
