"""Parse git-annex pointers: small text files that replace large files in a repository.

Many hosts of scientific data manage large files with git-annex. A clone or an archive of such a repository contains only
pointers. A key such as ``MD5E-s423--d41d8cd98f00b204e9800998ecf8427e.zip`` consists of the hash method, the size in bytes
and the hash of the content.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

MAX_POINTER_BYTES = 32 * 1024  # bytes: the limit of git-annex itself

_KEY = re.compile(
    r"^(?P<method>[A-Z0-9]+?)(?P<named>E?)(?P<fields>(?:-[sSmC]\d{1,18})*)--(?P<hash>[0-9a-f]+)(?:\.[^/]*)?$"
)
_DIGITS = {"MD5": 32, "SHA1": 40, "SHA256": 64}


@dataclass(frozen=True)
class AnnexKey:
    """Parsed git-annex key.

    Attributes
    ----------
    name
        The key as text.
    size
        Size of the content in bytes; None if the key has no size.
    md5, sha256
        Hash of the content; None if the key uses another method.
    """

    name: str
    size: int | None
    md5: str | None
    sha256: str | None


def parse_key(name: str) -> AnnexKey | None:
    """Parse a git-annex key; return None if `name` is not a key."""
    match = _KEY.match(name)
    if match is None or len(match["hash"]) != _DIGITS.get(match["method"], len(match["hash"])):
        return None
    size = re.search(r"-s(\d+)", match["fields"])
    of = {match["method"]: match["hash"]}
    return AnnexKey(name, int(size[1]) if size else None, of.get("MD5"), of.get("SHA256"))


def parse_pointer(content: bytes) -> AnnexKey | None:
    """Parse the content of a file as a pointer; return None if it is not a pointer."""
    if len(content) > MAX_POINTER_BYTES or b"annex/objects/" not in content:
        return None
    first = content.splitlines()[0].decode("utf-8", errors="replace").replace("\\", "/")
    return parse_key(first.rsplit("/", 1)[-1].strip()) if "annex/objects/" in first else None


def read_pointer(path: Path) -> AnnexKey | None:
    """Read a pointer: a file that contains a key, or a broken symbolic link into an annex.

    Returns
    -------
    AnnexKey or None
        None if the path is not a pointer, or if the content is present.
    """
    try:
        if path.is_file():
            return parse_pointer(path.read_bytes()) if path.stat().st_size <= MAX_POINTER_BYTES else None
        if path.is_symlink():
            target = str(path.readlink()).replace("\\", "/")
            return parse_key(target.rsplit("/", 1)[-1]) if "annex/objects/" in target else None
    except OSError:
        return None
    return None


def find_content(path: Path, key: AnnexKey) -> Path | None:
    """Find the content of a pointer in its clone; return None if git-annex has not downloaded it."""
    for folder in path.absolute().parents:
        for objects in (folder / ".git" / "annex" / "objects", folder / "annex" / "objects"):  # with files, or bare
            if not objects.is_dir():
                continue
            digits = hashlib.md5(key.name.encode(), usedforsecurity=False).hexdigest()
            for place in (objects / digits[:3] / digits[3:6], *objects.glob("??/??")):
                if (content := place / key.name / key.name).is_file():
                    return content
    return None
