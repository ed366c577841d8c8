"""How a command of the command line ends: in one line on stderr and an exit code, whatever happens."""

import io
import os
import platform
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from typing import IO, Any

import click

from tinycc.errors import TinyccError, ToolError, printable
from tinycc.version import VERSION

# What a user can mend, and a fault of tinycc itself (EX_SOFTWARE of BSD's sysexits.h).
USER_ERROR = 2
FAULT = 70
_MESSAGE_LENGTH = 200


class Command(click.Group):
    """Shows what a user can mend as one line and leaves with exit code 2.

    An exception that is none of those is a fault: one line as well, exit code 70, and a file with the
    traceback. An interruption leaves with 128 and the number of the signal, and says nothing.
    """

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """The arguments that are left; what is wrong with them is one line."""
        try:
            return super().parse_args(context, arguments)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            click.echo(f"tinycc: error: {error.format_message()} (see tinycc --help)", err=True)
            raise click.exceptions.Exit(USER_ERROR) from error

    def invoke(self, context: click.Context) -> Any:
        """Run a command; however it ends, it ends in an exit code."""
        code = USER_ERROR
        if isinstance(sys.stdout, io.TextIOWrapper):  # names of files and terminals may be no Unicode
            sys.stdout.reconfigure(errors="backslashreplace")
        with _stderr_of_libraries() as noise:
            try:
                with _terminable() as received, _without_torch():
                    return super().invoke(context)
            except TinyccError as error:
                message = str(error)
            except click.UsageError as error:
                command = " ".join(filter(None, ("tinycc", context.invoked_subcommand, "--help")))
                message = f"{error.format_message()} (see {command})"
            except click.ClickException as error:
                message = error.format_message()
            except (click.exceptions.Exit, click.Abort, BrokenPipeError):
                raise  # a reader of the output that has seen enough: click leaves quietly
            except KeyboardInterrupt as error:
                raise click.exceptions.Exit(128 + (received or [signal.SIGINT])[0]) from error
            except OSError as error:  # a full disk, a name that is too long
                place = f"{error.filename}: " if error.filename else ""
                message = f"{place}{error.strerror or error}"
            except Exception as error:
                code = FAULT
                message = _fault(error, noise)
        click.echo(f"tinycc: error: {printable(message)}", err=True)
        raise click.exceptions.Exit(code)


@contextmanager
def _stderr_of_libraries() -> Iterator[IO[bytes] | None]:
    """What libraries write to the file descriptor 2, kept from the terminal.

    TVM warns there of what an exception leaves unfinished. None where there is nothing to write to.
    """
    try:
        saved = os.dup(2)
    except OSError:  # closed by the caller
        yield None
        return
    with os.fdopen(saved, "wb") as terminal, tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        try:
            yield noise
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(terminal.fileno(), 2)


@contextmanager
def _terminable() -> Iterator[list[int]]:
    """Lets SIGTERM unwind the command like an interruption, so that nothing half-written stays.

    Yields the list of the signals that came.
    """
    received: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # only the main thread may ask for signals
        yield received
        return
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


class _NoTorch(MetaPathFinder):
    """Finds that there is no torch."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """ModuleNotFoundError for torch; nothing for other modules, which leaves them to other finders."""
        if name == "torch":
            raise ModuleNotFoundError("a model file needs no torch", name=name)


@contextmanager
def _without_torch() -> Iterator[None]:
    """Keeps tvm_ffi from importing torch, which it does wherever that is installed.

    Few commands need it, see `with_torch`, and the import takes longer than most compilations.
    """
    finder = _NoTorch()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)


def with_torch() -> None:
    """Let the command that runs import torch. Raises ToolError where there is none."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _NoTorch)]
    if find_spec("torch") is None:
        raise ToolError("torch is not installed: pip install 'tinycc-mcu[torch]'")


def check_installed(extra: str, modules: Sequence[str]) -> None:
    """ToolError where modules of an extra of the package are missing: it says how to install them."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise ToolError(f"{', '.join(missing)} {are} not installed: pip install 'tinycc-mcu[{extra}]'")


def _fault(error: Exception, noise: IO[bytes] | None) -> str:
    """The line for an exception that no user can mend; what is known of it goes into a new file."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = ": ".join([type(error).__name__, *lines[:1]])[:_MESSAGE_LENGTH]
    try:
        number, path = tempfile.mkstemp(prefix="tinycc-fault-", suffix=".txt")
        with open(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"tinycc {VERSION}, Python {platform.python_version()}, {platform.platform()}\n")
            file.write(f"{sys.argv}\n\n")
            file.writelines(traceback.format_exception(error))
            if noise is not None:
                noise.seek(0)
                file.write("\n" + noise.read().decode("utf-8", "backslashreplace"))
    except OSError as failure:
        place = f"the traceback cannot be written: {failure.strerror}"
    else:
        place = f"please report it with the traceback in {path}"
    return f"a fault in tinycc, not in what it was given ({reason}): {place}"
