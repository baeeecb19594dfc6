"""Missing responses: out of every likelihood while sampling, drawn from their distribution afterwards.

Those on which other nodes depend (a covariate with a distribution of its own, a lagged response) are drawn with the
parameters: the node is then partly observed.

Stage run, between binding and derivation.  Input: a ``Binding`` with NaN in some responses.  Output: the model and
arrays to sample with.  A missing response that nothing else depends on carries no information, so leaving it out
is exact, and statistics of the data can still be computed once.  Three ways, the first that fits:

1. rows are dropped, where the plate of the rows carries nothing but data (long format, ragged repeats);
2. the statement ranges over the subset of the plate that was observed (a state space model);
3. the observed elements of crossed plates are put in long format, ``y[k]`` with group columns.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from deriver.errors import DataError, Mistake
from deriver.language.rewrite import rebuild
from deriver.model.expressions import Colon, Expression, Number, Reference, SumOver, children, references
from deriver.model.records import (
    Deterministic,
    Given,
    Model,
    Node,
    Plate,
    Range,
    Statement,
    Stochastic,
    Support,
)
from deriver.running.binding import Binding
from deriver.running.layout import parents_of
from deriver.running.symbols import declarations, temporal_plates


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The model and arrays without the missing responses; every node but these has the layout it had."""

    model: Model
    arrays: Mapping[str, np.ndarray]


def leave_out_missing(binding: Binding) -> Observed:
    """Return the model and arrays to sample with; raise ``DataError`` where missing values cannot be left out."""
    observed = Observed(model=binding.model, arrays=binding.arrays)
    for name, count in binding.missing.items():
        if count and not binding.model.node(name).partly:
            observed = _leave_out(observed, binding, name)
    return observed


def draw_parents(binding: Binding) -> Binding:
    """Return the binding with each response partly observed of which values are missing that others depend on.

    So is a normal vector of which some components are missing: these are drawn given the others.
    """
    model = binding.model
    names = {
        name
        for name, count in binding.missing.items() if count and (_has_children(model, name) or _in_part(binding, name))
    }  # fmt: skip
    names -= {node.name for node in model.nodes if node.partly}
    for name in names:
        if not _is_normal(model, name):
            _present(binding, model.node(name))
    return replace(binding, model=mark_partly(model, names)) if names else binding


def _is_normal(model: Model, name: str) -> bool:
    """Tell whether the elements of a node are normal, so that missing components are drawn given the others."""
    statements = model.statements_of(name)
    return all(isinstance(each, Stochastic) and each.family in ("normal", "mvnormal") for each in statements)


def _in_part(binding: Binding, name: str) -> bool:
    """Tell whether some components of a normal vector are missing, others not."""
    gone = np.isnan(binding.arrays[name])
    if not binding.model.node(name).shape or not _is_normal(binding.model, name):
        return False
    return bool((gone.any(axis=-1) & ~gone.all(axis=-1)).any())


def mark_partly(model: Model, names: Collection[str]) -> Model:
    """Return the model with some nodes of the data partly observed."""
    statements = tuple(
        replace(each, partly=True) if isinstance(each, Stochastic) and each.name in names else each
        for each in model.statements
    )
    nodes = tuple(replace(each, partly=True) if each.name in names else each for each in model.nodes)
    return replace(model, statements=statements, nodes=nodes, source="")


def _leave_out(observed: Observed, binding: Binding, name: str) -> Observed:
    model = observed.model
    node = model.node(name)
    present = _present(binding, node)
    if not present.any():
        raise _refuse(
            name, "every value is missing", "drop the column from the data and the node from the model"
        )
    statements = model.statements_of(name)
    whole = len(statements) == 1 and all(each.subset is None for each in statements[0].ranges)
    if _can_drop_rows(model, node, binding):
        return _drop_rows(observed, binding, node, present)
    alone = len(node.indices) == 1 and not parents_of(node.indices[0], model)
    if whole and alone and not _first_place(binding, node, node.indices[0]):
        return _range_over_subset(observed, binding, node, present)
    if whole and node.indices and not any(parents_of(index, model) for index in node.indices):
        return _to_long_format(observed, binding, node, present)
    raise _refuse(name, f"{binding.missing[name]} values are missing", "drop their rows")


def _has_children(model: Model, name: str) -> bool:
    """Tell whether a distribution or a definition is given a node: its missing values cannot be left out."""
    return any(
        ref.name == name
        for statement in model.statements
        for part in _parts(statement)
        for ref in references(part)
    )


def _refuse(name: str, found: str, remedy: str) -> DataError:
    expected = "values that can be left out: those of long, ragged or fully crossed plates"
    return DataError([Mistake(code="missing", found=f"`{name}`: {found}", expected=expected, remedy=remedy)])


def _present(binding: Binding, node: Node) -> np.ndarray:
    """Return which elements are observed; a vector with some components missing cannot be used."""
    gone = np.isnan(binding.arrays[node.name])
    if not node.shape:
        return ~gone
    some = gone.any(axis=-1)
    if (some & ~gone.all(axis=-1)).any():
        raise _refuse(
            node.name,
            "a vector that is not normal has some components missing",
            "give all its components, or none",
        )
    return ~some


# --- 1: rows that carry nothing but data ------------------------------------------------------------------


def _can_drop_rows(model: Model, node: Node, binding: Binding) -> bool:
    """Tell whether the innermost plate of a response can lose elements without changing anything else."""
    if len(binding.layouts[node.name].blocks) != 1 or not node.indices:
        return False
    index = node.indices[-1]
    plate = model.plate(index)
    others = [each for each in declarations(model) if index in each.indices and each.name != node.name]
    if any(isinstance(each, Node) and (each.layer != "data" or each.kind == "stochastic") for each in others):
        return False
    if index in temporal_plates(model) or any(each.support.plate == index for each in model.givens):
        return False
    if not isinstance(plate.upper, Reference) or any(each.indices[-1:] != (index,) for each in others):
        return False
    if any(plate.index in parents_of(other.index, model) for other in model.plates):
        return False
    named = [ref.name for statement in model.statements for e in _parts(statement) for ref in references(e)]
    summed = any(_sums(e, index) for statement in model.statements for e in _parts(statement))
    return plate.upper.name not in named and not summed


def _parts(statement: Statement) -> tuple[Expression, ...]:
    if isinstance(statement, Deterministic):
        return (statement.expression,)
    return (
        *(argument.value for argument in statement.arguments),
        *(b for b in statement.truncation or () if b),
    )


def _sums(expression: Expression, index: str) -> bool:
    """Tell whether an expression goes over a plate by a sum or a colon."""
    if isinstance(expression, Colon) or (isinstance(expression, SumOver) and expression.index == index):
        return True
    return any(_sums(child, index) for child in children(expression))


def _drop_rows(observed: Observed, binding: Binding, node: Node, present: np.ndarray) -> Observed:
    model, index = observed.model, node.indices[-1]
    arrays = dict(observed.arrays)
    size = model.plate(index).upper
    assert isinstance(size, Reference)
    for declared in declarations(model):
        if index in declared.indices and declared.name in arrays:
            arrays[declared.name] = arrays[declared.name][present]
    block = binding.layouts[node.name].blocks[0]
    if size.subscripts:
        innermost = block.levels[-1]
        ends = np.concatenate([[0], np.cumsum(innermost.length)])
        kept = np.concatenate([[0], np.cumsum(present)])
        lengths = kept[ends[1:]] - kept[ends[:-1]]
        arrays[size.name] = lengths.reshape(np.shape(arrays[size.name]))
    else:
        arrays[size.name] = np.asarray(int(present.sum()) + int(block.levels[-1].lower[0]) - 1)
    return Observed(model=model, arrays=arrays)


# --- 2: the subset that was observed ----------------------------------------------------------------------


def _first_place(binding: Binding, node: Node, index: str) -> int:
    """Return the place on its plate, from 0, at which the range of a response begins: 1 for ``t in 2..T``."""
    first = min(int(b.rows[index].min()) for b in binding.layouts[node.name].blocks if index in b.rows)
    lower = binding.model.plate(index).lower
    return first - (int(lower.value) if isinstance(lower, Number) else 1)


def _range_over_subset(observed: Observed, binding: Binding, node: Node, present: np.ndarray) -> Observed:
    model, index = observed.model, node.indices[0]
    name = _new_name(model, f"observed_{node.name}")
    ranges = (Range(index=index, subset=name),)
    given = Given(
        name=name, support=Support(kind="subset", plate=index), comment=f"where {node.name} was observed"
    )
    statements = tuple(
        replace(each, ranges=ranges, explicit_ranges=True) if each.name == node.name else each
        for each in model.statements
    )
    nodes = tuple(replace(each, ranges=ranges) if each.name == node.name else each for each in model.nodes)
    arrays = dict(observed.arrays)
    arrays[node.name] = np.where(_like(present, arrays[node.name]), arrays[node.name], 0.0)
    arrays[name] = np.flatnonzero(present)
    changed = replace(model, givens=(*model.givens, given), statements=statements, nodes=nodes, source="")
    return Observed(model=changed, arrays=arrays)


def _like(present: np.ndarray, array: np.ndarray) -> np.ndarray:
    return present.reshape(present.shape + (1,) * (array.ndim - present.ndim))


def _new_name(model: Model, name: str) -> str:
    taken = {declared.name for declared in declarations(model)} | {plate.index for plate in model.plates}
    while name in taken:
        name += "_"
    return name


# --- 3: long format ---------------------------------------------------------------------------------------


def _to_long_format(observed: Observed, binding: Binding, node: Node, present: np.ndarray) -> Observed:
    model = observed.model
    row = _new_name(model, f"row_{node.name}")
    size = _new_name(model, f"rows_{node.name}")
    columns = {index: _new_name(model, f"{index}_of_{node.name}") for index in node.indices}
    arrays = dict(observed.arrays)
    arrays[node.name] = arrays[node.name][present]
    arrays[size] = np.asarray(int(present.sum()))
    for index, places in zip(node.indices, np.nonzero(present), strict=True):
        arrays[columns[index]] = places + _first_place(binding, node, index)
    count = Reference(name=size)
    one = Number(value=Fraction(1), text="1")
    plate = Plate(index=row, lower=one, upper=count, comment=f"the observed elements of {node.name}")
    statement = next(each for each in model.statements if each.name == node.name)
    assert isinstance(statement, Stochastic)
    longer = _lengthen(statement, row, columns, plate)
    groups = tuple(
        Given(name=columns[index], indices=(row,), support=Support(kind="index", plate=index))
        for index in node.indices
    )
    changed = replace(
        model,
        plates=(*model.plates, plate),
        givens=(*model.givens, Given(name=size, origin="size"), *groups),
        statements=tuple(longer if each is statement else each for each in model.statements),
        nodes=tuple(
            replace(each, indices=(row,), ranges=longer.ranges) if each.name == node.name else each
            for each in model.nodes
        ),
        source="",
    )
    return Observed(model=changed, arrays=arrays)


def _lengthen(statement: Stochastic, row: str, columns: Mapping[str, str], plate: Plate) -> Stochastic:
    """Return the statement over the rows, each plate index replaced by its group column."""
    at_row = Reference(name=row)

    def change(part: Expression) -> Expression:
        if isinstance(part, Reference) and not part.subscripts and part.name in columns:
            return Reference(name=columns[part.name], subscripts=(at_row,))
        return part

    arguments = tuple(replace(each, value=rebuild(each.value, change)) for each in statement.arguments)
    cuts = statement.truncation
    truncation = None if cuts is None else tuple(c if c is None else rebuild(c, change) for c in cuts)
    return replace(
        statement,
        subscripts=(at_row,),
        arguments=arguments,
        truncation=truncation,  # type: ignore[arg-type]
        ranges=(Range(index=row, lower=plate.lower, upper=plate.upper),),
        explicit_ranges=False,
    )
