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
        "/accounts/sign-in/", {"username": "ada", "password": "wrong"}, REMOTE_ADDR=f"10.0.0.{number}"
    )


def guessing(world: World, number: int) -> Any:
    return world.browser().post("/accounts/sign-in/", {"username": f"name{number}", "password": "wrong"})


def resetting(world: World, number: int) -> Any:
    return world.browser().post("/accounts/reset/", {"email": "ada@example.org"}, REMOTE_ADDR=f"10.0.0.{number}")


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


@pytest.mark.parametrize(
    ("what", "name", "limit"),
    [
        (signing_in, "SIGN_IN", 10),
        (guessing, "SIGN_IN", 10),
        (resetting, "RESET", 5),
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
