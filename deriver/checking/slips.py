"""The slip finder: a search over edits of a claim for those that make it right.

A single edit first; where the conditional has a family, an edit that mends one natural parameter and leaves the
rest alone is kept, and the search goes on from there; then pairs of the likelier edits.  An edit is a slip when the
edited claim agrees with the joint density at every state that the verdict itself rests on.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from deriver.checking.densities import Statement, judge
from deriver.checking.edits import Edit, propose_edits
from deriver.checking.oracle import Group, Oracle
from deriver.checking.records import Slip
from deriver.checking.rules import Surroundings
from deriver.checking.values import Opaque
from deriver.language.printer import print_expression
from deriver.model.expressions import Expression

_ROUNDS = 4
_PAIRED = 90
_PAIR_SECONDS = 1.5
_SECONDS = 4.0
Repair = tuple[Slip, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """An edit with how wrong the edited claim still is."""

    edit: Edit
    score: float


class SlipFinder:
    """Searches the edits of one statement."""

    def __init__(self, oracle: Oracle, around: Surroundings, groups: list[Group]) -> None:
        self.oracle, self.around = oracle, around
        self.quick, self.full = _choose(groups), groups
        self.stop = 0.0

    def find(self, statement: Statement) -> tuple[Repair, ...]:
        """Return repairs, the likeliest first; each is the slips that together make the claim right."""
        done: list[Edit] = []
        self.stop = time.monotonic() + _SECONDS
        for _ in range(_ROUNDS):
            if time.monotonic() > self.stop:
                return ()
            base = self.score(statement, math.inf)
            scored = self._score_all(statement, base)
            right = self._verified([each.edit for each in scored if each.score == 0.0])
            if right:
                return _repairs(done, right)
            if base == math.inf and done:
                return ()
            better = [each for each in scored if each.score < base and each.score < math.inf]
            pairs = self._pairs(scored, statement, base) if not better or not done else ()
            if pairs:
                return tuple(tuple(_slip(e) for e in (*done, *pair)) for pair in pairs[:3])
            if not better:
                return ()
            best = min(better, key=lambda each: (each.score, each.edit.cost))
            done.append(best.edit)
            statement = best.edit.statement
        return ()

    def score(self, statement: Statement, limit: float) -> float:
        """Return how wrong a statement is at the quick groups; stops once it is worse than the limit."""
        worst = 0.0
        for group in self.quick:
            worst = max(worst, judge(self.oracle, statement, group).score)
            if worst > limit or worst == math.inf:
                return math.inf
        return worst

    def _score_all(self, statement: Statement, base: float) -> list[Scored]:
        seen: set[tuple] = set()
        found = []
        for edit in sorted(propose_edits(statement, self.around), key=lambda edit: edit.cost):
            key = (edit.statement.trees, edit.statement.definitions)
            if key in seen:
                continue
            seen.add(key)
            found.append(Scored(edit=edit, score=self.score(edit.statement, base)))
        return found

    def _verified(self, edits: list[Edit]) -> list[Edit]:
        """Return the edits that make the claim right at every group, the likeliest first."""
        ordered = sorted(edits, key=lambda edit: edit.cost)
        return [edit for edit in ordered if self._right(edit.statement)]

    def _right(self, statement: Statement) -> bool:
        return all(judge(self.oracle, statement, group).right for group in self.full)

    def _pairs(self, scored: list[Scored], statement: Statement, base: float) -> list[tuple[Edit, Edit]]:
        """Return pairs of edits that make the claim right, within a limit of time."""
        firsts = sorted((s for s in scored if s.score < math.inf or base == math.inf), key=_order)[:_PAIRED]
        stop = min(self.stop, time.monotonic() + _PAIR_SECONDS)
        found: list[tuple[Edit, Edit]] = []
        for first in firsts:
            for second in propose_edits(first.edit.statement, self.around):
                if second.cost > 1.25:
                    continue
                if time.monotonic() > stop:
                    return found
                if self.score(second.statement, 0.0) == 0.0 and self._right(second.statement):
                    found.append((first.edit, second))
            if found:
                return sorted(found, key=lambda pair: pair[0].cost + pair[1].cost)
        return found


def _order(scored: Scored) -> tuple[float, float]:
    return (scored.edit.cost, scored.score)


def _choose(groups: list[Group]) -> list[Group]:
    """Return two or three groups that differ in state and element."""
    return [groups[0], *groups[-1:]] if len(groups) < 6 else [groups[0], groups[4], groups[-1]]


def _repairs(done: list[Edit], right: list[Edit]) -> tuple[Repair, ...]:
    """Return the repairs that end in each right edit; those of one effect are one, under several names."""
    first = right[0]
    before = tuple(_slip(edit) for edit in done)
    best = _slip(first, right[1:])
    others = [_slip(edit) for edit in right[1:] if edit.name not in (best.name, *best.aliases)]
    return tuple((*before, slip) for slip in (best, *others[:3]))


def _slip(edit: Edit, others: list[Edit] | tuple[Edit, ...] = ()) -> Slip:
    aliases = [*edit.aliases]
    aliases += [other.name for other in others if other.old == edit.old and other.name != edit.name]
    return Slip(
        name=edit.name,
        found="" if edit.old is None else write_tree(edit.old),
        instead="" if edit.new is None else write_tree(edit.new),
        aliases=tuple(dict.fromkeys(name for name in aliases if name != edit.name)),
    )


def write_tree(tree: Expression) -> str:
    """Return a tree as text; a term without a text of its own by its title."""
    return tree.title if isinstance(tree, Opaque) else print_expression(tree)
