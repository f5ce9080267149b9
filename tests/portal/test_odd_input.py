"""Whatever is typed into forms and addresses: refused or cleaned, and never a fault of the portal."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate._internal.text_cleaning import clean_line
from tests.portal.world import World

ODD = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "\0",
            "a\0b",
            "\u202eevil\u202c",
            "\u2066x\u2069",
            "x" * 5000,
            "\ud800",
            "'; DROP TABLE x; --",
            "<script>",
            "=1+1",
            "\r\nX: y",
        ]
    ),
    st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zs"]), max_size=10),
)
FEW = settings(
    max_examples=15, deadline=None, suppress_health_check=list(HealthCheck)
)  # the portal is the same for all of them
TURNS = ("\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069")


def sendable(text: str) -> str:
    """As a browser sends it: UTF-8 has no surrogates."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


@given(text=ODD)
def test_what_is_kept_can_be_seen(text: str) -> None:
    kept = clean_line(text)
    assert kept == clean_line(kept)
    assert not set(kept) & {*TURNS, "\0", "\n", "\r"}
    kept.encode()


@pytest.mark.slow
@FEW
@given(text=ODD, other=ODD)
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/accounts/sign-up/", ("username", "name", "email", "password1", "password2")),
        ("/accounts/sign-in/", ("username", "password")),
        ("/accounts/reset/", ("email",)),
        ("/accounts/delete/", ("password",)),
        ("/accounts/tokens/", ("name",)),
        ("/accounts/password/", ("old_password", "new_password1")),
        ("/team/", ("name",)),
        ("/data/accept/", ("terms",)),
        ("/submit/", ("note", "board", "baseline", "file")),
    ],
)
def test_forms_take_odd_text(world: World, path: str, fields: tuple[str, ...], text: str, other: str) -> None:
    from striate.portal.accounts.throttle import Attempt
    from striate.portal.models import Team, Token, User

    Attempt.objects.all().delete()
    Team.objects.all().delete()
    me = User.objects.filter(username="me").first() or world.person("me")
    inside = path not in ("/accounts/sign-up/", "/accounts/sign-in/", "/accounts/reset/")
    sent = {field: sendable(text if n % 2 == 0 else other) for n, field in enumerate(fields)}
    answer = world.browser(me if inside else None).post(path, sent)
    assert answer.status_code < 500, (path, sent)
    names = [*Team.objects.values_list("name", flat=True), *Token.objects.values_list("name", flat=True)]
    for name in [*names, *User.objects.values_list("name", flat=True)]:
        assert name == clean_line(name)


@pytest.mark.slow
@FEW
@given(text=ODD)
def test_notes_are_cleaned_wherever_they_come_from(world: World, text: str) -> None:
    from striate.portal.models import Submission, User

    ada = User.objects.filter(username="ada").first() or world.person("ada", team="Ada")
    sent = Submission.objects.first() or world.send(ada, world.file(0.5))
    answer = world.browser(ada).post(f"/submissions/{sent.pk}/note/", {"note": sendable(text)})
    assert answer.status_code < 500
    note = Submission.objects.get(pk=sent.pk).note
    assert note == clean_line(note)
    about = {"filename": text or "x", "size": 10, "sha256": "0" * 64}
    # half a character is no JSON, whatever it stands for
    allowed = (400,) if any("\ud800" <= letter <= "\udfff" for letter in text) else (200, 422, 429)
    assert world.api(ada)("POST", "uploads", about).status_code in allowed


@pytest.mark.slow
@FEW
@given(text=ODD)
@pytest.mark.parametrize(
    "address",
    [
        "/boards/sensorium-image/?team={}&sort={}",
        "/boards/sensorium-image.csv?team={}",
        "/boards/sensorium-image.json?sort={}",
        "/boards/{}/",
        "/accounts/sign-in/?next={}",
        "/accounts/verify/{}/",
        "/accounts/reset/{}/{}/",
        "/team/join/{}/",
        "/data/{}/files/{}",
        "/submissions/{}/",
        "/api/v1/submissions/{}",
        "/admin/portal/user/?q={}",
        "/{}",
    ],
)
def test_addresses_take_odd_text(world: World, address: str, text: str) -> None:
    from urllib.parse import quote

    from striate.portal.models import User

    olga = User.objects.filter(username="olga").first() or world.person("olga", staff=True)
    path = address.replace("{}", quote(text.encode("utf-8", "surrogatepass"), safe=""))
    for who in (None, olga):
        assert world.browser(who).get(path).status_code < 500, path


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a":' * 3000, b'"\\ud800"', b"1e999"])
@pytest.mark.parametrize("path", ["uploads", "submissions"])
def test_the_api_refuses_what_is_no_json_that_it_knows(world: World, path: str, body: bytes) -> None:
    from django.test import Client

    token = world.token(world.person("ada", team="Ada"))
    headers = {"Authorization": f"Bearer {token}"}
    answer = Client().post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)
    assert answer.status_code in (400, 422)
    assert isinstance(json.loads(answer.content)["detail"], str)


def test_what_is_too_large_is_answered_413(world: World) -> None:
    from django.test import Client

    ada = world.person("ada", team="Ada")
    headers = {"Authorization": f"Bearer {world.token(ada)}"}
    large = b'{"filename": "' + b"x" * 3_000_000 + b'"}'
    answer = Client().post("/api/v1/uploads", large, content_type="application/json", headers=headers)
    assert answer.status_code == 413
    assert json.loads(answer.content)["detail"]
    assert world.browser(ada).post("/accounts/tokens/", {"name": "x" * 3_000_000}).status_code == 413

    def claiming(size: int) -> Any:
        kind = "multipart/form-data; boundary=x"
        return world.browser(ada).generic("POST", "/submit/", b"--x--", content_type=kind, CONTENT_LENGTH=str(size))

    answer = claiming(10**12)
    assert answer.status_code == 413
    assert "Too large" in answer.content.decode()


def test_a_cookie_with_nul_is_refused(world: World) -> None:
    from django.test import Client

    answer = Client(headers={"Cookie": 'sessionid="\\000aaaaaaaaaaaa"'}).get("/accounts/")
    assert answer.status_code == 400
    assert "Not understood" in answer.content.decode()


def test_terms_with_nul_are_no_terms(world: World) -> None:
    """PostgreSQL would not compare them with any."""
    from striate.portal.models import Acceptance

    answer = world.browser(world.person("ada")).post("/data/accept/", {"terms": "a\0b"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/data/")
    assert not Acceptance.objects.exists()
