"""NumPyro models; run in the peers' environment as ``python numpyro_run.py OPTIONS DATA DRAWS``.

It compiles, prints "ready", and for each seed on standard input samples, saves and prints "done".  The kernel is
driven by one compiled loop for warm-up and draws; the warm-up is a multiple of the draws. Sampling time: processor
time of the draws after the warm-up.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import NUTS, init_to_value


def random_intercepts(data, centred):
    """Model A."""
    mu0 = numpyro.sample("mu0", dist.Normal(0, 100))
    beta1 = numpyro.sample("beta1", dist.Normal(0, 100))
    sigma2_0 = numpyro.sample("sigma2_0", dist.InverseGamma(2, 1))
    sigma2 = numpyro.sample("sigma2", dist.InverseGamma(2, 1))
    root = jnp.sqrt(sigma2_0)
    location, scale = (mu0, root) if centred else (0, 1)
    apart = numpyro.sample("beta0", dist.Normal(location, scale).expand([int(data["n"])]).to_event(1))
    beta0 = apart if centred else mu0 + root * apart
    numpyro.sample("y", dist.Normal(beta0[data["g"]] + beta1 * data["x"], jnp.sqrt(sigma2)), obs=data["y"])
    numpyro.deterministic("top_level", jnp.stack([mu0, sigma2_0, beta1, sigma2]))


def curves(data, centred, key):
    """Models C, G5 and G6."""
    mu = numpyro.sample("mu", dist.Normal(0, 100).expand([2]).to_event(1))
    root, tops = _correlated_root() if key == "C" else _wishart_root(float(data["S0"]))
    beta = _effects(mu, root, int(data["n"]), centred)
    eta = beta[data["g"], 0] + beta[data["g"], 1] * data["x"]
    parts = [mu[0], mu[1], *tops]
    if key == "G6":
        numpyro.sample("y", dist.Poisson(jnp.exp(eta)), obs=data["y"])
    else:
        sigma2 = numpyro.sample("sigma2", dist.InverseGamma(2, 1))
        numpyro.sample("y", dist.Normal(eta, jnp.sqrt(sigma2)), obs=data["y"])
        parts.append(sigma2)
    numpyro.deterministic("top_level", jnp.stack(parts))


def _correlated_root():
    """Lower root of s [1, rho; rho, 1], as its three entries, and the parameters s and rho."""
    s = numpyro.sample("sigma2_beta", dist.InverseGamma(2, 1))
    rho = numpyro.sample("rho", dist.Uniform(-1, 1))
    sd = jnp.sqrt(s)
    return (sd, sd * rho, sd * jnp.sqrt(1 - rho**2)), (s, rho)


def _wishart_root(S0):
    """Lower root of Sigma, Sigma^-1 ~ Wishart(3, I / (3 S0)), by Bartlett with an upper factor; entries of Sigma."""
    a00 = jnp.sqrt(numpyro.sample("c0", dist.Chi2(2)))
    a11 = jnp.sqrt(numpyro.sample("c1", dist.Chi2(3)))
    a01 = numpyro.sample("a01", dist.Normal(0, 1))
    scale = np.sqrt(3 * S0)
    l00, l10, l11 = scale / a00, -scale * a01 / (a00 * a11), scale / a11
    return (l00, l10, l11), (l00**2, l00 * l10, l10**2 + l11**2)


def _effects(mu, root, n, centred):
    l00, l10, l11 = root
    if centred:
        b0 = numpyro.sample("b0", dist.Normal(mu[0], l00).expand([n]).to_event(1))
        b1 = numpyro.sample("b1", dist.Normal(mu[1] + l10 / l00 * (b0 - mu[0]), l11).to_event(1))
        return jnp.stack([b0, b1], axis=1)
    apart = numpyro.sample("apart", dist.Normal(0, 1).expand([n, 2]).to_event(2))
    return jnp.stack([mu[0] + l00 * apart[:, 0], mu[1] + l10 * apart[:, 0] + l11 * apart[:, 1]], axis=1)


def start_values(key, data, centred):
    """Starts near least squares."""
    mean, n = data["mean"], int(data["n"])
    if key == "A":
        found = {"mu0": mean[0], "beta1": mean[1]}
        return found | ({"beta0": np.full(n, mean[0])} if centred else {})
    found = {"mu": mean}
    return found | ({"b0": np.full(n, mean[0]), "b1": np.full(n, mean[1])} if centred else {})


def make_chain(kernel, options):
    """A function from a seed to warmed-up state, and a compiled one from state to (state, draws of one call)."""
    length = options["draws"]

    def scan(state):
        return jax.lax.scan(lambda now, _: (kernel.sample(now, (), {}),) * 2, state, None, length=length)

    first = kernel.init(jax.random.PRNGKey(0), options["warmup"], None, (), {})
    advance = jax.jit(scan).lower(first).compile()

    def warm_up(key):
        state = kernel.init(key, options["warmup"], None, (), {})
        for _ in range(options["warmup"] // length):
            state, _ = advance(state)
        return state

    return warm_up, advance


def sample(kernel, warm_up, advance, options, seed):
    """Draws (chains, draws, k) and seconds of the draws after the warm-up."""
    chains, seconds = [], 0.0
    for key in jax.random.split(jax.random.PRNGKey(seed), options["chains"]):
        state = warm_up(key)
        jax.block_until_ready(state)
        began = time.process_time()
        _, states = advance(state)
        jax.block_until_ready(states)
        seconds += time.process_time() - began
        chains.append(np.asarray(jax.vmap(kernel.postprocess_fn((), {}))(states.z)["top_level"]))
    return np.stack(chains), seconds


def main():
    """Compile, say so, and then sample once for each seed that is asked for."""
    options = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    numpyro.enable_x64()
    data, key, centred = dict(np.load(sys.argv[2])), options["key"], options["centred"]
    model = (lambda: random_intercepts(data, centred)) if key == "A" else (lambda: curves(data, centred, key))
    kernel = NUTS(model, init_strategy=init_to_value(values=start_values(key, data, centred)))
    warm_up, advance = make_chain(kernel, options)
    print("ready", flush=True)
    for line in sys.stdin:
        draws, seconds = sample(kernel, warm_up, advance, options, int(line))
        np.savez(sys.argv[3], draws=draws, seconds=seconds)
        print("done", flush=True)


if __name__ == "__main__":
    main()
