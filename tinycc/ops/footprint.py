"""How much memory an operator's output needs beside the inputs that die there."""

from collections.abc import Iterable


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
