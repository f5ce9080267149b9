"""Checks of the environment variables of the portal: a misspelt or malformed one is refused before anything starts."""

import ipaddress
import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from striate.errors import InputError, quoted, shortened
from striate.portal.rates import DEFAULTS, variable

PREFIX = "STRIATE_PORTAL_"
_OF_USERS = (
    *("ADDRESS", "LEASE", "MAIL", "PROXIES", "PUSH_DAYS", "SECRET_KEY", "SECRET_KEY_FILE", "SENDER", "SHARED"),
    *("STORAGE", "WEB_WORKERS"),
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

    known = [*(PREFIX + name for name in _OF_USERS), *map(variable, DEFAULTS)]
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
