"""The chain that notices stand in: one whatever comes at once, taken over, given out, upgraded and restored."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from striate.competition import InForce, Receipts, amend, disqualify, submit
from striate.competition.receipts import FILE
from tests.portal.notices.moves import At, chain, ends, move, typed
from tests.portal.test_organising import change
from tests.portal.world import World


@pytest.mark.slow
def test_decisions_that_come_at_once_make_one_chain(world: World, olga: Any) -> None:
    from django.db import connection, connections

    from striate.portal.models import Announcement, Team

    names = [f"Team {number}" for number in range(4)]
    for name in names:
        Team.objects.create(name=name)
    connection.close()

    def decide(job: Callable[[], Any]) -> int:
        try:
            return int(job().status_code)
        finally:
            connections.close_all()

    jobs: list[Callable[[], Any]] = [
        *(partial(move, world, olga, ends=typed(ends(world, days=n)), known=0) for n in (3, 5, 7)),
        *(partial(change, world, olga, Team.objects.get(name=name), "two accounts") for name in names),
    ]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(decide, jobs))
    assert sorted(answers[:3]) == [302, 400, 400], "one of those who saw no amendment"
    assert answers[3:] == [302] * 4
    assert sorted(entry.kind for entry in chain(world)) == ["amendment", *["disqualification"] * 4]
    assert Announcement.objects.count() == 1


@pytest.mark.slow
def test_a_notice_does_not_push_what_was_sent_in_time_past_the_end(world: World, olga: Any, clock: At) -> None:
    from striate.portal.models import Link, Submission, Team

    ada, ben = world.person("ada", team="Ada"), world.person("ben", team="Ben")
    sent = world.send(ada, world.file(0.5))
    closes = world.built.rules.closes
    Submission.objects.filter(pk=sent.pk).update(received_at=closes - timedelta(seconds=1))
    clock(closes + timedelta(minutes=1))
    answer = change(world, olga, ben.team, "two accounts")
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "may still be on its way" in page
    assert 'value="two accounts"' in page, "what was typed is kept"
    assert not Link.objects.exists()
    clock(closes + timedelta(minutes=10))
    change(world, olga, ben.team, "two accounts")
    assert not Link.objects.exists()
    assert Team.objects.get(name="Ben").disqualified_at is None, "nothing of it is kept"
    world.work()
    assert Link.objects.get().at == closes - timedelta(seconds=1)
    change(world, olga, ben.team, "two accounts")
    assert [entry.kind for entry in chain(world)] == ["submission", "disqualification"]


@pytest.mark.slow
def test_a_chain_with_notices_is_taken_over(world: World, tmp_path: Path) -> None:
    from striate.portal.in_force import in_force
    from striate.portal.models import Link, Team
    from striate.portal.running.prepare import _begin_chain

    folder, store, now = world.place.competition, tmp_path / "store", datetime.now(UTC)
    try:
        submit(folder, world.file(0.5), "Ada", store, at=now - timedelta(hours=5))
        submit(folder, world.file(0.7), "Cheat", store, at=now - timedelta(hours=4))
        disqualify(folder, "Cheat", why="two accounts", at=now - timedelta(hours=3))
        amend(folder, "live", ends=ends(world, days=7), why="rain", at=now - timedelta(hours=2))
        for file in store.iterdir():
            world.keep("submissions", file.name, file.read_bytes())
        _begin_chain()
        assert [entry.number for entry in chain(world)] == [1, 2, 3, 4]
        assert chain(world) == Receipts.read(folder).entries
    finally:
        (folder / FILE).unlink(missing_ok=True)
    assert Link.objects.get(kind="disqualification").team == Team.objects.get(name="Cheat")
    assert Team.objects.get(name="Cheat").disqualified_for == "two accounts"
    assert in_force().rules.closes == ends(world, days=7)
    world.work()
    assert [row["team"] for row in world.browser().get("/boards/sensorium-image.json").json()["rows"]] == ["Ada"]
    assert in_force() == InForce.of(world.built.rules, chain(world))


def test_notices_are_in_what_is_exported(world: World, olga: Any, tmp_path: Path) -> None:
    from striate.portal.organising.export import export

    assert move(world, olga, ends=typed(ends(world, days=7))).status_code == 302
    export(tmp_path / "out")
    (line,) = (tmp_path / "out" / "receipts.jsonl").read_text().splitlines()
    assert json.loads(line)["kind"] == "amendment"
    (row,) = map(json.loads, (tmp_path / "out" / "tables" / "link.jsonl").read_text().splitlines())
    assert row["submission_id" if "submission_id" in row else "submission"] is None


OLDER = """
import json, sys
from pathlib import Path
from striate.competition.receipts import Receipts
from striate.portal import Place
from striate.portal.running.prepare import prepare
place = Place.of(sys.argv[1], sys.argv[2])
prepare(place)
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import setup_test_environment
from django.utils import timezone
call_command("migrate", "portal", sys.argv[3], verbosity=0)
with connection.cursor() as cursor:
    cursor.execute(
        "INSERT INTO portal_team (name, invitation, created_at, disqualified_at, disqualified_for)"
        " VALUES ('Old cheat', 'x', %s, %s, 'two accounts')", [timezone.now(), timezone.now()])
connection.close()
prepare(place)
setup_test_environment()
from striate.portal.in_force import in_force
from striate.portal.models import Link, Team, triggers
print(json.dumps({
    "out": sorted(in_force().teams),
    "names": sorted(Link.objects.exclude(team=None).values_list("team__name", flat=True)),
    "protected": triggers._there(connection) >= set(triggers._wanted(connection)),
    "receipts": Client().get("/receipts.jsonl").getvalue().decode(),
}))
"""


@pytest.mark.slow
def test_a_portal_of_the_version_before_is_upgraded(folders: Path, tmp_path: Path) -> None:
    from tests.portal.test_copies import bare

    with tempfile.TemporaryDirectory(prefix="older") as data:
        place = Path(data) / "portal"
        command = [sys.executable, "-c", OLDER, folders / "public", place, "0008_words"]
        done = subprocess.run(command, capture_output=True, text=True, env=bare(), check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["out"] == found["names"] == ["Old cheat"]
    assert found["protected"]
    assert json.loads(found["receipts"])["why"] == "two accounts"


@pytest.mark.slow
def test_notices_come_back_from_a_backup(world: World, olga: Any, folders: Path, tmp_path: Path) -> None:
    from striate.portal.models import Team
    from striate.portal.receiving.chain import lines
    from tests.portal.test_copies import look, restored, served

    world.scored(world.person("ada", team="Ada"), world.file(0.5))
    change(world, olga, Team.objects.get(name="Ada"), "two accounts")
    assert move(world, olga, ends=typed(ends(world, days=7))).status_code == 302
    before = "".join(lines())
    done = served(world, folders, "backup", "--out", tmp_path / "backup")
    assert done.status == 0, done.err
    done = restored(folders, tmp_path / "backup", tmp_path / "back")
    assert done.status == 0, done.err
    assert look(folders, tmp_path / "back")["receipts"] == before
    assert before.count("\n") == 3
