"""The summary table of a posterior.

Part of stage run.  Input: the draws by name.  Output: a ``Summary`` of rows, printable and convertible to a data frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deriver.running.groups import Group, Variable
from deriver.running.mixing import measure, shortest_interval
from deriver.running.moments import FieldMoments

# How many elements of a field that is kept as moments have a row.
SHOWN_OF_FIELD = 20


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
    """The rows, what interval ``low`` and ``high`` are, what was left out, and lines on fields kept as moments."""

    rows: tuple[SummaryRow, ...]
    hdi: bool = False
    left_out: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

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
        lines = format_table(table) if self.rows else []
        lines += self.fields
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
    posterior: Group, names: Sequence[str], *, acceptance: Mapping[str, np.ndarray] | None = None, hdi: bool = False,
    fields: Mapping[str, FieldMoments] | None = None,
) -> Summary:  # fmt: skip
    """Return the summary of the named quantities of the posterior; each of ``fields`` has a line, or rows if named."""
    rows: list[SummaryRow] = []
    own = fields or {}
    told = tuple(describe_field(name, each) for name, each in own.items())
    for name in names:
        if name in own:
            rows += _rows_of_field(name, own[name])
            continue
        rate = (acceptance or {}).get(name)
        shown = None if rate is None or rate.ndim > 1 else float(rate.mean())
        rows += _rows_of(posterior.variables[name], name, shown, hdi)
    left_out = tuple(name for name in posterior.variables if name not in names)
    return Summary(rows=tuple(rows), hdi=hdi, left_out=left_out, fields=told)


def describe_field(name: str, field: FieldMoments) -> str:
    """Return a line on a field of which moments are kept."""
    with np.errstate(all="ignore"):
        r_hat, ess = np.nanmax(field.r_hat, initial=-np.inf), np.nanmin(field.ess, initial=np.inf)
    return (
        f"{name}: {field.mean.size:,} elements, kept as moments; means {field.mean.min():.4g} to "
        f"{field.mean.max():.4g}, sds {field.sd.min():.3g} to {field.sd.max():.3g}, largest R-hat "
        f"{r_hat:.3f}, least ess {ess:.0f}"
    )


def _rows_of_field(name: str, field: FieldMoments) -> Iterator[SummaryRow]:
    """Return rows of the first elements of a field; R-hat is not rank-normalised, the ess that of the mean."""
    for place in itertools.islice(np.ndindex(*field.mean.shape), SHOWN_OF_FIELD):
        position = tuple(k + 1 for k in place)
        low, median, high = (float(each) for each in field.quantiles[(slice(None), *place)])
        ess = float(field.ess[place])
        yield SummaryRow(
            name=f"{name}[{','.join(map(str, position))}]" if position else name, variable=name, position=position,
            mean=float(field.mean[place]), sd=float(field.sd[place]), mcse=float(field.mcse[place]), low=low,
            median=median, high=high, ess_bulk=ess, ess_tail=np.nan, r_hat=float(field.r_hat[place]),
        )  # fmt: skip


def _rows_of(variable: Variable, name: str, acceptance: float | None, hdi: bool) -> Iterator[SummaryRow]:
    if not variable.is_drawn:  # a quantity of givens alone: the same in every draw
        return
    flat = variable.array.reshape(*variable.array.shape[:2], -1)
    measures = measure(flat)
    mirrored = _mirrored(variable)
    for k, (label, position) in enumerate(_elements(variable)):
        if mirrored[k]:
            continue
        draws = flat[:, :, k].ravel()
        low, median, high = np.quantile(draws, [0.025, 0.5, 0.975])
        if hdi:
            low, high = shortest_interval(draws)
        yield SummaryRow(
            name=name + label, variable=name, position=position, mean=float(draws.mean()),
            sd=float(draws.std(ddof=1)) if draws.size > 1 else np.nan, low=float(low), high=float(high),
            median=float(median), acceptance=acceptance,
            **{each: float(found[k]) for each, found in measures.items()},
        )  # fmt: skip


def _elements(variable: Variable) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Return the label ``[308,2]`` and the position, counted from 1, of each element."""
    dims = variable.dims[2:]
    labels = [variable.labels(dim).tolist() for dim in dims]
    start = [_start(dim) for dim in dims]
    for place in np.ndindex(*variable.array.shape[2:]):
        inside = ",".join(str(labels[axis][k]) for axis, k in enumerate(place))
        yield (f"[{inside}]" if inside else ""), tuple(k + s for k, s in zip(place, start, strict=True))


def _start(dim: str) -> int:
    _, mark, start = dim.rpartition("_from_")
    return int(start) if mark and start.lstrip("-").isdigit() else 1


def _mirrored(variable: Variable) -> np.ndarray:
    """Tell which entries of symmetric matrices stand below the diagonal: their mirror images are shown."""
    shape = variable.array.shape[2:]
    found = np.zeros(shape, dtype=bool)
    if len(shape) >= 2 and shape[-1] == shape[-2] and _is_symmetric(variable.array):
        found[...] = np.tri(shape[-1], k=-1, dtype=bool)
    return found.ravel()


def _is_symmetric(array: np.ndarray) -> bool:
    sample = array[:1, :3]
    return bool(np.allclose(sample, np.swapaxes(sample, -1, -2)))
