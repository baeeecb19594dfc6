"""Quantities computed from the draws: deterministic nodes, and those of ``--derive``.

Stage run, third part.  Input: the draws and a ``Binding``.  Output: ``Value`` records with the axes chain, draw and
those of the plates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deriver.errors import UsageError
from deriver.language.mistakes import suggest
from deriver.model.expressions import Expression, Reference, references
from deriver.model.records import Deterministic, Range, Stochastic
from deriver.running.binding import Binding
from deriver.running.evaluate import EvaluationError, Stored, evaluate
from deriver.running.layout import Layout, make_layout
from deriver.running.problems import Problems
from deriver.running.reading import read_expression
from deriver.running.stepwise import compute_steps, find_recursions
from deriver.running.values import Value, scalar, shaped

LEAD = ("chain", "draw")


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A quantity that the user asked for: ``name`` or ``name[i]``, and its expression."""

    name: str
    indices: tuple[str, ...]
    expression: Expression
    text: str


def read_derived(
    binding_names: Sequence[str], plates: Sequence[str], texts: Sequence[str]
) -> tuple[Derived, ...]:
    """Return what each ``name = expression`` asks for; raise ``UsageError`` with all that is wrong."""
    problems = Problems()
    found: list[Derived] = []
    for text in texts:
        derived = _read_one(text, plates, problems)
        if derived is None:
            continue
        known = [*binding_names, *plates, *(each.name for each in found)]
        if derived.name in known:
            problems.add(
                "name-taken", f'--derive "{text}": `{derived.name}` is a name of the model already', usage=True,
                remedy="choose another name",
            )  # fmt: skip
        for reference in references(derived.expression):
            if reference.name not in known and reference.name not in plates:
                problems.add(
                    "unknown-name", f'--derive "{text}": nothing is called `{reference.name}`', usage=True,
                    expected="names of the model and of earlier --derive", remedy=suggest(reference.name, known),
                )  # fmt: skip
        found.append(derived)
    problems.raise_any()
    return tuple(found)


def _read_one(text: str, plates: Sequence[str], problems: Problems) -> Derived | None:
    option = f'--derive "{text}"'
    left, equals, right = text.partition("=")
    if not equals:
        problems.add("expression", f"{option}: there is no `=`", expected='"name = expression"', usage=True)
        return None
    target = read_expression(option, left.strip(), problems, "a name, or name[i], on the left")
    expression = read_expression(option, right.strip(), problems, "an expression of the model language")
    if target is None or expression is None:
        return None
    if not isinstance(target, Reference):
        problems.add("expression", f"{option}: the left side is not a name", usage=True)
        return None
    indices = tuple(each.name for each in target.subscripts if isinstance(each, Reference))
    if len(indices) != len(target.subscripts) or not set(indices) <= set(plates):
        problems.add("expression", f"{option}: a subscript on the left is no plate index", usage=True)
        return None
    return Derived(name=target.name, indices=indices, expression=expression, text=text)


class DrawEvaluator:
    """Evaluates deterministic nodes and derived quantities over the draws, each once."""

    def __init__(self, binding: Binding, draws: Mapping[str, np.ndarray]) -> None:
        self.binding = binding
        self.model = binding.model
        self.recursions = find_recursions(binding.model)
        stored = {
            name: Stored(array=array, layout=binding.layouts[name], lead=LEAD)
            for name, array in draws.items() if name in binding.layouts
        }  # fmt: skip
        observed = {
            name: Stored(array=array + self._first_of(name), layout=binding.layouts[name])
            for name, array in binding.arrays.items()
            if name in binding.layouts and name not in stored and name not in binding.environment.plain
        }
        base = binding.environment
        self.env = replace(base, stored={**base.stored, **observed, **stored})

    def _first_of(self, name: str) -> int:
        """Return what to add to an array: group columns count positions from 0, and the model from its plate's start."""
        given = next((each for each in self.model.givens if each.name == name), None)
        if given is None or given.support.kind != "index":
            return 0
        lower, _ = self.binding.environment.plates[given.support.plate or ""]
        return int(evaluate(lower, self.binding.environment).array)

    def node(self, name: str) -> Value:
        """Return a node's values; computed if it is deterministic and was not among the draws."""
        if name not in self.env.stored:
            self._compute(name)
        stored = self.env.stored[name]
        return shaped(stored.array, (*stored.lead, *stored.layout.axes), len(stored.layout.shape))

    def _compute(self, name: str) -> None:
        group = next((group for group in self.recursions if name in group), None)
        if group is not None:
            self._compute_recursion(group)
            return
        layout = self.binding.layouts[name]
        total: np.ndarray | None = None
        for statement in self.model.statements_of(name):
            if not isinstance(statement, Deterministic):
                raise EvaluationError(
                    f"the draws of `{name}` were not kept: add it to --keep, or to --keep-draws"
                )
            value, positions = self._statement(statement, layout)
            if total is None:
                lead = tuple(len_ for len_ in self._lead_shape(value))
                total = np.full(lead + layout.extents, np.nan)
                lead_axes = tuple(axis for axis in LEAD if axis in value.axes)
            total[(slice(None),) * len(lead_axes) + positions] = _ordered(value, lead_axes)
        assert total is not None
        self._store(name, total, layout, lead_axes)

    def _compute_recursion(self, group: tuple[str, ...]) -> None:
        """Compute nodes that rest on their own earlier elements, step by step."""
        statements = [s for s in self.model.statements if isinstance(s, Deterministic) and s.name in group]
        for statement in statements:
            self._require(statement.expression, group)
        drawn = next((each for each in self.env.stored.values() if each.lead), None)
        lead = {} if drawn is None else dict(zip(drawn.lead, drawn.array.shape, strict=False))
        rows = {name: self._rows(self.binding.layouts[name], self.model.node(name).ranges) for name in group}
        made = compute_steps(statements, self.binding.layouts, rows, self.env, lead)
        self.env = replace(self.env, stored={**self.env.stored, **made})

    def _lead_shape(self, value: Value) -> tuple[int, ...]:
        return tuple(value.array.shape[value.axes.index(axis)] for axis in LEAD if axis in value.axes)

    def _statement(self, statement: Deterministic, layout: Layout) -> tuple[Value, tuple[np.ndarray, ...]]:
        """Return the values of one statement over its own range, and where they stand in the node's array."""
        self._require(statement.expression)
        if not layout.indices:
            return evaluate(statement.expression, self.env), ()
        rows = self._rows(layout, statement.ranges)
        for index, subscript in zip(layout.indices, statement.subscripts, strict=True):
            if not (isinstance(subscript, Reference) and subscript.name == index):
                fixed = evaluate(subscript, self.env).array
                rows[index] = np.full(len(next(iter(rows.values()))), int(fixed))
        indices = {index: scalar(values, ("element",)) for index, values in rows.items()}
        value = evaluate(statement.expression, replace(self.env, indices={**self.env.indices, **indices}))
        if "element" not in value.axes:
            count = len(next(iter(rows.values())))
            value = Value(
                array=np.repeat(np.expand_dims(value.array, len(value.axes)), count, axis=len(value.axes)),
                axes=(*value.axes, "element"), kind=value.kind,
            )  # fmt: skip
        return value, layout.locate(rows)[0]

    def arguments(self, statement: Stochastic) -> tuple[dict[str, Value], tuple[np.ndarray, ...]]:
        """Return the arguments of a statement's family over the draws, and where its elements stand.

        The values have the axis ``element`` where they differ between elements.
        """
        layout = self.binding.layouts[statement.name]
        bounds = dict(zip(("lower bound", "upper bound"), statement.truncation or (), strict=False))
        wanted = {each.keyword: each.value for each in statement.arguments}
        wanted |= {name: bound for name, bound in bounds.items() if bound is not None}
        for expression in wanted.values():
            self._require(expression)
        rows = self._rows(layout, statement.ranges) if layout.indices else {}
        indices = {index: scalar(values, ("element",)) for index, values in rows.items()}
        env = replace(self.env, indices={**self.env.indices, **indices})
        values = {name: evaluate(expression, env) for name, expression in wanted.items()}
        return values, layout.locate(rows)[0] if rows else ()

    def _rows(self, layout: Layout, ranges: Sequence[Range]) -> dict[str, np.ndarray]:
        """Return index values of every element that a statement's ranges hold."""
        own = [each for each in ranges if each.index in layout.indices]
        if len(own) != len(layout.indices):
            grids = np.meshgrid(*(np.arange(block.size) for block in layout.blocks), indexing="ij")
            pairs = zip(layout.blocks, grids, strict=True)
            return {i: b.rows[i][g.ravel()] for b, g in pairs for i in b.indices}
        spread = make_layout("", [self._filled(each) for each in own], (), self.model, self._bound)
        grids = np.meshgrid(*(np.arange(block.size) for block in spread.blocks), indexing="ij")
        rows = {i: b.rows[i][g.ravel()] for b, g in zip(spread.blocks, grids, strict=True) for i in b.indices}
        inside = np.ones(len(next(iter(rows.values()))), dtype=bool)
        for each in own:
            if each.subset is not None:
                lower = int(self._bound(self.model.plate(each.index).lower, {}))
                inside &= np.isin(rows[each.index], np.asarray(self.binding.arrays[each.subset]) + lower)
        return {index: values[inside] for index, values in rows.items()}

    def _filled(self, place: Range) -> Range:
        plate = self.model.plate(place.index)
        lower = plate.lower if place.lower is None else place.lower
        return replace(place, lower=lower, upper=plate.upper if place.upper is None else place.upper)

    def _bound(self, expression: Expression, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        indices = {index: scalar(values, ("row",)) for index, values in rows.items()}
        return evaluate(expression, replace(self.env, indices=indices)).array

    def _require(self, expression: Expression, but: Sequence[str] = ()) -> None:
        """Compute the deterministic nodes that an expression mentions, but for some."""
        names = {node.name: node.kind for node in self.model.nodes}
        for reference in references(expression):
            if names.get(reference.name) == "stochastic" and reference.name not in self.env.stored:
                raise EvaluationError(
                    f"the draws of `{reference.name}` are not kept: add it to --keep, or to --keep-draws"
                )
            known = reference.name in self.env.stored or reference.name in but
            if names.get(reference.name) == "deterministic" and not known:
                self._compute(reference.name)

    def derived(self, wanted: Derived) -> Value:
        """Return a derived quantity's values, and keep it for later ones."""
        try:
            self._require(wanted.expression)
            if not wanted.indices:
                value = evaluate(wanted.expression, self.env)
                self.env = replace(self.env, plain={**self.env.plain, wanted.name: value})
                return value
            return self._derived_on_plates(wanted)
        except EvaluationError as error:
            problems = Problems()
            problems.add("expression", f'--derive "{wanted.text}": {error}', usage=True)
            problems.raise_any()
            raise UsageError([]) from error

    def _derived_on_plates(self, wanted: Derived) -> Value:
        ranges = [self._filled(Range(index=index)) for index in wanted.indices]
        layout = make_layout(wanted.name, ranges, (), self.model, self._bound)
        indices: dict[str, Value] = {}
        for block in layout.blocks:
            indices |= {index: scalar(block.rows[index], (block.axis,)) for index in block.indices}
        value = evaluate(wanted.expression, replace(self.env, indices=indices))
        shape = value.plain().shape[len(value.axes) :]
        lead = tuple(axis for axis in LEAD if axis in value.axes)
        array = _ordered(value, (*lead, *layout.axes))
        self._store(wanted.name, array, replace(layout, shape=shape), lead)
        return shaped(array, (*lead, *layout.axes), len(shape))

    def _store(self, name: str, array: np.ndarray, layout: Layout, lead: tuple[str, ...]) -> None:
        stored = Stored(array=array, layout=layout, lead=lead)
        self.env = replace(self.env, stored={**self.env.stored, name: stored})


def _ordered(value: Value, first: tuple[str, ...]) -> np.ndarray:
    """Return the plain array with the given axes first, in that order, then the others."""
    plain = value.plain()
    order = [value.axes.index(axis) for axis in first if axis in value.axes]
    order += [k for k in range(len(value.axes)) if k not in order]
    order += list(range(len(value.axes), plain.ndim))
    return np.transpose(plain, order)
