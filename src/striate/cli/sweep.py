"""The command ``sweep``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from striate.cli.app import MODELS, app
from striate.cli.training import Device

if TYPE_CHECKING:
    from striate.sweeps import Comparison

console = Console(highlight=False)

_MOST_ROWS = 30


@app.command("sweep", rich_help_panel=MODELS)
def sweep(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe (striate recipes), or a .toml file.")],
    archives: Annotated[
        list[Path], typer.Argument(help="Recordings: zips, folders, or names (sensorium2022/pre-training).")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the sweep.", show_default=False)],
    grid: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Train all combinations of values: data.batch_size = [16, 64].", show_default=False
        ),
    ] = None,
    random: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw --trials at random: schedule.learning_rate = {low = 0.001, high = 0.01, log = true}.",
            show_default=False,
        ),
    ] = None,
    optuna: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Search with Optuna in such ranges; its options stand in [sweep].", show_default=False
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(help="Number of trials of --random or --optuna.", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds that each trial is trained with.")] = 1,
    jobs: Annotated[
        int, typer.Option(help="Number of trainings at a time. The cores of the CPU are divided among them.")
    ] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the recipe in all trials; repeatable."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Metric that ranks the trials on the validation trials; by default that of the benchmark.",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Trial that the others are compared with; by default the best of each protocol.", show_default=False
        ),
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="Also score the test trials, which never choose, and show the scores.")
    ] = False,
    executor: Annotated[str, typer.Option(help="local, or ray for a cluster (RAY_ADDRESS).")] = "local",
    device: Device = "auto",
) -> None:
    """Train a recipe with other settings and several seeds, and compare the results on the validation trials.

    To resume after an interruption, or to try failed runs again, run the same command again.

    The folder contains results.parquet and index.html (a row for each trial), runs.parquet (a row for each run), the best recipe, and
    all runs with their logs.
    """
    from striate.sweeps.sweep import PAGE, best_recipes, run_sweep

    try:
        comparison = run_sweep(
            recipe,
            archives,
            out,
            grid=grid,
            random=random,
            optuna=optuna,
            trials=trials,
            seeds=seeds,
            jobs=jobs,
            overrides=settings,
            metric=metric,
            baseline=baseline,
            test=test,
            device=device,
            executor=executor,
        )
    except KeyboardInterrupt:
        if out.exists():
            console.print("Stopped. Run the same command again to resume.")
        raise
    for protocol in comparison.protocols:
        _print_ranking(comparison, protocol)
    for each in comparison.trials:
        if each.rank is None:
            console.print(f"trial {each.name} has no score: {each.note}", markup=False, soft_wrap=True)
    for protocol, path in best_recipes(comparison, out).items():
        best = comparison.ranked(protocol)[0].name
        console.print(f"wrote {path} (trial {best}, {protocol})", markup=False, soft_wrap=True)
    console.print(f"wrote {out / PAGE}", markup=False, soft_wrap=True)
    if not comparison.protocols:
        raise typer.Exit(1)


def _print_ranking(comparison: "Comparison", protocol: str) -> None:
    from striate.report import protocol_title
    from striate.sweeps.comparison import varying_keys
    from striate.sweeps.figures import setting_text
    from striate.sweeps.page import difference_heading, estimate_cell, metric_label

    group = comparison.ranked(protocol)
    keys, metric, tier = varying_keys(group), comparison.metric, comparison.validation
    table = Table(
        title=f"Ranking, {protocol_title(protocol)}",
        title_justify="left",
        caption=None if len(group) <= _MOST_ROWS else f"the best {_MOST_ROWS} of {len(group)}; results.parquet has all",
        caption_justify="left",
    )
    table.add_column("trial")
    label = metric_label(metric)
    table.add_column(f"{label} ({tier})", justify="right")
    table.add_column(difference_heading(comparison), justify="right")
    for name in keys.values():
        table.add_column(escape(name), justify="right", overflow="fold")
    tests = [each for each in comparison.tiers if each != tier]
    for each in tests:
        table.add_column(f"{label} ({each})", justify="right")
    table.add_column("runs", justify="right")
    for trial in group[:_MOST_ROWS]:
        settings = trial.trial.settings
        cells = [
            estimate_cell(trial.estimate(tier, metric)),
            estimate_cell(comparison.difference(trial, tier, metric), "+"),
            *(setting_text(settings[key]) if key in settings else "–" for key in keys),
            *(estimate_cell(trial.estimate(one, metric)) for one in tests),
            str(len(trial.scores))
            if len(trial.scores) == comparison.seeds
            else f"{len(trial.scores)} of {comparison.seeds}",
        ]
        table.add_row(trial.name, *(escape(cell.replace("|", " ")) for cell in cells))
    console.print(table)
    for trial in group:
        if trial.note:
            console.print(f"trial {trial.name}: {trial.note}", markup=False, soft_wrap=True)
