"""A portal as an earlier version left it, with rows in all of its tables, and what this version makes of it.

``python -m tests.portal.earlier PUBLIC DATA MIGRATION LIVE_TRUTH FILE`` fills the tables as they were after a migration, starts this version on
them, and prints what became of them as JSON. STRIATE_TEST_EARLIER_BACKUP names a backup that is written before, with what the first backups
held; STRIATE_TEST_EARLIER_CHANGE is SQL that is run before.
"""

import hashlib
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from striate.portal import Place

PASSWORD = "a long and dull password"
TOKEN = "striate_a-token-of-an-earlier-version"
SCORED, REFUSED, QUEUED, BASELINE = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(4))
BOARD = {"track": "sensorium", "protocol": "image"}
METRICS = {
    name: {"mean": 0.5, "low": 0.4, "high": 0.6, "reason": None}
    for name in ("single_trial_correlation", "correlation_to_average", "feve")
}


class Tables:
    """The tables after a migration. Fields and tables that there were not yet are left out."""

    def __init__(self, migration: str) -> None:
        from django.db import connection
        from django.db.migrations.loader import MigrationLoader

        state = MigrationLoader(connection).project_state([("portal", migration)])
        self.models: dict[str, Any] = {each.__name__: each for each in state.apps.get_app_config("portal").get_models()}

    def add(self, table: str, **values: Any) -> Any:
        """Add a row; None if there is no such table."""
        model = self.models.get(table)
        if model is None:
            return None
        known = {name for field in model._meta.concrete_fields for name in (field.name, field.attname)}
        return model._base_manager.create(**{name: value for name, value in values.items() if name in known})

    def counts(self) -> dict[str, int]:
        """Rows of each table."""
        return {name: model._base_manager.count() for name, model in self.models.items()}


def fill(place: Place, tables: Tables, file: Path) -> None:
    """Write what a portal holds after some days."""
    from django.contrib.auth.hashers import make_password

    from striate.portal.competition import competition

    now = datetime.now(UTC)
    tables.add("Chain", id=1, anchor=competition().anchor)
    accounts = {
        name: tables.add(
            "User",
            username=name,
            name=name.title(),
            email=f"{name}@example.org",
            password=make_password(PASSWORD),
            is_staff=name == "olga",
            is_superuser=name == "olga",
            approved_at=now,
        )
        for name in ("olga", "ada")
    }
    ada = accounts["ada"]
    team = tables.add("Team", name="Ada", invitation="a")
    tables.add("Team", name="Cheat", invitation="b", disqualified_at=now, disqualified_for="two accounts")
    tables.add("Membership", user=ada, team=team)
    tables.add("Token", user=ada, name="cluster", digest=hashlib.sha256(TOKEN.encode()).hexdigest())
    tables.add("Attempt", what="sign-in", key="0" * 64)
    terms = competition().rules.licence
    tables.add("Acceptance", user=ada, sha256="1" * 64, terms=terms.terms)
    tables.add("MaintenanceWindow", starts=now + timedelta(days=1), ends=now + timedelta(days=2), message="an upgrade")
    tables.add("Announcement", title="It begins", text="*Now*.", banner=True)
    tables.add("Worker", name="host-1", scorer="striate 0")
    if "AuditEntry" in tables.models:
        _add_audit(tables, now)
    _add_submissions(place, tables, ada, team, file, now)
    upload = tables.add("Upload", by=ada, filename="half.parquet", size=10, sha256="2" * 64, received=3, expires_at=now)
    tables.add("Part", upload=upload, offset=0, name="half/0")
    if "Snapshot" in tables.models:
        _add_data(tables, now)


def _add_audit(tables: Tables, now: datetime) -> None:
    from striate.portal.models.audit import BEGIN, AuditEntry

    entry = AuditEntry(number=1, at=now, who="olga", account=1, what="sign in", about="user 1", previous=BEGIN)
    entry.digest = entry.digested()
    tables.add("AuditEntry", digest=entry.digest, at=now, **{k: v for k, v in entry.body.items() if k != "at"})
    tables.add("AuditEnd", id=1, number=1, digest=entry.digest)


def _add_submissions(place: Place, tables: Tables, ada: Any, team: Any, file: Path, now: datetime) -> None:
    from striate.competition.receipts import linked
    from striate.portal.competition import competition

    content = file.read_bytes()
    kept = hashlib.sha256(content).hexdigest()
    (place.data / "submissions" / f"{kept}.parquet").write_bytes(content)
    common = {"filename": file.name, "size": len(content), "by": ada, **BOARD}
    tomorrow = now + timedelta(days=1)
    sent = {
        SCORED: {"team": team, "sha256": "3" * 64, "kept": "3" * 64, "state": "scored", "note": "the first"},
        REFUSED: {"team": team, "sha256": "4" * 64, "state": "refused", "reason": "it is no Parquet file"},
        QUEUED: {"team": team, "sha256": kept, "kept": kept, "state": "queued", "deadline": tomorrow},
        BASELINE: {"baseline": "CNN", "sha256": "5" * 64, "kept": "5" * 64, "state": "scored"},
    }
    last = competition().anchor
    numbers = iter(range(1, 9))
    for number, fields in sent.items():
        row = tables.add("Submission", id=number, **{**common, **fields})
        tables.add("Transition", submission=row, before="", after=fields["state"])
        if "kept" in fields:
            told = {"team": fields.get("baseline", "Ada"), "sha256": fields["kept"], "baseline": "baseline" in fields}
            link = linked(next(numbers), last, kind="submission", at=now, chosen=None, **BOARD, **told)
            last = link.digest
            tables.add(
                "Link",
                number=link.number,
                submission=row,
                kind="submission",
                at=now,
                body=link.model_dump_json(),
                digest=link.digest,
            )
        if fields["state"] == "scored":
            tables.add("Score", submission=row, scorer="striate 0", value=0.5, metrics=METRICS, draws=b"12345678")
            tables.add("Card", submission=row, version=1, content={"summary": "Five models."})
        if fields["state"] == "queued":
            tables.add("Job", kind="score", submission=row)
    tables.add("Standing", **BOARD, rows=[])


def _add_data(tables: Tables, now: datetime) -> None:
    from striate.portal.competition import competition

    made, licence = competition(), competition().rules.licence
    told = {"licence": licence.name, "terms": licence.terms, "terms_sha256": "1" * 64}
    version = tables.add("Snapshot", number=1, sha256="7" * 64, at=now, note="As the competition began.", **told)
    for each in made.manifest.files:
        content = tables.add("Content", sha256=each.sha256, size=each.size, beside=each.path)
        tables.add(
            "SnapshotFile",
            snapshot=version,
            path=each.path,
            content=content,
            session=each.session or "",
            changed=version,
        )
    tables.add("Content", sha256="8" * 64, size=1)  # a push brought it, and no version has it yet
    tables.add("Arrival", sha256="9" * 64, size=1, whole=True)
    tables.add("Description", snapshot=version, metadata=_metadata())
    request = tables.add("DoiRequest", snapshot=version, metadata=_metadata())
    tables.add("Doi", request=request, doi="10.5072/example")


def _metadata() -> Any:
    from striate.portal.competition import competition
    from striate.portal.hosting.metadata import first_metadata

    return first_metadata(competition().rules).model_dump(mode="json")


def found(truth: Path) -> dict[str, Any]:
    """What this version makes of it."""
    from django.db import connection
    from django.test import Client

    from striate.competition import LiveTruth
    from striate.portal.models import Submission, User, triggers
    from striate.portal.organising.audit import verified
    from striate.portal.scoring.work import work

    live = LiveTruth.read(truth)
    while work(live):
        pass
    pages = {}
    for name in ("", "ada", "olga"):
        browser = Client()
        if name:
            browser.force_login(User.objects.get(username=name))
        addresses = ["/", "/boards/", "/boards/sensorium-image.json", "/receipts.jsonl", "/data/", "/data/versions/"]
        addresses += ["/team/", "/accounts/", "/submit/", f"/submissions/{SCORED}/"] if name == "ada" else []
        addresses += ["/organise/", "/organise/phases/", "/admin/portal/auditentry/"] if name == "olga" else []
        pages |= {f"{name} {address}": browser.get(address).status_code for address in addresses}
    asked = Client().get("/api/v1/submissions", headers={"Authorization": f"Bearer {TOKEN}"})
    return {
        "pages": pages,
        "receipts": Client().get("/receipts.jsonl").getvalue().decode(),
        "submissions": {str(each["id"]): each["state"] for each in asked.json()["items"]},
        "states": sorted(Submission.objects.values_list("state", flat=True)),
        "sign-in": Client().login(username="ada", password=PASSWORD),
        "audit": [entry.what for entry in verified()],
        "protected": triggers._there(connection) >= set(triggers._wanted(connection)),
    }


def main(public: str, data: str, migration: str, truth: str, file: str) -> None:
    """Fill tables, start this version, say what became of them."""
    from striate.portal.running.prepare import prepare, set_up

    place = Place.of(Path(public), Path(data))
    before: dict[str, int] = {}
    if migration != "now":
        place.prepare()
        set_up(place)
        from django.core.management import call_command
        from django.db import connection

        for app in ("portal", "admin", "sessions"):
            call_command("migrate", app, *([migration] if app == "portal" else []), verbosity=0)
        from striate.portal.models import triggers
        from striate.portal.organising import backup, tables

        triggers.lift()  # only this version's rows are written once
        earlier = Tables(migration)
        fill(place, earlier, Path(file))
        before = earlier.counts()
        if out := os.environ.get("STRIATE_TEST_EARLIER_BACKUP"):
            passing, tables.PASSING = tables.PASSING, ("upload", "attempt", "worker")
            backup.backup(Path(out), files=False)
            tables.PASSING = passing
        if change := os.environ.get("STRIATE_TEST_EARLIER_CHANGE"):
            with connection.cursor() as cursor:
                for statement in change.split(";"):
                    cursor.execute(statement)
        connection.close()
    made = prepare(place)
    from django.apps import apps
    from django.test.utils import setup_test_environment

    setup_test_environment()
    after = {each.__name__: each._base_manager.count() for each in apps.get_app_config("portal").get_models()}
    told = {"before": before, "after": after, "backup": made.before_upgrade and str(made.before_upgrade)}
    print(json.dumps({**told, **found(Path(truth))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
