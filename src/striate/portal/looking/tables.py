"""What the page of a recording says in words and numbers, so that nobody depends on the pictures."""

from typing import Any

from django.utils.translation import gettext as _

from striate.portal.decimals import decimals
from striate.recordings.layout import BEHAVIOR, PUPIL_CENTER

Summary = dict[str, Any]
Rows = list[tuple[float, float | None, int]]


def texts(summary: Summary) -> dict[str, Any]:
    """Variables of the page's template, made of the summary of a recording that could be read."""
    orders = [name.split("-") for name in summary["raster"]["levels"]]
    named = {
        "image": _("by tier and image"),
        "time": _("in the order of time"),
        "file": _("as in the file (their order in time is withheld)"),
        "depth": _("by depth"),
        "reliability": _("by reliability"),
        "response": _("by mean response"),
    }
    variables = {
        "images": _("images"),
        "responses": _("responses"),
        "behavior": _("behaviour"),
        "pupil_center": _("eye position"),
    }
    # Of what is written down in English when a recording is prepared.
    said = {
        "grey value": _("grey value"),
        "raw units": _("raw units"),
        BEHAVIOR.components[0]: _("pupil dilation"),
        BEHAVIOR.components[1]: _("derivative of pupil dilation"),
        BEHAVIOR.components[2]: _("running speed"),
        PUPIL_CENTER.components[0]: _("horizontal"),
        PUPIL_CENTER.components[1]: _("vertical"),
        "no image was shown more than once with public responses": _(
            "no image was shown more than once with public responses"
        ),
    }
    return {
        "trial_orders": [(name, named[name]) for name in dict.fromkeys(trials for trials, _neurons in orders)],
        "neuron_orders": [(name, named[name]) for name in dict.fromkeys(neurons for _trials, neurons in orders)],
        "withheld": [variables[name] for name in summary["withheld"]],
        "statistics": [
            (variables[each["variable"]], _in(said, each["component"]), _in(said, each["unit"]), each)
            for each in summary["statistics"]
        ],
        "reason": _in(said, summary["reliability"]["reason"]),
        "zeros": f"{decimals(100 * summary['responses']['zeros'], 1)} %",
        "tables": histogram_tables(summary),
    }


def _in(said: dict[str, str], text: str) -> str:
    return said.get(text, text)


def histogram_tables(summary: Summary) -> dict[str, Rows]:
    """Bins of each distribution: from, to (None for no end), how many."""
    tables = {name: _rows(each["edges"], each["counts"]) for name, each in summary["histograms"].items()}
    responses = summary["responses"]
    return tables | {"value": _rows([*responses["edges"], None], responses["counts"])}


def _rows(edges: list[Any], counts: list[int]) -> Rows:
    return list(zip(edges[:-1], edges[1:], counts, strict=True))
