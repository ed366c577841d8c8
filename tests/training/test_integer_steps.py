"""Training steps in integers: the same on every core and on the VM, and small enough for a micro:bit."""

from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.passes.layout_tools import run_on_vm
from tests.tools.kernel_runner import module_of
from tests.tools.networks import Network, shared
from tinycc import training
from tinycc.errors import TrainingError
from tinycc.graph import OperatorGraph
from tinycc.passes.fuse_quantized_ops import FuseQuantizedOps
from tinycc.passes.lower_fallbacks import LowerFallbacks
from tinycc.passes.pipeline import composite_passes
from tinycc.run import RunResult, train
from tinycc.states import read_states
from tinycc.training import LayerScheme, Scheme
from tinycc.training.build_backward import BuildBackward
from tinycc.training.channels import trained_elements
from tinycc.training.layers import layers_of
from tinycc.training.mark_trainable import MarkTrainable
from tinycc.training.save_masks import SaveMasks

STEPS, RATE, CLASSES = 20, 1e-3, 5


def varied_network() -> tvm.IRModule:
    """Whatever gradients go through: strides, a residual block, a gate, pools, a table, a mean."""
    network = Network()

    def body(x: relax.Expr) -> relax.Expr:
        first = network.convolution(x, 8, 3, kernel=3, stride=2)
        deep = network.convolution(network.depthwise(first, 8), 8, 8)
        both = network.add(deep, first)
        gate = network.convolution(network.mean(both), 8, 8)
        pooled = network.pooled(network.scaled(both, network.curved(gate)))
        wide = network.average(network.convolution(pooled, 12, 8), (2, 1))
        return network.dense(network.mean(wide), 12, CLASSES)

    return shared(module_of([((1, 8, 8, 3), "int8")], body))


# Some layers train in part: the gradient of such a one's input is of the frozen weights and of the others.
SPARSE = Scheme(
    {
        "conv2d_1": LayerScheme(bias=True, weights=0.5),
        "depthwise_conv2d_0": LayerScheme(bias=False, weights=0.5),
        "conv2d_3": LayerScheme(bias=True, weights=0.0),
        "dense_0": LayerScheme(bias=True, weights=0.75),
    }
)


@pytest.fixture(scope="module")
def examples() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(-128, 128, (STEPS, 8, 8, 3)).astype(np.int8), random.integers(0, CLASSES, STEPS)


def trained(
    folder: Path,
    core: str,
    on: str,
    examples: tuple[np.ndarray, np.ndarray],
    scheme: Scheme | None = None,
    sanitize: bool = False,
) -> RunResult:
    """Steps of all layers, or as a scheme says, compiled for a core."""
    chosen = scheme or training.full
    compiled = training.compile(varied_network(), scheme=chosen, target=core, gradients="integer")
    compiled.export(folder)
    kinds = {operator["kind"] for operator in compiled.report["training"]["operators"]}
    assert {
        "clamp_mask",
        "add_gradients",
        "multiply_gradient",
        "max_pool_gradient",
        "table_gradient",
    } <= kinds
    return train(folder, on, [examples[0]], examples[1], RATE, sanitize=sanitize)


@pytest.fixture(scope="module")
def on_host(tmp_path_factory: pytest.TempPathFactory, examples: tuple[np.ndarray, np.ndarray]) -> RunResult:
    result = trained(tmp_path_factory.mktemp("c") / "c", "cortex-m0", "host", examples, sanitize=True)
    assert result.warnings == ""
    return result


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4", "rv32imc"])
def test_every_core_gets_the_same_weights(
    tmp_path: Path, examples: tuple[np.ndarray, np.ndarray], on_host: RunResult, core: str
) -> None:
    result = trained(tmp_path / "c", core, core, examples)
    np.testing.assert_array_equal(result.outputs[0], on_host.outputs[0])
    assert result.states is not None and on_host.states is not None
    for name, state in on_host.states.items():
        np.testing.assert_array_equal(result.states[name], state, err_msg=name)


@pytest.mark.parametrize("scheme", [None, SPARSE], ids=["full", "sparse"])
def test_the_simulation_takes_the_same_steps(
    tmp_path: Path,
    examples: tuple[np.ndarray, np.ndarray],
    on_host: RunResult,
    scheme: Scheme | None,
) -> None:
    pytest.importorskip("torch", reason="the simulation needs the extra tinycc[torch]")
    from tinycc.training.simulation import Data, IntegerNetwork, Run, simulate

    result = on_host
    if scheme is not None:
        result = trained(tmp_path / "c", "cortex-m4", "host", examples, scheme)
    network = IntegerNetwork.load(varied_network())
    data, run = Data([examples[0]], examples[1]), Run(rate=RATE, scheme=scheme)
    [simulated] = simulate(network, data, runs=[run], shuffled=False, gradients="integer")
    assert result.states is not None
    assert {state for state in result.states if state.endswith(("_weights", "_bias"))} == {*simulated.states}
    for name, state in simulated.states.items():
        layer = network.layers[name.rpartition("_")[0]]
        part = LayerScheme(weights=1.0) if scheme is None else scheme.layers[layer.name]
        if name.endswith("_weights"):
            state = state[trained_elements(layer, part.weights) >= 0]
        np.testing.assert_array_equal(result.states[name].reshape(-1), state.reshape(-1), err_msg=name)


def test_a_step_is_what_the_vm_makes_of_it(tmp_path: Path) -> None:
    """By squared error, whose gradient both compute to the bit: there is no exponential in it."""
    network, rate = Network(), 1.0

    def body(x: relax.Expr) -> relax.Expr:
        first = network.convolution(x, 4, 2, kernel=3, stride=2)
        return network.dense(network.add(network.depthwise(first, 4), first), 16, 3)

    whole = shared(module_of([((1, 4, 4, 2), "int8")], body))
    image = np.random.default_rng(0).integers(-128, 128, (1, 4, 4, 2)).astype(np.int8)
    target = np.linspace(-1, 1, 3, dtype=np.float32).reshape(1, 3)
    forward = tvm.transform.Sequential(composite_passes("int8"))(whole)
    scheme = training.full(layers_of(OperatorGraph.of(forward)))
    fusing = [FuseQuantizedOps(), LowerFallbacks()]
    backward = BuildBackward("squared_error", gradients="integer")
    passes = [MarkTrainable(scheme, rate), *fusing, backward, *fusing, SaveMasks()]
    module = tvm.transform.Sequential(passes)(forward)
    states = read_states(module["main"])
    initial = [np.asarray(state.initial) for state in states]
    loss, *after = run_on_vm(module, [image, target, *initial])

    compiled = training.compile(whole, "squared_error", scheme=scheme, gradients="integer")
    compiled.export(tmp_path / "c")
    result = train(tmp_path / "c", "host", [image], target, rate)
    assert result.outputs[0] == loss and result.states is not None
    for state, before, value in zip(states, initial, after, strict=True):
        np.testing.assert_array_equal(result.states[state.name], value, err_msg=state.name)
        assert not state.is_trained or (value != before).any(), state.name


def test_integers_are_for_cores_without_an_fpu() -> None:
    for target, is_integer in (("cortex-m0", True), ("rv32imc", True), ("cortex-m4", False), ("host", False)):
        report = training.compile(small_network(), target=target).report
        kinds = {operator["kind"] for operator in report["training"]["operators"]}
        assert ("quantize_gradient" in kinds) == is_integer, target


def small_network() -> tvm.IRModule:
    """A stride, a depthwise convolution and a dense layer."""
    network = Network()

    def body(x: relax.Expr) -> relax.Expr:
        deep = network.depthwise(network.convolution(x, 8, 1, kernel=3, stride=2), 8, stride=2)
        return network.dense(network.mean(network.convolution(deep, 16, 8)), 16, 3)

    return shared(module_of([((1, 16, 16, 1), "int8")], body))


def test_a_network_learns_in_the_memory_of_a_microbit(tmp_path: Path) -> None:
    """Three kinds of stripes; the program with its stack and its 16 KB, on the board that is emulated."""
    random = np.random.default_rng(1)
    rows, columns = np.mgrid[:16, :16]
    patterns = [np.sin(0.9 * angle) for angle in (rows, columns, rows + columns)]
    labels = np.arange(90) % 3
    noise = random.normal(size=(90, 16, 16))
    images = np.clip(60 * (np.array(patterns)[labels] + noise / 3), -128, 127).astype(np.int8)[
        ..., np.newaxis
    ]
    compiled = training.compile(small_network(), target="cortex-m0", sram="16K")
    compiled.export(tmp_path / "c")
    result = train(tmp_path / "c", "cortex-m0", [images], labels, 0.01)
    assert result.board.startswith("microbit") and result.ram_bytes is not None
    assert result.ram_bytes + (result.stack_bytes or 0) < 16 * 1024
    losses = result.outputs[0].reshape(-1)
    assert losses[-30:].mean() < losses[:30].mean() / 3


def test_what_cannot_be() -> None:
    with pytest.raises(TrainingError, match="gradients cannot be 'int8': choose one of float, integer"):
        training.compile(small_network(), gradients="int8")  # type: ignore[arg-type]
