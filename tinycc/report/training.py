"""What the report says of a training step."""

from typing import Any

from tvm import relax

from tinycc import tvm_adapter
from tinycc.codegen.operator_code import OperatorCode
from tinycc.edges import Edge
from tinycc.ops.tensor import Tensor
from tinycc.plan import Plan
from tinycc.report.edges import describe_edge
from tinycc.report.timeline import Timeline
from tinycc.states import read_states, state_parameters

# What a run hands to each step beside the example and its label.
_RATE = {
    "name": "learning_rate", "shape": [1], "dtype": "float32", "bytes": 4, "offset": None, "scale": None,
    "zero_point": 0, "file_dtype": "float32", "file_shape": [1], "permutation": [],
}  # fmt: skip


def summarize_training(plan: Plan, code: OperatorCode, main: relax.Function) -> dict[str, Any]:
    """The entry `training` of report.json: the schedule of a step, and where its states lie.

    main: of the module that has the states. The offset of a state is that from the first byte of all states.
    """
    variables = state_parameters(main)
    timeline = Timeline(plan)
    figures = timeline.describe()
    for entry, row in zip(figures["operators"], timeline.rows, strict=True):
        name = row.operator.name
        entry |= {"weight_bytes": code.constant_bytes[name], "instance": code.instance_of[name]}
    inputs = zip(plan.edges.inputs, plan.input_tensors, plan.inputs, strict=True)
    outputs = zip(plan.edges.outputs, plan.output_tensors, plan.outputs, strict=True)
    return {
        **figures,
        "inputs": [
            *(describe_edge(edge, tensor, plan.buffers[name]) for edge, tensor, name in inputs),
            _RATE,
        ],
        "outputs": [describe_edge(edge, tensor, plan.buffers[name]) for edge, tensor, name in outputs],
        "states": [
            _state(plan, f"state{index}", state.name, variable)
            for index, (state, variable) in enumerate(zip(read_states(main), variables, strict=True))
        ],
    }


def _state(plan: Plan, buffer: str, name: str, variable: relax.Var) -> dict[str, Any]:
    """A state as the inputs and outputs are told."""
    tensor = Tensor(tvm_adapter.shape_of(variable), tvm_adapter.dtype_of(variable))
    told = describe_edge(Edge(name, tensor.dtype, tensor.shape), tensor, plan.buffers[buffer])
    return told | {"offset": plan.buffers[buffer].offset - plan.states_span[0]}
