"""What programs are told: every error is a problem document, lists come in pages, and limits say how much of them is left."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from tests.portal.world import World


def problem(answer: Any, status: int) -> str:
    """The sentence of a problem document."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = json.loads(answer.content)
    assert told["type"] == "about:blank"
    assert told["status"] == status
    assert told["title"]
    assert 10 < len(told["detail"]) <= 300
    assert told["detail"] != told["title"]
    assert "<" not in told["detail"]
    return str(told["detail"])


def test_every_error_of_the_api_is_a_problem_document(world: World) -> None:
    from django.test import Client

    ada = world.person("ada", team="Ada")
    api, nobody = world.api(ada), world.browser()
    assert "Bearer TOKEN" in problem(nobody.get("/api/v1/submissions"), 401)
    assert nobody.get("/api/v1/submissions").headers["WWW-Authenticate"] == "Bearer"
    problem(api("GET", "nothing"), 404)
    problem(nobody.get("/api/v2/competition"), 404)
    problem(api("GET", "submissions/00000000-0000-0000-0000-000000000000"), 404)
    refused = api("DELETE", "submissions")
    assert "Allow" in problem(refused, 405)
    assert {"GET", "POST"} <= set(refused.headers["Allow"].split(", "))
    problem(api("POST", "uploads", b"{"), 400)
    problem(api("POST", "uploads", {"filename": "x"}), 422)
    problem(api("POST", "uploads", bytes(3 * 2**20)), 413)
    problem(Client().get("/api/v1/competition", HTTP_HOST="evil.example.org"), 400)
    problem(world.api(world.person("bob", admitted=False))("GET", "submissions"), 403)


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (ValueError("/secret/place"), 500),
        (OSError(28, "No space left on device", "/secret/place"), 507),
        (OSError(122, "Disk quota exceeded"), 507),
        ("OperationalError: database or disk is full", 507),
        ("OperationalError: could not extend file: No space left on device", 507),
        ("OperationalError: database is locked", 503),
        (TimeoutError("too slow"), 408),
    ],
)
def test_faults_are_told_apart_to_programs_and_people(
    world: World, monkeypatch: pytest.MonkeyPatch, raised: Any, status: int
) -> None:
    from django.db import OperationalError
    from django.test import Client

    from striate.portal.models import MaintenanceWindow, Snapshot

    def fails(*_: Any, **__: Any) -> None:
        raise OperationalError(raised.partition(": ")[2]) if isinstance(raised, str) else raised

    monkeypatch.setattr(Snapshot.objects, "get_queryset", fails)
    monkeypatch.setattr(MaintenanceWindow, "current", fails)
    client = Client(raise_request_exception=False)
    assert "secret" not in problem(client.get("/api/v1/data/versions"), status)
    page = client.post("/language/")
    assert page.status_code == status
    assert page.headers["Content-Type"].startswith("text/html")
    assert ("disk" in page.content.decode()) == (status == 507)
    asked = client.post("/language/", headers={"Accept": "application/json"})
    problem(asked, status)


def test_a_full_disk_that_only_a_part_reports_is_called_that(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.receiving import uploads

    monkeypatch.setattr(uploads, "room_for", lambda *_: False)
    api = world.api(world.person("ada", team="Ada"))
    about = {"filename": "x", "size": 10, "sha256": "0" * 64}
    assert "disk" in problem(api("POST", "uploads", about), 507)


def test_maintenance_is_a_problem_document_that_says_when_it_ends(world: World) -> None:
    from django.utils import timezone

    from striate.portal.models import MaintenanceWindow

    now = timezone.now()
    window = MaintenanceWindow.objects.create(starts=now, ends=now + timedelta(hours=1))
    api = world.api(world.person("ada", team="Ada"))
    answer = api("POST", "uploads", {})
    assert window.ends.isoformat(timespec="minutes") in problem(answer, 503)
    assert 3000 < int(answer.headers["Retry-After"]) <= 3600


@pytest.mark.slow
def test_lists_come_in_pages(world: World) -> None:
    ada = world.person("ada", team="Ada")
    sent = [str(world.send(ada, world.file(skill)).pk) for skill in (0.1, 0.2, 0.3)]
    api = world.api(ada)
    whole = api("GET", "submissions").json()
    assert whole["count"] == 3
    assert [each["id"] for each in whole["items"]] == sent[::-1]
    pages = [api("GET", f"submissions?limit=2&offset={offset}").json() for offset in (0, 2, 4)]
    assert [[each["id"] for each in page["items"]] for page in pages] == [sent[:0:-1], sent[:1], []]
    assert {page["count"] for page in pages} == {3}
    for wrong in (
        "limit=0",
        "limit=1001",
        "offset=-1",
        f"offset={10**30}",
        f"offset={2**63 - 1}",
        "limit=x",
        "ofset=2",
    ):
        problem(api("GET", f"submissions?{wrong}"), 422)
    assert world.api(world.person("bob"))("GET", "submissions").json() == {"items": [], "count": 0}
    versions = world.browser().get("/api/v1/data/versions?limit=1").json()
    assert versions["count"] == len(versions["items"]) == 1


def test_what_is_limited_says_how_much_is_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.accounts.throttle import UPLOAD

    api = world.api(world.person("ada", team="Ada"))
    with at_most(2, UPLOAD):
        answers = [api("POST", "uploads", {"filename": "x", "size": 9, "sha256": f"{n:064x}"}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["RateLimit-Policy"] for answer in answers] == ['"upload";q=2;w=3600'] * 3
    left = [answer.headers["RateLimit"].split(";") for answer in answers]
    assert [each[1] for each in left] == ["r=1", "r=0", "r=0"]
    assert left[2][2] == f"t={answers[2].headers['Retry-After']}"
    problem(answers[2], 429)


@pytest.mark.slow
def test_a_submission_says_how_many_its_team_has_left_today(world: World) -> None:
    api = world.api(world.person("ada", team="Ada"))
    for number in range(3):
        answer = api.submit(world.file(0.1 * (number + 1)))
        assert answer.status_code == 201
        assert answer.headers["RateLimit-Policy"] == '"submission";q=3;w=86400'
        left, more_in = answer.headers["RateLimit"].removeprefix('"submission";').split(";")
        assert left == f"r={2 - number}"
    assert 86_000 < int(more_in.removeprefix("t=")) <= 86_400
    refused = api.submit(world.file(0.7))
    assert refused.json()["state"] == "refused"
    assert refused.headers["RateLimit"].startswith('"submission";r=0;')


@contextmanager
def at_most(limit: int, throttle: Any) -> Iterator[None]:
    before = throttle.limit
    object.__setattr__(throttle, "limit", limit)
    try:
        yield
    finally:
        object.__setattr__(throttle, "limit", before)


TAKE_TOKENS = (
    "/api/v1/submissions",
    "/api/v1/uploads",
    "/api/v1/data/missing",
    "/metrics",
    "/data/manifest.json",
)


@pytest.mark.slow
@pytest.mark.parametrize("path", TAKE_TOKENS)
def test_wrong_tokens_are_limited_by_address_and_valid_ones_are_not(world: World, path: str) -> None:
    from striate.portal.accounts.throttle import TOKEN

    ada = world.person("ada", team="Ada", staff=True)
    right = world.token(ada)
    browser = world.browser()

    def ask(token: str, address: str) -> Any:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return browser.generic("POST" if "missing" in path else "GET", path, headers=headers, REMOTE_ADDR=address)

    with at_most(3, TOKEN):
        answers = [ask(f"striate_{number}", f"2001:db8:1:2::{number}") for number in range(5)]
        assert [each.status_code for each in answers[3:]] == [429, 429]
        assert {each.status_code for each in answers[:3]} <= {401, 403}
        assert [each.headers["RateLimit-Policy"] for each in answers] == ['"token";q=3;w=900'] * 5
        assert [each.headers["RateLimit"].split(";")[1] for each in answers] == ["r=2", "r=1", "r=0", "r=0", "r=0"]
        assert "wrong tokens" in problem(answers[4], 429)
        assert 0 < int(answers[4].headers["Retry-After"]) <= 900
        assert ask(right, "2001:db8:1:2::9").status_code not in (401, 429), "a valid token is never locked out"
        assert ask("striate_x", "2001:db8:1:3::1").status_code in (401, 403), "another network"
        assert ask("striate_x", "192.0.2.7").status_code in (401, 403)


def test_refused_guesses_write_nothing(world: World) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from striate.portal.accounts.throttle import TOKEN

    browser = world.browser()
    with at_most(1, TOKEN):
        for _ in range(2):
            browser.get("/api/v1/submissions", headers={"Authorization": "Bearer x"})
        with CaptureQueriesContext(
            connection,
        ) as asked:
            browser.get("/api/v1/submissions", headers={"Authorization": "Bearer x"})
    assert {each["sql"].split()[0] for each in asked.captured_queries} == {"SELECT"}


def test_who_shows_no_token_is_not_counted(world: World) -> None:
    answer = world.browser().get("/api/v1/submissions")
    assert answer.status_code == 401
    assert "RateLimit" not in answer.headers


@pytest.mark.slow
def test_the_page_for_people_has_every_call(world: World) -> None:
    page = world.browser().get("/api/").content.decode()
    described = world.browser().get("/api/v1/openapi.json").json()
    for path, calls in described["paths"].items():
        for method, call in calls.items():
            assert f"{method.upper()} {path}" in page
            errors = {status: answer["content"] for status, answer in call["responses"].items() if int(status) >= 400}
            assert all(set(content) == {"application/problem+json"} for content in errors.values())
    assert world.browser().get("/api/", headers={"Accept-Language": "de"}).content.decode() != page


@pytest.mark.parametrize(
    "body", ['{"a":' * 100 + "1" + "}" * 100, "[" * 100_000, '{"size": ' + "9" * 5000 + "}", '"\\ud800"']
)
def test_a_body_beyond_the_limits_of_json_is_a_problem(world: World, body: str) -> None:
    api = world.api(world.person("ada", team="Ada"))
    problem(api("POST", "uploads", body.encode()), 400)
