"""Improper posteriors, where they can be told.

A flat prior is no density, and the data must make up for it.  That they do cannot be told in general; here are the
cases that can: too few groups for a flat prior on their sd, conditionals without a density, chains that drift off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deriver.errors import DataError, Mistake
from deriver.families import family
from deriver.language.mistakes import listing
from deriver.model.expressions import Infinity, Reference
from deriver.model.records import Model, Stochastic
from deriver.running.layout import Layout

FEWEST_GROUPS = 3
DRIFTING = 1.05


def improper_nodes(model: Model) -> tuple[str, ...]:
    """Return the nodes whose prior is no density: flat, and not cut to an interval."""
    return tuple(
        dict.fromkeys(
            each.name
            for each in model.statements
            if isinstance(each, Stochastic) and family(each.family).improper and not _is_bounded(each)
        )
    )


def _is_bounded(statement: Stochastic) -> bool:
    ends = statement.truncation or (None, None)
    return all(end is not None and not isinstance(end, Infinity) for end in ends)


def warn_of_few_groups(model: Model, layouts: Mapping[str, Layout]) -> list[str]:
    """Return a warning on each flat prior of an sd that one or two effects are to tell.

    A flat prior on the sd of J effects about a mean needs J ≥ 3 (Gelman, 2006, Bayesian Analysis 1(3), section 3.2).
    """
    flat = improper_nodes(model)
    found = []
    for each in model.statements:
        if not isinstance(each, Stochastic) or each.layer == "data":
            continue
        spread = next((a.value for a in each.arguments if a.keyword == "sd"), None)
        if not isinstance(spread, Reference) or spread.name not in flat or spread.subscripts:
            continue
        count = _count(layouts[each.name])
        if count < FEWEST_GROUPS:
            found.append(
                f"{spread.name} has a flat prior, and is the sd of {count} {each.name} only: the posterior is "
                f"improper; state a proper prior, such as {spread.name} ~ HalfNormal(sd=S)"
            )
    return found


def _count(layout: Layout) -> int:
    count = 1
    for extent in layout.extents[: len(layout.extents) - len(layout.shape)]:
        count *= extent
    return count


def warn_of_drift(model: Model, worst: Mapping[str, float]) -> list[str]:
    """Return a warning if chains of nodes without a proper prior do not agree; ``worst`` is R-hat by node."""
    drifting = [name for name in improper_nodes(model) if not worst.get(name, 0.0) <= DRIFTING]
    if not drifting:
        return []
    have = "has" if len(drifting) == 1 else "have"
    names = listing(drifting, "and")
    return [
        f"{names} {have} no proper prior, and the chains drift: the posterior may be improper too; state proper priors"
    ]


def singular(model: Model, trouble: str) -> DataError:
    """Return the error of a sampler that met a conditional without a density: flat priors explain it, where there are."""
    flat: Sequence[str] = improper_nodes(model)
    if not flat:
        mistake = Mistake(
            code="not-finite",
            found=f"the sampler met a number that is not finite, or a singular matrix ({trouble})",
            expected="data and priors that keep every full conditional within the range of numbers",
            remedy="bring columns of huge or tiny numbers to units of their size, narrow priors that are far too wide, or "
            "begin near the data, with --start",
        )
        return DataError([mistake], model.name)
    one = len(flat) == 1
    mistake = Mistake(
        code="improper",
        found=f"a full conditional has no density: {listing(flat, 'and')} {'has' if one else 'have'} no proper prior, "
        "and the data do not make up for it",
        expected="rows enough, with covariates that do not depend on each other linearly",
        remedy=f"give {'it' if one else 'them'} proper priors, if wide ones, or leave covariates out",
    )
    return DataError([mistake], model.name)
