"""Spoken digits of speakers whom nobody has heard, within 4 KB of SRAM and 24 KB of constants.

Of six speakers three are learned from while networks are chosen, a fourth chooses them, all four are learned
from in the end, and two are the test: their clips tell whether a network knows digits or voices.

Multiply-accumulates chose spaces of wide and shallow networks here, where SRAM binds. So there is one space,
with widths of all that a family of them had.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from benchmarks.network_search_task import SearchTask, ds_cnn, res_net
from tests.tools.corpus import corpus_folder
from tinycc.search.architecture import Pair
from tinycc.search.augmentation import shifted_in_time
from tinycc.search.constraints import Constraints
from tinycc.search.cost import Device
from tinycc.search.data import Dataset
from tinycc.search.evolution import EvolutionOptions
from tinycc.search.pipeline import SearchOptions
from tinycc.search.retraining import TrainingOptions
from tinycc.search.sound import Spectrogram
from tinycc.search.space import Space
from tinycc.search.spaces import spectrogram_space
from tinycc.search.supernet.training import SupernetOptions

LEARNED, CHOOSING, TESTING = ("nicolas", "yweweler", "lucas"), ("theo",), ("george", "jackson")
DIGITS = tuple("0123456789")
WIDTHS = range(8, 129, 4)


def _space(size: Pair) -> Space:
    space = spectrogram_space([size], len(DIGITS), (64, 128), (1, 2, 3, 4))
    stages = [replace(stage, widths=(0.25, 0.375, 0.5, 0.75, 1.0)) for stage in space.stages]
    return replace(space, stages=tuple(stages), stem_channels=32, stem_kernel=(5, 5))


def task() -> SearchTask:
    """From the recordings of the corpus."""
    with np.load(corpus_folder() / "data" / "fsdd_8k_int16.npz") as kept:
        samples, offset, label = kept["samples"], kept["offset"], kept["label"].astype(np.int64)
        speaker = kept["speakers"][kept["speaker"]]
    spectrogram = Spectrogram()
    features = [spectrogram.features(samples[begin:end]) for begin, end in pairwise(offset)]

    def of(*speakers: str) -> Dataset:
        clips = np.flatnonzero(np.isin(speaker, speakers))
        return Dataset(np.stack([features[clip] for clip in clips]), label[clips], DIGITS)

    shape = (*spectrogram.size, 1)
    options = SearchOptions(
        Constraints(Device("cortex-m4", sram="4K"), flash="24K"),
        drawn=100,
        supernet=SupernetOptions(10, 60, batch=64),
        evolution=EvolutionOptions(population=32, generations=9),
        # As many as the grid of DS-CNN has.
        finalists=18,
        training=TrainingOptions(epochs=40, batch=64, augmentation=shifted_in_time),
        quantized=TrainingOptions(epochs=5, batch=64, rate=0.005, augmentation=shifted_in_time),
    )
    return SearchTask(
        name="speech",
        train=of(*LEARNED, *CHOOSING),
        learned=of(*LEARNED),
        held_out=of(*CHOOSING),
        test=of(*TESTING),
        spaces={"all widths": _space(spectrogram.size)},
        options=options,
        ways=(
            "searched", "best of as many drawn", "DS-CNN by hand", "ResNet-8 by hand",
            "searched, whole tensors", "searched, an interpreter",
        ),
        by_hand={
            "DS-CNN by hand": {
                f"{blocks} blocks, stem {stem[0]}x{stem[1]}, stride {stride}, growth {growth}": [
                    ds_cnn(shape, len(DIGITS), width, blocks, stem, stride, growth) for width in WIDTHS
                ]
                for blocks in (2, 4, 6)
                for stem in ((3, 3), (9, 5))
                for stride, growth in ((1, 1), (2, 1), (2, 2))
            },
            "ResNet-8 by hand": {
                f"stem stride {stride[0]}": [
                    res_net(shape, len(DIGITS), width, stride) for width in range(4, 33, 2)
                ]
                for stride in ((1, 1), (2, 2))
            },
        },
        setting={"learned": LEARNED, "choosing": CHOOSING, "testing": TESTING},
    )  # fmt: skip
