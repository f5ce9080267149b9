"""The commands ``info``, ``check``, ``convert`` and ``cache``."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from striate.cli.app import DATA, app

if TYPE_CHECKING:
    from striate.recordings import CheckReport, Recording

console = Console(highlight=False)

ArchivePath = Annotated[Path, typer.Argument(help="Zip, folder or name of a recording.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


@app.command("info", rich_help_panel=DATA)
def info(
    archive: Annotated[
        Path,
        typer.Argument(help="Zip, folder or name of a recording; or folder of a run or ensemble.", show_default=False),
    ],
    as_json: AsJson = False,
) -> None:
    """Show the neurons, trials, repeats and statistics of a recording, and what it withholds; or how a run or ensemble was trained."""
    from striate.training import is_run_folder

    if is_run_folder(archive):
        from striate.cli.ensemble import print_model
        from striate.training import open_run

        print_model(open_run(archive), as_json=as_json)
        return
    import striate

    recording = striate.open(archive)
    if as_json:
        print(json.dumps(_facts(recording), indent=1, ensure_ascii=False))
        return
    _print_info(recording)


def _facts(recording: "Recording") -> dict[str, Any]:
    tiers = {}
    for tier in recording.tiers:
        repeats = recording.trials.loc[recording.trials["tier"] == tier, "image_id"].value_counts()
        tiers[tier] = {
            "trials": int(repeats.sum()),
            "images": len(repeats),
            "repeats": [int(repeats.min()), int(repeats.max())],
            "withheld": tier in recording.withheld_tiers,
        }
    return {
        "session": recording.session,
        "benchmark": recording.benchmark.name,
        "neurons": len(recording.neurons),
        "areas": recording.neurons["area"].value_counts().to_dict(),
        "layers": recording.neurons["layer"].value_counts().to_dict(),
        "trials": len(recording.trials),
        "channels": list(recording.benchmark.stimulus.channels),
        "image_shape": list(recording.image_shape),
        "tiers": tiers,
        "behavior_withheld": recording.behavior_withheld,
        "pupil_center_withheld": recording.pupil_center_withheld,
        "order_withheld": recording.trials["trial_idx"].dtype.kind not in "iu",
        "trial_fields": list(recording.trials.columns),
        "neuron_fields": list(recording.neurons.columns),
        "statistics": {v: "stored" if v in recording.stored_statistics else "computed" for v in recording.arrays},
        "fingerprint": recording.fingerprint,
    }


def _print_info(recording: "Recording") -> None:
    facts = _facts(recording)
    x, y, z = recording.coordinates.T
    overview = Table(title=f"Recording {recording.session}", show_header=False, title_justify="left")
    overview.add_row("benchmark", facts["benchmark"])
    overview.add_row("neurons", f"{facts['neurons']:,}")
    for field in ("areas", "layers"):
        overview.add_row(field, ", ".join(f"{name} {count:,}" for name, count in facts[field].items()))
    if len(x):
        overview.add_row("cortical field", f"{_span(x)} × {_span(y)} × {_span(z)} µm")
    height, width = recording.image_shape
    overview.add_row("images", f"{height} × {width} pixels, {', '.join(facts['channels'])}")
    overview.add_row(
        "trial order", "withheld (trial_idx is hashed)" if facts["order_withheld"] else "known (trial_idx)"
    )
    overview.add_row("fingerprint", f"{facts['fingerprint'][:16]} (equal for equal contents)")
    console.print(overview)

    trials = Table(title="Trials", title_justify="left")
    for column in ("tier", "trials", "images", "repeats", "responses"):
        trials.add_column(column, justify="left" if column in ("tier", "responses") else "right")
    for tier, row in facts["tiers"].items():
        low, high = row["repeats"]
        repeats = str(low) if low == high else f"{low}–{high}"
        trials.add_row(
            tier, f"{row['trials']:,}", f"{row['images']:,}", repeats, "withheld" if row["withheld"] else "given"
        )
    console.print(trials)

    values = Table(title="Statistics used for standardisation", title_justify="left")
    for column in ("variable", "component", "mean", "std", "min", "max", "source"):
        values.add_column(column, justify="left" if column in ("variable", "component", "source") else "right")
    components = {**recording.benchmark.components, "images": recording.benchmark.stimulus.channels}
    for name, statistics in recording.statistics.items():
        source = facts["statistics"][name]
        withheld = {"behavior": recording.behavior_withheld, "pupil_center": recording.pupil_center_withheld}.get(name)
        if withheld:
            values.add_row(name, "withheld", "", "", "", "", source)
        elif name in components and statistics.mean.ndim:
            for index, component in enumerate(components[name]):
                row_values = [f"{getattr(statistics, s)[index]:.4g}" for s in ("mean", "std", "min", "max")]
                values.add_row(name if index == 0 else "", component, *row_values, source if index == 0 else "")
        else:
            over = "median neuron" if name == "responses" else "all pixels"
            row_values = [f"{_median(getattr(statistics, s)):.4g}" for s in ("mean", "std", "min", "max")]
            values.add_row(name, over, *row_values, source)
    console.print(values)


def _span(values: Any) -> str:
    return f"{values.max() - values.min():.0f}"


def _median(values: Any) -> float:
    import numpy as np

    return float(np.median(values)) if np.size(values) else float("nan")


@app.command("check", rich_help_panel=DATA)
def check(
    archive: Annotated[
        Path | None, typer.Argument(help="Zip or folder in the SENSORIUM 2022 layout.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    rules: Annotated[bool, typer.Option("--rules", help="List all rules; the archive is then optional.")] = False,
) -> None:
    """Check a recording against all rules. The exit status is 1 if there is an error.

    Errors make a recording invalid. Warnings should be reviewed. Notes are harmless facts.
    """
    from striate.catalog import locate
    from striate.errors import InputError
    from striate.recordings import RULES
    from striate.recordings import check as check_recording

    if rules and not as_json:
        table = Table(title="Rules", title_justify="left")
        for column in ("rule", "severity", "demand"):
            table.add_column(column, no_wrap=column == "rule")
        for name, rule in RULES.items():
            table.add_row(name, rule.severity, rule.demand)
        console.print(table)
    if archive is None:
        if rules:
            return
        raise InputError("There is nothing to check: give an archive, or --rules to list the rules.")
    report = check_recording(locate(archive))
    print(report.to_json()) if as_json else _print_report(report)
    if not report.ok:
        raise typer.Exit(1)


_COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def _print_report(report: "CheckReport") -> None:
    from rich.markup import escape

    for finding in report:
        colour = _COLOURS[finding.severity]
        console.print(f"[{colour}]{finding.severity}[/] [bold]{finding.rule}[/] {escape(finding.file)}", soft_wrap=True)
        mend = f" [dim]{escape(finding.fix)}[/]" if finding.fix else ""
        console.print(f"    {escape(finding.message)}{mend}", soft_wrap=True)
    counts = ", ".join(
        f"{len(report.with_severity(s))} {s}{'' if len(report.with_severity(s)) == 1 else 's'}"
        for s in ("error", "warning", "note")
    )
    verdict = "[bold green]valid[/]" if report.ok else "[bold red]not valid[/]"
    console.print(f"{report.name}: {verdict} ({counts})", soft_wrap=True)


@app.command("convert", rich_help_panel=DATA)
def convert(
    out: Annotated[Path, typer.Option(help="Zip (a name ending in .zip) or folder to write.", show_default=False)],
    session: Annotated[
        str,
        typer.Option(help="Session name, in SENSORIUM 2022 animal-session-scan, such as 12-3-1.", show_default=False),
    ],
    arrays: Annotated[
        Path | None, typer.Argument(help="One .npz, HDF5 or MATLAB 7.3 file with all arrays.", show_default=False)
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help=".npy file of shape (trials, height, width) or (trials, channels, height, width)."),
    ] = None,
    responses: Annotated[Path | None, typer.Option(help=".npy file of shape (trials, neurons).")] = None,
    neurons: Annotated[
        Path | None, typer.Option(help="Table of neurons (CSV, TSV or Parquet) with x, y, z in µm.")
    ] = None,
    trials: Annotated[
        Path | None, typer.Option(help="Table of trials with the optional columns image_id, tier and trial_idx.")
    ] = None,
    behavior: Annotated[
        Path | None,
        typer.Option(help=".npy file of shape (trials, behaviour variables)."),
    ] = None,
    pupil_center: Annotated[Path | None, typer.Option(help=".npy file of shape (trials, 2): eye position.")] = None,
    image_axes: Annotated[
        str | None, typer.Option(help="Order of the axes of images, such as HWT (trials last).", metavar="THW")
    ] = None,
    response_axes: Annotated[
        str | None, typer.Option(help="Order of the axes of responses: TN, or NT (trials last).", metavar="TN")
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="Name of a benchmark, or path of its TOML file (default: sensorium2022).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the choice of validation images.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files at --out.")] = False,
) -> None:
    """Convert arrays of your own to a recording in the official layout, and check it.

    Nothing is written if the recording has an error.
    """
    from striate.benchmarks import load_benchmark
    from striate.errors import InputError
    from striate.recordings import array_files, write
    from striate.recordings import check as check_recording
    from striate.recordings import convert as convert_arrays

    spec = load_benchmark(benchmark)
    inputs = (arrays, images, responses, neurons, trials, behavior, pupil_center)
    if any(path is not None and path.exists() and out.exists() and path.samefile(out) for path in inputs):
        raise InputError(f"{out} is an input file, which would be overwritten: choose another --out.")
    axes = {"image_axes": image_axes, "response_axes": response_axes}
    inputs_by_name: dict[str, Any] = {name: order for name, order in axes.items() if order is not None}
    if arrays:
        inputs_by_name |= array_files.read_arrays(arrays, benchmark=spec, **inputs_by_name)
    for name, path in (
        ("images", images),
        ("responses", responses),
        ("behavior", behavior),
        ("pupil_center", pupil_center),
    ):
        if path is not None:
            inputs_by_name[name] = array_files.read_array(path)
    for name, path in (("neurons", neurons), ("trials", trials)):
        if path is not None:
            inputs_by_name[name] = array_files.read_table(path)
    if missing := [name for name in ("images", "responses", "neurons") if name not in inputs_by_name]:
        raise InputError(
            f"{', '.join(missing)} not given: give --{missing[0]} FILE, or one .npz or HDF5 file with all arrays."
        )
    recording = convert_arrays(session=session, seed=seed, benchmark=spec, **inputs_by_name)

    def require_valid(written: Path) -> None:
        report = check_recording(written)
        _print_report(report)
        if not report.ok:
            console.print(f"wrote nothing to {out}: correct the errors above first", markup=False, soft_wrap=True)
            raise typer.Exit(1)

    target = write(recording, out, overwrite=overwrite, inspect=require_valid)
    height, width = recording.image_shape
    size = f"{len(recording.trials)} trials × {len(recording.neurons)} neurons, images of {height} × {width} pixels"
    console.print(f"wrote {target}: recording {recording.session}, {size}", markup=False, soft_wrap=True)


@app.command("cache", rich_help_panel=DATA)
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Delete all packed recordings.")] = False,
) -> None:
    """Show the folder and the sizes of packed recordings. The environment variable ``STRIATE_CACHE`` sets the folder."""
    from striate._internal.paths import cache_folder

    folder = cache_folder() / "recordings"
    stores = sorted(p for p in folder.glob("*") if p.is_dir()) if folder.is_dir() else []
    total = 0
    table = Table(title=str(folder), title_justify="left")
    table.add_column("packed recording")
    table.add_column("MB", justify="right")
    for store in stores:
        size = sum(f.stat().st_size for f in store.rglob("*") if f.is_file())
        total += size
        table.add_row(store.name, f"{size / 1e6:.0f}")
        if clear:
            shutil.rmtree(store, ignore_errors=True)
    table.add_row("all", f"{total / 1e6:.0f}")
    console.print(table)
    if clear:
        console.print(f"deleted {len(stores)} packed recordings")
