"""A plot of the chains, with ArviZ and matplotlib.

Part of stage run, on request only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deriver.running.results import Result


def plot_chains(result: Result, names: Sequence[str], path: Path) -> None:
    """Write the trace and the ranks of the named quantities."""
    import matplotlib

    matplotlib.use("Agg")
    import arviz
    import matplotlib.pyplot as plt

    with arviz.rc_context({"plot.max_subplots": 60}):
        axes = arviz.plot_trace(result.idata, var_names=list(names), kind="rank_bars", compact=False)
    figure = axes.ravel()[0].figure
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
