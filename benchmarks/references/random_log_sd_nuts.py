"""Reference posterior of random_log_sd (G2) on the rats, by NumPyro's NUTS; writes one entry of posteriors.json.

y_i ~ N(X beta_i, sigma_i^2 I), beta_i ~ N(mu, Sigma), Sigma = sigma2_beta [1, rho; rho, 1], log sigma_i ~ N(mu_sigma,
sigma2_sigma). Centred in beta_i, of which five weights say much; log sigma_i = mu_sigma + sd e_i, e_i ~ N(0, 1), since
they say little of sigma_i. Needs NumPyro. random_log_sd_importance.py computes the same posterior in another way.
"""

from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS

from datasets import read_balanced
from report import write_posterior
from seizures_nuts import check_mixing, estimate

KEY = "rats/random_log_sd"
MEAN, COVARIANCE = [240.0, 40.0], [[100.0, 5.0], [5.0, 25.0]]
CHAINS, WARMUP, DRAWS, SEED = 4, 2_000, 20_000, 20240608
SETTING: dict[str, Any] = {
    "data": "rats.csv",
    "model": "random_log_sd",
    "priors": "X = [1, (day - 22)/7]; mu ~ N([240, 40], [100, 5; 5, 25]); Sigma = sigma2_beta [1, rho; rho, 1]; "
    "sigma2_beta ~ IG(4, 1/300); rho ~ Unif(-1, 1); mu_sigma ~ N(1.5, 0.25); sigma2_sigma ~ IG(5, 2)",
    "values": {
        "mu0": MEAN, "Sigma0": COVARIANCE, "m": 1.5, "v": 0.25, "q_sigma": 5, "r_sigma": 2, "q_beta": 4,
        "r_beta": "1/300",
    },
    "columns": {"y": "weight", "x": "[1, (day - 22)/7]"},
    "index": {"i": "rat"},
}  # fmt: skip


def model(week: jax.Array, weight: jax.Array) -> None:
    """The model; week (J), weight (n, J). NumPyro's InverseGamma takes shape and scale, its Normal the sd."""
    mu = numpyro.sample("mu", dist.MultivariateNormal(jnp.array(MEAN), jnp.array(COVARIANCE)))
    sigma2_beta = numpyro.sample("sigma2_beta", dist.InverseGamma(4.0, 300.0))
    rho = numpyro.sample("rho", dist.Uniform(-1.0, 1.0))
    mu_sigma = numpyro.sample("mu_sigma", dist.Normal(1.5, 0.5))
    sigma2_sigma = numpyro.sample("sigma2_sigma", dist.InverseGamma(5.0, 0.5))
    with numpyro.plate("rat", weight.shape[0]):
        sigma = sigma2_beta * jnp.array([[1.0, 0.0], [0.0, 1.0]]) + sigma2_beta * rho * (1 - jnp.eye(2))
        beta = numpyro.sample("beta", dist.MultivariateNormal(mu, sigma))
        unit = numpyro.sample("unit", dist.Normal(0.0, 1.0))
    log_sigma = numpyro.deterministic("log_sigma", mu_sigma + jnp.sqrt(sigma2_sigma) * unit)
    line = beta[:, :1] + beta[:, 1:] * week
    numpyro.sample("weight", dist.Normal(line, jnp.exp(log_sigma)[:, None]).to_event(2), obs=weight)


def draw(week: np.ndarray, weight: np.ndarray) -> dict[str, np.ndarray]:
    """The reported scalars, each (chains, draws)."""
    mcmc = MCMC(
        NUTS(model, target_accept_prob=0.9),
        num_warmup=WARMUP,
        num_samples=DRAWS,
        num_chains=CHAINS,
        chain_method="sequential",
        progress_bar=False,
    )
    mcmc.run(jax.random.PRNGKey(SEED), jnp.array(week), jnp.array(weight), extra_fields=("diverging",))
    print(f"divergent transitions: {int(mcmc.get_extra_fields()['diverging'].sum())}")
    draws = {name: np.asarray(value, dtype=float) for name, value in mcmc.get_samples(True).items()}
    alone = {name: draws[name] for name in ("sigma2_beta", "rho", "mu_sigma", "sigma2_sigma")}
    return {"mu[1]": draws["mu"][..., 0], "mu[2]": draws["mu"][..., 1]} | alone | {
        "log_sigma[1]": draws["log_sigma"][..., 0],
        "sigma[1]": np.exp(draws["log_sigma"][..., 0]),
        "beta[1,1]": draws["beta"][..., 0, 0],
        "beta[1,2]": draws["beta"][..., 0, 1],
    }  # fmt: skip


def main() -> None:
    """Sample, check, print and write the posterior."""
    numpyro.enable_x64()
    _, day, weight = read_balanced("rats.csv", "rat", "day", "weight")
    scalars = draw((day - 22) / 7, weight)
    estimates = {name: estimate(draws) for name, draws in scalars.items()}
    check_mixing(scalars, estimates)
    packages = ", ".join(f"{p} {version(p)}" for p in ("numpyro", "jax", "numpy"))
    source = (
        f"NUTS, centred in beta, {CHAINS} chains of {DRAWS} draws after {WARMUP} warm-up steps, "
        f"seed {SEED} ({packages}); errors from the effective sample size"
    )
    write_posterior(KEY, SETTING, estimates, source=source, command="random_log_sd_nuts.py")


if __name__ == "__main__":
    main()
