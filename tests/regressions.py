"""What the regressions by name share: a model whose families are as stated, and whose densities hold.

Beside the outcome, every derivation must pass the density ratio and follow a joint density that shares no code with
the derivation (``tests/random_models/reference.py``).
"""

from __future__ import annotations

from deriver.derivation.conditionals import derive
from deriver.derivation.density_ratio import check_derivation
from deriver.derivation.records import Derivation
from deriver.language import parse_model
from tests.random_models.draft import Case
from tests.random_models.examine import check_against_reference, check_marks

TWO_LEVELS = """
plates
  i = 1..n
  j = 1..J[i]
data
  y[i,j] ~ Normal(mu[i], prec = tau)
process
  mu[i] ~ N(m, 2)
parameters
  m ~ N(0, 4)
  tau ~ Gamma(shape = 1, rate = 1)
"""


def held(text: str, must: dict[str, str] | None = None, never: tuple[str, ...] = ()) -> Derivation:
    """Return the derivation of a model of which the families are as stated and every density ratio holds."""
    text = f"model regression\n{text}"
    derivation = derive(parse_model(text))
    check_marks(Case(text=text, must=must or {}, never=frozenset(never), seed=0), derivation)
    for seed in (1, 2, 3):
        check_derivation(derivation, states=1, seed=seed)
        check_against_reference(derivation, seed)
    return derivation


def column(*values: float) -> dict[tuple[int, ...], float]:
    """Return a column over k = 1, 2, ..."""
    return {(k,): value for k, value in enumerate(values, 1)}
