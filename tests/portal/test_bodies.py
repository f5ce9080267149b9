"""What may be sent to which address: a body is refused before any of it is read, and before any of it is on the disk."""

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.portal.world import World

DEPLOY = Path(__file__).parents[2] / "deploy"
BOUNDARY = "multipart/form-data; boundary=x"


class Unread(io.RawIOBase):
    """A body that notes how much of it was read."""

    def __init__(self, content: bytes) -> None:
        self.content, self.taken = io.BytesIO(content), 0

    def read(self, size: int = -1) -> bytes:
        some = self.content.read(size)
        self.taken += len(some)
        return some


def form(size: int, **fields: str) -> bytes:
    """A form with a file, as a browser sends it."""
    parts = [f'--x\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    head = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.parquet"\r\n\r\n'
    return "".join([*parts, head]).encode() + bytes(size) + b"\r\n--x--\r\n"


def send(browser: Any, path: str, body: bytes, kind: str = BOUNDARY, **about: Any) -> tuple[Any, int]:
    """Send a body; the answer, and how many of its bytes were read."""
    watched = Unread(body)
    about = {"CONTENT_LENGTH": str(len(body)), **about}
    answer = browser.generic("POST", path, b" ", content_type=kind, **about, **{"wsgi.input": watched})
    return answer, watched.taken


@pytest.fixture
def written(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of temporary files that were made for files of forms."""
    from django.core.files import uploadedfile

    made: list[str] = []
    real = uploadedfile.tempfile.NamedTemporaryFile

    def noting(*args: Any, **named: Any) -> Any:
        file = real(*args, **named)
        made.append(file.name)
        return file

    monkeypatch.setattr(uploadedfile.tempfile, "NamedTemporaryFile", noting)
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["/health", "/ready", "/language/", "/accounts/sign-up/", "/accounts/sign-in/", "/boards/", "/nothing", "/admin/login/",
     "/api/v1/uploads", "/api/v1/submissions", "/api/v1/nothing", "/submit", "/submit//"],
)  # fmt: skip
@pytest.mark.parametrize("kind", [BOUNDARY, "application/x-www-form-urlencoded", "application/json", "x/y"])
def test_more_than_2_mib_are_refused_unread_everywhere_else(
    world: World, written: list[str], path: str, kind: str
) -> None:
    from striate.portal.bodies import LARGEST_BODY

    browser = world.browser()
    browser.cookies["csrftoken"] = "a" * 32
    answer, taken = send(browser, path, form(LARGEST_BODY, csrfmiddlewaretoken="a" * 32), kind)
    assert answer.status_code == 413
    assert taken == 0
    assert not written


@pytest.mark.slow
def test_files_of_forms_that_take_none_are_never_written(world: World, written: list[str]) -> None:
    browser = world.browser()
    browser.cookies["csrftoken"] = "a" * 32
    for path in ("/health", "/language/", "/accounts/sign-up/", "/admin/login/"):
        answer, _ = send(browser, path, form(10**6, csrfmiddlewaretoken="a" * 32))
        assert answer.status_code < 500
    ada = world.browser(world.person("ada", team="Ada"))
    assert send(ada, "/accounts/tokens/", form(10**6, name="laptop"))[0].status_code == 200
    assert not written


def test_a_body_of_unknown_length_is_refused_unread(world: World) -> None:
    ada = world.browser(world.person("ada", team="Ada"))
    for path in ("/health", "/language/", "/submit/", "/api/v1/uploads", f"/api/v1/uploads/{'0' * 32}"):
        answer, taken = send(ada, path, form(100), CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
        assert (answer.status_code, taken) == (411, 0), path


def refused_senders(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Any, int]]:
    """People whose files are refused, by why, with the status that they get."""
    from striate.portal.accounts.throttle import UPLOAD

    tired = world.person("tired", team="Tired")
    for _ in range(UPLOAD.limit):
        UPLOAD.take(str(tired.pk))
    waiting = world.person("waiting", team="Waiting", admitted=False)
    return {
        "nobody": (world.browser(), 302),
        "not admitted": (world.browser(waiting), 403),
        "too often": (world.browser(tired), 429),
    }


@pytest.mark.slow
def test_a_file_is_read_only_of_whom_the_portal_takes_it_from(
    world: World, written: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.portal.receiving import admission

    for why, (browser, status) in refused_senders(world, monkeypatch).items():
        answer, taken = send(browser, "/submit/", form(3 * 10**6))
        assert (answer.status_code, taken) == (status, 0), why
    browser = world.browser(world.person("ada", team="Ada"))
    with monkeypatch.context() as full:
        full.setattr(admission, "room_for", lambda *_: False)
        answer, taken = send(browser, "/submit/", form(3 * 10**6))
        assert (answer.status_code, taken) == (507, 0)
    assert not written
    answer, taken = send(browser, "/submit/", form(3 * 10**6))
    assert answer.status_code == 200, "it is read, and is no submission"
    assert taken > 3 * 10**6
    assert written
    assert not any(map(os.path.exists, written))


def test_of_one_person_few_forms_are_read_at_a_time(world: World) -> None:
    from striate.portal.receiving.crowd import OF_ONE_PERSON, among_others

    ada = world.person("ada", team="Ada")
    with among_others(ada.pk), among_others(ada.pk), among_others(ada.pk):
        assert OF_ONE_PERSON == 3
        answer, taken = send(world.browser(ada), "/submit/", form(3 * 10**6))
    assert (answer.status_code, taken) == (503, 0)
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.slow
def test_the_api_reads_a_part_only_where_it_is_awaited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.receiving import uploads

    ada, bob = world.person("ada", team="Ada"), world.person("bob", team="Bob")
    upload = uploads.begin(ada, filename="a", size=5 * 10**6, sha256="0" * 64, most=10**7)
    path = f"/api/v1/uploads/{upload.pk}?offset=0"

    def put(user: Any, at: str, size: int = 5 * 10**6) -> tuple[int, int]:
        watched = Unread(bytes(size))
        named = {"headers": {"Authorization": f"Bearer {world.token(user)}"}} if user else {}
        about = {"CONTENT_LENGTH": str(size), "wsgi.input": watched, "content_type": "application/octet-stream"}
        return world.browser().generic("PUT", at, b" ", **about, **named).status_code, watched.taken

    assert put(None, path) == (401, 0)
    assert put(bob, path) == (404, 0)
    assert put(ada, path.replace("offset=0", "offset=7")) == (422, 0)
    assert put(ada, path, 2101 * 2**20) == (413, 0)
    assert put(ada, path, 6 * 10**6) == (422, 0), "more than was announced"
    with monkeypatch.context() as full:
        full.setattr(uploads, "room_for", lambda *_: False)
        assert put(ada, path) == (507, 0)
    assert put(ada, path) == (200, 5 * 10**6)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.from_regex(r"/[a-z0-9/._-]{0,40}", fullmatch=True)
    | st.just("/submit/")
    | st.uuids().map("/api/v1/uploads/{}".format)
)
def test_only_upload_addresses_take_more(portal: World, path: str) -> None:
    from striate.portal.bodies import LARGEST_BODY, LARGEST_UPLOAD, UPLOADS, largest_body

    most = largest_body(path)
    assert LARGEST_BODY <= most <= LARGEST_UPLOAD
    assert (most > LARGEST_BODY) == bool(re.search(UPLOADS, path))


def test_the_proxies_take_as_much_as_the_portal() -> None:
    from striate.portal.bodies import LARGEST_BODY, LARGEST_UPLOAD, UPLOADS

    caddy, nginx = (DEPLOY / "Caddyfile").read_text(), (DEPLOY / "nginx.conf").read_text()
    assert [int(n) * 2**20 for n in re.findall(r"max_size (\d+)MiB", caddy)] == [LARGEST_UPLOAD, LARGEST_BODY]
    assert [int(n) * 2**20 for n in re.findall(r"client_max_body_size (\d+)m;", nginx)] == [
        LARGEST_BODY,
        LARGEST_UPLOAD,
    ]
    assert re.findall(r"> (\d+)`", caddy) == [str(LARGEST_BODY)]
    assert set(re.findall(r"path_regexp (\S+)", caddy)) == {UPLOADS}
    assert re.findall(r"location ~ (\S+)", nginx) == [UPLOADS]


def test_the_sentence_is_for_programs_too(world: World) -> None:
    answer, _ = send(world.browser(), "/api/v1/uploads", bytes(3 * 10**6), "application/json")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert json.loads(answer.content)["status"] == 413
