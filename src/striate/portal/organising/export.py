"""Everything that the portal has, to be read without it: tables as JSON lines and CSV, files, boards, the audit log."""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.files.storage import storages

from striate._internal.atomic_write import atomic_write_folder
from striate.competition.results import board_name
from striate.portal.boards.pages import plain_cell
from striate.portal.competition import competition
from striate.portal.models import Standing
from striate.portal.organising import audit, tables
from striate.portal.organising.backup import walk
from striate.portal.receiving.chain import lines as receipts
from striate.portal.storage import opened

# What lets somebody in somewhere is not given out, not even as a hash.
SECRET = {"user": {"password"}, "token": {"digest"}, "team": {"invitation"}, "job": {"lease"}}
_NOT_IN_CSV = {"draws"}  # a thousand numbers a row
_CHUNK = 2**20  # bytes

_ABOUT = """\
What a portal of striate had, at one moment.

tables/NAME.jsonl    rows of a table, one JSON object a line; times in UTC (ISO 8601), bytes in base 64;
                     `draws` of scores are float64, little-endian
tables/NAME.csv      the same for spreadsheets, without `draws`; text that begins like a formula has a ' before it
submissions/         files of submissions, each named by its SHA-256
receipts.jsonl       the chain of receipts
audit.jsonl          the audit log, each entry with the SHA-256 of the one before
boards/              boards as they were last ranked
results/             what was published at the close
competition/         rules, commitment and manifest
SHA256SUMS           hashes: sha256sum --check SHA256SUMS

Passwords, tokens and invitations are in none of these, not even as hashes. E-mail addresses are: keep it safe.
"""


def export(out: Path, *, files: bool = True) -> dict[str, int]:
    """Write everything into a folder, which appears when it is whole.

    Parameters
    ----------
    out
        Where to.
    files
        Whether submitted files are copied, too.

    Returns
    -------
    dict
        Number of rows by table.
    """
    counts = {}
    with atomic_write_folder(out) as aside:
        aside.chmod(0o700)
        for name in ("tables", "boards", "competition"):
            (aside / name).mkdir()
        with tables.snapshot() as using:
            for model in tables.tables(tables.applied_migrations(using), using):
                name = str(model._meta.model_name)
                counts[name] = _table(aside / "tables", name, model, using)
        (aside / "receipts.jsonl").write_text("".join(receipts()), encoding="utf-8")
        audit_lines(aside / "audit.jsonl")
        for standing in Standing.objects.order_by("track", "protocol"):
            board = {name: getattr(standing, name) for name in ("track", "protocol", "scorer", "ceilings", "rows")}
            text = json.dumps({"ranked_at": standing.made_at.isoformat(), **board}, indent=1, ensure_ascii=False)
            slug = board_name(standing.track, standing.protocol)
            (aside / "boards" / f"{slug}.json").write_text(text, encoding="utf-8")
        for file in ("competition.toml", "commitment.json", "manifest.json"):
            if (competition().folder / file).is_file():
                shutil.copyfile(competition().folder / file, aside / "competition" / file)
        for name in walk(storages["results"]):
            target = aside / "results" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened(storages["results"], name) as source, target.open("wb") as out_file:
                shutil.copyfileobj(source, out_file, _CHUNK)
        if files:
            _files(aside / "submissions")
        (aside / "README.txt").write_text(_ABOUT, encoding="utf-8")
        _sums(aside)
    return counts


def audit_lines(out: Path) -> int:
    """Write the audit log as lines of JSON, verified on the way; return how many.

    Raises
    ------
    InputError
        If it is not whole.
    """
    count = 0
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        for entry in audit.verified():
            file.write(json.dumps({**entry.body, "digest": entry.digest}, ensure_ascii=False) + "\n")
            count += 1
    return count


def _table(folder: Path, name: str, model: Any, using: str) -> int:
    hidden = SECRET.get(name, set())
    names = [field.attname for field in model._meta.concrete_fields if field.attname not in hidden]
    count = 0
    with (
        (folder / f"{name}.jsonl").open("w", encoding="utf-8") as lines,
        (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as cells,
    ):
        writer = csv.writer(cells)
        writer.writerow(each for each in names if each not in _NOT_IN_CSV)
        for row in tables.rows(model, using):
            shown = {each: row[each] for each in names}
            lines.write(json.dumps(shown, ensure_ascii=False) + "\n")
            writer.writerow(_cell(value) for each, value in shown.items() if each not in _NOT_IN_CSV)
            count += 1
    return count


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return plain_cell(value) if isinstance(value, str) else value


def _files(folder: Path) -> None:
    folder.mkdir()
    for name in walk(storages["submissions"]):
        if name.startswith("incoming/"):
            continue
        with opened(storages["submissions"], name) as source, (folder / name).open("wb") as target:
            shutil.copyfileobj(source, target, _CHUNK)


def _sums(folder: Path) -> None:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    (folder / "SHA256SUMS").write_text("".join(_sum_lines(folder, found)), encoding="utf-8")


def _sum_lines(folder: Path, found: Iterable[Path]) -> Iterable[str]:
    for path in found:
        with path.open("rb") as file:
            yield f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.relative_to(folder).as_posix()}\n"
