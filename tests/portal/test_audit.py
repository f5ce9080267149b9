"""The audit log: what organisers do is in it, secrets are not, and nobody changes it unseen."""

from typing import Any

import pytest

from striate.errors import InputError
from tests.portal.world import PASSWORD, World


def entries() -> list[Any]:
    from striate.portal.models import AuditEntry

    return list(AuditEntry.objects.order_by("number"))


def whole() -> int:
    from striate.portal.organising.audit import verified

    return sum(1 for _ in verified())


def test_an_entry_says_who_what_where_and_what_was_before(world: World) -> None:
    from striate.portal.models import User

    olga, ada = world.person("olga", staff=True), world.person("ada", admitted=False)
    browser = world.browser(olga)
    answer = browser.post(
        "/admin/portal/user/", {"action": "approve", "_selected_action": [ada.pk]}, REMOTE_ADDR="10.1.2.3"
    )
    assert answer.status_code == 302
    assert User.objects.get(pk=ada.pk).admitted
    (entry,) = [each for each in entries() if each.what == "change user"]
    told = (entry.who, entry.account, entry.origin, entry.about)
    assert told == (f"user {olga.pk}", olga.pk, "10.1.2.3", f"user {ada.pk}")
    assert entry.before == {"approved_at": None}
    assert entry.after["approved_at"].startswith("20")
    assert whole() == len(entries())


def test_what_the_admin_changes_is_in_it_and_no_secret_is(world: World) -> None:
    from striate.portal.models import User

    olga, ada = world.person("olga", staff=True), world.person("ada", team="Ada")
    browser = world.browser(olga)
    changed = {
        "username": "ada", "name": "Ada L", "email": "new@example.org", "approved_at_0": "", "approved_at_1": "",
        "is_active": "on",
    }  # fmt: skip
    assert browser.post(f"/admin/portal/user/{ada.pk}/change/", changed).status_code == 302
    passwords = {"usable_password": "true", "password1": "another dull password", "password2": "another dull password"}
    assert browser.post(f"/admin/portal/user/{ada.pk}/password/", passwords).status_code == 302
    window = {"starts_0": "2030-01-01", "starts_1": "10:00", "ends_0": "2030-01-01", "ends_1": "11:00", "message": "x"}
    assert browser.post("/admin/portal/maintenancewindow/add/", window).status_code == 302
    (window_,) = [each for each in entries() if each.what == "add maintenance window"]
    number = window_.about.split()[-1]
    assert browser.post(f"/admin/portal/maintenancewindow/{number}/delete/", {"post": "yes"}).status_code == 302
    sign_in, *rest = entries()
    assert sign_in.what == "sign in"
    whats = [each.what for each in rest]
    assert whats == ["change user", "change user", "add maintenance window", "remove maintenance window"]
    first = rest[0]
    assert first.before["name"] == first.after["name"] == "not written here"
    assert first.after["email"] == "not written here"
    assert rest[1].after == {"password": "not written here"}
    hashes = User.objects.get(pk=ada.pk).password
    written = " ".join(str(each.body) for each in entries())
    for secret in (hashes, "another dull password", "new@example.org", "ada@example.org", "Ada L"):
        assert secret not in written
    assert whole() == len(whats) + 1


def test_signing_in_as_an_organiser_and_tokens_are_in_it(world: World) -> None:
    olga, ada = world.person("olga", staff=True), world.person("ada", team="Ada")
    for name, password in (("olga", "wrong"), ("olga", PASSWORD), ("ada", "wrong"), ("ada", PASSWORD)):
        browser = world.browser()
        browser.post("/accounts/sign-in/", {"username": name, "password": password})
    told = [(each.what, each.who) for each in entries()]
    assert told == [("fail to sign in", "anonymous"), ("sign in", f"user {olga.pk}")]
    made = browser.post("/accounts/tokens/", {"name": "laptop"})
    text = made.content.decode()
    browser.post(f"/accounts/tokens/{ada.tokens.get().pk}/revoke/")
    browser.post(f"/accounts/tokens/{ada.tokens.get().pk}/revoke/")  # a second time changes nothing
    assert [each.what for each in entries()[2:]] == ["make token", "revoke token"]
    secret = text[text.index("striate_") :][:40]
    assert secret not in " ".join(str(each.body) for each in entries())
    assert olga.pk in {each.account for each in entries()}


@pytest.mark.slow
@pytest.mark.parametrize("terms", [True, False], ids=["who accepted terms", "who did not"])
def test_the_name_of_an_organiser_goes_with_the_account(world: World, terms: bool) -> None:
    from striate.portal.models import Acceptance
    from striate.portal.running.prepare import new_account

    root, olga = world.person("root", staff=True), world.person("olga", team="Olga and friends", staff=True)
    if terms:
        Acceptance.objects.create(user=olga, sha256="0" * 64, terms="terms")
    browser, admin = world.browser(olga), world.browser(root)
    browser.post("/accounts/tokens/", {"name": "the laptop of olga"})
    browser.post(f"/accounts/tokens/{olga.tokens.get().pk}/revoke/")
    window = {"starts_0": "2030-01-01", "starts_1": "10:00", "ends_0": "2030-01-01", "ends_1": "11:00", "message": "x"}
    browser.post("/admin/portal/maintenancewindow/add/", window)
    browser.post("/data/1/withdraw/", {"reason": "Wrong.", "name": "sensorium-2022-v1"})
    new_account("olga2", "olga2@example.org", "Team of olga2")
    admin.post(f"/admin/portal/team/{olga.team.pk}/delete/", {"post": "yes"})
    assert 'person">olga<' in admin.get("/admin/portal/auditentry/").content.decode(), "while there is an account"
    found = admin.get("/admin/portal/auditentry/?q=olga").content.decode()
    assert 'class="field-number' in found
    number = next(each.number for each in entries() if each.what == "make token")
    assert "olga" in admin.get(f"/admin/portal/auditentry/{number}/change/").content.decode()
    marks = {"username": "olga", "name": "Olga", "email": "olga@example.org", "is_active": "on"}
    assert admin.post(f"/admin/portal/user/{olga.pk}/change/", marks).status_code == 302
    admin.post("/admin/portal/user/", {"action": "anonymise", "_selected_action": [olga.pk]})
    admin.get("/admin/")  # which shows what was said of these changes
    listed = admin.get("/admin/portal/auditentry/").content.decode()
    assert listed.count(f'person">deleted-{olga.pk}<') >= 5
    found = admin.get("/admin/portal/auditentry/?q=olga").content.decode()
    assert 'class="field-number' not in found
    pages = [admin.get(f"/admin/portal/auditentry/{each.number}/change/").content.decode() for each in entries()]
    written = [str(each.body) for each in entries()]
    for text in (listed, *pages, *written):
        assert "olga" not in text.lower()
    assert whole() == len(written)


def test_an_entry_is_undone_with_its_change(world: World) -> None:
    from django.db import transaction

    from striate.portal.organising import audit

    audit.note("somebody", "begin")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        audit.note("somebody", "try")
        raise ZeroDivisionError
    audit.note("somebody", "go on")
    assert [(each.number, each.what) for each in entries()] == [(1, "begin"), (2, "go on")]
    assert whole() == 2


def test_neither_django_nor_the_database_changes_what_is_written_once(world: World) -> None:
    from django.db import DatabaseError, connection, transaction

    from striate.portal.models import AuditEntry
    from striate.portal.models.unchanging import UnchangingError
    from striate.portal.organising import audit

    entry = audit.note("somebody", "do")
    world.scored(world.person("ada", team="Ada"), world.file(0.5))
    for change in (entry.save, entry.delete, AuditEntry.objects.all().delete):
        with pytest.raises(UnchangingError):
            change()
    with pytest.raises(UnchangingError):
        AuditEntry.objects.update(who="nobody")
    for table, column in (("auditentry", "who"), ("score", "scorer"), ("link", "body"), ("transition", "reason")):
        for statement in (f"UPDATE portal_{table} SET {column} = 'x'", f"DELETE FROM portal_{table}"):
            with (
                pytest.raises(DatabaseError, match="written once"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(statement)


@pytest.mark.parametrize("harm", ["DELETE", "last", "UPDATE"])
def test_who_comes_past_the_triggers_is_noticed(world: World, harm: str) -> None:
    from django.db import connection

    from striate.portal.models import triggers
    from striate.portal.organising import audit

    for what in ("one", "two", "three"):
        audit.note("somebody", what)
    assert whole() == 3
    triggers.lift()
    statement = {
        "DELETE": "DELETE FROM portal_auditentry WHERE number = 2",
        "last": "DELETE FROM portal_auditentry WHERE number = 3",
        "UPDATE": "UPDATE portal_auditentry SET who = 'nobody' WHERE number = 2",
    }[harm]
    with connection.cursor() as cursor:
        cursor.execute(statement)
    triggers.protect()
    with pytest.raises(InputError, match="audit log"):
        whole()


def test_values_come_back_as_they_were_digested(world: World) -> None:
    from datetime import UTC, datetime

    from striate.portal.organising import audit

    audit.note(
        "somebody",
        "try values",
        before={"float": 0.1 + 0.2, "nan": float("nan"), "large": 2**62, "zero": "a\x00b", "deep": {"token": "secret"}},
        after={"at": datetime(2026, 1, 1, tzinfo=UTC), "list": [1, "é", None, True], "bytes": b"123"},
    )
    assert whole() == 1
    assert entries()[0].before["deep"] == {"token": "not written here"}


def test_entries_from_many_threads_make_one_chain(world: World) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connection

    from striate.portal.organising import audit

    def write(number: int) -> None:
        try:
            audit.note("somebody", f"write {number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert whole() == 40
