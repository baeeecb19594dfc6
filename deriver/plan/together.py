"""Derivation → nodes that are moved together besides being drawn one by one, found from the structure of the model.

Five kinds of moves, each a Metropolis–Hastings step that keeps the target whatever the structure says, as it weighs the
joint density: numbers that share a density and whose conditionals are not all of a family (plain); coefficients of a
linear predictor, the effects beside them moved so that the predictor stays (a shift); the centre of effects, the effects
moved so that they keep their distance from it; a scale of effects, or the covariance of vectors (of one, as of a Gaussian
process, too), the effects moved so that they stay what they are in units of it (Liu and Sabatti 2000, Biometrika 87,
353-369; Yu and Meng 2011, J. Comp. Graph. Stat. 20, 531-570: the centred form of a model and the non-centred one
interwoven); parameters of effects whose full conditional is known, these integrated out and then drawn (Liu 1994, J. Amer. Stat. Assoc. 89, 958-966).  The structure decides how well a move mixes, never whether it is
right; the sampler drops moves that do not pay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra.heads import PlateSum, Ref
from deriver.derivation.factors import Definitions
from deriver.derivation.records import Derivation, Factor
from deriver.plan.records import Carried, Step, Together

MOST_MEMBERS = 8
# Families whose log density is known where they are a full conditional, by their parameters there.
INTEGRATED = ("beta", "gamma", "inverse_gamma", "normal")


def find_together(
    derivation: Derivation, steps: tuple[Step, ...], chosen: Collection[str], statistics: Collection[str],
    *, interwoven: bool = True,
) -> tuple[Together, ...]:  # fmt: skip
    """Return the joint moves of a model; ``chosen`` nodes are drawn as the user says, and by nothing else.

    ``statistics`` are the names of the sums that the data settle; ``interwoven`` is as in ``make_moves``.
    """
    if any(len([d for d in derivation.definitions if d.element.name == e.element.name]) > 1
           for e in derivation.definitions):  # fmt: skip
        return ()
    finder = _Finder(derivation, {s.node: s for s in steps if s.node not in chosen}, frozenset(statistics))
    found = [*finder.plain(), *finder.fixed(), *finder.shifts()]
    found += finder.centres() if interwoven else ()
    found += finder.scales()
    found += finder.covariances() if interwoven else ()
    found += finder.integrals()
    return tuple(replace(move, factors=finder.factors_of(move)) for move in found)


def find_numbers(derivation: Derivation, steps: tuple[Step, ...], names: Collection[str]) -> tuple[Step, ...]:
    """Return the steps of those of the named nodes that are numbers which a joint move can hold."""
    finder = _Finder(derivation, {s.node: s for s in steps}, frozenset())
    return tuple(step for step in steps if step.node in names and finder.is_number(step.node))


def can_follow_slope(derivation: Derivation, steps: Iterable[Step]) -> list[Step]:
    """Return the steps of numbers and vectors, of groups or not, whose support has the same ends for all elements."""
    every = {step.node: step for step in steps}
    finder = _Finder(derivation, every, frozenset())
    return [
        step
        for name, step in every.items()
        if finder.is_number(name) or finder.is_of_groups(name) or finder.is_vector_effect(name)
        if not step.partly
        or (derivation.model.node(name).layer != "data" and step.conditional.support[1:] == (None, None))
    ]


class _Finder:
    def __init__(self, derivation: Derivation, steps: dict[str, Step], statistics: frozenset[str]) -> None:
        definitions = Definitions(derivation.definitions)
        self.derivation, self.steps, self.statistics = derivation, steps, statistics
        self.derived = {conditional.node for conditional in derivation.conditionals}
        self.defined = {definition.element.name for definition in derivation.definitions}
        self.arguments = {
            place: tuple(definitions.expand(argument) for argument in factor.arguments)
            for place, factor in enumerate(derivation.factors)
        }
        self.ends = self._names_in_ends(definitions)

    def _names_in_ends(self, definitions: Definitions) -> set[str]:
        """Return the nodes on which the support of another depends; the density may be unknown outside of it."""
        ends: list[Expr | None] = []
        for factor in self.derivation.factors:
            ends += [*(factor.truncation or ()), *(factor.moving_bounds or ())]
        for conditional in self.derivation.conditionals:
            ends += conditional.support[1:]
        exprs = [definitions.expand(end) for end in ends if end is not None]
        return {ref.name for expr in exprs for ref in expr.atoms(Ref)}

    def factors_of(self, move: Together) -> tuple[Factor, ...]:
        """Return the factors that a move changes."""
        return tuple(f for f in self.derivation.factors if set(move.moved) & {f.value.name, *f.parents})

    def is_number(self, name: str) -> bool:
        """Tell whether a node is one number or vector, real, that a joint move can hold."""
        step = self.steps.get(name)
        if step is None or step.partly or step.conditional.indices or step.conditional.support[0] != "real":
            return False
        if name in self.ends or self._has_moving_ends(step):
            return False
        unbounded = step.conditional.support[1:] == (None, None)
        return not step.conditional.shape or (len(step.conditional.shape) == 1 and unbounded)

    def is_of_groups(self, name: str) -> bool:
        """Tell whether a node is a number for each of what may be few groups, its ends the same for all."""
        step = self.steps.get(name)
        if step is None or not step.conditional.indices or step.conditional.shape or name in self.ends:
            return False
        kind, *ends = step.conditional.support
        return kind == "real" and all(end is None or end.is_number for end in ends)

    def _has_moving_ends(self, step: Step) -> bool:
        return any(
            ref.name in self.derived or ref.name in self.defined
            for end in step.conditional.support[1:]
            if end is not None
            for ref in end.atoms(Ref)
        )

    def is_awkward(self, name: str) -> bool:
        """Tell whether a node is not drawn from its full conditional."""
        return self.steps[name].method != "gibbs"

    def is_settled(self, name: str) -> bool:
        """Tell whether a node's update reads sums that the data settle, and no row: a move would read the rows anew."""
        kernel = self.steps[name].kernel
        if kernel is None:
            return False
        return not kernel.atoms(PlateSum) and any(ref.name in self.statistics for ref in kernel.atoms(Ref))

    def is_effect(self, name: str) -> bool:
        """Tell whether a node is a number for each group, unbounded."""
        step = self.steps.get(name)
        if step is None or not step.conditional.indices or step.conditional.shape or name in self.ends:
            return False
        return not step.partly and step.conditional.support == ("real", None, None)

    def is_vector_effect(self, name: str) -> bool:
        """Tell whether a node is a vector for each group, unbounded."""
        step = self.steps.get(name)
        if (
            step is None
            or not step.conditional.indices
            or len(step.conditional.shape) != 1
            or name in self.ends
        ):
            return False
        return not step.partly and step.conditional.support == ("real", None, None)

    def is_process(self, name: str) -> bool:
        """Tell whether a node is one vector, unbounded, such as a Gaussian process at the points of the data."""
        step = self.steps.get(name)
        return step is not None and bool(step.conditional.shape) and self.is_number(name)

    def is_of_covariance(self, name: str) -> bool:
        """Tell whether a node is one number, or matrix, of which a covariance can be made."""
        step = self.steps.get(name)
        if step is None or step.partly or step.conditional.indices or name in self.ends:
            return False
        kind = step.conditional.support[0]
        return self.is_number(name) or (kind in ("spd", "correlation") and len(step.conditional.shape) == 2)

    # --- numbers that share a density -----------------------------------------------------------------------

    def plain(self) -> Iterator[Together]:
        """Numbers that meet in the density of an observation, one of them at least not drawn from its conditional."""
        yield from self._sharing(self.is_number)

    def fixed(self) -> Iterator[Together]:
        """The same with numbers for each group that have no parents, as there may be few groups."""
        drawn = set(self.steps)
        alone = {f.value.name for f in self.derivation.factors if not drawn & set(f.parents)}
        fixed = {name for name in alone if self.is_of_groups(name)}
        for move in self._sharing(lambda name: self.is_number(name) or name in fixed):
            if any(step.node in fixed for step in move.members):
                yield move

    def _sharing(self, can_move: Callable[[str], bool]) -> Iterator[Together]:
        sets: list[set[str]] = []
        for factor in self.derivation.factors:
            names = {n for n in (factor.value.name, *factor.parents) if can_move(n)}
            if factor.layer == "data" and len(names) > 1 and any(map(self.is_awkward, names)):
                sets = [s for s in sets if not s & names] + [names.union(*(s for s in sets if s & names))]
        for names in sets:
            if len(names) <= MOST_MEMBERS:
                yield self._move(names, (), "they share a density that is no family's in all of them")

    # --- coefficients and effects of one predictor ----------------------------------------------------------

    def shifts(self) -> Iterator[Together]:
        """Coefficients with the effects beside them, the linear predictor kept."""
        for effect in filter(self.is_effect, self.steps):
            found = [
                predictor
                for place, factor in enumerate(self.derivation.factors)
                if factor.value.name != effect
                for argument in self.arguments[place]
                if (predictor := self._others(argument, effect, factor)) != 0
            ]
            if not found:
                continue
            others = max(found, key=lambda each: len(self._numbers_in(each)))
            names = self._numbers_in(others)
            if any(map(self.is_awkward, [effect, *names])):
                carried = Carried(node=effect, centre=-others)
                why = f"their sum with {effect} is what the data tell of"
                yield self._move(names, (carried,), why)

    def _others(self, argument: Expr, effect: str, factor: Factor) -> Expr:
        """Return the terms that a predictor adds to an effect, in the effect's own indices; 0 without any."""
        for part in sp.preorder_traversal(argument):
            refs = [ref for ref in part.atoms(Ref) if ref.name == effect] if isinstance(part, sp.Add) else []
            if len(refs) != 1:
                continue
            factor_of = part.coeff(refs[0])
            rest = sp.expand(part - factor_of * refs[0])
            if (
                factor_of == 0
                or not factor_of.is_commutative
                or rest.has(refs[0])
                or self._numbers_in(factor_of)
            ):
                continue
            terms = [self._own_term(t / factor_of, refs[0], factor) for t in sp.Add.make_args(rest)]
            return sp.Add(*terms)
        return sp.S.Zero

    def _own_term(self, term: Expr, ref: Ref, factor: Factor) -> Expr:
        """Return a term in the effect's own indices, averaged over others that nest in them, or 0."""
        if not self._numbers_in(term):
            return sp.S.Zero
        bounds = {bound[0]: bound for bound in factor.bounds}
        used = term.atoms(Symbol) & set(bounds)
        plain = len(set(ref.indices)) == len(ref.indices) and all(i in bounds for i in ref.indices)
        if used and not plain:
            return sp.S.Zero
        for index in sp.ordered(used - set(ref.indices)):
            _, low, high = bounds[index]
            if factor.conditions or any(bounds[i] for i in bounds if i in (high - low).atoms(Symbol)):
                return sp.S.Zero
            term = PlateSum(term, (bounds[index],), ()) / (high - low + 1)
        own = self.steps[ref.name].conditional.indices
        return term.xreplace(dict(zip(ref.indices, own, strict=True))) if plain else term

    def _numbers_in(self, expr: Expr) -> set[str]:
        return {ref.name for ref in expr.atoms(Ref) if self.is_number(ref.name)}

    # --- effects, and what they scatter about and how far ---------------------------------------------------

    def centres(self) -> Iterator[Together]:
        """Numbers and vectors about which effects scatter, with the effects, which keep their distance from them."""
        for place, factor in enumerate(self.derivation.factors):
            effect = factor.value.name
            rules = self._indices_of_effect(factor)
            if rules is None or not (self.is_effect(effect) or self.is_vector_effect(effect)):
                continue
            centre = self.arguments[place][0]
            names = self._numbers_in(centre)
            if names and not any(ref.name == effect for ref in centre.atoms(Ref)):
                carried = Carried(node=effect, centre=centre.xreplace(rules))
                yield self._move(names, (carried,), f"{effect} keeps its distance from its centre")

    def scales(self) -> Iterator[Together]:
        """Scales of effects with the effects, which stay what they are in units of the scale."""
        for place, factor in enumerate(self.derivation.factors):
            effect = factor.value.name
            rules = self._indices_of_effect(factor)
            if rules is None or not self.is_effect(effect):
                continue
            centre, variance = self.arguments[place]
            names = self._numbers_in(variance)
            if not names or any(ref.name not in names for ref in variance.atoms(Ref)):
                continue
            if any(ref.name == effect for ref in centre.atoms(Ref)):
                continue
            carried = Carried(node=effect, centre=centre.xreplace(rules), spread=sp.sqrt(variance))
            yield self._move(names, (carried,), f"{effect} stays what it is in units of its scale")

    def covariances(self) -> Iterator[Together]:
        """What the covariance of vectors is made of with the vectors, which stay in units of its root."""
        for place, factor in enumerate(self.derivation.factors):
            effect = factor.value.name
            rules = self._indices_of_effect(factor)
            if rules is None or not (self.is_vector_effect(effect) or self.is_process(effect)):
                continue
            centre, covariance = self.arguments[place]
            names = {ref.name for ref in covariance.atoms(Ref) if self.is_of_covariance(ref.name)}
            drawn = {ref.name for ref in covariance.atoms(Ref) if ref.name in self.derived}
            if not names or drawn - names or covariance.free_symbols & set(rules):
                continue
            if any(ref.name == effect for ref in centre.atoms(Ref)):
                continue
            if not any(map(self.is_awkward, {effect, *names})):
                continue
            carried = Carried(node=effect, centre=centre.xreplace(rules), covariance=covariance)
            yield self._move(
                names, (carried,), f"{effect} stays what it is in units of the root of its covariance"
            )

    def _indices_of_effect(self, factor: Factor) -> dict[Expr, Symbol] | None:
        """Return the own indices of an effect by those of its density, if that is one normal density, for all elements."""
        effect = factor.value.name
        step = self.steps.get(effect)
        once = sum(f.value.name == effect for f in self.derivation.factors) == 1
        if (
            factor.family not in ("normal", "mvnormal")
            or step is None
            or not once
            or not (self.is_awkward(effect) or self.is_process(effect))  # no block integrates one vector out
        ):
            return None
        if factor.conditions or factor.truncation is not None or factor.moving_bounds is not None:
            return None
        rules = dict(zip(factor.value.indices, step.conditional.indices, strict=True))
        return rules if all(isinstance(index, Symbol) for index in rules) else None

    # --- effects integrated out -----------------------------------------------------------------------------

    def integrals(self) -> Iterator[Together]:
        """Parameters of effects that can be integrated out, one of the parameters at least awkward."""
        for place, factor in enumerate(self.derivation.factors):
            step = self.steps.get(factor.value.name)
            if step is None or not self.can_integrate(step):
                continue
            names = {
                ref.name
                for argument in self.arguments[place]
                for ref in argument.atoms(Ref)
                if self.is_number(ref.name) or self.is_of_groups(ref.name)
            }
            if names and len(names) <= MOST_MEMBERS and any(map(self.is_awkward, names)):
                move = self._move(names, (), f"{step.node} can be integrated out")
                yield replace(move, integrated=step)

    def can_integrate(self, step: Step) -> bool:
        """Tell whether the elements of a node are independent given the rest, and their density is known."""
        own = step.conditional
        plain = own.method == "gibbs" and own.family in INTEGRATED and own.indices and not own.shape
        once = sum(factor.value.name == step.node for factor in self.derivation.factors) == 1
        alone = not own.coupled and step.colours == 1 and not step.chained
        return bool(plain) and once and alone and not self.is_settled(step.node)

    def _move(self, names: Collection[str], carried: tuple[Carried, ...], reason: str) -> Together:
        members = tuple(step for name, step in self.steps.items() if name in names)
        return Together(members=members, carried=carried, factors=(), reason=reason)
