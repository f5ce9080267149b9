"""Commands about known datasets: ``catalog list`` and ``catalog show``."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from striate.cli.app import app

console = Console(highlight=False)
catalog = typer.Typer(help="The datasets that striate knows.", no_args_is_help=True)
app.add_typer(catalog, name="catalog")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def size_text(size: int | None, *, exact: bool) -> str:
    """Size of a file for people: about 416 MB."""
    return "" if size is None else f"{'' if exact else 'about '}{size / 1e6:,.0f} MB"


@catalog.command("list")
def list_(as_json: Json = False) -> None:
    """List the datasets that striate knows."""
    from striate.catalog import dataset, dataset_names

    found = [dataset(name) for name in dataset_names()]
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
    from striate.catalog import dataset

    found = dataset(name)
    if as_json:
        print(found.model_dump_json(indent=2))
        return
    table = Table(title=found.title, title_justify="left")
    for column in ("session or file", "mouse", "role", "neurons", "trials", "size"):
        numeric = column in ("mouse", "neurons", "trials", "size")
        table.add_column(column, justify="right" if numeric else "left", no_wrap=True)
    for file in found.files:
        numbers = ("" if n is None else f"{n:,}" for n in (file.neurons, file.trials))
        size = size_text(file.bytes_about, exact=file.size is not None)
        table.add_row(file.session or file.name, str(file.mouse or ""), file.role or "", *numbers, size)
    console.print(table)
    console.print(f"from:    {', '.join(found.addresses)}", soft_wrap=True)
    console.print(f"licence: {found.licence.name}. {found.licence.terms}", soft_wrap=True)
    if found.citation:
        console.print(f"cite:    {found.citation.text}", soft_wrap=True)
