"""Another prior: of the family that the children's factors make, on the node or on another coordinate of it.

What a node's children contribute is a kernel, whatever its prior; the family that holds that kernel is conjugate.
The node may have to be met in another coordinate first: the variance in place of the standard deviation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp
from sympy import Expr

from deriver.algebra.heads import Ref, Variable
from deriver.algebra.normal_form import expand_in
from deriver.derivation.factors import substitute
from deriver.derivation.match import Match, candidates, collect_pieces, match_family
from deriver.derivation.proofs import Prover
from deriver.derivation.records import Contribution
from deriver.families import family as family_record
from deriver.language.printer import print_expression
from deriver.model.expressions import references
from deriver.model.records import Stochastic
from deriver.remedies.edit import argument, fresh, left_side, replace_lines, show
from deriver.remedies.records import Proposal, Setting, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """How a new prior of a family is written, its hyperparameters givens; ``{p}`` a dimension."""

    statement: str
    givens: tuple[tuple[str, str], ...]


# Family -> its statement, and what is declared of each hyperparameter ({name}_{node}).
PRIORS: dict[str, Prior] = {
    "normal": Prior(statement="Normal({m}, var={v})", givens=(("m", "{m}"), ("v", "{v} > 0"))),
    "inverse_gamma": Prior(
        statement="InverseGamma(shape={shape}, scale={scale})",
        givens=(("shape", "{shape} > 0"), ("scale", "{scale} > 0")),
    ),
    "gamma": Prior(
        statement="Gamma(shape={shape}, rate={rate})",
        givens=(("shape", "{shape} > 0"), ("rate", "{rate} > 0")),
    ),
    "beta": Prior(statement="Beta(a={a}, b={b})", givens=(("a", "{a} > 0"), ("b", "{b} > 0"))),
    "mvnormal": Prior(
        statement="Normal({m}, cov={V})", givens=(("m", "{m} : vector({p})"), ("V", "{V} : matrix({p},{p})"))
    ),
    "wishart": Prior(
        statement="Wishart(scale=inv({df} * {S}), df={df})",
        givens=(("S", "{S} : matrix({p},{p})"), ("df", "{df} > {p} - 1")),
    ),
    "inverse_wishart": Prior(
        statement="InverseWishart(df={df}, scale={S})",
        givens=(("S", "{S} : matrix({p},{p})"), ("df", "{df} > {p} - 1")),
    ),
    "dirichlet": Prior(statement="Dirichlet({a})", givens=(("a", "{a} : vector({p}) > 0"),)),
}

# Families with a centre and a spread, for which a normal keeps both arguments.
_CENTRED = {"cauchy": "location", "laplace": "location", "logistic": "location", "student_t": "mean"}

_OTHER = (
    "this is another prior, so the posterior changes; choose its hyperparameters for what you knew before"
)


def propose_priors(setting: Setting) -> Iterator[Proposal]:
    """Yield the model with the node's prior of the family that its children make."""
    own = setting.own()
    if own is None or own[1].transform or own[1].layer == "data":
        return
    key = children_family(setting)
    if key is None or key == own[1].family and own[1].truncation is None:
        return
    place, statement = own
    centre = _CENTRED.get(statement.family)
    if centre is not None and key == "normal":
        yield _centred(setting, place, statement, centre)
    elif not _parents(setting, statement):
        yield from _stated(setting, place, statement, statement.name, key, ())


def children_family(setting: Setting) -> str | None:
    """Return the family in ``PRIORS`` whose kernel the factors other than the node's own make, or None."""
    conditional = setting.conditional
    rest = tuple(
        piece
        for piece in collect_pieces(conditional.contributions, conditional.target)
        if piece.contribution.value != conditional.target
    )
    if not rest:
        return None
    support, ranges = conditional.support, conditional.ranges
    outcome = match_family(rest, conditional.target, support, ranges, _NO_PROOFS, check_proper=False)
    return outcome.family.key if isinstance(outcome, Match) and outcome.family.key in PRIORS else None


_NO_PROOFS: Prover = None  # type: ignore[assignment]  # a kernel is matched without its proofs


def _parents(setting: Setting, statement: Stochastic) -> bool:
    """Tell whether a prior is given other nodes: a population, whose own parameters would lose their data."""
    nodes = {node.name for node in setting.model.nodes}
    return any(r.name in nodes for a in statement.arguments for r in references(a.value))


def _centred(setting: Setting, place: int, statement: Stochastic, centre: str) -> Proposal:
    mean, scale = argument(statement, centre), argument(statement, "scale")
    if scale is None:
        scale_text = f"1 / {show(argument(statement, 'rate'))}"  # type: ignore[arg-type]
    else:
        scale_text = print_expression(scale)
    left = left_side(statement, statement.name)
    text = f"{left} ~ Normal({print_expression(mean)}, sd={scale_text}){_bounds(setting)}"  # type: ignore[arg-type]
    step = Step(
        kind="prior",
        title=f"a normal prior on {statement.name}, with the same centre and scale",
        same=False,
        why="its tails are lighter: a value far from the centre is now pulled towards it; the posterior changes",
    )
    document = replace_lines(setting.document, {place: [(statement.layer, text)]})
    return Proposal(step=step, document=document, node=statement.name)


def _stated(
    setting: Setting, place: int, statement: Stochastic, name: str, key: str, lines: tuple[str, ...]
) -> Iterator[Proposal]:
    """Yield the model with ``name`` given a prior of the family, after other ``lines``."""
    prior = PRIORS.get(key)
    if prior is None:
        return
    wanted = [f"{word}_{name}" for word, _ in prior.givens]
    names = dict(
        zip((word for word, _ in prior.givens), fresh(setting.document, *wanted), strict=True)
    ) | _sides(setting)
    text = f"{left_side(statement, name)} ~ {prior.statement.format(**names)}"
    if key == "normal":
        text += _bounds(setting)
    givens = [given.format(**names) for _, given in prior.givens]
    document = replace_lines(
        setting.document, {place: [(statement.layer, line) for line in (*lines, text)]}, givens
    )
    title = family_record(key).title
    article = "an" if title[0] in "aeiou" else "a"
    where = f"on {name}" if name == statement.name else f"on {name}, where {lines[0]}"
    step = Step(kind="prior", title=f"{article} {title} prior {where}", same=False, why=_OTHER)
    yield Proposal(step=step, document=document, node=name)


def _bounds(setting: Setting) -> str:
    """Return the truncation that keeps a normal prior on the node's own interval."""
    support = setting.model.node(setting.node).support
    ends = [
        infinite if end is None else print_expression(end)
        for end, infinite in ((support.lower, "-inf"), (support.upper, "inf"))
    ]
    return "" if ends == ["-inf", "inf"] else f" T({ends[0]}, {ends[1]})"


def _sides(setting: Setting) -> dict[str, str]:
    shape = setting.model.node(setting.node).shape
    return {"p": print_expression(shape[0])} if shape else {}


# --- another coordinate -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinate:
    """A coordinate ψ of a scalar node: how the node is written in ψ, in the language and in SymPy.

    ``antilog`` is exp of it in ψ; ``support`` that of ψ; ``word`` what ψ is called after the node's name, ``on`` the support of the node.
    """

    written: str
    form: sp.Lambda
    antilog: str = ""
    support: tuple[str, Expr | None, Expr | None]
    word: str
    on: tuple[int | None, int | None]


_X = sp.Symbol("x", positive=True)
_POSITIVE = ("real", sp.S.Zero, None)
_UNIT = ("real", sp.S.Zero, sp.S.One)
COORDINATES = (
    Coordinate(
        written="sqrt({})", form=sp.Lambda(_X, sp.sqrt(_X)), support=_POSITIVE, word="sq", on=(0, None)
    ),
    Coordinate(written="1 / {}", form=sp.Lambda(_X, 1 / _X), support=_POSITIVE, word="inv", on=(0, None)),
    Coordinate(
        written="1 / sqrt({})",
        form=sp.Lambda(_X, 1 / sp.sqrt(_X)),
        support=_POSITIVE,
        word="invsq",
        on=(0, None),
    ),
    Coordinate(written="{}^2", form=sp.Lambda(_X, _X**2), support=_POSITIVE, word="root", on=(0, None)),
    Coordinate(
        written="log({})",
        antilog="{}",
        form=sp.Lambda(_X, sp.log(_X)),
        support=_POSITIVE,
        word="exp",
        on=(None, None),
    ),
    Coordinate(
        written="log({}) / 2",
        antilog="sqrt({})",
        form=sp.Lambda(_X, sp.log(_X) / 2),
        support=_POSITIVE,
        word="exp2",
        on=(None, None),
    ),
    Coordinate(
        written="-log({})",
        antilog="1 / {}",
        form=sp.Lambda(_X, -sp.log(_X)),
        support=_POSITIVE,
        word="expneg",
        on=(None, None),
    ),
    Coordinate(
        written="logit({})",
        form=sp.Lambda(_X, sp.log(_X) - sp.log(1 - _X)),
        support=_UNIT,
        word="prob",
        on=(None, None),
    ),
)


def propose_coordinates(setting: Setting) -> Iterator[Proposal]:
    """Yield the model with a conjugate prior on another coordinate of the node, the first that fits: σ² for σ."""
    own = setting.own()
    if own is None or own[1].layer == "data" or setting.conditional.shape:
        return
    place, statement = own
    if (
        statement.transform not in (None, "log")
        or _parents(setting, statement)
        or children_family(setting) is not None
    ):
        return
    for coordinate in COORDINATES:
        key = _family_in(setting, coordinate)
        if key is None or not _covers(setting, coordinate):
            continue
        shown = statement.written if statement.transform else statement.name
        written = coordinate.antilog if statement.transform else coordinate.written
        if not written:
            continue
        (name,) = fresh(setting.document, f"{shown}_{coordinate.word}")
        line = f"{left_side(statement, shown)} = {written.format(left_side(statement, name))}"
        yield from _stated(setting, place, statement, name, key, (line,))
        return


def _covers(setting: Setting, coordinate: Coordinate) -> bool:
    """Tell whether the coordinate takes every value that the node may have, and no more than a bound cuts."""
    kind, lower, _ = setting.conditional.support
    return kind == "real" and ((lower is not None and lower.is_nonnegative) == (coordinate.on[0] == 0))


def _family_in(setting: Setting, coordinate: Coordinate) -> str | None:
    """Return the family whose statistics the children's factors are in, read in a coordinate."""
    conditional = setting.conditional
    upper = coordinate.support[2]
    psi = Ref(
        Variable("ψ", (), positive=True) if upper is None else Variable("ψ", (), positive=True, real=True)
    )
    children = [c for c in conditional.contributions if c.value != conditional.target]
    monomials = [m for c in children for m in _monomials(c, conditional.target, coordinate.form(psi), psi)]
    for family in candidates(psi, coordinate.support):
        kernel = family.kernel
        if (
            family.key in PRIORS
            and monomials
            and kernel
            and all(kernel.collect(m, psi) is not None for m in monomials)
        ):
            return family.key
    return None


def _monomials(contribution: Contribution, target: Ref, written: Expr, psi: Ref) -> list[Expr]:
    density = substitute(contribution.log_density, {target: written})
    return [monomial for monomial in expand_in(density, psi) if monomial != 1]
