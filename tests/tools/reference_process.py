"""TFLite's reference kernels in a process of their own, as a damaged model may take it down.

    with ReferenceProcess("litert") as runtime:
        outputs = runtime.run(blob, inputs)  # None where the runtime refuses the model, or crashes

Run as a program it is that process: it answers what comes on its standard input.
"""

import os
import pickle
import select
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Any, Literal

from numpy.typing import NDArray

Array = NDArray[Any]
Runtime = Literal["litert", "tflm"]
TIMEOUT_SECONDS = 20


class ReferenceProcess:
    """A process that runs models one after the other; it is started anew where one crashes or hangs it.

    runtime: "litert", whose shapes are those that it works out itself, or "tflm" (TFLite Micro).
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "ReferenceProcess":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop()

    def run(self, model: bytes, inputs: Sequence[Array]) -> list[Array] | None:
        """The outputs of a model in its initial state; None where the runtime does not run it."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__, self._runtime],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        pickle.dump((model, list(inputs)), self._process.stdin)
        self._process.stdin.flush()
        answer = _answer(self._process.stdout)
        if answer is None:
            self._stop()
        return answer[0] if answer else None

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.wait()
        self._process = None


def _answer(stream: IO[bytes]) -> tuple[list[Array] | None] | None:
    """One answer; None where there comes none."""
    if not select.select([stream], [], [], TIMEOUT_SECONDS)[0]:
        return None
    try:
        return pickle.load(stream)  # type: ignore[no-any-return]
    except (EOFError, pickle.UnpicklingError):
        return None


def _run_litert(model: bytes, inputs: Sequence[Array]) -> list[Array]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
    )
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def _run_tflm(model: bytes, inputs: Sequence[Array]) -> list[Array]:
    from tflite_micro import runtime  # type: ignore[import-untyped]

    interpreter = runtime.Interpreter.from_bytes(model)
    for index, value in enumerate(inputs):
        interpreter.set_input(value, index)
    interpreter.invoke()
    return [interpreter.get_output(index) for index in range(_count_outputs(model))]


def _count_outputs(model: bytes) -> int:
    import tflite

    return int(tflite.Model.GetRootAs(model, 0).Subgraphs(0).OutputsLength())


def _serve(runtime: str) -> None:
    """Answer until the input ends. Only answers go to the standard output, what libraries print does not."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    function = {"litert": _run_litert, "tflm": _run_tflm}[runtime]
    while True:
        try:
            model, inputs = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        outputs = None
        try:
            outputs = function(model, inputs)
        except Exception as error:  # whatever a runtime raises is a refusal
            print(error, file=sys.stderr)
        pickle.dump((outputs,), answers)
        answers.flush()


if __name__ == "__main__":
    _serve(sys.argv[1])
