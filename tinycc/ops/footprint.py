"""How much memory an operator's output needs beside the inputs that die there."""

import itertools
from collections import Counter
from collections.abc import Iterable

# Ranges of row calls within a stage, both ends included.
Moments = tuple[tuple[int, int], ...]


def joint_bytes(output_bytes: int, dying: Iterable[tuple[int, int]]) -> int:
    """The least memory that holds an output and the inputs it may overlap.

    dying: (bytes, overlap distance) of each input that dies at the operator and may be overlapped.
    """
    dying = list(dying)
    if not dying:
        return output_bytes
    inputs = sum(size for size, _ in dying)
    nearest = min(max(distance, 0) for _, distance in dying)
    return min(output_bytes + inputs, max(output_bytes, inputs + nearest))


def most_at_once(buffers: Iterable[tuple[int, Moments]]) -> int:
    """The most bytes that the buffers within a stage hold at any of its row calls.

    buffers: size of each, and when it holds something.
    """
    changes: Counter[int] = Counter()
    for size, moments in buffers:
        for first, last in moments:
            changes[first] += size
            changes[last + 1] -= size
    return max(itertools.accumulate(changes[call] for call in sorted(changes)), default=0)
