"""Checking, step 4 for Markov blankets: which terms of the joint density a claim names, and which it must.

Input: a line of densities.  Output: its verdict, with every missing or extra term and parent by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sympy import Tuple

from deriver.algebra.evaluate import compile_expression, holds, index_values
from deriver.algebra.heads import Ref
from deriver.checking.oracle import Group, Oracle
from deriver.checking.records import Density, Line, LineResult, Resolved, Slip
from deriver.checking.values import Context, Indices
from deriver.derivation.factors import Definitions
from deriver.derivation.records import Contribution
from deriver.language.printer import print_expression
from deriver.model.expressions import Colon, Expression, Reference

Element = tuple[str, tuple[int, ...]]


def judge_blanket(oracle: Oracle, claim: Resolved, line: Line) -> LineResult:
    """Return whether the densities are those, and only those, that hold the node."""
    groups = oracle.groups(8)
    slips: dict[Slip, None] = {}
    for group in groups:
        for slip in _compare_terms(oracle, line, group):
            slips.setdefault(slip)
    for density in line.densities:
        for slip in _compare_parents(oracle, density):
            slips.setdefault(slip)
    place = line.span.line if line.span else 0
    if not slips:
        return LineResult(
            text=line.text, line=place, verdict="proportional", proof="numeric", states=len(groups)
        )
    return LineResult(text=line.text, line=place, verdict="wrong", slips=tuple(slips))


def _compare_terms(oracle: Oracle, line: Line, group: Group) -> Iterator[Slip]:
    """Compare the elements whose densities are named with those whose densities hold the target."""
    node = oracle.subject.conditional.node
    right = dict(_right_terms(oracle, group))
    named: dict[Element, Density] = {}
    for density in line.densities:
        for element in _named_terms(oracle, density, group):
            if element in named:
                yield Slip(name="missing child", found=f"{_title(density)} a second time", instead="")
            named[element] = density
    for element, title in right.items():
        if element not in named:
            name = "forgotten prior" if element[0] == node else "missing child"
            yield Slip(name=name, found="", instead=title)
    for element, density in named.items():
        if element not in right and element != (node, group.index):
            name = "wrong index" if any(other[0] == element[0] for other in right) else "wrong symbol"
            yield Slip(name=name, found=_title(density), instead="")


def _right_terms(oracle: Oracle, group: Group) -> Iterator[tuple[Element, str]]:
    point, conditional = group.points[0], oracle.subject.conditional
    own = dict(zip(conditional.indices, group.index, strict=True))
    for contribution in conditional.contributions:
        if not holds(Tuple(*contribution.gates), point.raw, own):
            continue
        title = _contribution_title(contribution)
        for inside in index_values(Tuple(*contribution.bounds), point.raw, own):
            if holds(Tuple(*contribution.conditions), point.raw, inside):
                index = tuple(
                    int(compile_expression(i)(point.raw, inside)) for i in contribution.value.indices
                )
                yield (contribution.value.name, index), title


def _contribution_title(contribution: Contribution) -> str:
    parents = ", ".join(str(ref) for ref in contribution.parents)
    value = str(contribution.value)
    text = f"[{value} | {parents}]" if parents else f"[{value}]"
    for bound in reversed(contribution.bounds):
        text = f"prod({bound[0]}: {text})"
    return text


def _named_terms(oracle: Oracle, density: Density, group: Group) -> Iterator[Element]:
    point = group.points[0]
    context = Context(point.view, point.raw, {}, group.own)
    for own in _over(oracle, density.products, context, dict(group.own)):
        yield from _elements(oracle, density.value, context, own)


def _over(oracle: Oracle, products: tuple[str, ...], context: Context, own: Indices) -> Iterator[Indices]:
    if not products:
        yield own
        return
    for number in oracle.evaluator.compile_range(products[0])(context, own):
        yield from _over(oracle, products[1:], context, {**own, products[0]: number})


def _elements(oracle: Oracle, value: Reference, context: Context, own: Indices) -> Iterable[Element]:
    wanted = [_position(oracle, each, context, own) for each in value.subscripts]
    for key in sorted(context.view[value.name]):
        if all(w is None or w == k for w, k in zip(wanted, key, strict=False)):
            yield (value.name, key)


def _position(oracle: Oracle, subscript: Expression, context: Context, own: Indices) -> int | None:
    if isinstance(subscript, Colon):
        return None
    return int(oracle.evaluator.compile(subscript)(context, own))


def _compare_parents(oracle: Oracle, density: Density) -> Iterator[Slip]:
    """Compare the parents that are named, deterministic nodes taken apart, with the stated ones."""
    bench = oracle.bench
    defined = Definitions(bench.derivation.definitions)
    factors = [f for f in bench.derivation.factors if f.value.name == density.value.name]
    right = {name for factor in factors for name in factor.parents}
    nodes = {node.name for node in bench.model.nodes}
    named = [(each, _below(defined, each.name, nodes)) for each in density.parents]
    given = {name for _, names in named for name in names}
    title = _title(density)
    for name in sorted(right - given):
        yield Slip(name="missing child", found=title, instead=f"{name} among what is given")
    for each, names in named:
        if names - right:
            yield Slip(name="wrong symbol", found=f"{print_expression(each)} in {title}", instead="")


def _below(defined: Definitions, name: str, nodes: set[str]) -> set[str]:
    if defined.defines(name):
        (definition,) = (d for d in defined.all if d.element.name == name)
        refs = {ref.name for ref in definition.expression.atoms(Ref)}
        return {found for ref in refs for found in _below(defined, ref, nodes)}
    return {name} if name in nodes else set()


def _title(density: Density) -> str:
    inside = print_expression(density.value)
    if density.parents:
        inside += " | " + ", ".join(print_expression(each) for each in density.parents)
    text = f"[{inside}]"
    for index in reversed(density.products):
        text = f"prod({index}: {text})"
    return text
