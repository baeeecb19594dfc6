"""Shapes of nodes, families of statements: the shape rules applied to a whole model.

Input: a scope with places checked.  Output: ``Inference``.  Shapes are found first, quietly, until no more
follow; then every expression is checked once more, and mistakes are recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from deriver.language.choice import Choice, choose_family
from deriver.language.dimensions import SCALAR, Dimensions, Shape, declared_shape, describe
from deriver.language.mistakes import LineMistake
from deriver.language.printer import print_expression
from deriver.language.rewrite import whole_number
from deriver.language.scope import Draft, Scope
from deriver.language.shapes import Shaper
from deriver.language.syntax import ArgumentText
from deriver.model.expressions import Binary, Call, Expression, Number, Reference, Span, references
from deriver.model.records import Given

_SHAPE_OF_ROLE = {
    "vector": "vector", "positive_vector": "vector", "simplex": "vector", "spd": "matrix", "cholesky": "matrix",
}  # fmt: skip
_GIVER_OF_FORM = ("scale", "rate", "concentration", "prob")


@dataclass(slots=True, kw_only=True)
class Inference:
    """Node shapes, the choice of family for each ``~`` statement (by position), and the dimensions."""

    shapes: dict[str, Shape]
    dimensions: Dimensions
    shaper: Shaper
    choices: dict[int, Choice] = field(default_factory=dict)


def infer_shapes(scope: Scope) -> Inference:
    """Return the shapes of all nodes; record what does not fit."""
    dimensions = Dimensions(scope)
    shaper = Shaper(scope, dimensions)
    inference = Inference(shapes=shaper.nodes, dimensions=dimensions, shaper=shaper)
    _find_shapes(scope, shaper)
    shaper.quiet = False
    for given in scope.givens.values():
        _check_given(scope, shaper, given)
    for position, draft in enumerate(scope.drafts):
        _check_draft(scope, inference, position, draft)
    shaper.quiet = True
    return inference


def _find_shapes(scope: Scope, shaper: Shaper) -> None:
    changed = True
    while changed:
        changed = False
        for draft in scope.drafts:
            if draft.name not in shaper.nodes:
                shape = _draft_shape(shaper, draft)
                if shape is not None and shape.kind != "row":
                    shaper.nodes[draft.name] = shape
                    changed = True
        if not changed and not scope.mistakes:
            changed = _assume_scalar(scope, shaper)


def _assume_scalar(scope: Scope, shaper: Shaper) -> bool:
    """Take the first node that only its own lags could tell to be a number."""
    for draft in scope.drafts:
        if draft.name not in shaper.nodes and _depends_on_unknown(scope, shaper, draft):
            shaper.nodes[draft.name] = SCALAR
            return True
    return False


def _depends_on_unknown(scope: Scope, shaper: Shaper, draft: Draft) -> bool:
    named = {found.name for each in draft.expressions() for found in references(each)}
    return any(name in scope.nodes and name not in shaper.nodes for name in named)


def _draft_shape(shaper: Shaper, draft: Draft) -> Shape | None:
    if draft.expression is not None:
        return shaper.shape(draft.expression)
    try:
        choice = _choose(shaper, draft)
    except LineMistake:
        return None
    return _family_shape(shaper, choice) if choice else None


def _choose(shaper: Shaper, draft: Draft) -> Choice | None:
    shapes = [shaper.shape(each) for each in draft.arguments]
    known = shaper.nodes.get(draft.name)
    kinds = [shape.kind if shape else None for shape in shapes]
    choice = choose_family(draft.line, kinds, known.kind if known else None)
    if choice is None:
        return None
    position = {id(each.value): place for place, each in enumerate(draft.line.arguments)}
    values = [draft.arguments[position[id(each.value)]] for each in choice.arguments]
    if choice.signature.key == "mvnormal":
        values[0] = _zero_vector(values[0], shaper.shape(values[1]))
    return Choice(choice.signature, choice.form, tuple(_with_value(choice, values)), choice.short)


def _zero_vector(mean: Expression, spread: Shape | None) -> Expression:
    """Return 0 * ones(p) for the mean 0 of a vector whose covariance is p by p; any other mean as it is."""
    if not (
        isinstance(mean, Number)
        and whole_number(mean) == 0
        and spread is not None
        and spread.kind == "matrix"
    ):
        return mean
    ones = Call(function="ones", arguments=(spread.dims[0],), span=mean.span)
    return Binary(operator="*", left=mean, right=ones, span=mean.span)


def _with_value(choice: Choice, values: list[Expression]) -> Iterator[ArgumentText]:
    for argument, value in zip(choice.arguments, values, strict=True):
        yield ArgumentText(keyword=argument.keyword, value=value, span=argument.span)


def _argument(choice: Choice, keyword: str) -> Expression | None:
    pairs = zip(choice.form.keywords, choice.arguments, strict=True)
    return next((argument.value for word, argument in pairs if word == keyword), None)


def _family_shape(shaper: Shaper, choice: Choice) -> Shape | None:
    """Return the shape of a draw."""
    face = choice.signature
    if face.shape == "scalar":
        return SCALAR
    if "dimension" in choice.form.roles:
        dimension = choice.arguments[choice.form.roles.index("dimension")].value
        return Shape(face.shape, (dimension,) * (2 if face.shape == "matrix" else 1))
    if face.key == "mvnormal":
        return _normal_shape(shaper, choice)
    value = next((found for word in _GIVER_OF_FORM if (found := _argument(choice, word)) is not None), None)
    shape = shaper.shape(value) if value is not None else None
    return shape if shape is not None and shape.kind == face.shape else None


def _normal_shape(shaper: Shaper, choice: Choice) -> Shape | None:
    mean, spread = (shaper.shape(argument.value) for argument in choice.arguments)
    if mean is not None and mean.kind == "vector":
        return mean
    if spread is not None and spread.kind == "matrix":
        return Shape("vector", spread.dims[:1])
    return None


# the second pass


def _check_given(scope: Scope, shaper: Shaper, given: Given) -> None:
    for bound in (given.support.lower, given.support.upper):
        found = shaper.shape(bound) if bound is not None else None
        if bound is not None and found is not None and found != SCALAR:
            shaper.refuse(
                f"the bound of `{given.name}` is {describe(found)}", bound.span, expected="a number"
            )
    if given.default is None:
        return
    found = shaper.shape(given.default)
    wanted = declared_shape(given.shape)
    if found is None or (found == SCALAR and wanted.kind == "vector"):
        return
    if found.kind != wanted.kind:
        remedy = "write c * eye(p) for a number c on the diagonal" if wanted.kind == "matrix" else ""
        shaper.refuse(
            f"the default of `{given.name}` is {describe(found, shaper.dimensions)}, and it is declared as "
            f"{describe(wanted, shaper.dimensions)}",
            given.default.span,
            remedy,
        )
        return
    _unify_all(shaper, wanted, found, given.default.span, f"`{given.name}` and its default differ")


def _unify_all(shaper: Shaper, first: Shape, second: Shape, span: Span | None, found: str) -> None:
    for one, two in zip(first.dims, second.dims, strict=True):
        shaper.unify(one, two, span, found)


def _check_draft(scope: Scope, inference: Inference, position: int, draft: Draft) -> None:
    shaper = inference.shaper
    for each in draft.ranges if draft.line.ranges else ():
        for bound in (each.lower, each.upper):
            if bound is not None:
                shaper.shape(bound)
    if draft.expression is not None:
        shape = shaper.shape(draft.expression)
        if shape is not None and shape.kind == "row":
            shaper.refuse(
                f"`{draft.name}` would be a row",
                draft.expression.span,
                expected="a number, a vector or a matrix",
                remedy="write [a; b] for a vector, or transpose with '",
            )
            return
    else:
        shape = check_distribution(scope, inference, position, draft)
    if draft.line.fixed is not None:
        _check_fixed(shaper, draft)
    known = shaper.nodes.get(draft.name)
    if shape is not None and known is not None and not draft.implied:
        _compare(scope, shaper, draft, known, shape)


def _check_fixed(shaper: Shaper, draft: Draft) -> None:
    found = shaper.shape(draft.line.fixed) if draft.line.fixed is not None else None
    if found is not None and found != SCALAR:
        what = f"the fixed element of `{draft.name}` is {describe(found, shaper.dimensions)}"
        shaper.refuse(what, draft.span, expected="a number")


def _compare(scope: Scope, shaper: Shaper, draft: Draft, known: Shape, shape: Shape) -> None:
    first = scope.first_place(draft.name)
    if known.kind == shape.kind:
        _unify_all(shaper, known, shape, draft.span, f"the statements of `{draft.name}` differ in dimension")
        return
    shaper.refuse(
        f"`{draft.name}` is {describe(shape, shaper.dimensions)} here, and {describe(known, shaper.dimensions)} "
        f"as {first}",
        draft.span,
        "give all its statements the same shape",
    )


def check_distribution(scope: Scope, inference: Inference, position: int, draft: Draft) -> Shape | None:
    """Choose the family of a statement and check its arguments; return the shape of a draw, None if unknown."""
    shaper = inference.shaper
    try:
        choice = _choose(shaper, draft)
    except LineMistake as stop:
        scope.mistakes.add_from(stop)
        return None
    if choice is None:
        return None
    inference.choices[position] = choice
    sound = [
        _check_role(shaper, choice, role, keyword, argument.value)
        for role, keyword, argument in zip(
            choice.form.roles, choice.form.keywords, choice.arguments, strict=True
        )
    ]
    for bound in draft.line.truncation or ():
        found = shaper.shape(bound) if bound is not None else None
        if found is not None and found != SCALAR:
            shaper.refuse("a truncation bound is not a number", draft.line.family_span)
    if draft.line.truncation and choice.signature.shape != "scalar":
        shaper.refuse(
            "a truncation of a vector or matrix",
            draft.line.family_span,
            expected="T(lower, upper) after a scalar family",
        )
    if not all(sound):
        return None
    if choice.signature.key == "mvnormal" and not _check_normal(shaper, choice):
        return None
    return _family_shape(shaper, choice)


def _check_normal(shaper: Shaper, choice: Choice) -> bool:
    mean, spread = (shaper.shape(argument.value) for argument in choice.arguments)
    if mean is None or spread is None:
        return False
    word = _FRIENDLY[choice.form.keywords[1]]
    found = f"the mean and the {word} of this {choice.signature.surface} differ in dimension"
    sides = tuple(argument.value for argument in choice.arguments)
    return shaper.unify(mean.dims[0], spread.dims[0], choice.arguments[1].value.span, found, sides)


def _check_role(shaper: Shaper, choice: Choice, role: str, keyword: str, value: Expression) -> bool:
    if role == "dimension":
        return _check_dimension(shaper, choice, keyword, value)
    shape = shaper.shape(value)
    wanted = _SHAPE_OF_ROLE.get(role, "scalar")
    if shape is None:
        return False
    if shape.kind == wanted:
        square = f"the {keyword} of {choice.signature.surface} is not square"
        return wanted != "matrix" or shaper.unify(shape.dims[0], shape.dims[1], value.span, square)
    needs = {"scalar": "a number", "vector": "a vector", "matrix": "a square matrix"}[wanted]
    shaper.refuse(
        f"the {_FRIENDLY.get(keyword, keyword)} of this {choice.signature.surface} is "
        f"{describe(shape, shaper.dimensions)}",
        value.span,
        _mend_role(shaper, choice, shape, wanted, value),
        needs + _because(shaper, choice),
    )
    return False


_FRIENDLY = {
    "cov": "covariance", "var": "variance", "prec": "precision", "df": "degrees of freedom",
    "chol": "Cholesky factor",
}  # fmt: skip


def _because(shaper: Shaper, choice: Choice) -> str:
    if choice.signature.key != "mvnormal":
        return ""
    mean, spread = (shaper.shape(argument.value) for argument in choice.arguments)
    if mean is not None and mean.kind == "vector":
        return f", for the mean is {describe(mean, shaper.dimensions)}"
    if spread is not None and spread.kind == "matrix":
        return f", for the {_FRIENDLY[choice.form.keywords[1]]} is {describe(spread, shaper.dimensions)}"
    return ""


def _mend_role(shaper: Shaper, choice: Choice, shape: Shape, wanted: str, value: Expression) -> str:
    text = print_expression(value)
    if choice.signature.key == "mvnormal" and shape == SCALAR:
        mean, spread = (shaper.shape(argument.value) for argument in choice.arguments)
        other = mean if wanted == "matrix" else spread
        size = (
            print_expression(shaper.dimensions.resolve(other.dims[0]), True) if other and other.dims else "p"
        )
        factor = text if whole_number(value) is not None or isinstance(value, Reference) else f"({text})"
        return f"write {factor} * {'eye' if wanted == 'matrix' else 'ones'}({size})"
    if choice.signature.key == "normal" and shape.kind in ("vector", "matrix"):
        return "for a vector write Normal(mean, cov=) or Normal(mean, prec=)"
    if shape.kind == "row":
        return "transpose it with ', or write [a; b] for a vector"
    return ""


def _check_dimension(shaper: Shaper, choice: Choice, keyword: str, value: Expression) -> bool:
    given = shaper.scope.givens.get(value.name) if isinstance(value, Reference) else None
    number = whole_number(value)
    if (given and given.support.kind == "integer" and not given.indices) or (
        number is not None and number > 0
    ):
        return True
    if isinstance(value, Reference) and value.name not in shaper.scope.known():
        return False
    shaper.refuse(
        f"the {keyword} of this {choice.signature.surface} is not a dimension",
        value.span,
        expected="a dimension such as p, or a whole number",
    )
    return False
