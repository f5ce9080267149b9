"""Metadata of a model card: the block of YAML at its top, with the fields of the Hugging Face Hub."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from striate.metrics.registered import metric_label
from striate.training.session_scores import SessionScores

# Identifiers of the hub for licences of data that catalogues name. Others are `other`, with their name.
_LICENCES = frozenset(
    {
        "apache-2.0",
        "bsd-3-clause",
        "cc-by-2.0",
        "cc-by-3.0",
        "cc-by-4.0",
        "cc-by-nc-3.0",
        "cc-by-nc-4.0",
        "cc-by-nc-nd-3.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-3.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nd-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "cc0-1.0",
        "mit",
        "odc-by",
        "odbl",
    }
)


def licence_fields(name: str | None) -> dict[str, str]:
    """Return the fields of a licence.

    Examples
    --------
    >>> licence_fields("CC BY-NC-ND 4.0")
    {'license': 'cc-by-nc-nd-4.0'}
    >>> licence_fields("ask Ada"), licence_fields(None)
    ({'license': 'other', 'license_name': 'ask-ada'}, {'license': 'unknown'})
    """
    if name is None:
        return {"license": "unknown"}
    identifier = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
    return {"license": identifier} if identifier in _LICENCES else {"license": "other", "license_name": identifier}


def card_metadata(
    name: str,
    protocol: str,
    benchmarks: Sequence[str],
    datasets: Sequence[str],
    licence: str | None,
    scores: SessionScores,
) -> dict[str, Any]:
    """Return the fields of a model card.

    Parameters
    ----------
    name
        Name of the model.
    protocol
        Protocol of the model, which becomes a tag.
    benchmarks
        Names of the benchmarks of the recordings.
    datasets
        Names of the datasets in the catalogue that the recordings belong to.
    licence
        Name of the licence; None if it is not known.
    scores
        Scores of each tier of each recording.
    """
    results = [
        {
            "task": {"type": "neural-response-prediction", "name": "Prediction of neuronal responses"},
            "dataset": {
                "type": (datasets or benchmarks)[0],
                "name": f"recording {session}, tier {tier}",
                "split": tier,
            },
            "metrics": [
                {"type": metric, "name": metric_label(metric), "value": round(summary.mean, 6)}
                | ({} if summary.low is None else {"args": _interval(summary.low, summary.high)})
                for metric, summary in found.metrics.items()
                if summary.mean is not None
            ],
        }
        for session, tiers in scores.sessions.items()
        for tier, found in tiers.items()
        if any(summary.mean is not None for summary in found.metrics.values())
    ]
    metrics = dict.fromkeys(metric["type"] for result in results for metric in result["metrics"])  # type: ignore[index]
    fields: dict[str, Any] = {"library_name": "striate", **licence_fields(licence)}
    if datasets:
        fields["datasets"] = list(datasets)
    fields["tags"] = ["striate", "visual-cortex", "neural-encoding", "neuroscience", *benchmarks, _tag(protocol)]
    if metrics:
        fields["metrics"] = list(metrics)
        fields["model-index"] = [{"name": name, "results": results}]
    return fields


def _interval(low: float, high: float | None) -> dict[str, Any]:
    return {"confidence_level": 0.95, "low": round(low, 6), "high": None if high is None else round(high, 6)}


def _tag(protocol: str) -> str:
    return "protocol-" + re.sub(r"[^a-z0-9]+", "-", protocol.lower()).strip("-")


def to_yaml(fields: Mapping[str, Any]) -> str:
    """Write fields as YAML: mappings, lists, text, numbers, true and false.

    All text is quoted as in JSON, which YAML reads, so that no text can be taken for something else.

    Examples
    --------
    >>> print(to_yaml({"license": "mit", "tags": ["a", "b"], "model-index": [{"name": "cnn", "results": []}]}))
    license: "mit"
    tags:
      - "a"
      - "b"
    model-index:
      - name: "cnn"
        results: []
    """
    return "\n".join(_lines(fields, ""))


def _lines(value: Any, indent: str) -> Iterator[str]:
    pairs = [(f"{key}:", each) for key, each in value.items()] if isinstance(value, Mapping) else None
    for start, each in pairs if pairs is not None else [("-", each) for each in value]:
        if not isinstance(each, Mapping | list) or not each:
            yield f"{indent}{start} {json.dumps(each, ensure_ascii=False)}"
        elif start == "-" and isinstance(each, Mapping):  # its first key stands behind the dash
            first, *rest = _lines(each, indent + "  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{indent}{start}"
            yield from _lines(each, indent + "  ")
