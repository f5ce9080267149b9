"""The commands ``catalog list``, ``catalog show``, ``catalog add`` and ``catalog remove``."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from striate._internal.paths import expand_path
from striate._internal.progress_bars import format_size
from striate.cli.app import DATA, app

console = Console(highlight=False)
_ROWS = 40  # of a table, at most
catalog = typer.Typer(help="The catalogue of datasets that can be fetched by name.", no_args_is_help=True)
app.add_typer(catalog, name="catalog", rich_help_panel=DATA)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@catalog.command("list")
def list_(as_json: Json = False) -> None:
    """List the datasets of the catalogue."""
    from striate.catalog import get_dataset, list_datasets

    found = [get_dataset(name) for name in list_datasets()]
    if as_json:
        print(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
        return
    table = Table(title="Datasets", title_justify="left")
    for column in ("name", "title", "files", "licence"):
        table.add_column(column)
    for each in found:
        table.add_row(each.name, each.title, str(len(each.files)), each.licence.name)
    console.print(table)


@catalog.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name of the dataset.", show_default=False)], as_json: Json = False
) -> None:
    """Show the files, terms and citation of a dataset."""
    from striate.catalog import get_dataset
    from striate.catalog.local_files import known_folders

    found = get_dataset(name)
    if as_json:
        print(found.model_dump_json(indent=2))
        return
    table = Table(title=found.title, title_justify="left")
    for column in ("session or file", "mouse", "role", "neurons", "trials", "size"):
        numeric = column in ("mouse", "neurons", "trials", "size")
        table.add_column(column, justify="right" if numeric else "left", no_wrap=True)
    for file in found.files[:_ROWS]:
        numbers = ("" if n is None else f"{n:,}" for n in (file.neurons, file.trials))
        size = format_size(file.best_known_size, exact=file.size is not None)
        table.add_row(file.session or file.name, str(file.mouse or ""), file.role or "", *numbers, size)
    console.print(table)
    if len(found.files) > _ROWS:
        console.print(f"… and {len(found.files) - _ROWS:,} more files")
    citation = found.citation
    facts = {
        "about": found.description,
        "page": found.homepage,
        "from": ", ".join(found.addresses),
        "licence": " ".join(part for part in (found.licence.name, found.licence.address) if part),
        "terms": found.licence.terms.strip(),
        "cite": " ".join(part for part in (citation.text, citation.address) if part) if citation else None,
    }
    for name_of_fact, fact in facts.items():
        if fact:
            console.print(f"{name_of_fact + ':':<9}{fact}", soft_wrap=True, markup=False)
    for folder in known_folders(name):
        here = sum(folder.is_complete(file) for file in found.files)
        if here:
            console.print(
                f"here:    {here} of {len(found.files)} files, in {folder.path}", soft_wrap=True, markup=False
            )


@catalog.command("add")
def add(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder with the files; the path or address of a manifest (.toml, .json), which a portal provides; or the "
            "base address of the files given with --file.",
            show_default=False,
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the dataset. Default: derived from the source.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the dataset, in one line.")] = None,
    file: Annotated[
        list[str] | None, typer.Option(help="Name of a file, relative to the base address; repeatable.")
    ] = None,
    address: Annotated[
        list[str] | None, typer.Option(help="Address from which others can fetch the files of a folder; repeatable.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Name of the licence, such as CC BY 4.0.")] = None,
    licence_address: Annotated[str | None, typer.Option(help="Address of the full text of the licence.")] = None,
    terms: Annotated[str | None, typer.Option(help="Summary of the terms of use.")] = None,
    citation: Annotated[str | None, typer.Option(help="Publication to cite.")] = None,
    citation_address: Annotated[str | None, typer.Option(help="Address of that publication.")] = None,
    homepage: Annotated[str | None, typer.Option(help="Address of the dataset's web page.")] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with an access token, for a host that requires its terms to be accepted; it is stored."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing entry of that name.")] = False,
) -> None:
    """Add a dataset of your own to the catalogue, so that it can be fetched and its recordings opened by name.

    An access token can also be given in the environment variable STRIATE_TOKEN.
    """
    import os

    from striate._internal.progress_bars import progress_bar
    from striate._internal.safe_parsing import read_limited
    from striate.errors import InputError
    from striate.fetch.auth_tokens import read_token, save_token
    from striate.fetch.describe_dataset import DatasetDetails, add_to_catalogue, describe_folder, normalise_address
    from striate.fetch.describe_manifest import describe_address, parse_manifest

    details = DatasetDetails(
        name=name,
        title=title,
        homepage=homepage,
        licence=licence,
        licence_address=licence_address,
        terms=terms,
        citation=citation,
        citation_address=citation_address,
    )
    path = expand_path(source)
    token = read_token(token_file) if token_file else os.environ.get("STRIATE_TOKEN")
    if file and (path.exists() or "://" not in source):
        raise InputError("--file is only for a base address; all files of a folder are added.")
    if path.is_dir():
        with progress_bar(f"reading {path}", sum(p.is_file() for p in path.rglob("*"))) as advance:
            found = describe_folder(
                path, details, [normalise_address(each) for each in address or ()], lambda _: advance(1)
            )
    elif path.is_file():
        if path.suffix.lower() == ".zip":
            raise InputError(f"{path} is one file of a dataset: give its folder, {path.parent}.")
        found = parse_manifest(read_limited(path), source, details)
    elif "://" in source:
        if token:
            save_token(source, token.strip())
        found = describe_address(source, details, file or ())
    else:
        raise InputError(
            f"{source} does not exist; give a folder, a manifest, or an address that begins with https://."
        )
    entry = add_to_catalogue(found, overwrite=overwrite)
    files = f"{len(found.files)} file{'' if len(found.files) == 1 else 's'}"
    recordings = sum(each.session is not None for each in found.files)
    console.print(f"added {found.name}: {files}, {recordings} of them recordings", markup=False, soft_wrap=True)
    if not recordings:
        console.print("(none of the files has a session name, so that they can be fetched, but not opened by name)")
    console.print(
        f"wrote {entry} (edit it to add mice and roles); now: striate fetch {found.name}", markup=False, soft_wrap=True
    )


@catalog.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Name of a dataset of your own.", show_default=False)]) -> None:
    """Remove a dataset of your own from the catalogue. Fetched files are kept."""
    from striate.fetch.describe_dataset import remove_from_catalogue

    console.print(f"removed {remove_from_catalogue(name)}", markup=False, soft_wrap=True)
