"""The commands ``recipes``, ``train`` and ``predict``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from striate.cli.app import MODELS, app

console = Console(highlight=False)

Device = Annotated[str, typer.Option(help="auto (a GPU if there is one), cpu, cuda, cuda:1 or mps.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files at --out.")]


@app.command("recipes", rich_help_panel=MODELS)
def recipes(
    name: Annotated[str | None, typer.Argument(help="Recipe to print in full.", show_default=False)] = None,
    components: Annotated[
        bool,
        typer.Option("--components", help="List what recipes and commands choose by name, such as losses and cores."),
    ] = False,
) -> None:
    """List the recipes that are part of striate, or print one of them, to copy and change it."""
    from striate.training import load_recipe, recipe_names, recipe_text

    if components:
        _print_components()
        return
    if name is not None:
        print(recipe_text(name), end="")
        return
    table = Table(title="Recipes", title_justify="left")
    table.add_column("name", no_wrap=True)  # names are to be copied
    table.add_column("protocol")
    table.add_column("description")
    for each in recipe_names():
        recipe = load_recipe(each)
        table.add_row(each, recipe.protocol, recipe.description)
    console.print(table)


def _print_components() -> None:
    from striate.registry import REGISTRIES

    table = Table(title="Components", title_justify="left")
    for column in ("kind", "name", "from", "description"):
        table.add_column(column)
    for registry in REGISTRIES.values():
        for name in registry:
            component = registry[name]
            source = component.source
            table.add_row(registry.singular, name, source.package or source.module, component.summary)
    console.print(table)


@app.command("train", rich_help_panel=MODELS)
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe (striate recipes), or a .toml file.")],
    archives: Annotated[
        list[Path],
        typer.Argument(
            help="Recordings: zips, folders, or names (sensorium2022/pre-training). One core is trained on all of them."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run.", show_default=False)],
    core: Annotated[
        Path | None,
        typer.Option(help="Folder of an earlier run. Its core is used frozen, and only readouts are trained."),
    ] = None,
    finetune: Annotated[
        float | None,
        typer.Option(
            help="With --core: after the first plateau, train the core as well, at this fraction of the learning rate."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting of the recipe, such as data.batch_size=64; repeatable."
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a run or ensemble that the model is distilled from; the table [distillation] of the recipe says how."
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="Split the images of training and validation trials anew into this many parts, one of which is for validation: "
            "short for --set data.folds=…"
        ),
    ] = None,
    fold: Annotated[
        int | None,
        typer.Option(help="With --folds: the part that is for validation, from 0. Short for --set data.fold=…"),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            help="Random seed of initial weights, order of trials and readout positions. The same seed gives the same weights."
        ),
    ] = 0,
    log: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Also log to wandb (Weights & Biases), mlflow, or a callback of a plugin; repeatable."
        ),
    ] = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Train an encoder. To resume after an interruption, run the same command again.

    The folder of the run contains recipe.toml, weights.safetensors, history.parquet, provenance.json and TensorBoard events.

    Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 (which SLURM can send before the end of a job) write a checkpoint before the command ends.
    The exit status is then 128 plus the number of the signal: 130 after Ctrl-C, 143 after SIGTERM.
    """
    from striate.catalog import locate_all
    from striate.training import Run, load_recipe, open_run

    split = [f"data.{key}={value}" for key, value in (("folds", folds), ("fold", fold)) if value is not None]
    plan = load_recipe(recipe, [*(settings or ()), *split])  # before anything is unpacked
    Run.check_overwrite(out, overwrite)
    if core is not None:
        Run.open(core).require_finished()
    if teacher is not None:
        open_run(teacher).require_finished()
    import striate
    from striate.training import train as train_encoder
    from striate.training.run_folder import CHECKPOINT

    recordings = [striate.open(archive) for archive in locate_all(archives)]
    try:
        run = train_encoder(
            plan,
            recordings,
            out,
            core=core,
            finetune=finetune,
            teacher=teacher,
            seed=seed,
            log=log or (),
            device=device,
            overwrite=overwrite,
        )
    except KeyboardInterrupt as interrupt:
        say_how_to_go_on(interrupt, has_checkpoint=(out / CHECKPOINT).exists())
        raise
    facts = run.provenance
    console.print(
        f"{out}: validation correlation {facts['best_validation_correlation']:.4f} in epoch {facts['best_epoch']} of "
        f"{facts['epochs']} ({run.protocol}{'' if run.trained_on_validation is None else '; of its own fold'})",
        soft_wrap=True,
        markup=False,
    )


def say_how_to_go_on(interrupt: KeyboardInterrupt, *, has_checkpoint: bool) -> None:
    """Tell somebody who interrupted a training how it resumes."""
    if notes := getattr(interrupt, "__notes__", ()):  # a checkpoint was written for the signal
        console.print(notes[0], markup=False, soft_wrap=True)
    elif has_checkpoint:
        console.print("Stopped. Run the same command again to resume from the last checkpoint.")


@app.command("predict", rich_help_panel=MODELS)
def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run or ensemble.", show_default=False)],
    archive: Annotated[Path, typer.Argument(help="Zip, folder or name of the recording.", show_default=False)],
    out: Annotated[
        Path, typer.Option(help="File to write; with --format sensorium_csv, a folder or a .csv.", show_default=False)
    ],
    tiers: Annotated[
        list[str] | None, typer.Option("--tier", help="Tier to predict; repeatable. Default: all test tiers.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="native (Parquet), sensorium_csv (the CSVs of 2022), or that of a plugin.")
    ] = "native",
    track: Annotated[
        str | None,
        typer.Option(
            help="Name of the track, such as sensorium+. It is written to the file, and does not change the predictions."
        ),
    ] = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Predict the responses of a recording with a trained run or an ensemble, and write them as a submission."""
    import striate
    from striate._internal.atomic_write import refuse_existing
    from striate.registry import formats
    from striate.submissions import Submission, SubmissionFormat
    from striate.training import open_run
    from striate.training import predict as predict_responses

    opened = open_run(run)
    opened.require_finished()
    submission_format: SubmissionFormat = formats[form].value()
    if form == "native":
        refuse_existing(out, overwrite)
    recording = striate.open(archive)
    track = None if track is None else recording.benchmark.track_name(track)  # refused before anything is predicted
    predictions = predict_responses(opened, recording, tiers, device=device)
    submission = Submission.from_predictions(predictions, track=track)
    written = submission_format.write(submission, out, overwrite=overwrite)
    counts = ", ".join(f"{(predictions.tier == tier).sum()} trials of tier {tier}" for tier in submission.tiers)
    console.print(f"predicted {counts} of {predictions.session}, {len(predictions.unit_ids)} neurons", soft_wrap=True)
    for path in written:
        console.print(f"wrote {path}", markup=False, soft_wrap=True)
