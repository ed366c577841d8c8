"""The whole compiler: from a model file to a folder of C, one stage after the other."""

import json
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tvm

from tinycc.codegen import OperatorCode, check_name, generate_program, training_code, write_folder
from tinycc.codegen.operator_code import OperatorCall
from tinycc.errors import BudgetError, TinyccError, TinyccWarning, printable
from tinycc.frontend.load import load_model
from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.notes import notes_of, with_note
from tinycc.output_folder import new_folder
from tinycc.passes.infer_edges import has_edges
from tinycc.passes.pipeline import EdgeType, InputMode, KernelChoice, import_passes, passes_for
from tinycc.passes.schedule_stages import considered
from tinycc.plan import INVOKE, TRAIN, Plan, Program, build_plan, build_program
from tinycc.quantization import Preprocessing, QuantizedModel, quantize
from tinycc.quantization.calibration import CalibrationData
from tinycc.quantization.torch_module import exported_program
from tinycc.report.advice import advise
from tinycc.report.explain import explain_excess
from tinycc.report.figures import fullest_report
from tinycc.report.page import render_page
from tinycc.report.pass_records import PassRecord, recorded_passes
from tinycc.report.summary import Request, summarize
from tinycc.report.training import summarize_training
from tinycc.run import run
from tinycc.schedule.options import Objective
from tinycc.schedule.whole_tensors import whole_tensors
from tinycc.target import parse_size, target_named


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """A compiled model: its program and its report, ready to be exported or run."""

    module: tvm.IRModule
    program: Program
    request: Request
    passes: tuple[PassRecord, ...]

    @property
    def plan(self) -> Plan:
        """That of an inference."""
        return self.program.entries[INVOKE]

    @property
    def code(self) -> OperatorCode:
        """The C of the operators."""
        return self._generated[0]

    @cached_property
    def _generated(self) -> tuple[OperatorCode, dict[str, list[OperatorCall]]]:
        return generate_program(self.program, self.request.name)

    @cached_property
    def report(self) -> dict[str, Any]:
        """The content of report.json."""
        is_whole = not any(step.members for step in self.plan.steps)
        whole = None if is_whole else build_plan(whole_tensors(self.module))
        report = summarize(
            self.plan,
            self.code,
            self.request,
            list(self.passes),
            considered(self.module),
            whole,
            notes_of(self.module),
        )
        step = self.program.entries.get(TRAIN)
        return (
            report
            if step is None
            else report | {"training": summarize_training(step, self.code, self.module["main"])}
        )

    def export(self, path: str | Path) -> None:
        """Write the folder of C. The path must not exist, or be an empty folder.

        The folder appears whole or not at all. Raises OutputError.
        """
        with new_folder(Path(path)) as folder:
            self._write(folder)

    def run(self, inputs: list[np.ndarray], *, keep_state: bool = False) -> list[np.ndarray]:
        """Outputs for a batch of cases, computed by the generated C on the host.

        inputs: one array for each model input in the model file's layout, with a leading axis of N cases
            before its batch of 1 or in its place; the outputs come alike. Float arrays are quantized at the
            edge.
        keep_state: the cases are successive steps from a reset; else each begins with one.
        """
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "model"
            self.export(folder)
            return run(folder, "host", inputs, keep_state=keep_state).outputs

    def _write(self, folder: Path) -> None:
        code, entries = self._generated
        step = self.program.entries.get(TRAIN)
        training = None if step is None else training_code(step, self.plan, entries[TRAIN])
        write_folder(
            self.plan, code, folder, name=self.request.name, title=self.request.model, training=training
        )
        (folder / "report.json").write_text(json.dumps(self.report, indent=1) + "\n", encoding="utf-8")
        (folder / "report.html").write_text(render_page(self.report), encoding="utf-8")


def compile(
    model: Any,
    *,
    example_inputs: Any = None,
    calibration: CalibrationData | Iterable[Any] | None = None,
    preprocessing: Preprocessing | None = None,
    target: str = "cortex-m4",
    sram: str | int | None = None,
    flash: str | int | None = None,
    io: EdgeType = "integer",
    optimize_for: Objective = "latency",
    schedule: str = "auto",
    max_extra_macs: str | None = None,
    kernels: KernelChoice = "auto",
    input_mode: InputMode = "tensor",
    states: Mapping[str, str] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    allow_float: bool = False,
    name: str = "model",
    limits: SearchLimits = DEFAULT_LIMITS,
    passes: list[tvm.transform.Pass] | None = None,
) -> CompiledModel:
    """Compile a model for a microcontroller.

    model: a .tflite or .onnx file, a torch module, a torch.export program, what tinycc.quantize gives, or a
    Relax module: from one of TVM's importers as it is, or in the normal form with edges (tinycc.edges).
    example_inputs: of a torch module, a tensor or a tuple of them that have the inputs' shapes (batch 1).
    calibration, preprocessing: data with which a float model is quantized first, see tinycc.quantize.
    target: a core, e.g. "cortex-m7"; see tinycc.target.TARGETS.
    sram, flash: budgets in bytes or as "320K", "1M". What constants and code leave of the flash is spent on
    weights that lie wide, for fewer instructions; see `passes.widen_weights`.
    io: the element types of inputs and outputs. "integer": uint8, int8 and int16 as in the file, float as the
    integers it is quantized to. "int8": the same, uint8 less 128. "float": all as in the file.
    optimize_for: "latency" is the least work that fits `sram`, "memory" the least SRAM.
    schedule: "auto", or one to force: "whole" for whole tensors, "stream" for row by row wherever possible,
    "patch:PxP" for MCUNetV2's P x P patches of the first operators ("patch:PxP@N": of N operators).
    max_extra_macs: how much may be computed twice to save memory, as a percentage of the model's MACs. If not
    said: nothing when optimizing for memory, and as much as it takes to fit `sram` otherwise.
    kernels: "auto" uses what the core offers, "portable" keeps to plain C. The integers are the same, and
    either folder runs on every core.
    input_mode: "rows" generates model_push_row(), which takes the input row by row (axis 1 of an image or a
    spectrogram [1,height,width,channels]), so that it never stands in memory whole.
    states: inputs that are kept on the device from one inference to the next, by name, with the outputs that
    are their next values; they begin with the real number 0.
    shapes: of inputs by name, where an ONNX file leaves a batch or a length open.
    allow_float: whether layers of a model that are not quantized are compiled in float32; otherwise they are
    refused, but for those that `tinycc.quantize` was told to keep.
    name: prefix of the generated C symbols, and the name of the source and the header.
    limits: how far the searches for an order, a schedule and a placement go.
    passes: instead of `tinycc.passes.default_passes(io, ...)`; schedule, input mode and states are theirs
    then.

    All passes run as one Sequential in the current tvm.transform.PassContext, so that its instruments see
    them, and its level and lists of passes choose among them.

    Warns (tinycc.errors.TinyccWarning) of layers whose weights somebody has made floats of, and of fallbacks
    that are a large share of the work.

    Raises a tinycc.errors.TinyccError that says what is wrong and what to do.
    """
    check_name(name)
    title = title_of(model)
    if calibration is not None:
        model = quantize(model, calibration, example_inputs=example_inputs, preprocessing=preprocessing)
    elif example_inputs is not None:
        model = exported_program(model, example_inputs)
    if isinstance(model, QuantizedModel):
        allow_float = allow_float or model.keeps_float
    request = Request(
        name=name,
        model=title,
        target=target_named(target).name,
        io=io,
        sram_bytes=parse_size(str(sram)) if sram is not None else None,
        flash_bytes=parse_size(str(flash)) if flash is not None else None,
        optimize_for=optimize_for,
        schedule=schedule,
        allow_float=allow_float,
    )
    if passes is None:
        passes = passes_for(
            target=target,
            sram=sram,
            flash=flash,
            io=io,
            optimize_for=optimize_for,
            schedule=schedule,
            max_extra_macs=max_extra_macs,
            kernels=kernels,
            input_mode=input_mode,
            states=states,
            limits=limits,
        )
    module = load(model, allow_float, shapes)
    if not any(map(has_edges, module.functions.values())):
        passes = [*import_passes(), *passes]
    with recorded_passes() as records:
        module = tvm.transform.Sequential(passes, name="tinycc")(module)
    program = build_program({INVOKE: module}, limits)
    compiled = CompiledModel(module, program, request, tuple(records))
    check_budgets(compiled.report)
    for sentence in advise(compiled.report):
        warnings.warn(sentence, TinyccWarning, stacklevel=2)
    return compiled


def title_of(model: Any) -> str:
    """What the report calls a model."""
    if isinstance(model, QuantizedModel):
        return printable(model.name)
    return printable(Path(model).name) if isinstance(model, str | Path) else type(model).__name__


def load(
    model: Any, allow_float: bool = False, shapes: Mapping[str, Sequence[int]] | None = None
) -> tvm.IRModule:
    """The module of a model; of one that was quantized, with what is to be said of that."""
    if not isinstance(model, QuantizedModel):
        return load_model(model, allow_float, shapes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"quantized.{model.kind}"
        model.save(path)
        try:
            module = load_model(path, allow_float, shapes)
        except TinyccError as error:  # which tells of a file that the user never sees
            raise type(error)(str(error).replace(str(path), f"{model.name}, quantized")) from error
    main = module["main"]
    for note in model.notes:
        main = with_note(main, note)
    module.update_func(module.get_global_var("main"), main)
    return module


def check_budgets(report: dict[str, Any]) -> None:
    """BudgetError if the arena or the constants exceed what the user gave; it says what would need less."""
    excess = explain_excess(fullest_report(report))
    if excess:
        raise BudgetError(" ".join(excess))
    flash = report["flash_bytes"]
    if flash is not None and report["weight_bytes"] > flash:
        raise BudgetError(
            f"{report['model']} has {report['weight_bytes']:,} bytes of constants, "
            f"{report['weight_bytes'] - flash:,} more than the {flash:,} bytes of flash given"
        )
