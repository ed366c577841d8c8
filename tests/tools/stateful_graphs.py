"""Random modules with states that are read before and after their update, from a seed.

All they compute is exact in real numbers, too: integers are moved, compared, or summed under scales that are
powers of two. So C must equal TVM's VM to the bit.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tvm
from tvm import relax

from tests.passes.layout_tools import QUICK_LLVM
from tests.tools.kernel_runner import dequantized, module_of, quantized
from tests.tools.tflite_writer import TFLiteWriter
from tinycc import tvm_adapter
from tinycc.frontend.load import load_model
from tinycc.states import read_states

SCALE = 2.0**-4
# Of SVDF's weights and of its output.
WEIGHT_SCALE, OUTPUT_SCALE = 2.0**-2, 2.0**-8
IMAGE = (1, 4, 3, 2)
FILTERS, MEMORY = 3, 2


def exact_svdf(generator: np.random.Generator, inputs: int) -> relax.Function:
    """A composite function of int8 [1,inputs] and a state int8 [1,6], of small weights."""
    net = TFLiteWriter()
    feature = generator.integers(-1, 2, (FILTERS, inputs)).astype(np.int8)
    time = generator.integers(-3, 4, (FILTERS, MEMORY)).astype(np.int8)
    x = net.add_tensor("x", (1, inputs), scale=SCALE, zero_point=0)
    operands = [
        x,
        net.add_tensor("feature", feature.shape, scale=WEIGHT_SCALE, data=feature),
        net.add_tensor("time", time.shape, scale=WEIGHT_SCALE, data=time),
        -1,
        net.add_tensor("state", (1, time.size), scale=SCALE * WEIGHT_SCALE, zero_point=0, variable=True),
    ]
    y = net.add_tensor("y", (1, FILTERS), scale=OUTPUT_SCALE, zero_point=0)
    net.add_operator("SVDF", operands, [y], "SVDFOptions", Rank=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "svdf.tflite"
        path.write_bytes(net.finish([x], [y]))
        module = load_model(path)
    [function] = [item for item in module.functions.values() if tvm_adapter.attribute(item, "Composite")]
    return function


@dataclass
class _Graph:
    """What a random body has computed so far, all of it int8."""

    random: np.random.Generator
    values: list[relax.Expr] = field(default_factory=list)

    def emit(self, value: relax.Expr) -> relax.Expr:
        """A new value that may be read from now on."""
        self.values.append(relax.BlockBuilder.current().emit(value))
        return self.values[-1]

    def any(self) -> relax.Expr:
        return self.values[int(self.random.integers(len(self.values)))]

    def fitted(self, value: relax.Expr, shape: tuple[int, ...]) -> relax.Expr:
        """A value as a tensor of another shape: its elements from the first on, again and again."""
        builder = relax.BlockBuilder.current()
        count, given = int(np.prod(shape)), int(np.prod(tvm_adapter.shape_of(value)))
        if tvm_adapter.shape_of(value) == shape:
            return value
        if given != count:
            value = builder.emit(relax.op.reshape(value, (1, given)))
            if given < count:
                value = builder.emit(relax.op.concat([value] * -(-count // given), 1))
            value = builder.emit(relax.op.strided_slice(value, [1], [0], [count]))
        return builder.emit(relax.op.reshape(value, shape))

    def image(self) -> relax.Expr:
        return self.fitted(self.any(), IMAGE)

    def join(self) -> None:
        axis = int(self.random.integers(1, 4))
        self.emit(relax.op.concat([self.image(), self.image()], axis))

    def slice(self) -> None:
        axis = int(self.random.integers(1, 4))
        begin = int(self.random.integers(0, IMAGE[axis]))
        self.emit(relax.op.strided_slice(self.image(), [axis], [begin], [IMAGE[axis]]))

    def pool(self) -> None:
        self.emit(relax.op.nn.max_pool2d(self.image(), (2, 2), layout="NHWC"))

    def transpose(self) -> None:
        self.emit(relax.op.permute_dims(self.image(), [0, *(1 + self.random.permutation(3)).tolist()]))

    def clip(self) -> None:
        self.emit(relax.op.clip(self.any(), -100, 90))

    def add(self) -> None:
        one, other = (dequantized(self.image(), SCALE) for _ in range(2))
        self.emit(quantized(relax.op.add(one, other), SCALE))

    def svdf(self, state: relax.Expr) -> relax.Expr:
        """Reads any value and a state; returns the next."""
        builder = relax.BlockBuilder.current()
        inputs = int(self.random.integers(1, 9))
        callee = builder.add_func(exact_svdf(self.random, inputs), "svdf")
        both = builder.emit(relax.Call(callee, [self.fitted(self.any(), (1, inputs)), state]))
        self.emit(relax.TupleGetItem(both, 0))
        return self.emit(relax.TupleGetItem(both, 1))

    def steps(self) -> list[Callable[[], None]]:
        return [self.join, self.slice, self.pool, self.transpose, self.clip, self.add, self.add]


def stateful_module(seed: int, operators: int = 6) -> tvm.IRModule:
    """A module of one input and three states, two images, one of them initially an array, and filters."""
    generator = np.random.default_rng(seed)
    memory = (1, FILTERS * MEMORY)

    def body(*parameters: relax.Expr) -> list[relax.Expr]:
        graph = _Graph(generator, list(parameters))
        states = list(parameters[1:])
        held: list[relax.Expr] = [states[2]]
        for _ in range(operators):
            if generator.random() < 0.3:
                # The state, or what it has become already.
                held.append(graph.svdf(held[int(generator.integers(len(held)))]))
            else:
                steps = graph.steps()
                steps[int(generator.integers(len(steps)))]()
        results = [graph.any() for _ in range(2)]
        images = [states[0], states[1], graph.image(), graph.image(), graph.fitted(graph.any(), IMAGE)]
        following = [images[int(generator.integers(len(images)))] for _ in range(2)]
        last = held[-1] if generator.random() < 0.7 else graph.fitted(graph.any(), memory)
        return [*results, *following, last]

    image = generator.integers(-128, 128, IMAGE).astype(np.int8)
    states = [(IMAGE, "int8", 3), (IMAGE, "int8", image), (memory, "int8", 0)]
    return module_of([(IMAGE, "int8")], body, states)


def run_states_on_vm(module: tvm.IRModule, cases: list[np.ndarray]) -> list[list[np.ndarray]]:
    """The outputs of inferences one after the other, states handed on; of a module with one input."""
    machine = relax.VirtualMachine(tvm.compile(module, target=QUICK_LLVM), tvm.cpu())
    main = module["main"]
    states = [
        np.ascontiguousarray(state.initial_array(variable))
        for variable, state in zip(main.params[1:], read_states(main), strict=True)
    ]
    outputs = []
    for case in cases:
        results = [
            item.numpy() for item in machine["main"](*(tvm.runtime.tensor(item) for item in (case, *states)))
        ]
        outputs.append(results[: len(results) - len(states)])
        states = results[len(results) - len(states) :]
    return outputs
