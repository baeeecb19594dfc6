"""The ranks of simulation-based calibration as ECDF differences with their simultaneous band.

Stage verification, on request only; after Säilynoja, Bürkner & Vehtari (2022), figure 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deriver.verification.records import Verification
from deriver.verification.statistics import rank_counts, simultaneous_band


def plot_ranks(report: Verification, path: Path) -> None:
    """Write a panel for each quantity, in the format that the file's ending names."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names, draws = list(report.ranks), report.draws
    replicates = len(next(iter(report.ranks.values())))
    lower, upper = simultaneous_band(report.level / max(len(names), 1), replicates, draws)
    z = np.arange(1, draws + 1) / (draws + 1)
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.2 * columns, 2.2 * rows), squeeze=False, sharex=True
    )
    failed = {outcome.name for outcome in report.failures if outcome.kind == "ranks"}
    for axis, name in zip(axes.ravel(), names, strict=False):
        colour = "tab:red" if name in failed else "tab:blue"
        axis.fill_between(z, lower / replicates - z, upper / replicates - z, color="0.88", step="mid")
        axis.step(z, rank_counts(report.ranks[name], draws) / replicates - z, color=colour, where="mid")
        axis.axhline(0.0, color="0.6", linewidth=0.8)
        axis.set_title(name, fontsize=8)
    for axis in axes.ravel()[len(names) :]:
        axis.axis("off")
    figure.suptitle(
        f"{report.model}: ECDF of the ranks less the uniform one, band of level {report.level:g} for all panels",
        fontsize=9,
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
