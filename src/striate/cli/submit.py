"""The command ``submit``: send predictions to a portal."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from striate.cli.app import COMPETITIONS, app

console = Console(highlight=False)


@app.command("submit", rich_help_panel=COMPETITIONS)
def submit(
    submission: Annotated[
        Path, typer.Argument(help="Native Parquet file, or a folder with the CSVs of 2022.", show_default=False)
    ],
    to: Annotated[str, typer.Option(help="Address of the portal.", show_default=False)],
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with your access token for the portal, which is stored. Default: STRIATE_TOKEN, or the stored token."
        ),
    ] = None,
    session: Annotated[
        str | None, typer.Option(help="For CSVs: session of the recording, such as 27204-5-13.", show_default=False)
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="For CSVs: image, or image + behaviour.", show_default=False)
    ] = None,
    note: Annotated[str, typer.Option(help="Note for your team about what is new.", show_default=False)] = "",
    baseline: Annotated[
        str, typer.Option(help="For organisers: name of the baseline that this submission is.", show_default=False)
    ] = "",
    card: Annotated[
        Path | None, typer.Option(help="Method card (TOML) that describes the method.", show_default=False)
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the score.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the response of the portal as JSON.")] = False,
) -> None:
    """Send a submission to a portal, which scores it. It is checked first, and the upload resumes after a broken connection.

    The exit status is 1 if the submission is refused (it then counts towards no limit), and 75 if the portal is down or under
    maintenance; try again later.
    """
    from striate.errors import InputError
    from striate.fetch import OutageError
    from striate.fetch.auth_tokens import read_token, save_token
    from striate.portal.client import Portal
    from striate.portal.entries.card import read_card

    method_card = read_card(card) if card else None
    token = read_token(token_file) if token_file else os.environ.get("STRIATE_TOKEN")
    if token:
        save_token(to, token.strip())
    listener = (lambda _: None) if as_json else (lambda state: console.print(state, style="dim"))
    sent = Portal(to, said=lambda text: print(text, file=sys.stderr)).send(
        submission,
        session=session,
        protocol=protocol,
        note=note,
        baseline=baseline,
        card=method_card,
        wait=wait,
        listener=listener,
    )
    state = sent.state
    if as_json:
        print(json.dumps(state, ensure_ascii=False))
    if state["state"] == "refused":
        raise InputError(f"The portal refused it: {state['reason']}")
    if state["state"] == "failed":
        raise OutageError(
            "The portal failed at it, which counts towards no limit; its organisers can have it scored again."
        )
    if not as_json:
        _print(state, new=sent.new)


def _print(state: Any, *, new: bool) -> None:
    from striate.metrics.registered import metric_label
    from striate.metrics.score_summary import missing_score_text

    if not new:
        console.print("Your team has sent this file before: this is the same submission.")
    if state["receipt"]:
        receipt = state["receipt"]
        board = f"{state['track']}, {state['protocol']}"
        console.print(f"receipt {receipt['number']}: {board}, chain {receipt['digest']}", markup=False, soft_wrap=True)
    for name, value in (state["metrics"] or {}).items():
        mean = missing_score_text(value["reason"]) if value["mean"] is None else f"{value['mean']:.4f}"
        interval = "" if value["low"] is None else f"  [{value['low']:.4f}, {value['high']:.4f}]"
        console.print(f"{metric_label(name):<24} {mean}{interval}", markup=False)
    console.print(state["page"], markup=False, soft_wrap=True)
