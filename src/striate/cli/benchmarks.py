"""The commands ``benchmarks list``, ``benchmarks show`` and ``benchmarks new``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from striate.cli.app import DATA, app

if TYPE_CHECKING:
    from striate.benchmarks import BenchmarkSpec

console = Console(highlight=False)
benchmarks = typer.Typer(help="Benchmarks: what is shown, measured, withheld and ranked.", no_args_is_help=True)
app.add_typer(benchmarks, name="benchmarks", rich_help_panel=DATA)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@benchmarks.command("list")
def list_(as_json: Json = False) -> None:
    """List the benchmarks that are known by name: those of striate, of installed packages, and of plugins."""
    import json

    from striate import registry
    from striate.benchmarks import load_benchmark

    found = [load_benchmark(name) for name in registry.benchmarks]
    if as_json:
        print(json.dumps([each.model_dump(mode="json", exclude_none=True) for each in found], indent=1))
        return
    table = Table(title="Benchmarks", title_justify="left")
    for column in ("name", "title", "channels", "behaviour", "tracks"):
        table.add_column(column)
    for each in found:
        behavior = str(len(each.behavior_names))
        table.add_row(each.name, each.title, ", ".join(each.stimulus.channels), behavior, ", ".join(each.track_names))
    console.print(table)


@benchmarks.command("show")
def show(
    benchmark: Annotated[
        str, typer.Argument(help="Name of a benchmark, or path of its TOML file or of a recording.", show_default=False)
    ],
    as_toml: Annotated[bool, typer.Option("--toml", help="Print the complete TOML.")] = False,
    as_json: Json = False,
) -> None:
    """Show the description of a benchmark, or of the benchmark that a recording belongs to."""
    spec = _find(benchmark)
    if as_toml:
        print(spec.to_toml(), end="")
    elif as_json:
        print(spec.model_dump_json(indent=1, exclude_none=True))
    else:
        _print(spec)


@benchmarks.command("new")
def new(
    out: Annotated[Path, typer.Argument(help="TOML file to write.", show_default=False)],
    name: Annotated[str, typer.Option(help="Name of the benchmark.")] = "my-benchmark",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented description of a benchmark, to be changed."""
    from importlib.resources import files

    from striate._internal.atomic_write import atomic_write
    from striate.benchmarks import parse_benchmark

    text = (files("striate.benchmarks") / "template.toml").read_text(encoding="utf-8").replace("@NAME@", name)
    parse_benchmark(text, "the new benchmark")
    with atomic_write(out, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    console.print(
        f"wrote {out}: change it, and try it:  striate simulate mice --benchmark {out}", markup=False, soft_wrap=True
    )


def _find(name: str) -> "BenchmarkSpec":
    from striate import registry
    from striate._internal.paths import expand_path
    from striate.benchmarks import load_benchmark

    path = expand_path(name)
    if name not in registry.benchmarks and path.suffix != ".toml" and path.exists():
        from striate.catalog import open as open_recording

        return open_recording(path).benchmark
    return load_benchmark(name)


def _print(spec: "BenchmarkSpec") -> None:
    size = "" if spec.stimulus.height is None else f", {spec.stimulus.height} × {spec.stimulus.width} pixels"
    low, high = spec.stimulus.range
    methods = spec.standardisation
    facts = {
        "about": spec.description,
        "licence": spec.licence,
        "cite": spec.citation,
        "images": f"{', '.join(spec.stimulus.channels)}{size}, values {low:g} to {high:g}",
        "responses": spec.responses.title,
        "behaviour": ", ".join(spec.behavior_names) or "none",
        "eye position": ", ".join(spec.pupil_center_names) or "none",
        "standardised": f"images {methods.images} ({methods.image_statistics}), responses {methods.responses}, behaviour "
        f"{methods.behavior}, eye position {methods.pupil_center}",
        "metrics": ", ".join(spec.metrics.names),
        "sessions": f"{spec.sessions.pattern}, such as {spec.sessions.example}",
        "submissions": ", ".join(spec.submission.formats),
    }
    console.print(f"{spec.title} ({spec.name})", markup=False)
    for name, fact in facts.items():
        if fact:
            console.print(f"{name + ':':<14}{fact}", soft_wrap=True, markup=False)
    tiers = Table(title="Tiers", title_justify="left")
    for column in ("name", "role", "board", "also called"):
        tiers.add_column(column)
    for tier in spec.tiers:
        tiers.add_row(tier.name, tier.role, tier.board or "", ", ".join(tier.aliases))
    console.print(tiers)
    if not spec.tracks:
        return
    tracks = Table(title="Tracks", title_justify="left")
    for column in ("name", "withheld", "protocols", "ranked by"):
        tracks.add_column(column)
    for track in spec.tracks:
        ranking = dict.fromkeys(spec.ranking_metric(board=board, track=track.name) for board in ("live", "final"))
        tracks.add_row(track.name, ", ".join(track.withhold), "; ".join(track.protocols), ", ".join(ranking))
    console.print(tracks)
