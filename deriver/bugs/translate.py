"""A BUGS program with its data to a model of ours: the text, the data in its shapes, and the names.

Input: the program's text and arrays by BUGS name.  Output: ``Translation``.  Loops become plates, ``<-`` a
deterministic node, what depends on the data alone a given with its numbers; every mistake names the line of the
program.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from deriver.bugs.autoregressions import rewrite_autoregressions
from deriver.bugs.censoring import rewrite_censoring
from deriver.bugs.columns import split_columns
from deriver.bugs.confined import find_starts
from deriver.bugs.constants import state_constants
from deriver.bugs.declared import fill_declared
from deriver.bugs.elaborate import Elaborated, elaborate
from deriver.bugs.fixed_parts import rewrite_fixed_parts
from deriver.bugs.functions import write_out_functions
from deriver.bugs.gaps import fill_gaps
from deriver.bugs.inlining import inline_definitions
from deriver.bugs.interpolation import rewrite_interpolation
from deriver.bugs.likelihoods import rewrite_likelihoods
from deriver.bugs.names import NameTable, plain_name
from deriver.bugs.nodes import NodePlan, Site, plan_nodes
from deriver.bugs.parser import parse_program
from deriver.bugs.partial_vectors import rewrite_partial_vectors
from deriver.bugs.plates import Plates
from deriver.bugs.products import rewrite_products
from deriver.bugs.ranks import rewrite_ranks
from deriver.bugs.recursion import rewrite_recursion
from deriver.bugs.series import rewrite_series
from deriver.bugs.sorting import rewrite_sorts
from deriver.bugs.spatial import rewrite_spatial
from deriver.bugs.statements import Statements
from deriver.bugs.student import write_out_multivariate_t
from deriver.bugs.syntax import Program
from deriver.bugs.unobserved import leave_out_unobserved
from deriver.bugs.vectors import write_out_vectors
from deriver.bugs.views import Views
from deriver.bugs.wholes import fill_wholes
from deriver.errors import Mistake, ModelError
from deriver.language import parse_model
from deriver.language.mistakes import Mistakes
from deriver.language.printer import print_document
from deriver.language.rewrite import make_number
from deriver.language.syntax import Document, PlateLine, StatementLine
from deriver.model.expressions import Expression, Reference, references
from deriver.model.records import Layer, Model

MOST_REPORTED = 200
MOST_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A translated program.

    ``text`` is the model, ``data`` its arrays by our names, ``sites`` the part of which BUGS node each of our drawn
    nodes is, ``names`` the BUGS names that are written otherwise (ours -> BUGS), ``definitions`` the deterministic
    nodes that are small enough to report, ``starts`` where BUGS nodes begin that bounds by ``I(,)`` confine.
    """

    name: str
    text: str
    model: Model
    data: Mapping[str, np.ndarray]
    sites: Mapping[str, Site]
    names: Mapping[str, str] = field(default_factory=dict)
    definitions: tuple[str, ...] = ()
    starts: Mapping[str, np.ndarray] = field(default_factory=dict)


def translate(
    text: str, data: Mapping[str, np.ndarray], *, name: str = "model", origin: str = "model.bug"
) -> Translation:
    """Return the model that a BUGS program states for these data; raise ``ModelError`` with every mistake."""
    program = write_out_vectors(fill_wholes(fill_declared(parse_program(text, origin)), data), data)
    mistakes = Mistakes(program.lines, origin)
    program = write_out_multivariate_t(write_out_functions(program, mistakes))
    mistakes.raise_any()
    found = elaborate(program, data, mistakes)
    mistakes.raise_any()
    _refuse_without_draws(found, origin)
    starts = find_starts(found)
    for rewrite in (
        state_constants,
        leave_out_unobserved,
        rewrite_partial_vectors,
        rewrite_fixed_parts,
        inline_definitions,
        fill_gaps,
        partial(rewrite_interpolation, mistakes=mistakes),
        partial(rewrite_spatial, mistakes=mistakes),
        partial(rewrite_autoregressions, mistakes=mistakes),
        partial(rewrite_likelihoods, mistakes=mistakes),
        partial(rewrite_censoring, mistakes=mistakes),
        rewrite_recursion,
        rewrite_products,
        rewrite_series,
        rewrite_sorts,
        rewrite_ranks,
        split_columns,
    ):
        rewritten = rewrite(program, found)
        mistakes.raise_any()
        if rewritten is not None:
            program = rewritten[0]
            found = elaborate(program, rewritten[1], mistakes)
            mistakes.raise_any()
    worker = _Translator(found, program, mistakes, origin)
    return dataclasses.replace(worker.translate(plain_name(name)), starts=starts)


def _refuse_without_draws(found: Elaborated, origin: str) -> None:
    """Raise a mistake that gives the values, where a program computes all its quantities from the data."""
    computed = {name: array for name, array in found.arrays.items() if name not in found.given}
    if found.relations or not computed:
        return
    values = [f"    {name} = {_show(array)}" for name, array in computed.items() if array.size <= MOST_SHOWN]
    raise ModelError(
        [
            Mistake(
                code="nothing-random",
                found="\n".join(["nothing here is random; this is computed from the data:", *values]),
                expected="at least one relation with `~`",
                remedy="give a distribution to what is not known, if anything is",
            )
        ],
        origin,
    )


def _show(array: np.ndarray) -> str:
    if array.ndim:
        return f"[{', '.join(map(_show, array))}]"
    return f"{float(array):.6g}"


class _Translator:
    """Brings the parts of one translation together."""

    def __init__(self, found: Elaborated, program: Program, mistakes: Mistakes, origin: str) -> None:
        self.found, self.program, self.mistakes, self.origin = found, program, mistakes, origin
        self.plates = Plates(found)
        self.names = NameTable()
        self.plans = plan_nodes(found, self.plates, self.names)
        self.views = Views(found, self.plates, self.names)
        self.statements = Statements(found, self.plates, self.names, self.plans, self.views, mistakes)

    def translate(self, name: str) -> Translation:
        """Return the translation."""
        self.statements.state_all()
        self.mistakes.raise_any()
        lines = _put_in_layers(self.statements.lines, self.plans)
        plates = tuple(self._plate_lines())
        document = Document(
            name=name,
            plates=plates,
            givens=self.views.lines(),
            statements=tuple(lines),
            comment=self._comment(),
        )
        text = print_document(document)
        model = self._parse(text)
        data = dict(self.views.arrays()) | self.statements.responses | self._sizes(plates)
        return Translation(
            name=name, text=text, model=model, data=data, sites=self._sites(), names=self._renamed(),
            definitions=self._definitions(model),
        )  # fmt: skip

    def _plate_lines(self) -> list[PlateLine]:
        lines = []
        for root, plate in self.statements.ordered_plates():
            for index in plate.indices:
                lines.append(
                    PlateLine(
                        index=Reference(name=index), lower=make_number(1),
                        upper=self.statements.upper(root, index),
                    )
                )  # fmt: skip
        return lines

    def _sizes(self, plates: tuple[PlateLine, ...]) -> dict[str, np.ndarray]:
        named = {each.name for line in plates for each in references(line.upper)}
        ours = {our: bugs for bugs, our in self.names.ours.items()}
        return {name: self.found.arrays[ours[name]] for name in named if ours.get(name) in self.found.arrays}

    def _renamed(self) -> dict[str, str]:
        found = {our: bugs for bugs, our in self.names.ours.items() if our != bugs and bugs in self.plans}
        for plan in self.plans.values():
            for key, our in plan.scalars.items():
                found[our] = f"{plan.name}[{','.join(map(str, key))}]"
            if plan.name in self.program.elements:
                array, places = self.program.elements[plan.name]
                listed = ",".join("" if each is None else str(each) for each in places)
                found[plan.ours] = f"{array}[{listed}]"
        return found

    def _sites(self) -> dict[str, Site]:
        return {ours: self._whole_site(site) for ours, site in self.statements.sites.items()}

    def _whole_site(self, site: Site) -> Site:
        """Return a part of an array that was taken apart as a part of the array."""
        if site.name not in self.program.elements:
            return site
        array, places = self.program.elements[site.name]
        left = iter(site.where)
        return Site(array, tuple(next(left) if each is None else each - 1 for each in places))

    def _definitions(self, model: Model) -> tuple[str, ...]:
        small = {
            plan.ours for plan in self.plans.values()
            if plan.mode != "scalars" and int(np.prod(plan.extents)) <= MOST_REPORTED
        }  # fmt: skip
        return tuple(
            node.name for node in model.nodes
            if node.kind == "deterministic" and node.layer != "data" and node.name in small
        )  # fmt: skip

    def _comment(self) -> str:
        renamed = self._renamed()
        if not renamed:
            return f"translated from {self.origin}"
        listed = [f"{our} is {bugs}" for our, bugs in renamed.items()]
        rows = [", ".join(listed[k : k + 4]) for k in range(0, len(listed), 4)]
        return "\n".join([f"translated from {self.origin}, where", *rows])

    def _parse(self, text: str) -> Model:
        try:
            return parse_model(text, origin=self.origin)
        except ModelError as error:
            lines = text.split("\n")
            raise ModelError([self._relocate(each, lines) for each in error.mistakes], self.origin) from None

    def _relocate(self, mistake: Mistake, lines: list[str]) -> Mistake:
        """Return a mistake of the translated text with the line of the program from which it comes."""
        if mistake.line is None:
            return mistake
        written = lines[mistake.line - 1].strip()
        span = self.statements.span_of(written)
        found = f"{mistake.found}; it is written `{written}`"
        if span is None:
            return dataclasses.replace(mistake, found=found, line=None, text="")
        text = self.program.lines[span.line - 1]
        return dataclasses.replace(
            mistake, found=found, line=span.line, start=span.start, end=min(span.end, len(text)), text=text
        )


def _put_in_layers(lines: list[StatementLine], plans: Mapping[str, NodePlan]) -> list[StatementLine]:
    """Return the statements with their layers: what the data are, what has plates or rests on such, the rest."""
    names = {line.target.name: {"plated": False, "data": False} for line in lines}
    observed = {plan.ours for plan in plans.values() if plan.observed}
    for line in lines:
        state = names[line.target.name]
        state["plated"] |= bool(line.target.subscripts)
        state["data"] |= line.target.name in observed
    changed = True
    while changed:
        changed = False
        for line in lines:
            state = names[line.target.name]
            for each in _named(line):
                if each in names and each != line.target.name:
                    above = names[each]
                    plated = state["plated"] or above["plated"]
                    data = state["data"] or (above["data"] and line.expression is not None)
                    changed |= (plated, data) != (state["plated"], state["data"])
                    state["plated"], state["data"] = plated, data
    return [dataclasses.replace(line, layer=_layer(names[line.target.name])) for line in lines]


def _layer(state: Mapping[str, bool]) -> Layer:
    if state["data"]:
        return "data"
    return "process" if state["plated"] else "parameters"


def _named(line: StatementLine) -> set[str]:
    terms: list[Expression] = [argument.value for argument in line.arguments]
    terms += [line.expression] if line.expression is not None else []
    terms += [each for each in line.truncation or () if each is not None]
    return {found.name for term in terms for found in references(term)}
