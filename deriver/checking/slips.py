"""The slip finder: a search over edits of a claim for those that make it right.

A single edit first.  Then an edit that mends one natural parameter of the conditional and leaves the rest alone is
kept, and the search goes on from there.  Then two or three edits together: on the log scale the effects of edits
in different places add up, so that sets whose effects add up to what is wrong are found without trying them all.
Last, pairs of the likelier edits, one applied after the other.  An edit is a slip when the edited claim agrees with
the joint density at every state that the verdict itself rests on.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deriver.checking.densities import Statement, judge, log_densities
from deriver.checking.edits import propose_edits
from deriver.checking.oracle import Group, Oracle, compare
from deriver.checking.places import Edit, Surroundings, Titled
from deriver.checking.records import Slip
from deriver.language.printer import print_expression
from deriver.model.expressions import Expression

_ROUNDS = 4
_PAIRED = 60
# Statements that a search may evaluate: a count, not a time, so that a report never rests on the machine.
_BUDGET = 4000
# A glance at a few points, and what it costs of the budget.
_FEW = 3
_GLANCE = 0.25
_SECOND_COST = 1.3
_MOST_SETS = 40
_SET_COST = 1.75
Repair = tuple[Slip, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """An edit with how wrong the edited claim still is, and its log densities at the quick groups, if defined."""

    edit: Edit
    score: float
    values: np.ndarray | None


class SlipFinder:
    """Searches the edits of one statement."""

    def __init__(self, oracle: Oracle, around: Surroundings, groups: list[Group]) -> None:
        self.oracle, self.around = oracle, around
        self.quick, self.full = _choose(groups), groups
        self.glance = _glance(self.quick[0])
        self.left = 0.0

    def find(self, statement: Statement) -> tuple[Repair, ...]:
        """Return repairs, the likeliest first; each is the slips that together make the claim right."""
        done: list[Edit] = []
        self.left = _BUDGET
        for _ in range(_ROUNDS):
            edits = self._edits(statement)
            right = self._verified(edits)
            if right:
                return _repairs(done, right)
            base = self._score(statement)
            scored = self._score_all(edits, base.score)
            sets = self._throughout(scored) or self._sets(scored, statement, base)
            if sets:
                return tuple(
                    tuple(slip for e in (*done, *several) for slip in _slips(e)) for several in sets[:2]
                )
            better = [each for each in scored if each.score < base.score and each.score < math.inf]
            if not better or self.left <= 0:
                pairs = self._pairs(scored, base.score)
                return tuple(tuple(slip for e in (*done, *p) for slip in _slips(e)) for p in pairs[:2])
            best = min(better, key=lambda each: (each.score, each.edit.cost))
            done.append(best.edit)
            statement = best.edit.statement
        return ()

    # scores

    def _score(self, statement: Statement, limit: float = math.inf) -> Scored:
        """Return how wrong a statement is at the quick groups; without values once it is worse than the limit."""
        self.left -= 1
        worst, values = 0.0, []
        edit = Edit(name="", cost=0.0, old=None, new=None, statement=statement)
        for group in self.quick:
            found = log_densities(self.oracle, statement, group)
            worst = max(worst, compare(group, found).score)
            if found is None or worst == math.inf or worst > limit:
                return Scored(edit=edit, score=math.inf, values=None)
            values.append(found - found[0])
        return Scored(edit=edit, score=worst, values=np.concatenate(values))

    def _edits(self, statement: Statement) -> list[Edit]:
        """Return the edits of a statement, the likeliest first, each effect on the text once."""
        found: dict[tuple, Edit] = {}
        for edit in sorted(propose_edits(statement, self.around), key=lambda edit: edit.cost):
            changed, choice = edit.statement, edit.statement.line.choice
            family = (choice.signature.key, choice.form.keywords) if choice else None
            found.setdefault((changed.trees, changed.definitions, changed.pieces, family), edit)
        return list(found.values())

    def _score_all(self, edits: list[Edit], limit: float) -> list[Scored]:
        found = []
        for edit in edits:
            scored = self._score(edit.statement, limit)
            found.append(Scored(edit=edit, score=scored.score, values=scored.values))
        return found

    def _verified(self, edits: list[Edit]) -> list[Edit]:
        """Return the edits that make the claim right at every group; most fall at a first glance."""
        return [edit for edit in edits if self._right(edit.statement)]

    def _right(self, statement: Statement) -> bool:
        if not judge(self.oracle, statement, self.glance).right:
            return False
        return all(judge(self.oracle, statement, group).right for group in self.full)

    # several edits

    def _sets(self, scored: list[Scored], statement: Statement, base: Scored) -> list[tuple[Edit, ...]]:
        """Return sets of two or three edits that make the claim right, by the sum of their effects."""
        if base.values is None:
            return []
        reference = np.concatenate([group.reference - group.reference[0] for group in self.quick])
        wanted = reference - base.values
        plain = [s.edit for s in scored if s.edit.cost < _SET_COST]
        measured = [Scored(edit=e, score=0.0, values=self._score(e.statement).values) for e in plain]
        moving = [s for s in measured if s.values is not None]
        effects = np.array([s.values - base.values for s in moving if s.values is not None])
        if not len(effects):
            return []
        kept = np.max(np.abs(effects), axis=1) > 1e-9
        moving = [each for each, keep in zip(moving, kept, strict=True) if keep]
        found: list[tuple[Edit, ...]] = []
        candidates = sorted(
            add_up(effects[kept], wanted), key=lambda places: sum(moving[p].edit.cost for p in places)
        )
        for places in candidates[:_MOST_SETS]:
            several = self._apply(statement, [moving[p].edit for p in places])
            if several is not None and self._right(several[-1].statement):
                found.append(several)
                if len(found) == 2:
                    break
        return found

    def _apply(self, statement: Statement, edits: list[Edit]) -> tuple[Edit, ...] | None:
        """Apply edits one after another; None where one has no place any more."""
        done: list[Edit] = []
        for edit in edits:
            again = (e for e in propose_edits(statement, self.around) if e.key == edit.key)
            found = next(again, None)
            if found is None:
                return None
            done.append(found)
            statement = found.statement
        return tuple(done)

    def _pairs(self, scored: list[Scored], base: float) -> list[tuple[Edit, Edit]]:
        """Return pairs of edits that make the claim right, one applied after the other, within the budget."""
        firsts = sorted((s for s in scored if s.score <= base + 1.0), key=lambda s: s.edit.cost)[:_PAIRED]
        for first in firsts:
            found = list(self._seconds(first.edit))
            if found:
                return sorted(found, key=lambda pair: pair[0].cost + pair[1].cost)
            if self.left <= 0:
                break
        return []

    def _throughout(self, scored: list[Scored]) -> list[tuple[Edit, ...]]:
        """Return a slip made throughout, with one other edit, where that makes the claim right."""
        for each in scored:
            if each.edit.throughout:
                found = sorted(self._seconds(each.edit), key=lambda pair: pair[1].cost)
                if found:
                    return [*found]
        return []

    def _seconds(self, first: Edit) -> Iterator[tuple[Edit, Edit]]:
        for second in propose_edits(first.statement, self.around):
            if second.cost > _SECOND_COST or self.left <= 0:
                continue
            self.left -= _GLANCE
            if self._right(second.statement):
                yield (first, second)


def add_up(effects: np.ndarray, wanted: np.ndarray) -> Iterator[tuple[int, ...]]:
    """Yield sets of two or three rows of ``effects`` (edits, points) whose sum is ``wanted`` (points,).

    Rows are projected to one number each, so that a sorted list answers which pair completes a third.
    """
    direction = np.random.default_rng(1).normal(size=len(wanted))
    heights, height = effects @ direction, float(wanted @ direction)
    first, second = np.triu_indices(len(effects), k=1)
    sums = heights[first] + heights[second]
    order = np.argsort(sums)
    scale = 1e-7 * (1.0 + float(np.max(np.abs(wanted))))

    def matches(target: float) -> Iterator[tuple[int, int]]:
        near = 1e-7 * (1.0 + abs(target) + abs(height))
        low, high = np.searchsorted(sums[order], [target - near, target + near])
        for place in order[low:high]:
            yield int(first[place]), int(second[place])

    for one, two in matches(height):
        if np.max(np.abs(effects[one] + effects[two] - wanted)) < scale:
            yield one, two
    for three in range(len(effects)):
        for one, two in matches(height - heights[three]):
            if one < two < three and np.max(np.abs(effects[[one, two, three]].sum(axis=0) - wanted)) < scale:
                yield one, two, three


def _choose(groups: list[Group]) -> list[Group]:
    """Return two or three groups that differ in state and element."""
    full = [group for group in groups if not group.empty] or groups
    return [full[0], *full[-1:]] if len(full) < 5 else [full[0], full[len(full) // 2], full[-1]]


def _glance(group: Group) -> Group:
    """Return a group with its first points alone: what is wrong there needs no further look."""
    few = slice(0, _FEW)
    return dataclasses.replace(
        group, points=group.points[few], reference=group.reference[few], basis=None, solver=None
    )


def _repairs(done: list[Edit], right: list[Edit]) -> tuple[Repair, ...]:
    """Return the repairs that end in each right edit; those of one effect are one, under several names."""
    first = right[0]
    before = tuple(slip for edit in done for slip in _slips(edit))
    best = _slips(first, right[1:])
    named = {name for slip in best for name in (slip.name, *slip.aliases)}
    others = [_slips(edit) for edit in right[1:] if edit.name not in named]
    return tuple((*before, *slips) for slips in (best, *others[:3]))


def _slips(edit: Edit, others: list[Edit] | tuple[Edit, ...] = ()) -> tuple[Slip, ...]:
    """Return the slips that an edit is: one for each place that it changes."""
    aliases = [*edit.aliases]
    aliases += [other.name for other in others if other.old == edit.old and other.cost < edit.cost + 1.0]
    aliases = [name for name in dict.fromkeys(aliases) if name != edit.name]
    changes = [(edit.old, edit.new), *edit.others]
    return tuple(
        Slip(name=edit.name, found=write_tree(old), instead=write_tree(new), aliases=tuple(aliases))
        for old, new in changes
    )


def write_tree(tree: Expression | None) -> str:
    """Return a tree as text; a term without a text of its own by its title."""
    if tree is None:
        return ""
    return tree.title if isinstance(tree, Titled) else print_expression(tree)
