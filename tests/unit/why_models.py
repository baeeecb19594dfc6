"""Small models with a node that is not conjugate, one for each kind of remedy; shared by the tests of remedies."""

from __future__ import annotations

from deriver.language import parse_model
from deriver.remedies import Explanation, Remedy, explain

_ROWS = "plates\n  k = 1..K\n\n"

MODELS: dict[str, tuple[str, str]] = {
    "half_cauchy": (
        "s",
        _ROWS + "given\n  c > 0\n\ndata\n  y[k] ~ Normal(0, sd=s)\n\nparameters\n  s ~ HalfCauchy(scale=c)\n",
    ),
    "half_t": (
        "s",
        _ROWS + "given\n  c > 0\n\ndata\n  y[k] ~ Normal(0, sd=s)\n\n"
        "parameters\n  s ~ StudentT(df=3, mean=0, scale=c) T(0, inf)\n",
    ),
    "student": (
        "mu",
        _ROWS + "given\n  c > 0\n  v > 0\n\ndata\n  y[k] ~ StudentT(df=4, mean=mu, scale=c)\n\n"
        "parameters\n  mu ~ N(0, v)\n",
    ),
    "cauchy_prior": (
        "mu",
        _ROWS
        + "given\n  c > 0\n\ndata\n  y[k] ~ N(mu, 1)\n\nparameters\n  mu ~ Cauchy(location=0, scale=c)\n",
    ),
    "logit": (
        "b",
        _ROWS + "given\n  x[k]\n  m[k] : integer >= 1\n  v > 0\n\n"
        "data\n  y[k] ~ Binomial(m[k], expit(x[k] * b))\n\nparameters\n  b ~ N(0, v)\n",
    ),
    "probit": (
        "b",
        _ROWS + "given\n  x[k]\n  v > 0\n\ndata\n  y[k] ~ Bernoulli(normal_cdf(x[k] * b))\n\n"
        "parameters\n  b ~ N(0, v)\n",
    ),
    "half_normal_effects": (
        "s",
        _ROWS + "given\n  c > 0\n\ndata\n  y[k] ~ N(a[k], 1)\n\nprocess\n  a[k] ~ N(2, s^2)\n\n"
        "parameters\n  s ~ HalfNormal(sd=c)\n",
    ),
    "not_centred": (
        "s",
        _ROWS
        + "given\n  c > 0\n\ndata\n  y[k] ~ N(a[k], 1)\n\nprocess\n  a[k] = 2 + s * e[k]\n  e[k] ~ N(0, 1)\n\n"
        "parameters\n  s ~ HalfCauchy(scale=c)\n",
    ),
    "lognormal_rate": (
        "theta",
        _ROWS + "data\n  y[k] ~ Pois(theta)\n\nparameters\n  theta ~ LogNormal(meanlog=0, sdlog=1)\n",
    ),
    "uniform_sd": (
        "s",
        _ROWS + "given\n  u > 0\n\ndata\n  y[k] ~ Normal(0, sd=s)\n\nparameters\n  s ~ Unif(0, u)\n",
    ),
    "normal_probability": (
        "p",
        _ROWS + "data\n  y[k] ~ Bernoulli(p)\n\nparameters\n  p ~ Normal(0.5, sd=0.1) T(0, 1)\n",
    ),
    "precision": (
        "tau",
        _ROWS + "data\n  y[k] ~ Normal(0, prec=tau)\n\nparameters\n  tau ~ LogNormal(meanlog=0, sdlog=1)\n",
    ),
    "log_sd": (
        "sigma",
        _ROWS + "data\n  y[k] ~ Normal(0, sd=sigma)\n\nparameters\n  log(sigma) ~ N(0, 1)\n",
    ),
    "correlation": (
        "R",
        _ROWS
        + "given\n  eta > 0\n  m : vector(p)\n\ndata\n  y[k] ~ N(mu, Sigma)\n\nparameters\n  mu ~ N(m, eye(p))\n"
        "  Sigma = t^2 * R\n  t ~ HalfCauchy(scale=1)\n  R ~ LKJ(p, eta)\n",
    ),
}


def text_of(name: str) -> str:
    """The text of a model."""
    return f"model {name}_model\n\n{MODELS[name][1]}"


def explained(name: str) -> Explanation:
    """Why the node of a model is not conjugate."""
    return explain(parse_model(text_of(name)), MODELS[name][0])


def first(name: str) -> Remedy:
    """The first remedy of a model."""
    return explained(name).remedies[0]
