"""The search: every rewrite of the model tried, derived anew and checked; what works is kept.

A remedy takes one rewrite or, where one is not enough, two.  It is offered only if the model is legal, the node's
conditional is of a known family, no node that was conjugate has ceased to be, and every conditional passes the
density-ratio identity.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from deriver.derivation.conditionals import derive
from deriver.derivation.density_ratio import check_derivation
from deriver.derivation.records import Derivation
from deriver.errors import InternalError, Mistake, ModelError, UsageError
from deriver.language.read import parse_model
from deriver.model.records import Model, Stochastic
from deriver.remedies.augmentations import (
    propose_albert_chib,
    propose_half_t,
    propose_polya_gamma,
    propose_scale_mixtures,
)
from deriver.remedies.edit import document_of, text_of
from deriver.remedies.priors import propose_coordinates, propose_priors
from deriver.remedies.records import Explanation, Proposal, Remedy, Setting, Step
from deriver.remedies.structure import propose_centred, propose_not_centred, propose_whole_covariance

# The rewrites, those that leave the posterior as it is first.
REWRITES: tuple[Callable[[Setting], Iterator[Proposal]], ...] = (
    propose_half_t,
    propose_scale_mixtures,
    propose_polya_gamma,
    propose_albert_chib,
    propose_not_centred,
    propose_centred,
    propose_priors,
    propose_coordinates,
    propose_whole_covariance,
)
DRAWN = ("gibbs", "prior", "categorical")
_MOST_STEPS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """A changed model that could be derived, with the steps that led there and the node that is judged."""

    steps: tuple[Step, ...]
    node: str
    text: str
    model: Model
    derivation: Derivation


def explain(model: Model, node: str) -> Explanation:
    """Return why a node is conjugate or not, and the remedies that work.

    Raises ``UsageError`` for a node that has no conditional.
    """
    derivation = derive(model)
    node = _find(model, derivation, node)
    if derivation.node(node).method in ("gibbs", "prior"):
        return Explanation(derivation=derivation, node=node, remedies=(), tried=0)
    found: list[_Tried] = []
    seen = {text_of(document_of(model))}
    start = _Tried(steps=(), node=node, text=text_of(document_of(model)), model=model, derivation=derivation)
    frontier = [start]
    for _ in range(_MOST_STEPS):
        made = [tried for base in frontier for tried in _try_all(base, derivation, seen)]
        found += [tried for tried in made if _mends(tried)]
        frontier = [tried for tried in made if not _mends(tried)]
    remedies = tuple(_remedy(start, tried) for tried in _shortest(found) if passes_check(tried.derivation))
    ordered = sorted(remedies, key=lambda remedy: (not remedy.same, len(remedy.steps)))
    return Explanation(derivation=derivation, node=node, remedies=tuple(ordered), tried=len(seen) - 1)


def _find(model: Model, derivation: Derivation, node: str) -> str:
    """Return the node of that name, or the one that a transform on the left made of it."""
    names = [conditional.node for conditional in derivation.conditionals]
    if node in names:
        return node
    behind = [s.name for s in model.statements if isinstance(s, Stochastic) and s.written == node]
    if behind and behind[0] in names:
        return behind[0]
    known = {each.name: each for each in model.nodes}
    found, remedy = f"the model {model.name} has no node `{node}`", ""
    if node in known and known[node].kind == "deterministic":
        found = f"`{node}` is defined by other nodes, and has no conditional of its own"
        remedy = "ask about the nodes that it is made of"
    elif node in known:
        found = f"`{node}` is observed: it stands in the data block, and is not drawn"
    elif any(given.name == node for given in model.givens):
        found = f"`{node}` is given, and is not drawn"
    expected = "one of " + ", ".join(names)
    raise UsageError([Mistake(code="node", found=found, expected=expected, remedy=remedy)])


def _try_all(base: _Tried, first: Derivation, seen: set[str]) -> Iterator[_Tried]:
    """Yield every changed model one rewrite away that can be derived and costs no other node its family."""
    setting = Setting(
        model=base.model,
        document=document_of(base.model),
        derivation=base.derivation,
        conditional=base.derivation.node(base.node),
    )
    for rewrite in REWRITES:
        for proposal in rewrite(setting):
            text = text_of(proposal.document)
            if text in seen:
                continue
            seen.add(text)
            tried = _derive(base, proposal, text)
            if tried is not None and keeps_conjugate(first, tried.derivation):
                yield tried


def _derive(base: _Tried, proposal: Proposal, text: str) -> _Tried | None:
    """Derive a changed model; one that breaks a rule of the language or the engine is no remedy."""
    try:
        model = parse_model(text)
        derivation = derive(model)
    except ModelError:
        return None
    if proposal.node not in {conditional.node for conditional in derivation.conditionals}:
        return None
    steps = (*base.steps, proposal.step)
    return _Tried(steps=steps, node=proposal.node, text=text, model=model, derivation=derivation)


def keeps_conjugate(before: Derivation, after: Derivation) -> bool:
    """Tell whether every node that was conjugate still is, and every new node is."""
    drawn = {c.node for c in before.conditionals if c.method in DRAWN}
    old = {c.node for c in before.conditionals}
    return all(c.method in DRAWN for c in after.conditionals if c.node in drawn or c.node not in old)


def _mends(tried: _Tried) -> bool:
    return tried.derivation.node(tried.node).method == "gibbs"


def _shortest(found: Iterable[_Tried]) -> list[_Tried]:
    """Leave out what takes the steps of another remedy, in another order or with more of them."""
    by_steps: dict[frozenset[str], _Tried] = {}
    for tried in found:
        by_steps.setdefault(frozenset(step.title for step in tried.steps), tried)
    sets, found = list(by_steps), list(by_steps.values())
    return [tried for tried, own in zip(found, sets, strict=True) if not any(other < own for other in sets)]


def passes_check(derivation: Derivation) -> bool:
    """Tell whether every conditional of a changed model passes the density-ratio identity."""
    try:
        check_derivation(derivation)
    except InternalError:
        return False
    return True


def _remedy(start: _Tried, tried: _Tried) -> Remedy:
    lines = difflib.unified_diff(start.text.splitlines(), tried.text.splitlines(), lineterm="", n=0)
    changes = tuple(
        line[0] + " " + line[1:].strip() for line in list(lines)[2:] if line[0] in "+-" and line[1:].strip()
    )
    return Remedy(
        steps=tried.steps,
        node=tried.node,
        text=tried.text,
        changes=changes,
        model=tried.model,
        derivation=tried.derivation,
    )
