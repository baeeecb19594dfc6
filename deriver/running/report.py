"""What a run prints and writes when it has ended.

Part of stage run.  Input: a ``Result``.  Output: lines on standard output, and files.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from deriver.errors import DeriverError, Mistake, UsageError
from deriver.language.mistakes import listing, suggest
from deriver.running.results import Result
from deriver.running.saving import check_output, check_plot, save_groups, write_text


def check_outputs(paths: Sequence[Path | None], overwrite: bool, plot: Path | None = None) -> None:
    """Raise ``UsageError`` if a file cannot be written, or plotted, before anything is sampled."""
    mistakes: list[Mistake] = []
    for path, check in [*((path, check_output) for path in paths), (plot, check_plot)]:
        try:
            if path is not None:
                check(path, overwrite)
        except UsageError as error:
            mistakes += error.mistakes
    if mistakes:
        raise UsageError(mistakes)


def report_result(
    result: Result, *, output: Path, overwrite: bool = False, show: Sequence[str] | None = None, hdi: bool = False,
    source_path: Path | None = None, plot_path: Path | None = None,
) -> None:  # fmt: skip
    """Save the draws first, then print the summary, the warnings and where everything is."""
    saved = save_groups(result.groups, output, overwrite=overwrite)
    names = _names_to_show(result, show)
    print(describe_run(result))
    print()
    print(result.summary(names, hdi=hdi))
    for line in describe_acceptance(result):
        print(line)
    for line in (*result.components, *(f"note: {note}" for note in result.notes)):
        print(line)
    for warning in result.warnings:
        print(f"warning: {warning}")
    if saved.trouble:
        print(f"warning: {saved.trouble}")
    print(f"saved: {saved.path}")
    if source_path is not None:
        write_text(source_path, result.source, overwrite)
        print(f"saved: {source_path}")
    if plot_path is not None:
        print(_plot(result, names, plot_path))


def takes_unicode() -> bool:
    """Tell whether standard output can show letters beyond ASCII."""
    return "utf" in (sys.stdout.encoding or "").lower()


def describe_run(result: Result) -> str:
    """Return the first line of a report."""
    chains, draws = result.kept
    after = result.seconds - result.warmup_seconds
    return (
        f"{result.model.name}: {chains} chains of {draws} draws in {result.seconds:.1f} s, {after:.2g} s of them after the "
        f"warm-up, seed {result.seed}"
    )


def describe_acceptance(result: Result) -> list[str]:
    """Return a line on the proposals accepted, for each node that has any."""
    lines = []
    for name, rate in result.acceptance.items():
        per_chain = rate.reshape(len(rate), -1)
        low, high = per_chain.min(), per_chain.max()
        lines.append(f"proposals accepted for {name}: {per_chain.mean():.2f} ({low:.2f} to {high:.2f})")
    return lines


def _names_to_show(result: Result, show: Sequence[str] | None) -> list[str] | None:
    if not show:
        return None
    names = [name for text in show for name in text.split(",") if name]
    known = [*result.posterior.variables, *result.fields]
    wrong = [name for name in names if name not in known and name != "all"]
    for name in wrong:  # the run is done and saved: say so and go on
        print(
            f"--show {name}: nothing is called that; there are {listing(known, 'and')}. {suggest(name, known)}"
        )
    return known if "all" in names else [name for name in names if name in known] or None


def _plot(result: Result, names: Sequence[str] | None, path: Path) -> str:
    from deriver.running.plots import plot_chains

    try:
        plot_chains(result, tuple(names or result.headline), path)
    except (DeriverError, OSError, ValueError) as error:
        return f"no plot: {error}"
    return f"saved: {path}"
