"""Teams that organisers disqualify: on no board, under the name that the notice has, and binding for the close."""

from pathlib import Path
from typing import Any

import pytest

from striate.competition import verify
from striate.errors import InputError
from tests.portal.notices.moves import chain, closed, ends, move, typed
from tests.portal.test_organising import change
from tests.portal.world import World


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_team_that_is_disqualified_cannot_choose_any_more(world: World) -> None:
    """As `striate competition receipt` has it, too."""
    from striate.portal.models import Link
    from striate.portal.organising.deciding import judge
    from striate.portal.receiving.choosing import choose

    ada = world.person("ada", team="Ada")
    sent = world.scored(ada, world.file(0.5))
    page = f"/submissions/{sent.pk}/"
    assert f"{page}choose/" in world.browser(ada).get(page).content.decode()
    team = ada.team
    team.disqualified_for = "It had two accounts."
    judge(team)
    team.save()
    with pytest.raises(InputError, match=r"Ada was disqualified \(It had two accounts\.\): it cannot choose"):
        choose(sent)
    assert f"{page}choose/" not in world.browser(ada).get(page).content.decode()
    assert not Link.objects.filter(kind="choice").exists()
