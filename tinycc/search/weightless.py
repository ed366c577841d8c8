"""The graph of an architecture, with operators that have no weights.

What candidates, planner and cost model ask of an operator follows from its geometry, so operators are made
once for each geometry, and what was found out of them is kept with them: the networks of a search share
most of their operators.
"""

import functools
from collections.abc import Sequence

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import Edge, Edges, with_edges
from tinycc.graph import Node, OperatorGraph, Value
from tinycc.limits import SearchLimits
from tinycc.ops import add, conv2d, dense, depthwise_conv2d, input_rows, reduce
from tinycc.ops.add.view import Add
from tinycc.ops.arithmetic import Assumed
from tinycc.ops.base import Operator
from tinycc.ops.conv2d.view import Conv2D
from tinycc.ops.dense.view import Dense as DenseView
from tinycc.ops.depthwise_conv2d.view import DepthwiseConv2D
from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.input_rows import ROW_INPUT, InputRows
from tinycc.ops.overlap import overlap_distances
from tinycc.ops.reduce.view import Reduce
from tinycc.ops.tensor import Tensor
from tinycc.ops.window import Window
from tinycc.passes.order_operators import ordered
from tinycc.passes.select_kernels import with_best_kernel
from tinycc.search.architecture import (
    Architecture,
    Convolution,
    Dense,
    Depthwise,
    Layer,
    Mean,
    Pair,
    Residual,
    Shape,
)
from tinycc.search.canonical import FREE, Parameters, parameters_after

# More geometries than a search meets between two networks that have one in common.
_MOST_OPERATORS = 1 << 16
_FULL = INTEGER_RANGE["int8"]


def weightless_graph(
    architecture: Architecture,
    features: Sequence[str],
    instruction_set: str,
    is_fed_by_rows: bool,
    limits: SearchLimits,
) -> OperatorGraph:
    """The graph on which the schedule of an architecture is chosen: kernels chosen, in its final order.

    features, instruction_set: of the core.
    is_fed_by_rows: whether the caller hands over the input row by row.
    """
    image = relax.Var("x", _type(architecture.input_shape))
    nodes: list[Node] = []

    def add_node(view: Operator, operands: Sequence[relax.Var], shape: Shape) -> relax.Var:
        variable = relax.DataflowVar(f"lv{len(nodes)}", _type(shape))
        nodes.append(_node(len(nodes), variable, view, operands))
        return variable

    features = tuple(features)
    source: relax.Var = image
    if is_fed_by_rows:
        rows = _input_rows(architecture.input_shape, instruction_set)
        source = add_node(rows, [image], architecture.input_shape)
    made = [source]
    parameters = [parameters_after(None)]
    for index, layer in enumerate(architecture.layers):
        read = [-1, layer.of + 1] if isinstance(layer, Residual) else [-1]
        sources = tuple(parameters[place] for place in read)
        view = _operator(layer, architecture.source_shape(index), sources, features, instruction_set)
        made.append(add_node(view, [made[place] for place in read], architecture.shapes[index]))
        parameters.append(parameters_after(layer))
    module = _module(image, nodes, is_fed_by_rows)
    values: dict[relax.Var, Value] = {
        variable: variable for variable in (image, *(n.variable for n in nodes))
    }
    return ordered(OperatorGraph(module, tuple(nodes), values, {}, (made[-1],)), limits)


def _node(index: int, variable: relax.Var, view: Operator, operands: Sequence[relax.Var]) -> Node:
    call = relax.Call(tvm.ir.GlobalVar(f"{view.kind}{index}"), list(operands), ret_ty=variable.ty)
    reads = tuple(dict.fromkeys(operands))
    return Node(index, variable, call, view, reads, tuple(operands), (variable,), _distances(view))


def _module(image: relax.Var, nodes: Sequence[Node], is_fed_by_rows: bool) -> tvm.IRModule:
    """`main` alone: no function is asked for what it computes."""
    bindings = [relax.VarBinding(node.variable, node.call) for node in nodes]
    result = nodes[-1].variable
    body = relax.SeqExpr([relax.DataflowBlock(bindings)], result)
    edges = [Edge(name, "int8", tvm_adapter.shape_of(item)) for name, item in (("x", image), ("y", result))]
    main = with_edges(relax.Function([image], body, result.ty), Edges((edges[0],), (edges[1],)))
    return tvm.IRModule({"main": main.with_attr(ROW_INPUT, 0) if is_fed_by_rows else main})


@functools.lru_cache(_MOST_OPERATORS)
def _type(shape: Shape) -> relax.Type:
    return relax.TensorType((1, *shape), "int8")


@functools.lru_cache(_MOST_OPERATORS)
def _distances(view: Operator) -> dict[int, int]:
    return {int(index): distance for index, distance in overlap_distances(view).items()}


@functools.lru_cache(_MOST_OPERATORS)
def _input_rows(shape: Shape, instruction_set: str) -> Operator:
    tensors = _tensor(shape, FREE, 0), _tensor(shape, FREE)
    view = InputRows(tensors[:1], tensors[1:], kernels=input_rows.ROOM.kernels)
    return with_best_kernel(view, (), instruction_set)


@functools.lru_cache(_MOST_OPERATORS)
def _operator(
    layer: Layer,
    source_shape: Shape,
    sources: tuple[Parameters, ...],
    features: tuple[str, ...],
    instruction_set: str,
) -> Operator:
    """The operator of a layer, run by the best kernel of a core with these features.

    source_shape: of all that it reads. sources: scale and zero point of each.
    """
    inputs = tuple(_tensor(source_shape, item, index) for index, item in enumerate(sources))
    tensors = inputs, (_tensor(layer.output_shape(source_shape), parameters_after(layer)),)
    view: Operator
    match layer:
        case Convolution():
            window = _window(layer.kernel, layer.stride)
            view = Conv2D(*tensors, Assumed(), window, 1, kernels=conv2d.ROOM.kernels)
        case Depthwise():
            window = _window(layer.kernel, layer.stride)
            view = DepthwiseConv2D(*tensors, Assumed(), window, kernels=depthwise_conv2d.ROOM.kernels)
        case Dense():
            view = DenseView(*tensors, Assumed(), kernels=dense.ROOM.kernels)
        case Residual():
            view = Add(*tensors, _FULL, 1, kernels=add.ROOM.kernels)
        case Mean():
            view = Reduce(*tensors, (1, 2), True, _FULL, kernels=reduce.ROOM.kernels)
    return with_best_kernel(view, features, instruction_set)


def _tensor(shape: Shape, parameters: Parameters, parameter: int | None = None) -> Tensor:
    scale, zero_point = parameters
    return Tensor((1, *shape), "int8", scale, zero_point, parameter)


def _window(kernel: Pair, stride: Pair) -> Window:
    return Window(kernel, stride, (kernel[0] // 2, kernel[1] // 2))
