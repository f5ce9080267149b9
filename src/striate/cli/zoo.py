"""The command ``zoo``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from striate.cli.app import MODELS, app
from striate.cli.training import Device

if TYPE_CHECKING:
    from striate.zoo.tables import Table as TextTable

console = Console(highlight=False)

_CURVE = "Low-data curve"
_IMAGES = "100,300,1000"
_FINETUNE = 0.1


@app.command("zoo", rich_help_panel=MODELS)
def zoo(
    archives: Annotated[
        list[Path],
        typer.Argument(
            help="Recordings: zips, folders, or names. One core is trained on all of them.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the results and all runs.", show_default=False)],
    recipes: Annotated[
        str | None,
        typer.Option(
            help="Names or .toml files of the recipes, with commas. Default: all that come with striate and fit.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of trainings of each recipe.", min=1)] = 3,
    jobs: Annotated[int, typer.Option(help="Number of trainings at a time.", min=1)] = 1,
    test: Annotated[
        bool, typer.Option("--test", help="Score the test tiers, too, where their responses are known.")
    ] = False,
    ensembles: Annotated[
        bool, typer.Option("--ensembles", help="Score the seeds of each recipe as an ensemble, too.")
    ] = False,
    truth: Annotated[
        list[Path] | None,
        typer.Option(
            help="Ground truth (.npz) of a simulated recording, for scores as fractions of the oracle; repeatable.",
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of every recipe; repeatable."),
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="Title of the results. Default: the sessions.", show_default=False)
    ] = None,
    device: Device = "auto",
    curve: Annotated[
        str | None,
        typer.Option(
            metavar="RECIPE",
            help="Instead of the table: train this recipe on few and many images.",
            rich_help_panel=_CURVE,
        ),
    ] = None,
    images: Annotated[
        str,
        typer.Option(
            help="Numbers of training images, with commas; all images are always added.", rich_help_panel=_CURVE
        ),
    ] = _IMAGES,
    core: Annotated[
        Path | None,
        typer.Option(
            help="Run of the same recipe on other recordings, whose core is used frozen and fine-tuned.",
            rich_help_panel=_CURVE,
            show_default=False,
        ),
    ] = None,
    core_from: Annotated[
        list[Path] | None,
        typer.Option(
            help="Other recording to train such a core on; repeatable.", rich_help_panel=_CURVE, show_default=False
        ),
    ] = None,
    finetune: Annotated[
        float,
        typer.Option(
            help="Learning rate of a fine-tuned core, as a fraction of that of the schedule.", rich_help_panel=_CURVE
        ),
    ] = _FINETUNE,
) -> None:
    """Train and score every recipe that fits the recordings, and write one table. To resume, run the same command again.

    The folder gets results.json, table.parquet, the page zoo.html, zoo.md, and the runs. Models of different protocols are in
    different tables. Choices are made on validation trials, by which the models are sorted.

    With --curve, one recipe is trained on random subsets of the training images: from scratch and, with --core or --core-from, on
    a core of other recordings, frozen and fine-tuned. Its curve is added to the results in the folder.
    """
    import striate
    from striate.catalog import locate_all
    from striate.errors import InputError
    from striate.simulate import SimulatedTruth
    from striate.zoo import run_curve, run_zoo
    from striate.zoo.tables import curve_table, short_table

    sizes = _numbers(images)
    if curve is None and (core is not None or core_from or images != _IMAGES or finetune != _FINETUNE):
        raise InputError(
            "--images, --core, --core-from and --finetune belong to a low-data curve: add --curve RECIPE, or leave them out."
        )
    if curve is not None and (recipes is not None or truth or ensembles):
        raise InputError(
            "--recipes, --truth and --ensembles belong to the table, not to a low-data curve: leave them out, or --curve."
        )
    recordings = [striate.open(archive) for archive in locate_all(archives)]
    if curve is not None:
        results = run_curve(
            curve,
            recordings,
            out,
            images=sizes,
            core=core,
            core_recordings=[striate.open(archive) for archive in locate_all(core_from or [])],
            finetune=finetune,
            seeds=seeds,
            parallel=jobs,
            test=test,
            overrides=settings,
            title=title,
            device=device,
        )
        for each in results.curves:
            _print(f"Low-data curve: {each.recipe}, protocol {each.protocol}", curve_table(each))
    else:
        names = None if recipes is None else [name.strip() for name in recipes.split(",") if name.strip()]
        results = run_zoo(
            recordings,
            out,
            recipes=names,
            seeds=seeds,
            parallel=jobs,
            test=test,
            ensembles=ensembles,
            truths=[SimulatedTruth.read(path) for path in truth or ()],
            overrides=settings,
            title=title,
            device=device,
        )
        for protocol, models in results.protocols.items():
            _print(f"Protocol {protocol}", short_table(results, models))
        for name, reason in results.left_out.items():
            console.print(f"left out {name}: {reason}", markup=False, soft_wrap=True)
    console.print(f"wrote {out / 'zoo.html'}", markup=False, soft_wrap=True)


def _numbers(text: str) -> list[int]:
    from striate.errors import InputError, quoted

    try:
        numbers = [int(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise InputError(f"--images is {quoted(text)}; expected whole numbers ≥ 1 with commas, such as 100,300,1000.")
    return numbers


def _print(title: str, content: "TextTable") -> None:
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for index, name in enumerate(content.header):
        table.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for row in content.rows:
        table.add_row(*(f"{cell.text}\n{cell.note}" if cell.note else cell.text for cell in row))
    console.print(table)
