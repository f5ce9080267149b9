"""Commented ``competition.toml`` files to begin with."""

import json
from datetime import datetime, timedelta
from importlib.resources import files

import tomli_w

from striate.benchmarks import Benchmark, BenchmarkSpec, is_default, load_benchmark
from striate.competition.benchmark_rules import check_boards
from striate.competition.moments import require_zone
from striate.competition.rules import parse_rules
from striate.errors import InputError, listed, nearest
from striate.registry import benchmarks

TEMPLATES = ("sensorium2022", "own")


def template(
    kind: str = "sensorium2022", *, starts: datetime, session: str | None = None, benchmark: Benchmark | None = None
) -> str:
    """Write a commented ``competition.toml``, which passes its own check.

    Parameters
    ----------
    kind
        ``"sensorium2022"``: the structure of SENSORIUM 2022 (two tracks, five pre-training recordings); ``"own"``: a single
        recording of one's own.
    starts
        When the live phase shall begin; its zone is kept.
    session
        Of ``"own"``: the recording.
    benchmark
        Of ``"own"``: the benchmark of the recording, by default SENSORIUM 2022.

    Raises
    ------
    InputError
        If there is no such template, the session cannot name a recording, the benchmark lacks a tier of one of the boards, or the
        beginning has no zone or no sensible year.
    """
    if kind not in TEMPLATES:
        raise InputError(f"There is no template {kind!r}: {nearest(kind, TEMPLATES)}.")
    if kind != "own" and (session, benchmark) != (None, None):
        raise InputError("A session and a benchmark are named only for a recording of one's own (the template 'own').")
    text = (files("striate.competition") / "templates" / f"{kind}.toml").read_text(encoding="utf-8")
    day = require_zone(starts).replace(hour=0, minute=0, second=0, microsecond=0)
    dates = {"STARTS": day, "CLOSES": day + timedelta(days=120), "ENDS": day + timedelta(days=150)}
    for word, date in dates.items():
        text = text.replace(f"@{word}@", date.isoformat().replace("+00:00", "Z"))
    spec = load_benchmark(benchmark)
    for word, value in _of_benchmark(spec, session).items():
        text = text.replace(f"@{word}@", value)
    if kind == "own" and spec.name not in benchmarks:
        text += "\n" + tomli_w.dumps({"benchmark": spec.model_dump(mode="json", exclude_none=True)})
    parse_rules(text, "the new competition")
    return text


def _of_benchmark(spec: BenchmarkSpec, session: str | None) -> dict[str, str]:
    """What a benchmark brings into a template, by the word that it replaces."""
    try:
        check_boards(spec)
    except ValueError as error:
        raise InputError(f"{error}.") from None
    own, split = ("501-1-3", "stratified") if is_default(spec) else (spec.sessions.example, "given")
    metric = spec.ranking_metric(board="final", track=spec.track_names[0] if spec.tracks else None)
    return {
        "BENCHMARK": f'benchmark = "{spec.name}"'
        if spec.name in benchmarks
        else "# It is the table at the end of this file.",
        "LIVE": spec.board_tier("live") or "",
        "FINAL": spec.board_tier("final") or "",
        "SPLIT": split,
        "SESSION": session or own,
        "WITHHOLD": json.dumps([name for name in spec.variables if name in spec.components]),
        "PROTOCOLS": json.dumps([spec.protocol_for(()).name]),
        "ALLPROTOCOLS": listed([f'"{name}"' for name in spec.protocol_names]),
        "METRIC": metric,
        "METRICS": listed([f'"{name}"' for name in spec.metrics.names]),
    }
