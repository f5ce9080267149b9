"""The program ``striate``: registration of its commands, error messages, exit statuses and signals."""

import contextlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import typer
import typer.main
from rich.console import Console
from rich.markup import escape

from striate import __version__
from striate._internal.progress_bars import is_terminal
from striate.cli.plugins import OPTION, load_plugins, plugin_components
from striate.cli.standard_streams import make_printable, open_closed_streams
from striate.errors import InputError, StriateError, StriateWarning, command_line, is_out_of_memory

_HELP = ["-h", "--help"]

app = typer.Typer(
    name="striate",
    help="Benchmarks that predict visual cortex: recordings, encoders, exact scores, submissions.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": _HELP},
)

# Panels of the help text, in this order.
DATA = "Data"
MODELS = "Models"
SCORES = "Scores and submissions"
COMPETITIONS = "Competitions and portals"
EXAMPLES = "Examples"
_PANELS = (DATA, MODELS, SCORES, COMPETITIONS, EXAMPLES)

# Each module adds its commands to `app`. No module imports a heavy library before a command runs.
_GROUPS = (
    "benchmarks",
    "catalog",
    "fetch",
    "recordings",
    "simulate",
    "training",
    "ensemble",
    "sharing",
    "sweep",
    "zoo",
    "submissions",
    "report",
    "submit",
    "competition",
    "competition_notices",
    "serve",
    "serve_admin",
    "data",
    "demo",
    "reproduce",
)

# Idle OpenMP threads sleep instead of spinning. Spinning is 5 % faster on an idle machine, but a third slower for two trainings on
# the same machine. OpenMP reads this variable when PyTorch is first imported, which happens later.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Scripts get one line per message; on a terminal, messages are wrapped between words.
errors = Console(stderr=True, highlight=False, soft_wrap=not is_terminal())


_INTERRUPTED = 130  # exit status of Typer after Ctrl-C

_TOO_LITTLE_MEMORY = (
    "There is too little memory. Training needs less with smaller batches (--set data.batch_size=…), with smaller images "
    "(data.image_size), and with data.cache_gib=0, which keeps no prepared images."
)


def program() -> Any:
    """Return the program with all its commands, and with help texts formatted for a terminal.

    Flags, which take no value, show no type. Paragraphs are wrapped at the width of the terminal.
    """
    load_commands()
    plugins = _describe_plugins()
    command: Any = typer.main.get_command(app)
    command.commands = dict(sorted(command.commands.items(), key=lambda item: _sort_key(item[1])))
    remaining: list[Any] = [command]
    while remaining:
        each = remaining.pop()
        for parameter in each.get_params(typer.Context(each, help_option_names=_HELP)):
            if getattr(parameter, "is_flag", False) and parameter.metavar is None:
                parameter.metavar = ""
        paragraphs = (each.help or "").replace("``", "`").split("\n\n")
        each.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs) or None
        each.epilog = plugins
        remaining += getattr(each, "commands", {}).values()
    return command


def _with_literal_brackets(command: Any) -> Any:
    """Escape help texts, in which Rich would take ``[sweep]``, the name of a table, for a tag, and leave it out; return the command."""
    remaining: list[Any] = [command]
    while remaining:
        each = remaining.pop()
        each.help = each.help and escape(each.help)
        for parameter in each.params:
            if getattr(parameter, "help", None):
                parameter.help = escape(parameter.help)
        remaining += getattr(each, "commands", {}).values()
    return command


def _describe_plugins() -> str | None:
    """Return a sentence for help texts that names the components of loaded plugins; None if there are none."""
    if "striate.registry" not in sys.modules:  # no plugin has been loaded
        return None
    components = [f"{kind} {component.name}" for kind, component in plugin_components()]
    return f"From plugins: {', '.join(components)}." if components else None


def _sort_key(command: Any) -> tuple[int, bool, int]:
    """Return the sort key of a command in the help text: by panel, groups last, then by module in the order of `_GROUPS`."""
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
    plugin: list[str] = typer.Option(
        [],
        OPTION,
        metavar="FILE.py",
        help="Load a Python file or module that registers components. Any command takes it.",
    ),
) -> None:
    pass


def load_commands() -> None:
    """Import all modules with commands, which registers the commands in `app`."""
    for group in _GROUPS:
        import_module(f"striate.cli.{group}")


class Terminated(KeyboardInterrupt):
    """Raised on SIGTERM or SIGHUP, so that commands clean up as after Ctrl-C."""


@contextlib.contextmanager
def _terminable() -> Iterator[list[signal.Signals]]:
    """Raise `Terminated` on SIGTERM and SIGHUP within the block, so that no partial files remain; yield the received signals.

    Signals that are already ignored (as under ``nohup``) or handled are not changed.
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
    """Run the command line. An error prints one sentence on standard error; the exit status is 1, or 2 for a usage error.

    The exit status is 130 after Ctrl-C, 143 after SIGTERM and 129 after SIGHUP.
    """
    open_closed_streams()
    make_printable()
    with _terminable() as received, command_line(), warnings.catch_warnings():
        warnings.showwarning = _show_warning
        _run(received)


def _end_interrupted(received: list[signal.Signals]) -> NoReturn:
    message = f"stopped by {received[0].name}" if received else "interrupted"
    with contextlib.suppress(OSError):  # the terminal is closed
        errors.print(message)
    sys.exit(128 + received[0] if received else _INTERRUPTED)


def _run(received: list[signal.Signals]) -> None:
    try:
        if "" in sys.argv[1:]:  # an empty path would mean the current folder
            raise InputError("An argument is empty; perhaps a shell variable is not set.")
        arguments = load_plugins(sys.argv[1:])
        status = _run_command(arguments)
        if status == _INTERRUPTED:
            _end_interrupted(received)
        sys.exit(status)
    except typer.TyperException as error:
        if message := error.format_message():  # empty if the help text was printed instead
            context = getattr(error, "ctx", None)
            command = context.command_path if context else app.info.name
            stop = "" if message[-1] in ".?!" else "."
            errors.print(f"[bold red]error:[/] {_escape_markup(message)}{stop} See {command} -h.")
        sys.exit(2)
    except StriateError as error:
        errors.print(f"[bold red]error:[/] {_escape_markup(str(error))}")
        sys.exit(error.exit_status)
    except (KeyboardInterrupt, typer.Abort):
        _end_interrupted(received)
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:  # for example a full disk, or a missing permission
        path = f"{error.filename}: " if error.filename else ""
        errors.print(f"[bold red]error:[/] {_escape_markup(path + (error.strerror or str(error)))}.")
        sys.exit(1)
    except (MemoryError, RuntimeError) as error:  # PyTorch raises RuntimeError
        if not is_out_of_memory(error):
            raise
        errors.print(f"[bold red]error:[/] {_TOO_LITTLE_MEMORY}")
        sys.exit(1)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    """Show a warning of striate as one sentence, and others as Python does."""
    if issubclass(category, StriateWarning):
        errors.print(f"[bold yellow]warning:[/] {_escape_markup(str(message))}")
    else:
        errors.print(warnings.formatwarning(message, category, filename, lineno).rstrip(), markup=False)


def _run_command(arguments: list[str]) -> Any:
    """Run a command, and return its status. An error of a plugin names the plugin."""
    try:
        return _with_literal_brackets(program())(args=arguments, standalone_mode=False)
    except Exception as error:
        if "striate.registry" in sys.modules:  # imported only now, because commands without plugins start faster
            from striate.component_errors import component_error

            if (named := component_error(error)) is not None:
                raise named from error
        raise


def _escape_markup(text: str) -> str:
    return text.replace("[", r"\[")
