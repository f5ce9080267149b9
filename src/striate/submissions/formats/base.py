"""Base class of the file formats of submissions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.submissions.submission import Submission


class SubmissionFormat(ABC):
    """Base class of file formats of submissions.

    A derived class is registered with ``@striate.registry.formats.register(name)`` and is called without arguments. Its docstring
    says what the format is. Files may come from strangers: reading must never execute code, and whatever is wrong with a file must
    end in `InputError`.

    Examples
    --------
    >>> from striate.registry import formats
    >>> formats["native"].value().recognises(Path("nowhere.parquet"))
    False
    """

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Return whether an existing path is probably of this format, by its name or its first bytes."""

    @abstractmethod
    def read(
        self,
        path: Path,
        *,
        tier: str | None = None,
        session: str | None = None,
        track: str | None = None,
        protocol: str | None = None,
    ) -> Submission:
        """Read and check a submission.

        Parameters
        ----------
        path
            The file or folder.
        tier, session, track, protocol
            Values that the format does not include, if they are known.

        Raises
        ------
        InputError
            If the file is missing, damaged, or of another format.
        """

    @abstractmethod
    def write(self, submission: Submission, path: Path, *, overwrite: bool = False) -> tuple[Path, ...]:
        """Write a submission, and return the files that were written.

        Raises
        ------
        InputError
            If a file exists and `overwrite` is false, or the format cannot hold the submission.
        """
