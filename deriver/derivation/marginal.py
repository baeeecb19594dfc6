"""Derivation → marginal: Gaussian nodes integrated out of the density of the variances that govern them.

Input: a ``Derivation``.  Output: a ``Marginal``: effects (a Gaussian element for each group, the elements independent
of each other), the Gaussian nodes that all groups share (their means, common slopes), and the variances, correlations
and precisions V whose full conditionals mention them; or why there is none.

Premises: given V and the rest, the log joint density is quadratic in the effects e_i and the shared nodes m together,

    log joint(e + s, m + t) = log joint(e, m) + Σ_i {c_i's_i + s_i'B_i t − s_i'A_i s_i/2} + h't − t'P t/2,

with A_i, P the precisions of their full conditionals, B_i = ∂b_i/∂m for b_i the linear term of e_i (free of every one
of them), c_i = b_i − A_i e_i, and h likewise.  Completing squares, the effects first, gives with the Schur complement
S = P − Σ_i B_i'A_i⁻¹B_i and g = h + Σ_i B_i'A_i⁻¹c_i

    log [V | rest] = log joint(V, e, m, rest) + Σ_i (c_i'A_i⁻¹c_i − log|A_i|)/2 + (g'S⁻¹g − log|S|)/2 + constant,

the same for every reference (e, m): Chib (1995), J. Am. Stat. Assoc. 90, 1313-1321, equation 5.  The current values
serve as reference, so that nothing large cancels.  V drawn (or moved) by this density, then m with the effects
integrated out, N(m + S⁻¹g, S⁻¹), then e from its full conditional, is one update of V, m and e together; drawn in
this order, and in no other, it keeps the target (van Dyk & Park 2008, J. Am. Stat. Assoc. 103, 790-796, section 3).

The same holds for a chain z_1, z_2, ... of numbers, each coupled to the next, as one effect: A is then tridiagonal, its
diagonal the precisions of the full conditionals, the entries beside it minus the couplings (``chains``).  Its reference
is best its mean given V and m, at which c = 0.  V then holds nodes with Gaussian conditionals too where A mentions
them, such as an autoregression.

Effects of different plates, crossed or nested, are linked: ∂b_i/∂f_h is a sum over the rows that the two elements share
(``links``).  All of them and the shared nodes are then one Gaussian vector z with the precision P that the links fill
in, and log [V | rest] = log joint + (c'P⁻¹c − log|P|)/2, after which z itself is drawn, N(z + P⁻¹c, P⁻¹): an exact draw
also where no V is left to be moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sympy import Expr, S, Symbol

from deriver.algebra.heads import Ref
from deriver.derivation.affine import NotAffine, affine_slope
from deriver.derivation.chains import find_chain_index, split_chain
from deriver.derivation.factors import Definitions
from deriver.derivation.gaussian import is_gaussian, mentions, names_in, written_out
from deriver.derivation.joint_kernel import joint_kernel
from deriver.derivation.linked import find_linked, links_with
from deriver.derivation.links import Link
from deriver.derivation.records import Conditional, Derivation

Structure = Literal["independent", "chain", "linked"]
_CONTINUOUS = ("real", "spd", "correlation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A Gaussian node that is integrated out.

    ``precision`` and ``linear`` are its full conditional's (A and b: at a state, the gradient of the log joint
    density in it is b − A × value).  ``slopes`` hold ∂b/∂m for each member m that b mentions, by name: a scalar,
    a vector, a row or a matrix, as the two nodes are.
    For a chain, ``coupling`` is ∂b/∂z of the element before it ``along`` an index, 0 for the first.
    ``links`` stand in place of slopes where members are linked; each pair of members has them at the first of the two.
    """

    conditional: Conditional
    precision: Expr
    linear: Expr
    slopes: tuple[tuple[str, Expr], ...]
    coupling: Expr = S.Zero
    along: Symbol | None = None
    links: tuple[Link, ...] = ()

    @property
    def node(self) -> str:
        """Return the node's name."""
        return self.conditional.node

    def slope(self, name: str) -> Expr:
        """Return ∂b/∂m, zero for a member that b does not mention."""
        return dict(self.slopes).get(name, S.Zero)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginal:
    """The density of ``variances`` (nodes without indices) with ``effects`` and ``shared`` integrated out.

    The effects have the same indices and ranges; those of one element depend on each other, those of different
    elements do not (``structure`` "independent"); or the one effect is a chain ("chain"); or the effects have different
    indices, and the elements of each depend on those of others ("linked"): there may then be no variances.
    ``log_kernel`` is the part of the log joint density that mentions a variance, or a chain, whose reference moves with
    the variances; ``rest`` are the other nodes on which the density depends.
    """

    variances: tuple[Conditional, ...]
    effects: tuple[Member, ...]
    shared: tuple[Member, ...]
    log_kernel: Expr
    rest: tuple[str, ...] = ()
    structure: Structure = "independent"

    @property
    def members(self) -> tuple[Member, ...]:
        """Return the effects, then the shared nodes."""
        return (*self.effects, *self.shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoMarginal:
    """Why nothing is integrated out of a model."""

    why: str


def find_marginal(derivation: Derivation) -> Marginal | NoMarginal:
    """Return what can be integrated out of a model, found from the structure of its conditionals.

    Effects of several plates that are Gaussian together go before those of one plate alone.
    """
    one = _find_unlinked(derivation)
    if isinstance(one, Marginal) and one.structure == "chain":
        return one
    members = find_linked(derivation)
    if len(members) <= (len(one.members) if isinstance(one, Marginal) else 1):
        return one
    return _integrate_linked(derivation, members)


def _find_unlinked(derivation: Derivation) -> Marginal | NoMarginal:
    """Return what can be integrated out of effects of one plate, or of a chain."""
    definitions = Definitions(derivation.definitions)
    partly = {node.name for node in derivation.model.nodes if node.partly}
    gaussian = [c for c in derivation.conditionals if is_gaussian(c) and c.node not in partly]
    candidates = [c for c in gaussian if c.indices]
    if not candidates:
        return NoMarginal(why="no node with an element for each group is conditionally Gaussian")
    found: list[Marginal | NoMarginal] = [
        _integrate(derivation, effects, structure)
        for effects, structure in _find_effects(candidates, definitions)
    ]
    why = f"the elements of {candidates[0].node} depend on each other, and are no chain of numbers"
    found.append(NoMarginal(why=why))
    return next((each for each in found if isinstance(each, Marginal)), found[0])


def _find_effects(
    candidates: list[Conditional], definitions: Definitions
) -> list[tuple[list[Conditional], Structure]]:
    """Return effects of independent groups, then the first chain, as far as there are such."""
    found: list[tuple[list[Conditional], Structure]] = []
    free = [c for c in candidates if not c.coupled]
    if free:
        alike = [c for c in free[1:] if c.ranges == free[0].ranges]
        found.append((_choose(free[:1], alike, definitions), "independent"))
    chains = [c for c in candidates if _split(c, [c], definitions) is not None]
    return [*found, (chains[:1], "chain")] if chains else found


def _integrate(
    derivation: Derivation, effects: list[Conditional], structure: Structure
) -> Marginal | NoMarginal:
    """Return the marginal of the variances that govern the effects, or why there is none."""
    definitions = Definitions(derivation.definitions)
    gaussian = [c for c in derivation.conditionals if is_gaussian(c)]
    chosen = _choose(effects, [c for c in gaussian if not c.indices], definitions)
    shared = _connected(effects, chosen[len(effects) :], definitions)
    names = {c.node for c in (*effects, *shared)}
    left_out = {c.node for c in gaussian} if structure == "independent" else names
    variances = tuple(c for c in derivation.conditionals if _is_variance(c, names, left_out, definitions))
    if not variances:
        return NoMarginal(why=f"no variance, correlation or precision governs {effects[0].node}")
    members = [_member(c, [*effects, *shared], definitions) for c in (*effects, *shared)]
    return _assemble(derivation, variances, members, structure)


def _integrate_linked(derivation: Derivation, chosen: list[Conditional]) -> Marginal:
    """Return the marginal of the variances that govern linked nodes, if any, and the nodes as members."""
    definitions = Definitions(derivation.definitions)
    gaussian = {c.node for c in derivation.conditionals if is_gaussian(c)}
    names = {c.node for c in chosen}
    variances = tuple(c for c in derivation.conditionals if _is_variance(c, names, gaussian, definitions))
    members = linked_members(chosen, definitions)
    return _assemble(derivation, variances, members, "linked")


def linked_members(nodes: list[Conditional], definitions: Definitions) -> list[Member]:
    """Return nodes that are normal together, each with its links to itself and to those after it."""
    return [
        Member(
            conditional=c,
            precision=c.parameter("precision"),
            linear=c.parameter("linear"),
            slopes=(),
            links=links_with(c, nodes[place:], nodes, definitions),
        )
        for place, c in enumerate(nodes)
    ]


def _assemble(
    derivation: Derivation, variances: tuple[Conditional, ...], members: list[Member], structure: Structure
) -> Marginal:
    definitions = Definitions(derivation.definitions)
    effects = tuple(member for member in members if member.conditional.indices)
    whole = [c.target for c in variances if is_gaussian(c)]
    collected = [c.target for c in variances if not is_gaussian(c)]
    moving = [
        m.conditional.target for m in effects if structure == "chain"
    ]  # to its mean, with the variances
    kernel = joint_kernel(derivation.factors, collected, [*whole, *moving], definitions)
    read = {name for member in members for name in _read(member, definitions)}
    read |= names_in(definitions.expand(kernel))
    inside = {c.node for c in variances} | {member.node for member in members}
    return Marginal(
        variances=variances,
        effects=effects,
        shared=tuple(member for member in members if not member.conditional.indices),
        log_kernel=kernel,
        rest=tuple(c.node for c in derivation.conditionals if c.node in read - inside),
        structure=structure,
    )


def _split(
    conditional: Conditional, members: list[Conditional], definitions: Definitions
) -> dict[str, Expr] | None:
    """Return the parameters of a chain, deterministic nodes above it written out; None for what is no chain."""
    parameters = {
        name: written_out(conditional.parameter(name), members, definitions)
        for name in ("precision", "linear")
    }
    return split_chain(conditional, parameters)


def _read(member: Member, definitions: Definitions) -> set[str]:
    """Return the names that a member's precision, linear term and slopes mention."""
    slopes = (*(slope for _, slope in member.slopes), *(link.slope for link in member.links))
    expressions = (member.precision, member.linear, member.coupling, *slopes)
    return {name for expr in expressions for name in names_in(definitions.expand(expr))}


def _is_variance(
    conditional: Conditional, members: set[str], left_out: set[str], definitions: Definitions
) -> bool:
    """Tell whether a node without indices, none of those ``left_out``, has a density that mentions a member."""
    if conditional.indices or conditional.node in left_out:
        return False
    kind, *ends = conditional.support
    if kind not in _CONTINUOUS or conditional.method == "prior" or any(_moves(end) for end in ends):
        return False
    return mentions(definitions.expand(conditional.log_kernel), members)


def _moves(end: Expr | None) -> bool:
    """Tell whether an end of a support may depend on a node: then its coordinate would move with others."""
    return end is not None and any(not isinstance(part, Ref) or part.indices for part in end.atoms(Ref))


# --- who is integrated out together -----------------------------------------------------------------------


def _choose(
    chosen: list[Conditional], candidates: list[Conditional], definitions: Definitions
) -> list[Conditional]:
    """Return the chosen nodes with every candidate that is jointly Gaussian with all of them."""
    chosen = list(chosen)
    for candidate in candidates:
        if _jointly_gaussian([*chosen, candidate], definitions):
            chosen.append(candidate)
    return chosen


def _jointly_gaussian(nodes: list[Conditional], definitions: Definitions) -> bool:
    """Tell whether nodes with Gaussian conditionals are Gaussian together.

    So they are when each precision and each slope of a linear term is free of all of them: then the log density is
    quadratic in them together.  Elements of nodes of one plate may meet only at the same index.
    """
    names = {node.node for node in nodes}
    for one in nodes:
        written = [written_out(one.parameter(name), nodes, definitions) for name in ("precision", "linear")]
        if mentions(written[0], names):
            return False
        for other in nodes:
            if other is one or (other.indices and not one.indices):
                continue  # the mixed derivative is that of the pair the other way round
            if any(ref.name == other.node and ref != other.target for ref in written[1].atoms(Ref)):
                return False
            try:
                slope = affine_slope(written[1], other.target)
            except NotAffine:
                return False
            if mentions(slope, names):
                return False
    return True


def _connected(
    effects: list[Conditional], candidates: list[Conditional], definitions: Definitions
) -> list[Conditional]:
    """Return the candidates on which the effects depend, directly or through one another."""
    found: list[Conditional] = []
    reached = list(effects)
    for _ in candidates:
        mentioned = {
            ref.name
            for c in reached
            for ref in written_out(c.parameter("linear"), candidates, definitions).atoms(Ref)
        }
        found = [c for c in candidates if c.node in mentioned or c in found]
        reached = [*effects, *found]
    return found


def _member(conditional: Conditional, members: list[Conditional], definitions: Definitions) -> Member:
    """Return a node as a member: its slopes in the others that are drawn after it is integrated out, or beside it."""
    linear = conditional.parameter("linear")
    written = written_out(linear, members, definitions)
    others = [m for m in members if m.node != conditional.node and (conditional.indices or not m.indices)]
    slopes = [(m.node, affine_slope(written, m.target)) for m in others]
    chain = _split(conditional, members, definitions)
    return Member(
        conditional=conditional,
        precision=conditional.parameter("precision"),
        linear=linear,
        slopes=tuple((name, slope) for name, slope in slopes if slope != 0),
        coupling=S.Zero if chain is None else chain["coupling"],
        along=None if chain is None else find_chain_index(conditional),
    )
