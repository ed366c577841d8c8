"""tinycc: compile neural networks to C for microcontrollers, on Apache TVM's IR and passes."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinycc.errors import TinyccError
from tinycc.version import VERSION

if TYPE_CHECKING:
    from tinycc.byoc.partition import partition_for_tinycc
    from tinycc.compiler import CompiledModel, compile
    from tinycc.linker import link
    from tinycc.quantization import Preprocessing, quantize
    from tinycc.validation import validate

__version__ = VERSION

__all__ = [
    "CompiledModel",
    "Preprocessing",
    "TinyccError",
    "__version__",
    "compile",
    "link",
    "partition_for_tinycc",
    "quantize",
    "validate",
]


def __getattr__(name: str) -> Any:
    """Import the compiler, and TVM with it, when it is first asked for."""
    if name in ("CompiledModel", "compile"):
        from tinycc import compiler

        return getattr(compiler, name)
    if name == "link":
        from tinycc.linker import link

        return link
    if name in ("Preprocessing", "quantize"):
        from tinycc import quantization

        return getattr(quantization, name)
    if name == "partition_for_tinycc":
        from tinycc.byoc import partition

        return partition.partition_for_tinycc
    if name == "torch":
        return import_module("tinycc.torch")
    if name == "validate":
        from tinycc.validation import validate

        return validate
    raise AttributeError(f"module 'tinycc' has no attribute {name!r}")
