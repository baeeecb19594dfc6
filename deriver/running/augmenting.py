"""Which responses may have auxiliary variables beside them, by their sizes.

Stage run, before a source is chosen.  Input: the model and its arrays.  Output: names.  Without SymPy, as a run whose
source is in the cache passes here too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deriver.model.expressions import Number, Reference
from deriver.model.records import Model, Stochastic

# Measured on logistic regressions with effects of 20 to 50 groups, effective draws by second beside those of random
# walks: 6 times as many where a row has 10 trials, 2.2 at 40, 1.1 at 100, 0.4 at 300, as the variable of a binomial of n
# trials is the sum of n draws, and with n its steps shrink beside the posterior.  Where one outcome is rare they shrink
# at fewer trials: 1.0 at 40 and 0.3 at 100 where it has a share of 6 %.  Rows of one trial gain 3 to 10 times beside walks in
# compiled loops (500 rows of 50 groups, 2,000 of 100, 10,000 of 500).
FAMILIES = ("bernoulli", "binomial")
MOST_TRIALS = 60
MOST_DRAWS = 10_000


def binary_responses(model: Model) -> tuple[str, ...]:
    """Return the Bernoulli and binomial responses."""
    return tuple(each.name for each in _statements(model))


def affordable(model: Model, arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Return those of them of so few trials that auxiliary variables may pay."""
    return tuple(each.name for each in _statements(model) if _is_affordable(each, arrays))


def count_trials(model: Model, arrays: Mapping[str, np.ndarray]) -> float:
    """Return the number of trials of all binary responses, those whose number is told by no array left out."""
    counts = [_trials(each, arrays) * np.size(arrays.get(each.name, ())) for each in _statements(model)]
    return float(sum(count for count in counts if np.isfinite(count)))


def _statements(model: Model) -> list[Stochastic]:
    return [
        each
        for each in model.statements
        if isinstance(each, Stochastic) and each.family in FAMILIES and model.node(each.name).is_response
    ]


def _is_affordable(statement: Stochastic, arrays: Mapping[str, np.ndarray]) -> bool:
    trials = _trials(statement, arrays)
    observed = np.asarray(arrays[statement.name])
    share = float(np.mean(observed)) / trials if observed.size and trials > 0 else 0.0
    return trials <= MOST_TRIALS * 4 * share * (1 - share) and trials * observed.size <= MOST_DRAWS


def _trials(statement: Stochastic, arrays: Mapping[str, np.ndarray]) -> float:
    """Return the mean number of trials of an element, infinite where it is neither a number nor an array."""
    match next((each.value for each in statement.arguments if each.keyword == "size"), None):
        case None:
            return 1.0
        case Number(value=value):
            return float(value)
        case Reference(name=name) if np.size(arrays.get(name, ())):
            return float(np.mean(arrays[name]))
    return float("inf")
