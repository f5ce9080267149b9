"""The portal in another language: every page, whole sentences, and nothing that programs read."""

import re
import shutil
from pathlib import Path
from typing import Any

import polib
import pytest

from tests.portal import test_access
from tests.portal.test_access import TABLE, WHO, Scene
from tests.portal.wording import LOCALE, PORTAL, bare, bare_in_templates
from tests.portal.world import World

GERMAN = {"Accept-Language": "de-CH, de;q=0.8, en;q=0.5"}
CATALOGUE = LOCALE / "de" / "LC_MESSAGES" / "django.po"
scene = test_access.scene

_PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%%|%[sd]|\{\w+\}")
_TAG = re.compile(r"<[^<>]+>")


def entries() -> list[polib.POEntry]:
    found = list(polib.pofile(str(CATALOGUE)))
    assert len(found) > 700
    return found


def pairs() -> list[tuple[str, str]]:
    """What is said, and how it is said in German; plurals one by one."""
    found = []
    for each in entries():
        if each.msgid_plural:
            found += [(each.msgid, each.msgstr_plural[0]), (each.msgid_plural, each.msgstr_plural[1])]
        else:
            found.append((each.msgid, each.msgstr))
    return found


def test_no_template_has_words_that_no_translation_reaches() -> None:
    assert list(bare_in_templates()) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>Some words</p>", ["Some words"]),
        ("\n<p>{{ name }} has won</p>", ["has won"]),
        ('<button aria-label="Close it">×</button>', ["Close it"]),
        ('<p>{% translate "Some words" %} · <code>striate fetch</code> CSV</p>', []),
        ("{% blocktranslate trimmed %}Some <b>words</b>{% endblocktranslate %}", []),
    ],
)
def test_bare_words_are_found(source: str, expected: list[str]) -> None:
    assert [text for _line, text in bare(source)] == expected


def test_all_that_is_said_is_translated() -> None:
    assert [e.msgid for e in entries() if not e.translated() or e.fuzzy or e.obsolete] == []
    assert polib.pofile(str(CATALOGUE)).metadata["Plural-Forms"].startswith("nplurals=2;")


def test_translations_have_the_same_placeholders_and_tags() -> None:
    for said, german in pairs():
        for kind in (_PLACEHOLDER, _TAG):
            assert sorted(kind.findall(said)) == sorted(kind.findall(german)), said


def test_the_compiled_catalogue_is_of_the_written_one() -> None:
    written, compiled = polib.pofile(str(CATALOGUE)), polib.mofile(str(CATALOGUE.with_suffix(".mo")))
    expected = {(e.msgctxt, e.msgid): (e.msgstr, dict(e.msgstr_plural)) for e in written.translated_entries()}
    assert {(e.msgctxt, e.msgid): (e.msgstr, dict(e.msgstr_plural)) for e in compiled} == expected


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("xgettext") is None, reason="gettext is not installed")
def test_nothing_is_said_that_is_not_in_the_catalogue(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.core.management import call_command
    from django.test import override_settings

    copy = tmp_path / "portal"
    shutil.copytree(PORTAL, copy, ignore=shutil.ignore_patterns("__pycache__", "static"))
    monkeypatch.chdir(copy)
    with override_settings(LOCALE_PATHS=[copy / "locale"]):
        call_command("makemessages", locale=["de"], no_wrap=True, add_location="file", no_obsolete=True, verbosity=0)
    again = polib.pofile(str(copy / "locale" / "de" / "LC_MESSAGES" / "django.po"))
    assert {(e.msgctxt, e.msgid) for e in again} == {(e.msgctxt, e.msgid) for e in polib.pofile(str(CATALOGUE))}


def test_a_german_browser_gets_a_german_page(world: World) -> None:
    answer = world.browser().get("/", headers=GERMAN)
    page = answer.content.decode()
    assert answer.headers["Content-Language"] == "de"
    assert {"Accept-Language", "Cookie"} <= set(re.split(r",\s*", answer.headers["Vary"]))
    assert '<html lang="de">' in page
    assert "Ranglisten" in page
    assert '<html lang="en-gb">' in world.browser().get("/", headers={"Accept-Language": "fr"}).content.decode()


def test_moments_are_in_german_and_stay_readable_for_programs(world: World) -> None:
    from datetime import UTC, datetime

    from django.template.loader import render_to_string
    from django.utils.translation import override

    each = {"title": "x", "pk": 1, "starts": datetime(2026, 3, 4, 15, 6, tzinfo=UTC)}
    with override("de"):
        german = render_to_string("portal/announcement.html", {"each": each})
    with override("en-gb"):
        english = render_to_string("portal/announcement.html", {"each": each})
    assert '<time datetime="2026-03-04T15:06:00+00:00">4. März 2026, 15:06 UTC</time>' in german
    assert '<time datetime="2026-03-04T15:06:00+00:00">4 March 2026, 15:06 UTC</time>' in english


@pytest.mark.parametrize("path", ["/nothing-here/", "/?x=%00"])
def test_error_pages_are_in_the_language_of_who_asks(world: World, path: str) -> None:
    browser = world.browser()
    for headers, language in ((GERMAN, "de"), ({}, "en-gb"), (GERMAN, "de")):
        answer = browser.get(path, headers=headers)
        assert answer.status_code in (400, 404)
        assert f'<html lang="{language}">' in answer.content.decode()


def test_the_switch_keeps_the_page_and_is_remembered(world: World) -> None:
    browser = world.browser()
    page = browser.get("/boards/sensorium-image/?sort=team").content.decode()
    form = re.search(r'<form class="languages".*?</form>', page, re.DOTALL)
    assert form is not None
    assert 'name="next" value="/boards/sensorium-image/?sort=team"' in form[0]
    assert 'value="en-gb" lang="en-gb" aria-current="true">English' in form[0]
    assert 'value="de" lang="de">Deutsch' in form[0]
    answer = browser.post("/language/", {"language": "de", "next": "/boards/sensorium-image/?sort=team"})
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/boards/sensorium-image/?sort=team"
    cookie = answer.cookies["django_language"]
    assert (cookie.value, cookie["samesite"], cookie["httponly"]) == ("de", "Lax", True)
    german = browser.get(answer.headers["Location"], headers={"Accept-Language": "en"}).content.decode()
    assert '<html lang="de">' in german
    assert 'value="de" lang="de" aria-current="true">Deutsch' in german


@pytest.mark.parametrize("elsewhere", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)"])
def test_the_switch_leads_nowhere_else(world: World, elsewhere: str) -> None:
    answer = world.browser().post("/language/", {"language": "de", "next": elsewhere})
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/"


def test_other_sites_cannot_switch_the_language(world: World) -> None:
    from django.test import Client

    answer = Client(enforce_csrf_checks=True).post("/language/", {"language": "de", "next": "/"})
    assert answer.status_code == 403
    assert "django_language" not in answer.cookies


def test_a_language_that_there_is_not_changes_nothing(world: World) -> None:
    browser = world.browser()
    browser.post("/language/", {"language": "xx", "next": "/"})
    assert '<html lang="en-gb">' in browser.get("/").content.decode()


@pytest.mark.slow
@pytest.mark.parametrize("who", WHO)
def test_every_page_is_there_in_german(world: World, scene: Scene, who: str) -> None:
    from django.urls import reverse

    from striate.portal.models import User

    people = {"participant": "ada", "other team": "ben", "organiser": "olga"}
    browser = world.browser(User.objects.get(username=people[who]) if who in people else None)
    pages = 0
    for name, case in TABLE.items():
        if case.method != "GET" or name.startswith("api:"):
            continue
        answer = browser.get(case.path(scene) if case.path else reverse(name), headers=GERMAN)
        expected = case.answers[WHO.index(who)]
        assert answer.status_code == (302 if isinstance(expected, str) else expected), name
        text = "" if answer.streaming else answer.content.decode()
        answer.close()
        if text.startswith("<!doctype html>"):
            pages += 1
            assert '<html lang="de">' in text, name
            _numbers_for_programs(text)
    assert pages > 12


def _numbers_for_programs(page: str) -> None:
    """Attributes keep the decimal point; SVG, forms and scripts are of no language."""
    attribute = r'\s(?:value|min|max|step|width|height|datetime|cx|cy|r|x|y|x1|x2|y1|y2)="([^"]*)"'
    values = [value for value in re.findall(attribute, page) if re.fullmatch(r"-?\d+,\d+", value)]
    assert values == []


def test_scores_have_a_comma_on_german_pages_and_a_point_for_programs(world: World, scene: Scene) -> None:
    browser = world.browser()
    path = "/boards/sensorium-image"
    english, german = (browser.get(f"{path}/", headers=h).content.decode() for h in ({}, GERMAN))
    again = browser.get(f"{path}/").content.decode()  # from the cache, where the other language is too
    point, comma = (re.findall(rf"\b\d{mark}\d{{4}}\b", page) for mark, page in ((r"\.", english), (",", german)))
    assert len(point) >= 3
    assert [score.replace(".", ",") for score in point] == comma
    assert re.findall(r"\b\d\.\d{4}\b", again) == point
    for end in (".json", ".csv"):
        answers: list[Any] = [browser.get(f"{path}{end}", headers=headers) for headers in ({}, GERMAN)]
        assert answers[0].content == answers[1].content
        assert answers[0].headers["Content-Type"] == answers[1].headers["Content-Type"]


def test_the_mail_of_a_new_password_is_in_the_language_of_who_asks(world: World, settings_of_mail: None) -> None:
    from django.core import mail

    user = world.person("ada")
    world.browser().post("/accounts/reset/", {"email": user.email}, headers=GERMAN)
    (sent,) = mail.outbox
    assert "ein neues Passwort" in sent.subject
    assert "Passwort für das Konto ada setzen" in sent.body


@pytest.fixture
def settings_of_mail() -> Any:
    from django.core import mail
    from django.test import override_settings

    with override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend"):
        mail.outbox = []
        yield
