"""Reference posterior of the seizures demonstration, by NumPyro's NUTS; writes one entry of references.json.

count_ij ~ Pois(exp(x_ij' beta_i)), x = [1, visit - 2.5], beta_i ~ N(mu, Sigma), Sigma^-1 ~ Wish((S nu)^-1, nu).
Centred: the counts of a patient say much about beta_i, and beta_i = mu + L z_i mixed some ten times worse in
rho. Sigma^-1 is sampled by its Cholesky factor. Monte Carlo errors are sd / sqrt(effective sample size), the latter by
NumPyro's estimator (Gelman et al. 2013, BDA3, section 11.5). seizures_importance.py computes the same posterior
in another way. Needs NumPyro; every other reference needs only NumPy and SciPy.
"""

from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.diagnostics import effective_sample_size, gelman_rubin
from numpyro.infer import MCMC, NUTS

from datasets import read_balanced
from report import Estimate, as_records, print_table, require, update_entry

KEY = "seizures/poisson"
NU, S = 3.0, 0.1
CHAINS, WARMUP, DRAWS, SEED = 4, 2_000, 20_000, 20240607


def model(visit: jax.Array, count: jax.Array) -> None:
    """The model; visit (J), count (n, J)."""
    mu = numpyro.sample("mu", dist.Normal(0.0, 100.0).expand([2]).to_event(1))
    scale_tril = jnp.eye(2) / jnp.sqrt(S * NU)
    root = numpyro.sample("root", dist.WishartCholesky(NU, scale_tril=scale_tril))
    precision = root @ root.T
    with numpyro.plate("patient", count.shape[0]):
        effects = dist.MultivariateNormal(mu, precision_matrix=precision)
        beta = numpyro.sample("beta", effects)
    log_rate = beta[:, :1] + beta[:, 1:] * visit
    numpyro.deterministic("Sigma", jnp.linalg.inv(precision))
    numpyro.sample("count", dist.Poisson(jnp.exp(log_rate)), obs=count)


def draw(visit: np.ndarray, count: np.ndarray) -> dict[str, np.ndarray]:
    """Draws of mu (chains, draws, 2) and Sigma (chains, draws, 2, 2)."""
    kernel = NUTS(model, target_accept_prob=0.9)
    mcmc = MCMC(
        kernel,
        num_warmup=WARMUP,
        num_samples=DRAWS,
        num_chains=CHAINS,
        chain_method="sequential",
        progress_bar=False,
    )
    key = jax.random.PRNGKey(SEED)
    mcmc.run(key, jnp.array(visit - 2.5), jnp.array(count), extra_fields=("diverging",))
    print(f"divergent transitions: {int(mcmc.get_extra_fields()['diverging'].sum())}")
    draws = mcmc.get_samples(group_by_chain=True)
    return {name: np.asarray(draws[name], dtype=float) for name in ("mu", "Sigma")}


def name_scalars(draws: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The reported scalars, each (chains, draws)."""
    mu, sigma = draws["mu"], draws["Sigma"]
    sd = np.sqrt(np.diagonal(sigma, axis1=2, axis2=3))
    return {
        "mu[1]": mu[..., 0],
        "mu[2]": mu[..., 1],
        "Sigma[1,1]": sigma[..., 0, 0],
        "Sigma[1,2]": sigma[..., 0, 1],
        "Sigma[2,2]": sigma[..., 1, 1],
        "sd_1": sd[..., 0],
        "sd_2": sd[..., 1],
        "rho": sigma[..., 0, 1] / (sd[..., 0] * sd[..., 1]),
    }


def estimate(draws: np.ndarray) -> Estimate:
    """Mean and standard deviation of draws (chains, draws), with their Monte Carlo errors."""
    mean, sd = draws.mean(), draws.std()
    squares = (draws - mean) ** 2
    variance_error = squares.std() / np.sqrt(effective_sample_size(squares))
    return Estimate(
        mean=float(mean),
        sd=float(sd),
        mcse=float(sd / np.sqrt(effective_sample_size(draws))),
        sd_mcse=float(variance_error / (2 * sd)),
    )


def check_mixing(scalars: dict[str, np.ndarray], estimates: dict[str, Estimate]) -> None:
    """Demand a potential scale reduction below 1.005 and Monte Carlo errors of at most 1 % of the sd."""
    for name, draws in scalars.items():
        rhat = float(gelman_rubin(draws))
        ratio = estimates[name].mcse / estimates[name].sd
        print(f"{name:<12} rhat {rhat:.4f}  mcse/sd {ratio:.4f}")
        require(rhat < 1.005, f"{name}: the chains disagree")
        require(ratio <= 0.01, f"{name}: the Monte Carlo error is too large")


def main() -> None:
    """Sample, check, print and write the posterior."""
    numpyro.enable_x64()
    _, visit, count = read_balanced("seizures.csv", "patient", "visit", "count")
    scalars = name_scalars(draw(visit, count.astype(int)))
    estimates = {name: estimate(draws) for name, draws in scalars.items()}
    print_table(KEY, estimates)
    check_mixing(scalars, estimates)
    packages = ", ".join(f"{p} {version(p)}" for p in ("numpyro", "jax", "numpy"))
    update_entry(
        KEY,
        source=f"NUTS, centred, {CHAINS} chains of {DRAWS} draws after {WARMUP} warm-up steps, "
        f"seed {SEED} ({packages}); errors from the effective sample size",
        command="python benchmarks/references/seizures_nuts.py",
        priors="X = [1, visit - 2.5]; mu ~ N(0, 1e4 I); inv(Sigma) ~ Wish(inv(S nu), nu), nu = 3, S = 0.1 I",
        parameters=as_records(estimates),
    )


if __name__ == "__main__":
    main()
