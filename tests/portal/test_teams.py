"""A team's own page: its progress as a picture and a table, limits, notes; and what a team may change of itself."""

import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.portal.world import PASSWORD, World


def team_page(world: World, user: Any) -> str:
    return str(world.browser(user).get("/team/").content.decode())


def drawing(page: str) -> Any:
    found = re.search(r'<svg class="progress".*?</svg>', page, re.DOTALL)
    assert found
    return ElementTree.fromstring(found[0])


def test_the_picture_shows_scores_the_best_so_far_and_what_limits(world: World) -> None:
    ada, olga = world.person("ada", team="Ada"), world.person("olga", staff=True)
    world.scored(olga, world.file(0.1), team=None, baseline="LN baseline")
    for skill in (0.3, 0.6, 0.5):
        world.scored(ada, world.file(skill))
    page = team_page(world, ada)
    root = drawing(page)
    points = root.findall("circle")
    assert len(points) == 3
    heights = [float(point.get("cy")) for point in points]
    assert heights[1] < heights[2] < heights[0], "higher scores stand higher"
    best = root.find("path[@class='best']").get("d")
    assert best.count("V") == 2
    assert f"V{heights[1]}" in best
    assert not best.endswith(f"V{heights[2]}"), "the best so far does not fall"
    assert len(root.findall("polygon[@class='band']")) == 1
    labels = [text.text for text in root.findall("text[@class='limit']")]
    assert set(labels) == {"LN baseline", "ceiling (image alone)"}
    assert "3 submissions" in root.get("aria-label")
    table = page[page.index("<details>") : page.index("</details>")]
    scores = [f"{s.scores.get().metrics['correlation_to_average']['mean']:.4f}" for s in ada.team.submissions.all()]
    assert all(score in table for score in scores)
    assert "style=" not in page


@pytest.mark.slow
def test_a_name_of_a_file_is_text_in_the_picture(world: World) -> None:
    ada = world.person("ada", team="Ada")
    world.scored(ada, world.file(0.5), filename="<script>alert(1)<script>.parquet")
    page = team_page(world, ada)
    assert "<script>alert" not in page
    title = drawing(page).find("circle/title").text
    assert title.startswith("<script>alert(1)<script>.parquet: 0.")


def test_what_is_left_and_when_the_next_one_is_free(world: World) -> None:
    from django.utils import timezone

    from striate.competition.submit import Board
    from striate.portal.models import Link
    from striate.portal.receiving.limits import left

    ada = world.person("ada", team="Ada")
    board = Board(world.built.rules.track("sensorium"), "image")
    now = timezone.now()
    assert (left(ada.team, board, now).within_a_day, left(ada.team, board, now).in_all) == (3, 5)
    for seed in range(3):
        world.send(ada, world.file(0.5, seed=seed))
    world.work()
    found = left(ada.team, board, timezone.now())
    assert (found.within_a_day, found.in_all) == (0, 2)
    assert found.next_at == Link.objects.get(number=1).at + timedelta(days=1)
    assert left(ada.team, board, found.next_at).within_a_day == 1, "there is no midnight to wait for"
    page = team_page(world, ada)
    assert found.next_at.strftime("%-d %B %Y, %H:%M") in page
    later = found.next_at + timedelta(days=1)
    assert left(ada.team, board, later).within_a_day == 2, "no more within a day than are left in all"


def test_what_failed_by_the_platform_is_not_counted(world: World) -> None:
    from django.utils import timezone

    from striate.competition.submit import Board
    from striate.portal.models import Submission
    from striate.portal.receiving.limits import left

    ada = world.person("ada", team="Ada")
    sent = world.scored(ada, world.file(0.5))
    Submission.objects.filter(pk=sent.pk).update(state="failed")
    assert left(ada.team, Board(world.built.rules.track("sensorium"), "image"), timezone.now()).in_all == 5


def test_a_note_is_kept_from_the_teams_page(world: World) -> None:
    ada = world.person("ada", team="Ada")
    sent = world.scored(ada, world.file(0.5))
    answer = world.browser(ada).post(f"/submissions/{sent.pk}/note/", {"note": "deeper <core>", "back": "team"})
    assert answer.headers["Location"] == "/team/"
    assert "deeper &lt;core&gt;" in team_page(world, ada)


def test_a_revoked_invitation_works_no_longer(world: World) -> None:
    ada, eve = world.person("ada", team="Ada"), world.person("eve")
    old = f"/team/join/{ada.team.invitation}/"
    assert world.browser(eve).get(old).status_code == 200
    world.browser(ada).post("/team/invitation/")
    assert world.browser(eve).post(old).status_code == 404
    assert eve.team is None
    assert world.browser(eve).post(f"/team/join/{ada.team.invitation}/").status_code == 302
    assert eve.team == ada.team


def test_a_team_is_renamed_until_it_has_submitted(world: World) -> None:
    from striate.portal.models import Team

    ada, _ = world.person("ada", team="Ada"), world.person("ben", team="Ben")
    browser = world.browser(ada)
    for taken in ("BEN", "LN baseline", "<b>"):
        browser.post("/team/rename/", {"name": taken})
        assert Team.objects.get(pk=ada.team.pk).name == "Ada"
    browser.post("/team/rename/", {"name": "ADA"})
    assert Team.objects.get(pk=ada.team.pk).name == "ADA", "the own name in another case is free"
    world.send(ada, world.file(0.5))
    assert browser.post("/team/rename/", {"name": "Eve"}).status_code == 400
    assert Team.objects.get(pk=ada.team.pk).name == "ADA"
    assert "/team/rename/" not in team_page(world, ada)


def test_an_address_is_changed_by_the_link_that_is_sent_to_it(world: World) -> None:
    from django.core import mail
    from django.test import override_settings

    from striate.portal.models import User

    ada = world.person("ada")
    browser = world.browser(ada)
    mail.outbox.clear()
    with override_settings(MAIL=True):
        wrong = browser.post("/accounts/address/", {"email": "new@example.org", "password": "wrong"})
        assert wrong.status_code == 200
        assert not mail.outbox
        browser.post("/accounts/address/", {"email": "new@example.org", "password": PASSWORD})
    to_new, to_old = mail.outbox
    assert (to_new.to, to_old.to) == (["new@example.org"], ["ada@example.org"])
    assert "/accounts/address/" not in to_old.body, "the old address gets no link"
    link = re.search(r"http://testserver(/accounts/address/\S+)", to_new.body)
    assert link
    assert world.browser().get(link[1]).status_code == 200
    assert User.objects.get(pk=ada.pk).email == "ada@example.org", "to look at the link changes nothing"
    assert world.browser().post(link[1]).status_code == 302
    changed = User.objects.get(pk=ada.pk)
    assert changed.email == "new@example.org"
    assert changed.verified_at is not None
    assert world.browser().post(link[1]).status_code == 400, "it works once"


def test_an_address_that_somebody_took_meanwhile_stays_theirs(world: World) -> None:
    from django.core import mail
    from django.test import override_settings

    from striate.portal.models import User

    ada = world.person("ada")
    mail.outbox.clear()
    with override_settings(MAIL=True):
        world.browser(ada).post("/accounts/address/", {"email": "eve@example.org", "password": PASSWORD})
    link = re.search(r"http://testserver(/accounts/address/\S+)", mail.outbox[0].body)
    assert link
    world.person("eve")
    assert world.browser().post(link[1]).status_code == 400
    assert User.objects.get(pk=ada.pk).email == "ada@example.org"
    answer = world.browser(ada).post("/accounts/address/", {"email": "EVE@example.org", "password": PASSWORD})
    assert "account with this address" in answer.content.decode()


def test_ones_own_data_are_whole(world: World) -> None:
    import json

    ada = world.person("ada", team="Ada")
    sent = world.scored(ada, world.file(0.5), note="deeper")
    world.api(ada)("PUT", f"submissions/{sent.pk}/card", {"summary": "A core.", "people": ["Ada L."]})
    world.tried(ada, world.file(0.3))
    own = json.loads(world.browser(ada).get("/accounts/export/").content)
    told = own["submissions"][0]
    assert told["note"] == "deeper"
    assert [card["summary"] for card in told["method cards"]] == ["A core."]
    assert [receipt["number"] for receipt in told["receipts"]] == [1]
    assert own["unfinished uploads"][0]["found"]["note"] == "a try"


@pytest.mark.parametrize("spread", [0.0, 1e-9, 5.0])
def test_axes_have_a_few_round_numbers(spread: float) -> None:
    from datetime import UTC, datetime
    from uuid import uuid4

    from striate.portal.boards.progress import Point, Progress, picture

    at = datetime(2026, 1, 1, tzinfo=UTC)
    values = (0.4, 0.4 + spread)
    points = tuple(Point(uuid4(), "x", at + timedelta(days=n), v, None, None, v) for n, v in enumerate(values))
    root = ElementTree.fromstring(str(picture(Progress("board", "FEVE", points, {}))))  # type: ignore[arg-type]
    numbers = [text.text for text in root.findall("text[@text-anchor='end']")]
    assert 2 <= len(numbers) <= 12
    assert len(set(numbers)) == len(numbers)


def test_who_leaves_while_a_file_is_taken_in_has_not_submitted_for_the_team(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the same person would submit for another team next."""
    from striate.errors import InputError
    from striate.portal.models import Submission
    from striate.portal.receiving import store

    ada = world.person("ada", team="Ada")
    world.person("ben", team="Ada")
    real = store.put

    def put(*given: Any) -> None:
        real(*given)
        assert world.browser(ada).post("/team/leave/").status_code == 302

    monkeypatch.setattr(store, "put", put)
    with pytest.raises(InputError, match="not in team Ada any more"):
        world.send(ada, world.file(0.5))
    assert ada.team is None
    assert not Submission.objects.exists()
    assert world.files("submissions", "incoming") == []
