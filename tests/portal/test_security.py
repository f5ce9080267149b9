"""What every answer carries, what is tried too often, and what would take over an account or tell who has one."""

import re
import threading
from typing import Any

import pytest

from tests.portal.test_access import TABLE, Scene, scene
from tests.portal.test_limits import at_once
from tests.portal.world import PASSWORD, World

__all__ = ["scene"]


def test_every_answer_carries_what_protects_the_reader(world: World, scene: Scene) -> None:
    from django.urls import reverse

    from striate.portal.models import User

    browser = world.browser(User.objects.get(username="ada"))
    wrong = []
    for name, case in TABLE.items():
        if case.method != "GET":
            continue
        answer = browser.get(case.path(scene) if case.path else reverse(name))
        heads = answer.headers
        if "'none'" not in heads["Content-Security-Policy"] or "unsafe" in heads["Content-Security-Policy"]:
            wrong.append((name, "policy"))
        for head, value in {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
        }.items():
            if heads.get(head) != value:
                wrong.append((name, head))
        if "geolocation=()" not in heads["Permissions-Policy"]:
            wrong.append((name, "permissions"))
        if "no-store" not in heads.get("Cache-Control", "") and "private" not in heads.get("Cache-Control", ""):
            wrong.append((name, heads.get("Cache-Control")))
        answer.close()
    assert not wrong


def test_cookies_are_read_by_no_script_and_sent_to_no_other_site(world: World) -> None:
    from django.conf import settings

    world.person("ada")
    browser = world.browser()
    browser.get("/accounts/sign-in/")
    browser.post("/accounts/sign-in/", {"username": "ada", "password": PASSWORD})
    assert {"sessionid", "csrftoken"} <= set(browser.cookies)
    for name in ("sessionid", "csrftoken"):
        assert browser.cookies[name]["httponly"]
        assert browser.cookies[name]["samesite"] == "Lax"
    assert settings.SESSION_COOKIE_SECURE == settings.CSRF_COOKIE_SECURE == settings.ENCRYPTED


def test_a_session_is_new_after_signing_in_and_ends_with_the_password(world: World) -> None:
    world.person("ada")
    browser, other = world.browser(), world.browser()
    browser.cookies["sessionid"] = "a" * 32  # what an attacker would have planted
    browser.post("/accounts/sign-in/", {"username": "ada", "password": PASSWORD})
    assert browser.cookies["sessionid"].value != "a" * 32
    other.post("/accounts/sign-in/", {"username": "ada", "password": PASSWORD})
    assert other.get("/accounts/").status_code == 200
    new = {"old_password": PASSWORD, "new_password1": "another long one", "new_password2": "another long one"}
    assert browser.post("/accounts/password/", new).status_code == 302
    assert browser.get("/accounts/").status_code == 200
    assert other.get("/accounts/").status_code == 302, "elsewhere one has to sign in again"


@pytest.mark.parametrize(
    "place",
    [
        "//evil.example",
        "https:evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "https://testserver.evil.example/",
    ],
)
def test_signing_in_leads_nowhere_else(world: World, place: str) -> None:
    world.person("ada")
    fields = {"username": "ada", "password": PASSWORD, "next": place}
    answer = world.browser().post("/accounts/sign-in/", fields, query_params={"next": place})
    assert answer.headers["Location"] == "/accounts/"


def test_another_host_is_refused_and_gets_into_no_mail(world: World) -> None:
    from django.core import mail

    world.person("ada")
    answer = world.browser().get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "evil.example" not in answer.content.decode()
    world.browser().post("/accounts/reset/", {"email": "ada@example.org"}, headers={"Host": "evil.example"})
    assert not mail.outbox
    forwarded = {"X-Forwarded-Host": "evil.example"}
    world.browser().post("/accounts/reset/", {"email": "ada@example.org"}, headers=forwarded)
    assert "evil.example" not in mail.outbox[-1].body


def test_a_token_in_an_address_is_no_token(world: World, scene: Scene) -> None:
    from striate.portal.models import User

    token = world.token(User.objects.get(username="ada"))
    for path in ("/api/v1/submissions", "/api/v1/keys", "/data/manifest.json"):
        assert world.browser().get(path, query_params={"token": token, "access_token": token}).status_code == 401


def test_what_was_sent_is_given_back_as_a_file_and_never_shown(world: World, scene: Scene) -> None:
    from striate.portal.models import User

    answer = world.browser(User.objects.get(username="ada")).get(f"/submissions/{scene.submission.pk}/file/")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    answer.close()


def tried(answer: Any) -> bool:
    """Whether it was let try; a refusal is one sentence, with the time to wait."""
    if answer.status_code != 429:
        return True
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600
    assert "tried too often" in answer.content.decode()
    return False


def signing_in(world: World, number: int) -> Any:
    return world.browser().post(
        "/accounts/sign-in/",
        {"username": ["ada", "ADA", "\uff41da"][number % 3], "password": "wrong"},
        REMOTE_ADDR=f"2001:db8::{number + 1:x}",  # one subscriber's
    )


def guessing(world: World, number: int) -> Any:
    return world.browser().post("/accounts/sign-in/", {"username": f"name{number}", "password": "wrong"})


def resetting(world: World, number: int) -> Any:
    return world.browser().post("/accounts/reset/", {"email": f"name{number}@example.org"})


def signing_up(world: World, number: int) -> Any:
    fields = {
        "username": f"new{number}",
        "email": f"new{number}@example.org",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    return world.browser().post("/accounts/sign-up/", fields)


def uploading(world: World, number: int) -> Any:
    from striate.portal.models import User

    ada = User.objects.get(username="ada")
    return world.api(ada)("POST", "uploads", {"filename": "x", "size": 10, "sha256": f"{number:064x}"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "name", "limit"),
    [
        (signing_in, "SIGN_IN", 10),
        (guessing, "SIGN_IN_ADDRESS", 10),
        (resetting, "LINK_ADDRESS", 5),
        (signing_up, "SIGN_UP", 4),
        (uploading, "UPLOAD", 4),
    ],
)
def test_what_is_tried_too_often_is_answered_429_also_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, what: Any, name: str, limit: int
) -> None:
    from django.db import connections

    from striate.portal.accounts import throttle
    from striate.portal.receiving import crowd

    monkeypatch.setattr(crowd, "_places", threading.BoundedSemaphore(50))  # who finds no place does not try
    chosen = getattr(throttle, name)
    whole = chosen.limit
    object.__setattr__(chosen, "limit", limit)
    world.person("ada", team="Ada")
    passed: list[bool] = []
    lock = threading.Lock()

    def one(number: int) -> None:
        try:
            through = tried(what(world, number))
        finally:
            connections.close_all()
        with lock:
            passed.append(through)

    try:
        outcomes = at_once([lambda n=number: one(n) for number in range(limit + 6)])
        assert not [each for each in outcomes if isinstance(each, Exception)], outcomes
        assert 1 <= sum(passed) <= limit
        for number in range(limit):
            one(100 + number)
        assert sum(passed) == limit, "what was refused does not count, and what is allowed is let through"
    finally:
        object.__setattr__(chosen, "limit", whole)


@pytest.mark.slow
def test_who_signs_in_is_not_locked_out_by_that(world: World) -> None:
    world.person("ada")
    for _ in range(15):
        answer = world.browser().post("/accounts/sign-in/", {"username": "ada", "password": PASSWORD})
        assert answer.status_code == 302


def without_tokens(page: bytes) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page.decode())


def test_nobody_learns_who_has_an_account(world: World) -> None:
    from django.core import mail
    from django.test import override_settings

    world.person("ada")
    with override_settings(MAIL=True):
        pages = []
        for address in ("ada@example.org", "new@example.org"):
            mail.outbox.clear()
            fields = {"username": "eve", "email": address, "password1": PASSWORD, "password2": PASSWORD}
            browser = world.browser()
            answer = browser.post("/accounts/sign-up/", fields)
            pages.append((answer.status_code, without_tokens(answer.content).replace(address, "ADDRESS")))
            assert [each.to for each in mail.outbox] == [[address]]
            assert browser.get("/accounts/").status_code == 302, "nobody is signed in by that"
        assert pages[0] == pages[1]
        assert "you have an account" not in pages[0][1]
    answers = [world.browser().post("/accounts/reset/", {"email": f"{who}@example.org"}) for who in ("ada", "nobody")]
    assert len({(each.status_code, each.headers["Location"]) for each in answers}) == 1
    wrong = [
        world.browser().post("/accounts/sign-in/", {"username": who, "password": "wrong"}).content
        for who in ("ada", "nob")
    ]
    assert without_tokens(wrong[0]).replace("ada", "nob") == without_tokens(wrong[1])


def test_organisers_sign_in_where_everybody_does(world: World) -> None:
    ada = world.person("ada")
    answer = world.browser().get("/admin/login/?next=/admin/portal/user/")
    assert answer.headers["Location"] == "/accounts/sign-in/?next=/admin/portal/user/"
    assert world.browser(ada).get("/admin/", follow=True).status_code == 403
    assert world.browser(ada).post("/admin/login/", {"username": "olga", "password": "guess"}).status_code == 403


def sign_in(browser: Any, password: str, address: str, name: str = "ada") -> int:
    answer = browser.post("/accounts/sign-in/", {"username": name, "password": password}, REMOTE_ADDR=address)
    return int(answer.status_code)


@pytest.mark.slow
def test_nobody_locks_the_owner_of_an_account_out(world: World) -> None:
    world.person("ada")
    for number in range(70):
        sign_in(world.browser(), "wrong", f"10.0.{number % 60}.1")
    assert sign_in(world.browser(), PASSWORD, "10.9.9.9") == 302, "the right password works while others guess"


def test_an_account_that_is_attacked_from_everywhere_gives_each_address_few_attempts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from striate.portal.accounts import guesses

    monkeypatch.setattr(guesses, "SIGN_IN_ACCOUNT", replace(guesses.SIGN_IN_ACCOUNT, limit=5))
    world.person("ada")
    for number in range(5):
        assert sign_in(world.browser(), "wrong", f"10.0.0.{number}") == 200
    assert [sign_in(world.browser(), "wrong", "10.1.0.1") for _ in range(4)] == [200, 200, 200, 429]
    assert sign_in(world.browser(), PASSWORD, "10.2.0.1") == 302


@pytest.mark.slow
def test_a_known_device_is_not_slowed_by_guesses_from_its_own_address(world: World) -> None:
    world.person("ada")
    browser = world.browser()
    assert sign_in(browser, PASSWORD, "10.0.0.1") == 302
    cookie = browser.cookies["known_device"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    browser.post("/accounts/sign-out/")
    for _ in range(11):
        sign_in(world.browser(), "wrong", "10.0.0.1")
    assert sign_in(world.browser(), PASSWORD, "10.0.0.1") == 429
    forged = world.browser()
    forged.cookies["known_device"] = cookie.value[:-3] + "abc"
    assert sign_in(forged, PASSWORD, "10.0.0.1") == 429
    assert sign_in(browser, PASSWORD, "10.0.0.1") == 302
    browser.post("/accounts/sign-out/")
    assert [sign_in(browser, "wrong", "10.0.0.1") for _ in range(11)][-1] == 429, "it has a limit of its own"
    other = world.browser()
    other.cookies["known_device"] = cookie.value
    world.person("ben")
    for _ in range(11):
        sign_in(world.browser(), "wrong", "10.0.0.1", "ben")
    assert sign_in(other, PASSWORD, "10.0.0.1", "ben") == 429, "it is known for the account that signed in"


@pytest.mark.slow
def test_a_class_behind_one_address_signs_up_and_in(world: World) -> None:
    for number in range(40):
        assert signing_up(world, number).status_code == 302
    for number in range(40):
        assert [sign_in(world.browser(), each, "10.0.0.1", f"new{number}") for each in ("wrong", PASSWORD)] == [
            200,
            302,
        ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "fields", "field"),
    [
        (
            "/accounts/password/",
            {"new_password1": "another long one", "new_password2": "another long one"},
            "old_password",
        ),
        ("/accounts/delete/", {}, "password"),
        ("/accounts/address/", {"email": "new@example.org"}, "password"),
    ],
)
def test_who_found_a_session_guesses_the_password_a_few_times_only(
    world: World, path: str, fields: dict[str, str], field: str
) -> None:
    ada = world.person("ada")
    thief = world.browser(ada)
    answers = [thief.post(path, fields | {field: "wrong"}, REMOTE_ADDR="10.0.0.1").status_code for _ in range(11)]
    assert answers == [200] * 10 + [429]
    assert thief.post(path, fields | {field: PASSWORD}, REMOTE_ADDR="10.0.0.1").status_code == 429
    assert world.browser(ada).post(path, fields | {field: PASSWORD}, REMOTE_ADDR="10.0.0.2").status_code == 302


def test_nobody_keeps_the_owner_from_a_link(world: World) -> None:
    from django.core import mail

    world.person("ada")
    for number in range(12):
        reset = {"email": "ADA@example.org"}
        assert world.browser().post("/accounts/reset/", reset, REMOTE_ADDR=f"10.0.{number}.1").status_code == 302
    assert len(mail.outbox) == 10, "nor fills a mailbox"
    answer = world.browser().post("/accounts/reset/", {"email": "ada@example.org"}, REMOTE_ADDR="10.9.9.9")
    assert answer.status_code == 302, "one of the links that were sent works"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "", True),
    ],
)
def test_a_network_address_is_that_of_one_subscriber(one: str, other: str, same: bool) -> None:
    from django.test import RequestFactory

    from striate.portal.accounts.throttle import address_of

    first, second = (address_of(RequestFactory().get("/", REMOTE_ADDR=each)) for each in (one, other))
    assert (first == second) is same


@pytest.mark.parametrize("told", ["ten", "0/1h", "10/2d", "10/25h", "-1/1h", "10 / 1h", "10/1h/1h"])
def test_a_limit_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    from striate.errors import InputError
    from striate.portal.rates import rate

    monkeypatch.setenv("STRIATE_PORTAL_LIMIT_SIGN_UP", told)
    with pytest.raises(InputError, match=r"STRIATE_PORTAL_LIMIT_SIGN_UP is .*100/1h"):
        rate("sign-up")


def test_a_limit_is_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from striate.portal.rates import rate

    monkeypatch.setenv("STRIATE_PORTAL_LIMIT_SIGN_UP", "40/2h")
    assert rate("sign-up") == (40, timedelta(hours=2))
