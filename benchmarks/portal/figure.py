"""Draw a load run: what was taken in and scored, and how long pages took. docs/figures/portal-load.png is one."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np


def draw(events: dict[str, Any], path: Path, title: str) -> None:
    """Draw the events of a run.

    Parameters
    ----------
    events
        Seconds since the begin: ``received``, ``scored``; and ``pages``, each with when, which, and seconds.
    path
        Where to.
    title
        What was run.
    """
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(8, 6.4), sharex=True, layout="constrained")
    for name, colour in (("received", "#888888"), ("scored", "#1f5f8b")):
        at = [0.0, *events[name]]
        above.step(at, range(len(at)), where="post", label=name, color=colour)
    above.set_ylabel("submissions")
    above.set_title(title)
    above.legend(frameon=False)
    shown = sorted({page for _, page, _ in events["pages"]})
    for number, page in enumerate(shown):
        own = np.array([(at, 1000 * seconds) for at, which, seconds in events["pages"] if which == page])
        below.scatter(*own.T, s=4, alpha=0.5, linewidth=0, color=mpl.colormaps["tab10"](number), label=page)
    below.set_yscale("log")
    below.set_xlabel("seconds")
    below.set_ylabel("answer of a page (ms)")
    if shown:
        below.legend(frameon=False, fontsize="small", ncols=4, markerscale=3)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)
