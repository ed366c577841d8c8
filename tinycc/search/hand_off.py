"""From an architecture that was found to firmware: trained, quantized, compiled, and judged as compiled."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tinycc import compiler
from tinycc.compiler import CompiledModel
from tinycc.errors import BudgetError
from tinycc.notes import with_note
from tinycc.output_folder import check_free, new_folder
from tinycc.search.architecture import Architecture
from tinycc.search.batches import Batches, accuracy
from tinycc.search.compiled_accuracy import accuracy_of_compiled
from tinycc.search.constraints import Constraints
from tinycc.search.cost import CostModel
from tinycc.search.data import Data
from tinycc.search.network import Network
from tinycc.search.normalization import Normalization, normalization_of
from tinycc.search.prediction import Prediction, compare_with_prediction, compile_options
from tinycc.search.quantized_training import QUANTIZED_TRAINING, quantized
from tinycc.search.retraining import Progress, TrainingOptions, trained
from tinycc.search.sound import Spectrogram
from tinycc.target import parse_size

# In the compiled folder, beside its report.
FILE = "hand_off.json"
_TITLE = "the network"


@dataclass(frozen=True)
class HandOff:
    """A network that is ready for the device.

    classes: names of its outputs.
    normalization, spectrogram: how its input is made, the latter of sound.
    costs: as predicted and as compiled.
    test_cases: how many there are to test with.
    float_accuracy, int8_accuracy: of the network as trained, and of the generated C, on these; None where
        there are none.
    """

    architecture: Architecture
    classes: tuple[str, ...]
    normalization: Normalization
    spectrogram: Spectrogram | None
    costs: Prediction
    test_cases: int
    float_accuracy: float | None
    int8_accuracy: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        layers = [{"kind": type(item).__name__, **asdict(item)} for item in self.architecture.layers]
        return {
            "input_shape": self.architecture.input_shape,
            "layers": layers,
            "classes": self.classes,
            "normalization": asdict(self.normalization),
            "spectrogram": None if self.spectrogram is None else asdict(self.spectrogram),
            "costs": self.costs.to_json(),
            "test_cases": self.test_cases,
            "float_accuracy": self.float_accuracy,
            "int8_accuracy": self.int8_accuracy,
        }


def handed_off(
    architecture: Architecture,
    data: Data,
    constraints: Constraints,
    output: Path,
    *,
    training: TrainingOptions,
    quantized_training: TrainingOptions = QUANTIZED_TRAINING,
    seed: int = 0,
    device: str = "cpu",
    weights: Network | None = None,
    checkpoint: Path | None = None,
    write: Callable[[Path, "HandOff"], None] = lambda folder, found: None,
    progress: Progress = lambda items, _: items,
) -> HandOff:
    """Train a network, quantize it, and write the folder of its C with its report and hand_off.json.

    data: images are resized to what the architecture reads.
    constraints: of the device, held by the compiled network with its trained weights.
    output: must not exist, or be an empty folder. device: that trains, e.g. "cuda".
    weights, checkpoint: see `retraining.trained`. write: adds to the folder before it appears.

    Raises BudgetError where trained weights make it cost too much: by how much, and what is not as predicted;
    TrainingError, OutputError, ToolError.
    """
    check_free(output)
    size = architecture.input_shape[:2]
    train, test = data.train.resized(size), None if data.test is None else data.test.resized(size)
    normalization = normalization_of(train)
    network = trained(
        architecture, train, normalization, training,
        seed=seed, device=device, weights=weights, path=checkpoint, progress=progress,
    )  # fmt: skip
    program = quantized(
        network, train, normalization, quantized_training, seed=seed, device=device, progress=progress
    )
    sound = [] if data.spectrogram is None else [data.spectrogram.description]
    notes = [*sound, normalization.description]
    compiled, costs = compiled_within(architecture, program, constraints, notes)
    with new_folder(output) as folder:
        compiled.export(folder)
        float_accuracy = int8_accuracy = None
        if test is not None:
            float_accuracy = accuracy(network, Batches(test, normalization, torch.device("cpu")))
            int8_accuracy = accuracy_of_compiled(folder, test, normalization)
        cases = 0 if test is None else len(test)
        result = HandOff(
            architecture, train.classes, normalization, data.spectrogram, costs,
            cases, float_accuracy, int8_accuracy,
        )  # fmt: skip
        (folder / FILE).write_text(json.dumps(result.to_json(), indent=1) + "\n", encoding="utf-8")
        write(folder, result)
    return result


def compiled_within(
    architecture: Architecture,
    program: torch.export.ExportedProgram,
    constraints: Constraints,
    notes: Sequence[str] = (),
) -> tuple[CompiledModel, Prediction]:
    """A quantized network, compiled, and its costs. notes: for its report.

    Raises BudgetError where they are not within the constraints.
    """
    module = compiler.load(program)
    main = module["main"]
    for note in notes:
        main = with_note(main, note)
    module.update_func(module.get_global_var("main"), main)
    device = constraints.device
    try:
        compiled = compiler.compile(module, **compile_options(device))
    except BudgetError as error:
        predicted = CostModel(device).cost(architecture)
        told = str(error).replace(compiler.title_of(module), _TITLE)
        raise BudgetError(f"{told} Predicted were {predicted.sram_bytes:,}.") from error
    compiled = replace(compiled, request=replace(compiled.request, model=architecture.summary))
    costs = compare_with_prediction(architecture, compiled.report, device)
    flash = None if constraints.flash is None else parse_size(str(constraints.flash))
    _check("bytes of constants", costs, "flash_bytes", flash)
    _check("instructions", costs, "instructions", constraints.instructions)
    return compiled, costs


def _check(what: str, costs: Prediction, name: str, most: int | None) -> None:
    """BudgetError where a cost is more than what is given."""
    found, predicted = getattr(costs.compiled, name), getattr(costs.predicted, name)
    if most is None or found <= most:
        return
    raise BudgetError(
        f"{_TITLE} takes {found:,} {what} as trained, {found - most:,} more than the {most:,} given; "
        f"predicted were {predicted:,}" + "".join(f"; {reason}" for reason in costs.reasons)
    )
