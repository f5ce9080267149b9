"""The commands ``card`` and ``share``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from striate.cli.app import MODELS, app

console = Console(highlight=False)


@app.command("card", rich_help_panel=MODELS)
def card(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run or ensemble.", show_default=False)],
    archives: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Recordings that the run was trained on, to add scores of the test tiers whose responses they have.",
            show_default=False,
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(
            help="Licence of the model, such as 'CC BY 4.0'. Default: that of the data, if the catalogue has them."
        ),
    ] = None,
) -> None:
    """Write the model card of a run anew: README.md in its folder, with data, scores, geometry and limits.

    striate train writes one with the scores of the validation trials.
    """
    import striate
    from striate.catalog import locate_all
    from striate.training import open_run, write_card

    opened = open_run(run)
    opened.require_finished()
    recordings = [striate.open(archive) for archive in locate_all(archives or [])]
    written = write_card(opened, recordings, licence=licence)
    for session, tiers in opened.scores.sessions.items():
        for tier, scores in tiers.items():
            means = ", ".join(f"{name} {summary.text}" for name, summary in scores.metrics.items())
            console.print(f"{session}, {tier}: {means}", markup=False, soft_wrap=True)
    console.print(f"wrote {written}", markup=False, soft_wrap=True)


@app.command("share", rich_help_panel=MODELS)
def share(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run or ensemble.", show_default=False)],
    destination: Annotated[
        str, typer.Argument(help="Folder to write, or hf:USER/NAME to upload it to the Hugging Face Hub.")
    ],
    private: Annotated[
        bool, typer.Option("--private", help="On the hub: a new model can be seen by its owner only.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the folder or the model if it exists.")
    ] = False,
) -> None:
    """Write what others need to use a trained model: weights, recipe, neurons, standardisation, scores and model card.

    striate.models.load and striate predict read such a folder, or hf:USER/NAME, without the recordings. No responses are shared,
    and no paths of this machine.

    Uploading needs the package huggingface_hub (pip install 'striate[hub]'), and a token (hf auth login).
    """
    from striate.training import open_run
    from striate.training import share as share_run

    opened = open_run(run)
    for data in opened.datasets:
        console.print(f"{data['title']}: {data['licence']['name']}. {data['licence']['terms']}", markup=False)
    where = share_run(opened, destination, private=private, overwrite=overwrite)
    console.print(f"shared {where}", markup=False, soft_wrap=True)
