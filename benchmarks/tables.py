"""The tables of docs/benchmarks.md, as Markdown."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.peer_figures import PEERS, PeerFigures
from benchmarks.records import RESULTS, FileSizes, Measurement, Setting

CORES = {
    "cortex-m0": "M0",
    "cortex-m3": "M3",
    "cortex-m4": "M4",
    "cortex-m7": "M7",
    "cortex-m33": "M33",
    "cortex-m55": "M55",
    "rv32imc": "RV32IMC",
}
# The least code that TFLite Micro needs for any of the models; it stores the whole file beside it.
TFLM_LEAST_CODE_BYTES = 28_000
PORTABLE = Setting("cortex-m4", kernels="portable")
LOW_MEMORY = {core: Setting(core, optimize_for="memory") for core in ("cortex-m4", "cortex-m55")}


@dataclass(frozen=True)
class Results:
    """All that was measured."""

    by_setting: dict[Setting, dict[str, Measurement]]
    files: dict[str, FileSizes]

    @property
    def peers(self) -> list[PeerFigures]:
        """The peers' figures for the models that were measured in all settings."""
        return [peer for peer in PEERS if all(peer.model in found for found in self.by_setting.values())]

    def of(self, setting: Setting, model: str) -> Measurement:
        """A model in a setting."""
        return self.by_setting[setting][model]

    def instructions(self, setting: Setting, model: str) -> int:
        """Of one inference."""
        return self.of(setting, model).instructions


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose first column is text and all others numbers."""
    lines = [headings, ["---", *["--:"] * (len(headings) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def write_measured(page: Path, text: str, mark: str = "measured") -> None:
    """Put tables between the marks of a page, which are `<!-- measured -->` and `<!-- end -->`."""
    begin, end = f"<!-- {mark} -->\n", "<!-- end -->\n"
    before, rest = page.read_text(encoding="utf-8").split(begin)
    page.write_text(f"{before}{begin}{text}{end}{rest.partition(end)[2]}", encoding="utf-8")


def number(value: int | None) -> str:
    """With separators; nothing where there is none."""
    return "" if value is None else f"{value:,}"


def percent(values: Sequence[float]) -> str:
    """Mean and its standard error, in points, of two values or more."""
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{100 * np.mean(values):.1f} ± {100 * error:.1f}"


def ratio(part: float | None, whole: float | None) -> str:
    """`part` / `whole` with two digits, where there are both."""
    return f"{part / whole:.2f}" if part is not None and whole else ""


def peer_instructions(results: Results) -> str:
    """Tinycc beside TFLite Micro and TinyEngine, by core."""
    rows = []
    for peer in results.peers:
        counts = {core: results.instructions(Setting(core), peer.model) for core in CORES}
        m4, m7, m55 = (counts[core] for core in ("cortex-m4", "cortex-m7", "cortex-m55"))
        rows.append(
            [
                peer.model, number(m4), number(peer.tflm.m4), ratio(m4, peer.tflm.m4),
                number(peer.tinyengine.m4), ratio(m4, peer.tinyengine.m4),
                number(m7), ratio(m7, peer.tflm.m7),
                number(m55), number(peer.tflm.m55), ratio(m55, peer.tflm.m55),
            ]
        )  # fmt: skip
    headings = [
        "model", "M4", "TFLM M4", "ratio", "TinyEngine M4", "ratio", "M7", "to TFLM M7",
        "M55", "TFLM M55", "ratio",
    ]  # fmt: skip
    notes = [f"{peer.model}: {peer.tinyengine.note}" for peer in results.peers if peer.tinyengine.note]
    return table(headings, rows) + "\nTinyEngine: " + "; ".join(notes) + ".\n"


def peer_portable(results: Results) -> str:
    """The portable kernels, forced on a Cortex-M4, beside TFLite Micro's reference kernels."""
    rows = []
    for peer in results.peers:
        count = results.instructions(PORTABLE, peer.model)
        reference = peer.tflm.m4_reference
        cells = [
            results.instructions(Setting(core), peer.model) for core in ("cortex-m0", "cortex-m3", "rv32imc")
        ]
        rows.append(
            [peer.model, number(count), number(reference), ratio(count, reference), *map(number, cells)]
        )
    return table(["model", "portable on M4", "TFLM reference M4", "ratio", "M0", "M3", "RV32IMC"], rows)


def low_memory(results: Results) -> str:
    """What the schedules of least memory cost in instructions, as a share of the fastest."""
    rows = []
    for peer in results.peers:
        cells = []
        for core, low in LOW_MEMORY.items():
            fast, small = results.of(Setting(core), peer.model), results.of(low, peer.model)
            cells += [
                number(fast.arena_bytes),
                number(small.arena_bytes),
                ratio(small.instructions, fast.instructions),
            ]
        rows.append([peer.model, *cells, number(results.of(Setting("cortex-m4"), peer.model).stack_bytes)])
    headings = [
        "model",
        "arena M4",
        "least",
        "instructions",
        "arena M55",
        "least",
        "instructions",
        "stack M4",
    ]
    return table(headings, rows)


def peer_flash(results: Results) -> str:
    """Code and constants on an M4 and an M55."""
    rows = []
    for peer in results.peers:
        m4, m55 = (results.of(Setting(core), peer.model) for core in ("cortex-m4", "cortex-m55"))
        file = results.files[peer.model]
        least = TFLM_LEAST_CODE_BYTES + file.bytes
        rows.append([peer.model])
        for item in (m4, m55):
            rows[-1] += [
                number(item.code_bytes), number(item.const_bytes), ratio(item.const_bytes, file.weight_bytes),
                ratio(item.code_bytes + item.const_bytes, least),
            ]  # fmt: skip
        rows[-1] += [number(file.weight_bytes), number(least)]
    headings = ["model"]
    for core in ("M4", "M55"):
        headings += [f"code {core}", f"constants {core}", "to weights", "to TFLM"]
    headings += ["weights in the file", "TFLM at least"]
    return table(headings, rows)


def all_models(results: Results, *, per_mac: bool) -> str:
    """Every corpus model on every core: instructions, or instructions per multiply-accumulate."""
    rows = []
    for name in sorted(set.intersection(*(set(results.by_setting[Setting(core)]) for core in CORES))):
        found = [results.of(Setting(core), name) for core in CORES]
        cells = [
            ratio(item.instructions, item.macs) if per_mac else number(item.instructions) for item in found
        ]
        rows.append([name, number(found[0].macs), *cells])
    return table(["model", "MACs", *CORES.values()], rows)


def all_sizes(results: Results, core: str) -> str:
    """Arena, stack and flash of every corpus model on a core."""
    headings = ["model", "arena", "lower bound", "stack", "code", "constants", "weights in the file", "file"]
    rows = []
    for name, found in sorted(results.by_setting[Setting(core)].items()):
        file = results.files[name]
        rows.append(
            [
                name, number(found.arena_bytes), number(found.lower_bound_bytes), number(found.stack_bytes),
                number(found.code_bytes), number(found.const_bytes),
                number(file.weight_bytes), number(file.bytes),
            ]
        )  # fmt: skip
    return table(headings, rows)


def kinds(results: Results, core: str) -> str:
    """All corpus models together: what each kind of operator takes on a core."""
    macs: dict[str, int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    members: dict[str, int] = defaultdict(int)
    for found in results.by_setting[Setting(core)].values():
        for operator, count in zip(found.operators, found.operator_instructions, strict=True):
            macs[operator.kind] += operator.macs
            counts[operator.kind] += count
            members[operator.kind] += 1
    total = sum(counts.values())
    rows = [
        [
            kind,
            number(members[kind]),
            number(counts[kind]),
            f"{counts[kind] / total:.1%}",
            ratio(counts[kind], macs[kind]),
        ]
        for kind in sorted(counts, key=counts.__getitem__, reverse=True)
    ]
    return table(["operator", "instances", "instructions", "share", "per MAC"], rows)


def operators(results: Results, model: str) -> str:
    """Every operator of a model on an M4 and an M55, folded away."""
    m4, m55 = (results.of(Setting(core), model) for core in ("cortex-m4", "cortex-m55"))
    rows = [
        [
            item.name,
            number(item.macs or None),
            number(on_m4),
            ratio(on_m4, item.macs),
            number(on_m55),
            ratio(on_m55, item.macs),
        ]
        for item, on_m4, on_m55 in zip(
            m4.operators, m4.operator_instructions, m55.operator_instructions, strict=True
        )
    ]
    headings = ["operator", "MACs", "M4", "per MAC", "M55", "per MAC"]
    return f"<details><summary>{model}</summary>\n\n{table(headings, rows)}\n</details>\n"


def host_speed() -> str:
    """How many times as long the others take on the host; "" where it was not measured."""
    path = RESULTS / "host.json"
    if not path.exists():
        return ""
    found = json.loads(path.read_text(encoding="utf-8"))
    columns = [key for key in next(iter(found.values())) if key != "ms"]
    rows = [
        [name, f"{values['ms']:.3f}", *(f"{values[key]:.2f}" for key in columns)]
        for name, values in found.items()
    ]
    return table(["model", "tinycc -O2, ms", *columns], rows)


def predictions() -> str:
    """How well the cost model predicts what was counted."""
    found = json.loads((RESULTS / "costs.json").read_text(encoding="utf-8"))
    rows = [
        [
            f"`{kernel}`" if kernel != "any" else _all_kernels(variant),
            number(quality["samples"]),
            f"{quality['median_error']:.1%}",
            f"{quality['largest_error']:.1%}",
        ]
        for variant, kernels in found.items()
        for kernel, quality in kernels.items()
    ]
    return table(["kernel", "counted operators", "median error", "largest error"], rows)


def _all_kernels(name: str) -> str:
    """What is said of the kernels of a variant, or of a variant on an instruction set of its own."""
    variant, on, instruction_set = name.partition(" on ")
    return f"all {variant} kernels{on}{instruction_set} together"
