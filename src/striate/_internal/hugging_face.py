"""Models on the Hugging Face Hub: references ``hf:USER/NAME``, downloads and uploads.

The package ``huggingface_hub`` (the extra ``hub``) is imported when it is first needed. The environment variable
``HF_ENDPOINT`` chooses another server than huggingface.co.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from striate._internal.atomic_write import as_path
from striate.errors import InputError, option, quoted, shortened

PREFIX = "hf:"
_REFERENCE = re.compile(r"hf:([A-Za-z0-9][\w.-]{0,95})/([A-Za-z0-9][\w.-]{0,95})(?:@([\w./-]{1,100}))?")
# The kinds of files that striate writes. None of them can hold code, and no other file is downloaded.
FILES = ("*.safetensors", "*.parquet", "*.json", "*.toml", "README.md")


class Reference(NamedTuple):
    """A model on the hub.

    Attributes
    ----------
    repository
        Name of the user or organisation, and of the model: ``"USER/NAME"``.
    revision
        Branch, tag or commit; None for the latest version.
    """

    repository: str
    revision: str | None


def is_reference(given: object) -> bool:
    """Return whether a path that a user gave names a model on the hub.

    Examples
    --------
    >>> is_reference("hf:ada/v1-cnn"), is_reference("runs/cnn")
    (True, False)
    """
    return isinstance(given, str | os.PathLike) and str(given).startswith(PREFIX)


def parse_reference(given: str | os.PathLike[str]) -> Reference:
    """Split ``hf:USER/NAME`` or ``hf:USER/NAME@REVISION``.

    Raises
    ------
    InputError
        If it has another form.

    Examples
    --------
    >>> parse_reference("hf:ada/v1-cnn@main")
    Reference(repository='ada/v1-cnn', revision='main')
    """
    match = _REFERENCE.fullmatch(str(given))
    if match is None:
        raise InputError(
            f"{quoted(str(given))} names no model on the Hugging Face Hub: give hf:USER/NAME, such as hf:ada/v1-cnn."
        )
    return Reference(f"{match[1]}/{match[2]}", match[3])


def local_folder(given: str | os.PathLike[str], what: str) -> Path:
    """Return a path, or the folder that a model on the hub has been downloaded to.

    Parameters
    ----------
    given
        Path, or ``hf:USER/NAME``.
    what
        What is given, for the message about a wrong type.
    """
    return download(given) if is_reference(given) else as_path(given, what)


def download(given: str | os.PathLike[str]) -> Path:
    """Download a model into the cache of ``huggingface_hub``, and return its folder there.

    Raises
    ------
    InputError
        If there is no such model, it cannot be reached, or ``huggingface_hub`` is not installed.
    """
    reference = parse_reference(given)
    hub = _hub()
    with _clear_errors(reference):
        folder = hub.snapshot_download(
            reference.repository, revision=reference.revision, allow_patterns=list(FILES), endpoint=_endpoint()
        )
    return Path(folder)


def upload(folder: Path, given: str | os.PathLike[str], *, private: bool, overwrite: bool) -> str:
    """Upload all files of a folder as one commit, and return the address of the model.

    Raises
    ------
    InputError
        If the model exists and `overwrite` is false, the upload is refused, or ``huggingface_hub`` is not installed.
    """
    reference = parse_reference(given)
    if reference.revision is not None:
        raise InputError(f"{given} names a revision, which an upload makes itself: give hf:{reference.repository}.")
    hub = _hub()
    with _clear_errors(reference):
        api = hub.HfApi(endpoint=_endpoint(), library_name="striate")
        if not overwrite and api.repo_exists(reference.repository):
            raise InputError(
                f"hf:{reference.repository} exists: choose another name, or allow it to be replaced "
                f"({option('--overwrite', 'overwrite=True')})."
            )
        api.create_repo(reference.repository, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=reference.repository,
            folder_path=folder,
            commit_message="Upload a model of striate",
            delete_patterns=["*"],  # files of an earlier model
        )
    return f"{api.endpoint}/{reference.repository}"


def _endpoint() -> str | None:
    """Return the server to use. huggingface_hub reads the variable only once, when it is imported."""
    return os.environ.get("HF_ENDPOINT") or None


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise InputError(
            "Models on the Hugging Face Hub need the package huggingface_hub: pip install 'striate[hub]'."
        ) from error
    return huggingface_hub


@contextlib.contextmanager
def _clear_errors(reference: Reference) -> Iterator[None]:
    """Turn the exceptions of huggingface_hub into one sentence each."""
    from huggingface_hub import errors

    name = f"hf:{reference.repository}"
    try:
        yield
    except errors.RevisionNotFoundError as error:
        raise InputError(
            f"{name} has no revision {quoted(reference.revision)}: leave it out for the latest."
        ) from error
    except (errors.RepositoryNotFoundError, errors.GatedRepoError) as error:
        raise InputError(
            f"There is no model {name}, or you may not see it: check the name, and log in (hf auth login) if it is private."
        ) from error
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            raise InputError(f"You may not write {name}: log in with a token that may (hf auth login).") from error
        raise InputError(f"The hub refused {name} ({_reason(error)}): try again later.") from error
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # no network, no disk space, an odd answer
        raise InputError(f"{name} cannot be reached ({_reason(error)}): check the network, and try again.") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "httpcore", "requests"):
            raise
        raise InputError(f"{name} cannot be reached ({_reason(error)}): check the network, and try again.") from error


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return shortened(text, 120)
