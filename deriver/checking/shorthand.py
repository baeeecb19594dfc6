"""Checking, step 2: what people write on paper, in full.

``y[i]`` and ``y_i`` for the column ``y[i,:]``, ``X[i]`` for the rows ``x[i,:]`` of vectors x, ``beta_i`` for
``beta[i]``, ``log(s[i])`` where that is the node.  Input: an expression.  Output: the same in the names of the model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from deriver.language.rewrite import rebuild
from deriver.language.scope import Scope
from deriver.model.expressions import Call, Colon, Expression, Reference


def write_out(expression: Expression, scope: Scope, own: Collection[str] = ()) -> Expression:
    """Return an expression in the model's own names; ``own`` are the names that the claim defines."""

    def change(part: Expression) -> Expression:
        match part:
            case Reference() if part.name not in own:
                return _write_reference(part, scope)
            case Call(function=function, arguments=(Reference(name=name) as inner,)):
                node = scope.written.get((function, name))
                return dataclasses.replace(inner, name=node) if node else part
        return part

    return rebuild(expression, change)


def _write_reference(found: Reference, scope: Scope) -> Reference:
    found = _split_name(found, scope)
    found = _upper_rows(found, scope)
    indices = indices_of(found.name, scope)
    if indices and len(found.subscripts) == len(indices) - 1 > 0:
        return dataclasses.replace(found, subscripts=(*found.subscripts, Colon(span=found.span)))
    return found


def _split_name(found: Reference, scope: Scope) -> Reference:
    """Read ``beta_i`` as ``beta[i]`` and ``y_ij`` as ``y[i,j]`` where there is no such name."""
    base, mark, letters = found.name.rpartition("_")
    if _known(found.name, scope) or found.subscripts or not mark or not _known_or_rows(base, scope):
        return found
    pieces = [letters] if letters in scope.plates else list(letters)
    if not all(piece in scope.plates for piece in pieces):
        return found
    subscripts = tuple(Reference(name=piece, span=found.span) for piece in pieces)
    return dataclasses.replace(found, name=base, subscripts=subscripts)


def _upper_rows(found: Reference, scope: Scope) -> Reference:
    """Read ``X[i]`` as ``x[i]`` where x is an indexed vector and there is no X."""
    lower = found.name.lower()
    if _known(found.name, scope) or not _is_rows(lower, scope) or len(found.name) != 1:
        return found
    return dataclasses.replace(found, name=lower)


def _known_or_rows(name: str, scope: Scope) -> bool:
    return _known(name, scope) or (len(name) == 1 and _is_rows(name.lower(), scope))


def _is_rows(name: str, scope: Scope) -> bool:
    given = scope.givens.get(name)
    return given is not None and len(given.indices) > 1 and len(given.shape) == 1


def _known(name: str, scope: Scope) -> bool:
    return name in scope.plates or name in scope.givens or name in scope.nodes


def indices_of(name: str, scope: Scope) -> tuple[str, ...]:
    """Return the plate indices of a given or node; none for what is neither."""
    if name in scope.givens:
        return scope.givens[name].indices
    return scope.nodes[name].indices if name in scope.nodes else ()
