"""Compile mutated model files and tell how they end.

    PYTHONPATH=. .venv/bin/python scripts/mutate.py 10000

A file may be compiled or refused. Anything else is a fault: an exception that is no TinyccError, a crash,
more than 60 s or 8 GB, a message that is not one line, something half-written left behind, C that a compiler
warns of. Faults are printed with the name of their model and the number of the mutation, by which
`--only NAME NUMBER` writes the file; the exit code is 1 then. Seeds are the models of the tests and, where
there is one, the small models of the corpus (TINYCC_CORPUS).
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from tests.tools.mutation_runs import FAULT, corpus_seeds, project_seeds, run_mutations
from tests.tools.mutations import mutated


def main() -> int:
    """Parse the arguments, run, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=10_000, help="how many mutations")
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--build-every", type=int, default=20, help="compile the C of every so many")
    parser.add_argument("--only", nargs=2, metavar=("NAME", "NUMBER"), help="write one mutation to a file")
    arguments = parser.parse_args()
    seeds = [*project_seeds(), *corpus_seeds()]
    if arguments.only:
        name, number = arguments.only
        [seed] = [seed for seed in seeds if f"{seed.name}.{seed.form}" == name]
        path = Path(f"mutation-{number}.{seed.form}")
        path.write_bytes(mutated(seed.form, seed.content, int(number)))
        print(f"Wrote {path}")
        return 0
    numbers = range(arguments.first, arguments.first + arguments.count)
    jobs = [(seeds[number % len(seeds)], number) for number in numbers]
    start = time.monotonic()
    endings: Counter[tuple[str, str]] = Counter()
    for ending in run_mutations(jobs, workers=arguments.workers, build_every=arguments.build_every):
        endings[ending.kind, ending.seed.form] += 1
        if ending.kind == FAULT:
            print(f"{ending.seed.name}.{ending.seed.form} {ending.number}: {ending.text}", flush=True)
    print(f"{len(jobs)} mutations of {len(seeds)} models in {time.monotonic() - start:.0f} s")
    for kind in sorted({kind for kind, _ in endings}):
        print(f"{kind:18}" + "".join(f"{endings[kind, form]:8} {form}" for form in ("tflite", "onnx")))
    return 1 if any(kind == FAULT for kind, _ in endings) else 0


if __name__ == "__main__":
    sys.exit(main())
