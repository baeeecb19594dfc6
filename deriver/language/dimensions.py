"""Dimensions: the shapes of values, and what each dimension name turns out to be.

``p`` becomes 2 where a 2 by 2 matrix stands, and two names that meet become one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from deriver.language.printer import print_expression
from deriver.language.scope import Scope
from deriver.model.expressions import Expression, Reference


@dataclass(frozen=True, slots=True)
class Shape:
    """``kind`` is ``scalar``, ``vector``, ``row`` or ``matrix``; ``dims`` has 0, 1, 1 or 2 dimensions."""

    kind: str
    dims: tuple[Expression, ...] = ()


SCALAR = Shape("scalar")


def declared_shape(dims: tuple[Expression, ...]) -> Shape:
    """Return the shape of a declaration."""
    return Shape(("scalar", "vector", "matrix")[len(dims)], dims)


@dataclass(slots=True)
class Dimensions:
    """What each dimension name has turned out to be, and where."""

    scope: Scope
    values: dict[str, Expression] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def resolve(self, dimension: Expression) -> Expression:
        """Return the dimension as far as it is known."""
        while isinstance(dimension, Reference) and not dimension.subscripts and dimension.name in self.values:
            dimension = self.values[dimension.name]
        return dimension

    def unify(self, first: Expression, second: Expression, place: str) -> bool:
        """Make two dimensions the same; False if they cannot be."""
        one, two = self.resolve(first), self.resolve(second)
        if print_expression(one, True) == print_expression(two, True):
            return True
        for name, other in ((one, two), (two, one)):
            if isinstance(name, Reference) and self._is_free(name):
                self.values[name.name] = other
                self.places[name.name] = place
                return True
        return False

    def _is_free(self, name: Reference) -> bool:
        given = self.scope.givens.get(name.name)
        return not name.subscripts and given is not None and given.origin == "dimension"

    def explain(self, first: Expression, second: Expression) -> str:
        """Return where the dimensions of a conflict got their values."""
        parts = []
        for each in (first, second):
            name = each.name if isinstance(each, Reference) else ""
            if name in self.places:
                parts.append(
                    f"{name} is {print_expression(self.resolve(each), True)} from {self.places[name]}"
                )
        return "; ".join(dict.fromkeys(parts))


def transpose(shape: Shape | None) -> Shape | None:
    """Return the shape of the transpose."""
    if shape is None or shape == SCALAR:
        return shape
    kind = {"vector": "row", "row": "vector", "matrix": "matrix"}[shape.kind]
    return Shape(kind, shape.dims[::-1])


def describe(shape: Shape, dimensions: Dimensions | None = None) -> str:
    """Return ``a number``, ``a vector(p)``, ``a row of p`` or ``a matrix(p,p)``."""
    dims = ",".join(
        print_expression(dimensions.resolve(each) if dimensions else each, True) for each in shape.dims
    )
    words = {"scalar": "a number", "vector": f"a vector({dims})", "matrix": f"a matrix({dims})"}
    return words.get(shape.kind, f"a row of {dims}")
