"""The command ``fetch``."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from striate._internal.paths import expand_path
from striate._internal.progress_bars import format_size
from striate.cli.app import DATA, app

if TYPE_CHECKING:
    from striate.catalog import DataFile, Dataset
    from striate.catalog.local_files import DatasetFolder
    from striate.fetch import FileStatus, Outcome, Plan

console = Console(stderr=True, highlight=False)  # standard output is for the result
_ROWS = 40  # of a table, at most


@app.command("fetch", rich_help_panel=DATA)
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            metavar="dataset", help="Name of a dataset (striate catalog list); or dataset/session.", show_default=False
        ),
    ],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="files", help="Sessions or file names; all files by default.")
    ] = None,
    track: Annotated[list[str] | None, typer.Option(help="Fetch the recording of a track; repeatable.")] = None,
    pretraining: Annotated[bool, typer.Option("--pretraining", help="Fetch the pre-training recordings.")] = False,
    mouse: Annotated[list[int] | None, typer.Option(help="Fetch the recording of a mouse, by its number.")] = None,
    to: Annotated[
        Path | None,
        typer.Option(help="Folder for the files. Default: the folder used before, or else a folder in the cache."),
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the terms of the dataset without a prompt.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="If a host is down, wait and try again, for up to two days.")
    ] = False,
    mirror: Annotated[
        list[str] | None, typer.Option(help="Address or folder of a mirror, which is tried first; repeatable.")
    ] = None,
    accept_hash: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SHA256", help="Accept a file with this hash if the hash in the catalogue is unconfirmed."
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not use the network.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Verify the hashes of the fetched files, and fetch nothing.")
    ] = False,
    at_once: Annotated[int, typer.Option(min=1, max=16, help="Number of simultaneous downloads.")] = 4,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors and the result.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print events as lines of JSON on standard error, and the result as JSON.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing files that differ from those of the dataset.")
    ] = False,
) -> None:
    """Fetch the recordings of a dataset, and print the paths of the complete files.

    To resume after an interruption, run the same command again.

    The exit status is 75 if a host is temporarily down; received data are kept.

    Fetched recordings can be opened by name, such as sensorium2022/27204-5-13.
    """
    from striate.catalog import get_dataset
    from striate.catalog.local_files import DatasetFolder, preferred_folder

    name, _, session = name.partition("/")
    dataset = get_dataset(name)
    selection = [*([session] if session else []), *(names or [])]
    files = dataset.select(selection, tracks=track or (), pretraining=pretraining, mice=mouse or ())
    folder = preferred_folder(dataset, files) if to is None else DatasetFolder(expand_path(to))
    if verify:
        _verify(dataset, files, folder, quiet=quiet, as_json=as_json)
        return
    from striate.cli.fetch_progress import show_progress
    from striate.errors import InputError, listed
    from striate.fetch import Downloader, Options, plan_fetch
    from striate.fetch.describe_dataset import normalise_address

    options = Options(
        mirrors=tuple(normalise_address(address) for address in mirror or ()),
        wait=wait,
        offline=offline,
        overwrite=overwrite,
        trusted=frozenset(parse_sha256(text) for text in accept_hash or ()),
        at_once=at_once,
    )
    plan = plan_fetch(dataset, files, folder)
    if not (quiet or as_json):
        _print_plan(plan)
    if plan.missing:
        plan.refuse_too_little_space()
        if not offline:
            _require_accepted_terms(dataset, accept_licence)
    try:
        with show_progress(plan, quiet=quiet, as_json=as_json) as listener:
            outcome = Downloader(dataset, folder, options, listener).run(files)
    except KeyboardInterrupt:
        received = sum(entry.received for entry in plan_fetch(dataset, files, folder).missing)
        console.print(f"Stopped. {format_size(received)} are kept; run the same command again to resume.", markup=False)
        raise
    _print_result(outcome, folder, as_json=as_json)
    if offline and outcome.failures:
        raise InputError(
            f"{len(outcome.failures)} of {_files(len(files))} of {dataset.name} are not available without the network "
            f"({listed(_display_name(dataset, name) for name in outcome.failures)}): fetch without --offline."
        )
    if not as_json:
        _print_other_failures(dataset, outcome)
    outcome.raise_failures()


def _print_result(outcome: "Outcome", folder: "DatasetFolder", *, as_json: bool) -> None:
    """Print the result on standard output."""
    paths = {name: str(path.absolute()) for name, path in outcome.paths.items()}
    if as_json:
        failures = {name: str(error) for name, error in outcome.failures.items()}
        print(json.dumps({"folder": str(folder.path.absolute()), "files": paths, "failures": failures}))
        return
    for path in paths.values():
        print(path)


def _print_other_failures(dataset: "Dataset", outcome: "Outcome") -> None:
    """Print the failures that differ from the one that is raised as the error of the command."""
    from striate.errors import StriateError

    try:
        outcome.raise_failures()
    except StriateError as raised:
        reason = getattr(raised, "reason", None)
        for name, error in outcome.failures.items():
            if str(error) != str(raised) and (reason is None or getattr(error, "reason", None) != reason):
                console.print(
                    f"- {_display_name(dataset, name)}: {error}", markup=False, soft_wrap=not sys.stderr.isatty()
                )


def _display_name(dataset: "Dataset", file: str) -> str:
    """Return the session of a file, or its file name if it has no session."""
    return next((each.session for each in dataset.files if each.name == file and each.session), file)


def parse_sha256(text: str) -> str:
    """Return a SHA-256 hash in lower case; raise `InputError` if the text is not one."""
    from striate.errors import InputError

    digest = text.strip().lower()
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise InputError(f"{text!r} is not a SHA-256 hash: give its 64 digits (0–9, a–f).")
    return digest


def _print_plan(plan: "Plan") -> None:
    dataset = plan.dataset
    table = Table(title=dataset.title, title_justify="left")
    for column in ("file", "role", "size", "here"):
        table.add_column(column, justify="right" if column == "size" else "left", no_wrap=column != "role")
    for entry in plan.files[:_ROWS]:
        state = {"whole": "complete", "there": "to be verified", "begun": format_size(entry.received), "missing": "–"}
        exact = entry.file.size is not None or entry.state in ("whole", "there")
        size = format_size(entry.size, exact=exact)
        table.add_row(entry.file.session or entry.file.name, entry.file.role or "", size, state[entry.state])
    console.print(table)
    if len(plan.files) > _ROWS:
        console.print(f"… and {len(plan.files) - _ROWS:,} more files")
    missing = [entry for entry in plan.missing if entry.state != "there"]
    if not plan.missing:
        console.print(f"All files are in {plan.folder}.", markup=False)
        return
    unknown_sizes = f", and {_files(plan.unknown_sizes)} of unknown size" if plan.unknown_sizes else ""
    console.print(
        f"to fetch: {_files(len(missing))}, {format_size(plan.bytes_needed)}{unknown_sizes}; the disk has {format_size(plan.bytes_free)} left"
    )
    console.print(f"into:     {plan.folder}", markup=False)
    if any(entry.file.sha256 and not entry.file.confirmed for entry in missing):
        console.print("hashes:   from a third party; a file with another hash is kept separately until you decide")
    console.print(f"licence:  {dataset.licence.name}", markup=False)
    if dataset.citation:
        console.print(f"cite:     {dataset.citation.text}", markup=False)


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _require_accepted_terms(dataset: "Dataset", accept: bool) -> None:
    """Ask for acceptance of the terms before anything is fetched, unless they were accepted before."""
    from striate.errors import InputError
    from striate.fetch import accept_terms, find_acceptance
    from striate.fetch.data_terms import require_acceptance

    if find_acceptance(dataset) is not None:
        return
    if accept:
        accept_terms(dataset)
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        require_acceptance(dataset)
    console.print(
        f"\n[bold]Terms of {dataset.name}[/]: {dataset.licence.name}"
        + (f", {dataset.licence.address}" if dataset.licence.address else "")
    )
    console.print(dataset.licence.terms.strip(), markup=False)
    if not typer.confirm("Do you accept these terms?", err=True):
        raise InputError("The terms were not accepted, so nothing was fetched.")
    accept_terms(dataset)


def _verify(
    dataset: "Dataset", files: "tuple[DataFile, ...]", folder: "DatasetFolder", *, quiet: bool, as_json: bool
) -> None:
    from striate._internal.progress_bars import progress_bar
    from striate.fetch import verify

    sizes = {file.name: (file.best_known_size or 0) for file in files}
    verified: dict[str, int] = {}
    with progress_bar(f"verifying {dataset.name}", sum(sizes.values())) as advance:

        def on_progress(file: "DataFile", done: int) -> None:
            advance(done - verified.get(file.name, 0))
            verified[file.name] = done

        verdicts = verify(files, folder, on_progress)
    if as_json:
        print(json.dumps([{**vars(verdict), "path": str(verdict.path.absolute())} for verdict in verdicts], indent=1))
    elif not quiet:
        _print_verdicts(dataset, verdicts)
    from striate.errors import InputError, listed

    names = {
        state: [_display_name(dataset, v.file) for v in verdicts if v.state == state]
        for state in ("damaged", "missing", "aside")
    }
    problems = [f"{len(affected)} {state} ({listed(affected)})" for state, affected in names.items() if affected]
    if problems:
        command = f"striate fetch {dataset.name}{' --overwrite' if names['damaged'] else ''}"
        raise InputError(
            f"Of {_files(len(verdicts))} of {dataset.name} in {folder.path}: {', '.join(problems)}. Fetch them again with {command}."
        )


def _print_verdicts(dataset: "Dataset", verdicts: "list[FileStatus]") -> None:
    table = Table(title=dataset.title, title_justify="left")
    table.add_column("file", no_wrap=True)
    table.add_column("found", overflow="fold")
    for verdict in verdicts:
        found = verdict.state + (f": {verdict.reason}" if verdict.reason else "")
        table.add_row(_display_name(dataset, verdict.file), found)
    Console(highlight=False).print(table)
