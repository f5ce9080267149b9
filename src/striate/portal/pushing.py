"""Publish a folder as a version of a portal's data: hashed here, only what is missing is sent, and all of it appears in one step."""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from striate._internal.progress_bars import format_size, progress_bar
from striate.competition.looking_into import Search
from striate.competition.manifest import sha256_of
from striate.competition.secret_files import kind_of_secret
from striate.competition.withheld_responses import populations
from striate.errors import InputError, listed, nearest
from striate.fetch.describe_dataset import inspect_recording
from striate.portal.client import Portal, UploadState
from striate.portal.receiving.keys import parsed_keys

if TYPE_CHECKING:
    from striate.competition import Vault

_SMALL = 2**20  # bytes of a file that is sent together with others
_TOGETHER, _MOST_TOGETHER = 3 * 2**20, 200  # bytes and number of files in one call: it is answered in a few seconds
_TRIES = 2
_NAMED_EVERY = 3600.0  # seconds
_MOST_SHOWN = 5  # files of which a sentence says how each is allowed


@dataclass(frozen=True)
class LocalFile:
    """A file of the folder.

    Attributes
    ----------
    path
        Below the folder.
    file
        Where it is.
    size, sha256
        Of its content.
    session
        The recording that it holds, if it is one.
    """

    path: str
    file: Path
    size: int
    sha256: str
    session: str | None

    @property
    def entry(self) -> Mapping[str, Any]:
        """As a portal is told of it."""
        told = {"path": self.path, "size": self.size, "sha256": self.sha256}
        return told | ({"session": self.session} if self.session else {})


@dataclass(frozen=True)
class Pushed:
    """What became of a folder.

    Attributes
    ----------
    number, sha256
        Of the version.
    page
        Where it is described.
    new
        Whether it is a new version; the same files under the same terms are the same version.
    sent
        Bytes that had to be sent.
    """

    number: int
    sha256: str
    page: str
    new: bool
    sent: int


class _Missing(BaseModel):
    missing: list[str]


class _ContentState(UploadState):
    id: str | None  # type: ignore[assignment]


class _Version(BaseModel):
    number: int
    sha256: str
    page: str


class Publisher(Portal):
    """A portal, as an organiser's program sees it."""

    def push(
        self,
        folder: Path,
        *,
        note: str = "",
        allow: Collection[str] = (),
        vault: "Vault | None" = None,
        listener: Callable[[str], None] = lambda _: None,
    ) -> Pushed:
        """Publish a folder as a version of the data. After whatever broke it, call it again: it goes on where it was.

        Parameters
        ----------
        folder
            All files of the version; hidden ones are left out.
        note
            What is new in it.
        allow
            Paths below the folder, of files that hold no withheld responses, however they look.
        vault
            That of the competition: with it, what is withheld is known by its values, too. It does not leave this machine.
        listener
            Is told what is being done.

        Raises
        ------
        InputError
            If something in the folder must not be published, or the portal refuses it; nothing of it is visible then.
        OutageError
            If the portal is down or under maintenance; what arrived there stays.
        """
        files = list(read_folder(folder))
        require_known(allow, files)
        new = {"files": [each.entry for each in files], "note": note}
        _, answer = self._ask("POST", "api/v1/data/missing", new, needs=_Missing)
        missing = set(answer["missing"])
        contents = {each.sha256: each for each in files if each.sha256 in missing}
        if contents or vault is not None:
            keys = parsed_keys(self._request("GET", "api/v1/keys").data, f"{self.address}api/v1/keys")[1]
            known = {each.path for each in files if each.sha256 not in missing}
            looked_at = [each for each in files if vault is not None or each.path not in known]
            # What the portal has was allowed, or is the competition's own: only what the vault knows is refused.
            refuse_suspicious(looked_at, Search(populations(keys, vault)), known.union(allow))
        self._allowed = {each.sha256 for each in files if each.path in allow}
        total = sum(each.size for each in contents.values())
        listener(
            f"{len(files)} files, {format_size(sum(each.size for each in files))}; {format_size(total)} of them are new to the portal"
            if total
            else f"{len(files)} files, all of which the portal has"
        )
        with progress_bar("sending", total) as advance:
            named = time.monotonic()
            for few in _batches(list(contents.values())):
                if time.monotonic() - named > _NAMED_EVERY:  # so that nothing that was sent is taken for given up
                    self._ask("POST", "api/v1/data/missing", new)
                    named = time.monotonic()
                if few[0].size <= _SMALL:
                    self._send_small(few, advance)
                else:
                    self._send_large(few[0], advance)
        status, made = self._ask("POST", "api/v1/data/versions", new, needs=_Version)
        return Pushed(int(made["number"]), str(made["sha256"]), str(made["page"]), status == 201, total)

    def _send_small(self, few: Sequence[LocalFile], advance: Callable[[int], None]) -> None:
        listed = json.dumps(
            [{"sha256": each.sha256, "size": each.size, "allow": each.sha256 in self._allowed} for each in few]
        )
        body = b"".join([listed.encode(), b"\n", *(each.file.read_bytes() for each in few)])
        self._ask("PUT", "api/v1/data/contents", body=body)
        advance(sum(each.size for each in few))

    def _send_large(self, content: LocalFile, advance: Callable[[int], None]) -> None:
        about = {"sha256": content.sha256, "size": content.size, "filename": content.path[-200:]}
        shown = 0

        def advance_to(more: int) -> None:
            nonlocal shown
            shown += more
            advance(more)

        for left in reversed(range(_TRIES)):
            _, state = self._ask("POST", "api/v1/data/contents", about, needs=_ContentState)
            if state["id"] is None:  # another program of the same organiser has brought it meanwhile
                advance(content.size - shown)
                return
            try:
                number = self._send_parts(content.file, state, advance_to)
                self._ask(
                    "POST", "api/v1/data/whole-contents", {"upload": number, "allow": content.sha256 in self._allowed}
                )
            except InputError:  # as one that sends the same at the same time can cause
                if not left:
                    raise
                advance_to(-shown)
            else:
                return


def _batches(files: Sequence[LocalFile]) -> Iterator[list[LocalFile]]:
    """Small files together, large ones alone and afterwards."""
    batch: list[LocalFile] = []
    size = 0
    for each in (each for each in files if each.size <= _SMALL):
        if batch and (len(batch) == _MOST_TOGETHER or size + each.size > _TOGETHER):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.size
    if batch:
        yield batch
    yield from ([each] for each in files if each.size > _SMALL)


def read_folder(folder: Path) -> Iterator[LocalFile]:
    """Hash the files of a folder, and look into each for what must not be published.

    Raises
    ------
    InputError
        If there are none, one is a link, or one is a vault or a truth.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give the one whose files are to be published.")
    paths = [path for path in sorted(folder.rglob("*")) if not path.is_dir() or path.is_symlink()]
    paths = [path for path in paths if not _is_hidden(path.relative_to(folder))]
    if not paths:
        raise InputError(f"{folder} has no files to publish.")
    with progress_bar(f"reading {folder.name}", len(paths)) as advance:
        for path in paths:
            name = path.relative_to(folder).as_posix()
            if path.is_symlink() or not path.is_file():
                raise InputError(
                    f"{path} is a link or no plain file, and only plain files are published: put a copy there."
                )
            if kind := kind_of_secret(path):
                raise InputError(f"{path} is {kind}: it must never be published. Take it out of {folder}.")
            session = inspect_recording(path).get("session") if path.suffix.lower() == ".zip" else None
            yield LocalFile(name, path, path.stat().st_size, sha256_of(path), session)
            advance(1)


def require_known(allow: Collection[str], files: Sequence[LocalFile]) -> None:
    """Refuse an allowance of what is not there.

    Raises
    ------
    InputError
        If a path is none of the folder's.
    """
    known = {each.path for each in files}
    for each in allow:
        if each not in known:
            raise InputError(
                f"The folder has no {each!r} to be allowed: give paths below the folder; {nearest(each, sorted(known))}."
            )


def refuse_suspicious(files: Sequence[LocalFile], search: Search, allow: Collection[str]) -> None:
    """Look into files for withheld responses, and into all of them together.

    Raises
    ------
    InputError
        If one holds some, or could, and is not allowed.
    """
    first = ""
    suspicious: list[str] = []
    with progress_bar("looking into the files", len(files)) as advance:
        for each in files:
            # What is allowed is looked into all the same, by itself: nobody can allow what is known to be a secret. So is what comes
            # after the first that is suspicious, since what was counted before it would make any other suspicious, too.
            alone = each.path in allow or suspicious
            found = search.apart().look(each.file) if alone else search.look(each.file)
            if found is not None and found.certain:
                raise InputError(f"{each.path}: {found.why}. It must never be published: take it out of the folder.")
            if found is not None and each.path not in allow:
                first = first or found.why
                suspicious.append(each.path)
            advance(1)
    if suspicious:
        others = f"; so could {listed(suspicious[1:])}" if len(suspicious) > 1 else ""
        shown = suspicious if len(suspicious) <= _MOST_SHOWN else ["PATH"]
        allowed = " ".join(f"--allow {quote(path)}" for path in shown)
        raise InputError(
            f"{suspicious[0]} could hold withheld responses: {first}{others}. Take out of the folder what does; or, of what you know "
            f"that it holds none, say so: {allowed}"
        )


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
