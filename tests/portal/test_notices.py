"""What organisers decide while the competition runs: in the portal's chain, on its pages, and binding for the close."""

import json
import shutil
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

from striate.competition import InForce, Receipts, Vault, amend, close, disqualify, submit, verify
from striate.competition.receipts import FILE, Entry
from striate.errors import InputError
from tests.competition.examples import PASSPHRASE
from tests.portal.test_organising import change
from tests.portal.world import World

At = Callable[[datetime], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> At:
    """Set the portal's clock."""
    from django.utils import timezone

    def set_to(moment: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: moment)

    return set_to


@pytest.fixture
def olga(world: World) -> Any:
    return world.person("olga", staff=True)


def move(world: World, olga: Any, **fields: Any) -> Any:
    """Send the form as the page has it."""
    from striate.portal.in_force import in_force
    from striate.portal.organising.deciding import last_amendment

    filled = {"phase": "live", "starts": "", "ends": "", "why": "The server was away.", "banner": "on"}
    filled |= {"known": last_amendment(in_force()), **fields}
    return world.browser(olga).post("/organise/phases/", filled)


def typed(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M")


def ends(world: World, **later: float) -> datetime:
    return (world.built.rules.closes + timedelta(**later)).replace(second=0)


def chain(world: World) -> tuple[Entry, ...]:
    """The chain as anyone downloads it."""
    lines = b"".join(world.browser().get("/receipts.jsonl").streaming_content)
    folder = world.scratch / "downloaded"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world.place.competition, folder)
    (folder / FILE).write_bytes(lines)
    read = Receipts.read(folder)
    assert read.problems() == []
    return read.entries


# ---- phases


def test_a_submission_between_the_former_and_the_amended_end_is_taken_and_counts(
    world: World, olga: Any, clock: At, tmp_path: Path
) -> None:
    from striate.portal.models import Link, Submission

    ada = world.person("ada", team="Ada")
    late = ends(world, days=1)
    assert move(world, olga, ends=typed(ends(world, days=7))).status_code == 302
    clock(late)
    sent = world.api(ada).submit(world.file(0.5)).json()
    assert sent["state"] == "queued", sent
    # the column's default is the clock of this machine
    Submission.objects.update(received_at=late)
    world.work()
    assert Submission.objects.get().state == "scored"
    assert [row["team"] for row in world.browser().get("/boards/sensorium-image.json").json()["rows"]] == ["Ada"]
    assert Link.objects.count() == 2
    clock(ends(world, days=8))
    refused = world.api(ada).submit(world.file(0.3))
    assert refused.status_code == 422
    now = ends(world, days=7)
    assert f"{now.day} {now:%B %Y, %H:%M} UTC" in refused.json()["detail"], "it is told the end that is in force"


def test_a_receipt_is_judged_by_the_phases_in_force(world: World, olga: Any, clock: At) -> None:
    """Also where the file was taken in, and is checked later by another process."""
    from striate.portal.models import Submission

    ada = world.person("ada", team="Ada")
    sent = world.send(ada, world.file(0.5))
    Submission.objects.filter(pk=sent.pk).update(received_at=ends(world, days=1))
    world.work()
    assert "not taken" in Submission.objects.get().reason
    assert move(world, olga, ends=typed(ends(world, days=7))).status_code == 302
    again = world.send(ada, world.file(0.5))
    Submission.objects.filter(pk=again.pk).update(received_at=ends(world, days=1))
    world.work()
    assert Submission.objects.get(pk=again.pk).state == "scored"


def test_everybody_reads_what_was_moved_and_why(world: World, olga: Any) -> None:
    from striate.portal.models import Announcement, AuditEntry

    former, now = ends(world), ends(world, days=7)
    page = world.browser(olga).get("/organise/phases/").content.decode()
    assert 'name="why"' in page
    assert move(world, olga, ends=typed(now), why="The <b>server</b> was away.").status_code == 302
    for path in ("/", "/boards/", "/boards/sensorium-image/", "/organise/phases/", "/announcements/"):
        page = world.browser(olga).get(path).content.decode()
        assert "server" in page, path
        assert "<b>server</b>" not in page, path
        assert now.strftime("%Y") in page
    home = world.browser().get("/").content.decode()
    assert f'datetime="{now.isoformat()}" data-left' in home, "the countdown is to the new end"
    assert "Amended:" in home
    board = world.browser().get("/boards/").content.decode()
    assert board.count("Reason: ") == 1, "one reason for both boundaries"
    assert board.count("and no longer on") == 2
    told = world.browser().get("/api/competition").json()
    assert told["phases"][0]["ends"] == told["phases"][1]["starts"] == now.isoformat().replace("+00:00", "Z")
    assert [(m["phase"], m["boundary"], m["notice"]) for m in told["moves"]] == [
        ("live", "ends", 1),
        ("evaluation", "starts", 1),
    ]
    announcement = Announcement.objects.get()
    assert announcement.banner
    assert announcement.notice.number == 1
    assert (announcement.title, announcement.text) == ("", ""), "it is told in the language of whoever reads it"
    (entry,) = AuditEntry.objects.filter(what="move phase")
    assert entry.who == "olga"
    assert [line.partition(" – ")[2][:10] for line in (entry.before["phases"][0], entry.after["phases"][0])] == [
        former.date().isoformat(),
        now.date().isoformat(),
    ]
    assert [line.partition(":")[0] for line in entry.after["phases"]] == ["live", "evaluation"]
    assert entry.after["why"] == "The <b>server</b> was away."
    assert (
        world.browser().get("/competition.toml").content.decode()
        == (world.place.competition / "competition.toml").read_text()
    ), "what was committed to stays as it was"


def test_an_announcement_of_a_move_ends_when_it_has_come_to_pass_or_is_moved_again(world: World, olga: Any) -> None:
    from striate.portal.models import Announcement

    first, second = ends(world, days=5), ends(world, days=7)
    assert move(world, olga, ends=typed(first)).status_code == 302
    assert Announcement.shown().get().ends == first
    assert move(world, olga, ends=typed(second)).status_code == 302
    assert Announcement.objects.count() == 2
    assert Announcement.shown().get().ends == second, "two that contradict each other are not shown"


def test_a_move_that_is_not_allowed_leaves_nothing(world: World, olga: Any) -> None:
    from striate.portal.models import Announcement, AuditEntry, Link

    soon = typed(datetime.now(UTC) + timedelta(days=1))
    wrong: dict[str, tuple[dict[str, Any], str]] = {
        "no reason": ({"ends": soon, "why": "  "}, "This field is required"),
        "nothing": ({}, "Give a new begin, a new end, or both."),
        "what has begun": ({"starts": soon}, "its begin cannot be moved any more"),
        "to the past": ({"ends": "2020-01-01T00:00"}, "Choose a moment that lies ahead."),
        "over its neighbour": ({"ends": typed(ends(world, days=90))}, "put the dates in order"),
        "an unknown phase": ({"phase": "none", "ends": soon}, "Select a valid choice"),
        "no moment": ({"ends": "soon"}, "Enter a valid date/time"),
        "what has changed meanwhile": ({"ends": soon, "known": 7}, "Somebody has moved a phase meanwhile"),
    }
    for name, (fields, message) in wrong.items():
        answer = move(world, olga, **fields)
        assert answer.status_code == 400, name
        assert message in answer.content.decode(), name
    assert not Link.objects.exists()
    assert not Announcement.objects.exists()
    assert not AuditEntry.objects.filter(what="move phase").exists()
    ada = world.person("ada", team="Ada")
    assert move(world, ada, ends=soon).status_code == 403


def test_after_the_close_of_submissions_nothing_is_moved(world: World, olga: Any, clock: At) -> None:
    clock(ends(world, days=2))
    page = world.browser(olga).get("/organise/phases/").content.decode()
    assert "Submissions are over" in page
    assert "<textarea" not in page
    answer = move(world, olga, phase="evaluation", ends=typed(ends(world, days=90)))
    assert answer.status_code == 400
    from striate.portal.models import Link

    assert not Link.objects.exists()


def test_two_organisers_who_move_at_once_do_not_overrule_each_other_unseen(world: World, olga: Any) -> None:
    assert move(world, olga, ends=typed(ends(world, days=7)), known=0).status_code == 302
    second = move(world, olga, ends=typed(ends(world, days=3)), known=0)
    assert second.status_code == 400
    page = second.content.decode()
    assert f'datetime="{ends(world, days=7).isoformat()}"' in page, "what the other has decided stands there"
    assert "The server was away." in page
    assert 'name="known" value="1"' in page, "whoever has seen that can send it again"
    assert move(world, olga, ends=typed(ends(world, days=3)), known=1).status_code == 302
    assert [entry.number for entry in chain(world)] == [1, 2]


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


ELSEWHERE = """
import sys
import tempfile
from datetime import datetime
from striate.portal import Place
from striate.portal.running.prepare import set_up
set_up(Place.of(sys.argv[1], sys.argv[2]))
from striate.portal.organising.deciding import amend
amend("olga", "live", ends=datetime.fromisoformat(sys.argv[3]), why="The server was away.", known=0)
"""


def test_what_another_process_decides_is_in_force_here_at_once(world: World) -> None:
    from django.db import connection

    from striate.portal.in_force import rules_in_force

    before = rules_in_force().closes
    connection.close()
    command = [
        sys.executable,
        "-c",
        ELSEWHERE,
        world.place.competition,
        world.place.data,
        ends(world, days=7).isoformat(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    assert rules_in_force().closes == ends(world, days=7) != before
    home = world.browser().get("/").content.decode()
    assert f'datetime="{ends(world, days=7).isoformat()}" data-left' in home


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


# ---- teams


def test_a_disqualification_and_its_taking_back_are_notices(world: World, olga: Any) -> None:
    from striate.portal.models import Team

    ada = world.person("ada", team="Ada")
    world.scored(ada, world.file(0.7))
    change(world, olga, ada.team, "two accounts of one person")
    change(world, olga, ada.team, "three accounts of one person")
    since = Team.objects.get(name="Ada").disqualified_at
    assert "three accounts" in world.browser(ada).get("/team/").content.decode()
    change(world, olga, ada.team, "")
    notices = chain(world)[1:]
    assert [(entry.kind, entry.why) for entry in notices if entry.kind != "submission"] == [
        ("disqualification", "two accounts of one person"),
        ("disqualification", "three accounts of one person"),
        ("reinstatement", ""),
    ]
    assert since == notices[0].at, "the date is that of the first"
    assert Team.objects.get(name="Ada").disqualified_at is None


def test_the_name_that_a_notice_has_stays_the_teams(world: World, olga: Any) -> None:
    """Else its members, or others, could come back under a name that the chain does not know, or push it onto somebody else."""
    from striate.portal.models import Team

    ada = world.person("ada", team="Ada")
    change(world, olga, ada.team, "two accounts")
    browser = world.browser(ada)
    assert browser.post("/team/rename/", {"name": "Innocent"}).status_code == 400
    assert browser.post("/team/leave/").status_code == 400
    team = Team.objects.get(name="Ada")
    assert world.browser(olga).post(f"/admin/portal/team/{team.pk}/delete/", {"post": "yes"}).status_code == 403
    both = {"action": "delete_selected", "_selected_action": [team.pk], "post": "yes"}
    world.browser(olga).post("/admin/portal/team/", both)
    assert Team.objects.filter(name="Ada").exists()


def test_teams_that_an_older_version_disqualified_get_their_notices(world: World) -> None:
    from django.utils import timezone

    from striate.portal.models import Link, Team
    from striate.portal.running.prepare import _begin_chain

    world.person("ada", team="Ada")
    Team.objects.filter(name="Ada").update(disqualified_at=timezone.now(), disqualified_for="two accounts")
    _begin_chain()
    _begin_chain()
    (notice,) = chain(world)
    assert (notice.kind, notice.number) == ("disqualification", 1)
    assert Link.objects.get().team.name == "Ada"


def closed(world: World, folder: Path, at: datetime) -> Path:
    """Close with what the portal gives out, as the guide says it."""
    folder.mkdir()
    chain(world)
    shutil.copytree(world.scratch / "downloaded", folder / "public")
    world.submissions(folder / "store")
    vault = Vault.read(world.built.vault, PASSPHRASE)
    close(folder / "public", vault, folder / "store", folder / "results", at=at, release=True)
    return folder / "results"


def test_a_disqualified_team_is_on_no_final_board_and_everybody_reads_why(
    world: World, olga: Any, tmp_path: Path
) -> None:
    from striate.portal.boards.publish import publish

    for name, skill in (("cheat", 0.95), ("ada", 0.6), ("ben", 0.2)):
        world.scored(world.person(name, team=name.title()), world.file(skill))
    from striate.portal.models import Team

    change(world, olga, Team.objects.get(name="Cheat"), "the truth was bought")
    assert move(world, olga, ends=typed(ends(world, days=7)), why="rain").status_code == 302
    with pytest.raises(InputError, match="taken until"):
        closed(world, tmp_path / "early", ends(world, days=1))
    bundle = closed(world, tmp_path / "closed", ends(world, days=8))
    with pytest.raises(InputError, match="taken until"):
        publish(bundle, at=ends(world, days=1))
    results = publish(bundle, at=ends(world, days=8))
    assert results.boards[0].winners == ["Ada"]
    page = world.browser().get("/boards/sensorium-image/final/").content.decode()
    table = page[page.index("<table") : page.index("</table>")]
    assert "Cheat" not in table
    assert "Ada" in table
    assert "left out of the ranking" in page
    assert "the truth was bought" in page
    assert "rain" in page
    assert "know nothing of it" not in page
    told = world.browser().get("/boards/sensorium-image/final.json").json()
    assert [each["team"] for each in told["disqualified"]] == ["Cheat"]
    assert told["moves"][0]["why"] == "rain"
    found = verify(tmp_path / "closed" / "public", results=bundle)
    assert found.ok, [check for check in found.checks if check.ok is False]
    assert sum("to the last digit" in check.detail for check in found.checks) == len(results.boards)

    change(world, olga, Team.objects.get(name="Ben"), "two accounts")  # found out too late
    page = world.browser().get("/boards/sensorium-image/final/").content.decode()
    assert "know nothing of it" in page
    assert "Ada has won" in page
    publish(closed(world, tmp_path / "again", ends(world, days=9)), at=ends(world, days=9))
    page = world.browser().get("/boards/sensorium-image/final/").content.decode()
    assert "know nothing of it" not in page
    assert "Ben" not in page[page.index("<table") : page.index("</table>")]
    change(world, olga, Team.objects.get(name="Ada"), "the winner, too")
    page = world.browser().get("/boards/sensorium-image/final/").content.decode()
    assert "know nothing of it" in page
    assert "has won" not in page


# ---- a chain that was begun before


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
