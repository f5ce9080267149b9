"""Phases that organisers move while the competition runs: binding at once, and everybody reads why."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.portal.notices.moves import At, chain, ends, move, typed
from tests.portal.world import World


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
    told = world.browser().get("/api/v1/competition").json()
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
    assert entry.account is not None
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
