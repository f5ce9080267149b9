"""Reports: scores, figures and provenance of models on one self-contained HTML page.

The package itself is callable and writes a whole report: ``striate.report(recording, {"CNN": run}, "report.html")``.

Examples
--------
>>> import tempfile
>>> import numpy as np
>>> import striate
>>> recording = striate.simulate(neurons=5, train=10, validation=2, test_images=4, repeats=2, image_shape=(36, 64)).recording
>>> submission = striate.Submission.from_array(recording, np.ones((8, 5)), protocol="image")
>>> data = striate.report.collect_report_data(recording, {"constant": submission}, bootstrap=0)
>>> [model.name for model in data.models]
['constant']
"""

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from striate.report.comparison import (
    PairedDifference,
    ScoredModel,
    ceiling_description,
    ceilings_with_intervals,
    group_by_protocol,
    has_too_few_images,
    metric_labels,
    paired_differences,
    protocol_title,
    ranking_metric,
    score_model,
    score_text,
    scores_with_intervals,
    sort_by_score,
)
from striate.report.report import ReportData, write_report
from striate.report.report_data import collect_report_data, model_name

if TYPE_CHECKING:
    from striate.report.report_data import Models

__all__ = [
    "PairedDifference",
    "ReportData",
    "ScoredModel",
    "ceiling_description",
    "ceilings_with_intervals",
    "collect_report_data",
    "group_by_protocol",
    "has_too_few_images",
    "metric_labels",
    "model_name",
    "paired_differences",
    "protocol_title",
    "ranking_metric",
    "report",
    "score_model",
    "score_text",
    "scores_with_intervals",
    "sort_by_score",
    "write_report",
]


class _CallableModule(ModuleType):
    """Makes `striate.report` both this package and the function that writes a report."""

    def __call__(
        self,
        recording: Any,
        models: "Models",
        out: str | os.PathLike[str] = "report.html",
        *,
        overwrite: bool = False,
        **options: Any,
    ) -> Path:
        """Compare models on one recording, and write the report.

        Parameters
        ----------
        recording, models
            The predicted recording and the models to compare; see `collect_report_data`.
        out
            HTML file to write.
        overwrite
            Whether to replace an existing file.
        **options
            The arguments ``truth``, ``title``, ``metrics``, ``bootstrap``, ``seed`` and ``device`` of `collect_report_data`.

        Returns
        -------
        Path
            The HTML file.

        Raises
        ------
        InputError
            If the file exists and `overwrite` is False, and as in `collect_report_data`.
        """
        from striate._internal.atomic_write import as_path, refuse_existing

        path = as_path(out, "out")
        refuse_existing(path, overwrite)
        write_report(collect_report_data(recording, models, **options), path, overwrite=overwrite)
        return path


report = sys.modules[__name__]
report.__class__ = _CallableModule
