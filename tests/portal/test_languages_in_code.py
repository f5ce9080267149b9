"""What the portal's own code says is said in the reader's language; what it writes down is not."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from striate.errors import InputError
from striate.metrics.evaluate import METRICS
from striate.submissions.scorecard import LABELS, NORMALISED_METRICS
from tests.portal.wording_in_code import ENGLISH, PORTAL, bare, bare_in_code
from tests.portal.world import World

LATE = "The file was not read within %(seconds)d seconds: it is no ordinary submission."
# A catalogue of the test's own, so that whoever writes German better breaks no test.
GERMAN = {
    "Somebody has this name already, or one that looks like it: choose another.": "Den Namen gibt es.",
    "Say what the token is for.": "Wofür ist das Token?",
    "queued": "in der Reihe",
    "%(title)s: verify your address": "%(title)s: bestätigen",
    "team": "Mannschaft",
    "maintenance window": "Wartung",
    LATE: "Nicht in %(seconds)d Sekunden gelesen.",
    "trial": "Durchgang",
}
SCRIPTS = sorted(file for file in (PORTAL / "static" / "portal").rglob("*.js") if not file.name.startswith("htmx"))


@pytest.fixture
def german(world: World, tmp_path: Path) -> Iterator[None]:
    """The portal knows these words in German."""
    import polib
    from django.test import override_settings
    from django.utils import translation

    catalogue = polib.POFile()
    catalogue.metadata = {"Content-Type": "text/plain; charset=utf-8", "Plural-Forms": "nplurals=2; plural=(n != 1);"}
    catalogue.extend(polib.POEntry(msgid=said, msgstr=meant) for said, meant in GERMAN.items())
    (tmp_path / "de" / "LC_MESSAGES").mkdir(parents=True)
    catalogue.save_as_mofile(str(tmp_path / "de" / "LC_MESSAGES" / "django.mo"))
    with override_settings(LOCALE_PATHS=[tmp_path]):
        yield
        translation.deactivate()


def reader(user: Any = None) -> Any:
    """A browser whose reader wants German."""
    from django.test import Client

    client = Client(headers={"accept-language": "de"})
    if user is not None:
        client.force_login(user)
    return client


def test_nothing_is_said_past_the_catalogue() -> None:
    assert list(bare_in_code()) == []


@pytest.mark.parametrize(
    "source",
    [
        'messages.error(request, "There is none.")',
        'raise InputError(f"There is no {name}.")',
        'raise Http404(_(f"There is no {name}."))',
        'raise InputError(_("There is no " + name))',
        'why = "Too late." if late else _("Too early.")',
        'form.add_error("name", "There is a team of this name.")',
        'file = forms.FileField(label="File")',
        'class State(models.TextChoices):\n    DONE = "done", "is done"',
        'admin.site.site_header = "Organisers"',
        'why = "You are in " + team',
    ],
)
def test_what_is_said_past_the_catalogue_would_be_found(source: str) -> None:
    assert list(bare(source))


def test_what_stays_english_is_there_and_has_a_reason() -> None:
    for name, why in ENGLISH.items():
        assert (PORTAL / name).is_file(), f"{name} is no more: take it out of the list"
        assert why


@pytest.mark.usefixtures("portal")
def test_the_admin_has_words_for_every_table_and_column() -> None:
    from django.contrib import admin
    from django.utils.functional import Promise

    bare_names = []
    for model, page in admin.site._registry.items():
        shown = {*page.list_display, *page.readonly_fields}
        fields = [each for each in model._meta.local_concrete_fields if each.editable or each.name in shown]
        named = {f"{model.__name__}.{each.name}": each.verbose_name for each in fields if not each.auto_created}
        named |= {model.__name__: model._meta.verbose_name, f"{model.__name__}s": model._meta.verbose_name_plural}
        bare_names += [name for name, said in named.items() if not isinstance(said, Promise)]
    assert bare_names == []


@pytest.mark.usefixtures("portal")
def test_metrics_are_called_as_everywhere() -> None:
    from django.utils.translation import override

    from striate.portal.boards.metric_names import metric_name, shown_metrics

    assert shown_metrics() == (*METRICS, *NORMALISED_METRICS)
    with override("en-gb"):
        assert {name: metric_name(name) for name in shown_metrics()} == {name: LABELS[name] for name in shown_metrics()}


@pytest.mark.slow
@pytest.mark.usefixtures("german")
def test_a_form_a_message_a_state_and_a_mail_are_in_the_readers_language(world: World) -> None:
    from django.core import mail
    from django.test import override_settings

    from striate.portal.models import State

    ada = world.person("ada", team="Ada")
    queued = world.api(ada).submit(world.file(0.5)).json()
    assert queued["state"] == State.QUEUED
    secret = "a long and dull password"
    new = {"username": "ADA", "name": "", "email": "b@example.org", "password1": secret, "password2": secret}
    assert "Den Namen gibt es." in reader().post("/accounts/sign-up/", new).content.decode()
    answer = reader(ada).post("/accounts/tokens/", {"name": ""}, follow=True)
    assert "Wofür ist das Token?" in answer.content.decode()
    assert "in der Reihe" in reader(ada).get(f"/submissions/{queued['id']}/").content.decode()
    with override_settings(MAIL=True):
        reader().post("/accounts/sign-up/", {**new, "username": "bob"})
    assert mail.outbox[-1].subject.endswith(": bestätigen")
    assert "Somebody has this name" in world.browser().post("/accounts/sign-up/", new).content.decode()


@pytest.mark.usefixtures("german")
def test_the_words_of_the_pictures_are_in_the_readers_language() -> None:
    from django.utils.translation import override

    from striate.portal.looking.words import words

    benchmark = {"grey": True, "standardised": True, "variables": {"behavior": ["running speed", "licking"]}}
    with override("de"):
        said = words({"benchmark": benchmark})
    assert said["trial"] == "Durchgang"
    assert said["behavior.running speed"] == "Laufgeschwindigkeit (Rohwerte)"
    assert said["behavior.licking"] == "licking (Rohwerte)", "what nobody has translated stays as the benchmark has it"


@pytest.mark.usefixtures("german")
def test_why_a_file_was_refused_is_not_kept_in_the_language_of_whoever_waits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.utils.translation import gettext, override

    from striate.portal.models import Submission, Transition
    from striate.portal.receiving import checking

    @contextmanager
    def late(*_: object) -> Iterator[NoReturn]:
        raise InputError(gettext(LATE) % {"seconds": 9})
        yield

    monkeypatch.setattr(checking, "decoded", late)
    ada = world.person("ada", team="Ada")
    sent = world.send(ada, world.file(0.5))
    with override("de"):
        assert gettext(LATE) != LATE
        world.work()
    kept = Submission.objects.get(pk=sent.pk)
    assert (kept.state, kept.reason) == ("refused", LATE % {"seconds": 9})
    assert Transition.objects.filter(submission=kept, after="refused").get().reason == kept.reason


@pytest.mark.usefixtures("german")
def test_the_audit_log_is_in_one_language(world: World) -> None:
    from striate.portal.models import AuditEntry

    olga = world.person("olga", staff=True)
    window = {"starts_0": "01.01.2030", "starts_1": "10:00", "ends_0": "01.01.2030", "ends_1": "11:00", "message": "x"}
    browser = reader(olga)
    assert browser.post("/admin/portal/maintenancewindow/add/", window).status_code == 302
    assert "Wartung" in browser.get("/admin/portal/maintenancewindow/").content.decode()
    entry = AuditEntry.objects.get(what="add maintenance window")
    assert entry.about.startswith("maintenance window ")


@pytest.mark.usefixtures("german")
@pytest.mark.parametrize("language", ["en-gb", "de"])
def test_words_of_another_language_change_no_table(language: str) -> None:
    from django.core.management import call_command
    from django.utils.translation import override

    with override(language):
        call_command("makemigrations", "portal", check=True, dry_run=True, verbosity=0)


@pytest.mark.usefixtures("portal")
def test_every_word_that_a_script_asks_for_is_handed_to_it() -> None:
    from striate.portal.looking.words import words

    sources = {file.name: file.read_text() for file in SCRIPTS}
    known = words({"benchmark": {"grey": True, "standardised": True, "variables": {}}})
    asked = {(name, word) for name, source in sources.items() for word in re.findall(r'\btext\("(\w+)"', source)}
    assert asked
    assert {each for each in asked if each[1] not in known} == set()
    assert [
        name for name, source in sources.items() if re.search(r"toLocale\w*String\((?!document\.|locale\(\))", source)
    ] == []


def test_scripts_say_nothing_of_their_own() -> None:
    said = re.compile(
        r'(?:textContent|\.title|innerText|"aria-\w+",|append\(|alert\()\s*(?:=|\()?\s*"[^"]*[A-Za-z]{3,}'
    )
    assert said.search('button.textContent = "Dismiss";')
    assert [file.name for file in SCRIPTS if said.search(file.read_text())] == []


@pytest.mark.usefixtures("portal")
def test_counts_are_grouped_as_the_readers_language_groups_them() -> None:
    from django.utils.translation import override

    from striate.portal.words import grouped

    for language, written in (("en-gb", "12,345"), ("de", "12.345")):
        with override(language):
            assert grouped(12345) == written
