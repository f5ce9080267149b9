"""Names of sessions, such as ``27204-5-13``."""

import re

from striate._internal.file_names import MAX_NAME_BYTES, file_name_problem
from striate.errors import InputError

_SESSION = re.compile(r"[A-Za-z0-9_-]+")


def is_session(name: str) -> bool:
    """Return whether `name` can name a session.

    Examples
    --------
    >>> is_session("27204-5-13"), is_session("a/b")
    (True, False)
    """
    return bool(_SESSION.fullmatch(name)) and file_name_problem(name) is None


def valid_session(session: object) -> str:
    """Return `session` if it can name a recording.

    Raises
    ------
    InputError
        If it has characters other than letters, digits, ``-`` and ``_``, is longer than `LONGEST_NAME`, or is a
        reserved name.
    """
    if not isinstance(session, str) or not is_session(session):
        session = str(session)
        shown = session if len(session) <= MAX_NAME_BYTES else f"{session[:40]}…"
        raise InputError(
            f"{shown!r} cannot name a session: use up to {MAX_NAME_BYTES} letters, digits, '-' and '_', "
            "like 27204-5-13 (animal-session-scan)."
        )
    return session
