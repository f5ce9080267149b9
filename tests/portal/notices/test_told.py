"""What the portal announces and refuses by itself: in the language of whoever reads it, with moments as pages show them."""

import re
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any
from xml.etree import ElementTree

import pytest

from striate.errors import InputError
from tests.portal.notices.moves import At, ends, move, typed
from tests.portal.test_languages import GERMAN
from tests.portal.test_organising import change
from tests.portal.world import World

MONTHS = (
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
)
ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d")
OWN = "Phase live ends on 4 May, says whoever wrote this"


def english(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def german(moment: datetime) -> str:
    return f"{moment.day}. {MONTHS[moment.month - 1]} {moment:%Y, %H:%M} UTC"


def words(page: str) -> str:
    """What a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^<>]*>", "", page))


def feed(world: World, **options: Any) -> list[tuple[str, str]]:
    space = {"a": "http://www.w3.org/2005/Atom"}
    root = ElementTree.fromstring(world.browser().get("/announcements.atom", **options).content)
    return [
        (each.findtext("a:title", "", space), each.findtext("a:summary", "", space))
        for each in root.findall("a:entry", space)
    ]


# ---- announcements


def test_an_announcement_is_told_in_the_language_of_whoever_reads_it(world: World, olga: Any) -> None:
    later = ends(world, days=7)
    assert move(world, olga, ends=typed(later), why="The <b>server</b> was *away*.").status_code == 302
    cases = [
        ({}, f"Phase live ends on {english(later)}", "and no longer on", "Reason:"),
        ({"headers": GERMAN}, f"Die Phase live endet am {german(later)}", "und nicht mehr am", "Grund:"),
    ]
    for options, title, no_longer, reason in cases:
        for path in ("/announcements/", "/"):
            page = world.browser().get(path, **options).content.decode()
            article = page[page.index("<article") : page.index("</article>")]
            said = words(article)
            assert title in said, path
            assert no_longer in said
            assert f"{reason} The &lt;b&gt;server&lt;/b&gt; was *away*." in said
            assert not ISO.search(said)
            assert f'<time datetime="{later.isoformat()}">' in article, (
                "the browser makes one of the reader's zone of it"
            )
        banner = world.browser().get("/boards/", **options).content.decode()
        assert title in words(banner[: banner.index("<main")])
        ((feed_title, summary),) = feed(world, **options)
        assert feed_title == title
        assert no_longer in summary
        assert f"{reason} The &lt;b&gt;server" in summary


def test_what_was_moved_again_is_told_no_more_and_the_rest_still_is(world: World, olga: Any) -> None:
    from striate.portal.models import Announcement

    end, over = ends(world, days=7), world.built.rules.phases[1].ends.replace(second=0)
    assert (
        move(world, olga, phase="evaluation", starts=typed(end), ends=typed(over + timedelta(days=3))).status_code
        == 302
    )
    again = over + timedelta(days=5)
    assert move(world, olga, phase="evaluation", ends=typed(again)).status_code == 302
    assert Announcement.shown().count() == 2
    said = words(world.browser().get("/announcements/").content.decode())
    assert f"Phase live ends on {english(end)}" in said
    assert f"Phase evaluation ends on {english(again)}" in said
    assert f"evaluation ends on {english(over + timedelta(days=3))}" not in said
    assert move(world, olga, ends=typed(ends(world, days=8))).status_code == 302
    assert Announcement.shown().count() == 2, "of the first, nothing is so any more"


def test_organisers_find_it_in_their_language_and_can_end_it(world: World, olga: Any) -> None:
    from striate.portal.models import Announcement

    later = ends(world, days=7)
    assert move(world, olga, ends=typed(later)).status_code == 302
    row, browser = Announcement.objects.get(), world.browser(olga)
    listed = browser.get("/admin/portal/announcement/", headers=GERMAN).content.decode()
    assert f"Die Phase live endet am {german(later)}" in listed
    path = f"/admin/portal/announcement/{row.pk}/change/"
    page = browser.get(path).content.decode()
    assert f"Phase live ends on {english(later)}" in page
    assert 'name="title"' not in page
    assert 'name="title"' in browser.get("/admin/portal/announcement/add/").content.decode()
    sent = {"starts_0": f"{row.starts:%Y-%m-%d}", "starts_1": f"{row.starts:%H:%M:%S}", "ends_0": "", "ends_1": ""}
    assert browser.post(path, sent).status_code == 302
    row.refresh_from_db()
    assert (row.banner, row.ends, row.title) == (False, None, "")
    wrong = browser.post("/admin/portal/announcement/add/", {**sent, "title": "", "text": "x"})
    assert "This field is required" in wrong.content.decode()


def test_what_was_announced_before_keeps_its_words_and_ends_as_the_others(world: World, olga: Any) -> None:
    from django.apps import apps

    from striate.portal.models import Announcement, Link

    assert move(world, olga, ends=typed(ends(world, days=5))).status_code == 302
    number = Link.objects.get().number
    said = f"- Phase live ends on X, and no longer on Y.\n\nReason: rain\n\nIt stands in the chain of receipts as number {number}."
    Announcement.objects.update(notice=None, title=OWN, text=said)
    Announcement.objects.create(title=OWN, text="By hand.")
    Announcement.objects.create(title=OWN, text="It stands in the chain of receipts as number 77.")
    import_module("striate.portal.migrations.0011_announced_notices").find_notices(apps, None)
    assert list(Announcement.objects.order_by("pk").values_list("notice", flat=True)) == [number, None, None]
    assert OWN in world.browser().get("/announcements/", headers=GERMAN).content.decode()
    assert "Phase live ends on X" in world.browser().get("/announcements/").content.decode()
    assert move(world, olga, ends=typed(ends(world, days=7))).status_code == 302
    assert Announcement.shown().filter(title=OWN).count() == 2, "those that an organiser wrote stay"


# ---- refusals


def test_what_may_not_be_moved_is_refused_in_the_readers_language_and_what_was_typed_is_kept(
    world: World, olga: Any
) -> None:
    over = world.built.rules.phases[1].ends.replace(second=0)
    typed_in: dict[str, tuple[dict[str, str], str, str]] = {
        "it would end before it begins": ({"ends": typed(over + timedelta(days=1))}, english(over), german(over)),
        "over its neighbour": (
            {"phase": "evaluation", "ends": typed(ends(world, hours=-1))},
            english(ends(world, hours=-1)),
            german(ends(world, hours=-1)),
        ),
    }
    for name, (fields, in_english, in_german) in typed_in.items():
        for options, moment in (({}, in_english), ({"HTTP_ACCEPT_LANGUAGE": "de"}, in_german)):
            browser = world.browser(olga)
            sent = {"phase": "live", "starts": "", "ends": "", "why": "The server was away.", "known": 0} | fields
            answer = browser.post("/organise/phases/", sent, **options)
            page = answer.content.decode()
            assert answer.status_code == 400, name
            (error,) = re.findall(r'<ul class="errorlist nonfield".*?</ul>', page, re.DOTALL)
            assert moment in error, name
            assert not ISO.search(words(page)), name
            assert "not allowed" not in error, "it is said in the reader's language"
            assert "The server was away.</textarea>" in page
            assert f'value="{sent["ends"]}"' in page
            assert f'<option value="{sent["phase"]}" selected>' in page


def test_two_phases_that_would_overlap_are_refused_with_their_moments(world: World) -> None:
    from django.utils.translation import override

    from striate.competition.notices import Timing
    from striate.portal.organising.disorder import refuse_disorder

    rules, at = world.built.rules, world.built.rules.closes - timedelta(minutes=30)
    first, second = rules.phases[:2]
    late, early = second.starts + timedelta(days=1), at - timedelta(hours=1)
    with override("en-gb"):
        with pytest.raises(
            InputError, match=f"would begin on {english(second.starts)}, before .* {english(late)}"
        ) as refused:
            refuse_disorder(rules, [Timing(phase=first.name, starts=first.starts, ends=late)], at)
        assert not ISO.search(str(refused.value))
        with pytest.raises(InputError, match=f"{english(first.ends)} cannot be moved to {english(early)}"):
            refuse_disorder(rules, [Timing(phase=first.name, starts=first.starts, ends=early)], at)
        with pytest.raises(InputError, match=f"taken until {english(rules.closes)}"):
            refuse_disorder(rules, [Timing(phase=second.name, starts=late, ends=second.ends)], rules.closes)
        refuse_disorder(rules, [Timing(phase=second.name, starts=late, ends=second.ends)], at)


@pytest.mark.parametrize("why", ["just ended", "still being checked"])
def test_a_disqualification_that_is_refused_keeps_the_reason_that_was_typed(
    world: World, olga: Any, clock: At, why: str
) -> None:
    from striate.portal.models import Link, Submission, Team

    closes, team = world.built.rules.closes, world.person("ben", team="Ben").team
    if why == "still being checked":
        sent = world.send(world.person("ada", team="Ada"), world.file(0.5))
        Submission.objects.filter(pk=sent.pk).update(received_at=closes - timedelta(seconds=1))
    clock(closes + timedelta(minutes=1 if why == "just ended" else 10))
    answer = change(world, olga, team, 'two accounts, "Ben" & <Bob>')
    assert answer.status_code == 200
    page = answer.content.decode()
    assert why in page
    assert 'value="two accounts, &quot;Ben&quot; &amp; &lt;Bob&gt;"' in page
    assert not ISO.search(words(page[page.index("<main") :]))
    assert not Link.objects.exists()
    assert Team.objects.get(name="Ben").disqualified_for == ""
    if why == "just ended":
        clock(closes + timedelta(minutes=6))
        assert change(world, olga, team, "two accounts").status_code == 302
        assert Link.objects.get().team == team


def test_outside_of_phases_a_page_says_when_submissions_are_taken(world: World, clock: At) -> None:
    ada, closes = world.person("ada", team="Ada"), world.built.rules.closes
    clock(closes + timedelta(days=1))
    with world.file(0.5).open("rb") as file:
        answer = world.browser(ada).post("/submit/", {"file": file}, HTTP_ACCEPT_LANGUAGE="de")
    said = words(answer.content.decode())
    assert german(closes) in said
    assert not ISO.search(said)
