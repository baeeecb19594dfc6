"""What is amiss with a run, in words that say what to do.

Part of stage run.  Input: the draws by name, acceptance rates and the model.  Output: warnings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deriver.language.mistakes import listing
from deriver.model.expressions import references
from deriver.model.records import Deterministic, Model, Statement
from deriver.running.groups import Group
from deriver.running.mixing import FEWEST_DRAWS, mixing
from deriver.running.moments import FieldMoments
from deriver.running.propriety import warn_of_drift

LARGEST_RHAT = 1.01
FEWEST_PER_CHAIN = 100
LOWEST_ACCEPTANCE = 0.1


def diagnose(
    posterior: Group, acceptance: Mapping[str, np.ndarray], model: Model, kept: tuple[int, int],
    fields: Mapping[str, FieldMoments],
) -> tuple[str, ...]:  # fmt: skip
    """Return warnings about convergence, acceptance rates and nodes that the data say nothing of.

    ``kept`` are the numbers of chains and draws.
    """
    chains, draws = kept
    found = []
    if chains == 1:
        found.append("there is one chain, so R-hat cannot be told: run --chains 4")
    if draws >= FEWEST_DRAWS:
        found += _check_convergence(posterior, chains, model)
        found += [line for name, each in fields.items() if (line := _check_field(name, each))]
    nodes = {
        node.name for node in model.nodes
    }  # joint moves are made besides, so that their rates need no warning
    rates = {name: rate for name, rate in acceptance.items() if name in nodes}
    found += [line for name, rate in rates.items() if (line := _check_acceptance(name, rate))]
    lone = uninformed_nodes(model)
    if lone:
        verb = "is" if len(lone) == 1 else "are"
        found.append(f"{listing(lone, 'and')} {verb} above no data: the draws are from the prior")
    return tuple(found)


def _check_convergence(posterior: Group, chains: int, model: Model) -> list[str]:
    flat = {
        name: each.array.reshape(*each.array.shape[:2], -1)
        for name, each in posterior.variables.items()
        if each.is_drawn
    }
    measured = {name: mixing(draws) for name, draws in flat.items()}
    found = []
    if chains > 1:
        worst = {name: float(np.nanmax(r_hat, initial=0.0)) for name, (_, r_hat) in measured.items()}
        high = [name for name in flat if worst[name] > LARGEST_RHAT]
        if high:
            shown = ", ".join(f"{name} {worst[name]:.3f}" for name in high[:5])
            found.append(
                f"R-hat is above {LARGEST_RHAT} for {shown}{', ...' if len(high) > 5 else ''}: the chains do not "
                "agree yet; run longer, with --warmup and --draws doubled.  Where that does not help, centre the "
                "covariates, and give group effects their mean: u[i] ~ N(mu, v) in place of mu + u[i]"
            )
        found += warn_of_drift(model, worst)
    least = {name: float(np.nanmin(bulk, initial=np.inf)) for name, (bulk, _) in measured.items()}
    low = [name for name in flat if least[name] < FEWEST_PER_CHAIN * chains]
    if low:
        shown = ", ".join(f"{name} {least[name]:.0f}" for name in low[:5])
        found.append(
            f"the effective sample size is below {FEWEST_PER_CHAIN * chains} for {shown}"
            f"{', ...' if len(low) > 5 else ''}: means and quantiles are rough; run more --draws"
        )
    return found


def _check_field(name: str, field: FieldMoments) -> str:
    """Return a warning if more than a thousandth of the elements of a field have not mixed."""
    apart = int((field.r_hat > LARGEST_RHAT).sum())
    few = int((field.ess < FEWEST_PER_CHAIN * field.chains).sum())
    if max(apart, few) * 1000 <= field.mean.size:
        return ""
    return (
        f"of the {field.mean.size:,} elements of {name}, {apart:,} have an R-hat above {LARGEST_RHAT} and {few:,} an "
        f"effective sample size below {FEWEST_PER_CHAIN * field.chains}: run longer, with --warmup and --draws doubled"
    )


def _check_acceptance(name: str, rate: np.ndarray) -> str:
    """Return a warning if proposals of a node are nearly never accepted."""
    mean = float(np.nanmean(rate))
    if mean < LOWEST_ACCEPTANCE:
        return (
            f"proposals for {name} are accepted {mean:.0%} of the time: run a longer --warmup, in which they are "
            f"tuned, or try --method {name}=slice"
        )
    per_element = rate.reshape(len(rate), -1).mean(axis=0)
    stuck = int((per_element < LOWEST_ACCEPTANCE / 5).sum())
    if rate.ndim > 1 and stuck:
        return f"proposals for {stuck} elements of {name} are nearly never accepted: run a longer --warmup"
    return ""


def uninformed_nodes(model: Model) -> tuple[str, ...]:
    """Return the stochastic nodes, not data, of which the data say nothing.

    No response descends from them, nor from what they are given: a new value, or an auxiliary one beside a response,
    is drawn from its distribution given nodes that the data tell.
    """
    parents = {node.name: set[str]() for node in model.nodes}
    for statement in model.statements:
        parents[statement.name] |= {ref.name for e in _inputs(statement) for ref in references(e)} & set(
            parents
        )
    informed: set[str] = set()
    waiting = [node.name for node in model.nodes if node.kind == "stochastic" and node.layer == "data"]
    while waiting:
        name = waiting.pop()
        if name not in informed:
            informed.add(name)
            waiting += sorted(parents[name])
    lone = [n.name for n in model.nodes if n.kind == "stochastic" and n.name not in informed]
    return tuple(name for name in lone if not _ancestors(name, parents) & informed)


def _ancestors(name: str, parents: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [*parents[name]]
    while waiting:
        above = waiting.pop()
        if above not in found:
            found.add(above)
            waiting += parents[above]
    return found


def _inputs(statement: Statement) -> Sequence[Any]:
    if isinstance(statement, Deterministic):
        return (statement.expression,)
    bounds = [bound for bound in statement.truncation or () if bound is not None]
    return (*(argument.value for argument in statement.arguments), *bounds)
