"""The same quantities stated otherwise: effects centred or not, a covariance matrix drawn whole."""

from __future__ import annotations

from collections.abc import Iterator

from deriver.language.printer import print_expression
from deriver.language.rewrite import whole_number
from deriver.language.syntax import Document
from deriver.model.expressions import Binary, Expression, Negate, Reference, references
from deriver.model.records import Deterministic, Stochastic
from deriver.remedies.edit import argument, drop_unused, fresh, left_side, replace_lines, show
from deriver.remedies.records import Proposal, Setting, Step

_SAME = "only the coordinates differ: the posterior of every other node stays as it was"


# --- effects not centred ------------------------------------------------------------------------------------


def propose_not_centred(setting: Setting) -> Iterator[Proposal]:
    """b[i] ~ N(m, s²) with the node s as scale: b[i] = m + s e[i], e[i] ~ N(0, 1), in which s enters linearly."""
    for place, statement in setting.stochastic():
        scale, mean = _scale(statement, setting.node), argument(statement, "mean")
        alone = len(setting.model.statements_of(statement.name)) == 1 and not statement.transform
        if scale is None or mean is None or not alone or statement.layer == "data" or statement.truncation:
            continue
        if any(r.name == statement.name for a in statement.arguments for r in references(a.value)):
            continue
        (name,) = fresh(setting.document, f"{statement.name}_std")
        raw, left = left_side(statement, name), left_side(statement, statement.name)
        shift = "" if whole_number(mean) == 0 else f"{print_expression(mean)} + "
        lines = [
            (statement.layer, f"{left} = {shift}{print_expression(scale)} * {raw}"),
            (statement.layer, f"{raw} ~ Normal(0, sd=1)"),
        ]
        step = Step(
            kind="reparametrisation",
            title=f"the effects {statement.name} not centred: their standardised values {name} are the nodes",
            same=True,
            why=_SAME,
            source="Papaspiliopoulos, Roberts & Sköld (2007), Statistical Science 22, 59-73",
        )
        yield Proposal(step=step, document=replace_lines(setting.document, {place: lines}), node=setting.node)


def _scale(statement: Stochastic, node: str) -> Expression | None:
    """Return the reference to a node that is a normal statement's standard deviation."""
    if statement.family != "normal":
        return None
    sd, var = argument(statement, "sd"), argument(statement, "var")
    match var:
        case Binary(operator="^", left=Reference() as root, right=power) if whole_number(power) == 2:
            sd = root
    return sd if isinstance(sd, Reference) and sd.name == node else None


# --- effects centred ----------------------------------------------------------------------------------------


def propose_centred(setting: Setting) -> Iterator[Proposal]:
    """b[i] = m + s e[i] with e[i] ~ N(0, 1): b[i] ~ N(m, s²), so that s is a scale and m a mean."""
    written = [s for s in setting.model.statements if isinstance(s, Stochastic) or not s.implied]
    for place, statement in enumerate(written):
        if not isinstance(statement, Deterministic) or statement.transform or statement.layer == "data":
            continue
        for raw_place, raw in setting.stochastic():
            parts = _split(statement, raw) if _standard(setting, raw, statement) else None
            if parts is not None:
                yield _centre(setting, (place, statement), raw_place, *parts)


def _standard(setting: Setting, raw: Stochastic, user: Deterministic) -> bool:
    """Tell whether a node is standard normal and stands in one statement alone, with that statement's indices."""
    mean = argument(raw, "mean")
    spreads = [a.value for a in raw.arguments if a.keyword in ("var", "sd", "prec")]
    standard = raw.family == "normal" and mean is not None and whole_number(mean) == 0
    unit = len(spreads) == 1 and whole_number(spreads[0]) == 1
    users = [
        s.name
        for s in setting.model.statements
        for e in _expressions(s)
        if any(r.name == raw.name for r in references(e))
    ]
    fits = raw.subscripts == user.subscripts and raw.ranges == user.ranges
    return standard and unit and users == [user.name] and fits and not raw.truncation and not raw.transform


def _expressions(statement: Stochastic | Deterministic) -> tuple[Expression, ...]:
    if isinstance(statement, Deterministic):
        return (statement.expression,)
    return tuple(a.value for a in statement.arguments)


def _split(statement: Deterministic, raw: Stochastic) -> tuple[str, str] | None:
    """Return (m, s) of m + s e in the texts of the language, or None."""
    means, scales = [], []
    for term in _terms(statement.expression):
        if not any(r.name == raw.name for r in references(term)):
            means.append(term)
            continue
        factors = _factors(term)
        rest = [f for f in factors if not (isinstance(f, Reference) and f.name == raw.name)]
        if len(rest) != len(factors) - 1 or any(r.name == raw.name for f in rest for r in references(f)):
            return None
        scales.append(" * ".join(map(show, rest)) or "1")
    if len(scales) != 1:
        return None
    return " + ".join(map(show, means)) or "0", scales[0]


def _terms(expression: Expression) -> list[Expression]:
    match expression:
        case Binary(operator="+", left=left, right=right):
            return [*_terms(left), *_terms(right)]
        case Binary(operator="-", left=left, right=right):
            return [*_terms(left), Negate(operand=right)]
    return [expression]


def _factors(expression: Expression) -> list[Expression]:
    match expression:
        case Binary(operator="*", left=left, right=right):
            return [*_factors(left), *_factors(right)]
    return [expression]


def _centre(
    setting: Setting, user: tuple[int, Deterministic], raw_place: int, mean: str, scale: str
) -> Proposal:
    place, statement = user
    line = setting.document.statements[place]
    left = print_expression(line.target)
    lines = [(statement.layer, f"{left} ~ Normal({mean}, sd={scale})")]
    step = Step(
        kind="reparametrisation",
        title=f"the effects {statement.name} centred: nodes of their own around their mean",
        same=True,
        why=_SAME,
        source="Gelfand, Sahu & Carlin (1995), Biometrika 82, 479-488",
    )
    document = replace_lines(setting.document, {place: lines, raw_place: []})
    node = setting.node if setting.node != _name_at(setting.document, raw_place) else statement.name
    return Proposal(step=step, document=document, node=node)


def _name_at(document: Document, place: int) -> str:
    return document.statements[place].target.name


# --- a covariance drawn whole -------------------------------------------------------------------------------


def propose_whole_covariance(setting: Setting) -> Iterator[Proposal]:
    """Σ made of scales and correlations, the node among them: Σ ~ inverse Wishart in their place."""
    written = [s for s in setting.model.statements if isinstance(s, Stochastic) or not s.implied]
    for place, statement in enumerate(written):
        if not isinstance(statement, Deterministic) or len(setting.model.node(statement.name).shape) != 2:
            continue
        if setting.node not in _above(setting, statement):
            continue
        gone = _only_for(setting, statement)
        if setting.node not in gone:
            continue
        (side, _) = setting.model.node(statement.name).shape
        scale, df = fresh(setting.document, f"S_{statement.name}", f"df_{statement.name}")
        left = print_expression(setting.document.statements[place].target)
        lines = {place: [(statement.layer, f"{left} ~ InverseWishart(df={df}, scale={scale})")]}
        lines |= {k: [] for k, s in enumerate(written) if s.name in gone}
        p = print_expression(side)
        document = replace_lines(setting.document, lines, [f"{scale} : matrix({p},{p})", f"{df} > {p} - 1"])
        step = Step(
            kind="prior",
            title=f"an inverse Wishart prior on {statement.name} whole",
            same=False,
            why="one prior takes the place of those on the scales and correlations, which it ties together; "
            "the posterior changes",
            source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., section 3.6",
        )
        yield Proposal(step=step, document=drop_unused(setting.document, document), node=statement.name)


def _above(setting: Setting, statement: Deterministic) -> frozenset[str]:
    """Return the nodes that a definition rests on, through other definitions too."""
    found: set[str] = set()
    pending = [statement.expression]
    definitions = {s.name: s for s in setting.model.statements if isinstance(s, Deterministic)}
    nodes = {node.name for node in setting.model.nodes}
    while pending:
        for reference in references(pending.pop()):
            if reference.name in nodes and reference.name not in found:
                found.add(reference.name)
                if reference.name in definitions:
                    pending.append(definitions[reference.name].expression)
    return frozenset(found)


def _only_for(setting: Setting, statement: Deterministic) -> frozenset[str]:
    """Return the nodes that nothing uses but this definition, straight or through one another."""
    gone = set(_above(setting, statement))
    changed = True
    while changed:
        changed = False
        for other in setting.model.statements:
            if other.name in gone or other.name == statement.name:
                continue
            used = {r.name for e in _expressions(other) for r in references(e)} & gone
            gone -= used
            changed = changed or bool(used)
    return frozenset(gone)
