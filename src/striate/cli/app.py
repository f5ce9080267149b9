"""The program ``striate``: its commands, and how their errors reach the user."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import typer
import typer.main
from rich.console import Console

from striate import __version__
from striate._internal.progress_bars import is_terminal
from striate.cli.encoding import make_printable, open_closed_streams
from striate.errors import InputError, StriateError, command_line

_HELP = ["-h", "--help"]

app = typer.Typer(
    name="striate",
    help="Benchmarks that predict visual cortex: recordings, encoders, exact scores, submissions.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": _HELP},
)

# Panels of the help, in this order.
DATA = "Data"
MODELS = "Models"
SCORES = "Scores and submissions"
COMPETITIONS = "Competitions and portals"
EXAMPLES = "Examples"
_PANELS = (DATA, MODELS, SCORES, COMPETITIONS, EXAMPLES)

# Each module adds its commands to `app`; none imports a heavy library before a command runs.
_GROUPS = (
    "catalog",
    "fetch",
    "recordings",
    "simulate",
    "training",
    "scores",
    "report",
    "submit",
    "competition",
    "deciding",
    "serve",
    "organise",
    "data",
    "demo",
    "reproduce",
)

# Threads that wait for work sleep instead of spinning: spinning wins 5 % on an idle machine, and makes two trainings that
# share one take a third longer. OpenMP reads this when PyTorch is first imported, which no module here has done yet.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# for scripts a sentence is a line; at a terminal it breaks between words
errors = Console(stderr=True, highlight=False, soft_wrap=not is_terminal())


_INTERRUPTED = 130  # the status that Typer makes of Ctrl-C

_NO_MEMORY = ("allocate memory", "out of memory")
_TOO_LITTLE_MEMORY = (
    "There is too little memory. Training needs less with smaller batches (--set data.batch_size=…), with smaller images "
    "(data.image_size), and with data.cache_gib=0, which keeps no prepared images."
)


def program() -> Any:
    """Return the program with all its commands, its help made fit for a terminal.

    Flags, which take no value, show no type; paragraphs break where the terminal ends, not where a docstring did.
    """
    load_commands()
    command: Any = typer.main.get_command(app)
    command.commands = dict(sorted(command.commands.items(), key=lambda item: _place(item[1])))
    waiting: list[Any] = [command]
    while waiting:
        each = waiting.pop()
        for parameter in each.get_params(typer.Context(each, help_option_names=_HELP)):
            if getattr(parameter, "is_flag", False) and parameter.metavar is None:
                parameter.metavar = ""
        paragraphs = (each.help or "").replace("``", "`").split("\n\n")
        each.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs) or None
        waiting += getattr(each, "commands", {}).values()
    return command


def _place(command: Any) -> tuple[int, bool, int]:
    """Place of a command in the help, whichever module was imported first: by panel, groups last, by module."""
    is_group, one = hasattr(command, "commands"), command
    while hasattr(one, "commands"):
        one = next(iter(one.commands.values()))
    module = one.callback.__module__.rpartition(".")[2]
    return _PANELS.index(command.rich_help_panel), is_group, _GROUPS.index(module)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"striate {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def load_commands() -> None:
    """Import every module of commands, so that `app` has them all."""
    for group in _GROUPS:
        import_module(f"striate.cli.{group}")


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP arrived: commands clean up as they do after Ctrl-C."""


@contextlib.contextmanager
def _terminable() -> Iterator[list[signal.Signals]]:
    """Let SIGTERM and SIGHUP raise `Terminated` within the block, so that nothing half written is left; yields what arrived.

    Signals that are ignored (as under ``nohup``) or handled already are left alone.
    """
    received: list[signal.Signals] = []

    def terminate(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number))
        raise Terminated

    ours = []
    if threading.current_thread() is threading.main_thread():
        ours = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_DFL]
    for each in ours:
        signal.signal(each, terminate)
    try:
        yield received
    finally:
        for each in ours:
            if signal.getsignal(each) is terminate:
                signal.signal(each, signal.SIG_DFL)


def main() -> None:
    """Run the command line; an error is one sentence on standard error and exit status 1, or 2 where the call was wrong.

    Ctrl-C ends it with status 130, SIGTERM with 143, SIGHUP with 129.
    """
    open_closed_streams()
    make_printable()
    with _terminable() as received, command_line():
        _run(received)


def _end_interrupted(received: list[signal.Signals]) -> NoReturn:
    said = f"stopped by {received[0].name}" if received else "interrupted"
    with contextlib.suppress(OSError):  # the terminal is closed
        errors.print(said)
    sys.exit(128 + received[0] if received else _INTERRUPTED)


def _run(received: list[signal.Signals]) -> None:
    command = program()
    try:
        if "" in sys.argv[1:]:  # as a path it would mean the current folder
            raise InputError("An argument is empty; perhaps a variable of the shell is not set.")
        status = command(standalone_mode=False)
        if status == _INTERRUPTED:
            _end_interrupted(received)
        sys.exit(status)
    except typer.TyperException as error:
        if said := error.format_message():  # without any argument, the help is what was said
            context = getattr(error, "ctx", None)
            command = context.command_path if context else app.info.name
            stop = "" if said[-1] in ".?!" else "."
            errors.print(f"[bold red]error:[/] {_plain(said)}{stop} See {command} -h.")
        sys.exit(2)
    except StriateError as error:
        errors.print(f"[bold red]error:[/] {_plain(str(error))}")
        sys.exit(error.exit_status)
    except (KeyboardInterrupt, typer.Abort):
        _end_interrupted(received)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:  # a full disk, a folder without permission
        place = f"{error.filename}: " if error.filename else ""
        errors.print(f"[bold red]error:[/] {_plain(place + (error.strerror or str(error)))}.")
        sys.exit(1)
    except (MemoryError, RuntimeError) as error:  # PyTorch raises the second
        if not isinstance(error, MemoryError) and not any(said in str(error) for said in _NO_MEMORY):
            raise
        errors.print(f"[bold red]error:[/] {_TOO_LITTLE_MEMORY}")
        sys.exit(1)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
