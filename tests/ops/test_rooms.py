"""What holds for the kernels of all rooms."""

import pytest

from tinycc.ops import ROOMS
from tinycc.ops.kernel import PORTABLE
from tinycc.ops.room import Room
from tinycc.target import TARGETS

FEATURES = {feature for target in TARGETS.values() for feature in target.features}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.view.kind)
def test_the_last_kernel_of_a_room_runs_on_any_core(room: Room) -> None:
    assert (room.kernels[-1].name, room.kernels[-1].needs) == (PORTABLE, None)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.view.kind)
def test_a_kernel_is_named_after_the_feature_that_it_needs(room: Room) -> None:
    for kernel in room.kernels:
        assert kernel.name.partition("_")[0] == (kernel.needs or PORTABLE)
        assert kernel.needs is None or kernel.needs in FEATURES
