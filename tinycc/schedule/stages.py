"""Runs of operators as stages: their views, and the composite functions of those that are chosen."""

from collections.abc import Sequence

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.graph import BindingWriter, Node, OperatorGraph
from tinycc.ops.overlap import OVERLAP_DISTANCES, overlap_distances
from tinycc.ops.stage import GRID, UNCUT, Grid, Stage
from tinycc.ops.tensor import Tensor


def stage_inputs(graph: OperatorGraph, run: Sequence[Node]) -> list[relax.Var]:
    """The variables from outside that a run of operators reads, in order."""
    inside = {value for node in run for value in node.results}
    reads = (variable for node in run for variable in tvm_adapter.variables_of(node.call))
    return [variable for variable in dict.fromkeys(reads) if graph.values[variable] not in inside]


def stage_of(graph: OperatorGraph, run: Sequence[Node], grid: Grid = UNCUT) -> Stage:
    """The view of the stage of a run, as `tinycc.graph.view_of` reads it from `stage_function`."""
    inputs = stage_inputs(graph, run)
    tensors = [
        Tensor(tvm_adapter.shape_of(item), tvm_adapter.dtype_of(item), parameter=index)
        for index, item in enumerate(inputs)
    ]
    places = {variable: index for index, variable in enumerate(inputs)}
    made = {node.results[0]: len(inputs) + index for index, node in enumerate(run)}
    sources = []
    for node in run:
        arguments = [
            made.get(graph.values[item], places.get(item)) if isinstance(item, relax.Var) else None
            for item in node.call.args
        ]
        sources.append(
            tuple(
                None if tensor.parameter is None else arguments[tensor.parameter]
                for tensor in node.view.inputs
            )
        )
    members = tuple(node.view for node in run)
    return Stage(tuple(tensors), members[-1].outputs, members, tuple(sources), grid)


def stage_node(graph: OperatorGraph, run: Sequence[Node], stage: Stage, index: int) -> Node:
    """The stage of a run as an operator of main, the call of a function `stage{index}`."""
    inputs = stage_inputs(graph, run)
    operands = tuple(graph.values[variable] for variable in inputs)
    variable = run[-1].variable
    call = relax.Call(tvm.ir.GlobalVar(f"stage{index}"), inputs, ret_ty=variable.ty)
    distances = {int(key): distance for key, distance in overlap_distances(stage).items()}
    reads = tuple(dict.fromkeys(operands))
    return Node(index, variable, call, stage, reads, operands, run[-1].results, distances)


def stage_function(graph: OperatorGraph, run: Sequence[Node], stage: Stage) -> relax.Function:
    """The composite function of the stage of a run: it binds the functions of its members and calls them."""
    writer = BindingWriter(graph, is_main=False)
    writer.names = {item: relax.Var(item.name, item.ty) for item in stage_inputs(graph, run)}
    parameters = list(writer.names.values())
    for node in run:
        member = graph.module[node.call.op]
        callee = relax.Var(f"member{node.index}", member.ty)
        writer.bindings.append(relax.VarBinding(callee, member))
        writer.write(node, callee)
    result = relax.Var("result", run[-1].variable.ty)
    returned = relax.VarBinding(result, writer.read(run[-1].variable))
    body = relax.SeqExpr([relax.DataflowBlock([*writer.bindings, returned])], result)
    attributes: dict[str, object] = {"Composite": f"tinycc.{Stage.kind}", "Primitive": True}
    if stage.grid != UNCUT:
        attributes[GRID] = [stage.grid.bands, stage.grid.strips, int(stage.grid.by_layers)]
    distances = overlap_distances(stage)
    if distances:
        attributes[OVERLAP_DISTANCES] = distances
    return relax.Function(parameters, body, result.ty).with_attrs(attributes)
