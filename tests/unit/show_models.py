"""Models that are hard to show: crossed groups, two ways, chains of unequal length, a subset, a truncation."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from deriver.derivation.conditionals import derive
from deriver.derivation.records import Derivation
from deriver.language import parse_model

PACKAGED = Path(__file__).resolve().parents[2] / "deriver" / "examples" / "models"

CROSSED = """
model crossed

plates
  s = 1..S
  m = 1..M
  k = 1..K

given
  g : k -> s
  h : k -> m
  x[k] : vector(p)
  mu0 : vector(p) = 0
  Sigma0 : matrix(p,p) = 100 * eye(p)
  V : matrix(p,p) = eye(p)
  nu > p - 1 = p
  q, r, a, b > 0 = 1

data
  y[k] ~ N(x[k]' * beta[g[k]] + delta[h[k]], sigma2)

process
  beta[s] ~ N(mu, inv(Q))
  delta[m] ~ N(0, tau2)

parameters
  mu ~ N(mu0, Sigma0)
  Q ~ Wish(V, nu)
  tau2 ~ IG(a, b)
  sigma2 ~ IG(q, r)
"""

TWO_WAY = """
model two_way

plates
  i = 1..n
  j = 1..m

given
  q, r, a, b > 0 = 1

data
  y[i,j] ~ N(alpha[i] + delta[j], sigma2)

process
  alpha[i] ~ N(mu, sigma2_alpha)
  delta[j] ~ N(0, sigma2_delta)

parameters
  mu ~ N(0, 100)
  sigma2_alpha ~ IG(q, r)
  sigma2_delta ~ IG(q, r)
  sigma2 ~ IG(a, b)
"""

CHAINS = """
model chains

plates
  i = 1..n
  t = 1..T[i]

given
  m0, m_phi = 0
  v0, v_phi > 0 = 1
  q_y, r_y, q_z, r_z > 0 = 1

data
  y[i,t] ~ N(z[i,t], sigma2_y)

process
  z[i,0] ~ N(m0, v0)
  z[i,t] ~ N(phi[i] * z[i,t-1], sigma2_z[i]) for t in 1..T[i]
  phi[i] ~ N(m_phi, v_phi)

parameters
  sigma2_y ~ IG(q_y, r_y)
  sigma2_z[i] ~ IG(q_z, r_z)
"""

COEFFICIENTS = """
model coefficients

plates
  i = 1..n
  j = 1..J[i]
  c = 1..p

given
  x[i,j] : vector(p)
  q, r > 0 = 1

data
  y[i,j] ~ N(x[i,j]' * beta[i,:], sigma2)

process
  beta[i,c] ~ N(mu[c], sigma2_beta[c])

parameters
  mu[c] ~ N(0, 100)
  sigma2_beta[c] ~ IG(q, r)
  sigma2 ~ IG(q, r)
"""

LOG_SCALE = """
model log_scale

plates
  i = 1..n
  j = 1..J[i]

given
  q, r > 0 = 1

data
  y[i,j] ~ N(theta[i], sigma[i]^2)

process
  theta[i] ~ N(mu, tau2)
  log(sigma[i]) ~ N(0, 1)

parameters
  mu ~ N(0, 100) T(0, )
  tau2 ~ IG(q, r)
"""

HARD = {
    "crossed": CROSSED,
    "two_way": TWO_WAY,
    "chains": CHAINS,
    "coefficients": COEFFICIENTS,
    "log_scale": LOG_SCALE,
}

NAMES = tuple(sorted([*HARD, *(path.stem for path in PACKAGED.glob("*.model"))]))


def text_of(name: str) -> str:
    """Return the text of a model above or of a packaged one."""
    return HARD[name] if name in HARD else (PACKAGED / f"{name}.model").read_text(encoding="utf-8")


@lru_cache(maxsize=64)
def derivation_of(name: str) -> Derivation:
    """Return the derivation of a model, made once."""
    return derive(parse_model(text_of(name)))
