"""A stand-alone test module that goes with an emitted sampler: Derivation and source -> text.

Stage verification.  The module needs NumPy, SciPy and pytest, and the sampler by its module name.  What it compares
with, exact joint draws and forward means, is simulated here from the model statement and written into it.
"""

from __future__ import annotations

import keyword
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from deriver.derivation.lower import Lowering
from deriver.derivation.records import Conditional, Derivation
from deriver.emission.environment import make_environment
from deriver.errors import Mistake, UsageError
from deriver.model.records import Model
from deriver.running.sampling import load_sampler
from deriver.verification.arrays import ArrayMaker
from deriver.verification.setting import choose_givens
from deriver.verification.simulate import Simulator
from deriver.verification.sources import require_arrays

SEED = 20260101
STARTS, FORWARD, PILOT = 60, 3000, 500
LINE_STARTS, LINE_DRAWS, SWEEPS = 8, 60, 15
_WIDTH = 88

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestsView:
    """All that the template ``tests/module.py.jinja`` needs; the values of pairs are written as they are."""

    model: str
    module: str
    givens: tuple[tuple[str, Shape], ...]
    observed: tuple[tuple[str, Shape], ...]
    drawn: tuple[tuple[str, Shape], ...]
    sides: tuple[tuple[str, int], ...]
    lines: tuple[tuple[str, str], ...]
    bounds: tuple[tuple[str, tuple[float, float]], ...]
    logs: tuple[str, ...]
    given_rows: str
    start_rows: str
    scale_rows: str
    forward_rows: str
    forward: int = FORWARD
    line_starts: int = LINE_STARTS
    line_draws: int = LINE_DRAWS
    sweeps: int = SWEEPS


def emit_tests(derivation: Derivation, source: str, module: str, templates: str | Path | None = None) -> str:
    """Return the text of a test module for a sampler that is imported under the name ``module``.

    Raises ``UsageError`` when the name cannot be imported, or the model has an improper prior.
    """
    if not module.isidentifier() or keyword.iskeyword(module):
        found = f"the sampler's file is {module}.py, which no test can import"
        remedy = "give it a name of letters, digits and underscores"
        raise UsageError([Mistake(code="module-name", found=found, remedy=remedy)])
    require_arrays(source)
    view = view_tests(derivation, source, module)
    values = {field.name: getattr(view, field.name) for field in fields(view)}
    template = make_environment(templates).get_template("tests/module.py.jinja")
    return template.render(values).rstrip() + "\n"


def view_tests(derivation: Derivation, source: str, module: str) -> TestsView:
    """Return the view of a test module."""
    model, rng = derivation.model, np.random.default_rng(SEED)
    givens = choose_givens(model, rng, sizes={}, values={})
    simulator, maker = Simulator(model, givens), ArrayMaker(model, givens)
    sampler = load_sampler(source, model.name)
    names = tuple(sampler.State.__dataclass_fields__)
    draws = [simulator.draw(rng) for _ in range(STARTS)]
    inputs = maker.inputs(draws[0])
    observed = maker.data(draws[0])
    kinds = {name: line_kind(derivation.node(name), maker, sampler) for name in names}
    logs = tuple(name for name in names if _is_positive(model, name))
    summaries = _Summaries(maker, names, logs)
    pilot = np.array([summaries.values(simulator.draw(rng)) for _ in range(PILOT)])
    low, centre, high = np.quantile(pilot, [0.05, 0.5, 0.95], axis=0)
    scales = np.array([centre, np.where(high > low, (high - low) / 2, 1.0)])
    scales = np.array([[float(f"{v:.4g}") for v in row] for row in scales])
    moments = np.array([summaries.products(simulator.draw(rng), scales) for _ in range(FORWARD)])
    rows = [
        [
            *(maker.array(name, state[name]) for name in names),
            *maker.data(state).values(),
            simulator.log_joint(state),
        ]
        for state in draws
    ]
    return TestsView(
        model=model.name, module=module,
        givens=tuple((name, array.shape) for name, array in inputs.items() if name not in observed),
        observed=tuple((name, array.shape) for name, array in observed.items()),
        drawn=tuple((name, maker.layouts[name].extents) for name in names),
        sides=tuple((name, len(maker.layouts[name].shape)) for name in names),
        lines=tuple((name, f'"{kind[0]}"') for name, kind in kinds.items() if kind is not None),
        bounds=tuple((name, kind[1]) for name, kind in kinds.items() if kind is not None and kind[1] is not None),
        logs=logs,
        given_rows=_table([[array for name, array in inputs.items() if name not in observed]], 10, wrap=True),
        start_rows=_table(rows, 10), scale_rows=_table([[row] for row in scales], 4),
        forward_rows=_table(
            [[row] for row in moments.mean(axis=0)]
            + [[row] for row in moments.std(axis=0, ddof=1) / np.sqrt(len(moments))], 4
        ),
    )  # fmt: skip


def line_kind(
    conditional: Conditional, maker: ArrayMaker, sampler: Any
) -> tuple[str, tuple[float, float] | None] | None:
    """Return the kind of line (and the ends of an interval) on which draws of a node are tested, or None."""
    kind, lower, upper = conditional.support
    exact = hasattr(sampler, f"draw_{conditional.node}") and not conditional.coupled
    if not exact or 0 in maker.layouts[conditional.node].extents:
        return None
    if kind == "spd":
        return "matrix", None
    if kind != "real" or any(end is not None and not end.is_number for end in (lower, upper)):
        return None
    if lower is None and upper is None:
        return "real", None
    if lower is not None and upper is None:
        return ("positive", None) if lower == 0 else None
    return ("interval", (float(lower), float(upper))) if lower is not None and upper is not None else None


def _is_positive(model: Model, name: str) -> bool:
    kind, lower, _ = Lowering(model).support(model.node(name).support)
    return kind == "real" and lower == 0 and not model.node(name).shape


class _Summaries:
    """The functions that the module's ``summarise`` computes, for one state of the simulator."""

    def __init__(self, maker: ArrayMaker, names: tuple[str, ...], logs: tuple[str, ...]) -> None:
        self._maker, self._names, self._logs = maker, names, logs

    def values(self, state: Any) -> np.ndarray:
        """Return the values before they are squeezed."""
        columns = []
        for name in self._names:
            array = self._maker.array(name, state[name])
            values = np.log(array) if name in self._logs else array
            parts = values.reshape(-1, int(np.prod(self._maker.layouts[name].shape)))
            columns.append(parts[0])
            if len(parts) > 1:
                columns += [parts[-1], parts.mean(axis=0)]
        return np.concatenate(columns)

    def products(self, state: Any, scales: np.ndarray) -> np.ndarray:
        """Return all products of 1 and the squeezed values."""
        one = np.concatenate([[1.0], np.tanh((self.values(state) - scales[0]) / scales[1])])
        return np.outer(one, one)


def _table(rows: list[list[Any]], digits: int, *, wrap: bool = False) -> str:
    """Return rows of numbers as lines; ``wrap`` folds a single row."""
    words = [
        [f"{v:.{digits}g}" for part in row for v in np.ravel(np.asarray(part, dtype=float))] for row in rows
    ]
    if not wrap:
        return "\n".join(" ".join(line) for line in words)
    lines, line = [], ""
    for word in words[0]:
        if line and len(line) + 1 + len(word) > _WIDTH:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])
