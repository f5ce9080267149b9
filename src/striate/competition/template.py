"""Commented ``competition.toml`` files to begin with."""

from datetime import datetime, timedelta
from importlib.resources import files

from striate.competition.moments import require_zone
from striate.competition.rules import parse_rules
from striate.errors import InputError, nearest

TEMPLATES = ("sensorium2022", "own")


def template(kind: str = "sensorium2022", *, starts: datetime, session: str | None = None) -> str:
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

    Raises
    ------
    InputError
        If there is no such template, the session cannot name a recording, or the beginning has no zone or no sensible year.
    """
    if kind not in TEMPLATES:
        raise InputError(f"There is no template {kind!r}: {nearest(kind, TEMPLATES)}.")
    if session is not None and kind != "own":
        raise InputError("A session is named only for a recording of one's own (the template 'own').")
    text = (files("striate.competition") / "templates" / f"{kind}.toml").read_text(encoding="utf-8")
    day = require_zone(starts).replace(hour=0, minute=0, second=0, microsecond=0)
    dates = {"STARTS": day, "CLOSES": day + timedelta(days=120), "ENDS": day + timedelta(days=150)}
    for word, date in dates.items():
        text = text.replace(f"@{word}@", date.isoformat().replace("+00:00", "Z"))
    text = text.replace("@SESSION@", session or "501-1-3")
    parse_rules(text, "the new competition")
    return text
