"""Entries: what is public of them, method cards and their versions, and that nothing hostile comes through."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from striate.errors import InputError
from striate.portal.entries.card import MethodCard, read_card
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.portal.world import World, on_a_port

CARD = {
    "summary": "A **deeper** core.",
    "architecture": "# Core\n\n- four layers\n- [paper](https://example.org/paper)",
    "data": {"pretraining": "none", "recordings": "all five", "behaviour": ""},
    "ensemble": 5,
    "parameters": 1234567,
    "hours": 2.5,
    "people": ["Ada L.", "Bea"],
    "code": "https://example.org/code",
}
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](http://example.org)",
    "![x](https://example.org/spy.png)",
    "<a href='https://example.org' onclick='x()'>y</a>",
    "<javascript:alert(1)>",
    "[x](https://example.org \"a' onmouseover='b\")",
    "<svg/onload=alert(1)>",
    "<iframe src=https://example.org></iframe>",
    "<style>body{display:none}</style>",
    "[x]: javascript:alert(1)\n[x]",
    "```<script>\nx\n```",
)


def card_of(world: World, user: Any, sent: Any, **changes: Any) -> Any:
    return world.api(user)("PUT", f"submissions/{sent.pk}/card", {**CARD, **changes})


def page_of(world: World, receipt: int, user: Any = None) -> str:
    return str(world.browser(user).get(f"/entries/{receipt}/").content.decode())


@pytest.mark.slow
def test_what_counts_is_public_and_what_does_not_is_the_teams(world: World) -> None:
    ada, ben, olga = world.person("ada", team="Ada"), world.person("ben", team="Ben"), world.person("olga", staff=True)
    world.scored(ada, world.file(0.5))
    assert world.browser().get("/entries/1/").status_code == 200
    world.scored(ada, world.file(0.3))  # now the last one counts
    assert world.browser().get("/entries/2/").status_code == 200
    for user, status in ((None, 404), (ben, 404), (ada, 200), (olga, 200)):
        assert world.browser(user).get("/entries/1/").status_code == status
    assert "nobody but the team" in page_of(world, 1, ada)
    for receipt in (0, 3, 10**15):
        assert world.browser(olga).get(f"/entries/{receipt}/").status_code == 404


@pytest.mark.slow
def test_a_card_is_shown_and_its_versions_are_kept(world: World) -> None:
    ada = world.person("ada", team="Ada")
    sent = world.scored(ada, world.file(0.5))
    assert "no method card" in page_of(world, 1)
    assert card_of(world, ada, sent).json()["version"] == 1
    assert card_of(world, ada, sent).json()["version"] == 1, "the same again is no new version"
    assert card_of(world, ada, sent, summary="Another.").json()["version"] == 2
    page = page_of(world, 1)
    assert "Another." in page
    assert '<a href="https://example.org/code" rel="nofollow noopener ugc">' in page
    assert '<a href="https://example.org/paper" rel="nofollow noopener ugc">' in page
    assert "<h4>Core</h4>" in page
    assert "Ada L., Bea" in page
    assert "deeper" not in world.browser().get("/entries/1/?version=1").content.decode(), "old versions are the team's"
    assert "<strong>deeper</strong>" in world.browser(ada).get("/entries/1/?version=1").content.decode()
    assert sent.cards.count() == 2
    assert world.api(ada)("GET", f"submissions/{sent.pk}/card").json()["content"]["summary"] == "Another."


def test_a_card_is_written_in_the_browser(world: World) -> None:
    ada, ben = world.person("ada", team="Ada"), world.person("ben", team="Ben")
    sent = world.scored(ada, world.file(0.5))
    address = f"/submissions/{sent.pk}/card/"
    fields = {"summary": "Short.", "people": "Ada\n\n Bea ", "ensemble": "3", "pretraining": "ImageNet", "code": ""}
    assert world.browser(ada).post(address, fields).headers["Location"] == "/entries/1/"
    content = sent.cards.get().content
    assert (content["people"], content["ensemble"], content["data"]["pretraining"]) == (["Ada", "Bea"], 3, "ImageNet")
    form = world.browser(ada).get(address).content.decode()
    assert "Ada\nBea" in form
    wrong = world.browser(ada).post(address, {**fields, "code": "javascript:alert(1)", "ensemble": "0"})
    assert "begins with https://" in wrong.content.decode()
    assert world.browser(ben).post(address, fields).status_code == 404
    assert sent.cards.count() == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_is_harmless(world: World, text: str) -> None:
    from striate.portal.markdown import rendered

    html = str(rendered(f"before {text}\n\n{text}\n\n# {text}", below=3, of_strangers=True))
    for tag in re.findall(r"<[^>]*>", html):
        assert re.fullmatch(
            r'</?(p|br|hr|em|strong|code|h4|ul|li)( /)?>|<pre tabindex="0">|</pre>|'
            r'<a( href="https://example\.org[^" ]*")? rel="nofollow noopener ugc">|</a>',
            tag,
        ), tag


def test_a_hostile_card_is_harmless_on_its_page(world: World) -> None:
    ada = world.person("ada", team="Ada")
    sent = world.scored(ada, world.file(0.5))
    everything = "\n\n".join(HOSTILE)
    done = card_of(world, ada, sent, summary=everything, architecture=everything, people=["<b>x</b>"], hardware="<i>")
    assert done.status_code == 200, done.content
    page = page_of(world, 1)
    main = page[page.index("<main") :]
    for tag in re.findall(r"<[^>]*>", main):
        assert not re.search(
            r"<(script|img|iframe|style|svg|b|i)\b|\son\w+\s*=|javascript:|data:text", tag, re.IGNORECASE
        ), tag


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"code": "javascript:alert(1)"}, "begins with https://"),
        ({"code": "http://example.org"}, "begins with https://"),
        ({"weights": "https://user:password@example.org/"}, "begins with https://"),
        ({"weights": "https://"}, "begins with https://"),
        ({"weights": "https://[broken"}, "begins with https://"),
        ({"code": 'https://example.org/" onclick='}, "begins with https://"),
        ({"summary": ""}, "at least 1"),
        ({"summary": "x" * 2001}, "at most 2000"),
        ({"summary": "a\x00b"}, "cannot be seen"),
        ({"hardware": "\u202egnp.exe"}, "cannot be seen"),
        ({"people": ["x"] * 51}, "at most 50"),
        ({"ensemble": 0}, "greater than or equal"),
        ({"hours": 1e999}, "finite"),
        ({"score": 1.0}, "Extra inputs"),
        ({"data": {"test responses": "yes"}}, "Extra inputs"),
    ],
)
def test_what_is_no_card_is_refused(world: World, changes: dict[str, Any], said: str) -> None:
    ada = world.person("ada", team="Ada")
    sent = world.scored(ada, world.file(0.5))
    answer = card_of(world, ada, sent, **changes)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not sent.cards.exists()


def test_cards_are_written_by_the_team_alone(world: World) -> None:
    ada, ben, olga = world.person("ada", team="Ada"), world.person("ben", team="Ben"), world.person("olga", staff=True)
    sent = world.scored(ada, world.file(0.5))
    assert card_of(world, ben, sent).status_code == 404
    assert card_of(world, olga, sent).status_code == 404, "an organiser writes no team's words"
    baseline = world.scored(olga, world.file(0.1), team=None, baseline="LN baseline")
    assert card_of(world, olga, baseline).status_code == 200
    assert card_of(world, ada, baseline).status_code == 404
    assert "A <strong>deeper</strong> core" in page_of(world, 2)


def test_a_version_is_never_changed(world: World) -> None:
    from striate.portal.models.unchanging import UnchangingError

    ada = world.person("ada", team="Ada")
    sent = world.scored(ada, world.file(0.5))
    card_of(world, ada, sent)
    card = sent.cards.get()
    for change in (card.save, card.delete, lambda: type(card).objects.update(version=9)):
        with pytest.raises(UnchangingError):
            change()


TOML = """
summary = "A deeper core."
people = ["Ada"]
ensemble = 5

[data]
pretraining = "none"
"""


def test_the_command_sends_the_card(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.models import Card

    monkeypatch.setenv("STRIATE_SETTINGS", str(tmp_path / "settings"))
    ada = world.person("ada", team="Ada")
    (tmp_path / "token").write_text(world.token(ada))
    (tmp_path / "card.toml").write_text(TOML)
    (tmp_path / "wrong.toml").write_text(TOML.replace("ensemble", "ensembel"))
    with on_a_port() as address:
        send = ("submit", world.file(0.5), "--to", address, "--token-file", tmp_path / "token", "--no-wait", "--card")
        assert_one_sentence(
            run_in_process(*send, tmp_path / "wrong.toml"), "no key 'ensembel'", "did you mean 'ensemble'"
        )
        done = run_in_process(*send, tmp_path / "card.toml")
    assert done.status == 0, done.err
    assert Card.objects.get().content["ensemble"] == 5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff", "not text in UTF-8"),
        (b"x" * 2**18, "larger than any"),
        (b"summary = ", "not valid TOML"),
        (b"summary = 1", "summary"),
        (b"", "summary"),
    ],
)
def test_a_broken_file_gives_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "card.toml").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_card(tmp_path / "card.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read_card(tmp_path / "none.toml")


def test_a_card_survives_json() -> None:
    card = MethodCard.model_validate(CARD)
    assert MethodCard.model_validate_json(json.dumps(card.model_dump(mode="json"))) == card
