"""What a portal reads: files of participants and organisers, requests, answers, and its own notes."""

import contextlib
import io
import json
import tarfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np

from tests.fixtures.messages import fault_of
from tests.fuzz.targets.competition import PASSPHRASE, competition
from tests.fuzz.targets.target import Read, Target, of_text, reader_of

_VERSION = b'{"files": [{"path": "a.zip", "size": 3, "sha256": "%s", "session": "7-1-1"}], "note": "x"}' % (b"a" * 64)
_CONTENTS = b'[{"sha256": "%s", "size": 3, "allow": true}]' % (b"a" * 64)
_STATE = b'{"id": "1", "size": 10, "received": 0, "state": "queued", "over": false, "reason": "", "track": "t", "protocol": "image", "page": "x", "receipt": {"number": 1, "digest": "ab"}, "metrics": null}'
_CARD_JSON = b'{"summary": "A core and a readout.", "ensemble": 3, "people": ["A"], "code": "https://a.example", "data": {"recordings": "all"}}'
_MARKDOWN = b"# Title\n\nText with [a link](https://a.example), ![a picture](a.zip), `code`.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<script>x</script>\n\n- one\n  - two\n\n> quoted\n"
_REQUEST = b"POST /api/v1/uploads?a=b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nabcde"
_ENVIRONMENT = b"ADDRESS=https://portal.example.org\nMAIL=smtp://user:pass@host:587\nPROXIES=10.0.0.1, 10.0.0.2\nTHREADS=8\nKEEP=7\nSIGN_IN=10/h\n"
_ROWS = b'{"id": 1, "name": "Lab", "created": "2026-01-01T00:00:00+00:00"}\n{"id": 2, "name": "B"}\n'
_CARD = b'summary = "A core and a readout."\nensemble = 3\npeople = ["A"]\ncode = "https://a.example"\n[data]\nrecordings = "all"\n'
_CFF = b"cff-version: 1.2.0\ntitle: A\nmessage: Cite it.\nauthors:\n- family-names: B\n  given-names: C\n  orcid: https://orcid.org/0000-0002-1825-0097\nkeywords: [a, b]\n"
_META = b'title = "A"\npublisher = "B"\nyear = 2022\nkeywords = ["a"]\n[[creators]]\nfamily = "C"\n[licence]\nname = "CC"\nterms = "x"\n'


def _keys() -> list[bytes]:
    """What the portal must know of the trials, without its database."""
    from striate.competition import arrays
    from striate.competition.live import LiveTruth

    live = LiveTruth.read(next(competition().rglob("live-truth.npz")))
    content: dict[str, object] = {"version": "1", "rules": live.rules_text}
    for name, keys in live.final_keys.items():
        for field in ("unit_ids", "tier", "trial_idx", "image_id"):
            content[f"{name}/{field}"] = getattr(keys, field)
    return [arrays.dump(content)]  # type: ignore[arg-type]


def _card(path: Path) -> None:
    from striate.portal.entries.card import read_card

    read_card(path)


def _metadata(name: str) -> Read:
    def read(path: Path) -> None:
        django()
        from striate.portal.hosting.metadata import described

        described({name: path.read_bytes()}, {"title": "A", "publisher": "B"})

    return read


def _backup(path: Path) -> None:
    from striate.portal.organising import restore

    with restore._opened(path, PASSPHRASE) as archive:
        restore._about(path, archive, archive.next())


def _backups() -> list[bytes]:
    from striate.portal.organising.backup_format import ABOUT, FORMAT

    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as opened:
        about = json.dumps({"format": FORMAT, "made": "now", "striate": "1"}).encode()
        info = tarfile.TarInfo(ABOUT)
        info.size = len(about)
        opened.addfile(info, io.BytesIO(about))
    return [content.getvalue()]


@cache
def django() -> None:
    """Load the portal's models; no database is opened."""
    from django import setup
    from django.conf import settings

    if not settings.configured:
        from striate.portal.rates import rates

        own = ["django.contrib.auth", "django.contrib.contenttypes", "striate.portal"]
        settings.configure(USE_I18N=False, INSTALLED_APPS=own, AUTH_USER_MODEL="portal.User", LIMITS=rates())
        setup()


def _body(name: str) -> Read:
    """The body of a call of the API."""

    def read(path: Path) -> None:
        django()
        from striate._internal.safe_parsing import parse_as
        from striate.portal.hosting import api

        parse_as(getattr(api, name), path.read_bytes())

    return read


def _method_card(path: Path) -> None:
    """A card as the API takes it: the object is parsed first, and checked then."""
    from pydantic import ValidationError

    from striate._internal.safe_parsing import parse_json
    from striate.portal.entries.card import MethodCard

    with contextlib.suppress(ValidationError):
        MethodCard.model_validate(parse_json(path.read_bytes())).model_dump_json()


def _answer(path: Path) -> None:
    """What a server answers to a program that takes it for a portal."""
    from striate.errors import InputError
    from striate.fetch import OutageError
    from striate.portal.client import Portal, SubmissionState, UploadState, _Answer

    content = path.read_bytes()
    for status in (400, 401, 429, 507):
        answer = _Answer(status, {"Retry-After": content[:20].decode("latin-1")}, content)
        with patch.object(Portal, "_sent", lambda *_, answer=answer: answer):
            portal = Portal("https://portal.example/", token="x", sleep=lambda _: None)
            try:
                portal._ask("GET", "api/v1/uploads/1", tries=1)
            except OutageError as error:
                raise_for(fault_of(error))
            except InputError as error:
                raise_for(fault_of(error))
    with patch.object(Portal, "_sent", lambda *_: _Answer(200, {}, content)):
        for needs in (UploadState, SubmissionState):
            with contextlib.suppress(InputError):
                portal._ask("GET", "api/v1/uploads/1", needs=needs)
        portal._ask("GET", "api/v1/uploads/1")


def raise_for(fault: str | None) -> None:
    """Let a fault that was found be told."""
    assert fault is None, fault


def _markdown(text: str) -> None:
    """A page that an organiser or a participant wrote."""
    django()
    from striate.portal.hosting.readme import shown
    from striate.portal.markdown import rendered

    for page in (rendered(text, of_strangers=True), shown(text, {"a.zip"}, "/data/1/", pictures=True)):
        for bad in ("<script", "javascript:", "<iframe", "onerror="):
            assert f"<{bad}" not in page.lower().replace("&lt;", "")
            assert not (bad.startswith("<") and bad in page.lower())


def _range(text: str) -> None:
    django()
    from striate.portal.hosting.ranges import asked_range

    for size in (0, 1, 1000):
        try:
            found = asked_range(text, size)
        except ValueError:
            continue
        assert found is None or 0 <= found[0] <= found[1] < size


def _etag(text: str) -> None:
    django()
    from django.http import HttpRequest

    from striate.portal.hosting.ranges import asked

    request = HttpRequest()
    request.method = "GET"
    request.META = {"HTTP_IF_NONE_MATCH": text, "HTTP_IF_RANGE": text, "HTTP_RANGE": text}
    asked(request, 100, "ab")


def _remote(text: str) -> None:
    """Whom a proxy names as the one who asks."""
    django()
    from striate.portal.accounts.throttle import address_of

    assert address_of(SimpleNamespace(META={"REMOTE_ADDR": text}))  # type: ignore[arg-type]


def _request(path: Path) -> None:
    """The beginning of a request as it arrives, in two pieces."""
    from striate.portal.running.connections import _Arrival

    content = path.read_bytes()
    for cut in (0, len(content) // 2):
        arrival = _Arrival(deadline=0.0)
        for piece in (content[:cut], content[cut:]):
            arrival.add(piece)
        arrival.expects_answer_first()
        assert not arrival.whole or arrival.needed is not None


def _environment(text: str) -> None:
    """Variables, a line each."""
    from striate.portal.days import days_told
    from striate.portal.environment import PREFIX, check_environment, number
    from striate.portal.rates import rates

    given = dict(line.partition("=")[::2] for line in text.replace("\0", "").splitlines())
    given = {PREFIX + name: value for name, value in given.items() if name and value.isprintable()}
    with patch.dict("os.environ", given, clear=True):
        check_environment(given)
        number(f"{PREFIX}THREADS", 4, 1, 100)
        days_told(f"{PREFIX}KEEP", 7)
        rates()


def _cookie(text: str) -> None:
    """A cookie of a known device, past its signature."""
    django()
    from django.core import signing
    from django.http import HttpRequest

    from striate.portal.accounts.guesses import Device

    with patch.object(signing, "loads", lambda *_, **__: text):
        assert all(isinstance(each, int) for each in Device.of(HttpRequest()).accounts)


def _predictions(path: Path) -> None:
    """What the process hands out that reads a submission."""
    from striate.errors import InputError
    from striate.portal.receiving.decoding import PlatformError, _checked

    try:
        _checked(path, (2, 3))
    except PlatformError as error:
        raise InputError(str(error)) from None


def _arrays() -> list[bytes]:
    from striate.recordings.npy_format import dump

    return [dump(np.ones((2, 3), np.float32))]


def _rows(path: Path) -> None:
    """Rows of a table in a backup."""
    django()
    from striate.portal.models import Submission, Team
    from striate.portal.organising.tables import parsed_rows

    for model in (Team, Submission):
        with path.open("rb") as file:
            list(parsed_rows(model, file))


TARGETS: dict[str, Target] = {
    "method-card": Target(_card, "card.toml", lambda: [_CARD]),
    "dataset.toml": Target(_metadata("dataset.toml"), "dataset.toml", lambda: [_META]),
    "citation": Target(_metadata("CITATION.cff"), "CITATION.cff", lambda: [_CFF]),
    "portal-keys": Target(reader_of("striate.portal.receiving.keys", "read_keys"), "keys.npz", _keys),
    "backup": Target(_backup, "backup.tar", _backups),
    "new-version": Target(_body("NewVersion"), "a.json", lambda: [_VERSION]),
    "small-contents": Target(_body("_SMALL_CONTENTS"), "a.json", lambda: [_CONTENTS]),
    "method-card-as-json": Target(_method_card, "a.json", lambda: [_CARD_JSON]),
    "answer-of-a-portal": Target(_answer, "a.json", lambda: [_STATE, b'{"detail": [{"msg": "too large"}]}']),
    "markdown": Target(of_text(_markdown), "a.md", lambda: [_MARKDOWN]),
    "range": Target(of_text(_range), "a.txt", lambda: [b"bytes=0-99", b"bytes=-5", b"bytes=10-"]),
    "etag": Target(of_text(_etag), "a.txt", lambda: [b'"ab", W/"cd"', b"bytes=0-9"]),
    "remote-address": Target(
        of_text(_remote), "a.txt", lambda: [b"192.0.2.1", b"2001:db8::1%eth0", b"::ffff:192.0.2.1"]
    ),
    "request": Target(_request, "a.http", lambda: [_REQUEST]),
    "environment": Target(of_text(_environment), "a.env", lambda: [_ENVIRONMENT]),
    "device-cookie": Target(of_text(_cookie), "a.json", lambda: [b'["abc", [1, 2]]']),
    "predictions-of-a-child": Target(_predictions, "a.npy", _arrays),
    "rows-of-a-backup": Target(_rows, "a.jsonl", lambda: [_ROWS]),
}
