"""Reports: scores, figures and provenance of models on one self-contained page, to be shown to a colleague.

The room itself can be called, for a whole report: ``striate.report(recording, {"CNN": run}, "report.html")``.
"""

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from striate.report.comparison import (
    Contender,
    Difference,
    by_protocol,
    by_strength,
    ceiling_note,
    ceiling_scores,
    contend,
    differences,
    metric_labels,
    protocol_title,
    score_rows,
    too_few,
)
from striate.report.report import Material, write_report
from striate.report.report_data import gather, model_name

if TYPE_CHECKING:
    from striate.report.report_data import Models

__all__ = [
    "Contender",
    "Difference",
    "Material",
    "by_protocol",
    "by_strength",
    "ceiling_note",
    "ceiling_scores",
    "contend",
    "differences",
    "gather",
    "metric_labels",
    "model_name",
    "protocol_title",
    "report",
    "score_rows",
    "too_few",
    "write_report",
]


class _Room(ModuleType):
    """Lets `striate.report` be both this room and the function that writes a report."""

    def __call__(
        self,
        recording: Any,
        models: "Models",
        out: str | os.PathLike[str] = "report.html",
        *,
        overwrite: bool = False,
        **options: Any,
    ) -> Path:
        """Set models side by side on one recording, and write the page.

        Parameters
        ----------
        recording, models
            What is predicted, and by what; see `gather`.
        out
            The page to write, one HTML file.
        overwrite
            Whether to replace a file that exists.
        **options
            ``truth``, ``title``, ``bootstrap``, ``seed`` and ``device``; see `gather`.

        Returns
        -------
        Path
            The page.

        Raises
        ------
        InputError
            As `gather`, or if the file exists already.
        """
        from striate._internal.atomic_write import as_path, refuse_existing

        path = as_path(out, "out")
        refuse_existing(path, overwrite)
        write_report(gather(recording, models, **options), path, overwrite=overwrite)
        return path


report = sys.modules[__name__]
report.__class__ = _Room
