"""Tables of the time of a sweep: against tuned C (1), and as the rows grow with the groups fixed (6)."""

from __future__ import annotations

import statistics

from c_references import run_sampler
from cases import CASES, Case
from datasets import Rows
from generated import choose_draws, make_sampler, time_sweep
from report import Table
from settings import GRIDS, SERIES, Settings

MOST_DRAWS = 200_000


def table_of_sweeps(settings: Settings) -> Table:
    """Time of a sweep of one chain, generated and tuned C with the same algorithm, taking turns."""
    rows = []
    for key in settings.models:
        case = CASES[key]
        for size in [size for size in settings.sizes if size in (SERIES if key == "T" else GRIDS)]:
            ours, reference = _compare_sweeps(settings, case, case.load(size))
            rows.append((key, size, reference * 1e6, ours * 1e6, ours / reference))
            print(
                f"  sweep {key} {size}: C {reference * 1e6:.3g} us, generated {ours * 1e6:.3g} us", flush=True
            )
    return Table(
        number=1, title="Time of a sweep ÷ tuned C", columns=("model", "size", "C, µs", "generated, µs", "ratio"),
        rows=tuple(rows), note="Medians of processor time, one chain, one thread.",
    )  # fmt: skip


def _compare_sweeps(settings: Settings, case: Case, rows: Rows) -> tuple[float, float]:
    """Median seconds of a sweep: generated, and C."""
    sampler = make_sampler(case, rows, settings, "off")
    draws = choose_draws(sampler, settings.budget, MOST_DRAWS)
    trial = run_sampler(settings.build, case, rows, draws=10, warmup=2, seed=0).seconds_per_sweep
    c_draws = int(min(max(settings.budget / max(trial, 1e-8), 10), MOST_DRAWS))
    ours, reference = [], []
    for turn in range(settings.repeats):
        run = run_sampler(settings.build, case, rows, draws=c_draws, warmup=max(c_draws // 10, 2), seed=turn)
        reference.append(run.seconds_per_sweep)
        ours.append(time_sweep(sampler, draws, turn))
    return statistics.median(ours), statistics.median(reference)


def table_of_growth(settings: Settings) -> Table:
    """Time of a sweep with 1,000 groups as the rows grow: hoisted statistics make it constant."""
    rows = []
    for key in [key for key in ("A", "G5") if key in settings.models]:
        short, long = (_time_grid(settings, CASES[key], total) for total in (100_000, settings.long_rows))
        rows.append((key, f"{settings.long_rows:.0e}", short * 1e6, long * 1e6, long / short))
    return Table(
        number=6, title="Time of a sweep as rows grow, 1,000 groups",
        columns=("model", "N", "µs at 1e5", "µs at N", "ratio"), rows=tuple(rows),
    )  # fmt: skip


def _time_grid(settings: Settings, case: Case, total: int) -> float:
    rows = case.load(f"1000x{total // 1000}")
    sampler = make_sampler(case, rows, settings, "off")
    draws = choose_draws(sampler, settings.budget, MOST_DRAWS)
    return statistics.median(time_sweep(sampler, draws, turn) for turn in range(settings.repeats))
