"""The ten classes of CIFAR-10, in the corpus's copy as JPEG, within two different limits of a board.

"images-sram" has what a chip with 4 KB of SRAM and 32 KB of flash leaves for tensors, fed by rows;
"images-flash" has 64 KB of constants, and as much SRAM as an interpreter begins to need. Both have 2 million
instructions, about a second of a small chip's time at most. Accuracies are to be compared with those of
networks that learned from this copy alone. Training is as short as two cores of a laptop can do in an hour or
two.
"""

import io
from functools import cache
from itertools import pairwise

import numpy as np
from PIL import Image

from benchmarks.network_search_task import SearchTask, ds_cnn, mobile_net, res_net
from tests.tools.corpus import corpus_folder
from tinycc.search.architecture import Architecture
from tinycc.search.augmentation import shifted_and_flipped
from tinycc.search.constraints import Constraints
from tinycc.search.cost import Device
from tinycc.search.data import Dataset, split
from tinycc.search.evolution import EvolutionOptions
from tinycc.search.pipeline import SearchOptions
from tinycc.search.retraining import TrainingOptions
from tinycc.search.spaces import image_spaces
from tinycc.search.supernet.training import SupernetOptions

SIZES = (24, 28, 32)
LIMITS = {
    "images-sram": Constraints(Device("cortex-m4", "rows", sram="3K"), flash="32K", instructions=2_000_000),
    "images-flash": Constraints(Device("cortex-m4", sram="20K"), flash="64K", instructions=2_000_000),
}
# Images to choose networks by, of those to train with.
HELD_OUT = 0.1


@cache
def images(name: str) -> Dataset:
    """Of a file of the corpus, in a seed's order, as the files are sorted."""
    with np.load(corpus_folder() / "data" / name) as kept:
        jpeg, offset, labels, classes = (kept[key] for key in ("jpeg", "offset", "y", "classes"))
    pixels = [
        np.asarray(Image.open(io.BytesIO(jpeg[begin:end].tobytes())).convert("RGB"))
        for begin, end in pairwise(offset)
    ]
    whole = Dataset(np.stack(pixels), labels.astype(np.int64), tuple(map(str, classes)))
    return whole.part(np.random.default_rng(0).permutation(len(whole)))


def task(name: str) -> SearchTask:
    """name: of the limits."""
    train, test = images("cifar10_jpeg_train50k.npz"), images("cifar10_jpeg_test9k.npz")
    learned, held_out = split(train, HELD_OUT, 0)
    options = SearchOptions(
        LIMITS[name],
        drawn=100,
        # Where one network in ten is allowed, means of so many are no more than noise apart.
        least_share=0.2,
        supernet=SupernetOptions(2, 8, batch=128),
        evolution=EvolutionOptions(population=32, generations=9),
        finalists=4,
        training=TrainingOptions(epochs=8, batch=128, augmentation=shifted_and_flipped),
        finalist_training=TrainingOptions(epochs=4, batch=128, augmentation=shifted_and_flipped),
        quantized=TrainingOptions(epochs=1, batch=128, rate=0.005, augmentation=shifted_and_flipped),
    )
    return SearchTask(
        name=name,
        train=train,
        learned=learned,
        held_out=held_out,
        test=test,
        spaces=image_spaces(SIZES, 3, len(train.classes)),
        options=options,
        ways=(
            "searched", "best of as many drawn", "MobileNetV2 by hand", "ResNet-8 by hand",
            "DS-CNN by hand",
            "searched, whole tensors", "searched, an interpreter",
        ),
        by_hand={
            "MobileNetV2 by hand": {
                f"{size}x{size}, expansion {expansion}, depth {depth}": [
                    mobile_net(_shape(size), len(train.classes), sixteenths / 16, expansion, depth, (2, 2))
                    for sixteenths in range(2, 33)
                ]
                for size in (24, 32)
                for expansion in (3, 6)
                for depth in (1, 2)
            },
            "ResNet-8 by hand": {
                f"stem stride {stem}": [
                    res_net(_shape(32), len(train.classes), width, (stem, stem)) for width in range(2, 33, 2)
                ]
                for stem in (1, 2)
            },
            "DS-CNN by hand": {
                f"{blocks} blocks, growth {growth}": _ds_cnns(32, blocks, growth)
                for blocks in (4, 6)
                for growth in (1, 2)
            },
        },
        setting={"held_out": len(held_out), "test": len(test)},
    )  # fmt: skip


def _ds_cnns(size: int, blocks: int, growth: int) -> list[Architecture]:
    return [ds_cnn(_shape(size), 10, width, blocks, (3, 3), 2, growth) for width in range(4, 129, 4)]


def _shape(size: int) -> tuple[int, int, int]:
    return size, size, 3
