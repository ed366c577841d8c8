"""What was measured, and the files it is kept in: one for each core and way of compiling."""

import json
import platform
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tinycc.ops.kernel import PORTABLE
from tinycc.schedule.costs import fitted_set
from tinycc.target import TARGETS, Target

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def processor_name() -> str:
    """As Linux tells it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@dataclass(frozen=True)
class Setting:
    """A core and how to compile for it; `name` is that of its file of results."""

    core: str
    kernels: Literal["auto", "portable"] = "auto"
    optimize_for: Literal["latency", "memory"] = "latency"

    @property
    def name(self) -> str:
        """The core, and what differs from the defaults."""
        extras = [self.kernels] * (self.kernels != "auto") + [self.optimize_for] * (
            self.optimize_for != "latency"
        )
        return "-".join([self.core, *extras])

    @property
    def target(self) -> Target:
        """The core's target."""
        return TARGETS[self.core]

    @property
    def generated_by(self) -> tuple[object, ...]:
        """What the generated sources depend on: settings in which this is equal share them."""
        features = self.target.features if self.kernels == "auto" else ()
        used = tuple(item for item in features if item != "fpu")
        return (used, fitted_set(self.target.instruction_set, PORTABLE), self.optimize_for)


# A Cortex-M85's code runs on the board of a Cortex-M55, and executes the same instructions.
SETTINGS = (
    *(Setting(name) for name, target in TARGETS.items() if target.boards and name != "cortex-m85"),
    Setting("cortex-m4", kernels="portable"),
    Setting("cortex-m4", optimize_for="memory"),
    Setting("cortex-m55", optimize_for="memory"),
)


@dataclass(frozen=True)
class FileSizes:
    """Of a model file: all of it, and the constants in it."""

    bytes: int
    weight_bytes: int


@dataclass(frozen=True)
class Operator:
    """One operator of a model, as its report has it."""

    name: str
    kind: str
    macs: int


@dataclass(frozen=True)
class Measurement:
    """One inference of a model on a core; bytes and executed instructions.

    operator_instructions: of each of `operators`; a few more than without counting them.
    weight_bytes: of constants by the compiler's own account; const_bytes is what the linker made of it.
    fingerprint: of the generated sources, the compiler and its flags. What is measured is a function of it.
    """

    instructions: int
    macs: int
    arena_bytes: int
    lower_bound_bytes: int
    stack_bytes: int
    code_bytes: int
    const_bytes: int
    weight_bytes: int
    operators: tuple[Operator, ...]
    operator_instructions: tuple[int, ...]
    fingerprint: str

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Measurement":
        """The measurement that `to_json` wrote."""
        operators = tuple(Operator(*item) for item in fields["operators"])
        counts = tuple(fields["operator_instructions"])
        return cls(**{**fields, "operators": operators, "operator_instructions": counts})

    def to_json(self) -> dict[str, Any]:
        """All fields as plain values, an operator as a list."""
        fields = asdict(self)
        fields["operators"] = [[item.name, item.kind, item.macs] for item in self.operators]
        return fields


def compiler_version(target: Target) -> str:
    """What the target's compiler calls itself, in one line."""
    command = [f"{target.compiler}gcc", "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def read_results(setting: Setting, folder: Path = RESULTS) -> dict[str, Measurement]:
    """The measurements of a setting by model; {} where there are none yet."""
    path = folder / f"{setting.name}.json"
    if not path.exists():
        return {}
    models = json.loads(path.read_text(encoding="utf-8"))["models"]
    return {name: Measurement.from_json(fields) for name, fields in models.items()}


def compiler_of(setting: Setting, folder: Path = RESULTS) -> str:
    """The compiler that the measurements of a setting were made with."""
    return str(json.loads((folder / f"{setting.name}.json").read_text(encoding="utf-8"))["compiler"])


def read_file_sizes(folder: Path = RESULTS) -> dict[str, FileSizes]:
    """Of the models that were measured."""
    path = folder / "files.json"
    fields = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {name: FileSizes(*sizes) for name, sizes in fields.items()}


def write_file_sizes(sizes: dict[str, FileSizes], folder: Path = RESULTS) -> None:
    """Write them all, a line for each model."""
    lines = [
        f"{json.dumps(name)}: [{sizes[name].bytes}, {sizes[name].weight_bytes}]" for name in sorted(sizes)
    ]
    (folder / "files.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def write_results(setting: Setting, measurements: dict[str, Measurement], folder: Path = RESULTS) -> None:
    """Write the measurements of a setting, a line for each field that is not a list of lists."""
    models = {name: measurements[name].to_json() for name in sorted(measurements)}
    lines = [
        f"{json.dumps(name)}: {{\n"
        + ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in fields.items())
        + "\n }"
        for name, fields in models.items()
    ]
    head = (
        f'{{"core": {json.dumps(setting.core)}, "compiler": {json.dumps(compiler_version(setting.target))},'
    )
    text = head + '\n"models": {\n ' + ",\n ".join(lines) + "\n}}\n"
    (folder / f"{setting.name}.json").write_text(text, encoding="utf-8")
