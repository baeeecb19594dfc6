"""Model → augmented model: auxiliary variables beside logistic and probit responses, with which effects are normal.

The rewrites are those that are offered as remedies (``augmentations``), stated for the whole model at once, and checked
as a remedy is: the model is derived anew, no conjugate node ceases to be, and every conditional passes the
density-ratio identity.  A rewrite pays where all that a response depends on can then be drawn from full conditionals,
and its effects in one draw with the coefficients, or with their variance (``derivation/marginal.py``).  Elsewhere it
does not: of a plain regression the random walks mix well and cost less, and where a node of the response still walks,
that one mixes no better than before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from deriver.derivation.conditionals import derive
from deriver.derivation.marginal import Marginal, find_marginal
from deriver.derivation.records import Derivation
from deriver.errors import ModelError
from deriver.language.mistakes import listing
from deriver.language.printer import statement_text
from deriver.language.read import parse_model
from deriver.language.syntax import Document
from deriver.model.records import Model
from deriver.remedies.augmentations import add_albert_chib, add_polya_gamma
from deriver.remedies.edit import document_of, text_of
from deriver.remedies.records import Proposal, Setting, Step
from deriver.remedies.search import DRAWN, keeps_conjugate, passes_check

Wanted = Literal["auto", "on"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmented:
    """A model with auxiliary nodes, derived and checked.

    ``steps`` are the rewrites, ``nodes`` the names of what they added, ``normal`` those of the nodes that are drawn from
    full conditionals because of them.
    """

    model: Model
    derivation: Derivation
    steps: tuple[Step, ...]
    nodes: tuple[str, ...]
    normal: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """Return what was added, a text for each rewrite, and what follows."""
        added = [f"{step.title} was added ({step.source})" for step in self.steps]
        many, verb = "them" if len(self.nodes) > 1 else "it", "are" if len(self.normal) > 1 else "is"
        return (
            *added,
            f"given {many}, {listing(self.normal, 'and')} {verb} drawn exactly; {self.steps[0].why}",
        )

    @property
    def shown(self) -> tuple[str, ...]:
        """Return the same as sentences, each rewrite with the statement of what it added."""
        lines = {line.target.name: statement_text(line) for line in document_of(self.model).statements}
        added = (
            f"{text[0].upper()}{text[1:]}: {lines[name]}."
            for text, name in zip(self.words, self.nodes, strict=False)
        )
        return (*added, f"{self.words[-1][0].upper()}{self.words[-1][1:]}.")


def augment(
    model: Model, wanted: Wanted = "on", among: Collection[str] | None = None, chosen: Collection[str] = ()
) -> Augmented | None:
    """Return the model with auxiliary variables beside its logistic and probit responses, or None.

    "on" adds them wherever they make a node conjugate, "auto" where it pays.  ``among`` are the responses that may
    have them, all by default; with "auto" none of the nodes drawn together is one of ``chosen``, whose method the user
    chose.  All responses are tried together, as effects may enter several; where that fails, each by itself.
    """
    before = derive(model)
    if not before.conditionals:
        return None
    every = [name for name, _ in _propose(before) if among is None or name in among]
    trials = [every, *([name] for name in every if len(every) > 1)]
    made = (_rewrite(before, names, wanted, chosen) for names in trials if names)
    return next((each for each in made if each is not None), None)


def _propose(derivation: Derivation) -> Iterator[tuple[str, Proposal]]:
    """Yield the rewrite of each response that takes one, by its name."""
    model = derivation.model
    document, some = document_of(model), derivation.conditionals[0]
    setting = Setting(model=model, document=document, derivation=derivation, conditional=some)
    for place, statement in setting.stochastic():
        plain = not statement.transform and statement.truncation is None
        if plain and model.node(statement.name).is_response and len(model.statements_of(statement.name)) == 1:
            made = add_polya_gamma(setting, place, statement) or add_albert_chib(setting, place, statement)
            if made is not None:
                yield statement.name, made


def _rewrite(
    before: Derivation, responses: Collection[str], wanted: Wanted, chosen: Collection[str]
) -> Augmented | None:
    """Return the model with the rewrites of some responses, or None where one fails a check, or gains nothing."""
    made: list[Proposal] = []
    after = before
    try:
        for response in responses:
            made.append(dict(_propose(after))[response])
            after = derive(parse_model(text_of(_explained(made[-1]))))
    except ModelError:
        return None
    nodes = tuple(each.auxiliary for each in made)
    normal = _mended(before, after)
    pays = wanted == "on" or _pays(after, {*nodes, *responses}, chosen)
    if not normal or not keeps_conjugate(before, after) or not pays or not passes_check(after):
        return None
    steps = tuple(each.step for each in made)
    return Augmented(model=after.model, derivation=after, steps=steps, nodes=nodes, normal=normal)


def _explained(proposal: Proposal) -> Document:
    """Return the changed lines, the source beside the new one."""
    comment = f"added: {proposal.step.source}"
    lines = (
        replace(line, comment=comment) if line.target.name == proposal.auxiliary else line
        for line in proposal.document.statements
    )
    return replace(proposal.document, statements=tuple(lines))


def _mended(before: Derivation, after: Derivation) -> tuple[str, ...]:
    """Return the nodes that were drawn by Metropolis steps, and no longer are."""
    walked = {c.node for c in before.conditionals if c.method not in DRAWN}
    return tuple(c.node for c in after.conditionals if c.node in walked and c.method in DRAWN)


def _pays(derivation: Derivation, beside: Collection[str], chosen: Collection[str]) -> bool:
    """Tell whether the effects of the responses are drawn together, and nothing that enters these walks."""
    marginal = find_marginal(derivation)
    if not isinstance(marginal, Marginal) or {member.node for member in marginal.members} & {*chosen}:
        return False
    entering = [
        conditional for conditional in derivation.conditionals
        if any(contribution.factor.value.name in beside for contribution in conditional.contributions)
    ]  # fmt: skip
    effects = {member.node for member in marginal.effects}
    exact = all(conditional.method in DRAWN for conditional in entering)
    return exact and any(conditional.node in effects for conditional in entering)
