"""An emulated Cortex-M4 learns to understand a speaker whom its network never heard.

    python examples/on_device_learning/learn_a_speaker.py --data fsdd_8k_int16.npz

It needs tinycc-mcu[torch]. The network of spoken digits is trained on five people, and then, on the board
and in int8, on a few clips of the sixth. README.md says what is printed.
"""

import argparse
import shutil
import sys
from pathlib import Path

import matplotlib
import numpy as np
from rich.console import Console

import tinycc
from tinycc import training
from tinycc.arrays import write_arrays
from tinycc.errors import ToolError
from tinycc.training.fit import Curve, fit

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models" / "spoken_digits"))
OUTPUT = ROOT / "build" / "on_device_learning"
SPEAKER, PRETRAINING = "george", 12
# Of each digit how many takes the board learns from, and how many others it is tested with.
LEARNED, TESTED = 5, 5
EPOCHS, RATE = 4, 3e-3
# Steps between two tests, a divisor of the number of clips.
TESTED_EVERY = 10

Examples = tuple[np.ndarray, np.ndarray]


def network_and_clips(data: Path) -> tuple[Path, Examples, Examples]:
    """A network that never heard SPEAKER, and clips of that voice to learn from and to be tested with."""
    import onnx
    import train

    recordings = train.Recordings(data)
    heard, unheard = recordings.split(SPEAKER)
    path = OUTPUT / "network.onnx"
    if not path.exists():
        network = train.train(recordings, heard, PRETRAINING)
        chosen = np.random.default_rng(0).choice(heard, 200, replace=False)
        train.quantise(network, recordings.features(chosen), path)
    model, takes = onnx.load(path), recordings.index[unheard]

    def clips(which: np.ndarray) -> Examples:
        features = train.quantised(model, "features", recordings.features(which))
        return features, recordings.label[which]

    learned = (takes >= TESTED) & (takes < TESTED + LEARNED)
    return path, clips(unheard[learned]), clips(unheard[takes < TESTED])


def learn(folder: Path, learned: Examples, tested: Examples, console: Console) -> Curve:
    """On the emulated board, or on the host where its tools are missing."""

    def on(core: str) -> Curve:
        inputs, labels = learned
        test = [tested[0]], tested[1]
        return fit(
            folder, [inputs], labels, on=core, epochs=EPOCHS, rate=RATE, test=test, test_every=TESTED_EVERY
        )

    try:
        return on("cortex-m4")
    except ToolError as error:
        console.print(f"No emulated board ({error}); learning on the host instead: the numbers are the same.")
        return on("host")


def plot(curve: Curve, path: Path) -> None:
    """Accuracy by step, and the loss of each epoch at its middle."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.5), layout="constrained")
    accuracies = 100 * np.array(curve.accuracies)
    axes.plot(curve.tested_after, accuracies, marker=".", label="accuracy on other takes, %")
    axes.set(xlabel="clips learned from", ylim=(0, 101), title=f"{SPEAKER}, learned on {curve.board}")
    other, count = axes.twinx(), len(curve.losses)
    middles = curve.tested_after[-1] / count * (np.arange(count) + 0.5)
    other.plot(middles, curve.losses, color="tab:orange", marker="o", label="loss of each epoch")
    other.set_ylim(bottom=0)
    figure.legend(loc="outside lower center", ncols=2)
    figure.savefig(path)


def main() -> None:
    """Pretrain, compile, learn, report."""
    parser = argparse.ArgumentParser(description="A board learns a new speaker.")
    parser.add_argument("--data", type=Path, required=True, help="recordings, see models/spoken_digits")
    parser.add_argument("--train", default="last:2", help="a scheme, as for tinycc compile")
    arguments = parser.parse_args()
    console = Console()
    if not arguments.data.exists():
        console.print(f"{arguments.data} is not there: models/spoken_digits/README.md says where it is from.")
        return
    OUTPUT.mkdir(parents=True, exist_ok=True)
    model, learned, tested = network_and_clips(arguments.data)

    folder = OUTPUT / "firmware"
    shutil.rmtree(folder, ignore_errors=True)
    inference = tinycc.compile(model, target="cortex-m4").report["arena_bytes"]
    compiled = training.compile(model, scheme=training.named_scheme(arguments.train), target="cortex-m4")
    compiled.export(folder)
    with_step = compiled.report["arena_bytes"]
    console.print(
        f"Arena: {with_step:,} bytes with the training step ({arguments.train}), "
        f"{inference:,} of an inference alone",
        soft_wrap=True,
    )

    count = len(learned[1])
    console.print(
        f"{SPEAKER} was never heard; learning from {count} clips, testing with {len(tested[1])} others"
    )
    curve = learn(folder, learned, tested, console)
    accuracies = dict(zip(curve.tested_after, curve.accuracies, strict=True))
    console.print(f"  before   {accuracies[0]:6.1%}")
    for epoch, loss in enumerate(curve.losses, 1):
        console.print(f"  epoch {epoch}  {accuracies[epoch * count]:6.1%}   loss {loss:.3f}")
    instructions = "" if curve.instructions is None else f", {curve.instructions:,} instructions a clip"
    console.print(f"On {curve.board}{instructions}")
    write_arrays(OUTPUT / "learned.npz", curve.states)
    plot(curve, OUTPUT / "accuracy.svg")
    console.print(f"The plot, what was learned and the C are in {OUTPUT}", soft_wrap=True)


if __name__ == "__main__":
    main()
