"""A model built in Python: the same model as from a text, through the same text.

Input: calls.  Output: a ``Model``.  The builder writes the model text and reads it with ``parse_model``, so
that both ways obey the same rules, and a mistake points to a line of the text that the calls amount to.

    m = ModelBuilder("slopes")
    i, j = m.plate("i", 1, "n"), m.plate("j", 1, "J[i]")
    x = m.given("x", i, j)
    y, beta, sigma2 = m.nodes("y beta sigma2")
    m.data(y[i, j], N(beta[i] * x[i, j], sigma2))
    m.process(beta[i], N(0, 100))
    m.parameters(sigma2, IG(2, 1))
    model = m.build()
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from deriver.language.distributions import Distribution
from deriver.language.functions import INVERSE_TRANSFORMS
from deriver.language.names import refuse_name
from deriver.language.printer import print_document
from deriver.language.read import parse_model
from deriver.language.syntax import Document, GivenLine, PlateLine, RangeText, StatementLine, TypeText
from deriver.language.terms import Term, refuse, to_expression
from deriver.model.expressions import Call, Expression, Reference
from deriver.model.records import Layer, Model


class ModelBuilder:
    """Collects plates, givens and statements; ``build`` returns the model."""

    def __init__(self, name: str, comment: str = "") -> None:
        self._name = _checked(name)
        self._comment = _cleaned(comment)
        self._plates: list[PlateLine] = []
        self._givens: list[GivenLine] = []
        self._statements: list[StatementLine] = []

    def plate(self, index: str, lower: object, upper: object, comment: str = "") -> Term:
        """Declare ``index = lower..upper`` and return the index."""
        reference = Reference(name=_checked(index))
        self._plates.append(
            PlateLine(
                index=reference,
                lower=to_expression(lower),
                upper=to_expression(upper),
                comment=_cleaned(comment),
            )
        )
        return Term(reference)

    def given(
        self,
        name: str,
        *indices: Term,
        shape: object = (),
        kind: Literal["real", "integer", "simplex"] = "real",
        lower: object = None,
        upper: object = None,
        default: object = None,
        comment: str = "",
    ) -> Term:
        """Declare a given and return its name.

        ``shape`` is a dimension (a vector) or a tuple of them; ``lower`` and ``upper`` are open bounds of a real
        given and attained ones of an integer.
        """
        dims = shape if isinstance(shape, tuple) else (shape,)
        low, high = (">=", "<=") if kind == "integer" else (">", "<")
        pairs = ((low, lower), (high, upper))
        line = GivenLine(
            items=(_item(name, indices),),
            type=_given_type(name, kind, tuple(to_expression(each) for each in dims)),
            bounds=tuple((relation, to_expression(bound)) for relation, bound in pairs if bound is not None),
            default=to_expression(default) if default is not None else None,
            comment=_cleaned(comment),
        )
        self._givens.append(line)
        return Term(Reference(name=name))

    def group(self, name: str, *indices: Term, to: Term, comment: str = "") -> Term:
        """Declare a group column, ``name : k -> i``, and return its name."""
        arguments = (*(each.expression for each in indices), to.expression)
        written = TypeText(word="group", arguments=arguments)
        self._givens.append(GivenLine(items=(_item(name, ()),), type=written, comment=_cleaned(comment)))
        return Term(Reference(name=name))

    def subset(self, name: str, of: Term, comment: str = "") -> Term:
        """Declare a subset of the values of an index, and return its name."""
        written = TypeText(word="subset", arguments=(of.expression,))
        self._givens.append(GivenLine(items=(_item(name, ()),), type=written, comment=_cleaned(comment)))
        return Term(Reference(name=name))

    def node(self, name: str) -> Term:
        """Return the name of a node, to be stated with ``data``, ``process`` or ``parameters``."""
        return Term(Reference(name=_checked(name)))

    def nodes(self, names: str) -> tuple[Term, ...]:
        """Return the names of several nodes, written with blanks between them."""
        return tuple(self.node(name) for name in names.replace(",", " ").split())

    def data(
        self,
        target: Term,
        value: object,
        over: Mapping[Term, object] | None = None,
        comment: str = "",
        *,
        partly: bool = False,
    ) -> None:
        """State a node of the data layer: ``value`` is a distribution, or an expression that defines it.

        ``over`` gives ranges: ``{t: (1, "T")}`` or ``{i: S}`` for a subset; ``partly`` says that some elements are
        observed, and the others drawn.
        """
        self._state("data", target, value, over, comment, partly=partly)

    def process(
        self, target: Term, value: object, over: Mapping[Term, object] | None = None, comment: str = ""
    ) -> None:
        """State a node of the process layer; arguments as for ``data``."""
        self._state("process", target, value, over, comment)

    def parameters(
        self, target: Term, value: object, over: Mapping[Term, object] | None = None, comment: str = ""
    ) -> None:
        """State a node of the parameter layer; arguments as for ``data``."""
        self._state("parameters", target, value, over, comment)

    def _state(
        self,
        layer: Layer,
        target: Term,
        value: object,
        over: Mapping[Term, object] | None,
        comment: str,
        *,
        partly: bool = False,
    ) -> None:
        reference, transform = _split_target(target)
        ranges = tuple(_make_range(index, values) for index, values in (over or {}).items())
        line = StatementLine(
            layer=layer,
            target=reference,
            transform=transform,
            ranges=ranges,
            partly=partly,
            comment=_cleaned(comment),
        )
        self._statements.append(_with_right_side(line, value))

    def text(self) -> str:
        """Return the model text that the calls so far amount to."""
        return print_document(
            Document(
                name=self._name,
                plates=tuple(self._plates),
                givens=tuple(self._givens),
                statements=tuple(self._statements),
                comment=self._comment,
            )
        )

    def build(self) -> Model:
        """Return the model; raise ``ModelError`` with every mistake."""
        return parse_model(self.text())


def _with_right_side(line: StatementLine, value: object) -> StatementLine:
    if isinstance(value, Distribution):
        return dataclasses.replace(
            line, family=value.family, arguments=value.arguments, truncation=value.truncation
        )
    return dataclasses.replace(line, expression=to_expression(value))


def _checked(name: str) -> str:
    reason = refuse_name(name)
    if reason:
        raise refuse("name", reason[0], remedy=reason[1])
    return name


def _cleaned(comment: str) -> str:
    return "\n".join(" ".join(line.split()) for line in comment.splitlines()).strip("\n")


def _item(name: str, indices: tuple[Term, ...]) -> Reference:
    return Reference(name=_checked(name), subscripts=tuple(each.expression for each in indices))


def _given_type(name: str, kind: str, dims: tuple[Expression, ...]) -> TypeText | None:
    words = {0: "", 1: "vector", 2: "matrix"}
    if len(dims) > 2 or kind not in ("real", "integer", "simplex"):
        raise refuse(
            "type", f"`{name}` has {len(dims)} dimensions and the kind {kind}", "a number, vector or matrix"
        )
    word = words[len(dims)] if kind == "real" else kind
    if kind == "integer" and dims or kind == "simplex" and len(dims) != 1:
        raise refuse("type", f"`{name}` is of kind {kind} and has {len(dims)} dimensions")
    return TypeText(word=word, arguments=dims) if word else None


def _split_target(target: Term) -> tuple[Reference, str | None]:
    match to_expression(target):
        case Reference() as reference:
            return reference, None
        case Call(function=function, arguments=(Reference() as reference,)) if function in INVERSE_TRANSFORMS:
            return reference, function
    raise refuse("target", "the left side is not a node", "a node such as y[i,j], or log(sigma[i])")


def _make_range(index: Term, values: object) -> RangeText:
    match index.expression, values:
        case Reference() as reference, (lower, upper):
            return RangeText(index=reference, lower=to_expression(lower), upper=to_expression(upper))
        case Reference() as reference, Term(expression=Reference() as subset):
            return RangeText(index=reference, subset=subset)
    raise refuse("range", "a range that is neither (lower, upper) nor a subset")
