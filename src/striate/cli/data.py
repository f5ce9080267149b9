"""The commands ``data``: what organisers do with the data that a portal hosts."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from striate.cli.app import COMPETITIONS, app
from striate.cli.competition import PassphraseFile, read_vault
from striate.cli.serve import Allow, NewFiles, Note

data = typer.Typer(no_args_is_help=True, help="The data that a portal hosts: publish new versions of them.")
app.add_typer(data, name="data", rich_help_panel=COMPETITIONS)
console = Console(highlight=False)


@data.command("push")
def push(
    folder: NewFiles,
    to: Annotated[str, typer.Option(help="Address of the portal.", show_default=False)],
    note: Note,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with an organiser's token for the portal; kept for later. Without it STRIATE_TOKEN counts, or the one kept."
        ),
    ] = None,
    allow: Allow = None,
    vault: Annotated[
        Path | None,
        typer.Option(
            help="The competition's vault: all files are searched for what it knows to be withheld. It stays here.",
            show_default=False,
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Publish a folder as a new version of a portal's data.

    Only what the portal does not have is sent. After a broken connection, a kill or maintenance, give the same command again: it goes
    on where it was. Nothing is visible before all of it is there.

    Exit status 1: refused. 75: the portal is down or under maintenance; try again.
    """
    from striate.fetch.auth_tokens import read_token, save_token
    from striate.portal.pushing import Publisher

    token = read_token(token_file) if token_file else os.environ.get("STRIATE_TOKEN")
    if token:
        save_token(to, token.strip())
    pushed = Publisher(to, said=lambda text: print(text, file=sys.stderr)).push(
        folder,
        note=note,
        allow=allow or (),
        vault=None if vault is None else read_vault(vault, passphrase_file),
        listener=lambda said: console.print(said, style="dim"),
    )
    if not pushed.new:
        console.print("These files, under the same terms, are a version already.")
    console.print(f"version {pushed.number}, sha256 {pushed.sha256}", soft_wrap=True)
    console.print(pushed.page, markup=False, soft_wrap=True)
