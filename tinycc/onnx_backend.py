"""ONNX's backend interface (onnx.backend.base) on the generated C: compiled, built and run on the host.

Nothing but the C computes results. A model is compiled when it is run, as only then the operands are known
that say shapes (axes, pads, sizes, bounds): where the frontend asks for a constant, they are made one.
"""

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.backend.base import Backend, BackendRep, namedtupledict

from tinycc.compiler import CompiledModel, compile
from tinycc.errors import InputDataError
from tinycc.frontend.onnx.load import load_onnx
from tinycc.frontend.onnx.operators import parameters_of
from tinycc.run import run


@dataclass
class TinyccRep(BackendRep):
    """A model that is compiled for the arrays that it is run on.

    constants: inputs that are bound as constants, beside those that the frontend needs as such.
    compiled: what ran last. warnings: what the C compiler said of it.
    """

    model: onnx.ModelProto
    constants: Collection[str] = ()
    compiled: CompiledModel | None = field(default=None, init=False)
    warnings: str = field(default="", init=False)

    def run(self, inputs: Sequence[Any], **_options: Any) -> tuple[Any, ...]:
        """The outputs in the file's order, of the types and shapes of the file.

        inputs: one array for each input of the model that is no initializer, in order.

        Raises InputDataError for a wrong number of arrays, TinyccError where the model cannot be compiled.
        """
        names = inputs_of(self.model)
        if len(inputs) != len(names):
            raise InputDataError(f"the model has {len(names)} inputs, {len(inputs)} arrays were given")
        arrays = {name: as_array(value) for name, value in zip(names, inputs, strict=True)}
        bound = {
            name: value
            for name, value in arrays.items()
            if name in self.constants or name in _parameters(self.model)
        }
        with tempfile.TemporaryDirectory(prefix="tinycc-onnx-") as parent:
            path = Path(parent) / "model.onnx"
            path.write_bytes(_with_constants(self.model, bound).SerializeToString())
            self.compiled = compile(load_onnx(path, allow_float=True), io="float")
            self.compiled.export(Path(parent) / "c")
            cases = [value[np.newaxis] for name, value in arrays.items() if name not in bound]
            result = run(Path(parent) / "c", "host", cases)
        self.warnings = result.warnings
        outputs = namedtupledict("Outputs", [value.name for value in self.model.graph.output])
        kinds = (value.type.tensor_type.elem_type for value in self.model.graph.output)
        return outputs(
            *(_in_type(output[0], kind) for output, kind in zip(result.outputs, kinds, strict=True))
        )


class TinyccBackend(Backend):
    """ONNX's backend interface, see the module."""

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """The host's CPU runs the C."""
        return device == "CPU"

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **options: Any) -> TinyccRep:
        """The model, to be run, when it is checked; see TinyccRep for `constants`."""
        return TinyccRep(model, options.get("constants", ()))

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Sequence[Any],
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype[Any], tuple[int, ...]]] | None = None,
        **options: Any,
    ) -> tuple[Any, ...]:
        """The results of one operator of the opset `opset_version`, ONNX's newest if not said."""
        super().run_node(node, inputs, device, outputs_info, **options)
        present = dict.fromkeys(name for name in node.input if name)
        arrays = [np.asarray(value) for value in inputs]
        infos = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in zip(present, arrays, strict=True)
        ]
        results = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        opset = int(options.get("opset_version", onnx.defs.onnx_opset_version()))
        model = helper.make_model(
            helper.make_graph([node], "node", infos, results), opset_imports=[helper.make_opsetid("", opset)]
        )
        return TinyccRep(model).run(arrays)


def as_array(value: Any) -> np.ndarray:
    """An input or output as ONNX's tests have them: arrays, or tensors of a file."""
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def _in_type(output: np.ndarray, kind: int) -> np.ndarray:
    """As the file has it: what is computed as float32 may be float16 there."""
    return output.astype(np.float16) if kind == onnx.TensorProto.FLOAT16 else output


def inputs_of(model: onnx.ModelProto) -> list[str]:
    """The inputs that are no initializers, in order."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return [value.name for value in model.graph.input if value.name not in stored]


def _parameters(model: onnx.ModelProto) -> set[str]:
    """The tensors that the frontend must know to compile an operator that reads them."""
    return {
        node.input[index]
        for node in model.graph.node
        for index in parameters_of(node)
        if index < len(node.input)
    }


def _with_constants(model: onnx.ModelProto, values: dict[str, np.ndarray]) -> onnx.ModelProto:
    """The model with these inputs as initializers."""
    bound = onnx.ModelProto()
    bound.CopyFrom(model)
    kept = [value for value in bound.graph.input if value.name not in values]
    del bound.graph.input[:]
    bound.graph.input.extend(kept)
    bound.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, order="C"), name) for name, value in values.items()
    )
    return bound


is_compatible = TinyccBackend.is_compatible
prepare = TinyccBackend.prepare
run_model = TinyccBackend.run_model
run_node = TinyccBackend.run_node
supports_device = TinyccBackend.supports_device
