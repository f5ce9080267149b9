"""Create catalogue entries for datasets on the web, from a manifest or from the headers of the files."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from striate._internal.safe_parsing import MalformedError, parse_json_object, parse_toml
from striate.catalog import DataFile, Dataset
from striate.errors import InputError, shortened
from striate.fetch.describe_dataset import DatasetDetails, normalise_address, to_dataset_name, validate_entry
from striate.fetch.errors import FetchError, OutageError
from striate.fetch.http_client import Client, Response, describe_gone
from striate.fetch.resumable_transfer import page_title
from striate.fetch.retry_policy import RetryPolicy, format_duration, parse_retry_after
from striate.recordings import layout

_LARGEST_MANIFEST = 8 * 2**20
_ENDINGS = (".zip", ".npz", ".h5", ".tar", ".gz")  # a URL with such an ending is that of a file


def describe_address(
    address: str, about: DatasetDetails, names: Iterable[str], retry_policy: RetryPolicy | None = None
) -> Dataset:
    """Create a catalogue entry for files on the web; requests the size of each file.

    Parameters
    ----------
    address
        Base URL, or URL of a manifest (``.toml`` or ``.json``).
    about
        Metadata of the dataset.
    names
        Names of the files relative to a base URL. A manifest lists its own files.
    retry_policy
        Timeouts of the requests.

    Raises
    ------
    InputError
        If a file does not exist, or the manifest is invalid.
    OutageError
        If the host is temporarily unavailable.
    """
    asked = list(names)
    normalise_address(address)  # raises an error if invalid
    if not asked and urlsplit(address).path.endswith(_ENDINGS):
        address, _, last = address.rpartition("/")
        asked = [unquote(last)]
    base = normalise_address(address)
    client = Client(retry_policy or RetryPolicy())
    try:
        if not asked and urlsplit(address).path.endswith((".toml", ".json")):
            return _from_manifest(client, address, about)
        if not asked:
            raise InputError(
                f"{address} does not list its files: name them (--file, again for each), or give the address of a manifest."
            )
        files = [_asked(client, base, name) for name in asked]
        name = to_dataset_name(
            urlsplit(base).path.rstrip("/").rsplit("/", 1)[-1] or urlsplit(base).hostname or "dataset"
        )
        return validate_entry(about.tables(name) | {"addresses": [base], "files": files}, address)
    finally:
        client.close()


def _asked(client: Client, base: str, name: str) -> dict[str, Any]:
    checked = DataFile.model_validate({"name": name}) if _is_name(name) else None
    if checked is None:
        raise InputError(f"{name!r} is no path below {base}: give it without .., and without a leading slash.")
    response = _request(client, base + quote(name), "HEAD")
    size = response.number("Content-Length")
    if response.headers.get("Content-Type", "").lower().startswith("text/html") and not name.endswith(
        (".html", ".htm")
    ):
        raise InputError(f"{response.host} has a web page and no file at {response.address}.")
    session = layout.session_from_file_name(name.rsplit("/", 1)[-1])
    told = {"name": name, "size": size, "session": session}
    return {key: value for key, value in told.items() if value is not None}


def _is_name(name: str) -> bool:
    try:
        DataFile(name=name)
    except ValueError:
        return False
    return True


def _from_manifest(client: Client, address: str, about: DatasetDetails) -> Dataset:
    response = _request(client, address, "GET")
    try:
        content = b""
        while more := response.read():
            content += more
            if len(content) > _LARGEST_MANIFEST:
                raise InputError(f"{address} is larger than a manifest can be.")
    except FetchError as failure:
        raise OutageError(f"{address} could not be read: {failure.reason}") from failure
    finally:
        response.close()
    return parse_manifest(content, address, about)


def parse_manifest(content: bytes, source: str, about: DatasetDetails) -> Dataset:
    """Parse a manifest: a catalogue entry as TOML or JSON, whose addresses may be relative to its own URL.

    Parameters
    ----------
    content
        Content of the manifest.
    source
        URL or path of the manifest.
    about
        Metadata that replaces that of the manifest.

    Raises
    ------
    InputError
        If the content is not a valid manifest.
    """
    text = content.decode("utf-8", errors="replace")
    try:
        tables: Any = parse_json_object(text) if text.lstrip().startswith("{") else parse_toml(text)
    except MalformedError as error:
        page = page_title(content)
        if content.startswith(b"PK"):
            raise InputError(
                f"{source} is a zip and no manifest of a dataset: give the folder that holds it."
            ) from error
        what = f"it is a web page (“{shortened(page)}”)" if page else f"it is not valid TOML or JSON ({error.reason})"
        raise InputError(f"{source} is no manifest of a dataset: {what}.") from error
    if isinstance(addresses := tables.get("addresses"), list) and urlsplit(source).scheme in ("http", "https"):
        tables["addresses"] = [urljoin(source, each) if isinstance(each, str) else each for each in addresses]
        if any(isinstance(each, str) and each.startswith("/") for each in tables["addresses"]):
            raise InputError(f"{source} names a folder of this machine as an address: a manifest may not.")
    told = about.tables(str(tables.get("name", "")))
    given = {key: told[key] for key in ("name", "title", "homepage") if getattr(about, key, None)}
    if about.licence or about.terms:
        given["licence"] = told["licence"]
    if about.citation:
        given["citation"] = told["citation"]
    return validate_entry({**tables, **given}, source)


def _request(client: Client, address: str, method: str) -> Response:
    try:
        response = client.get(address, method=method)
    except FetchError as failure:
        raise OutageError(failure.reason) from failure
    if response.status == 200:
        return response
    if response.status == 410:
        said = describe_gone(response, address)
        response.close()
        raise InputError(f"{said}.")
    response.close()
    if response.status in (429, 502, 503, 504):
        asked = parse_retry_after(response.headers)
        when = f" in {format_duration(asked)}" if asked is not None else " later"
        raise OutageError(f"{response.host} is down or under maintenance ({response.status})", f"Try again{when}.")
    mend = {
        401: "it wants to know who asks: make a token there, and give it with --token-file",
        403: "it knows who asks, and refuses: accept the terms there first, or ask for access",
        404: "there is nothing at this address",
    }.get(response.status, "ask its owners")
    raise InputError(f"{response.host} answers {response.status} to {address}: {mend}.")
