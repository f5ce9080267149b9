"""Accounts, teams and tokens."""

import json
import re
from typing import Any

import pytest

from tests.portal.world import PASSWORD, World


def sign_up(world: World, name: str = "ada", **changes: str) -> tuple[Any, Any]:
    browser = world.browser()
    fields = {
        "username": name,
        "name": name.title(),
        "email": f"{name}@example.org",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    return browser, browser.post("/accounts/sign-up/", fields | changes)


def test_an_organiser_approves_where_no_mail_is_sent(world: World) -> None:
    from striate.portal.models import User

    browser, answer = sign_up(world)
    assert answer.status_code == 302
    assert "organiser must approve" in browser.get("/accounts/").content.decode()
    olga = world.browser(world.person("olga", staff=True))
    ada = User.objects.get(username="ada")
    olga.post("/admin/portal/user/", {"action": "approve", "_selected_action": [ada.pk]})
    assert browser.get("/team/").status_code == 200


def test_a_verified_address_admits_where_mail_is_sent(world: World) -> None:
    from django.core import mail
    from django.test import override_settings

    with override_settings(MAIL=True):
        browser, answer = sign_up(world)
        assert "Look into your mail" in answer.content.decode()
        browser.post("/accounts/sign-in/", {"username": "ada", "password": PASSWORD})
        assert browser.get("/team/").status_code == 403
        link = re.search(r"http://testserver(/accounts/verify/\S+)", mail.outbox[-1].body)
        assert link
        assert browser.get(link[1][:-3] + "x/").status_code == 400
        assert browser.get(link[1]).status_code == 200
        assert browser.get("/team/").status_code == 403  # programs that scan mail follow links, too
        assert browser.post(link[1]).status_code == 302
        assert browser.get("/team/").status_code == 200
        assert browser.get(link[1]).status_code == 302


def test_no_mail_holds_what_strangers_wrote(world: World) -> None:
    """Anybody can enter the address of somebody else, and would send links in the portal's name."""
    from django.core import mail
    from django.test import override_settings

    with override_settings(MAIL=True):
        written = {"username": "www.evil.example", "name": "Win at https://evil.example"}
        sign_up(world, email="ben@example.org", **written)
        sign_up(world, "eve", email="BEN@example.org")
        browser = world.browser()
        browser.post("/accounts/reset/", {"email": "ben@example.org"})
        browser.post("/accounts/sign-in/", {"username": "www.evil.example", "password": PASSWORD})
        browser.post("/accounts/address/", {"email": "cleo@example.org", "password": PASSWORD})
    assert [mail.to for mail in mail.outbox] == [
        [f"{name}@example.org"] for name in ("ben", "ben", "ben", "cleo", "ben")
    ]
    assert not [each.body for each in mail.outbox if "evil" in each.subject + each.body]


def test_a_forgotten_user_name_stands_in_the_mail_of_an_admitted_account(world: World) -> None:
    from django.core import mail

    from striate.portal.competition import competition

    world.person("ada")
    world.browser().post("/accounts/reset/", {"email": "ada@example.org"}, headers={"host": "localhost"})
    assert "account ada:" in mail.outbox[-1].body
    assert mail.outbox[-1].subject == f"{competition().rules.title}: a new password"


def test_one_mailbox_has_one_account_however_its_domain_is_written(world: World) -> None:
    sign_up(world, email="ada@bücher.example")
    _, answer = sign_up(world, "eve", email="ada@xn--bcher-kva.example")
    assert "account with this address" in answer.content.decode()


def test_whose_account_has_an_address_is_told_to_that_address_alone(world: World) -> None:
    from django.core import mail
    from django.test import override_settings

    ada = world.person("ada")
    world.person("ben")
    answers = []
    with override_settings(MAIL=True):
        for name in ("nobody", "BEN"):
            asked = {"email": f"{name}@example.org", "password": PASSWORD}
            answer = world.browser(ada).post("/accounts/address/", asked, follow=True)
            answers.append([str(each).replace(name, "") for each in answer.context["messages"]])
    assert answers[0] == answers[1] == ["A link was sent to @example.org: it counts once you follow it."]
    assert [each.to for each in mail.outbox] == [[f"{name}@example.org"] for name in ("nobody", "ada", "ben", "ada")]
    assert "has an account already" in mail.outbox[2].body
    assert "/accounts/address/" not in mail.outbox[2].body


@pytest.mark.slow
def test_another_password_ends_a_pending_change_of_the_address(world: World) -> None:
    """Who knew the old password asked for it, and the mail to the old address advises to change the password."""
    from django.core import mail
    from django.test import override_settings

    ada = world.person("ada")
    with override_settings(MAIL=True):
        world.browser(ada).post("/accounts/address/", {"email": "eve@example.org", "password": PASSWORD})
    link = re.search(r"http://testserver(/accounts/address/\S+)", mail.outbox[0].body)
    assert link
    assert world.browser().get(link[1]).status_code == 200
    new = {"new_password1": "another long password", "new_password2": "another long password"}
    answer = world.browser(ada).post("/accounts/password/", {"old_password": PASSWORD, **new}, follow=True)
    assert "other browsers are signed out" in answer.content.decode()
    assert world.browser().get(link[1]).status_code == 400
    assert world.browser().post(link[1]).status_code == 400
    ada.refresh_from_db()
    assert ada.email == "ada@example.org"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"email": "ADA@example.org"}, "account with this address"),
        ({"username": "ADA"}, "name already"),
        ({"email": "nonsense"}, "valid email"),
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password1": "1234567890", "password2": "1234567890"}, "too common"),
    ],
)
def test_a_second_account_of_a_person_or_a_weak_password_is_refused(
    world: World, changes: dict[str, str], said: str
) -> None:
    from striate.portal.models import User

    sign_up(world)
    _, answer = sign_up(world, "eve", **changes)
    assert answer.status_code == 200
    assert said in answer.content.decode().replace("&#x27;", "'")
    assert User.objects.count() == 1


@pytest.mark.slow
def test_passwords_are_not_guessed_for_long(world: World) -> None:
    world.person("ada")
    for _ in range(10):
        answer = world.browser().post("/accounts/sign-in/", {"username": "ada", "password": "wrong"})
        assert "too often" not in answer.content.decode()
    answer = world.browser().post("/accounts/sign-in/", {"username": "ada", "password": PASSWORD})
    assert "tried too often" in answer.content.decode()


def test_signing_in_leads_to_no_other_site(world: World) -> None:
    world.person("ada")
    fields = {"username": "ada", "password": PASSWORD}
    assert world.browser().post("/accounts/sign-in/?next=/data/", fields).headers["Location"] == "/data/"
    assert (
        world.browser().post("/accounts/sign-in/?next=https://evil.example/", fields).headers["Location"]
        == "/accounts/"
    )


def test_a_password_is_reset_by_mail_once(world: World) -> None:
    from django.core import mail

    token = world.token(world.person("ada"))
    browser = world.browser()
    browser.post("/accounts/reset/", {"email": "ada@example.org"})
    link = re.search(r"http://testserver(/accounts/reset/\S+)", mail.outbox[-1].body)
    assert link
    page = browser.get(link[1], follow=True)
    new = {"new_password1": "another long password", "new_password2": "another long password"}
    assert (
        "All tokens of the account were revoked"
        in browser.post(page.redirect_chain[-1][0], new, follow=True).content.decode()
    )
    ask = {"headers": {"Authorization": f"Bearer {token}"}}
    assert world.browser().get("/api/v1/submissions", **ask).status_code == 401  # perhaps somebody else made it
    assert world.browser().login(username="ada", password="another long password")
    assert "too old" in world.browser().get(link[1], follow=True).content.decode()


def test_a_token_is_shown_once_and_kept_as_a_hash(world: World) -> None:
    from striate.portal.models import Token

    ada = world.person("ada", team="Ada")
    browser = world.browser(ada)
    page = browser.post("/accounts/tokens/", {"name": "laptop"})
    text = re.search(r"striate_[\w-]{40,}", page.content.decode())
    assert text
    assert page.headers["Cache-Control"] == "no-store"
    assert text[0] not in browser.get("/accounts/").content.decode()
    kept = Token.objects.values().get()
    assert text[0] not in json.dumps(kept, default=str)
    ask = {"headers": {"Authorization": f"Bearer {text[0]}"}}
    assert world.browser().get("/api/v1/submissions", **ask).status_code == 200
    browser.post(f"/accounts/tokens/{kept['id']}/revoke/")
    assert world.browser().get("/api/v1/submissions", **ask).status_code == 401


def test_the_last_use_of_tokens_is_written_down_together_where_many_are_used(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from striate.portal.models import Token, last_use, people

    monkeypatch.setattr(last_use, "_EVERY", 10**6)  # in this test, it is written when the test says so
    used = last_use.LastUse()
    monkeypatch.setattr(people, "last_use", used)
    used.beside()
    texts = [world.token(world.person(name)) for name in ("ada", "ben", "cleo")]
    world.token(world.person("dora"))
    for text in texts * 2:
        assert Token.owner(text) is not None
    assert not Token.objects.exclude(used_at=None).exists()
    with CaptureQueriesContext(connection) as written:
        used.write()
    assert len(written) == 1
    assert set(Token.objects.exclude(used_at=None).values_list("user__username", flat=True)) == {"ada", "ben", "cleo"}
    with CaptureQueriesContext(connection) as written:
        used.write()
    assert not len(written), "nothing is left to be written"


def test_nobody_revokes_the_token_of_another(world: World) -> None:
    from striate.portal.models import Token

    token, _ = Token.make(world.person("ada"), "laptop")
    world.browser(world.person("eve")).post(f"/accounts/tokens/{token.pk}/revoke/")
    assert Token.objects.get().revoked_at is None


def test_a_person_is_in_one_team_and_stays_once_it_has_submitted(world: World) -> None:
    from striate.portal.models import Team

    ada, ben = world.person("ada", team="Ada"), world.person("ben", team="Ben")
    browser = world.browser(ben)
    invitation = f"/team/join/{ada.team.invitation}/"
    assert browser.post(invitation).status_code == 400
    assert browser.post("/team/leave/").status_code == 302
    assert not Team.objects.filter(name="Ben").exists(), "an empty team is nobody's"
    assert browser.post(invitation).status_code == 302
    assert ben.team == ada.team
    world.send(ada, world.file(0.5))
    assert browser.post("/team/leave/").status_code == 400
    assert ben.team == ada.team


@pytest.mark.parametrize("name", ["ADA", "LN baseline", "ln BASELINE", "=HYPERLINK(1)", "<b>x</b>", "x" * 61, ""])
def test_names_of_teams_fit_the_receipts_and_differ(world: World, name: str) -> None:
    from striate.portal.models import Team

    world.person("ada", team="Ada")
    assert world.browser(world.person("eve")).post("/team/", {"name": name}).status_code == 200
    assert Team.objects.count() == 1


def test_one_gets_all_that_is_known_about_oneself(world: World) -> None:
    ada = world.person("ada", team="Ada")
    sent = world.scored(ada, world.file(0.5))
    world.token(ada)
    own = json.loads(world.browser(ada).get("/accounts/export/").content)
    assert own["account"]["email"] == "ada@example.org"
    assert own["team"]["name"] == "Ada"
    assert [each["sha256"] for each in own["submissions"]] == [sent.sha256]
    assert own["tokens"][0]["name"] == "test"
    assert PASSWORD not in json.dumps(own)


def test_a_deleted_account_leaves_nothing_personal_and_its_submissions_to_the_team(world: World) -> None:
    from striate.portal.hosting.dataset import terms_digest
    from striate.portal.models import Acceptance, Submission, Token, User

    ada = world.person("ada", team="Ada")
    sent = world.scored(ada, world.file(0.5))
    world.token(ada)
    browser = world.browser(ada)
    browser.post("/data/accept/", {"terms": terms_digest()})
    assert browser.post("/accounts/delete/", {"password": "wrong"}).status_code == 200
    assert User.objects.get(pk=ada.pk).is_active
    assert browser.post("/accounts/delete/", {"password": PASSWORD}).status_code == 302
    left = User.objects.values().get(pk=ada.pk)
    assert "ada" not in json.dumps(left, default=str).replace('"date', "")
    assert not Token.objects.exists()
    assert Acceptance.objects.get().user_id == ada.pk
    kept = Submission.objects.get(pk=sent.pk)
    assert (kept.by, kept.row, kept.state) == (None, "Ada", "scored")
    assert not world.browser().login(username="ada", password=PASSWORD)


@pytest.mark.slow
@pytest.mark.parametrize(("proxies", "refused"), [(["127.0.0.1"], False), ([], True)])
def test_behind_a_proxy_limits_count_people_and_not_the_proxy(
    world: World, monkeypatch: pytest.MonkeyPatch, proxies: list[str], refused: bool
) -> None:
    from dataclasses import replace

    from django.test import override_settings

    from striate.portal.accounts import guesses

    monkeypatch.setattr(guesses, "SIGN_IN_ADDRESS", replace(guesses.SIGN_IN_ADDRESS, limit=10))
    with override_settings(PROXIES=proxies):
        for number in range(11):
            wrong = {"username": f"somebody{number}", "password": "wrong"}
            headers = {"X-Forwarded-For": f"1.2.3.4, 10.0.0.{number}"}
            answer = world.browser().post("/accounts/sign-in/", wrong, headers=headers)
        assert ("too often" in answer.content.decode()) is refused


@pytest.mark.slow
def test_the_history_of_the_admin_forgets_the_name_of_a_deleted_account(world: World) -> None:
    from django.contrib.admin.models import CHANGE, LogEntry

    from striate.portal.models import Team

    olga, ada = world.person("olga", staff=True), world.person("ada", team="Ada")
    adas = world.person("adas", team="Adas")
    for row, said in (
        (ada, "[]"),
        (ada.membership, "[]"),
        (ada.team, [{"added": {"name": "membership", "object": str(ada.membership)}}]),
        (adas.team, [{"added": {"name": "membership", "object": str(adas.membership)}}]),
    ):
        LogEntry.objects.log_actions(olga.pk, [row], CHANGE, change_message=said)
    assert world.browser(ada).post("/accounts/delete/", {"password": PASSWORD}).status_code == 302
    left = [(entry.object_repr, entry.get_change_message()) for entry in LogEntry.objects.order_by("pk")]
    gone = f"deleted-{ada.pk}"
    assert left == [
        (gone, "No fields changed."),
        (f"{gone} in Ada", "No fields changed."),
        ("Ada", f"Added membership “{gone} in Ada”."),
        ("Adas", "Added membership “adas in Adas”."),
    ]
    assert not Team.objects.filter(name="Ada").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("there", "new"),
    [
        ("Müller Lab", "MÜLLER LAB"),
        ("Müller Lab", "M\u00fcller L\u0430b"),
        ("Ada", "\uff21da"),
        ("Team 1", "Team I"),
        ("Нина", "НИНА"),
    ],
)
def test_a_team_whose_name_would_be_taken_for_another_is_refused(world: World, there: str, new: str) -> None:
    from django.db import IntegrityError, transaction

    from striate.portal.models import Team

    world.person("ada", team=there)
    answer = world.browser(world.person("eve")).post("/team/", {"name": new})
    assert "looks like it" in answer.content.decode()
    with pytest.raises(IntegrityError), transaction.atomic():
        Team.objects.create(name=new)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["noise ceiling", "Noise-Ceiling", "0racle", "The Organisers", "\u0430dmin"])
def test_names_of_rows_and_roles_are_nobodys(world: World, name: str) -> None:
    from striate.portal.models import Team, User

    answer = world.browser(world.person("eve")).post("/team/", {"name": name})
    assert "choose another name" in answer.content.decode()
    assert not Team.objects.exists()
    sign_up(world, "".join(name.split()), email="eva@example.org")
    assert User.objects.count() == 1


def test_a_name_in_decomposed_form_is_taken_as_its_usual_form(world: World) -> None:
    eve = world.person("eve")
    assert world.browser(eve).post("/team/", {"name": "Cafe\u0301 Lab"}).status_code == 302
    assert eve.team.name == "Caf\u00e9 Lab"
    assert world.browser(eve).post("/team/rename/", {"name": "CAFE\u0301 LAB"}).status_code == 302
    assert eve.team.name == "CAF\u00c9 LAB"


def test_an_organiser_gives_nobody_the_name_or_address_of_another(world: World) -> None:
    from striate.portal.models import User

    olga, ada = world.person("olga", staff=True), world.person("ada")
    for changes in ({"username": "0lga"}, {"email": "OLGA@example.org"}):
        fields = {"username": "ada", "name": "Ada", "email": "ada@example.org", "is_active": "on"} | changes
        answer = world.browser(olga).post(f"/admin/portal/user/{ada.pk}/change/", fields)
        assert answer.status_code == 200
        assert "choose another" in answer.content.decode()
    assert User.objects.get(pk=ada.pk).email == "ada@example.org"


def test_own_data_take_as_few_queries_for_many_submissions_as_for_few(world: World) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from striate.portal.accounts.own_data import exported

    ada = world.person("ada", team="Ada")
    counts = []
    for skill in (0.3, 0.5, 0.7):
        world.scored(ada, world.file(skill))
        with CaptureQueriesContext(connection) as asked:
            found = exported(ada)
        counts.append(len(asked))
    assert len(found["submissions"]) == 3
    assert all(each["receipts"][0]["kind"] == "submission" for each in found["submissions"])
    assert len(set(counts)) == 1
