"""Commands about training: ``recipes``, ``train``, ``predict``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from striate.cli.app import MODELS, app

console = Console(highlight=False)

Device = Annotated[str, typer.Option(help="auto (a GPU if there is one), cpu, cuda, cuda:1, mps.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what stands at --out.")]


class Format(StrEnum):
    """Form of a submission."""

    NATIVE = "native"
    CSV_2022 = "2022"


@app.command("recipes", rich_help_panel=MODELS)
def recipes(
    name: Annotated[str | None, typer.Argument(help="Show this one in full.", show_default=False)] = None,
) -> None:
    """List the recipes that come with striate, or show one (to copy and change it)."""
    from striate.training import load_recipe, recipe_names, recipe_text

    if name is not None:
        print(recipe_text(name), end="")
        return
    table = Table(title="Recipes", title_justify="left")
    for column in ("name", "protocol", "what"):
        table.add_column(column)
    for each in recipe_names():
        recipe = load_recipe(each)
        table.add_row(each, recipe.protocol, recipe.description)
    console.print(table)


@app.command("train", rich_help_panel=MODELS)
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe (striate recipes), or a .toml file.")],
    archives: Annotated[
        list[Path],
        typer.Argument(
            help="Recordings: zips, folders, or names (sensorium2022/pre-training); one core learns from all."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run.", show_default=False)],
    core: Annotated[
        Path | None, typer.Option(help="An earlier run: take its core, frozen, and train new readouts only.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: data.batch_size=64.")
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            help="Decides initial weights, order of trials, and what the readouts draw; same seed, same weights."
        ),
    ] = 0,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Train an encoder; after an interruption the same command goes on where it was.

    The run's folder gets recipe.toml, weights.safetensors, history.parquet, provenance.json and events for TensorBoard.

    Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 (which SLURM can send before the end of a job) write a checkpoint first. Exit status 128
    plus the number of the signal: 130 after Ctrl-C, 143 after SIGTERM.
    """
    from striate.catalog import locate_all
    from striate.training import Run, load_recipe

    plan = load_recipe(recipe, settings)  # before anything is unpacked
    Run.check_overwrite(out, overwrite)
    if core is not None:
        Run.open(core).require_finished()
    import striate
    from striate.training import train as train_encoder
    from striate.training.run import CHECKPOINT

    recordings = [striate.open(archive) for archive in locate_all(archives)]
    try:
        run = train_encoder(plan, recordings, out, core=core, seed=seed, device=device, overwrite=overwrite)
    except KeyboardInterrupt as interrupt:
        if said := getattr(interrupt, "__notes__", ()):  # a checkpoint was written for the signal
            console.print(said[0], markup=False, soft_wrap=True)
        elif (out / CHECKPOINT).exists():
            console.print("Stopped; the same command goes on from the last checkpoint.")
        raise
    facts = run.provenance
    console.print(
        f"{out}: validation correlation {facts['best_validation_correlation']:.4f} in epoch {facts['best_epoch']} of "
        f"{facts['epochs']} ({run.protocol})",
        soft_wrap=True,
        markup=False,
    )


@app.command("predict", rich_help_panel=MODELS)
def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.", show_default=False)],
    archive: Annotated[Path, typer.Argument(help="Zip, folder or name of the recording.", show_default=False)],
    out: Annotated[
        Path, typer.Option(help="File to write; with --format 2022 a folder, or a .csv.", show_default=False)
    ],
    tiers: Annotated[
        list[str] | None, typer.Option("--tier", help="Tier to predict; may be repeated. Default: test and final_test.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="native (Parquet) or 2022 (CSV).")] = Format.NATIVE,
    track: Annotated[
        str | None,
        typer.Option(
            help="Name of the track, such as sensorium+. It is written into the file, and changes nothing else."
        ),
    ] = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Predict the responses of a recording with a trained run, as a submission."""
    import striate
    from striate._internal.atomic_write import refuse_existing
    from striate.submissions import Submission, track_name
    from striate.submissions.formats import sensorium_csv
    from striate.training import Run
    from striate.training import predict as predict_responses

    opened = Run.open(run)
    opened.require_finished()
    named = None if track is None else track_name(track)
    if form is Format.NATIVE:
        refuse_existing(out, overwrite)
    predictions = predict_responses(opened, striate.open(archive), tiers, device=device)
    submission = Submission.from_predictions(predictions, track=named)
    written: tuple[Path, ...] = (out,)
    if form is Format.NATIVE:
        submission.write(out, overwrite=overwrite)
    else:
        written = sensorium_csv.write(submission, out, overwrite=overwrite)
    counts = ", ".join(f"{(predictions.tier == tier).sum()} trials of tier {tier}" for tier in submission.tiers)
    console.print(f"predicted {counts} of {predictions.session}, {len(predictions.unit_ids)} neurons", soft_wrap=True)
    for path in written:
        console.print(f"wrote {path}", markup=False, soft_wrap=True)
