"""Refuse what would give the competition away, before it is published: secrets of striate, and what could be withheld responses."""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from functools import cache
from pathlib import Path

from django.utils.translation import gettext

from striate._internal.safe_parsing import MalformedError, parse_json
from striate.competition.looking_into import Search, unpacked_by_libraries
from striate.competition.secret_files import kind_of_secret
from striate.competition.withheld_responses import Population, Suspicion, populations
from striate.errors import InputError
from striate.fetch.describe_dataset import inspect_recording
from striate.portal.competition import competition, place
from striate.portal.receiving.confine import bare_environment
from striate.portal.receiving.keys import read_keys

_LIMITS = (4 * 2**30, 300, 2**34)  # bytes of memory, seconds of the processor, bytes of a file that is unpacked
_PATIENCE = 600.0  # seconds on the wall
_HEAD = 4096  # bytes


def refuse_secret(file: Path, sha256: str, shown: str = "", *, allowed: bool = False) -> Suspicion | None:
    """Refuse what would give the competition away.

    Parameters
    ----------
    file
        What is looked into.
    sha256
        Its hash.
    shown
        What it is called in the sentence.
    allowed
        Whether an organiser says that what is suspicious holds no withheld responses.

    Returns
    -------
    Suspicion or None
        What made it suspicious, where it was allowed.

    Raises
    ------
    InputError
        If it is, or holds, a vault or a truth; if it is a recording of a track, but not the one that was committed to; or if it could hold
        withheld responses, and nobody says that it does not.
    """
    called = shown or gettext("The file with the hash %(hash)s…") % {"hash": sha256[:12]}
    kind = kind_of_secret(file)
    if kind is not None:
        raise _never(called, kind)
    session = inspect_recording(file).get("session")
    if session is not None:
        refuse_other_recording(session, sha256, called)
        if competition().rules.track_of(session) is not None:  # the one that was audited and committed to
            return None
    found = suspicion(file)
    if found is None:
        return None
    if found.certain:
        raise _never(called, found.why)
    if allowed:
        return found
    raise InputError(
        gettext(
            "%(file)s could hold withheld responses: %(why)s. Take it out of the folder; or, if you know that it holds none, say so: "
            "--allow and its path."
        )
        % {"file": called, "why": found.why}
    )


def refuse_other_recording(session: str, sha256: str, called: str) -> None:
    """Refuse a recording of a track that is not the one whose withheld responses were taken out.

    Raises
    ------
    InputError
        If it is another file than the competition's manifest lists.
    """
    made = competition()
    if made.rules.track_of(session) is None or made.manifest.archive(session).sha256 == sha256:
        return
    raise InputError(
        gettext(
            "%(file)s is of recording %(session)s, whose test responses the competition withholds, and it is not the archive that "
            "the competition has committed to: it may hold them. Take it out of the folder, or put the committed one in its place."
        )
        % {"file": called, "session": session}
    )


def suspicion(file: Path) -> Suspicion | None:
    """What makes a file suspicious; what needs libraries to be read is read by a process of its own."""
    search = Search(known_populations(), place().uploads)
    if file.stat().st_size < search.tally.capacity:
        return None
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
    return _apart(file) if unpacked_by_libraries(head) else search.look(file)


@cache
def known_populations() -> tuple[Population, ...]:
    """The tracks' populations, as everybody may know them."""
    _, keys = read_keys(place().keys)
    return tuple(populations(keys))


def _apart(file: Path) -> Suspicion | None:
    told = [asdict(each) | {"hashes": []} for each in known_populations()]
    with tempfile.TemporaryDirectory(dir=place().uploads, prefix="whole-") as aside:
        job = {"file": str(file.resolve()), "aside": aside, "populations": told, "limits": _LIMITS}
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "striate.portal.hosting.searching"],
                input=json.dumps(job).encode(),
                capture_output=True,
                cwd="/",
                env=bare_environment(),
                timeout=_PATIENCE,
                check=True,
            )
            if (found := parse_json(done.stdout)) is None:
                return None
            return Suspicion(str(found["why"])[:500], bool(found["certain"]))
        except (subprocess.SubprocessError, MalformedError, LookupError, TypeError):  # it fell, or took too long
            return Suspicion("it cannot be looked into within the limits of memory and time")


def _never(called: str, kind: str) -> InputError:
    return InputError(
        gettext("%(file)s is %(secret)s: it must never be published. Take it out of the folder.")
        % {"file": called, "secret": kind}
    )
