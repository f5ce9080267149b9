"""Prepare a recording to be looked at: everything that a browser draws, in files of a folder, in pieces that are quick to send."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError
from striate.portal.looking import pyramid
from striate.portal.looking.codes import LARGEST
from striate.portal.looking.columns import write_columns
from striate.portal.looking.orders import neuron_orders, tier_codes, time_of, trial_orders
from striate.portal.looking.pictures import ACROSS, DOWN, Pictures, pictures, thumbnail_size, write_sheets
from striate.portal.looking.responses import EDGES, Overview, Reliability, Shown, overview, reliability
from striate.portal.looking.version import SUMMARY, VERSION
from striate.recordings import Recording, check
from striate.recordings.archive import open_archive
from striate.recordings.pack import load, pack
from striate.recordings.pictures import channel_colours

_FINDINGS = 100  # that are listed; a damaged archive can have one a trial
_BINS = 30


def prepare(archive: Path, folder: Path, aside: Path, session: str, *, track: bool, withheld: tuple[str, ...]) -> None:
    """Prepare one recording.

    Parameters
    ----------
    archive
        As it is published: zip or folder.
    folder
        What is prepared goes here; ``summary.json`` is written last.
    aside
        An empty folder for the packed recording, which is not needed afterwards.
    session
        Which recording it is.
    track
        Whether responses to its test images are withheld: then none is shown, whatever the archive holds.
    withheld
        More variables that are withheld: ``behavior``, ``pupil_center``.
    """
    summary: dict[str, Any] = {"version": VERSION, "session": session, "failed": ""}
    report = check(archive)
    summary["findings"] = [asdict(each) for each in report.findings[:_FINDINGS]]
    summary["more_findings"] = max(0, len(report.findings) - _FINDINGS)
    try:
        with open_archive(archive) as opened:
            pack(opened, aside, session)
        recording = load(aside, session)
        shown = Shown.of(recording, tests_withheld=track)
        summary |= _pictures_of(shown, folder, withheld)
    except InputError as error:  # it is published as it is; the page says what is wrong with it
        summary["failed"] = str(error)
    (folder / SUMMARY).write_text(json.dumps(summary, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _pictures_of(shown: Shown, folder: Path, withheld: tuple[str, ...]) -> dict[str, Any]:
    recording = shown.recording
    found, over, reliable = pictures(recording), overview(shown), reliability(shown)
    of_trials = trial_orders(recording)
    of_neurons = neuron_orders(recording.coordinates[:, 2], reliable.jackknife, over.of_neuron)
    without = {
        name
        for name, components in recording.benchmark.components.items()
        if components and (name in withheld or not np.any(getattr(recording, name)))
    }
    columns = _neuron_columns(recording, over, reliable) | _trial_columns(recording, over, without)
    columns |= {"image.tier": found.tier, "image.shown": found.shown, "trial.image": found.of_trial}
    columns |= {"image.mean": found.mean, "image.contrast": found.contrast}
    if recording.benchmark.image_channels > 1:
        for place, values in enumerate(zip(found.channel_mean, found.channel_contrast, strict=True)):
            columns[f"image.mean.{place}"], columns[f"image.contrast.{place}"] = values
    columns |= {f"trials.{name}": order.astype(np.uint32) for name, order in of_trials.items()}
    columns |= {f"neurons.{name}": order.astype(np.uint32) for name, order in of_neurons.items()}
    names = {
        "trials": recording.trials["trial_idx"].tolist(),
        "images": found.ids,
        "units": recording.unit_ids.tolist(),
    }
    (folder / "names.json").write_text(json.dumps(names), encoding="utf-8")
    thumbnail = thumbnail_size(*recording.image_shape)
    return {
        "trials": len(recording.trials),
        "neurons": len(recording.neurons),
        "image_shape": recording.image_shape,
        "benchmark": _about_benchmark(recording, without),
        "tiers": _tiers(shown, found),
        "withheld": sorted(without),
        "time": time_of(recording) is not None,
        "areas": _places(recording),
        "columns": write_columns(folder / "columns.bin", columns),
        "sheets": {
            "tiers": write_sheets(folder, recording, found),
            "across": ACROSS,
            "down": DOWN,
            "height": thumbnail[0],
            "width": thumbnail[1],
        },
        "raster": {"tile": pyramid.TILE, "largest": LARGEST, "levels": _rasters(shown, folder, of_trials, of_neurons)},
        "reliability": _about_reliability(reliable),
        "responses": {
            "edges": EDGES[:-1].tolist(),
            "counts": over.counts.tolist(),
            "zeros": over.zeros,
            "trials": int(shown.known.sum()),
        },
        "histograms": _histograms(recording, found, over, reliable),
        "statistics": _statistics(recording, without),
    }


def _rasters(
    shown: Shown, folder: Path, of_trials: dict[str, NDArray[np.intp]], of_neurons: dict[str, NDArray[np.intp]]
) -> dict[str, list[dict[str, float]]]:
    """Write the raster in every order of trials and neurons."""
    levels = {}
    for trials, rows in of_trials.items():
        for neurons, columns in of_neurons.items():

            def band(
                start: int,
                end: int,
                rows: NDArray[np.intp] = rows,
                columns: NDArray[np.intp] = columns,
            ) -> NDArray[np.float32]:
                return np.take(shown.rows(rows[start:end]), columns, axis=1)

            file = folder / f"raster-{trials}-{neurons}"
            written = pyramid.write(file, band, (len(rows), len(columns)))
            levels[f"{trials}-{neurons}"] = [asdict(each) for each in written]
    return levels


def _neuron_columns(recording: Recording, over: Overview, reliable: Reliability) -> dict[str, NDArray[Any]]:
    xyz = recording.coordinates.astype(np.float32)
    columns: dict[str, NDArray[Any]] = {f"neuron.{axis}": xyz[:, place] for place, axis in enumerate("xyz")}
    columns |= {"neuron.response": over.of_neuron, "neuron.reliability": reliable.jackknife}
    return columns | {"neuron.halves": reliable.halves}


def _trial_columns(recording: Recording, over: Overview, without: set[str]) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {"trial.tier": tier_codes(recording), "trial.response": over.of_trial}
    for name, components in recording.benchmark.components.items():
        if name in without:
            continue
        values = np.asarray(getattr(recording, name), dtype=np.float32)
        for place, component in enumerate(components):
            columns[f"{name}.{component}"] = values[:, place]
    return columns


def _about_benchmark(recording: Recording, without: set[str]) -> dict[str, Any]:
    """What pages and pictures need to know of the benchmark; tiers stand in the order of their codes."""
    spec = recording.benchmark
    colours = np.rint(255 * channel_colours(spec.stimulus.channels)).astype(int)
    return {
        "name": spec.name,
        "title": spec.title,
        "tiers": spec.tier_order,
        "grey": spec.stimulus.value_name == "grey values",
        "channels": [
            {"name": name, "colour": "#{:02x}{:02x}{:02x}".format(*colour)}
            for name, colour in zip(spec.stimulus.channels, colours.tolist(), strict=True)
        ],
        "variables": {name: names for name, names in spec.components.items() if names and name not in without},
        "standardised": spec.standardisation.responses != "none",
    }


def _tiers(shown: Shown, found: Pictures) -> list[dict[str, Any]]:
    tier = shown.recording.trials["tier"].to_numpy()
    rows = []
    for code, name in enumerate(shown.recording.benchmark.tier_order):
        own, images = tier == name, found.tier == code
        if not own.any():
            continue
        public = int(shown.known[own].sum())
        repeats = found.shown[images]
        rows.append(
            {
                "name": name,
                "code": code,
                "trials": int(own.sum()),
                "images": int(images.sum()),
                "fewest": int(repeats.min()),
                "most": int(repeats.max()),
                "public": public,
            }
        )
    return rows


def _places(recording: Recording) -> list[dict[str, Any]]:
    places = Counter(zip(recording.neurons["area"].astype(str), recording.neurons["layer"].astype(str), strict=True))
    return [{"area": area, "layer": layer, "neurons": count} for (area, layer), count in sorted(places.items())]


def _about_reliability(reliable: Reliability) -> dict[str, Any]:
    return {
        "images": reliable.images,
        "trials": reliable.trials,
        "reason": reliable.reason,
        "jackknife": _mean(reliable.jackknife),
        "halves": _mean(reliable.halves),
        "undefined": int((~np.isfinite(reliable.jackknife)).sum()),
    }


def _mean(values: NDArray[np.floating]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def _histogram(values: NDArray[np.floating]) -> dict[str, list[float]] | None:
    finite = values[np.isfinite(values)].astype(np.float64)
    if not len(finite):
        return None
    counts, edges = np.histogram(finite, _BINS)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _histograms(recording: Recording, found: Pictures, over: Overview, reliable: Reliability) -> dict[str, Any]:
    made = {
        "depth": _histogram(recording.coordinates[:, 2]),
        "reliability": _histogram(reliable.jackknife),
        "halves": _histogram(reliable.halves),
        "response": _histogram(over.of_neuron),
        "mean": _histogram(found.mean),
        "contrast": _histogram(found.contrast),
    }
    return {name: each for name, each in made.items() if each is not None}


def _statistics(recording: Recording, without: set[str]) -> list[dict[str, Any]]:
    """The recording's own statistics: of each component, or, of responses, their means over neurons."""
    rows, spec = [], recording.benchmark
    for name in spec.variables:
        if name in without:
            continue
        own = recording.statistics[name]
        fields = {field: np.atleast_1d(getattr(own, field)) for field in ("mean", "std", "median", "min", "max")}
        if name == "responses":
            fields = {field: np.atleast_1d(values.mean()) for field, values in fields.items()}
        channels = spec.stimulus.channels if spec.image_channels > 1 else ()
        named = {"images": channels, **spec.components}.get(name, ())
        unit = spec.stimulus.value_name.removesuffix("s") if name == "images" else "raw units"
        for place in range(len(fields["mean"])):
            values = {field: _number(each[place]) for field, each in fields.items()}
            component = named[place] if len(named) == len(fields["mean"]) else ""
            rows.append({"variable": name, "component": component, "unit": unit, **values})
    return rows


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
