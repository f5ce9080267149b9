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
    track: Annotated[list[str] | None, typer.Option(help="The recording of a track; may be given again.")] = None,
    pretraining: Annotated[bool, typer.Option("--pretraining", help="The pre-training recordings.")] = False,
    mouse: Annotated[list[int] | None, typer.Option(help="The recording of a mouse, by number.")] = None,
    to: Annotated[
        Path | None, typer.Option(help="Folder; by default where it was fetched to before, else below the cache.")
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the terms of the dataset, without being asked.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Where a host is down, wait and try again, for up to two days.")
    ] = False,
    mirror: Annotated[
        list[str] | None, typer.Option(help="Another address, or a folder, that has the files; tried first.")
    ] = None,
    accept_hash: Annotated[
        list[str] | None,
        typer.Option(metavar="SHA256", help="Take a file of this hash, where the catalogue's is unconfirmed."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never touch the network.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read again what is there, and fetch nothing.")] = False,
    at_once: Annotated[int, typer.Option(min=1, max=16, help="Files that are fetched at a time.")] = 4,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors and the result.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Events as lines of JSON on standard error, the result as JSON.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another file that stands in a file's place.")
    ] = False,
) -> None:
    """Fetch the recordings of a dataset; the paths of the whole files are printed.

    After an interruption the same command goes on where it was.

    Exit status 75 if a host is down for now; what was received is kept.

    Afterwards recordings open by name, such as sensorium2022/27204-5-13.
    """
    from striate.catalog import get_dataset
    from striate.catalog.local_files import DatasetFolder, preferred_folder

    name, _, one = name.partition("/")
    of = get_dataset(name)
    chosen = [*([one] if one else []), *(names or [])]
    files = of.select(chosen, tracks=track or (), pretraining=pretraining, mice=mouse or ())
    folder = preferred_folder(of, files) if to is None else DatasetFolder(expand_path(to))
    if verify:
        _verify(of, files, folder, quiet=quiet, as_json=as_json)
        return
    from striate.cli.fetch_bars import drawn
    from striate.errors import InputError, listed
    from striate.fetch import Downloader, Options
    from striate.fetch import plan_fetch as planned
    from striate.fetch.describe_dataset import normalise_address

    options = Options(
        mirrors=tuple(normalise_address(address) for address in mirror or ()),
        wait=wait,
        offline=offline,
        overwrite=overwrite,
        trusted=frozenset(checked_hash(text) for text in accept_hash or ()),
        at_once=at_once,
    )
    plan = planned(of, files, folder)
    if not (quiet or as_json):
        _print_plan(plan)
    if plan.missing:
        plan.refuse_too_little_space()
        if not offline:
            _agree(of, accept_licence)
    try:
        with drawn(plan, quiet=quiet, as_json=as_json) as listener:
            outcome = Downloader(of, folder, options, listener).run(files)
    except KeyboardInterrupt:
        received = sum(entry.received for entry in planned(of, files, folder).missing)
        console.print(
            f"Stopped; {format_size(received)} are kept, and the same command goes on from there.", markup=False
        )
        raise
    _report(outcome, folder, as_json=as_json)
    if offline and outcome.failures:
        raise InputError(
            f"{len(outcome.failures)} of {_files(len(files))} of {of.name} cannot be had without the network "
            f"({listed(_name(of, name) for name in outcome.failures)}): fetch without --offline."
        )
    if not as_json:
        _print_other_failures(of, outcome)
    outcome.raise_failures()


def _report(outcome: "Outcome", folder: "DatasetFolder", *, as_json: bool) -> None:
    """Print the result, and nothing else, on standard output."""
    paths = {name: str(path.absolute()) for name, path in outcome.paths.items()}
    if as_json:
        said = {name: str(error) for name, error in outcome.failures.items()}
        print(json.dumps({"folder": str(folder.path.absolute()), "files": paths, "failures": said}))
        return
    for path in paths.values():
        print(path)


def _print_other_failures(of: "Dataset", outcome: "Outcome") -> None:
    """Say why files are not here, besides the reason that follows as the error."""
    from striate.errors import StriateError

    try:
        outcome.raise_failures()
    except StriateError as worst:
        first = str(worst)
        reason = getattr(worst, "reason", None)
        for name, error in outcome.failures.items():
            if str(error) != first and (reason is None or getattr(error, "reason", None) != reason):
                console.print(f"- {_name(of, name)}: {error}", markup=False, soft_wrap=not sys.stderr.isatty())


def _name(of: "Dataset", file: str) -> str:
    """What people call a file: its session, where it has one."""
    return next((each.session for each in of.files if each.name == file and each.session), file)


def checked_hash(text: str) -> str:
    """Return a SHA-256 in lower case; raise `InputError` if it is none."""
    from striate.errors import InputError

    digest = text.strip().lower()
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise InputError(f"{text!r} is no SHA-256: give its 64 digits (0–9, a–f).")
    return digest


def _print_plan(plan: "Plan") -> None:
    of = plan.dataset
    table = Table(title=of.title, title_justify="left")
    for column in ("file", "role", "size", "here"):
        table.add_column(column, justify="right" if column == "size" else "left", no_wrap=column != "role")
    for entry in plan.files[:_ROWS]:
        state = {"whole": "whole", "there": "to be verified", "begun": format_size(entry.received), "missing": "–"}
        exact = entry.file.size is not None or entry.state in ("whole", "there")
        size = format_size(entry.size, exact=exact)
        table.add_row(entry.file.session or entry.file.name, entry.file.role or "", size, state[entry.state])
    console.print(table)
    if len(plan.files) > _ROWS:
        console.print(f"… and {len(plan.files) - _ROWS:,} more files")
    missing = [entry for entry in plan.missing if entry.state != "there"]
    if not plan.missing:
        console.print(f"All of it is in {plan.folder}.", markup=False)
        return
    unknown_sizes = f", and {_files(plan.unknown_sizes)} of unknown size" if plan.unknown_sizes else ""
    console.print(
        f"to fetch: {_files(len(missing))}, {format_size(plan.bytes_needed)}{unknown_sizes}; the disk has {format_size(plan.bytes_free)} left"
    )
    console.print(f"into:     {plan.folder}", markup=False)
    if any(entry.file.sha256 and not entry.file.confirmed for entry in missing):
        console.print("hashes:   from a third party; a file that has another one is kept aside, and you decide")
    console.print(f"licence:  {of.licence.name}", markup=False)
    if of.citation:
        console.print(f"cite:     {of.citation.text}", markup=False)


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _agree(of: "Dataset", given: bool) -> None:
    """See to it that the terms are accepted before anything is fetched."""
    from striate.errors import InputError
    from striate.fetch import accept_terms, find_acceptance
    from striate.fetch.data_terms import require_acceptance

    if find_acceptance(of) is not None:
        return
    if given:
        accept_terms(of)
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        require_acceptance(of)
    console.print(
        f"\n[bold]Terms of {of.name}[/]: {of.licence.name}" + (f", {of.licence.address}" if of.licence.address else "")
    )
    console.print(of.licence.terms.strip(), markup=False)
    if not typer.confirm("Do you accept these terms?", err=True):
        raise InputError("The terms were not accepted, so nothing was fetched.")
    accept_terms(of)


def _verify(
    of: "Dataset", files: "tuple[DataFile, ...]", folder: "DatasetFolder", *, quiet: bool, as_json: bool
) -> None:
    from striate._internal.progress_bars import progress_bar
    from striate.fetch import verify

    sizes = {file.name: (file.best_known_size or 0) for file in files}
    seen: dict[str, int] = {}
    with progress_bar(f"verifying {of.name}", sum(sizes.values())) as advance:

        def watch(file: "DataFile", done: int) -> None:
            advance(done - seen.get(file.name, 0))
            seen[file.name] = done

        verdicts = verify(files, folder, watch)
    if as_json:
        print(json.dumps([{**vars(verdict), "path": str(verdict.path.absolute())} for verdict in verdicts], indent=1))
    elif not quiet:
        _print_verdicts(of, verdicts)
    from striate.errors import InputError, listed

    names = {
        state: [_name(of, v.file) for v in verdicts if v.state == state] for state in ("damaged", "missing", "aside")
    }
    said = [f"{len(which)} {state} ({listed(which)})" for state, which in names.items() if which]
    if said:
        mend = f"striate fetch {of.name}{' --overwrite' if names['damaged'] else ''}"
        raise InputError(
            f"Of {_files(len(verdicts))} of {of.name} in {folder.path}: {', '.join(said)}. Mend it with {mend}."
        )


def _print_verdicts(of: "Dataset", verdicts: "list[FileStatus]") -> None:
    table = Table(title=of.title, title_justify="left")
    table.add_column("file", no_wrap=True)
    table.add_column("found", overflow="fold")
    for verdict in verdicts:
        found = verdict.state + (f": {verdict.reason}" if verdict.reason else "")
        table.add_row(_name(of, verdict.file), found)
    Console(highlight=False).print(table)
