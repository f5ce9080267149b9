"""HTTP client for downloads: redirects, tokens and proxies, with errors classified by how to handle them."""

import ssl
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from striate import __version__
from striate._internal.safe_parsing import MalformedError, parse_json_object
from striate._internal.urls import split_url
from striate.errors import quoted, shortened
from striate.fetch.auth_tokens import load_token, origin
from striate.fetch.errors import BrokenOffError, FetchError, UnreachableError, UnusableError
from striate.fetch.proxies import ConnectionPools, find_proxy, proxy_error, proxy_status_error
from striate.fetch.retry_policy import RetryPolicy

_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 5
_CHUNK = 512 * 1024  # maximum bytes per read
_LONGEST_SENTENCE = 500  # characters of an explanation in a response


class Response:
    """HTTP response whose body has not been read yet.

    Attributes
    ----------
    status
        Status code, such as 200.
    headers
        Response headers with case-insensitive names.
    address
        Final URL, after redirects.
    asked
        Requested URL.
    """

    def __init__(self, response: urllib3.BaseHTTPResponse, address: str, asked: str) -> None:
        self._response = response
        self.asked = asked
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.address = address

    @property
    def host(self) -> str:
        """Host that responded."""
        return host_name(self.address)

    def number(self, header: str) -> int | None:
        """Return a header as a non-negative integer; None if it is absent or invalid."""
        value = self.headers.get(header, "").strip()
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None

    def read(self, most: int = _CHUNK) -> bytes:
        """Return the next received bytes; empty at the end.

        Raises
        ------
        BrokenOffError
            If the connection fails, stalls, or ends before the announced length.
        """
        try:
            return self._response.read1(most, decode_content=False)
        except ReadTimeoutError as error:
            raise BrokenOffError(f"{self.host} stopped sending") from error
        except (HTTPError, OSError, ValueError) as error:
            raise BrokenOffError(f"the connection to {self.host} broke off") from error

    def close(self) -> None:
        """Close the connection without reading the rest of the body."""
        self._response.close()
        self._response.release_conn()


def read_explanation(response: Response) -> str:
    """Return the explanation in an error response, from plain text or a problem document (RFC 9457), on one line."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in ("text/plain", "application/problem+json"):
        return ""
    content = b""
    try:
        while len(content) < 8 * _LONGEST_SENTENCE and (more := response.read()):
            content += more
    except FetchError:
        return ""
    text = content[: 8 * _LONGEST_SENTENCE].decode(errors="replace")
    if kind != "text/plain":
        try:
            text = str(parse_json_object(text).get("detail", ""))
        except MalformedError:
            return ""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return shortened(line, _LONGEST_SENTENCE).rstrip(".")


def describe_gone(response: Response, what: str = "it") -> str:
    """Describe the status 410 (gone) as a clause, with the explanation of the host if there is one."""
    said = read_explanation(response)
    return f"{response.host} does not offer {what} any more (410){f': {said}' if said else ''}"


class Client:
    """HTTP client that uses the proxies of the environment (``HTTPS_PROXY``, ``NO_PROXY``).

    Parameters
    ----------
    retry_policy
        Policy with the connect and stall timeouts.
    """

    def __init__(self, retry_policy: RetryPolicy) -> None:
        timeout = urllib3.Timeout(connect=retry_policy.connect_timeout, read=retry_policy.stall_timeout)
        self._connections = ConnectionPools(timeout=timeout, retries=False, maxsize=8)

    def get(self, address: str, headers: Mapping[str, str] | None = None, *, method: str = "GET") -> Response:
        """Send a request and follow redirects.

        Parameters
        ----------
        address
            URL with the scheme http or https.
        headers
            Additional request headers. User agent and stored token are added automatically.
        method
            HTTP method, ``GET`` or ``HEAD``.

        Raises
        ------
        BrokenOffError
            If the connection failed.
        UnusableError
            If retrying does not help, as after an invalid certificate, an invalid redirect or a proxy that requires a password.
        """
        first = address
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._ask(method, address, headers or {})
            target = response.headers.get("Location")
            if response.status not in _REDIRECTS or not target:
                return Response(response, address, first)
            response.close()
            response.release_conn()
            try:
                following = urljoin(address, target)
            except ValueError:
                following = target
            parts = split_url(following)
            if parts is None or parts.scheme not in ("http", "https"):
                raise UnusableError(f"{host_name(address)} leads to {quoted(following)}, which is no address of a file")
            if urlsplit(address).scheme == "https" and parts.scheme != "https":
                raise UnusableError(f"{host_name(address)} leads from an encrypted address to one that is not")
            address = following
        raise UnusableError(f"{host_name(first)} leads from one address to the next without end")

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def _ask(self, method: str, address: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        host, proxy = host_name(address), find_proxy(address)
        sent = {"User-Agent": f"striate/{__version__}", "Accept-Encoding": "identity", **headers}
        if token := load_token(address):
            sent["Authorization"] = f"Bearer {token}"
        pools = self._connections.through(proxy)
        try:
            response = pools.request(method, address, headers=sent, preload_content=False, redirect=False)
        except (HTTPError, OSError) as error:
            raise proxy_error(error, proxy, host) or _failure(error, address) from error
        if proxy is not None and response.status == 407:
            response.close()
            raise proxy_status_error(407, proxy, host)
        return response


def _failure(error: HTTPError | OSError, address: str) -> FetchError:
    """Convert an error of urllib3 to a `FetchError`."""
    host = host_name(address)
    if isinstance(error, NameResolutionError | NewConnectionError | ConnectTimeoutError):
        return UnreachableError(f"{host} cannot be reached ({_why(error)})")
    if isinstance(error, SSLError):
        if isinstance(error.args[0] if error.args else None, ssl.SSLCertVerificationError):
            return UnusableError(
                f"{host} shows a certificate that is not its own ({_why(error)}); a proxy on the way may open encrypted "
                "connections: name its certificate in SSL_CERT_FILE, or use another network"
            )
        return UnreachableError(f"no encrypted connection to {host} came about ({_why(error)})")
    if isinstance(error, LocationParseError):
        return UnusableError(f"{address!r} is no address")
    if isinstance(error, ReadTimeoutError):
        return BrokenOffError(f"{host} did not answer in time")
    return BrokenOffError(f"the connection to {host} broke off")


def host_name(address: str) -> str:
    """Return the host of a URL, without user name and password."""
    return urlsplit(address).netloc.rpartition("@")[2] or origin(address)


def _why(error: BaseException) -> str:
    """Return the message of the innermost cause of an error."""
    while (inner := error.__cause__ or error.__context__ or _argument(error)) is not None:
        error = inner
    said = getattr(error, "strerror", None) or getattr(error, "verify_message", None) or str(error)
    return str(said).rstrip(".") or type(error).__name__


def _argument(error: BaseException) -> BaseException | None:
    reason = getattr(error, "original_error", None) or (error.args[0] if error.args else None)
    return reason if isinstance(reason, BaseException) and reason is not error else None
