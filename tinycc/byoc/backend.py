"""What `import tvm` loads by the entry point in the group tvm.backends: names, and nothing behind them.

TVM calls `register` at the end of its own import, which may be in the midst of an import of tinycc. So this
module imports neither, and what it registers imports the rest when it is called.
"""

from typing import Any

CODEGEN = "relax.ext.tinycc"
PIPELINE = "tinycc"


def register() -> None:
    """Make `relax.transform.RunCodegen` and `relax.get_pipeline` find tinycc."""
    import tvm

    if not hasattr(tvm, "relax"):  # TVM without its compiler
        return
    from tvm.relax.pipeline import PIPELINE_MAP, register_pipeline

    tvm.register_global_func(CODEGEN, _compile_regions, override=True)
    if PIPELINE not in PIPELINE_MAP:
        register_pipeline(PIPELINE)(_default_pipeline)


def _compile_regions(functions: Any, options: Any, constant_names: Any) -> Any:
    from tinycc.byoc.codegen import compile_regions

    return compile_regions(functions, options, constant_names)


def _default_pipeline(**options: Any) -> Any:
    from tinycc.passes.pipeline import default_pipeline

    return default_pipeline(**options)
