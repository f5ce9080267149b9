"""What the page of a recording says in words and numbers, so that nobody depends on the pictures."""

from typing import Any

from django.utils.translation import gettext as _

from striate.portal.decimals import decimals

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
    return {
        "trial_orders": [(name, named[name]) for name in dict.fromkeys(trials for trials, _neurons in orders)],
        "neuron_orders": [(name, named[name]) for name in dict.fromkeys(neurons for _trials, neurons in orders)],
        "withheld": [variables[name] for name in summary["withheld"]],
        "statistics": [(variables[each["variable"]], each) for each in summary["statistics"]],
        "zeros": f"{decimals(100 * summary['responses']['zeros'], 1)} %",
        "tables": histogram_tables(summary),
    }


def histogram_tables(summary: Summary) -> dict[str, Rows]:
    """Bins of each distribution: from, to (None for no end), how many."""
    tables = {name: _rows(each["edges"], each["counts"]) for name, each in summary["histograms"].items()}
    responses = summary["responses"]
    return tables | {"value": _rows([*responses["edges"], None], responses["counts"])}


def _rows(edges: list[Any], counts: list[int]) -> Rows:
    return list(zip(edges[:-1], edges[1:], counts, strict=True))
