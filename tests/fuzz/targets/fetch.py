"""The catalogue, hosts, and what was fetched so far."""

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from tests.fuzz.targets.recordings import archives
from tests.fuzz.targets.target import Target, of_text, reader_of

_PARTIAL = b'{"origin": {"address": "https://a.example/a.zip", "etag": "x", "total": 10}, "synced": 5, "boot": "x"}'
_RECORD = b'{"file": "a.zip", "size": 3, "sha256": "ab", "modified": 5, "fetched": "now", "address": null}'
_HEADERS = b'Content-Length: 10\nContent-Range: bytes 0-9/10\nETag: "x"\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT\nContent-Type: text/html'
_POINTER = b"/annex/objects/MD5E-s423--d41d8cd98f00b204e9800998ecf8427e.zip\n"


def _dataset(path: Path) -> None:
    from striate.catalog import lookup

    lookup._read(path, "sensorium2022")


def _datasets() -> list[bytes]:
    from importlib.resources import files

    return [(files("striate.catalog") / "datasets" / "sensorium2022.toml").read_bytes()]


def _manifest(path: Path) -> None:
    from striate.fetch.describe_dataset import DatasetDetails
    from striate.fetch.describe_manifest import parse_manifest

    parse_manifest(path.read_bytes(), "https://host.example/data/manifest.toml", DatasetDetails())


def _manifests() -> list[bytes]:
    import tomllib

    toml = _datasets()[0]
    return [toml, json.dumps(tomllib.loads(toml.decode())).encode()]


def _partial(path: Path) -> None:
    """Notes of a file on its way, which count as none where they are damaged."""
    from striate.fetch.partial_file import PartialFile

    target = path.with_name("a.part")
    target.write_bytes(b"1234567890")
    path.rename(path.with_name("a.part.json"))
    assert 0 <= PartialFile(target).size <= 10


def _record(path: Path) -> None:
    from striate.catalog import DataFile
    from striate.catalog.local_files import DatasetFolder

    folder, file = DatasetFolder(path.parent), DataFile(name="a.zip")
    (path.parent / ".striate").mkdir()
    path.rename(folder.state_path(file, ".json"))
    folder.is_complete(file)


def _place_of_a_dataset(path: Path) -> None:
    """The note of a folder that a dataset was fetched into."""
    from striate.catalog import get_dataset
    from striate.catalog.local_files import find_fetched, known_folders

    with patch.dict("os.environ", STRIATE_SETTINGS=str(path.parent), STRIATE_CACHE=str(path.parent)):
        kept = path.parent / "places" / "sensorium2022"
        kept.mkdir(parents=True)
        path.rename(kept / "a")
        of = get_dataset("sensorium2022")
        assert known_folders(of.name)
        find_fetched(of, of.files[0])


def _acceptance(path: Path) -> None:
    from striate.catalog import get_dataset
    from striate.fetch import data_terms

    of = get_dataset("sensorium2022")
    with patch.dict("os.environ", STRIATE_SETTINGS=str(path.parent)):
        kept = data_terms._acceptance_path(of)
        kept.parent.mkdir(parents=True)
        path.rename(kept)
        data_terms.find_acceptance(of)


def _retry_after(text: str) -> None:
    from striate.fetch.retry_policy import format_duration, parse_retry_after

    seconds = parse_retry_after({"Retry-After": text})
    if seconds is not None:
        assert seconds >= 0
        format_duration(seconds)


def _headers(text: str) -> None:
    """What a host says of a file that it sends."""
    import urllib3

    from striate.fetch import resumable_transfer
    from striate.fetch.errors import FetchError
    from striate.fetch.http_client import Response

    fields = dict(line.partition(": ")[::2] for line in text.splitlines())
    answer = Response(
        urllib3.HTTPResponse(b"", headers=fields), "https://host.example/a.zip", "https://host.example/a.zip"
    )
    answer.number("Content-Length")
    resumable_transfer._origin(answer, answer.address, answer.number("Content-Length"))
    task = SimpleNamespace(
        size=None, partial=SimpleNamespace(origin=None), file=SimpleNamespace(name="a.zip", about=None)
    )
    for read in (
        lambda: resumable_transfer._handle_range_error(task, answer, -1),  # type: ignore[arg-type]
        lambda: resumable_transfer._reject_web_page(task, answer, text.encode()),  # type: ignore[arg-type]
    ):
        with contextlib.suppress(FetchError):
            read()


def _title(path: Path) -> None:
    from striate.fetch.resumable_transfer import page_title

    page_title(path.read_bytes())


def _proxy(text: str) -> None:
    from striate.fetch.errors import UnusableError
    from striate.fetch.proxies import Proxy, find_proxy

    with contextlib.suppress(UnusableError):
        made = Proxy.parse(text, "HTTPS_PROXY")
        assert made.headers is not None
        assert made.address
    if "\0" not in text:
        with patch.dict("os.environ", https_proxy="http://host:1", no_proxy=text), contextlib.suppress(UnusableError):
            find_proxy("https://data.example/a")


def _token(path: Path) -> None:
    from striate.fetch.auth_tokens import read_token, save_token

    with patch.dict("os.environ", STRIATE_SETTINGS=str(path.parent)):
        save_token("https://host.example/", read_token(path))


def _address(text: str) -> None:
    from striate.fetch.describe_dataset import normalise_address

    normalise_address(text)


def _recording_in(path: Path) -> None:
    from striate.fetch.describe_dataset import inspect_recording

    inspect_recording(path)


def _accepted() -> list[bytes]:
    from striate.catalog import get_dataset

    of = get_dataset("sensorium2022")
    told = {
        "dataset": of.name,
        "licence": "x",
        "address": None,
        "terms": "x",
        "sha256": of.licence.digest,
        "accepted": "now",
    }
    return [json.dumps(told).encode()]


TARGETS: dict[str, Target] = {
    "catalogue": Target(_dataset, "sensorium2022.toml", _datasets),
    "manifest-of-a-host": Target(_manifest, "manifest.toml", _manifests),
    "fetched-part": Target(_partial, "a.json", lambda: [_PARTIAL]),
    "annex-pointer": Target(reader_of("striate.catalog.git_annex", "read_pointer"), "a.zip", lambda: [_POINTER]),
    "fetched-record": Target(_record, "a.json", lambda: [_RECORD]),
    "accepted-terms": Target(_acceptance, "a.json", _accepted),
    "place-of-a-dataset": Target(_place_of_a_dataset, "a", lambda: [b"/data/mice"]),
    "retry-after": Target(of_text(_retry_after), "a.txt", lambda: [b"120", b"Wed, 21 Oct 2015 07:28:00 GMT"]),
    "headers-of-a-host": Target(of_text(_headers), "a.txt", lambda: [_HEADERS]),
    "page-of-a-host": Target(_title, "a.html", lambda: [b"<html><head><title>Down</title></head></html>"]),
    "proxy": Target(
        of_text(_proxy), "a.txt", lambda: [b"http://user:pass%20word@proxy.example:3128", b"10.0.0.0/8,.example.org"]
    ),
    "token": Target(_token, "a.txt", lambda: [b"abc.DEF-123\n"]),
    "address": Target(of_text(_address), "a.txt", lambda: [b"https://host.example:8443/data/?a=b", b"https://[::1]/"]),
    "recording-in-a-file": Target(_recording_in, "static7-1-1-x.zip", archives),
}
