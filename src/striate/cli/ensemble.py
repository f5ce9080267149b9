"""The command ``ensemble``, and what ``info`` shows of trained models."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from striate.cli.app import MODELS, app
from striate.cli.training import Device, Overwrite, say_how_to_go_on
from striate.errors import InputError

if TYPE_CHECKING:
    from striate.training import Ensemble, Run

console = Console(highlight=False)


@app.command("ensemble", rich_help_panel=MODELS)
def ensemble(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Folders of finished runs; of an ensemble, its members are taken. With --train: a recipe, and then recordings.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the ensemble.", show_default=False)],
    combine: Annotated[
        str,
        typer.Option(
            help="What is averaged: rates, or pre-activations (what precedes the output nonlinearity, which all members must share)."
        ),
    ] = "rates",
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Protocol of the ensemble, the widest of its members. To be declared if members of different protocols are mixed."
        ),
    ] = None,
    validate: Annotated[
        list[Path] | None,
        typer.Option(
            help="Recording on whose validation trials the ensemble is scored; repeatable. With --train, all of them.",
            show_default=False,
        ),
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Train the members: give a recipe and recordings instead of runs.")
    ] = False,
    seeds: Annotated[int | None, typer.Option(help="With --train: number of seeds. Default: 5.")] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="With --train: split training and validation trials anew into this many parts, and train a member for each seed and part."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="With --train: change a setting of the recipe; repeatable."),
    ] = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Combine runs into an ensemble, which is predicted, scored and submitted like a run.

    The folder of the ensemble holds copies of its members, so that it can be moved. With --train, the members are trained one after
    another; to resume after an interruption, run the same command again.
    """
    from striate.training import Ensemble

    if train:
        if protocol is not None or validate:
            name = "--protocol" if protocol is not None else "--validate"
            raise InputError(
                f"{name} is for runs that exist: leave it out with --train, whose members follow one recipe."
            )
        made = _train(runs, out, combine, seeds, folds, settings, device, overwrite)
    else:
        given = {"--seeds": seeds, "--folds": folds, "--set": settings}
        if extra := [name for name, value in given.items() if value is not None]:
            raise InputError(f"{extra[0]} has an effect only with --train: add --train, or leave it out.")
        made = Ensemble.from_runs(
            runs, out, combine=combine, protocol=protocol, validate=validate or (), device=device, overwrite=overwrite
        )
    score = made.provenance.get("validation_correlation")
    known = f"validation correlation {score:.4f}" if score is not None else "no validation score"
    reason = f": {made.trained_on_validation}" if made.trained_on_validation is not None else ""
    console.print(f"{out}: {made.label} ({made.protocol}); {known}{reason}", soft_wrap=True, markup=False)


def _train(
    arguments: list[str],
    out: Path,
    combine: str,
    seeds: int | None,
    folds: int | None,
    settings: list[str] | None,
    device: str,
    overwrite: bool,
) -> "Ensemble":
    from striate.catalog import locate_all
    from striate.training import load_recipe, train_ensemble
    from striate.training.run_folder import CHECKPOINT, MEMBERS

    recipe, *archives = arguments
    plan = load_recipe(recipe, settings)  # before anything is unpacked
    if not archives:
        raise InputError("There are no recordings to train on: give the recipe, and then at least one recording.")
    import striate

    recordings = [striate.open(archive) for archive in locate_all([Path(archive) for archive in archives])]
    try:
        return train_ensemble(
            plan,
            recordings,
            out,
            seeds=5 if seeds is None else seeds,
            folds=folds,
            combine=combine,
            device=device,
            overwrite=overwrite,
        )
    except KeyboardInterrupt as interrupt:
        say_how_to_go_on(interrupt, has_checkpoint=any((out / MEMBERS).glob(f"*/{CHECKPOINT}")))
        raise


def print_model(model: "Run | Ensemble", *, as_json: bool) -> None:
    """Print how a run, or each member of an ensemble, was trained."""
    from striate.training import Run

    if as_json:
        print(json.dumps(dict(model.provenance), indent=1, ensure_ascii=False))
        return
    kind = "Run" if isinstance(model, Run) else "Ensemble"
    overview = Table(title=f"{kind} {model.folder}", show_header=False, title_justify="left")
    overview.add_row("status", str(model.provenance["status"]))
    overview.add_row("model" if isinstance(model, Run) else "combination", model.label)
    if isinstance(model, Run) or model.finished:
        overview.add_row("protocol", model.protocol)
        overview.add_row("recordings", ", ".join(model.sessions))
    key = "best_validation_correlation" if isinstance(model, Run) else "validation_correlation"
    score = model.provenance.get(key)
    if isinstance(model, Run) and model.trained_on_validation is not None and score is not None:
        overview.add_row("validation correlation", f"{score:.4f}, of its own fold")
    elif model.trained_on_validation is not None:
        overview.add_row("validation correlation", f"none, because {model.trained_on_validation}")
    elif score is not None:
        overview.add_row("validation correlation", f"{score:.4f}")
    console.print(overview)
    if isinstance(model, Run):
        return
    table = Table(title="Members", title_justify="left")
    for column in ("member", "recipe", "protocol", "validation", "weights"):
        table.add_column(column, justify="right" if column == "validation" else "left")
    hashes = {entry["folder"]: entry.get("weights_sha256") or "" for entry in model.provenance["members"]}
    for run in model.members:
        own = run.provenance.get("best_validation_correlation")
        value = "–" if own is None else f"{own:.4f}{'' if run.trained_on_validation is None else ' (own fold)'}"
        table.add_row(run.folder.name, run.label, run.protocol, value, hashes.get(run.folder.name, "")[:12])
    console.print(table)
