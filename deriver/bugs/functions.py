"""Functions of distributions, written out: ``pnorm(x, mu, tau)``, ``density(y[i], x)``, ``replicate.post(y[i])``.

Input: a program.  Output: the program without functions that name a distribution: JAGS's ``dnorm``, ``pnorm`` and
``logdensity.norm`` of numbers, and OpenBUGS's ``cumulative``, ``density``, ``deviance``, ``replicate.post`` and
``post.p.value`` of a node, whose distribution they take (OpenBUGS user manual, "Model specification", table of functions).
"""

from __future__ import annotations

import dataclasses
from functools import partial

from deriver.bugs.censoring import substitute
from deriver.bugs.densities import DISTRIBUTION_FUNCTIONS, LOG_DENSITIES, write_formula
from deriver.bugs.syntax import (
    Apply,
    Literal,
    Minus,
    Name,
    Operation,
    Program,
    Relation,
    Term,
    with_parts,
    with_terms,
)
from deriver.language.mistakes import LineMistake, Mistakes

OF_A_NODE = ("cumulative", "density", "deviance", "post.p.value", "replicate.post")


def write_out_functions(program: Program, mistakes: Mistakes) -> Program:
    """Return the program without functions of distributions; what cannot be written out is a mistake."""
    worker = _Functions(program)
    blocks = []
    for block in (program.data, program.model):
        made = []
        for relation in block:
            try:
                made.append(worker.rewrite(relation))
            except LineMistake as stop:
                mistakes.add_from(stop)
        blocks.append(tuple(made))
    return dataclasses.replace(program, data=blocks[0], model=(*blocks[1], *worker.added.values()))


class _Functions:
    """Rewrites expressions; ``added`` are replicates of nodes that stand within them."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.added: dict[str, Relation] = {}

    def rewrite(self, relation: Relation) -> Relation:
        """Return a relation without functions of distributions."""
        match relation.expression:
            case Apply(function="replicate.post", arguments=(Name() as node,)) if relation.link is None:
                drawn = self._distribution(node)
                return dataclasses.replace(
                    drawn, target=relation.target, loops=relation.loops, span=relation.span
                )
        return with_terms(relation, lambda term: self._write(term, relation))

    def _write(self, term: Term, relation: Relation) -> Term:
        term = with_parts(term, lambda each: self._write(each, relation))
        if not isinstance(term, Apply) or not term.arguments:
            return term
        if term.function in OF_A_NODE:
            return self._of_node(term, relation)
        return _of_numbers(term)

    def _of_node(self, term: Apply, relation: Relation) -> Term:
        node = term.arguments[0]
        count = 1 if term.function in ("post.p.value", "replicate.post") else 2
        if not isinstance(node, Name) or len(term.arguments) != count:
            raise LineMistake(
                f"`{term.function}` of this", span=term.span, code="function",
                expected="a node, and a value" if count == 2 else "a node",
            )  # fmt: skip
        if count == 1:
            replicate = self._replicate(node, relation)
            gap = Operation(operator="-", left=node, right=replicate, span=term.span)
            return replicate if term.function == "replicate.post" else _call("step", gap)
        drawn = self._distribution(node)
        table = DISTRIBUTION_FUNCTIONS if term.function == "cumulative" else LOG_DENSITIES
        formula = table.get(drawn.distribution or "")
        if formula is None or len(formula[0]) != len(drawn.arguments):
            raise LineMistake(
                f"`{term.function}` of a `{drawn.distribution}`", span=term.span, code="function",
                expected=f"a node of one of {', '.join(table)}",
            )  # fmt: skip
        value = write_formula(formula, term.arguments[1], drawn.arguments)
        match term.function:
            case "density":
                return _call("exp", value)
            case "deviance":
                two = Literal(text="2", span=term.span)
                return Minus(
                    operand=Operation(operator="*", left=two, right=value, span=term.span), span=term.span
                )
        return value

    def _distribution(self, node: Name) -> Relation:
        """Return the statement that draws a node, its loop variables in terms of the node's subscripts."""
        for relation in self.program.model:
            if relation.stochastic and relation.target.name == node.name:
                rules = match_loops(relation, node)
                if rules is not None and relation.bounds is None:
                    return with_terms(relation, partial(substitute, values=rules))
        raise LineMistake(
            f"no statement draws `{node.name}` in these terms", span=node.span, code="function",
            expected="a node that stands on the left of `~`, with a subscript for each loop, without bounds",
        )  # fmt: skip

    def _replicate(self, node: Name, relation: Relation) -> Name:
        """Return another draw of a node given its parents, stated beside a relation that asks for it."""
        name = f"{node.name}.replicate"
        counters = tuple(Name(name=loop.variable, span=node.span) for loop in relation.loops)
        target = Name(name=name, subscripts=counters or None, span=node.span)
        drawn = dataclasses.replace(
            self._distribution(node), target=target, loops=relation.loops, span=relation.span
        )
        self.added.setdefault(name, drawn)
        return target


def match_loops(relation: Relation, node: Name) -> dict[str, Term] | None:
    """Return the values of the loop variables at which a relation states an element."""
    loops = {loop.variable for loop in relation.loops}
    subscripts = relation.target.subscripts or ()
    rules: dict[str, Term] = {}
    if len(subscripts) != len(node.subscripts or ()):
        return None
    for own, other in zip(subscripts, node.subscripts or (), strict=True):
        if isinstance(own, Name) and own.name in loops and own.subscripts is None:
            rules[own.name] = other
        elif own != other:
            return None
    return rules if set(rules) == loops else None


def _of_numbers(term: Apply) -> Term:
    """Return a density or distribution function of numbers, written out."""
    value, *arguments = term.arguments
    for start, table in (("logdensity.", LOG_DENSITIES), ("d", LOG_DENSITIES), ("p", DISTRIBUTION_FUNCTIONS)):
        name = f"d{term.function.removeprefix(start)}"
        if term.function.startswith(start) and name in table:
            if len(arguments) != len(table[name][0]):
                raise LineMistake(
                    f"`{term.function}` has {len(term.arguments)} arguments", span=term.span, code="function",
                    expected=f"{len(table[name][0]) + 1}: x, {', '.join(table[name][0])}",
                )  # fmt: skip
            found = write_formula(table[name], value, arguments)
            return _call("exp", found) if start == "d" else found
    return term


def _call(function: str, *arguments: Term) -> Apply:
    return Apply(function=function, arguments=arguments, span=arguments[0].span)
