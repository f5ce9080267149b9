"""The command ``fetch``."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from striate.cli.app import app, size_text

if TYPE_CHECKING:
    from striate.catalog import DataFile, Dataset
    from striate.catalog.fetched import DatasetFolder
    from striate.fetch import Plan, Verdict

console = Console(stderr=True, highlight=False)  # standard output is for the result


@app.command("fetch")
def fetch(
    name: Annotated[
        str, typer.Argument(metavar="DATASET", help="Name of a dataset (striate catalog list).", show_default=False)
    ],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Sessions or file names; all files by default.")
    ] = None,
    track: Annotated[list[str] | None, typer.Option(help="The recording of a track; may be given again.")] = None,
    pretraining: Annotated[bool, typer.Option("--pretraining", help="The pre-training recordings.")] = False,
    mouse: Annotated[list[int] | None, typer.Option(help="The recording of a mouse, by number.")] = None,
    to: Annotated[Path | None, typer.Option(help="Folder; below the cache by default.", show_default=False)] = None,
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

    After an interruption the same command goes on where it was. Exit status 75 if a host is down for now: what was
    received is kept. Afterwards recordings open by name, such as sensorium2022/27204-5-13.
    """
    from striate.catalog import dataset
    from striate.catalog.fetched import DatasetFolder, default_folder

    of = dataset(name)
    files = of.select(names or (), tracks=track or (), pretraining=pretraining, mice=mouse or ())
    folder = DatasetFolder(default_folder(of.name) if to is None else to.expanduser())
    if verify:
        _verify(of, files, folder, quiet=quiet, as_json=as_json)
        return
    from striate.cli.fetch_bars import drawn
    from striate.fetch import Fetching, Options
    from striate.fetch import plan as planned
    from striate.fetch.describe import base_address

    options = Options(
        mirrors=tuple(base_address(address) for address in mirror or ()),
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
    with drawn(plan, quiet=quiet, as_json=as_json) as listener:
        outcome = Fetching(of, folder, options, listener).run(files)
    if as_json:
        said = {name: str(error) for name, error in outcome.failures.items()}
        paths = {name: str(path.absolute()) for name, path in outcome.paths.items()}
        print(json.dumps({"dataset": of.name, "folder": str(folder.path.absolute()), "files": paths, "failures": said}))
    else:
        for path in outcome.paths.values():
            print(path)
    errors = list(dict.fromkeys(str(error) for error in outcome.failures.values()))
    if len(errors) > 1 and not as_json:
        for sentence in errors:
            console.print(f"- {sentence}", markup=False, soft_wrap=True)
    outcome.raise_failures()


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
    for entry in plan.entries:
        here = {"whole": "whole", "begun": size_text(entry.here), "missing": "–"}[entry.state]
        exact = entry.file.size is not None or entry.state == "whole"
        table.add_row(
            entry.file.session or entry.file.name, entry.file.role or "", size_text(entry.size, exact=exact), here
        )
    console.print(table)
    count = len(plan.missing)
    if not count:
        console.print(f"All of it is in {plan.folder}.", soft_wrap=True, markup=False)
        return
    console.print(f"to fetch: {_files(count)}, {size_text(plan.needed)}; the disk has {size_text(plan.free)} left")
    console.print(f"into:     {plan.folder}", soft_wrap=True, markup=False)
    console.print(f"licence:  {of.licence.name}", soft_wrap=True, markup=False)
    if of.citation:
        console.print(f"cite:     {of.citation.text}", soft_wrap=True, markup=False)


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _agree(of: "Dataset", given: bool) -> None:
    """See to it that the terms are accepted before anything is fetched."""
    from striate.errors import InputError
    from striate.fetch import accept, acceptance
    from striate.fetch.terms import refuse_unaccepted

    if acceptance(of) is not None:
        return
    if given:
        accept(of)
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        refuse_unaccepted(of)
    console.print(
        f"\n[bold]Terms of {of.name}[/]: {of.licence.name}" + (f", {of.licence.address}" if of.licence.address else "")
    )
    console.print(of.licence.terms.strip(), markup=False)
    if not typer.confirm("Do you accept these terms?", err=True):
        raise InputError("The terms were not accepted, so nothing was fetched.")
    accept(of)


def _verify(
    of: "Dataset", files: "tuple[DataFile, ...]", folder: "DatasetFolder", *, quiet: bool, as_json: bool
) -> None:
    from striate.fetch import verify
    from striate.progress import progress

    sizes = {file.name: (file.bytes_about or 0) for file in files}
    seen: dict[str, int] = {}
    with progress(f"verifying {of.name}", sum(sizes.values())) as advance:

        def watch(file: "DataFile", done: int) -> None:
            advance(done - seen.get(file.name, 0))
            seen[file.name] = done

        verdicts = verify(files, folder, watch)
    if as_json:
        print(json.dumps([{**vars(verdict), "path": str(verdict.path.absolute())} for verdict in verdicts], indent=1))
    elif not quiet:
        _print_verdicts(of, verdicts)
    wrong = [verdict for verdict in verdicts if verdict.state in ("damaged", "missing")]
    if wrong:
        from striate.errors import InputError, listed

        raise InputError(
            f"{len(wrong)} of {_files(len(verdicts))} of {of.name} in {folder.path} "
            f"{'is' if len(wrong) == 1 else 'are'} damaged or missing: "
            f"{listed(v.file for v in wrong)}. Delete what is damaged, and fetch again (striate fetch {of.name})."
        )


def _print_verdicts(of: "Dataset", verdicts: "list[Verdict]") -> None:
    table = Table(title=of.title, title_justify="left")
    for column in ("file", "found", "SHA-256"):
        table.add_column(column, no_wrap=column != "found")
    for verdict in verdicts:
        found = verdict.state + (f": {verdict.reason}" if verdict.reason else "")
        session = next((f.session for f in of.files if f.name == verdict.file), None)
        table.add_row(session or verdict.file, found, (verdict.sha256 or "")[:16])
    Console(highlight=False).print(table)
