"""Wrong claims: a right one with one slip planted in it, of every kind that people make.

Input: a ``Claim``.  Output: ``Mutant`` records, each with the name of the slip.  Edits are made on the language's
tree of one argument or of one named quantity; a matrix written out is one symbol, and is not entered.
Whether a mutant is wrong at all is for ``oracle`` to say.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deriver.language import parse_expression, print_expression
from deriver.model.expressions import (
    Binary,
    Call,
    Expression,
    Negate,
    Number,
    Reference,
    SumOver,
    Transpose,
)

from .forms import Claim, Subject
from .trees import fields, is_number, joined, number, over, replace_field, sites, terms

Edit = tuple[str, Expression]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A claim with a slip planted: its name, the claim, and what was changed to what."""

    slip: str
    claim: Claim
    change: str

    def names(self) -> frozenset[str]:
        """Return the names under which the slip may be reported: its own, and those that make the same edit."""
        same = set(_SAME.get(self.slip, ()))
        before, _, after = self.change.replace(" ", "").partition("->")
        if self.slip == "n for np" and self.claim.two_coefficients():
            same.add("factor of 2")
        if self.slip == "wrong index" and before.replace("J[i]", "J[1]") == after.replace("J[i]", "J[1]"):
            same.add("J for nJ")  # the number of repeats of another individual
        if self.slip == "sign" and _POWER_SIGN.search(self.change):
            same |= {*_RECIPROCAL}
        if self.slip == "sign" and _only_of_one(self.change):
            same |= {"exponent off by one", "missing Jacobian"}  # +1 for -1 in an exponent: two powers off
        if self.slip == "factor of 2" and _HALF.sub("1", before) == after:
            same.add("exponent off by one")  # 1 for 1/2 in an exponent
        return frozenset({self.slip} | same)


# Names that make the same edit as the one planted, and why.
_RECIPROCAL = ("inverse", "variance for precision", "rate for scale")
_SAME: dict[str, tuple[str, ...]] = {
    # x for 1/x, or M for inv(M): what it is called depends on what x is
    "inverse": _RECIPROCAL,
    "variance for precision": _RECIPROCAL,
    "rate for scale": _RECIPROCAL,
    # planted as M' for inv(M) with M symmetric, so that the edit is M for inv(M)
    "transpose": _RECIPROCAL,
    # s^2 for s is a power of two for one; and a power of the node too many or too few is the Jacobian of its log
    "variance for sd": ("exponent off by one",),
    "exponent off by one": ("variance for sd", "missing Jacobian"),
    "missing Jacobian": ("exponent off by one",),
    # the family of 1/x is that of the precision for that of the variance
    "wrong family": ("variance for precision",),
}
_HALF = re.compile(r"\b1 ?/ ?2\b")
_SIGNED_ONE = re.compile(r"[+-]1\)")
_POWER_SIGN = re.compile(r"\^-|\^\(-")


def _only_of_one(change: str) -> bool:
    """Tell whether two texts differ in the sign of an added 1 alone."""
    before, _, after = (_SIGNED_ONE.sub("1)", side) for side in change.replace(" ", "").partition("->"))
    return before == after


# --- edits of an expression ----------------------------------------------------------------------------------------


def edits(subject: Subject, tree: Expression) -> Iterator[Edit]:
    """Yield (name of the slip, broken tree) for every place at which a tree can be broken."""
    for part, put in sites(tree):
        for name, new in _edits_of(subject, part):
            yield name, put(new)
    yield from _lost_terms(subject, tree)


def _edits_of(subject: Subject, part: Expression) -> Iterator[Edit]:
    match part:
        case Call(function="inv", arguments=(inner,)):
            yield "inverse", inner
            yield "transpose", Transpose(operand=inner)
            yield "transpose", Transpose(operand=part)
        case Reference(name="Q", subscripts=()) if subject.node != "Q":
            yield "inverse", Call(function="inv", arguments=(part,))
        case Reference(name="R" | "Sigma" | "Sigma0" | "S"):
            yield "transpose", Transpose(operand=part)
        case Call(function="sqrt", arguments=(inner,)):
            yield "variance for sd", inner
        case Negate(operand=operand):
            yield "sign", operand
        case Transpose(operand=operand):
            yield "transpose", operand
        case SumOver():
            yield from _group_edits(part)
            yield from _index_edits(part)
            yield from _count_edits(part)
        case Binary():
            yield from _binary_edits(part)


def _binary_edits(part: Binary) -> Iterator[Edit]:
    operator, left, right = part.operator, part.left, part.right
    if operator in "+-":
        yield "sign", over(left, "-" if operator == "+" else "+", right)
        if operator == "-" and not terms(left)[1:]:
            yield "sign", over(right, "-", left)
    if operator == "/":
        if is_number(right, 2):
            yield "factor of 2", left
            if print_expression(left) in ("n * p", "p * n"):
                yield "n for np", Reference(name="n")
        elif _is_spread(right):
            yield "variance for precision", over(left, "*", right)
            yield "variance for sd", over(left, "/", Call(function="sqrt", arguments=(right,)))
    if operator == "*":
        if is_number(left, 2) or _is_half(left):
            yield "factor of 2", right
        if isinstance(left, Transpose) and not isinstance(right, Transpose):
            yield "transpose", over(left.operand, "*", Transpose(operand=right))
        if isinstance(right, Transpose) and not isinstance(left, Transpose):
            yield "transpose", over(Transpose(operand=left), "*", right.operand)
        yield from _product_counts(part)
    if operator == "^":
        if isinstance(right, Number) and right.value == 2:
            if _is_spread(left) or getattr(left, "name", "") == "sigma":
                yield "variance for sd", left
            else:
                yield "exponent off by one", left
                yield "exponent off by one", over(left, "^", number(3))
        elif not isinstance(right, Number) and not is_number(getattr(right, "operand", right), 1):
            yield "exponent off by one", over(left, "^", over(right, "+", number(1)))
            yield "exponent off by one", over(left, "^", over(right, "-", number(1)))


def _is_half(tree: Expression) -> bool:
    return print_expression(tree) == "1 / 2"


def _is_spread(tree: Expression) -> bool:
    """Tell whether a tree is a variance by its name: sigma2…, or v, v0, v_phi."""
    return isinstance(tree, Reference) and bool(re.fullmatch(r"sigma2\w*|v0?|v_phi", tree.name))


def _product_counts(part: Binary) -> Iterator[Edit]:
    """n for n p, n for n J, J for n J."""
    names = [getattr(side, "name", "") for side in (part.left, part.right)]
    if set(names) == {"n", "p"}:
        yield "n for np", Reference(name="n")
    if set(names) == {"n", "J"}:
        yield "J for nJ", Reference(name="J")
        yield "J for nJ", Reference(name="n")


def _count_edits(part: SumOver) -> Iterator[Edit]:
    """J of one individual, or n, for the sum of J over all."""
    match part:
        case SumOver(index="i", body=Reference(name="J") as body):
            yield "J for nJ", dataclasses.replace(body, subscripts=(number(1),))
            yield "J for nJ", Reference(name="n")


_COLUMNS = {"f": "h", "h": "f"}


def _group_edits(part: SumOver) -> Iterator[Edit]:
    """All rows for those of one group, or the rows of another grouping."""
    for condition in part.conditions:
        yield "wrong index", dataclasses.replace(part, conditions=())
        column = condition.left
        if isinstance(column, Reference) and column.name in _COLUMNS:
            other = dataclasses.replace(column, name=_COLUMNS[column.name])
            changed = dataclasses.replace(condition, left=other)
            yield "wrong index", dataclasses.replace(part, conditions=(changed,))


def _index_edits(part: SumOver) -> Iterator[Edit]:
    """One subscript in the body that should be the sum's own: the first element for each, or a lag too many."""
    for inner, put in sites(part.body):
        if not isinstance(inner, Reference):
            continue
        for k, mark in enumerate(inner.subscripts):
            for new in _other_marks(mark, part.index):
                marks = (*inner.subscripts[:k], new, *inner.subscripts[k + 1 :])
                changed = put(dataclasses.replace(inner, subscripts=marks))
                yield "wrong index", dataclasses.replace(part, body=changed)


def _other_marks(mark: Expression, index: str) -> Iterator[Expression]:
    text = print_expression(mark, True)
    if index == "t":
        yield from {"t": [parse_expression("t-1")], "t-1": [parse_expression("t")]}.get(text, [])
    elif text == index:
        yield number(1)
    elif text in ("1", "2"):
        yield number(3 - int(text))


def _lost_terms(subject: Subject, tree: Expression) -> Iterator[Edit]:
    """A term of the prior, or of a child, left out of a sum; residuals and squares are left whole."""
    seen = set()
    for part, put in _open_sites(tree):
        found = terms(part)
        if len(found) < 2 or subject.element in (print_expression(term) for _, term in found):
            continue
        for k, (_, term) in enumerate(found):
            name = source(subject, term)
            new = put(joined(found[:k] + found[k + 1 :]))
            if name and print_expression(new) not in seen:
                seen.add(print_expression(new))
                yield name, new


def _open_sites(tree: Expression) -> Iterator[tuple[Expression, Callable[[Expression], Expression]]]:
    """As ``sites``, without what stands in a sum over an index, under a transpose or in the base of a power."""
    yield tree, lambda new: new
    if isinstance(tree, SumOver | Transpose):
        return
    power = isinstance(tree, Binary) and tree.operator == "^"
    for field, held in fields(tree):
        if power and field == ("left",) and not is_number(getattr(tree.right, "operand", tree.right), 1):
            continue
        for part, put in _open_sites(held):
            yield part, lambda new, field=field, put=put: replace_field(tree, field, put(new))


def source(subject: Subject, term: Expression) -> str:
    """Return the slip of leaving out a term: the prior's, a child's, or neither."""
    text = print_expression(term)
    prior, child = bool(re.search(subject.prior, text)), bool(re.search(subject.child, text))
    if child and not prior:
        return "missing child"
    return "forgotten prior" if prior and not child else ""


# --- edits of a claim -----------------------------------------------------------------------------------------------


def mutants(claim: Claim) -> Iterator[Mutant]:
    """Yield every way to break a claim once, each text once."""
    seen = {claim.text()}
    for mutant in _all_mutants(claim):
        text = mutant.claim.text()
        if text not in seen:
            seen.add(text)
            yield mutant


def _all_mutants(claim: Claim) -> Iterator[Mutant]:
    for field in ("arguments", "names"):
        for k, (_, text) in enumerate(getattr(claim, field)):
            for name, tree in edits(claim.subject, parse_expression(text)):
                yield Mutant(
                    slip=name, claim=_put(claim, field, k, tree), change=f"{text} -> {print_expression(tree)}"
                )
    yield from _family_mutants(claim)
    yield from _other_family(claim)
    yield from _shape_mutants(claim)
    yield from _jacobian_mutants(claim)
    yield from _index_of_element(claim)
    yield from _whole_source(claim)


def _put(claim: Claim, field: str, place: int, tree: Expression, keyword: str | None = None) -> Claim:
    parts = list(getattr(claim, field))
    parts[place] = (parts[place][0] if keyword is None else keyword, print_expression(tree))
    return dataclasses.replace(claim, **{field: tuple(parts)})


def _inverted(tree: Expression) -> Expression:
    """1/x of x, and x of 1/x; the same for inv."""
    match tree:
        case Binary(operator="/", left=left, right=right) if is_number(left, 1):
            return right
        case Call(function="inv", arguments=(inner,)):
            return inner
    return over(number(1), "/", tree)


_SECOND = {
    # family, keyword: (slip, another keyword) or (slip, "") for the reciprocal under the same keyword
    ("IG", ""): (("rate for scale", ""),),
    ("InverseGamma", "scale"): (("rate for scale", ""),),
    ("Gamma", "rate"): (("rate for scale", "scale"),),
    ("Gamma", "scale"): (("rate for scale", "rate"),),
    ("Wish", ""): (("rate for scale", ""),),
    ("Wishart", "rate"): (("rate for scale", "scale"),),
    ("Wishart", "scale"): (("rate for scale", "rate"),),
    ("Normal", "var"): (("variance for sd", "sd"), ("variance for precision", "prec")),
    ("Normal", "prec"): (("variance for precision", "var"),),
    ("Normal", "sd"): (("variance for sd", "var"),),
    ("Normal", "cov"): (("variance for precision", "prec"),),
    ("N", ""): (("variance for precision", ""),),
}


def _family_mutants(claim: Claim) -> Iterator[Mutant]:
    """The second argument in another parametrisation than its keyword says."""
    place = 0 if claim.family in ("Wish", "Wishart") else 1
    if not claim.family or (claim.family, claim.arguments[place][0]) not in _SECOND:
        return
    keyword, text = claim.arguments[place]
    tree = parse_expression(text)
    for slip, other in _SECOND[claim.family, keyword]:
        vector = claim.subject.node in ("beta", "mu") and "X" in _shape_words(claim)
        other = "cov" if other == "var" and vector else other
        if other:
            yield Mutant(
                slip=slip, claim=_put(claim, "arguments", place, tree, other), change=f"{keyword} -> {other}"
            )
        elif _simple_inverse(tree) or claim.family not in ("N", "Wish"):
            broken = _put(claim, "arguments", place, _inverted(tree))
            yield Mutant(slip=slip, claim=broken, change=f"{text} inverted")


_OTHER_FAMILY = {
    # (family, keywords): the family of the reciprocal, with the same numbers in it
    ("IG", ("", "")): ("Gamma", ("shape", "scale")),
    ("InverseGamma", ("shape", "scale")): ("Gamma", ("shape", "rate")),
    ("Gamma", ("shape", "rate")): ("InverseGamma", ("shape", "scale")),
    ("Gamma", ("shape", "scale")): ("IG", ("", "")),
    ("Wishart", ("rate", "df")): ("InverseWishart", ("scale", "df")),
    ("InverseWishart", ("scale", "df")): ("Wishart", ("rate", "df")),
}


def _other_family(claim: Claim) -> Iterator[Mutant]:
    """The family of the reciprocal: a gamma variance, an inverse Wishart precision."""
    keywords = tuple(keyword for keyword, _ in claim.arguments)
    if (claim.family, keywords) in _OTHER_FAMILY:
        family, others = _OTHER_FAMILY[claim.family, keywords]
        arguments = tuple((other, text) for other, (_, text) in zip(others, claim.arguments, strict=True))
        broken = dataclasses.replace(claim, family=family, arguments=arguments)
        yield Mutant(slip="wrong family", claim=broken, change=f"{claim.family} -> {family}")


def _shape_words(claim: Claim) -> str:
    """X where the node is a vector."""
    vectors = {
        "all_random",
        "all_random_two",
        "varying_variance",
        "random_log_sd",
        "wishart",
        "free_covariance",
        "poisson",
    }
    return "X" if claim.subject.model.partition(" ")[0] in vectors else ""


def _simple_inverse(tree: Expression) -> bool:
    return (
        isinstance(tree, Call)
        and tree.function == "inv"
        or isinstance(tree, Binary)
        and is_number(tree.left, 1)
    )


_SHAPES = {"IG": 0, "InverseGamma": 0, "Gamma": 0, "Wish": 1, "Wishart": 1, "InverseWishart": 1}


def _shape_mutants(claim: Claim) -> Iterator[Mutant]:
    """A shape, degrees of freedom or power of the node that is one too many or too few."""
    if claim.family in _SHAPES:
        place = _SHAPES[claim.family]
        tree = parse_expression(claim.arguments[place][1])
        for operator in "+-":
            broken = _put(claim, "arguments", place, over(tree, operator, number(1)))
            yield Mutant(slip="exponent off by one", claim=broken, change=f"shape {operator} 1")
    elif not claim.family:
        tree = parse_expression(claim.arguments[0][1])
        for part, put in sites(tree):
            found = terms(part)
            if len(found) > 1 and is_number(found[-1][1], 1):
                broken = _put(claim, "arguments", 0, put(joined(found[:-1])))
                yield Mutant(
                    slip="exponent off by one", claim=broken, change=f"{print_expression(part)} without 1"
                )


def _jacobian_mutants(claim: Claim) -> Iterator[Mutant]:
    """A kernel carried over to another coordinate as it stands, or a family with the power that this gives."""
    element = claim.subject.element
    coordinates: dict[str, tuple[tuple[str, str], ...]] = {
        "own": ((f"log({element})", "log"), (f"1/{element}", "inverse"), (f"sqrt({element})", "root")),
        "inverse": ((element, "own"),),
        "log": ((element, "own"),),
        "exp": ((element, "own"),),
    }
    if not claim.family and claim.subject.node.startswith(("sigma2", "log_sigma")):
        others = coordinates.get(claim.coordinate, ())
        if claim.subject.node == "log_sigma":
            others = (("sigma[i]", "exp"),) if claim.coordinate == "own" else ((element, "own"),)
        for head, coordinate in others:
            broken = dataclasses.replace(claim, head=head, coordinate=coordinate)
            yield Mutant(slip="missing Jacobian", claim=broken, change=f"{claim.head} -> {head}")
    powers = {("Gamma", "inverse"): (0, "+ 2"), ("InverseWishart", "matrix inverse"): (1, "- 2 * p - 2")}
    if (claim.family, claim.coordinate) in powers:
        place, power = powers[claim.family, claim.coordinate]
        tree = parse_expression(f"{claim.arguments[place][1]} {power}")
        broken = _put(claim, "arguments", place, tree)
        yield Mutant(slip="missing Jacobian", claim=broken, change=f"shape {power}")


def _index_of_element(claim: Claim) -> Iterator[Mutant]:
    """A lag in the wrong direction in a claim about one time, or the first individual's rows for the own."""
    swaps = {"z[t]": (("z[t-1]", "z[t+1]"), ("z[t+1]", "z[t-1]"), ("y[t]", "y[t+1]"), ("y[t]", "y[t-1]"))}
    swaps |= {"z[T]": (("z[T-1]", "z[T]"), ("y[T]", "y[T-1]")), "z[0]": (("z[1]", "z[0]"),)}
    swaps |= {
        "beta[i]": (("y[i]", "y[1]"), ("X[i]' *", "X[1]' *")),
        "sigma2[i]": (("J[i]", "J[1]"), ("beta[i]", "beta[1]")),
    }
    swaps |= {
        "beta0[i]": (("J[i]", "J[1]"), ("y[i,j]", "y[i,1]")),
        "beta1[i]": (("x[i,j]", "x[i,1]"), ("beta0[i]", "beta0[1]")),
    }
    swaps |= {
        "log_sigma[i]": (("J[i]", "J[1]"), ("beta[i]", "beta[1]")),
    }
    for old, new in swaps.get(claim.subject.element, ()):
        for field in ("arguments", "names"):
            for k, (_, text) in enumerate(getattr(claim, field)):
                for found in list(re.finditer(re.escape(old), text))[:2]:
                    changed = text[: found.start()] + new + text[found.end() :]
                    broken = _put(claim, field, k, parse_expression(changed))
                    yield Mutant(slip="wrong index", claim=broken, change=f"{old} -> {new}")


def _whole_source(claim: Claim) -> Iterator[Mutant]:
    """All terms of the prior, or of the children, left out of every part at once."""
    for slip in ("forgotten prior", "missing child"):
        changed, count = claim, 0
        for field in ("arguments", "names"):
            for k, (_, text) in enumerate(getattr(claim, field)):
                found = [t for name, t in _lost_terms(claim.subject, parse_expression(text)) if name == slip]
                if len(found) == 1:
                    changed, count = _put(changed, field, k, found[0]), count + 1
        if count > 1:
            yield Mutant(slip=slip, claim=changed, change=f"{count} terms left out")
