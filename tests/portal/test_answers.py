"""Programs that talk to a portal trust none of its answers: whatever comes back, they end in one short sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from striate.errors import InputError
from striate.fetch import OutageError
from striate.portal import client
from striate.portal.client import Portal, SubmissionState, UploadState
from tests.fixtures.hosts import Host, serving
from tests.fixtures.messages import assert_short

STATE = {"id": "1", "size": 10, "received": 0}


def answering(monkeypatch: pytest.MonkeyPatch, answer: Callable[[str, str], tuple[int, bytes]]) -> Portal:
    """A portal that gives an answer of our own to each request."""

    def sent(self: Portal, method: str, path: str, body: bytes | None, headers: Any) -> client._Answer:
        status, content = answer(method, path)
        return client._Answer(status, {}, content)

    monkeypatch.setattr(Portal, "_sent", sent)
    return Portal("http://portal.invalid/", token="x", sleep=lambda _: None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>a page</html>",
        b"[1]",
        b"[" * 100_000,
        b'{"a":' * 5000,
        b'{"id": ' + b"9" * 5000 + b"}",
        b'{"id": "\\ud800", "size": 1, "received": 1}',
        b'{"id": "1", "size": 10}',
        b'{"id": "1", "size": "ten", "received": 0}',
        b'{"id": "1", "size": 10, "received": -1}',
        b'{"id": "1", "size": 1e400, "received": 0}',
        json.dumps({"id": ["x" * 5000], "size": 1, "received": 1}).encode(),
        b"\xff\xfe",
    ],
)
def test_an_answer_that_is_none_of_a_portal_is_one_sentence(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    portal = answering(monkeypatch, lambda method, path: (200, content))
    with pytest.raises(InputError, match=r"is no portal of striate, or of another version") as caught:
        portal._ask("GET", "api/v1/uploads/1", needs=UploadState)
    assert_short(caught.value)
    with pytest.raises(InputError):
        portal._ask("GET", "api/v1/submissions/1", needs=SubmissionState)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"detail": [1, null, "x"]}',
        b'{"detail": [{"msg": "a"}, ["b"]]}',
        b'{"detail": {}}',
        b'{"detail": "%s"}' % (b"x" * 3000),
        b'{"detail": "\\u001b[31m red"}',
        b"[" * 4000,
        b"[]",
        b"9" * 4096,
        b'"detail"',
        b"\x1b]0;title\x07",
    ],
)
@pytest.mark.parametrize("status", [400, 401, 302, 429, 507])
def test_a_refusal_is_one_printable_sentence(content: bytes, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    portal = answering(monkeypatch, lambda method, path: (status, content))
    with pytest.raises((InputError, OutageError)) as caught:
        portal._ask("GET", "api/v1/uploads/1")
    assert_short(caught.value)
    assert str(caught.value).isprintable()


def test_an_answer_without_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_BYTES", 100_000)
    with serving(Host({"/small": b"{" + b" " * 90_000 + b"}", "/large": bytes(200_000)})) as host:
        portal = Portal(host.address, token="x", sleep=lambda _: None)
        assert portal._ask("GET", "small") == (200, {})
        with pytest.raises(InputError, match="answers with more than 100,000 bytes"):
            portal._ask("GET", "large")


@pytest.mark.parametrize(
    ("received", "says"), [(0, "takes no more of the file"), (11, "more has arrived than was sent")]
)
def test_an_upload_that_gets_nowhere_ends(
    received: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(bytes(10))
    answer = json.dumps({**STATE, "received": received}).encode()
    portal = answering(monkeypatch, lambda method, path: (200, answer))
    with pytest.raises(InputError, match=says):
        portal._send_parts(tmp_path / "file", STATE, lambda _: None)
