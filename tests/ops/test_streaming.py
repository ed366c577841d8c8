"""Simulated stages: what is computed when, and which rows have to be kept."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tinycc.ops.kernel_call import AccumulatingCall, AwaitedCall, RowCall
from tinycc.ops.row_window import RowWindow
from tinycc.ops.streaming import Stream, rows_read, simulate


def call(rows: int, window: RowWindow, *more: RowWindow) -> RowCall:
    return RowCall("", "", "", {}, {}, (window, *more), rows, 1, 10)


def sliding(
    input_rows: int, kernel: int, stride: int = 1, pad: int = 0, dilation: int = 1
) -> tuple[int, RowWindow]:
    """Number of output rows, and the window."""
    extent = (kernel - 1) * dilation + 1
    rows = (input_rows + 2 * pad - extent) // stride + 1
    return rows, RowWindow(input_rows, 10, kernel, stride, dilation, pad, as_array=True)


def chain(height: int, *layers: tuple[int, int, int]) -> Stream:
    """Layers of (kernel, stride, padding), each reading the one before; the first reads the stage's input."""
    calls = []
    for kernel, stride, pad in layers:
        height, window = sliding(height, kernel, stride, pad)
        calls.append(call(height, window))
    return simulate(calls, [[index] for index in range(len(calls))], 1)


def test_a_row_waits_for_the_rows_under_its_window() -> None:
    stream = chain(5, (1, 1, 0), (3, 1, 1))
    assert stream.order == (0, 0, 1, 0, 1, 0, 1, 0, 1, 1)


def test_a_3x3_window_needs_a_ring_of_three_rows_whatever_its_stride() -> None:
    assert chain(16, (1, 1, 0), (3, 1, 1)).ring_rows(1) == 3
    assert chain(16, (1, 1, 0), (3, 2, 1)).ring_rows(1) == 3


def test_a_pointwise_layer_needs_a_single_row() -> None:
    assert chain(16, (3, 1, 1), (1, 1, 0)).ring_rows(1) == 1


def test_rings_of_a_single_row_are_empty_while_others_run() -> None:
    stream = chain(8, (3, 1, 1), (1, 1, 0), (3, 1, 1), (1, 1, 0))
    assert stream.ring_rows(1) == stream.ring_rows(3) == 1
    first, second = (
        {call for begin, end in stream.moments(tensor) for call in range(begin, end + 1)} for tensor in (1, 3)
    )
    assert first and second and first.isdisjoint(second)


def test_a_skip_keeps_as_many_rows_as_the_other_branch_lags() -> None:
    """x -> pointwise -> 3x3 -> 5x5 -> + pointwise: row y is added once row y + 3 is there."""
    point, small, large = RowWindow(12, 10), sliding(12, 3, 1, 1)[1], sliding(12, 5, 1, 2)[1]
    calls = [call(12, point), call(12, small), call(12, large), call(12, point, point)]
    stream = simulate(calls, [[0], [1], [2], [1, 3]], 1)
    assert (stream.ring_rows(1), stream.ring_rows(2), stream.ring_rows(3)) == (4, 5, 1)


def test_rows_that_are_all_padding_ask_for_nothing_and_hide_nothing() -> None:
    """A window of one row with three rows of padding above and below."""
    stream = chain(9, (1, 1, 0), (1, 1, 3))
    assert stream.order.count(0) == 9 and stream.order.count(1) == 15


def test_nothing_is_computed_that_nobody_asks_for() -> None:
    stream = chain(9, (1, 1, 0), (2, 2, 0))
    assert stream.order.count(0) == 8 and stream.order.count(1) == 4


def test_sums_take_in_one_row_after_the_other() -> None:
    rows, window = sliding(6, 3, 1, 1)
    sums = AccumulatingCall("", "", "", {}, {}, 6, 10, 10, accumulator_bytes=40)
    stream = simulate([call(rows, window), sums], [[0], [1]], 1)
    assert stream.order == (0, 1) * 6
    assert stream.ring_rows(1) == 1
    assert stream.accumulating(1) == (1, 11)


def test_the_output_follows_the_rows_of_the_input_that_are_done_with() -> None:
    """Two 3x3 layers: when row y is written rows y + 1 and on are still read, so it takes row y's place."""
    assert distance(chain(8, (3, 1, 1), (3, 1, 1)), input_row=10, output_row=10) == 0
    assert distance(chain(8, (3, 1, 1), (3, 1, 1)), input_row=10, output_row=14) == 6 * 4


def distance(stream: Stream, input_row: int, output_row: int) -> int:
    """Overlap distance for rows of so many bytes; the only input is read from the start of a row."""
    beyond = 1 << 40
    reads = [
        next((access.first * input_row for access in accesses if access.tensor == 0), beyond)
        for accesses in stream.reads
    ]
    return stream.overlap_distance(stream.calls[-1].rows * output_row, output_row, [reads], [(0, output_row)])


@settings(max_examples=60)
@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=4),
)
def test_no_row_is_overwritten_before_its_last_reader(
    height: int, layers: list[tuple[int, int, int]]
) -> None:
    """Replayed on rings of the sizes that are claimed; a ring of one row less loses a row."""
    sizes = [height]
    for kernel, stride, pad in layers:
        sizes.append((sizes[-1] + 2 * pad - kernel) // stride + 1)
        if sizes[-1] < 1 or pad >= kernel:
            return
    stream = chain(height, *layers)
    for tensor in range(1, len(layers)):
        rows = stream.ring_rows(tensor)
        assert replay(stream, tensor, rows)
        assert rows == 1 or not replay(stream, tensor, rows - 1)


def replay(stream: Stream, tensor: int, ring_rows: int) -> bool:
    """Whether all reads of a tensor find what was written in a ring of so many rows."""
    ring: dict[int, int] = {}
    done = [0] * len(stream.calls)
    for turn in stream.order:
        call = stream.calls[turn]
        for window in call.windows:
            span = rows_read(window, call.rows)[done[turn]]
            if turn == tensor and span is not None:
                wanted = range(span[0], span[1] + 1)
                if any(ring.get(row % ring_rows) != row for row in wanted):
                    return False
        if turn == tensor - 1:
            ring[done[turn] % ring_rows] = done[turn]
        done[turn] += 1
    return True


def test_the_first_row_from_outside_opens_a_stage_and_all_rows_come() -> None:
    """The first output row lies in the padding; input rows 0 to 6 of 8 are asked for."""
    rows = AwaitedCall("", "", "", {}, {}, 8, 1, 10)
    convolution = call(4, RowWindow(8, 10, rows=1, stride=3, pad_top=3, as_array=True))
    stream = simulate([rows, convolution], [[0], [1]], 1)
    assert stream.order == (0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0)
    assert stream.ring_rows(1) == 1
