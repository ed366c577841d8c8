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
        "predicted_instructions": 40,
        "scratch_bytes": 0,
        "live_bytes": 8,
        "weight_bytes": 5,
        "instance": "model_conv2d_0",
        "variant": "portable",
        "is_repeated": False,
        "stage": None,
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
        "cost_bytes": 0,
        "ring": None,
    }


def bottleneck(step: int, name: str, live_bytes: int, tensors: list[str], **changes: Any) -> dict[str, Any]:
    """An operator by itself at its fullest."""
    alone = {"stage": None, "row_call": None, "row_calls": None}
    own = {"operator": step, "name": name, "live_bytes": live_bytes, "tensors": tensors}
    return own | alone | changes


def schedule(live_bytes: int, row_calls: int, stages: list[int], **changes: Any) -> dict[str, Any]:
    """A schedule of 67,890 MACs that was considered and not chosen; a row call is 1,000 instructions."""
    own = {"live_bytes": live_bytes, "row_calls": row_calls, "stages": stages, "grids": ["1x1"] * len(stages)}
    instructions = 100_000 + 1000 * row_calls
    own |= {"predicted_instructions": instructions}
    return own | {"arena_bytes": None, "macs": 67890, "extra_macs": 0, "is_chosen": False} | changes


def stage(live_bytes: int, **changes: Any) -> dict[str, Any]:
    """A stage of the first two operators, 8 row calls long."""
    own = {"name": "stage_0", "first": 0, "last": 1, "grid": "1x1", "row_calls": 8, "extra_macs": 0}
    return own | {"live_bytes": live_bytes} | changes


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
        "dead_macs": 0,
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
        "stages": [],
        "bottlenecks": [
            bottleneck(1, "add_1", 3000, ["audio", "hidden", "scores"]),
            bottleneck(0, "conv2d_0", 2990, ["audio", "hidden"]),
        ],
        "schedule": "auto",
        "optimize_for": "latency",
        "input_mode": "tensor",
        "schedules": [],
        "whole_schedule": None,
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
        bottlenecks=[bottleneck(0, names[1], 8, ["in0", names[1]])],
    )


def staged_report(**changes: Any) -> dict[str, Any]:
    """The two steps as one stage of 8 row calls with a ring of 250 B, and what they were on whole tensors."""
    whole = two_step_report()
    ring = tensor("conv2d_0_rows", 250, 1000, 0, 1, "ring") | {
        "cost_bytes": 250,
        "ring": {"stage": "stage_0", "rows": [2, 8], "columns": [5, 5], "row_calls": [0, 6]},
    }
    peak = bottleneck(1, "add_1", 1250, ["audio", "conv2d_0_rows"], stage="stage_0", row_call=3, row_calls=8)
    return (
        two_step_report(
            arena_bytes=1250,
            lower_bound_bytes=1250,
            stages=[stage(1250)],
            operators=[entry | {"stage": "stage_0", "live_bytes": 1250} for entry in whole["operators"]],
            tensors=[tensor("audio", 1000, 0, 0, 1, "input") | {"cost_bytes": 1000}, ring],
            bottlenecks=[peak],
            schedules=[schedule(1250, 8, [2], is_chosen=True), schedule(3000, 0, [])],
            whole_schedule=whole,
        )
        | changes
    )


def learning_report(**changes: Any) -> dict[str, Any]:
    """The two steps with a training step of three, whose peak is the gradient's: 3600 of 3600 B."""
    step = two_step_report(
        arena_bytes=3600,
        lower_bound_bytes=3600,
        macs=200_000,
        peak_step=2,
        peak_operator="train_update_0",
        operators=[
            operator("train_conv2d_0", macs=67890),
            operator("train_add_1", kind="add", macs=0),
            operator("train_update_0", kind="weight_update", macs=132_110, live_bytes=3600),
        ],
        tensors=[
            tensor("audio", 1000, 0, 0, 2, "input"),
            tensor("gradient", 2600, 1000, 1, 2, "activation"),
        ],
        bottlenecks=[bottleneck(2, "train_update_0", 3600, ["audio", "gradient"])],
    )
    schedule = (
        "arena_bytes lower_bound_bytes optimal solver macs dead_macs extra_macs peak_step peak_operator "
        "operators stages tensors bottlenecks"
    )
    training = {name: step[name] for name in schedule.split()} | {"inputs": [], "outputs": [], "states": []}
    return two_step_report(arena_bytes=3600, training=training) | changes
