"""The command ``data push``, which publishes data on a portal."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from striate.cli.app import COMPETITIONS, app
from striate.cli.competition import PassphraseFile, read_vault
from striate.cli.serve import Allow, NewFiles, Note

data = typer.Typer(no_args_is_help=True, help="Publish the data that a portal hosts.")
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
            help="File with an organiser's access token for the portal, which is stored. Default: STRIATE_TOKEN, or the stored token."
        ),
    ] = None,
    allow: Allow = None,
    vault: Annotated[
        Path | None,
        typer.Option(
            help="Vault of the competition. All files are searched for its withheld data before they are sent; the vault is not sent.",
            show_default=False,
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Publish a folder as a new version of a portal's data.

    Only files that the portal does not have are sent. To resume after an interruption, run the same command again. The version
    becomes visible when it is complete.

    The exit status is 1 if the data are refused, and 75 if the portal is down or under maintenance; try again later.
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
        console.print("A version with the same files and the same terms exists already.")
    console.print(f"version {pushed.number}, sha256 {pushed.sha256}", soft_wrap=True)
    console.print(pushed.page, markup=False, soft_wrap=True)
