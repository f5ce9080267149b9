"""Commands about known datasets: ``catalog list``, ``catalog show``, ``catalog add`` and ``catalog remove``."""

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
catalog = typer.Typer(help="The datasets that striate knows.", no_args_is_help=True)
app.add_typer(catalog, name="catalog", rich_help_panel=DATA)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@catalog.command("list")
def list_(as_json: Json = False) -> None:
    """List the datasets that striate knows."""
    from striate.catalog import get_dataset, list_datasets

    found = [get_dataset(name) for name in list_datasets()]
    if as_json:
        print(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
        return
    table = Table(title="Datasets", title_justify="left")
    for column in ("name", "what", "files", "licence"):
        table.add_column(column)
    for each in found:
        table.add_row(each.name, each.title, str(len(each.files)), each.licence.name)
    console.print(table)


@catalog.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name of the dataset.", show_default=False)], as_json: Json = False
) -> None:
    """Show the files, tracks, terms and citation of a dataset."""
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
        "what": found.description,
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
            help="A folder with the files; a manifest (.toml, .json) as a file or an address, such as a portal gives it; or "
            "the address that names of files are added to (with --file).",
            show_default=False,
        ),
    ],
    name: Annotated[str | None, typer.Option(help="What to call it; from the source by default.")] = None,
    title: Annotated[str | None, typer.Option(help="One line for people.")] = None,
    file: Annotated[list[str] | None, typer.Option(help="Name of a file below an address; may be given again.")] = None,
    address: Annotated[
        list[str] | None, typer.Option(help="Where others can have the files of a folder; may be given again.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Its name, such as CC BY 4.0.")] = None,
    licence_address: Annotated[str | None, typer.Option(help="Where its full text stands.")] = None,
    terms: Annotated[str | None, typer.Option(help="What it asks of a user, in short.")] = None,
    citation: Annotated[str | None, typer.Option(help="What to cite.")] = None,
    citation_address: Annotated[str | None, typer.Option(help="Where that stands.")] = None,
    homepage: Annotated[str | None, typer.Option(help="Where its owners describe it.")] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with a token for the host, where its terms must be accepted first; it is kept."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the entry of that name.")] = False,
) -> None:
    """Add a dataset of your own, so that it can be fetched and its recordings open by name.

    A token can also be given in the environment, as STRIATE_TOKEN.
    """
    import os

    from striate._internal.progress_bars import progress_bar
    from striate._internal.safe_parsing import read_limited
    from striate.errors import InputError
    from striate.fetch.auth_tokens import read_token, save_token
    from striate.fetch.describe_dataset import DatasetDetails, add_to_catalogue, describe_folder, normalise_address
    from striate.fetch.describe_manifest import describe_address, parse_manifest

    about = DatasetDetails(
        name=name,
        title=title,
        homepage=homepage,
        licence=licence,
        licence_address=licence_address,
        terms=terms,
        citation=citation,
        citation_address=citation_address,
    )
    place = expand_path(source)
    token = read_token(token_file) if token_file else os.environ.get("STRIATE_TOKEN")
    if file and (place.exists() or "://" not in source):
        raise InputError("--file names files below an address; of a folder all files are taken.")
    if place.is_dir():
        with progress_bar(f"reading {place}", sum(path.is_file() for path in place.rglob("*"))) as advance:
            found = describe_folder(
                place, about, [normalise_address(each) for each in address or ()], lambda _: advance(1)
            )
    elif place.is_file():
        if place.suffix.lower() == ".zip":
            raise InputError(f"{place} is one file of a dataset: give the folder that holds it, {place.parent}.")
        found = parse_manifest(read_limited(place), source, about)
    elif "://" in source:
        if token:
            save_token(source, token.strip())
        found = describe_address(source, about, file or ())
    else:
        raise InputError(
            f"{source} does not exist; give a folder, a manifest, or an address that begins with https://."
        )
    path = add_to_catalogue(found, overwrite=overwrite)
    files = f"{len(found.files)} file{'' if len(found.files) == 1 else 's'}"
    recordings = sum(each.session is not None for each in found.files)
    console.print(f"added {found.name}: {files}, {recordings} of them recordings", markup=False, soft_wrap=True)
    if not recordings:
        console.print("(no session is known of any: such files are fetched, but nothing opens by name)")
    console.print(
        f"wrote {path} (edit it to add mice and roles); now: striate fetch {found.name}", markup=False, soft_wrap=True
    )


@catalog.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Name of a dataset of your own.", show_default=False)]) -> None:
    """Remove a dataset of your own from the catalogue; what was fetched of it stays on the disk."""
    from striate.fetch.describe_dataset import remove_from_catalogue

    console.print(f"removed {remove_from_catalogue(name)}", markup=False, soft_wrap=True)
