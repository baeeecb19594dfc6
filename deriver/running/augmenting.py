"""Which responses may have auxiliary variables beside them, by their sizes.

Stage run, before a source is chosen.  Input: the model and its arrays.  Output: names.  Without SymPy, as a run whose
source is in the cache passes here too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deriver.language.rewrite import whole_number
from deriver.model.expressions import Expression, Reference
from deriver.model.records import Model, Stochastic

# A Pólya–gamma variable of a binomial of n trials is the sum of n draws, and with n its steps shrink beside the
# posterior: measured on the binomial models of ``tests/suites``, effects of groups of some 40 trials gain, of 300 lose.
FAMILIES = ("bernoulli", "binomial")
MOST_TRIALS = 100
MOST_DRAWS = 2500


def binary_responses(model: Model) -> tuple[str, ...]:
    """Return the Bernoulli and binomial responses."""
    return tuple(each.name for each in _statements(model))


def affordable(model: Model, arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Return those of them of so few trials that auxiliary variables may pay."""
    return tuple(each.name for each in _statements(model) if _is_affordable(each, arrays))


def _statements(model: Model) -> list[Stochastic]:
    return [
        each
        for each in model.statements
        if isinstance(each, Stochastic) and each.family in FAMILIES and model.node(each.name).is_response
    ]


def _is_affordable(statement: Stochastic, arrays: Mapping[str, np.ndarray]) -> bool:
    size = next((each.value for each in statement.arguments if each.keyword == "size"), None)
    trials = 1.0 if size is None else _mean(size, arrays)
    return trials <= MOST_TRIALS and trials * np.size(arrays[statement.name]) <= MOST_DRAWS


def _mean(size: Expression, arrays: Mapping[str, np.ndarray]) -> float:
    """Return the mean number of trials, infinite where it is neither a number nor an array."""
    number = whole_number(size)
    if number is not None:
        return float(number)
    known = isinstance(size, Reference) and size.name in arrays and np.size(arrays[size.name])
    return float(np.mean(arrays[size.name])) if known else float("inf")
