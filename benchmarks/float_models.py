"""Float models in float32: agreement, arena and instructions, beside int8 and beside TVM's loops alone.

    python -m benchmarks.float_models [--corpus PATH] [--markdown docs/float.md]

Agreement is with the model's own runtime (TFLite's reference kernels, onnxruntime), the largest error to the
largest output.
`--markdown` writes the tables between the marks of a page.
"""

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import tvm

import tinycc
from benchmarks.tables import number, table, write_measured
from tests.tools.corpus import corpus_folder, golden_of, load_arrays
from tinycc.errors import TinyccWarning
from tinycc.run import run

# The float file and the int8 one of the same network.
TWINS = {
    "mlperf_ic_resnet8_float": "mlperf_ic_resnet8_int8",
    "mlperf_vww_mbv1_float": "mlperf_vww_mbv1_int8",
    "mlperf_ad_ae_float": "mlperf_ad_ae_int8",
    "tmaix_mnist_dw_f": "tmaix_mnist_dw_q",
    "tmaix_mbnet96_0.25_f": "tmaix_mbnet96_0.25_q",
    "tflm_mnist_lstm_float": "tflm_mnist_lstm_int8",
}
# Others, of layers that those have not: transposed convolution, slopes by channel, a padded layout.
ALONE = ("onnx/original/deeploy_Autoencoder1D.onnx", "float_real/pnet_static_48.onnx")
TARGETS = {"cortex-m4": "Cortex-M4", "cortex-m7": "Cortex-M7"}
LOOPS_ALONE = ("mlperf_ic_resnet8_float.tflite", "deeploy_Autoencoder1D.onnx")
FUSING = ("FuseQuantizedOps", "FuseExpressions")


@dataclass(frozen=True)
class Measured:
    """A model on a core. error: of the first case, of the largest output."""

    arena_bytes: int
    macs: int
    instructions: int
    error: float

    def cost(self, macs: int) -> str:
        """Instructions, and those for each multiply-accumulate of the network."""
        return f"{number(self.instructions)} ({self.instructions / macs:.2f})"


def measure(path: Path, target: str, *, kernels: bool = True) -> Measured:
    """A float model for a core; without `kernels` by the loops that TVM makes of every operator."""
    context = tvm.transform.PassContext(disabled_pass=[] if kernels else list(FUSING))
    with context, warnings.catch_warnings():
        warnings.simplefilter("ignore", TinyccWarning)
        compiled = tinycc.compile(path, target=target, allow_float=True)
    golden = load_arrays(golden_of(path))
    with tempfile.TemporaryDirectory() as parent:
        compiled.export(Path(parent) / "model")
        result = run(Path(parent) / "model", target, [golden["in0"][:1]])
    expected = golden["out0"][:1]
    error = np.abs(result.outputs[0].reshape(expected.shape) - expected).max() / np.abs(expected).max()
    report = compiled.report
    return Measured(report["arena_bytes"], report["macs"], result.instructions or 0, float(error))


def int8_arena(corpus: Path, name: str) -> int:
    """Bytes of the int8 network's arena."""
    compiled = tinycc.compile(corpus / "tflite" / "int8" / f"{name}.tflite", target="cortex-m4")
    return int(compiled.report["arena_bytes"])


def page(corpus: Path) -> str:
    """The tables as Markdown."""
    models = {corpus / "tflite" / "float" / f"{name}.tflite": twin for name, twin in TWINS.items()}
    rows, known = [], {}
    for path, twin in (models | dict.fromkeys(corpus / name for name in ALONE)).items():
        on = known[path] = {target: measure(path, target) for target in TARGETS}
        m4 = on["cortex-m4"]
        beside = "" if twin is None else f"{m4.arena_bytes / int8_arena(corpus, twin):.2f}"
        costs = [one.cost(m4.macs) for one in on.values()]
        rows.append([path.stem, f"{m4.error:.1e}", number(m4.arena_bytes), beside, *costs])
    headings = ["model", "error", "arena", "of int8's", *(f"{core} (a MAC)" for core in TARGETS.values())]
    alone = []
    for path in (path for path in known if path.name in LOOPS_ALONE):
        for target, core in TARGETS.items():
            both = known[path][target], measure(path, target, kernels=False)
            costs = [one.cost(both[0].macs) for one in both]
            arenas = [number(one.arena_bytes) for one in both]
            alone.append([f"{path.stem}, {core}", *costs, *arenas])
    headings_alone = ["model and core", "kernels (a MAC)", "loops (a MAC)", "arena", "arena with loops"]
    return (
        "Instructions of an inference, arena in bytes:\n\n"
        + table(headings, rows)
        + "\nBy their kernels and by TVM's loops alone:\n\n"
        + table(headings_alone, alone)
    )


@click.command()
@click.option("--corpus", type=click.Path(path_type=Path), default=corpus_folder)
@click.option("--markdown", type=click.Path(path_type=Path), help="The page to write the tables into.")
def main(corpus: Path, markdown: Path | None) -> None:
    """Measure and print, or write into a page."""
    text = page(corpus)
    if markdown is None:
        click.echo(text)
    else:
        write_measured(markdown, text)


if __name__ == "__main__":
    main()
