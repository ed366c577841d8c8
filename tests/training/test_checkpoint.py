"""What was trained outlives a power cut at any write; nothing but a whole state of the model is restored."""

import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.tools import training_library
from tests.tools.training_graphs import training_graph
from tests.tools.training_library import Device, Flash
from tinycc import training
from tinycc.limits import SearchLimits
from tinycc.run.board import run_board
from tinycc.run.folder import read_training_folder
from tinycc.training import LayerScheme, Scheme

GEOMETRIES = [(64, 8), (256, 4), (2048, 64), (16, 16), (128, 1), (4096, 32)]
LAYERS = ("conv2d_2", "conv2d_3", "dense_0")
RECORD_BYTES = 16


def exported(folder: Path, seed: int, layers: tuple[str, ...]) -> Path:
    scheme = Scheme({layer: LayerScheme(bias=True, weights=0.5) for layer in layers})
    limits = SearchLimits(solver_seconds=0.5)
    training.compile(training_graph(seed), scheme=scheme, limits=limits).export(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("c") / "model", 4, LAYERS)


@pytest.fixture
def device(folder: Path) -> Device:
    return Device(folder)


def go_on(device: Device, first: int, steps: int) -> list[float]:
    """Train on the examples with these numbers."""
    losses = []
    for number in range(first, first + steps):
        random = np.random.default_rng(number)
        image = random.integers(-128, 128, (8, 8, 3), dtype=np.int8)
        losses.append(device.train(image, int(random.integers(4))))
    return losses


def slot_bytes(device: Device, flash: Flash) -> int:
    record = -(-device.bytes // flash.write_bytes) * flash.write_bytes
    end = record + -(-RECORD_BYTES // flash.write_bytes) * flash.write_bytes
    return -(-end // flash.page_bytes) * flash.page_bytes


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_a_power_cut_at_any_write_leaves_the_old_state_or_the_new_one(
    device: Device, folder: Path, geometry: tuple[int, int]
) -> None:
    flash = Flash(*geometry)
    assert device.save(flash) == 0
    writes, kept = flash.writes, device.states
    for cut in range(writes + 1):
        go_on(device, cut, 1)
        assert device.states != kept
        flash.writes_left = cut
        is_saved = device.save(flash) == 0
        flash.writes_left = None
        assert is_saved == (cut == writes)
        started = Device(folder)
        assert started.restore(flash) == 0
        # Where units are large, the record may be whole in the half that was written of its unit.
        possible = {cut < writes and kept, cut >= writes - 1 and device.states}
        assert started.states in possible
        kept = started.states
    assert flash.violations == []


def test_an_emulated_board_keeps_one_of_both_states_as_well(
    device: Device, folder: Path, tmp_path: Path
) -> None:
    """The harness takes a step for each write of a save; its header cuts the power there, and restores."""
    shutil.copytree(folder, tmp_path / "c", ignore=shutil.ignore_patterns("*.so"))
    cuts = Path(training_library.__file__).with_name("power_cuts.h").read_text(encoding="utf-8")
    with (tmp_path / "c" / "model.h").open("a", encoding="utf-8") as header:
        header.write(f"#ifdef CLOCK_HEADER /* the harness, not the model */\n{cuts}#endif\n")
    flash = Flash(64, 8)
    assert device.save(flash) == 0
    steps = flash.writes + 2
    random = np.random.default_rng(0)
    images = random.integers(-128, 128, (steps, 8, 8, 3)).astype(np.int8)
    labels = random.integers(4, size=(steps, 1)).astype(np.int32)
    cases = [images, labels, np.full((steps, 1), 0.05, np.float32)]
    told = (
        run_board(read_training_folder(tmp_path / "c"), cases, "cortex-m4", keep_state=True)
        .outputs[0]
        .reshape(-1)
    )
    # The first save is whole, and so is one that is cut behind its last write.
    np.testing.assert_array_equal(told, [1, *(flash.writes * [0]), 1])


def test_training_goes_on_as_if_the_power_had_not_been_cut(device: Device, folder: Path) -> None:
    flash = Flash()
    device.set_learning_rate(0.05)
    go_on(device, 0, 5)
    assert device.save(flash) == 0
    losses = go_on(device, 5, 10)
    flash.writes_left = 20
    assert device.save(flash) == 1

    started = Device(folder)
    flash.writes_left = None
    assert started.restore(flash) == 0
    assert go_on(started, 5, 10) == losses
    assert started.states == device.states


def test_slots_take_turns_and_the_newest_is_restored(device: Device, folder: Path) -> None:
    flash = Flash()
    for number in range(5):
        go_on(device, number, 1)
        assert device.save(flash) == 0
        started = Device(folder)
        assert started.restore(flash) == 0
        assert started.states == device.states
    half = slot_bytes(device, flash)
    assert set(flash.memory[2 * half :]) == {0xFF}
    assert flash.memory[:half] != flash.memory[half : 2 * half]


def test_sequence_numbers_wrap_around(device: Device, folder: Path) -> None:
    flash = Flash()
    assert device.save(flash) == 0
    place = -(-device.bytes // flash.write_bytes) * flash.write_bytes
    model, _, count, _ = struct.unpack_from("<4I", flash.memory, place)
    head = struct.pack("<3I", model, 2**32 - 1, count)
    checksum = zlib.crc32(bytes(flash.memory[:count]) + head)
    flash.memory[place : place + RECORD_BYTES] = head + struct.pack("<I", checksum)
    for number in range(3):
        go_on(device, number, 1)
        assert device.save(flash) == 0
        started = Device(folder)
        assert started.restore(flash) == 0
        assert started.states == device.states


def test_an_empty_flash_has_no_state(device: Device) -> None:
    before = bytes(device.arena)
    assert device.restore(Flash()) == 1
    assert bytes(device.arena) == before


def test_a_corrupt_state_is_refused_and_the_other_one_taken(device: Device, folder: Path) -> None:
    """A bit is flipped in each byte of the only state, and of the newer one of two."""
    flash = Flash()
    go_on(device, 0, 2)
    assert device.save(flash) == 0
    older = device.states
    go_on(device, 2, 2)
    bytes_of_data = -(-device.bytes // flash.write_bytes) * flash.write_bytes
    covered = [*range(device.bytes), *range(bytes_of_data, bytes_of_data + RECORD_BYTES)]
    for place in covered:
        flash.memory[place] ^= 1 << place % 8
        started = Device(folder)
        before = started.states
        assert started.restore(flash) == 1, place
        assert started.states == before
        flash.memory[place] ^= 1 << place % 8
    assert device.save(flash) == 0
    for place in covered[::7]:
        flash.memory[slot_bytes(device, flash) + place] ^= 0x40
        started = Device(folder)
        assert started.restore(flash) == 0
        assert started.states == older
        flash.memory[slot_bytes(device, flash) + place] ^= 0x40


def test_a_state_of_another_model_or_scheme_is_refused(device: Device, tmp_path: Path) -> None:
    flash = Flash()
    assert device.save(flash) == 0
    for name, (seed, layers) in {"model": (5, LAYERS), "scheme": (4, LAYERS[1:])}.items():
        other = Device(exported(tmp_path / name, seed, layers))
        before = other.states
        assert other.restore(flash) == 1
        assert other.states == before


def test_what_cannot_be_read_is_as_if_it_were_not_there(device: Device, folder: Path) -> None:
    flash = Flash()
    assert device.save(flash) == 0
    older = device.states
    go_on(device, 0, 1)
    assert device.save(flash) == 0
    slot = slot_bytes(device, flash)
    for unreadable, result in ((range(slot, slot + 1), 0), (range(2 * slot), 1)):
        flash.unreadable = unreadable
        started = Device(folder)
        shipped = started.states
        assert started.restore(flash) == result
        assert started.states == (older if result == 0 else shipped)


def test_a_state_that_is_lost_while_it_is_read_leaves_the_shipped_weights(
    device: Device, folder: Path
) -> None:
    flash = Flash()
    shipped = device.states
    go_on(device, 0, 1)
    assert device.save(flash) == 0
    before = flash.reads
    assert Device(folder).restore(flash) == 0
    flash.reads_left = flash.reads - before - 1  # all but the last, which is into the arena
    assert device.restore(flash) == 2
    assert device.states == shipped


@pytest.mark.parametrize("geometry", [(64, 0), (0, 8), (128, 128), (60, 8), (4, 8)], ids=str)
def test_flash_of_no_sense_is_refused(device: Device, geometry: tuple[int, int]) -> None:
    flash = Flash(*geometry)
    before = bytes(device.arena)
    assert device.save(flash) == 1
    assert device.restore(flash) == 1
    assert bytes(device.arena) == before
    assert set(flash.memory) == {0xFF}
