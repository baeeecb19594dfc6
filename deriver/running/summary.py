"""The summary table of a posterior.

Part of stage run.  Input: InferenceData.  Output: a ``Summary`` of rows, printable and convertible to a data frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """One number's posterior; ``position`` are its indices counted as in the model, for comparing."""

    name: str
    variable: str
    position: tuple[int, ...]
    mean: float
    sd: float
    mcse: float
    low: float
    median: float
    high: float
    ess_bulk: float
    ess_tail: float
    r_hat: float
    acceptance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The rows, what interval ``low`` and ``high`` are, and what was left out."""

    rows: tuple[SummaryRow, ...]
    hdi: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the headings of the numbers."""
        ends = ("hdi_2.5%", "q50", "hdi_97.5%") if self.hdi else ("q2.5", "q50", "q97.5")
        tail = ("accept",) if any(row.acceptance is not None for row in self.rows) else ()
        return ("mean", "sd", "mcse", *ends, "ess_bulk", "ess_tail", "r_hat", *tail)

    def row(self, name: str) -> SummaryRow:
        """Return the row of that name; raise ``KeyError`` if there is none."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def to_frame(self) -> Any:
        """Return a pandas data frame, a row for each number."""
        import pandas

        values = [self._numbers(row) for row in self.rows]
        return pandas.DataFrame(values, index=[row.name for row in self.rows], columns=list(self.columns))

    def _numbers(self, row: SummaryRow) -> list[float]:
        numbers = [
            row.mean,
            row.sd,
            row.mcse,
            row.low,
            row.median,
            row.high,
            row.ess_bulk,
            row.ess_tail,
            row.r_hat,
        ]
        if "accept" in self.columns:
            numbers.append(np.nan if row.acceptance is None else row.acceptance)
        return numbers

    def __str__(self) -> str:
        table = [["", *self.columns], *([row.name, *self._texts(row)] for row in self.rows)]
        lines = format_table(table)
        if self.left_out:
            listed = ", ".join(self.left_out)
            lines.append(f"not shown: {listed} (--show NAME, or summary([NAME]), to see them)")
        return "\n".join(lines)

    def _texts(self, row: SummaryRow) -> list[str]:
        numbers = self._numbers(row)
        digits = decimals(row.sd)
        texts = [f"{x:.{digits}f}" for x in numbers[:2]] + [f"{numbers[2]:.{digits + 1}f}"]
        texts += [f"{x:.{digits}f}" for x in numbers[3:6]]
        if row.sd == 0:  # a constant: nothing to measure
            return [f"{row.mean:.3f}", "0", *[""] * (len(numbers) - 2)]
        texts += [f"{x:.0f}" for x in numbers[6:8]] + [f"{numbers[8]:.3f}"]
        return texts + ["" if np.isnan(x) else f"{x:.2f}" for x in numbers[9:]]


def decimals(sd: float) -> int:
    """Return how many decimals show three digits of a standard deviation."""
    if not np.isfinite(sd) or sd <= 0:
        return 3
    return int(np.clip(2 - np.floor(np.log10(sd)), 0, 10))


def format_table(table: Sequence[Sequence[str]]) -> list[str]:
    """Return aligned lines: the first column to the left, the others to the right."""
    widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def summarise(
    idata: Any, names: Sequence[str], *, acceptance: Mapping[str, np.ndarray] | None = None, hdi: bool = False
) -> Summary:
    """Return the summary of the named quantities of the posterior."""
    rows: list[SummaryRow] = []
    for name in names:
        rate = (acceptance or {}).get(name)
        shown = None if rate is None or rate.ndim > 1 else float(rate.mean())
        rows += _rows_of(idata.posterior[name], name, shown, hdi)
    left_out = tuple(name for name in idata.posterior.data_vars if name not in names)
    return Summary(rows=tuple(rows), hdi=hdi, left_out=left_out)


def _rows_of(array: Any, name: str, acceptance: float | None, hdi: bool) -> Iterator[SummaryRow]:
    values = array.transpose("chain", "draw", ...) if {"chain", "draw"} <= set(array.dims) else None
    if values is None:  # a quantity of givens alone: the same in every draw
        return
    numbers = values.to_numpy()
    flat = numbers.reshape(*numbers.shape[:2], -1)
    measures = _measure(flat)
    for k, (label, position) in enumerate(_elements(values)):
        if _is_mirrored(values, position):
            continue
        draws = flat[:, :, k].ravel()
        low, high = _interval(draws, hdi)
        yield SummaryRow(
            name=name + label, variable=name, position=position, mean=float(draws.mean()),
            sd=float(draws.std(ddof=1)) if draws.size > 1 else np.nan, low=low, high=high,
            median=float(np.median(draws)), acceptance=acceptance,
            **{measure: float(found[k]) for measure, found in measures.items()},
        )  # fmt: skip


def _measure(flat: np.ndarray) -> dict[str, np.ndarray]:
    """Return effective sample sizes, R-hat and Monte Carlo errors of (chains, draws, k) numbers."""
    import arviz
    import xarray

    data = xarray.Dataset({"v": xarray.DataArray(flat, dims=("chain", "draw", "k"))})
    if flat.shape[1] < 4:
        nothing = np.full(flat.shape[2], np.nan)
        return {"ess_bulk": nothing, "ess_tail": nothing, "r_hat": nothing, "mcse": nothing}
    with np.errstate(all="ignore"):
        rhat = arviz.rhat(data)["v"].to_numpy() if flat.shape[0] > 1 else np.full(flat.shape[2], np.nan)
        return {
            "ess_bulk": arviz.ess(data, method="bulk")["v"].to_numpy(),
            "ess_tail": arviz.ess(data, method="tail")["v"].to_numpy(),
            "r_hat": rhat,
            "mcse": arviz.mcse(data, method="mean")["v"].to_numpy(),
        }


def _elements(array: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Return the label ``[308,2]`` and the position, counted from 1, of each element."""
    dims = array.dims[2:]
    labels = [array[dim].to_numpy().tolist() for dim in dims]
    for place in np.ndindex(*array.shape[2:]):
        inside = ",".join(str(labels[axis][k]) for axis, k in enumerate(place))
        start = [_start(dim) for dim in dims]
        yield (f"[{inside}]" if inside else ""), tuple(k + s for k, s in zip(place, start, strict=True))


def _start(dim: str) -> int:
    _, mark, start = dim.rpartition("_from_")
    return int(start) if mark and start.lstrip("-").isdigit() else 1


def _is_mirrored(array: Any, position: tuple[int, ...]) -> bool:
    """Tell whether an entry of a symmetric matrix stands below the diagonal: its mirror image is shown."""
    dims = array.dims
    square = len(dims) >= 4 and array.shape[-1] == array.shape[-2]
    return bool(square and position[-2] > position[-1] and _is_symmetric(array))


def _is_symmetric(array: Any) -> bool:
    sample = array.to_numpy()[:1, :3]
    return bool(np.allclose(sample, np.swapaxes(sample, -1, -2)))


def _interval(draws: np.ndarray, hdi: bool) -> tuple[float, float]:
    if hdi:
        import arviz

        low, high = arviz.hdi(draws, hdi_prob=0.95)
        return float(low), float(high)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
