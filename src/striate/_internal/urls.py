"""Validate URLs from users, as in licences, citations, method cards and rules."""

from collections.abc import Collection
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

_NOT_IN_ADDRESSES = "<>\"'`\\"


def split_url(address: str) -> SplitResult | None:
    """Split a URL into its parts; None if its host or port is invalid."""
    try:
        parts = urlsplit(address)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def validate_web_address(address: str, schemes: Collection[str] = ("http", "https")) -> str:
    """Return a URL unchanged if a web page can link to it safely.

    Raises
    ------
    ValueError
        If the scheme is not allowed (a ``javascript:`` link would run code in the browser), the host is missing, or the URL contains
        a user name, a password or an invalid character.
    """
    parts = split_url(address)
    sound = parts is not None and parts.scheme in schemes and bool(parts.hostname) and "@" not in parts.netloc
    if not sound or any(c.isspace() or not c.isprintable() or c in _NOT_IN_ADDRESSES for c in address):
        beginnings = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ValueError(
            f"Value should be an address that begins with {beginnings}, has a host, and no name or password in it"
        )
    return address


WebAddress = Annotated[str, AfterValidator(validate_web_address)]
