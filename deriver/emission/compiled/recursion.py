"""Paths of nodes that are computed from their own earlier elements, in compiled loops: an array filled step by step.

The array is filled in the outermost block that knows what the path depends on: once a proposal where the moving node
lies below it, once an update where it does not.
"""

from __future__ import annotations

from sympy import Expr, Integer

from deriver.algebra import heads
from deriver.emission.compiled.body import Body
from deriver.emission.compiled.indices import loops, number, place_in
from deriver.emission.text import Text, atom
from deriver.plan.layout import free_indices, plate_of, unsupported


def element_of(body: Body, expr: heads.Component) -> Text:
    """Return the text of an element of a path."""
    path, position = expr.args
    place = place_in(body, position, (Integer(1), heads.shape_of(path)[0]))
    return atom(f"{_array(body, path)}[{place}]")


def _array(body: Body, path: heads.Recursion) -> str:
    known = body.recall(path)
    if known is None:
        with body.at(body.home(path)):
            known = body.recall(path) or _write(body, path)
    assert isinstance(known, Text)
    return known.text


def _write(body: Body, path: heads.Recursion) -> Text:
    """Write the loop that fills the arrays of all nodes of a recursion, and return its own node's."""
    if free_indices(heads.shape_of(path)[0], body.space):
        raise unsupported(
            f"a recursion over the ragged plate {plate_of(path.bound[0])}", "use the numpy backend"
        )
    names = [body.fresh(variable.name) for variable in path.variables]
    body.arrays |= set(names)
    size = number(body, heads.shape_of(path)[0])
    for name, firsts in zip(names, path.firsts, strict=True):
        body.add(f"{name} = np.empty({size})")
        for place, first in enumerate(firsts):
            body.assign(f"{name}[{place}]", _number(body, first))
    with loops(body, [path.bound]):
        body.block.owns = (*body.block.owns, *(symbol for symbol, _, _ in path.earlier))
        step = body.loops[path.bound[0]]
        for symbol, row, lag in path.earlier:
            body.remember(symbol, atom(f"{names[int(row)]}[{_moved(step, path.lead - int(lag))}]"))
        for name, expr in zip(names, path.steps, strict=True):
            body.assign(f"{name}[{_moved(step, path.lead)}]", _number(body, expr))
    for row, name in enumerate(names):  # the loop has filled the arrays of all nodes
        body.remember(path.of_row(row), atom(name))
    return atom(names[path.row])


def _number(body: Body, expr: Expr) -> Text:
    from deriver.emission.compiled.scalars import scalar

    return scalar(body, expr)


def _moved(step: str, by: int) -> str:
    return f"{step} + {by}" if by > 0 else f"{step} - {-by}" if by < 0 else step
