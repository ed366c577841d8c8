"""Torch modules as torch.export programs, quantized or not; torch is imported when one comes."""

from types import ModuleType
from typing import Any

from tinycc.errors import ToolError, UnsupportedError
from tinycc.frontend.load import is_torch_module


def exported_program(module: Any, example_inputs: Any) -> Any:
    """The program of a torch module, in float; what `pt2e.export_module` raises."""
    if not is_torch_module(module):
        raise UnsupportedError(f"example_inputs belong to a torch module, not to a {type(module).__name__}")
    return _pt2e().export_module(module, example_inputs)


def quantized_program(
    module: Any, calibration: Any, example_inputs: Any, ranges: str, keep: Any, weights: str
) -> Any:
    """The same by torchao's PT2E with `tinycc.torch.Quantizer`; what `pt2e.quantize_program` raises."""
    if example_inputs is None:
        raise UnsupportedError("a torch module needs example_inputs: they say the inputs' shapes")
    kept = keep or {}
    if kept == "auto" or set(kept.values()) - {"float", "int8"}:
        raise UnsupportedError('keep: layers of a torch module are kept by name, as "float" or "int8"')
    pt2e = _pt2e()
    quantizer = pt2e.Quantizer(ranges=ranges, keep=kept, weights=weights)
    return pt2e.quantize_program(module, example_inputs, calibration, quantizer)


def _pt2e() -> ModuleType:
    try:
        from tinycc.quantization import pt2e
    except ImportError as error:
        raise ToolError(f"torch modules need torchao: pip install 'tinycc-mcu[torch]' ({error})") from error
    return pt2e
