"""Auxiliary variables that make a kernel conjugate and leave the posterior of everything else as it was.

Each rewrite states the model with one more node; integrated over that node, the joint density is the one before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deriver.language.printer import print_expression
from deriver.language.rewrite import substitute, whole_number
from deriver.model.expressions import Binary, Call, Expression, Negate, Reference
from deriver.model.records import Deterministic, Layer, Stochastic
from deriver.remedies.edit import add_beside, argument, fresh, left_side, replace_lines, show
from deriver.remedies.records import Proposal, Setting, Step

_SAME = "the posterior of every other node stays as it was: integrated over the new one, the density is the one before"


def _aside(layer: Layer) -> Layer:
    """Return the layer of an auxiliary node of a statement: a response has it in the process."""
    return "process" if layer == "data" else layer


# --- half-t priors on a standard deviation ------------------------------------------------------------------


def propose_half_t(setting: Setting) -> Iterator[Proposal]:
    """σ ~ half-t(ν, A) as σ² | a ~ IG(ν/2, scale ν/a), a ~ IG(1/2, scale 1/A²); half-Cauchy where ν = 1."""
    own = setting.own()
    if own is None or own[1].transform:
        return
    place, statement = own
    found = _half_t(statement)
    if found is None:
        return
    df, scale = found
    square, mixing = fresh(setting.document, f"{statement.name}_sq", f"a_{statement.name}")
    v, a = left_side(statement, square), left_side(statement, mixing)
    shape, top = ("1 / 2", "1") if df is None else (_half(df), show(df))
    lines = [
        (statement.layer, f"{left_side(statement, statement.name)} = sqrt({v})"),
        (statement.layer, f"{v} ~ InverseGamma(shape={shape}, scale={top} / {a})"),
        (statement.layer, f"{a} ~ InverseGamma(shape=1 / 2, scale=1 / {show(scale)}^2)"),
    ]
    name = "half-Cauchy" if df is None else "half-t"
    step = Step(
        kind="augmentation",
        title=f"the {name} prior on {statement.name} as a scale mixture of inverse gammas on {square}",
        same=True,
        why=_SAME,
        source="Wand, Ormerod, Padoan & Frühwirth (2011), Bayesian Analysis 6, 847-900, result 5",
    )
    yield Proposal(step=step, document=replace_lines(setting.document, {place: lines}), node=square)


def _half_t(statement: Stochastic) -> tuple[Expression | None, Expression] | None:
    """Return (degrees of freedom or None for 1, scale) of a half-t prior, however it is written."""
    scale = argument(statement, "scale")
    if statement.family == "half_cauchy" and statement.truncation is None and scale is not None:
        return None, scale
    if statement.truncation is None or scale is None or not _above_zero(statement.truncation):
        return None
    if statement.family == "cauchy" and whole_number(argument(statement, "location")) == 0:
        return None, scale
    if statement.family == "student_t" and whole_number(argument(statement, "mean")) == 0:
        return argument(statement, "df"), scale
    return None


def _above_zero(truncation: tuple[Expression | None, Expression | None]) -> bool:
    return whole_number(truncation[0]) == 0 and truncation[1] is None


# --- scale mixtures of normals ------------------------------------------------------------------------------


def propose_scale_mixtures(setting: Setting) -> Iterator[Proposal]:
    """A Student t or Cauchy statement that holds the node, as a normal given a scale of its own."""
    for place, statement in _holding(setting):
        if statement.truncation is None and statement.family in MIXTURES:
            yield _mixed(setting, place, statement, MIXTURES[statement.family])


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """How a family is written as a normal given a latent ``{w}``; ``{half_df}``, ``{mean}``, ``{scale}`` its arguments."""

    statement: str
    latent: str
    words: str
    source: str


MIXTURES: dict[str, Mixture] = {
    "student_t": Mixture(
        statement="Normal({mean}, var={scale}^2 / {w})",
        latent="Gamma(shape={half_df}, rate={half_df})",
        words="Student t",
        source="Andrews & Mallows (1974), J. Royal Statistical Society B 36, 99-102",
    ),
    "cauchy": Mixture(
        statement="Normal({mean}, var={scale}^2 / {w})",
        latent="Gamma(shape=1 / 2, rate=1 / 2)",
        words="Cauchy",
        source="Andrews & Mallows (1974), J. Royal Statistical Society B 36, 99-102",
    ),
}


def _mixed(setting: Setting, place: int, statement: Stochastic, mixture: Mixture) -> Proposal:
    (name,) = fresh(setting.document, f"w_{statement.name}")
    latent = left_side(statement, name)
    mean = argument(statement, "mean") or argument(statement, "location")
    scale, df = argument(statement, "scale"), argument(statement, "df")
    words = {
        "w": latent,
        "mean": print_expression(mean) if mean is not None else "",
        "scale": show(scale) if scale is not None else "",
        "half_df": _half(df) if df is not None else "",
    }
    lines = [
        (statement.layer, f"{left_side(statement, statement.name)} ~ {mixture.statement.format(**words)}"),
        (_aside(statement.layer), f"{latent} ~ {mixture.latent.format(**words)}"),
    ]
    step = Step(
        kind="augmentation",
        title=f"the {mixture.words} density of {statement.name} as a normal, its variance mixed over {name}",
        same=True,
        why=_SAME,
        source=mixture.source,
    )
    return Proposal(step=step, document=replace_lines(setting.document, {place: lines}), node=setting.node)


def _half(df: Expression) -> str:
    """Return ν / 2 as text, worked out where ν is an even number."""
    number = whole_number(df)
    return f"{show(df)} / 2" if number is None or number % 2 else str(number // 2)


def _holding(setting: Setting) -> Iterator[tuple[int, Stochastic]]:
    """Yield the statements whose factor holds the node: its own, and its children's."""
    factors = {contribution.factor.value.name for contribution in setting.conditional.contributions}
    for place, statement in setting.stochastic():
        plain = not statement.transform and len(setting.model.statements_of(statement.name)) == 1
        if statement.name in factors and plain:
            yield place, statement


# --- logistic likelihoods -----------------------------------------------------------------------------------


def propose_polya_gamma(setting: Setting) -> Iterator[Proposal]:
    """A Bernoulli or binomial child with logit ψ: beside it ω ~ PG(m, ψ), which leaves a normal kernel in ψ."""
    for place, statement in _holding(setting):
        made = add_polya_gamma(setting, place, statement)
        if made is not None and statement.name != setting.node:
            yield made


def add_polya_gamma(setting: Setting, place: int, statement: Stochastic) -> Proposal | None:
    """Return the model with a Pólya–gamma variable beside a response, or None where it is no logistic one."""
    logit = _logit(setting, statement) if statement.family in ("bernoulli", "binomial") else None
    if logit is None:
        return None
    size = argument(statement, "size")
    (name,) = fresh(setting.document, f"omega_{statement.name}")
    count = "1" if size is None else print_expression(size)
    latent = f"{left_side(statement, name)} ~ PolyaGamma({count}, {print_expression(logit)})"
    document = add_beside(setting.document, place, (_aside(statement.layer), latent))
    step = Step(
        kind="augmentation",
        title=f"a Pólya-gamma variable {name} beside each {statement.name}",
        same=True,
        why=_SAME,
        source="Polson, Scott & Windle (2013), J. American Statistical Association 108, 1339-1349",
    )
    return Proposal(step=step, document=document, node=setting.node, auxiliary=name)


def propose_albert_chib(setting: Setting) -> Iterator[Proposal]:
    """A Bernoulli child of probability Φ(η): y[i] tells the sign of z[i] ~ N(η, 1)."""
    for place, statement in _holding(setting):
        made = add_albert_chib(setting, place, statement)
        if made is not None and statement.name != setting.node:
            yield made


def add_albert_chib(setting: Setting, place: int, statement: Stochastic) -> Proposal | None:
    """Return the model with a normal variable behind a response, or None where it is no probit of 0 or 1."""
    prob = argument(statement, "prob") if statement.family == "bernoulli" else None
    written = None if prob is None else resolve_name(setting, prob)
    if not (isinstance(written, Call) and written.function == "normal_cdf"):
        return None
    (name,) = fresh(setting.document, f"z_{statement.name}")
    latent = left_side(statement, name)
    lines = [
        (statement.layer, f"{left_side(statement, statement.name)} ~ Bernoulli(is_positive({latent}))"),
        (_aside(statement.layer), f"{latent} ~ Normal({print_expression(written.arguments[0])}, var=1)"),
    ]
    step = Step(
        kind="augmentation",
        title=f"a normal variable {name} behind each {statement.name}, of which it tells the sign",
        same=True,
        why=_SAME,
        source="Albert & Chib (1993), J. American Statistical Association 88, 669-679",
    )
    document = replace_lines(setting.document, {place: lines})
    return Proposal(step=step, document=document, node=setting.node, auxiliary=name)


def _logit(setting: Setting, statement: Stochastic) -> Expression | None:
    """Return the log odds of a response, where its probability is expit of them, or a node defined so."""
    own, prob = argument(statement, "logit"), argument(statement, "prob")
    if own is not None or prob is None:
        return own
    match resolve_name(setting, prob):
        case Call(function="expit", arguments=(odds,)):
            return odds
        case Binary(
            operator="/", left=top, right=Binary(operator="+", left=one, right=Call(arguments=(odds,)) as e)
        ):
            if whole_number(top) == whole_number(one) == 1 and e.function == "exp":
                return _negate(odds)
    return None


def _negate(expression: Expression) -> Expression:
    """Return minus an expression, two signs taken together."""
    match expression:
        case Negate(operand=operand):
            return operand
        case Binary(operator="*", left=left, right=right):
            return Binary(operator="*", left=_negate(left), right=right)
    return Negate(operand=expression)


def resolve_name(setting: Setting, expression: Expression) -> Expression:
    """Return the definition of a deterministic node in the place of its name, once; any other as it is."""
    if not isinstance(expression, Reference):
        return expression
    found = [s for s in setting.model.statements_of(expression.name) if isinstance(s, Deterministic)]
    if len(found) != 1 or len(found[0].subscripts) != len(expression.subscripts):
        return expression
    own = [s.name for s in found[0].subscripts if isinstance(s, Reference)]
    if len(own) != len(expression.subscripts):
        return expression
    return substitute(found[0].expression, dict(zip(own, expression.subscripts, strict=True)))
