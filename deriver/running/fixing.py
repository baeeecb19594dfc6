"""Holding a node at a value: ``--fix phi=1``.

Part of stage run, before the derivation.  Input: a ``Model`` and values as expressions.  Output: the model with those
nodes among its givens, and without the givens that only their priors used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from deriver.language.mistakes import listing, suggest
from deriver.model.expressions import Expression, references
from deriver.model.records import Deterministic, Given, Model, Node, Statement
from deriver.running.problems import Problems
from deriver.running.reading import read_expression


def fix_nodes(model: Model, fixed: Mapping[str, str | float]) -> Model:
    """Return the model with each named node given, its value the default; raise ``UsageError`` otherwise."""
    if not fixed:
        return model
    problems = Problems()
    values = {
        name: value for name, text in fixed.items() if (value := _read(model, name, str(text), problems))
    }
    problems.raise_any()
    added = tuple(_make_given(model.node(name), value) for name, value in values.items())
    statements = tuple(statement for statement in model.statements if statement.name not in values)
    nodes = tuple(node for node in model.nodes if node.name not in values)
    used = _used_names(model, statements, nodes, added)
    before = _used_names(model, model.statements, model.nodes, ())
    givens = tuple(given for given in model.givens if given.name in used or given.name not in before)
    return replace(model, statements=statements, nodes=nodes, givens=(*givens, *added), source="")


def _read(model: Model, name: str, text: str, problems: Problems) -> Expression | None:
    option = f"--fix {name}={text}"
    nodes = {node.name: node for node in model.nodes}
    if name not in nodes:
        given = name in {each.name for each in model.givens}
        remedy = f"--set {name}={text}, as `{name}` is given already" if given else suggest(name, nodes)
        problems.add(
            "unknown-name", f"{option}: the model has no node `{name}`", expected=f"one of {listing(nodes)}",
            remedy=remedy, usage=True,
        )  # fmt: skip
        return None
    if not nodes[name].is_drawn:
        problems.add(
            "cannot-fix",
            f"{option}: `{name}` is not drawn",
            expected="a stochastic node above the data",
            usage=True,
        )
        return None
    return read_expression(option, text, problems, "a number, a vector [a, b] or a matrix [a, b; c, d]")


def _make_given(node: Node, value: Expression) -> Given:
    return Given(
        name=node.name, indices=node.indices, shape=node.shape, support=node.support, default=value,
        comment="held at a value",
    )  # fmt: skip


def _used_names(
    model: Model, statements: tuple[Statement, ...], nodes: tuple[Node, ...], added: tuple[Given, ...]
) -> set[str]:
    """Return the names that the model still needs, those that defaults of needed givens mention included."""
    expressions = [bound for plate in model.plates for bound in (plate.lower, plate.upper)]
    for statement in statements:
        expressions += _expressions(statement)
    for node in nodes:
        expressions += [*node.shape, *(bound for bound in (node.support.lower, node.support.upper) if bound)]
    names = {each.subset for statement in statements for each in statement.ranges if each.subset}
    waiting = [reference.name for each in expressions for reference in references(each)]
    waiting += [reference.name for given in added for each in _parts(given) for reference in references(each)]
    givens = {given.name: given for given in model.givens}
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            if name in givens:
                waiting += [ref.name for each in _parts(givens[name]) for ref in references(each)]
    return names


def _parts(given: Given) -> list[Expression]:
    bounds = (given.support.lower, given.support.upper, given.default)
    return [*given.shape, *(each for each in bounds if each is not None)]


def _expressions(statement: Statement) -> list[Expression]:
    ends = [bound for each in statement.ranges for bound in (each.lower, each.upper) if bound]
    if isinstance(statement, Deterministic):
        return [*statement.subscripts, *ends, statement.expression]
    cuts = [bound for bound in statement.truncation or () if bound]
    return [*statement.subscripts, *ends, *cuts, *(argument.value for argument in statement.arguments)]
