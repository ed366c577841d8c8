"""Several models in one firmware: states apart, one memory for what does not outlive an inference."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tvm
from click.testing import CliRunner
from tvm import relax

import tinycc
from tests.passes.layout_tools import QUICK_LLVM
from tests.tools.kernel_runner import dequantized, module_of, quantized
from tests.tools.linked_models import take_turns
from tests.tools.stateful_graphs import run_states_on_vm
from tests.tools.streaming_graphs import streaming
from tinycc.cli import main
from tinycc.errors import BudgetError, OutputError, UnsupportedError
from tinycc.run import run
from tinycc.run.toolchain import WARNINGS

STEPS = 5
IMAGE = (1, 6, 5, 3)


def pooled() -> tvm.IRModule:
    """A model without state."""

    def body(x: relax.Expr) -> relax.Expr:
        pool = relax.op.nn.max_pool2d(dequantized(x, 0.1), pool_size=(3, 3), layout="NHWC")
        return quantized(pool, 0.1)

    return module_of([(IMAGE, "int8")], body)


MODULES: dict[str, tvm.IRModule] = {
    "one": streaming((1, 5, 1, 4), (1, 2, 1, 4), 1, "cut", seed=1),
    "two": streaming((1, 3, 1, 7), (1, 1, 1, 7), 1, "shifted", seed=2),
    "whole": pooled(),
    "fed": pooled(),
}
INPUTS = {
    name: np.random.default_rng(index).integers(-128, 128, (STEPS, *shape)).astype(np.int8)
    for index, (name, shape) in enumerate(
        {"one": (1, 2, 1, 4), "two": (1, 1, 1, 7), "whole": IMAGE, "fed": IMAGE}.items()
    )
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All models, compiled for one target; the last is fed by rows."""
    parent = tmp_path_factory.mktemp("models")
    for name, module in MODULES.items():
        mode = "rows" if name == "fed" else "tensor"
        compiled = tinycc.compile(module, io="float", name=name, input_mode=mode)
        compiled.export(parent / name)
    return {name: parent / name for name in MODULES}


def expected(name: str) -> np.ndarray:
    """The output of each step, on TVM's VM."""
    if name in ("one", "two"):
        return np.array([outputs[0] for outputs in run_states_on_vm(MODULES[name], list(INPUTS[name]))])
    machine = relax.VirtualMachine(tvm.compile(MODULES[name], target=QUICK_LLVM), tvm.cpu())
    return np.array([machine["main"](tvm.runtime.tensor(case)).numpy() for case in INPUTS[name]])


NAMES = ["one", "whole", "two", "fed"]


@pytest.fixture(scope="module")
def linked(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("linked") / "firmware"
    tinycc.link([folders[name] for name in NAMES], path)
    return path


@pytest.mark.parametrize("on", ["host", "cortex-m4"])
def test_models_take_turns(
    on: str, linked: Path, folders: dict[str, Path], tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    if on != "host":
        require_tool("arm-none-eabi-gcc")
        require_tool("qemu-system-arm")
    turns = take_turns(linked, [folders[name] for name in NAMES], tmp_path / "turns")
    inputs = [INPUTS[name] for name in NAMES]
    outputs = run(turns, on, inputs, keep_state=True, sanitize=on == "host").outputs
    for name, found in zip(NAMES, outputs, strict=True):
        np.testing.assert_array_equal(found, expected(name), name)


def test_memory_is_the_largest_inference_and_all_states(linked: Path, folders: dict[str, Path]) -> None:
    report = json.loads((linked / "report.json").read_text())
    arenas = {name: json.loads((path / "report.json").read_text()) for name, path in folders.items()}
    states = {name: arenas[name]["state_bytes"] for name in NAMES}
    assert report["shared_bytes"] == max(model["work_bytes"] for model in report["models"])
    assert [model["state_bytes"] for model in report["models"]] == [states[name] for name in NAMES]
    padding = 8 * sum(size > 0 for size in states.values())
    assert report["memory_bytes"] <= report["shared_bytes"] + sum(states.values()) + padding
    assert report["separate_bytes"] == sum(arenas[name]["arena_bytes"] for name in NAMES)


_WAITING = """
#include <stdio.h>
#include "firmware.h"

static int8_t row[15];

int main(void)
{
    firmware_reset();
    printf("%d ", firmware_fed_push_row(row));
    printf("%d %d ", firmware_one_invoke(), firmware_one_input(0) == NULL);
    for (int y = 1; y < 6; ++y) {
        printf("%d ", firmware_fed_push_row(firmware_fed_row()));
    }
    printf("%d %d ", firmware_one_input(0) != NULL, firmware_one_invoke());
    firmware_fed_row();
    printf("%d ", firmware_whole_invoke());
    firmware_one_reset();
    printf("%d ", firmware_whole_invoke());
    firmware_fed_reset();
    printf("%d", firmware_whole_invoke());
    return 0;
}
"""


def test_others_are_refused_while_a_model_waits_for_rows(
    linked: Path, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    (tmp_path / "waiting.c").write_text(_WAITING)
    sources = [str(path) for path in linked.glob("*.c") if path.name != "main.c"]
    command = [require_tool("gcc"), "-std=c99", *WARNINGS, "-Werror", f"-I{linked}", "waiting.c", *sources]
    subprocess.run([*command, "-lm", "-o", "waiting"], cwd=tmp_path, check=True)
    told = subprocess.run([tmp_path / "waiting"], capture_output=True, text=True, check=True).stdout
    # A first row; refused, without memory; the other rows, the last of which is the end; then not refused.
    assert told == "0 -1 1 0 0 0 0 1 1 1 -1 -1 1"


def test_the_folder_builds_by_itself(
    linked: Path, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    subprocess.run(["cp", "-r", linked, tmp_path / "built"], check=True)
    built = tmp_path / "built"
    subprocess.run([require_tool("make"), "-s", "example", "CFLAGS=-O1"], cwd=built, check=True)
    told = subprocess.run([built / "example"], capture_output=True, text=True, check=True).stdout
    assert [line.split(":")[0] for line in told.splitlines()] == NAMES


def test_the_command_links(folders: dict[str, Path], tmp_path: Path) -> None:
    arguments = [
        "link",
        str(folders["one"]),
        str(folders["two"]),
        "-o",
        str(tmp_path / "out"),
        "--name",
        "wake",
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "wake.h").is_file()
    assert "shared" in result.output


def test_what_cannot_be_linked_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    one, two = folders["one"], folders["two"]
    out = tmp_path / "out"
    with pytest.raises(UnsupportedError, match="two compiled models or more"):
        tinycc.link([one], out)
    with pytest.raises(UnsupportedError, match="'one' is the name of more than one"):
        tinycc.link([one, two, one], out)
    with pytest.raises(UnsupportedError, match="'one' is the name of more than one"):
        tinycc.link([one, two], out, name="one")
    with pytest.raises(BudgetError, match="more than the 16 bytes of SRAM given"):
        tinycc.link([one, two], out, sram=16)
    with pytest.raises(OutputError, match="is not a folder made by 'tinycc compile'"):
        tinycc.link([one, tmp_path], out)
    other = tmp_path / "other"
    tinycc.compile(MODULES["two"], io="float", name="other", target="cortex-m55").export(other)
    with pytest.raises(UnsupportedError, match="compiled for cortex-m4 and cortex-m55"):
        tinycc.link([one, other], out)
    assert not out.exists()
