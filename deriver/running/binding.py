"""Data and options to the arrays that an emitted sampler takes.

Stage run, first part.  Input: a ``Model``, the data and the options of a run.  Output: a ``Binding``: every given and
response as an array, with the layouts and labels that name the results.  All that is wrong is raised at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deriver.language.ends import check_ends
from deriver.language.mistakes import listing, suggest
from deriver.model.records import Model
from deriver.running.array_binding import ArrayBinder, nested_shape
from deriver.running.evaluate import Environment
from deriver.running.givens import GivenEvaluator, infer_dimensions, read_settings, record_set_sizes
from deriver.running.layout import Layout
from deriver.running.levels import Levels
from deriver.running.problems import Problems
from deriver.running.sizes import Sizes, UnknownSize
from deriver.running.subsets import check_members, covered_elements
from deriver.running.supports import check_arguments, check_support
from deriver.running.symbols import Symbol, declarations, list_symbols
from deriver.running.table_binding import Supply, TableBinder
from deriver.running.tables import Arrays, Table, read_data, table_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A model with its data.

    ``arrays`` are the givens and responses by name (dense plates an axis each, ragged ones as rows, components
    last; group columns count from 0; missing responses NaN), sizes and dimensions among them.  ``layouts`` are
    those of all givens and nodes.  ``labels`` name the values of dense plates, ``row_labels`` the rows of ragged
    ones, ``components`` the columns that vectors of covariates were made of.
    """

    model: Model
    origin: str
    arrays: Mapping[str, np.ndarray]
    layouts: Mapping[str, Layout]
    labels: Mapping[str, Levels]
    row_labels: Mapping[str, Levels]
    components: Mapping[str, tuple[str, ...]]
    environment: Environment
    missing: Mapping[str, int]
    notes: tuple[str, ...] = ()


def bind_data(
    model: Model, data: Any = None, *, columns: Mapping[str, str] | None = None,
    index: Mapping[str, str] | None = None, values: Mapping[str, Any] | None = None,
) -> Binding:  # fmt: skip
    """Return the model with its data; raise ``DataError`` or ``UsageError`` with everything that is wrong.

    ``columns`` maps a symbol to a column or an expression of columns, ``index`` a plate index to its label
    column, ``values`` givens to numbers, arrays or texts.
    """
    check_ends(model)
    source = read_data({} if data is None else data)
    source, own_values = _choose_form(model, source, index or {})
    problems = Problems(source.origin)
    settings = read_settings(model, {**own_values, **(values or {})}, problems)
    sizes = Sizes(model, problems)
    record_set_sizes(settings, sizes, problems)
    check_mapping_names(model, columns or {}, problems)
    supply = _read_supply(model, source, columns or {}, index or {}, frozenset(settings), sizes, problems)
    return finish_binding(model, source, supply, settings, sizes, problems)


def _choose_form(
    model: Model, source: Table | Arrays, index: Mapping[str, str]
) -> tuple[Table | Arrays, dict[str, Any]]:
    """Return the data as a table if they are one, and the hyperparameters that stood among them."""
    if isinstance(source, Table):
        return source, {}
    wanted = {given.name for given in model.givens if not given.indices and given.origin == "given"}
    wanted -= {given.name for given in model.givens if given.support.kind == "subset"}
    own = {name: value for name, value in source.entries.items() if name in wanted}
    rest = replace(source, entries={k: v for k, v in source.entries.items() if k not in own})
    sized = any(given.name in rest.entries for given in model.givens if given.origin != "given")
    one_plate = all(len(s.indices) < 2 for s in list_symbols(model) if s.role == "response")
    shaped = sized or source.shaped or not index and _has_plate_axes(model, rest)
    table = table_of(rest) if not shaped and (index or one_plate) else None
    return (rest if table is None else table), own


def _has_plate_axes(model: Model, source: Arrays) -> bool:
    """Tell whether arrays of the data have axes that no table of rows could have.

    So it is with an axis for each of several plates, and with an array over a plate that rows do not tell: neither
    theirs nor that of a group column.
    """
    symbols = [s for s in list_symbols(model) if s.role in ("response", "covariate")]
    rows = {index for s in symbols if s.role == "response" for index in s.indices}
    told = rows | {s.plate for s in list_symbols(model) if s.role == "group"}
    held = [s for s in symbols if s.written in source.entries]
    shapes = {s.written: nested_shape(source.entries[s.written]) or () for s in held}
    fitting = [s for s in held if len(shapes[s.written]) == len(s.indices) + len(s.declared.shape) > 0]
    return any(len(s.indices) > 1 or not {*s.indices} <= told for s in fitting)


def check_mapping_names(model: Model, columns: Mapping[str, str], problems: Problems) -> None:
    """Record the symbols mapped to columns that the model takes no data for."""
    symbols = [s for s in list_symbols(model) if s.role in ("response", "covariate", "group", "subset")]
    known = {name for symbol in symbols for name in (symbol.name, symbol.written)}
    for name in columns:
        if name not in known:
            others = [given.name for given in model.givens]
            remedy = f"--set {name}=..." if name in others else suggest(name, known)
            problems.add(
                "unknown-name", f"--map {name}={columns[name]}: the model takes no data called `{name}`",
                expected=f"one of {listing(sorted(known))}", remedy=remedy, usage=True,
            )  # fmt: skip


def _read_supply(
    model: Model, source: Table | Arrays, columns: Mapping[str, str], index: Mapping[str, str],
    skip: frozenset[str], sizes: Sizes, problems: Problems,
) -> Supply:  # fmt: skip
    if isinstance(source, Table):
        return TableBinder(model, source, columns, index, sizes, problems).bind(skip)
    return ArrayBinder(model, source, columns, sizes, problems).bind(skip)


def finish_binding(
    model: Model, source: Table | Arrays, supply: Supply, settings: Mapping[str, Any], sizes: Sizes,
    problems: Problems, *, absent: frozenset[str] = frozenset(),
) -> Binding:  # fmt: skip
    """Return the binding of what the data supply; quantities that are ``absent`` have no array and no layout."""
    infer_dimensions(settings, sizes)
    arrays = dict(supply.arrays)
    evaluator = GivenEvaluator(model, sizes, arrays, settings, problems)
    evaluator.fill(skip=frozenset(s.name for s in list_symbols(model) if s.role in ("covariate", "group")))
    env = evaluator.environment()
    reported = _check_supports(model, arrays, env, problems, source, supply)
    check_arguments(model, env, problems, reported)
    _read_subsets(model, arrays, sizes, problems)
    problems.raise_any()
    layouts = _layouts(model, sizes, problems, absent)
    problems.raise_any()
    missing = {
        s.name: _count_missing(arrays, s, layouts, model)
        for s in list_symbols(model) if s.role == "response" and s.name not in absent
    }  # fmt: skip
    return Binding(
        model=model, origin=source.origin, arrays={**_typed(model, arrays), **sizes.known}, layouts=layouts,
        labels=supply.labels, row_labels=supply.row_labels, components=supply.components, environment=env,
        missing=missing, notes=tuple(supply.notes),
    )  # fmt: skip


def _read_subsets(model: Model, arrays: dict[str, np.ndarray], sizes: Sizes, problems: Problems) -> None:
    for symbol in list_symbols(model):
        if symbol.role == "subset" and symbol.name in arrays:
            arrays[symbol.name] = check_members(symbol, arrays[symbol.name], sizes, problems)


def _count_missing(
    arrays: dict[str, np.ndarray], symbol: Symbol, layouts: Mapping[str, Layout], model: Model
) -> int:
    """Return how many values of a response are missing; elements that no statement covers are set to 0."""
    covered = covered_elements(model, symbol.name, layouts[symbol.name], arrays)
    array = np.where(
        covered.reshape(covered.shape + (1,) * len(symbol.declared.shape)), arrays[symbol.name], 0.0
    )
    arrays[symbol.name] = array
    gone = np.isnan(array)
    return int(gone.any(axis=-1).sum() if symbol.declared.shape else gone.sum())


def _check_supports(
    model: Model, arrays: Mapping[str, np.ndarray], env: Environment, problems: Problems,
    source: Table | Arrays, supply: Supply,
) -> set[str]:  # fmt: skip
    reported: set[str] = set()
    for symbol in list_symbols(model):
        if symbol.name not in arrays or symbol.role in ("group", "subset"):
            continue

        def place(position: np.ndarray, symbol: Symbol = symbol) -> str:
            rows = supply.rows_of.get(symbol.name)
            if rows is not None and isinstance(source, Table):
                return f"{source.place(rows[tuple(position[: rows.ndim])])}: "
            return f"element {','.join(str(k + 1) for k in position)}: " if symbol.indices else ""

        if check_support(symbol.declared, symbol.name, arrays[symbol.name], env, problems, place):
            reported.add(symbol.name)
    return reported


def _layouts(
    model: Model, sizes: Sizes, problems: Problems, absent: frozenset[str] = frozenset()
) -> dict[str, Layout]:
    layouts: dict[str, Layout] = {}
    for declared in declarations(model):
        if declared.name in absent:
            continue
        try:
            subset = declared.support.kind == "subset"
            layouts[declared.name] = sizes.layout(declared, () if subset else None)
        except UnknownSize as unknown:
            problems.add(
                "unknown-size", f"the size `{unknown.name}` is not known",
                expected="data or a value that tell it", remedy=f"--set {unknown.name}=...",
            )  # fmt: skip
    return layouts


def _typed(model: Model, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays with group columns as integers."""
    groups = {given.name for given in model.givens if given.support.kind == "index"}
    return {name: array.astype(np.intp) if name in groups else array for name, array in arrays.items()}
