"""The native format of submissions: one Parquet file."""

from pathlib import Path

from striate._internal.paths import expand_path
from striate.errors import InputError
from striate.registry import formats
from striate.submissions.formats import parquet
from striate.submissions.formats.base import SubmissionFormat
from striate.submissions.submission import Submission


@formats.register("native")
class NativeFormat(SubmissionFormat):
    """One Parquet file with all tiers, the session, the track and the protocol.

    Examples
    --------
    >>> NativeFormat().recognises(Path("nowhere.parquet"))
    False
    """

    def recognises(self, path: Path) -> bool:
        """Return whether a path is a Parquet file, by its first bytes or by its suffix."""
        file = expand_path(path)
        try:
            return file.is_file() and (file.suffix.lower() in parquet.SUFFIXES or parquet.is_parquet(file))
        except OSError as error:
            raise InputError(f"{file} cannot be read ({error.strerror}).") from error

    def read(
        self,
        path: Path,
        *,
        tier: str | None = None,
        session: str | None = None,
        track: str | None = None,
        protocol: str | None = None,
    ) -> Submission:
        """Read and check a submission; the file includes tiers, session, track and protocol."""
        return Submission.read(path)

    def write(self, submission: Submission, path: Path, *, overwrite: bool = False) -> tuple[Path, ...]:
        """Write a submission to one Parquet file."""
        submission.write(path, overwrite=overwrite)
        return (path,)
