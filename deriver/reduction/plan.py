"""What to read of a Parquet data set for a model: columns, groups, and what a model or an option rules out.

Input: a model, the schema and the options.  Output: a ``Task``.  Nothing of the rows is read yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from deriver.errors import UsageError, not_reduced
from deriver.language.mistakes import listing
from deriver.model.expressions import Expression
from deriver.model.records import Model, Statement
from deriver.reduction.pieces import Source
from deriver.reduction.records import (
    FitOfRows,
    Grouping,
    Item,
    MomentsOfResponse,
    Recipe,
    SumOfProducts,
    Term,
)
from deriver.reduction.rows import columns_of, symbols_of
from deriver.reduction.scan import Task
from deriver.running.evaluate import Environment, EvaluationError, evaluate
from deriver.running.job import Job
from deriver.running.problems import Problems
from deriver.running.sizes import Sizes
from deriver.running.symbols import Symbol, list_symbols, temporal_plates
from deriver.running.table_binding import TableBinder
from deriver.running.tables import Column, Table
from deriver.running.values import Value, shaped


def make_task(
    model: Model, source: Source, job: Job, recipe: Recipe, settings: Mapping[str, Expression | np.ndarray],
    problems: Problems,
) -> Task:  # fmt: skip
    """Return what is done with every row; mistakes in the mapping of columns are recorded in ``problems``."""
    symbols = [
        s
        for s in list_symbols(model)
        if s.name not in settings and s.role in ("response", "covariate", "group")
    ]
    _check_model(model, symbols, recipe, job)
    table = Table(
        origin=source.origin, length=0,
        columns={name: Column(name=name, labels=(), numbers=None) for name in source.columns},
    )  # fmt: skip
    binder = TableBinder(model, table, job.columns, job.index, Sizes(model, problems), problems)
    binder.check_index_names()
    labels = _find_labels(model, binder, symbols, recipe, problems)
    numeric, labelled = _find_columns(symbols, source, job, binder)
    read = tuple(name for name in source.columns if name in {*numeric, *labelled, *labels.values()})
    row = recipe.rows[-1] if recipe.rows else ""
    inner = [s for s in symbols if row in s.indices or not s.indices]
    outer = [s for s in symbols if s.indices and row not in s.indices]
    _check_terms(recipe, inner + outer)
    if not problems and set(recipe.groupings()) - set(labels):
        raise UsageError(
            [not_reduced("the groups of the rows are in no column of the data")], origin="reduce"
        )
    return Task(
        recipe=recipe, symbols=tuple(s for s in inner if s.role != "group"),
        of_groups=tuple((s, _grouping_of(s, labels)) for s in outer) if not problems else (),
        labels=labels, mapping=dict(job.columns), numeric=numeric, read=read,
        others=tuple(name for name in source.columns if name not in read),
        texts=tuple(name for name in source.texts if name in {*labelled, *labels.values()}),
        environment=_environment(model, settings),
    )  # fmt: skip


def _check_model(model: Model, symbols: list[Symbol], recipe: Recipe, job: Job) -> None:
    """Raise ``UsageError`` for what a reduced run cannot do, before anything is read."""
    found = [] if recipe.rows else ["no response lies in a plate, so there are no rows"]
    if len(recipe.rows) > 2:
        found.append(
            f"the rows lie in {len(recipe.rows)} plates, {', '.join(recipe.rows)}, and groups are of one"
        )
    if recipe.rows and recipe.rows[-1] in job.index:
        found.append(
            f"--index {recipe.rows[-1]}={job.index[recipe.rows[-1]]} labels the rows, which are not kept"
        )
    found += [
        f"the plate `{plate}` is one of time, along which rows are ordered"
        for plate in temporal_plates(model)
    ]
    found += [f"`{given.name}` is a subset" for given in model.givens if given.support.kind == "subset"]
    for symbol in symbols:
        if symbol.role == "response" and _is_partial(model.statements_of(symbol.name)):
            found.append(f"`{symbol.written}` is given by statements for parts of its plates")
        if len(symbol.indices) > 1 and symbol.indices != recipe.rows:
            found.append(
                f"`{symbol.written}` lies in the plates {', '.join(symbol.indices)}, which are not those of a row"
            )
        if len(symbol.declared.shape) > 1:
            found.append(f"`{symbol.written}` is a matrix")
    if job.log_likelihood or job.posterior_predictive:
        found.append("pointwise log likelihoods and predictions are of each row")
    if found:
        raise UsageError([not_reduced(each) for each in found], origin="reduce")


def _is_partial(statements: Sequence[Statement]) -> bool:
    """Tell whether a response has several statements, or one for a subset; a part of a range shows in the sums."""
    return len(statements) > 1 or any(place.subset for place in statements[0].ranges)


def _find_labels(
    model: Model, binder: TableBinder, symbols: list[Symbol], recipe: Recipe, problems: Problems
) -> dict[Grouping, str]:
    """Return the column of labels for every way in which rows are grouped, that of the row's own plate first."""
    found: dict[Grouping, str] = {}
    for index in recipe.rows[:-1]:
        columns = binder.feeds(index, symbols)
        if not columns:
            problems.add(
                "no-labels", f"no column says which `{index}` a row belongs to",
                expected=f"a column with a label for each `{index}`; the columns are "
                + listing(binder.table.columns, "and"),
                remedy=f"--index {index}=COLUMN",
            )  # fmt: skip
            continue
        found[Grouping(plate=index)] = columns[0].name
    for symbol in symbols:
        if symbol.role == "group":
            name = binder.group_column(symbol)
            if name is None or name not in binder.table.columns:
                declared = f"`{symbol.name} : {', '.join(symbol.indices)} -> {symbol.plate}`"
                binder.reader.report_missing(symbol.name, f"the group column {declared}")
                continue
            found[Grouping(plate=symbol.plate or "", column=symbol.name)] = name
    return found


def _grouping_of(symbol: Symbol, labels: Mapping[Grouping, str]) -> Grouping:
    """Return the grouping of rows of which a symbol has one value each."""
    for grouping in labels:
        if (grouping.plate,) == symbol.indices:
            return grouping
    found = f"no column says which `{symbol.indices[0]}` a row belongs to, and `{symbol.written}` has a value for each"
    raise UsageError([not_reduced(found, f"--index {symbol.indices[0]}=COLUMN")], origin="reduce")


def _find_columns(
    symbols: list[Symbol], source: Source, job: Job, binder: TableBinder
) -> tuple[frozenset[str], frozenset[str]]:
    numeric: frozenset[str] = frozenset()
    labelled: frozenset[str] = frozenset()
    for symbol in symbols:
        if symbol.role != "group":
            own, texts = columns_of(symbol, job.columns, source.columns)
            numeric, labelled = numeric | own, labelled | texts
            binder.reader.check_columns(symbol)
    return numeric, labelled


def _check_terms(recipe: Recipe, symbols: list[Symbol]) -> None:
    """Raise ``UsageError`` if a sum over rows needs what is in no column."""
    known = {symbol.name for symbol in symbols if symbol.role != "group"}
    names = {name for item in recipe.items for term in _terms(item) for name in _names(term)}
    if names - known:
        shown = listing(sorted(names - known), "and")
        found = f"{shown} is not in the columns of the data, and is needed with each row"
        raise UsageError([not_reduced(found, "put it into a column, or --reduce off")], origin="reduce")


def _terms(item: Item) -> tuple[Term, ...]:
    match item:
        case SumOfProducts():
            return item.left, item.right
        case FitOfRows():
            return item.response, item.weight, *item.columns
        case MomentsOfResponse():
            return (item.response,)
    return ()


def _names(term: Term) -> set[str]:
    return {*symbols_of(term.scalar), *([term.vector] if term.vector else [])}


def _environment(model: Model, settings: Mapping[str, Expression | np.ndarray]) -> Environment:
    """Return the values of givens without plates that can be told already, for the bounds of supports."""
    plain: dict[str, Value] = {}
    for given in model.givens:
        value = settings.get(given.name, given.default)
        if given.indices or given.shape or value is None:
            continue
        try:
            plain[given.name] = (
                shaped(value, (), 0)
                if isinstance(value, np.ndarray)
                else evaluate(value, Environment(plain=plain))
            )
        except EvaluationError:
            continue
    return Environment(plain=plain)
