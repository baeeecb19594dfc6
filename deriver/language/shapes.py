"""Shapes: scalar, vector, row or matrix for every expression, with dimensions brought together.

Input: a scope with places checked.  Output: the shape of every node, the family of every statement, and the
values that dimensions turn out to have (``p`` is 2 where a 2 by 2 matrix stands).  A conflict between two
places names both.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from deriver.language.dimensions import SCALAR, Dimensions, Shape, declared_shape, describe, transpose
from deriver.language.functions import ELEMENTWISE, OF_NUMBERS
from deriver.language.printer import print_expression
from deriver.language.rewrite import make_number, substitute, whole_number
from deriver.language.scope import Scope
from deriver.model.expressions import (
    Binary,
    Call,
    Colon,
    Condition,
    Expression,
    Infinity,
    MatrixRows,
    Negate,
    Number,
    Reference,
    Span,
    SumOver,
    Transpose,
    references,
)


@dataclass(slots=True)
class Shaper:
    """Finds the shape of an expression; ``quiet`` while node shapes are still being found."""

    scope: Scope
    dimensions: Dimensions
    nodes: dict[str, Shape] = field(default_factory=dict)
    quiet: bool = True

    def refuse(self, found: str, span: Span | None, remedy: str = "", expected: str = "") -> None:
        """Record a mistake, unless quiet; always returns None, the unknown shape."""
        if not self.quiet:
            self.scope.mistakes.add("shape", found, span=span, expected=expected, remedy=remedy)

    def unify(
        self,
        first: Expression,
        second: Expression,
        span: Span | None,
        found: str,
        sides: tuple[Expression, ...] = (),
    ) -> bool:
        """Make two dimensions the same, or record that ``found`` does not fit; ``sides`` is what they stand in."""
        if self.quiet:
            return True
        place = f"line {span.line}" if span else "another line"
        if self.dimensions.unify(first, second, place):
            return True
        one, two = (print_expression(self.dimensions.resolve(each), True) for each in (first, second))
        why = "; ".join(
            each for each in (self.dimensions.explain(first, second), self._origins(sides)) if each
        )
        self.refuse(
            f"{found}: {one} against {two}" + (f" ({why})" if why else ""),
            span,
            self._mend_size(first, second),
        )
        return False

    def _origins(self, sides: tuple[Expression, ...]) -> str:
        """Return where the vectors and matrices of an expression are declared."""
        named = {found.name for side in sides for found in references(side)}
        parts = []
        for name in sorted(named - set(self.scope.plates)):
            shape = self.nodes.get(name)
            if name in self.scope.givens:
                shape = declared_shape(self.scope.givens[name].shape)
            if shape is not None and shape.dims:
                place = self.scope.first_place(name).partition("(")[2].rstrip(")")
                parts.append(
                    f"`{name}` is {describe(shape, self.dimensions)}" + (f", {place}" if place else "")
                )
        return "; ".join(parts)

    def _mend_size(self, first: Expression, second: Expression) -> str:
        """Return what to do where the size of a plate, known from the data alone, meets a number, or a given dimension another."""
        for one, other in ((first, second), (second, first)):
            given = self.scope.givens.get(one.name) if isinstance(one, Reference) else None
            if given is not None and given.origin == "size" and isinstance(other, Number):
                return f"write {other.text} for {given.name} in the plate: it is known from the data alone"
            if given is not None and given.origin == "given":
                known = print_expression(other, True)
                return f"write {known} for {given.name}, or take it out of `given`: dimensions follow from shapes"
        return ""

    def shape(self, expression: Expression) -> Shape | None:
        """Return the shape of an expression, None if unknown."""
        match expression:
            case Number() | Infinity():
                return SCALAR
            case Reference():
                return self._reference(expression)
            case Negate(operand=operand):
                return self.shape(operand)
            case Transpose(operand=operand):
                return transpose(self.shape(operand))
            case Binary():
                return self._binary(expression)
            case Call():
                return self._call(expression)
            case MatrixRows(rows=rows):
                return self._rows(expression, rows)
            case SumOver(conditions=conditions, body=body):
                for each in conditions:
                    self.shape(each)
                return self.shape(body)
            case Condition(left=left, right=right):
                self._need_scalar(left, "a comparison")
                self._need_scalar(right, "a comparison")
        return None

    # references

    def _reference(self, found: Reference) -> Shape | None:
        for each in found.subscripts:
            if not isinstance(each, Colon):
                self._need_scalar(each, "a subscript")
        scope, name = self.scope, found.name
        if scope.unread(name):
            return None
        if name in scope.plates:
            return SCALAR
        if name in scope.givens:
            given = scope.givens[name]
            return self._element(found, given.indices, declared_shape(given.shape))
        if name in self.nodes and scope.nodes[name].sound:
            return self._element(found, scope.nodes[name].indices, self.nodes[name])
        return None

    def _element(self, found: Reference, indices: tuple[str, ...], base: Shape) -> Shape | None:
        rest = found.subscripts[len(indices) :]
        own = found.subscripts[: len(indices)]
        if len(own) < len(indices):
            return None
        colons = [position for position, each in enumerate(own) if isinstance(each, Colon)]
        if colons:
            return self._whole_row(found, indices, base, colons)
        if not rest:
            return base
        if len(rest) != len(base.dims):
            self._refuse_component(found, indices, base)
            return None
        for each, dimension in zip(rest, base.dims, strict=True):
            self._check_component(found, each, dimension)
        return SCALAR

    def _refuse_component(self, found: Reference, indices: tuple[str, ...], base: Shape) -> None:
        whole = f"{found.name}[{','.join(indices)}]" if indices else found.name
        count = len(found.subscripts)
        more = f"{count} subscript{'' if count == 1 else 's'}"
        self.refuse(
            f"`{print_expression(found)}` has {more}, but `{whole}` is {describe(base, self.dimensions)}",
            found.span,
            expected=f"{whole}" + (f", or {len(base.dims)} more for one entry" if base.dims else ""),
        )

    def _check_component(self, found: Reference, each: Expression, dimension: Expression) -> None:
        if isinstance(each, Colon):
            self.refuse(
                f"`:` stands for the entries of a vector or matrix in `{print_expression(found)}`",
                found.span,
                expected="`:` only in the place of an index",
                remedy=f"leave the subscript out for the whole of `{found.name}`",
            )
            return
        value, size = whole_number(each), whole_number(self.dimensions.resolve(dimension))
        if value is None or self.quiet:
            return
        if value < 1 or (size is not None and value > size):
            limit = print_expression(self.dimensions.resolve(dimension), True)
            self.refuse(
                f"the entry {value} of `{found.name}` is outside 1..{limit}", each.span or found.span,
                expected="entries are counted from 1",
            )  # fmt: skip

    def _whole_row(
        self, found: Reference, indices: tuple[str, ...], base: Shape, colons: list[int]
    ) -> Shape | None:
        lengths = [self._row_length(found, indices, place, colons) for place in colons]
        known = [length for length in lengths if length is not None]
        if (
            len(known) < len(lengths)
            or len(found.subscripts) > len(indices)
            or len(known) + len(base.dims) > 2
        ):
            self.refuse(
                f"`{print_expression(found)}` is not a row of numbers or vectors, nor a table of numbers",
                found.span,
                expected="`:` for one or two indices that run from 1 to a size, and nothing after the indices",
            )
            return None
        dims = (*known, *base.dims)
        return Shape("vector" if len(dims) == 1 else "matrix", dims)

    def _row_length(
        self, found: Reference, indices: tuple[str, ...], place: int, colons: list[int]
    ) -> Expression | None:
        index = indices[place]
        entity = self.scope.nodes.get(found.name)
        plate = self.scope.plates[index]
        lower, upper = plate.lower, plate.upper
        if entity is not None:
            own = entity.ranges[place]
            if own.lower is None or own.upper is None:
                return None
            lower, upper = own.lower, own.upper
        nested = any(index in self.scope.enclosing(other) for other in indices)
        if len(colons) > 2 or nested or whole_number(lower) != 1 or not isinstance(upper, Reference | Number):
            return None
        pairs = zip(indices, found.subscripts, strict=False)
        return substitute(upper, {name: each for name, each in pairs if not isinstance(each, Colon)})

    # operators

    def _binary(self, expression: Binary) -> Shape | None:
        left, right = self.shape(expression.left), self.shape(expression.right)
        if left is None or right is None:
            return None
        match expression.operator:
            case "+" | "-":
                return self._sum(expression, left, right)
            case "*":
                return self._product(expression, left, right)
            case "/":
                return self._quotient(expression, left, right)
        return self._power(expression, left, right)

    def _sum(self, expression: Binary, left: Shape, right: Shape) -> Shape | None:
        word = "added" if expression.operator == "+" else "subtracted"
        if left.kind != right.kind:
            remedy = "write c * ones(p) to add the number c to each entry" if SCALAR in (left, right) else ""
            shapes = f"{describe(left, self.dimensions)} and {describe(right, self.dimensions)}"
            self.refuse(f"{shapes} are {word}", expression.span, remedy)
            return None
        for one, two in zip(left.dims, right.dims, strict=True):
            found = f"dimensions that differ are {word}"
            if not self.unify(one, two, expression.span, found, (expression,)):
                return None
        return left

    def _product(self, expression: Binary, left: Shape, right: Shape) -> Shape | None:
        if left == SCALAR or right == SCALAR:
            return right if left == SCALAR else left
        rules = {
            ("matrix", "vector"): Shape("vector", left.dims[:1]),
            ("matrix", "matrix"): Shape("matrix", (left.dims[0], right.dims[-1])),
            ("row", "vector"): SCALAR,
            ("row", "matrix"): Shape("row", right.dims[-1:]),
            ("vector", "row"): Shape("matrix", (left.dims[0], right.dims[-1])),
        }
        found = rules.get((left.kind, right.kind))
        if found is None:
            self._refuse_product(expression, left, right)
            return None
        inner = "dimensions that differ meet in a product"
        if left.kind != "vector":
            sides = (expression,)
            if not self.unify(left.dims[-1], right.dims[0], expression.span, inner, sides):
                return None
        return found

    def _refuse_product(self, expression: Binary, left: Shape, right: Shape) -> None:
        one, two = (print_expression(each) for each in (expression.left, expression.right))
        remedy = f"write {one}' * {two}" if left.kind == "vector" else ""
        if isinstance(expression.left, Binary) and remedy:
            remedy = "transpose the left one with '"
        if (left.kind, right.kind) == ("vector", "vector"):
            remedy += " for their inner product"
        shapes = f"{describe(left, self.dimensions)} times {describe(right, self.dimensions)}"
        self.refuse(f"{shapes} is not a product", expression.span, remedy)

    def _quotient(self, expression: Binary, left: Shape, right: Shape) -> Shape | None:
        if right == SCALAR:
            return left
        remedy = "multiply by inv(...)" if right.kind == "matrix" else ""
        self.refuse(f"division by {describe(right, self.dimensions)}", expression.span, remedy)
        return None

    def _power(self, expression: Binary, left: Shape, right: Shape) -> Shape | None:
        if left == right == SCALAR:
            return SCALAR
        remedy = "write inv(S) for an inverse, S * S for a square" if left.kind == "matrix" else ""
        remedy = "write x' * x for the sum of squares" if left.kind == "vector" else remedy
        self.refuse(f"a power of {describe(left, self.dimensions)}", expression.span, remedy)
        return None

    # functions and matrices

    def _call(self, call: Call) -> Shape | None:
        function, arguments = call.function, call.arguments
        if function in ("eye", "ones"):
            dims = tuple(self._dimension(each, call) for each in arguments)
            square = function == "eye"
            return Shape("matrix", dims * 2) if square else declared_shape(dims)
        if function == "exchangeable":
            self._need_scalar(arguments[0], "the correlation of exchangeable(rho, p)")
            return Shape("matrix", (self._dimension(arguments[1], call),) * 2)
        shapes = [self.shape(each) for each in arguments]
        if function in ("max", "min"):
            for each in arguments:
                self._need_scalar(each, function)
            return SCALAR
        return self._call_one(call, shapes[0])

    def _call_one(self, call: Call, shape: Shape | None) -> Shape | None:
        if shape is None:
            return SCALAR if call.function in ("det", "tr") else None
        match call.function, shape.kind:
            case "inv", "scalar":
                return SCALAR
            case (("inv" | "det" | "tr"), "matrix"):
                what = f"`{call.function}` of a matrix that is not square"
                self.unify(shape.dims[0], shape.dims[1], call.span, what)
                return shape if call.function == "inv" else SCALAR
            case "diag", "vector":
                return Shape("matrix", shape.dims * 2)
            case _, ("scalar" | "vector") if call.function in ELEMENTWISE:
                return shape
            case _, "scalar" if call.function in OF_NUMBERS:
                return shape
        wanted = {
            "diag": "a vector",
            "inv": "a square matrix",
            "det": "a square matrix",
            "tr": "a square matrix",
        }
        self.refuse(
            f"`{call.function}` of {describe(shape, self.dimensions)}",
            call.span,
            expected=wanted.get(call.function, "a number, or a vector entry by entry"),
        )
        return None

    def _dimension(self, written: Expression, call: Call) -> Expression:
        given = self.scope.givens.get(written.name) if isinstance(written, Reference) else None
        value = whole_number(written)
        if not (given and given.support.kind == "integer") and (value is None or value < 1):
            unread = isinstance(written, Reference) and written.name not in self.scope.known()
            if not unread:
                self.refuse(
                    f"`{print_expression(written)}` is not a dimension",
                    written.span or call.span,
                    expected=f"a dimension such as p, a size, or a whole number in {call.function}(...)",
                )
        return written

    def _rows(self, expression: MatrixRows, rows: tuple[tuple[Expression, ...], ...]) -> Shape:
        for row in rows:
            for entry in row:
                self._need_scalar(entry, "an entry of a matrix")
        height, width = make_number(len(rows)), make_number(len(rows[0]))
        if len(rows[0]) == 1:
            return Shape("vector", (height,))
        return Shape("row", (width,)) if len(rows) == 1 else Shape("matrix", (height, width))

    def _need_scalar(self, expression: Expression, what: str) -> None:
        found = self.shape(expression)
        if found is not None and found != SCALAR:
            self.refuse(
                f"{describe(found, self.dimensions)} stands as {what}", expression.span, expected="a number"
            )
