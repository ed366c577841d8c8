"""The passes of tinycc: Relax in, Relax out, each in its own file; `pipeline` has them in order.

All are to be had from here by name, and the whole pipeline as `relax.get_pipeline("tinycc")`.
"""

import re
from importlib import import_module
from typing import Any

from tinycc import tvm_adapter

if __name__ != "tinycc.passes":
    raise ImportError("the passes of tinycc are imported as tinycc.passes")

_PIPELINE = ("default_passes", "default_pipeline")

__all__ = [
    "AverageRealNumbers",
    "BroadcastBatches",
    "CanonicalizeQuantization",
    "ConvertLayoutToNhwc",
    "DropEdgeQuantization",
    "EliminateTransposes",
    "FoldConstantOperators",
    "FoldIntegerConstants",
    "FoldIntoProducts",
    "FoldPadding",
    "FuseExpressions",
    "FuseLookups",
    "FuseQuantizedOps",
    "InferEdgeQuantization",
    "InferEdges",
    "LowerFallbacks",
    "MakeSigned",
    "MoveToIntegers",
    "NarrowWeights",
    "OrderOperators",
    "OrderStates",
    "PairStates",
    "PoolExtrema",
    "QuantizeConstants",
    "QuantizeIntermediates",
    "RemoveDeadChannels",
    "RepeatByGathering",
    "RewriteInPlace",
    "ScheduleStages",
    "SelectKernels",
    "SlideStates",
    "SoftmaxOverLastAxis",
    "SplitSharedDequantize",
    "StreamInput",
    "TakeChannelsLast",
    "ToNormalForm",
    "UnsignedEdges",
    "WidenAlike",
    "WidenWeights",
    "WriteOutBatchNorm",
    *_PIPELINE,
]


def __getattr__(name: str) -> Any:
    """Import a pass from its file when it is first asked for: some load a solver, and few use all."""
    if name not in __all__:
        raise AttributeError(f"module 'tinycc.passes' has no attribute {name!r}")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return getattr(import_module(f"tinycc.passes.{'pipeline' if name in _PIPELINE else words}"), name)


def _default_pipeline(**options: Any) -> Any:
    return __getattr__("default_pipeline")(**options)


tvm_adapter.register_pipeline("tinycc", _default_pipeline)
