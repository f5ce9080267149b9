"""Checks of the environment variables of the portal: a misspelt or malformed one is refused before anything starts."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from striate.errors import InputError, quoted, shortened
from striate.portal.rates import LIMITS, variable

PREFIX = "STRIATE_PORTAL_"


@dataclass(frozen=True)
class Variable:
    """An environment variable as the documentation lists it.

    Attributes
    ----------
    name
        With its prefix.
    sets
        What it sets.
    default
        What holds where it is not set.
    """

    name: str
    sets: str
    default: str = ""


# Every variable that operators can set, but for the limits of `striate.portal.rates`.
VARIABLES = (
    Variable(
        "DATABASE_URL",
        "the database: `postgresql://user:password@host/name`, with special characters of the password percent-encoded",
        "SQLite in the portal's folder",
    ),
    Variable(
        f"{PREFIX}STORAGE",
        "where files are kept: `s3://bucket/prefix?endpoint=https://…&region=…`; the key comes from where the AWS tools have it",
        "the portal's folder",
    ),
    Variable(
        f"{PREFIX}SECRET_KEY",
        "the key that signs sessions and links: at least 50 characters, the same on machines that serve together",
        "`secret-key` in the portal's folder",
    ),
    Variable(f"{PREFIX}SECRET_KEY_FILE", "a file that holds it, readable for the portal's user alone"),
    Variable(
        f"{PREFIX}ADDRESS",
        "the address that people type, a scheme and a host without a path; with `https://`, cookies travel encrypted only",
        "this machine only",
    ),
    Variable(
        f"{PREFIX}PROXIES",
        "IP addresses of the proxies before the portal, with commas. A request from one of them counts as coming from the last "
        "address of its `X-Forwarded-For`, and nobody else is believed. It has an effect together with "
        f"`{PREFIX}ADDRESS`",
        "this machine: `127.0.0.1,::1`",
    ),
    Variable(
        f"{PREFIX}MAIL",
        "how mail is sent: `smtp://user:password@host:587`, `smtps://…`",
        "no mail; organisers approve accounts",
    ),
    Variable(f"{PREFIX}SENDER", "the sender of mail", "`portal@` the address"),
    Variable(
        f"{PREFIX}WEB_WORKERS",
        "processes that answer pages, 40 threads each; uploads may hold six of them, those of one person three, and six may wait "
        "for one of these; two check files that were sent in the browser, and four wait for that; downloads of more than 1 MB may "
        "hold 20. Each thread may keep a connection to the database: PostgreSQL allows 100 in all, unless `max_connections` says "
        "otherwise",
        "2",
    ),
    Variable(
        f"{PREFIX}SHARED",
        "set it to anything where web process and worker are two users of one group: the group can then read and write the "
        "portal's files",
        "for one user alone",
    ),
    Variable(f"{PREFIX}LEASE", "seconds after which the job of a silent worker is taken over", "45"),
    Variable(f"{PREFIX}PUSH_DAYS", "days that what a push of data brought waits for the push to go on, from 1 on", "7"),
    Variable(
        f"{PREFIX}PLUGINS",
        "files and modules of plugins with metrics of the benchmark, separated as in `PATH`; as `--plugin`",
        "installed packages only",
    ),
    Variable("STRIATE_LIVE_TRUTH", "as `--live-truth`; not handed to the web process"),
)
_OF_PROCESSES = ("BIND", "COMPETITION", "DATA", "LIVE_TRUTH", "PARENT")  # which the portal sets itself
# Kubernetes sets these in all containers beside a service called striate-portal.
_OF_KUBERNETES = re.compile(r"SERVICE_(HOST|PORT\w*)|PORT(_\d+_(TCP|UDP)\w*)?")


def check_environment(environment: Mapping[str, str]) -> None:
    """Check all variables of the portal.

    Parameters
    ----------
    environment
        Variables by name, such as ``os.environ``.

    Raises
    ------
    InputError
        If one is unknown, or its value cannot be used.
    """
    _refuse_unknown(environment)
    if address := environment.get(f"{PREFIX}ADDRESS"):
        _check_address(address)
    if mail := environment.get(f"{PREFIX}MAIL"):
        _check_mail(mail)
    for proxy in filter(None, environment.get(f"{PREFIX}PROXIES", "").split(",")):
        _check_proxy(proxy.strip())


def number(name: str, default: float, least: float, most: float) -> float:
    """Read a variable that is a number.

    Parameters
    ----------
    name
        Of the variable.
    default
        If it is not set.
    least, most
        What is allowed.

    Raises
    ------
    InputError
        If it is not a number from `least` to `most`.
    """
    text = os.environ.get(name, "").strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise InputError(f"{name} is {quoted(text)}: give a number from {least:g} to {most:g}, such as {default:g}.")
    return value


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    from difflib import get_close_matches

    known = [*(each.name for each in VARIABLES if each.name.startswith(PREFIX)), *map(variable, LIMITS)]
    internal = {PREFIX + name for name in _OF_PROCESSES}
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in known or name in internal:
            continue
        if _OF_KUBERNETES.fullmatch(name.removeprefix(PREFIX)):
            continue
        close = get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise InputError(
            f"The environment variable {shortened(name)} is unknown: did you mean {close}? Correct its name, or unset it."
        )


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address.rstrip("/"))
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise InputError(
            f"{PREFIX}ADDRESS is {quoted(address)}: give a scheme and a host without a path, such as "
            "https://portal.example.org."
        )


def _check_mail(mail: str) -> None:
    try:
        parts = urlsplit(mail)
        valid = parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:  # what was given may hold a password, and is not quoted
        raise InputError(
            f"{PREFIX}MAIL is not the address of a mail server: give one such as smtp://user:password@host:587, with special "
            "characters of the password percent-encoded."
        )


def _check_proxy(proxy: str) -> None:
    try:
        ipaddress.ip_address(proxy)
    except ValueError:
        raise InputError(
            f"{PREFIX}PROXIES holds {quoted(proxy)}, which is not an IP address: give single addresses with commas, such "
            "as 127.0.0.1,::1."
        ) from None
