"""Show stage, from the engine's records to a document: the steps of each node's derivation.

For every node the same four steps, whatever the model: the Markov blanket, the log kernel as it stands and
multiplied out, the collected statistics, the family (or why there is none).
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp
from sympy import Expr

from deriver.algebra.heads import Branch, Ref, transpose
from deriver.algebra.normal_form import sum_over
from deriver.derivation.records import Conditional, Contribution, Derivation
from deriver.plan import Plan, make_plan
from deriver.show import notation as n
from deriver.show.approximated import approximation_blocks
from deriver.show.arrange import Arranger
from deriver.show.blanket import density_of, joint_density, over_plates
from deriver.show.cases import Case, split_cases
from deriver.show.costs import cost_blocks
from deriver.show.document import Block, Display, Document, Paragraph, Row, Section
from deriver.show.fixed import without_fixed
from deriver.show.forms import Entry, Form, form_of, short_name
from deriver.show.gather import gather_fractions
from deriver.show.hamiltonian import path_blocks
from deriver.show.integrated import integrated_blocks
from deriver.show.meanings import definitions_in
from deriver.show.names import names_of
from deriver.show.order import Order, names_in, sort_contributions, split_sign
from deriver.show.rows import Stacked, stack_rows
from deriver.show.stacks import for_reading
from deriver.show.tidy import tidy
from deriver.show.together import collapsed_blocks, joint_blocks

_MOST_CASES = 5
_ZERO = n.Numeral(Fraction(0))


def compose(derivation: Derivation, node: str | None = None, words: tuple[str, ...] = ()) -> Document:
    """Return the document of a derivation, or of one node of it, ``words`` before all else."""
    derivation = without_fixed(derivation)
    chosen = derivation.conditionals if node is None else (derivation.node(node),)
    told = tuple(Paragraph(words=(text,)) for text in words)
    opening = (*told, *((joint_density(derivation),) if node is None else ()))
    plan = make_plan(derivation, blocks="auto")
    sections = tuple(Steps(derivation, conditional).section(plan) for conditional in chosen)
    closing = _together(derivation, plan) if node is None else ()
    return Document(title=derivation.model.name, opening=opening, sections=sections, closing=closing)


def _together(derivation: Derivation, plan: Plan) -> tuple[Block, ...]:
    """Return what holds of several nodes together."""
    integrated = integrated_blocks(derivation)
    approximated = () if integrated else approximation_blocks(derivation, plan)
    paths = () if integrated else path_blocks(plan)
    return (*integrated, *approximated, *paths, *collapsed_blocks(derivation), *joint_blocks(plan))


class Steps:
    """The steps of one node."""

    def __init__(self, derivation: Derivation, conditional: Conditional) -> None:
        self.conditional = conditional
        self.derivation = derivation
        self.blanket = sort_contributions(conditional.contributions, conditional.target)
        self.arranger = Arranger(derivation.model, Order(derivation.model, conditional.target, self.blanket))
        self.target = self.arrange(conditional.target)
        self.left = n.Density(self.target, None)
        split = split_cases(conditional)
        self.split = split if split is not None and len(split.cases) <= _MOST_CASES else None
        self.cases = self.split.cases if self.split else ()

    def arrange(self, expr: Expr) -> n.Notation:
        """Return the notation of an expression, vectors of elements put together and brackets tidied."""
        return self.arranger.arrange(tidy(for_reading(expr), self.arranger.order))

    def section(self, plan: Plan) -> Section:
        """Return all the steps, and after them what the plan computes when."""
        blocks = [
            *self.show_observed(),
            self.show_blanket(),
            self.show_kernel(),
            *self.show_definitions(),
            *self.show_outcome(),
        ]
        blocks += cost_blocks(plan.step(self.conditional.node), plan, self.arrange)
        ranges = tuple(map(self.arranger.bound, self.conditional.ranges))
        return Section(
            title=self.target,
            ranges=ranges,
            verdict=_verdict(self.conditional),
            blocks=tuple(blocks),
        )

    # which elements are drawn

    def show_observed(self) -> tuple[Block, ...]:
        """Return what is said of a node of which some elements are observed."""
        node = self.derivation.model.node(self.conditional.node)
        if not node.partly:
            return ()
        words = "It is partly observed: what is missing is drawn, and the rest stays as it is."
        if node.layer != "data":
            words = "Its other elements are fixed, and stay as they are."
        return (Paragraph(words=(words,)),)

    # the Markov blanket

    def show_blanket(self) -> Block:
        """Return the product of the densities that hold the target, by cases where some are there only at times."""
        words = "Its Markov blanket, the factors that hold it:"
        if not self.cases:
            return Display(words=(words,), rows=(self._blanket_row(self.blanket, None),))
        rows = [
            self._blanket_row([c for c in self.blanket if case.holds(c.gates)], case) for case in self.cases
        ]
        return Display(words=(words,), rows=tuple(rows))

    def _blanket_row(
        self, contributions: tuple[Contribution, ...] | list[Contribution], case: Case | None
    ) -> Row:
        parts = tuple(density_of(contribution, self.arranger, case) for contribution in contributions)
        left = self.left if case is None else n.Density(self._in_case(self.conditional.target, case), None)
        return Row(left=left, relation="prop", right=n.Juxtaposed(parts), where=self._where(case))

    def _where(self, case: Case | None) -> tuple[n.Notation, ...]:
        if case is None or case.fixed:
            return ()
        return self.arranger.place(case.conditions)

    def _in_case(self, expr: Expr, case: Case) -> n.Notation:
        return self.arrange(case.resolve(expr))

    # the log kernel

    def show_kernel(self) -> Block:
        """Return the log densities as they stand, then multiplied out in the target."""
        as_written = _add(tuple(term for term in map(self._relevant, self.blanket) if term[1] != _ZERO))
        left = n.Apply("log", (self.left,))
        rows = [Row(left=left, relation="=", right=as_written, constant=True)]
        expanded = self.arrange(self.conditional.log_kernel)
        if expanded != as_written:
            rows.append(Row(left=None, relation="=", right=expanded, constant=True))
        words = "Its log density, up to a constant; then multiplied out:"
        return Display(
            words=(words if len(rows) > 1 else "Its log density, up to a constant:",), rows=tuple(rows)
        )

    def _relevant(self, contribution: Contribution) -> tuple[bool, n.Notation]:
        """Return the terms of a factor that hold the target, with the sign that they share."""
        target = self.conditional.target
        terms = [t for t in sp.Add.make_args(contribution.log_density) if t.has(target)]
        negative = bool(terms) and all(split_sign(term)[0] for term in terms)
        total = -sp.Add(*terms) if negative else sp.Add(*terms)
        if len(terms) == 1:
            body = self.arrange(sum_over(total, contribution.bounds, contribution.conditions))
        else:
            body = over_plates(n.Total, self.arrange(total), contribution, self.arranger)
        gates = tuple(map(self.arranger.relation, contribution.gates))
        return negative, n.Gate(gates, body) if gates else body

    def _support(self) -> tuple[Block, ...]:
        """Return the interval of a node that no family holds."""
        kind, *ends = self.conditional.support
        if kind != "real" or ends == [None, None]:
            return ()
        lower, upper = ((-sp.oo, sp.oo)[k] if end is None else end for k, end in enumerate(ends))
        interval = n.Interval(self.arrange(lower), self.arrange(upper))
        return (Paragraph(words=("Here ", n.Relation("in", self.target, interval), ".")),)

    def show_definitions(self) -> tuple[Block, ...]:
        """Return what the deterministic names in the kernel stand for."""
        rows = definitions_in(self._names(), self.derivation, self.arranger)
        return (Display(words=("where",), rows=rows),) if rows else ()

    def _names(self) -> frozenset[str]:
        shown = [c.log_density for c in self.blanket] + [value for _, value in self.conditional.parameters]
        return frozenset().union(*map(names_in, [*shown, self.conditional.log_kernel]))

    # the outcome

    def show_outcome(self) -> tuple[Block, ...]:
        """Return the statistics and the family, or the reason why there is none."""
        match self.conditional.method:
            case "gibbs":
                return (self.show_statistics(), *self.show_family())
            case "prior":
                return self.show_prior()
        return (*self._support(), *self.show_reason())

    def show_statistics(self) -> Block:
        """Return each sufficient statistic with its collected coefficient."""
        rows = [
            Row(
                left=self.arrange(statistic.form), relation="colon", right=self.arrange(statistic.coefficient)
            )
            for statistic in self.conditional.statistics
        ]
        return Display(words=("Collected: each statistic and its coefficient:",), rows=tuple(rows))

    def show_family(self) -> tuple[Block, ...]:
        """Return the family with its parameters, by cases where they differ."""
        form = self._form()
        restriction = self._restriction()
        stated = n.Distribution(short_name(self.conditional.family or ""), form.arguments, restriction)
        rows = [Row(left=self.left, relation="=", right=stated)]
        for entry in form.entries:
            rows += self._entry_rows(entry)
        words = "This is the kernel of " + _named(self.conditional.family or "") + ":"
        blocks: list[Block] = [Display(words=(words,), rows=tuple(rows))]
        if form.remark:
            cut = self.conditional.truncation is not None
            before = "Before the restriction, " if cut else "That is, "
            blocks.append(Paragraph(words=(before, *form.remark, ".")))
        blocks += self._sides()
        blocks += self._matrix_form(form)
        if self.split is not None and self.split.needs is not None:
            blocks.append(
                Paragraph(words=("These cases are for ", self.arranger.relation(self.split.needs), "."))
            )
        return tuple(blocks)

    def _matrix_form(self, form: Form) -> tuple[Block, ...]:
        """Return the parameters with X_i′X_i for sums of products, where they can be written so."""
        names = names_of(self.derivation.model)
        found = [
            (entry, stack_rows(self.conditional.parameter(entry.parameter), names)) for entry in form.entries
        ]
        if self.cases or any(stacked is None for _, stacked in found):
            return ()
        rows: list[Row] = []
        made: dict[Ref, Stacked] = {}
        for entry, (value, parts) in found:  # type: ignore[misc]
            rows.append(Row(left=entry.letter, relation="=", right=self._entry_value(entry, value)))
            made |= {one.whole: one for one in parts}
        words: list[str | n.Notation] = ["With "]
        for place, one in enumerate(made.values()):
            vector = len(one.whole.variable.shape) == 1
            kind = " the vector of the " if vector else " the matrix with the rows "
            part = one.parts if vector else transpose(one.parts)
            words += [" and " if place else "", self.arrange(one.whole), kind, self.arrange(part)]
        return (Display(words=(*words, ":"), rows=tuple(rows)),)

    def _form(self) -> Form:
        return form_of(self.conditional.family or "", tuple(name for name, _ in self.conditional.parameters))

    def _restriction(self) -> n.Interval | None:
        if self.conditional.truncation is None or self._branch() is not None:
            return None
        low, high = self.conditional.support[1:]
        return n.Interval(
            self.arrange(-sp.oo if low is None else low), self.arrange(sp.oo if high is None else high)
        )

    def _branch(self) -> Branch | None:
        """Return the lower end of an interval that a response chooses, or None."""
        low = self.conditional.support[1]
        return low if self.conditional.truncation is not None and isinstance(low, Branch) else None

    def _sides(self) -> tuple[Block, ...]:
        """Return on which side of zero a value lies whose sign a response tells."""
        branch = self._branch()
        if branch is None:
            return ()
        low, high = (end for end in self.conditional.support[1:] if end is not None)
        above, below = (n.Interval(self.arrange(low.args[k]), self.arrange(high.args[k])) for k in (1, 2))
        positive = n.Relation(">", self.arrange(branch.args[0]), _ZERO)
        words = ("It is restricted to ", above, " where ", positive, ", and to ", below, " elsewhere.")
        return (Paragraph(words=words),)

    def _entry_rows(self, entry: Entry) -> list[Row]:
        value = self.conditional.parameter(entry.parameter)
        resolved = [(case, case.resolve(value)) for case in self.cases]
        if all(expr == value for _, expr in resolved):
            return [Row(left=entry.letter, relation="=", right=self._entry_value(entry, value))]
        return [
            Row(
                left=entry.letter,
                relation="=",
                right=self._entry_value(entry, expr),
                where=self.arranger.place(case.conditions),
            )
            for case, expr in resolved
        ]

    def _entry_value(self, entry: Entry, value: Expr) -> n.Notation:
        arranged = self.arrange(gather_fractions(value))
        return n.Power(arranged, n.Minus(n.ONE), matrix=entry.matrix) if entry.inverse else arranged

    def show_prior(self) -> tuple[Block, ...]:
        """Return the prior of a node on which no observation bears."""
        arguments = tuple(self.arrange(value) for _, value in self.conditional.parameters)
        stated = n.Distribution(short_name(self.conditional.family or ""), arguments)
        names = ", ".join(name for name, _ in self.conditional.parameters)
        words = f"Nothing else holds it: its conditional is its prior ({names}):"
        return (Display(words=(words,), rows=(Row(left=self.left, relation="=", right=stated),)),)

    def show_reason(self) -> tuple[Block, ...]:
        """Return why no family fits, the term that breaks it, and what would mend it."""
        reason = self.conditional.reason
        if reason is None:
            return (Paragraph(words=("No family has this kernel.",)),)
        blocks = [Paragraph(words=(f"Not conjugate: {reason.why}.",))]
        if reason.term is not None:
            blocks.append(Paragraph(words=("The term in question is ", self.arrange(reason.term), ".")))
        if reason.remedy:
            blocks.append(Paragraph(words=(f"To mend it: {reason.remedy}.",)))
        return (*blocks, Paragraph(words=(_METHODS[self.conditional.method],)))


_METHODS = {
    "mh": "It is drawn by Metropolis–Hastings on the log density above.",
    "categorical": "It takes finitely many values: they are enumerated.",
}


def _verdict(conditional: Conditional) -> str:
    match conditional.method:
        case "gibbs":
            return _human(conditional.family or "")
        case "prior":
            return "its prior"
        case "mh":
            return "Metropolis–Hastings"
    return conditional.method


_HUMAN = {
    "mvnormal": "multivariate normal",
    "wishart": "Wishart",
    "inverse_wishart": "inverse Wishart",
    "dirichlet": "Dirichlet",
    "poisson": "Poisson",
}


def _human(key: str) -> str:
    return _HUMAN.get(key, key.replace("_", " "))


def _named(key: str) -> str:
    name = _human(key)
    article = "an" if name[0] in "aeiou" else "a"
    return f"{article} {name} density"


def _add(terms: tuple[tuple[bool, n.Notation], ...]) -> n.Notation:
    if len(terms) > 1:
        return n.Plus(terms)
    if not terms:
        return _ZERO
    negative, body = terms[0]
    return n.Minus(body) if negative else body
