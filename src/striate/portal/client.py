"""Send a submission to a portal: checked here first, uploaded in parts that resume, watched until it is scored."""

import json
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urljoin, urlsplit

import urllib3
from pydantic import BaseModel, Field
from urllib3.exceptions import HTTPError

from striate import __version__
from striate._internal.progress_bars import Advance, progress_bar
from striate._internal.safe_parsing import MAX_BYTES, MalformedError, parse_json, parse_json_object
from striate._internal.urls import split_url
from striate.competition.boards import board_of
from striate.competition.manifest import sha256_of
from striate.errors import InputError, quoted, shortened
from striate.fetch import OutageError
from striate.fetch.auth_tokens import load_token
from striate.fetch.errors import BrokenOffError, FetchError, UnusableError
from striate.fetch.proxies import ConnectionPools, find_proxy, proxy_error, proxy_status_error
from striate.fetch.retry_policy import format_duration, parse_retry_after
from striate.portal.entries.card import MethodCard
from striate.portal.receiving.keys import parsed_keys
from striate.submissions import Submission, open_submission
from striate.submissions.open import is_native_file
from striate.submissions.validate import align_all

_PART = 8 * 2**20  # bytes that are sent at a time
_TRIES, _LONGEST_PAUSE, _LONGEST_BACKOFF = 10, 60.0, 20.0  # the second of what the portal asks for, in seconds
_ZIP = b"PK\x03\x04"  # how the keys of a portal begin
_MOMENT, _MOST_MOMENTS = 5.0, 200  # seconds, and how often the portal may ask to wait for so long or less
_ASKED_EVERY = 0.5  # seconds
_PIECE = 2**16  # bytes of an answer that are read at a time
_LONGEST_SENTENCE = 250  # characters of what a portal says
_Count = Annotated[int, Field(ge=0, lt=2**63)]


class UploadState(BaseModel):
    """What a portal must say of an upload."""

    id: str
    size: _Count
    received: _Count


class _Receipt(BaseModel):
    number: int
    digest: str


class _Metric(BaseModel):
    mean: float | None
    low: float | None
    high: float | None
    reason: str | None = None


class SubmissionState(BaseModel):
    """What a portal must say of a submission."""

    id: str
    state: str
    over: bool
    reason: str
    track: str
    protocol: str
    page: str
    receipt: _Receipt | None
    metrics: dict[str, _Metric] | None


@dataclass(frozen=True)
class Sent:
    """What became of a submission.

    Attributes
    ----------
    new
        Whether the team had not sent the same file before.
    state
        As the portal describes it.
    """

    new: bool
    state: Mapping[str, Any]


@dataclass(frozen=True)
class _Answer:
    """An answer whose body was read to its end."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _Connection(urllib3.connection.HTTPSConnection):
    """Hears what is answered before everything was sent, as urllib3 does where nothing is encrypted."""

    def send(self, data: Any) -> None:
        """Send; that the other side has closed is told in the way that urllib3 understands."""
        try:
            super().send(data)
        except ssl.SSLEOFError as error:
            raise BrokenPipeError(str(error)) from error


class _Pool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Connection


class _CrowdedError(OutageError):
    """The portal works, and asks to come back in a moment."""


class Portal:
    """A portal, as a program sees it.

    Parameters
    ----------
    address
        Of its front page.
    token
        Whose to show; by default the one that is kept for the address.
    sleep
        How to wait.
    said
        Is told in a sentence when the portal does not answer, and is asked again.

    Raises
    ------
    InputError
        If it is no address, or there is no token for it.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        said: Callable[[str], None] = lambda _: None,
    ) -> None:
        parts = split_url(address)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"{quoted(address)} is no address of a portal: it begins with https://.")
        self.address = f"{parts.scheme}://{parts.netloc}/"
        token = token or load_token(self.address)
        if token is None:
            raise InputError(
                f"There is no token for {self.address}: make one on the page of your account there, and give it in a file "
                "(--token-file) or as STRIATE_TOKEN."
            )
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": f"striate/{__version__}"}
        timeout = urllib3.Timeout(connect=20, read=180)
        self._connections = ConnectionPools({"https": _Pool}, timeout=timeout, retries=False)
        self._sleep, self._said = sleep, said

    def send(
        self,
        file: Path,
        *,
        session: str | None = None,
        protocol: str | None = None,
        note: str = "",
        baseline: str = "",
        card: MethodCard | None = None,
        wait: bool = True,
        listener: Callable[[str], None] = lambda _: None,
    ) -> Sent:
        """Check a submission, send it, and wait for its score.

        Parameters
        ----------
        file
            A native file, or a folder with the CSVs of 2022, which are sent as a native file.
        session, protocol
            What CSVs do not say.
        note
            For the team.
        baseline
            Of organisers: whose row it is.
        card
            What is told about the method; kept beside the submission once the portal has taken it.
        wait
            Whether to wait until it is scored.
        listener
            Is told each new state.

        Raises
        ------
        InputError
            If it is no submission that the competition takes; nothing was sent then. Or if the portal refused it.
        OutageError
            If the portal is down or under maintenance; what arrived there stays.
        """
        with self._checked(file, session, protocol) as native:
            number = self._upload(native, file.name)
            status, state = self._ask(
                "POST",
                "api/v1/submissions",
                {"upload": number, "note": note, "baseline": baseline},
                needs=SubmissionState,
            )
        if card is not None and state["state"] != "refused":
            self.write_card(state["id"], card)
        told = ""
        while True:
            if state["state"] != told:
                told = state["state"]
                listener(told)
            if state["over"] or not wait:
                return Sent(status == 201, state)
            self._sleep(_ASKED_EVERY)
            _, state = self._ask("GET", f"api/v1/submissions/{state['id']}", needs=SubmissionState)

    def write_card(self, number: str, card: MethodCard) -> None:
        """Write the method card of a submission that was sent, as a new version.

        Parameters
        ----------
        number
            The ``id`` in the state of the submission.
        card
            What is told about the method.

        Raises
        ------
        InputError
            If the portal refuses it.
        """
        self._ask("PUT", f"api/v1/submissions/{number}/card", card.model_dump(mode="json"))

    @contextmanager
    def _checked(self, file: Path, session: str | None, protocol: str | None) -> Iterator[Path]:
        """The native file, after what the portal would say to it was said here."""
        answer = self._request("GET", "api/v1/keys")
        if not answer.data.startswith(_ZIP):
            raise InputError(
                f"{self.address} is no portal of striate, or of another version: its answer is "
                f"{'a web page' if b'<html' in answer.data[:1000].lower() else 'not what a portal answers'}."
            )
        rules, keys = parsed_keys(answer.data, f"{self.address}api/v1/keys")
        native = is_native_file(file)
        submission: Submission = open_submission(file, **({} if native else {"session": session, "protocol": protocol}))
        if not native and None in (session, protocol):
            raise InputError("CSVs of 2022 do not say what they are for: give --session and --protocol.")
        board = board_of(submission, rules)
        wanted = keys[board.track.name]
        align_all(submission, dict.fromkeys(wanted.tiers, wanted))
        if native:
            yield file
            return
        with tempfile.TemporaryDirectory(prefix="striate-submit-") as folder:
            made = Path(folder) / "submission.parquet"
            submission.write(made)
            yield made

    def _upload(self, file: Path, name: str) -> str:
        size = file.stat().st_size
        about = {"filename": name, "size": size, "sha256": sha256_of(file)}
        _, state = self._ask("POST", "api/v1/uploads", about, needs=UploadState)
        with progress_bar(f"sending {name}", size) as advance:
            return self._send_parts(file, state, advance)

    def _send_parts(self, file: Path, state: Mapping[str, Any], advance: Advance) -> str:
        """Send what has not arrived of an upload that was begun."""
        number, received, size, failures = str(state["id"]), int(state["received"]), int(state["size"]), 0
        crowds = 0
        with file.open("rb") as opened:
            advance(received)
            while received < size:
                opened.seek(received)
                try:
                    _, state = self._ask(
                        "PUT",
                        f"api/v1/uploads/{number}?offset={received}",
                        body=opened.read(_PART),
                        tries=1,
                        needs=UploadState,
                    )
                except (OutageError, InputError) as error:  # some of it may have arrived: ask, and go on from there
                    if isinstance(error, _CrowdedError):  # nothing has arrived, and to ask takes until there is a place
                        crowds += 1
                    else:
                        failures += 1
                    if failures > _TRIES or crowds > _MOST_MOMENTS:
                        raise
                    self._sleep(min(_LONGEST_BACKOFF, 0.25 * 2**failures))
                    _, state = self._ask("GET", f"api/v1/uploads/{number}", needs=UploadState)
                else:
                    failures += int(state["received"]) <= received
                    if failures > _TRIES:
                        raise InputError(f"{self.address} takes no more of the file: try again later.")
                arrived = int(state["received"])
                if arrived > size:
                    raise InputError(f"{self.address} says that more has arrived than was sent: send the file again.")
                if arrived > received:
                    failures = 0
                advance(arrived - received)
                received = arrived
        return number

    def _ask(
        self,
        method: str,
        path: str,
        content: Mapping[str, Any] | None = None,
        *,
        body: bytes | None = None,
        tries: int = _TRIES,
        needs: type[BaseModel] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Ask for an object; `needs` says which of its values are used, and of which types they must be."""
        data = json.dumps(content).encode() if content is not None else body
        kind = {"Content-Type": "application/json" if content is not None else "application/octet-stream"}
        answer = self._request(method, path, data, kind if data is not None else {}, tries)
        try:
            return answer.status, parse_json_object(answer.data, needs=needs)
        except MalformedError as error:
            why = f"its answer cannot be read ({error.reason})"
            raise InputError(f"{self.address} is no portal of striate, or of another version: {why}.") from None

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        tries: int = _TRIES,
    ) -> _Answer:
        """Ask, and ask again where that may help: all requests may be repeated, since the same file is the same submission."""
        reason = ""
        asked: float | None = None
        attempt = moments = 0
        while attempt < tries:
            if attempt == 1 and asked is None:
                self._said(f"{reason}; it is asked again for about two minutes")
            if asked is not None or attempt:
                self._sleep(max(asked or 0.0, min(_LONGEST_BACKOFF, 0.5 * 2**attempt) if attempt else 0.0))
                asked = None
            attempt += 1
            try:
                answer = self._sent(method, path, body, {**self._headers, **(headers or {})})
            except UnusableError as failure:
                raise InputError(f"{self.address} cannot be reached: {failure.reason}.") from failure
            except FetchError as failure:
                reason = failure.reason
                continue
            if answer.status < 300:
                return answer
            if answer.status in (429, 503):
                asked = parse_retry_after(answer.headers)
                if asked is not None and asked <= _LONGEST_PAUSE:
                    reason = f"{self.address} is busy"
                    if asked <= _MOMENT and moments < _MOST_MOMENTS and tries > 1:
                        # It works, and only has no place for this: no attempt has failed.
                        moments, attempt = moments + 1, attempt - 1
                    continue
                when = f" in {format_duration(asked)}" if asked is not None else " later"
                raise OutageError(_sentence(answer).rstrip("."), f"Try again{when}: what arrived stays there.")
            if answer.status == HTTPStatus.INSUFFICIENT_STORAGE:
                raise OutageError(_sentence(answer).rstrip("."), "What arrived stays there.")
            if answer.status >= 500:
                reason = f"{self.address} has a fault ({answer.status})"
                continue
            raise InputError(self._explained(answer))
        kind = _CrowdedError if asked is not None else OutageError
        raise kind(reason, "Try again later: what arrived stays there.")

    def _sent(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> _Answer:
        """Send one request, through the proxy that the environment names.

        Raises
        ------
        UnusableError
            If the proxy cannot be used, or refuses.
        FetchError
            If no answer arrived.
        InputError
            If the answer is larger than any that a portal gives.
        """
        host, proxy = urlsplit(self.address).netloc, find_proxy(self.address)
        try:
            answer = self._connections.through(proxy).request(
                method, urljoin(self.address, path), body=body, headers=headers, redirect=False, preload_content=False
            )
            content = bytearray()
            while piece := answer.read(_PIECE, decode_content=True):
                content += piece
                if len(content) > MAX_BYTES:
                    answer.close()
                    raise InputError(f"{self.address} answers with more than {MAX_BYTES:,} bytes: it is no portal.")
            answer.release_conn()
        except (HTTPError, OSError) as error:
            said = BrokenOffError(f"{self.address} cannot be reached ({type(error).__name__})")
            raise proxy_error(error, proxy, host) or said from error
        if proxy is not None and answer.status == 407:
            raise proxy_status_error(407, proxy, host)
        return _Answer(answer.status, answer.headers, bytes(content))

    def _explained(self, answer: _Answer) -> str:
        if answer.status == 401:
            return f"{self.address} does not know the token: it was revoked, or is that of another portal. Make a new one there."
        if answer.status in (301, 302, 307, 308):
            leads_to = shortened(answer.headers.get("Location", "another address"), 120)
            return f"{self.address} leads to {leads_to}: use that address."
        return _sentence(answer)


def _sentence(answer: _Answer) -> str:
    """What the portal said, on one line and not too long."""
    text = answer.data[:4096].decode(errors="replace")
    try:
        said = parse_json(text)["detail"]
    except (MalformedError, LookupError, TypeError):
        said = text if len(text) < 500 and "<" not in text else f"The portal answers {answer.status}."
    if isinstance(said, list):  # what a schema found
        said = "; ".join(str(each.get("msg", each) if isinstance(each, dict) else each) for each in said)
    words = "".join(c if c.isprintable() else " " for c in str(said)).split()
    return shortened(" ".join(words), _LONGEST_SENTENCE) or f"The portal answers {answer.status}."
