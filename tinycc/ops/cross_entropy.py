"""Cross-entropy of a softmax with a label, and its gradient."""

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow


@dataclass(frozen=True, eq=False)
class _OfLogits(Operator, ABC):
    """Inputs: logits, int8 [1, classes]; a label, int32 [1].

    scale: of the logits.
    """

    scale: float

    element_types: ClassVar[ElementTypes] = frozenset({("int8", "float32")})

    @classmethod
    def from_composite(cls, composite: Composite) -> Self:
        """Read what the function below wrote."""
        inputs = tuple(map(composite.tensor, composite.function.params))
        scale = float(composite.real_constant(composite.call("relax.multiply").args[1]))
        return cls(inputs, (composite.result(),), scale)


@dataclass(frozen=True, eq=False)
class CrossEntropy(_OfLogits):
    """-log softmax(scale * logits)[label], float32 [1]; NaN where there is no such label."""

    kind: ClassVar[str] = "cross_entropy"


@dataclass(frozen=True, eq=False)
class CrossEntropyGradient(_OfLogits):
    """Its gradient with respect to the integers, float32 [1, classes]; 0 where there is no such label."""

    kind: ClassVar[str] = "cross_entropy_gradient"


def cross_entropy(logits: relax.Var, label: relax.Var, *, scale: float) -> relax.Function:
    """The composite function of a `CrossEntropy`. scale: of the logits."""

    def body(emit: Emit, logits: relax.Var, label: relax.Var) -> relax.Expr:
        values = _scaled(emit, logits, scale)
        is_label = _is_label(emit, logits, label)
        zeros = emit(relax.op.zeros_like(values))
        of_label = emit(relax.op.sum(emit(relax.op.where(is_label, values, zeros)), axis=1))
        total = emit(relax.op.log(emit(relax.op.sum(emit(relax.op.exp(values)), axis=1))))
        loss = emit(relax.op.subtract(total, of_label))
        exists = emit(relax.op.astype(emit(relax.op.max(emit(_integers(is_label)), axis=1)), "bool"))
        return relax.op.where(exists, loss, relax.const(np.float32(np.nan), "float32"))

    return write_composite(CrossEntropy.kind, {"logits": logits, "label": label}, body)


def cross_entropy_gradient(logits: relax.Var, label: relax.Var, *, scale: float) -> relax.Function:
    """The composite function of a `CrossEntropyGradient`. scale: of the logits."""

    def body(emit: Emit, logits: relax.Var, label: relax.Var) -> relax.Expr:
        values = _scaled(emit, logits, scale)
        is_label = _is_label(emit, logits, label)
        wanted = emit(relax.op.astype(is_label, "float32"))
        chances = emit(relax.op.nn.softmax(values, axis=1))
        error = emit(relax.op.subtract(chances, wanted))
        gradient = emit(relax.op.multiply(error, relax.const(np.float32(scale), "float32")))
        exists = emit(relax.op.max(emit(_integers(is_label)), axis=1, keepdims=True))
        zeros = emit(relax.op.zeros_like(gradient))
        return relax.op.where(emit(relax.op.astype(exists, "bool")), gradient, zeros)

    return write_composite(CrossEntropyGradient.kind, {"logits": logits, "label": label}, body)


def _scaled(emit: Emit, logits: relax.Var, scale: float) -> relax.Var:
    """Logits less their maximum, times the scale."""
    wide = emit(relax.op.astype(logits, "int32"))
    below = emit(relax.op.subtract(wide, emit(relax.op.max(wide, axis=1, keepdims=True))))
    real = emit(relax.op.astype(below, "float32"))
    return emit(relax.op.multiply(real, relax.const(np.float32(scale), "float32")))


def _is_label(emit: Emit, logits: relax.Var, label: relax.Var) -> relax.Var:
    classes = np.arange(tvm_adapter.shape_of(logits)[1], dtype=np.int32).reshape(1, -1)
    return emit(relax.op.equal(tvm_adapter.make_constant(classes), label))


def _integers(values: relax.Expr) -> relax.Expr:
    return relax.op.astype(values, "int32")


class PortableCrossEntropy(Kernel[_OfLogits]):
    """On any core, either of them."""

    def call(self, view: _OfLogits) -> RowCall:
        """All classes at once."""
        output = view.outputs[0]
        return RowCall(
            header="cross_entropy.h",
            function=f"tinycc_{view.kind}_int8",
            struct="tinycc_cross_entropy",
            shape={"classes": view.inputs[0].elements},
            data={"scale": view.scale},
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=output.elements,
            row_elements=output.elements,
            pixel_columns=0,
        )


LOSS = Room(CrossEntropy, (PortableCrossEntropy(),))
GRADIENT = Room(CrossEntropyGradient, (PortableCrossEntropy(),))
