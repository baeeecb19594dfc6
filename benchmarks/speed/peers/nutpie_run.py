"""PyMC models sampled by nutpie; run in the peers' environment as ``python nutpie_run.py OPTIONS DATA DRAWS``.

It compiles, prints "ready", and for each seed on standard input samples, saves and prints "done".

Sampling time: processor time of the whole run, shared out by the number of leapfrog steps after and before the end of
the tuning. ``centred`` or not is the user's choice in PyMC, so both are offered.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import nutpie
import pymc as pm
import pytensor.tensor as pt


def make_model(key, data, centred):
    """The model with data bound; its top-level parameters are gathered in the deterministic ``top_level``."""
    g, x, y, n = data["g"], data["x"], data["y"], int(data["n"])
    with pm.Model() as model:
        if key == "A":
            _random_intercepts(g, x, y, n, data["mean"], centred)
        else:
            mu = pm.Normal("mu", 0, 100, shape=2, initval=data["mean"])
            root, tops = _correlated_root() if key == "C" else _wishart_root(float(data["S0"]))
            beta = _effects(mu, root, n, data["mean"], centred)
            eta = beta[g, 0] + beta[g, 1] * x
            if key == "G6":
                pm.Poisson("y", pt.exp(eta), observed=y)
                parts = [*tops]
            else:
                sigma2 = pm.InverseGamma("sigma2", 2, 1)
                pm.Normal("y", eta, pt.sqrt(sigma2), observed=y)
                parts = [*tops, sigma2]
            pm.Deterministic("top_level", pt.stack([mu[0], mu[1], *parts]))
    return model


def _random_intercepts(g, x, y, n, mean, centred):
    mu0 = pm.Normal("mu0", 0, 100, initval=mean[0])
    beta1 = pm.Normal("beta1", 0, 100, initval=mean[1])
    sigma2_0 = pm.InverseGamma("sigma2_0", 2, 1)
    sigma2 = pm.InverseGamma("sigma2", 2, 1)
    if centred:
        beta0 = pm.Normal("beta0", mu0, pt.sqrt(sigma2_0), shape=n, initval=np.full(n, mean[0]))
    else:
        beta0 = mu0 + pt.sqrt(sigma2_0) * pm.Normal("apart", 0, 1, shape=n)
    pm.Normal("y", beta0[g] + beta1 * x, pt.sqrt(sigma2), observed=y)
    pm.Deterministic("top_level", pt.stack([mu0, sigma2_0, beta1, sigma2]))


def _correlated_root():
    """Lower root of s [1, rho; rho, 1], as its three entries, and the parameters s and rho."""
    s = pm.InverseGamma("sigma2_beta", 2, 1)
    rho = pm.Uniform("rho", -1, 1)
    sd = pt.sqrt(s)
    return (sd, sd * rho, sd * pt.sqrt(1 - rho**2)), (s, rho)


def _wishart_root(S0):
    """Lower root of Sigma, Sigma^-1 ~ Wishart(3, I / (3 S0)), and entries 00, 01, 11 of Sigma.

    Bartlett with an upper factor U: Sigma^-1 = U U' / (3 S0), so that Sigma = 3 S0 U^-T U^-1 with U^-T lower.
    """
    a00 = pt.sqrt(pm.ChiSquared("c0", 2))
    a11 = pt.sqrt(pm.ChiSquared("c1", 3))
    a01 = pm.Normal("a01", 0, 1)
    scale = np.sqrt(3 * S0)
    l00, l10, l11 = scale / a00, -scale * a01 / (a00 * a11), scale / a11
    return (l00, l10, l11), (l00**2, l00 * l10, l10**2 + l11**2)


def _effects(mu, root, n, mean, centred):
    l00, l10, l11 = root
    if centred:
        b0 = pm.Normal("b0", mu[0], l00, shape=n, initval=np.full(n, mean[0]))
        given = mu[1] + l10 / l00 * (b0 - mu[0])
        b1 = pm.Normal("b1", given, l11, shape=n, initval=np.full(n, mean[1]))
        return pt.stack([b0, b1], axis=1)
    apart = pm.Normal("apart", 0, 1, shape=(n, 2))
    return pt.stack([mu[0] + l00 * apart[:, 0], mu[1] + l10 * apart[:, 0] + l11 * apart[:, 1]], axis=1)


def sample(compiled, options, seed):
    """Draws (chains, draws, k) and seconds."""
    began = time.process_time()
    trace = nutpie.sample(
        compiled, draws=options["draws"], tune=options["warmup"], chains=options["chains"], cores=1, seed=seed,
        progress_bar=False, save_warmup=True,
    )  # fmt: skip
    elapsed = time.process_time() - began
    after = float(trace.sample_stats["n_steps"].sum())
    before = float(trace.warmup_sample_stats["n_steps"].sum())
    return trace.posterior["top_level"].values, elapsed * after / (after + before)


def main():
    """Compile, say so, and then sample once for each seed that is asked for."""
    options = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    data = dict(np.load(sys.argv[2]))
    compiled = nutpie.compile_pymc_model(make_model(options["key"], data, options["centred"]))
    print("ready", flush=True)
    for line in sys.stdin:
        draws, seconds = sample(compiled, options, int(line))
        np.savez(sys.argv[3], draws=draws, seconds=seconds)
        print("done", flush=True)


if __name__ == "__main__":
    main()
