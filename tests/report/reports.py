"""Small reports written by hand, and long ones built by rule, for the tests of what shows them."""

from typing import Any


def operator(name: str, **changes: Any) -> dict[str, Any]:
    """A convolution of 8 live bytes, with the given entries in place of the usual ones."""
    usual = {
        "name": name,
        "kind": "conv2d",
        "description": "1x1, int8 [1,2,2,1] -> int8 [1,2,2,1]",
        "output_shape": [1, 2, 2, 1],
        "output_dtype": "int8",
        "macs": 4,
        "scratch_bytes": 0,
        "live_bytes": 8,
        "weight_bytes": 5,
        "instance": "model_conv2d_0",
        "in_place": None,
        "overlap_distance": None,
    }
    return usual | changes


def tensor(name: str, size: int, offset: int, first: int, last: int, kind: str) -> dict[str, Any]:
    """An int8 vector of `size` bytes that lives from `first` to `last`."""
    return {
        "name": name,
        "bytes": size,
        "offset": offset,
        "first_use": first,
        "last_use": last,
        "kind": kind,
        "shape": [1, size],
        "dtype": "int8",
    }


def edge(name: str, size: int, offset: int) -> dict[str, Any]:
    """An int8 input or output that the file sees as float."""
    return {
        "name": name,
        "shape": [1, size],
        "dtype": "int8",
        "bytes": size,
        "offset": offset,
        "scale": 0.0625,
        "zero_point": -77,
        "file_dtype": "float32",
        "file_shape": [1, size],
        "permutation": [0, 1],
    }


def two_step_report(**changes: Any) -> dict[str, Any]:
    """A convolution and an addition in place: input 1000 B, activation 2000 B, output 2000 B over it."""
    report = {
        "tinycc_version": "0.1.0",
        "name": "model",
        "model": "kws.tflite",
        "target": "cortex-m4",
        "io": "int8",
        "sram_bytes": None,
        "flash_bytes": None,
        "arena_bytes": 3000,
        "lower_bound_bytes": 3000,
        "optimal": True,
        "solver": "first fit",
        "state_bytes": 0,
        "weight_bytes": 12345,
        "macs": 67890,
        "extra_macs": 0,
        "peak_step": 1,
        "peak_operator": "add_1",
        "inputs": [edge("audio", 1000, 0)],
        "outputs": [edge("scores", 2000, 1000)],
        "operators": [
            operator("conv2d_0", macs=67890, weight_bytes=12345, live_bytes=3000),
            operator("add_1", kind="add", macs=0, weight_bytes=0, in_place="hidden", overlap_distance=0),
        ],
        "tensors": [
            tensor("audio", 1000, 0, 0, 1, "input"),
            tensor("hidden", 2000, 1000, 0, 1, "activation"),
            tensor("scores", 2000, 1000, 1, 1, "output"),
        ],
        "passes": [{"name": "fuse-quantized-ops", "changed": True}],
        "fallbacks": [],
    }
    return report | changes


def chain_report(length: int) -> dict[str, Any]:
    """A chain of `length` convolutions that pass 4 bytes to and fro between two places."""
    names = ["in0", *(f"conv2d_{step}" for step in range(length))]
    tensors = [tensor("in0", 4, 0, 0, 0, "input")]
    for step in range(length):
        last = min(step + 1, length - 1)
        kind = "output" if step == length - 1 else "activation"
        tensors.append(tensor(names[step + 1], 4, 4 * ((step + 1) % 2), step, last, kind))
    return two_step_report(
        operators=[operator(name) for name in names[1:]],
        tensors=tensors,
        arena_bytes=8,
        lower_bound_bytes=8,
        peak_step=0,
        peak_operator=names[1],
    )
