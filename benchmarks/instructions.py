"""Count instructions, flash, stack and arena of the corpus models on all emulated cores.

    python -m benchmarks.instructions [--model NAME]... [--setting NAME]... [--update-baseline]

Results go to benchmarks/results/<setting>.json, one file for each core and way of compiling; the page is
made from them by `python -m benchmarks.page`. Counts are exact and repeatable (`-icount shift=0`), so what
was measured for the same sources with the same compiler is not measured again.
"""

import time

import click

from benchmarks.baseline import update_baseline
from benchmarks.measuring import Model, WrongOutputError, measure_all
from benchmarks.records import (
    RESULTS,
    SETTINGS,
    read_file_sizes,
    read_results,
    write_file_sizes,
    write_results,
)
from tests.tools.corpus import corpus_folder, stems
from tinycc.errors import TinyccError

SETTING_NAMES = [setting.name for setting in SETTINGS]


def measure_corpus(names: list[str], setting_names: list[str]) -> list[str]:
    """Measure models in settings and keep the results after each; a line for what went wrong."""
    settings = tuple(setting for setting in SETTINGS if setting.name in setting_names)
    results = {setting: read_results(setting) for setting in settings}
    problems = []
    RESULTS.mkdir(exist_ok=True)
    for name in names:
        start = time.monotonic()
        model = Model.of_corpus(corpus_folder(), name)
        write_file_sizes(read_file_sizes() | {name: model.file_sizes})
        known = {setting: found[name] for setting, found in results.items() if name in found}
        try:
            for setting, measurement in measure_all(model, settings, known):
                results[setting][name] = measurement
                write_results(setting, results[setting])
                click.echo(f"{name:48} {setting.name:20} {measurement.instructions:14,}")
        except (TinyccError, WrongOutputError) as error:
            problems.append(f"{name}: {error}")
        click.echo(f"{name:48} {time.monotonic() - start:20.1f} s")
    return problems


@click.command()
@click.option("--model", "models", multiple=True, help="A model of the corpus; all int8 ones without.")
@click.option("--setting", "settings", multiple=True, type=click.Choice(SETTING_NAMES), help="All without.")
@click.option("--update-baseline", "baseline", is_flag=True, help="Accept today's figures; measures no more.")
def main(models: tuple[str, ...], settings: tuple[str, ...], baseline: bool) -> None:
    """Measure, or write the baseline anew."""
    if baseline:
        click.echo(f"wrote {update_baseline()}")
        return
    problems = measure_corpus(list(models) or stems("tflite/int8/*.tflite"), list(settings) or SETTING_NAMES)
    if problems:
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main()
