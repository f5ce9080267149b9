"""Proxy settings from the environment, and error messages for proxy failures."""

import base64
import ipaddress
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from striate.fetch.errors import BrokenOffError, FetchError, UnreachableError, UnusableError

_SOCKS = ("socks4", "socks4a", "socks5", "socks5h")
_SCHEMES = ("http", "https", *_SOCKS)
_REFUSED_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Proxy:
    """Proxy from an environment variable.

    Attributes
    ----------
    variable
        Name of the variable, such as ``HTTPS_PROXY``. Messages name it instead of its value, which may hold a password.
    scheme, host, port
        Where the proxy listens; None for the port stands for the default of the scheme.
    user, password
        Percent-encoded, as in the variable; None where the variable has none.
    """

    variable: str
    scheme: str
    host: str
    port: int | None = None
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """URL of the proxy without user name and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")

    @property
    def headers(self) -> dict[str, str]:
        """Headers for basic authentication at an HTTP proxy (RFC 7617, UTF-8)."""
        if self.user is None and self.password is None:
            return {}
        said = unquote_to_bytes(self.user or "") + b":" + unquote_to_bytes(self.password or "")
        return {"Proxy-Authorization": f"Basic {base64.b64encode(said).decode()}"}

    @classmethod
    def parse(cls, value: str, variable: str) -> "Proxy":
        """Parse the value of an environment variable. The scheme defaults to ``http``.

        Raises
        ------
        UnusableError
            If the value is not a valid proxy URL. The message does not contain the value, which may hold a password.
        """
        try:
            parts = urlsplit(value if "://" in value else f"http://{value}")
            scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
        except ValueError:
            raise _misspelt(variable, "its host or port cannot be read") from None
        if scheme not in _SCHEMES:
            raise _misspelt(variable, f"it may begin with {', '.join(f'{known}://' for known in _SCHEMES)}")
        if not host or re.search(r"[\s%@]", host):
            raise _misspelt(variable, "it has no host that can be read")
        return cls(variable, scheme, host, port, parts.username, parts.password)


def find_proxy(address: str) -> Proxy | None:
    """Return the proxy for a URL according to the environment; None for a direct connection.

    Reads ``http_proxy``, ``https_proxy`` and ``all_proxy`` in lower and upper case. ``no_proxy`` lists hosts, domains and networks
    (``10.0.0.0/8``). Requests to the local machine never use a proxy.

    Raises
    ------
    UnusableError
        If the variable is not a valid proxy URL.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    named = getproxies()
    kind = next((kind for kind in (parts.scheme, "all") if named.get(kind, "").strip()), None)
    if kind is None or _is_bypassed(host, parts.netloc.rpartition("@")[2], named.get("no", "")):
        return None
    return Proxy.parse(named[kind].strip(), _variable(f"{kind}_proxy"))


class ConnectionPools:
    """Thread-safe connection pools, one for direct connections and one for each proxy.

    Parameters
    ----------
    pool_classes
        Connection pool classes by scheme, which replace those of urllib3.
    options
        Keyword arguments of `urllib3.PoolManager`.
    """

    def __init__(self, pool_classes: Mapping[str, Any] | None = None, **options: Any) -> None:
        self._options = options
        self._pool_classes = dict(pool_classes or {})
        self._pools: dict[Proxy | None, urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def through(self, proxy: Proxy | None) -> urllib3.PoolManager:
        """Return the pool manager for a proxy, or for direct connections if `proxy` is None.

        Raises
        ------
        UnusableError
            If the proxy is a SOCKS proxy and PySocks is not installed.
        """
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = self._opened(proxy)
            return self._pools[proxy]

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for pools in self._pools.values():
                pools.clear()

    def _opened(self, proxy: Proxy | None) -> urllib3.PoolManager:
        if proxy is not None and proxy.scheme in _SOCKS:
            return _socks(proxy, self._options)
        pools: urllib3.PoolManager
        if proxy is None:
            pools = urllib3.PoolManager(**self._options)
        else:
            pools = urllib3.ProxyManager(proxy.address, proxy_headers=proxy.headers, **self._options)
        pools.pool_classes_by_scheme = {**pools.pool_classes_by_scheme, **self._pool_classes}
        return pools


def proxy_error(error: HTTPError | OSError, proxy: Proxy | None, host: str) -> FetchError | None:
    """Convert a urllib3 error that the proxy caused to a `FetchError`; None if the proxy did not cause it.

    Parameters
    ----------
    error
        Error raised by urllib3.
    proxy
        Proxy of the request; None for a direct connection.
    host
        Host of the requested URL.
    """
    if proxy is None:
        return None
    chain = _chain(error)
    if proxy.scheme in _SOCKS:
        kinds = {type(each).__name__ for each in chain}
        if "SOCKS5AuthError" in kinds:
            return _not_authenticated(proxy)
        if "ProxyConnectionError" in kinds:
            return UnreachableError(f"the proxy that {proxy.variable} names cannot be reached")
        if isinstance(error, ConnectTimeoutError):  # also the base of NewConnectionError
            return BrokenOffError(f"the proxy that {proxy.variable} names does not reach {host}")
        return None
    if not isinstance(error, ProxyError):
        return None
    text = " ".join(str(each) for each in chain)
    if match := _REFUSED_TUNNEL.search(text):
        return proxy_status_error(int(match[1]), proxy, host)
    if any(isinstance(each, NameResolutionError) for each in chain):
        return UnreachableError(f"the host of the proxy that {proxy.variable} names is not known")
    if proxy.scheme == "https" and any(isinstance(each, SSLError) for each in chain):
        return UnusableError(
            f"the proxy that {proxy.variable} names accepts no encrypted connection: let {proxy.variable} begin with http:// if it "
            "speaks plain HTTP, or name its certificate in SSL_CERT_FILE"
        )
    if any(isinstance(each, NewConnectionError | ConnectTimeoutError) for each in chain):
        return UnreachableError(f"the proxy that {proxy.variable} names cannot be reached")
    return UnreachableError(f"the proxy that {proxy.variable} names does not answer, or is not an HTTP proxy")


def proxy_status_error(status: int, proxy: Proxy, host: str) -> FetchError:
    """Return the error for a proxy that answers with an error status."""
    if status == 407:
        return _not_authenticated(proxy)
    said = f"the proxy that {proxy.variable} names refuses to connect to {host} ({status})"
    return BrokenOffError(said) if status in _TEMPORARY else UnusableError(said)


def _not_authenticated(proxy: Proxy) -> UnusableError:
    problem = "requires a user name and password" if proxy.user is None else "rejects its user name and password"
    return UnusableError(
        f"proxy authentication failed: the proxy that {proxy.variable} names {problem} (407); write "
        f"{proxy.scheme}://USER:PASSWORD@HOST:PORT, special characters percent-encoded (@ is %40)"
    )


def _misspelt(variable: str, why: str) -> UnusableError:
    return UnusableError(
        f"{variable} is not the address of a proxy ({why}): write http://USER:PASSWORD@HOST:PORT, special characters "
        "percent-encoded (@ is %40)"
    )


def _socks(proxy: Proxy, options: Mapping[str, Any]) -> urllib3.PoolManager:
    try:
        from urllib3.contrib.socks import SOCKSProxyManager
    except ImportError:
        raise UnusableError(
            f"{proxy.variable} names a SOCKS proxy, which needs the package PySocks: install it (pip install pysocks), or name an "
            "HTTP proxy"
        ) from None
    user, password = (unquote(each) if each is not None else None for each in (proxy.user, proxy.password))
    address = proxy.address if proxy.port else f"{proxy.address}:1080"
    return SOCKSProxyManager(address, username=user or "", password=password or "", **options)


def _variable(name: str) -> str:
    """Return the name of the environment variable as it is spelt there; lower case has precedence, as in urllib."""
    if os.environ.get(name):
        return name
    return next(
        (each for each in os.environ if each.lower() == name and os.environ[each]), "the proxy setting of the system"
    )


def _is_bypassed(host: str, place: str, without: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost") or bool(proxy_bypass(place))
    if address.is_loopback:
        return True
    for entry in without.split(","):
        try:
            if address in ipaddress.ip_network(entry.strip().strip("[]"), strict=False):
                return True
        except ValueError:  # a name
            continue
    return bool(proxy_bypass(place))


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and its causes, outermost first."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and not any(each is known for known in found):
            found.append(each)
            waiting += [each.__cause__, each.__context__, getattr(each, "original_error", None), *each.args]
    return found
