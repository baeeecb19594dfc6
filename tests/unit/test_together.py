"""Nodes that are moved together: which they are, and that the moves leave the posterior as it is."""

from __future__ import annotations

import itertools
from contextlib import nullcontext
from functools import cache

import numpy as np
import pytest
import sympy as sp
from scipy.special import betainc

from deriver.algebra.heads import Ref
from deriver.derivation.joint_kernel import check_joint_kernel
from deriver.emission.module import emit
from deriver.emission.together import move_key
from deriver.errors import InternalError
from deriver.language import parse_model
from deriver.pipeline import derive, load_model, plan
from deriver.show import render
from tests.emitted import load_source

MODEL = """model counts
plates
  i = 1..N
given
  x[i]
data
  y[i] ~ Poisson(log_rate=alpha + beta * x[i] + b[i])
process
  b[i] ~ Normal(0, sd=sigma)
parameters
  alpha ~ Normal(0, var=1)
  beta ~ Normal(0, var=1)
  sigma ~ Uniform(0, 2)
"""
X, Y = np.array([-1.0, -0.5, 0.5, 1.5]), np.array([0.0, 2.0, 1.0, 4.0])
RATES = """model rates
plates
  g = 1..G
  i = 1..N
data
  r[g,i] ~ Binomial(5, p[g,i])
process
  p[g,i] ~ Beta(a[g], b[g]) T(0, 0.6)
  a[g] = m[g] * k
  b[g] = (1 - m[g]) * k
  m[g] ~ Uniform(0.1, 0.5)
parameters
  k ~ Uniform(1, 9)
"""
R = np.array([[1.0], [4.0]])
LEVELS = """model levels
plates
  g = 1..G
  i = 1..N
given
  x[i]
data
  y[g,i] ~ Poisson(log_rate=c[g] + s * x[i])
process
  c[g] ~ Normal(0, var=1)
parameters
  s ~ Normal(0, var=1)
"""
VECTORS = """model vectors
plates
  i = 1..n
  j = 1..J
given
  x[i,j] : vector(2)
data
  y[i,j] ~ Poisson(log_rate=x[i,j]' * b[i])
process
  b[i] ~ N(mu, inv(Q))
parameters
  mu ~ N(0, eye(2))
  Q ~ Wish(eye(2) / 3, 6)
"""
V = np.array([[[1.0, -0.5], [1.0, 1.0]], [[1.0, 0.5], [1.0, 0.0]], [[1.0, -1.0], [1.0, 0.5]]])
W = np.array([[0.0, 3.0], [2.0, 1.0], [1.0, 4.0]])
CURVE = """model curve
plates
  i = 1..N
  j = 1..N
given
  x[i]
data
  y[i] ~ Poisson(log_rate=f[i])
process
  f ~ N(0 * ones(N), R[:,:] + 0.1 * eye(N))
  R[i,j] = a^2 * exp(-(x[i] - x[j])^2 / 2)
parameters
  a ~ Uniform(0, 2)
"""
CENTRED = MODEL.replace("alpha + beta * x[i] + b[i]", "b[i]").replace(
    "Normal(0, sd", "Normal(alpha + beta * x[i], sd"
)
CHAINS = {MODEL: 40_000, RATES: 15_000, LEVELS: 40_000, VECTORS: 20_000, CENTRED: 40_000, CURVE: 40_000}
KEYS = {
    "alpha_beta": MODEL, "alpha_beta_with_b": MODEL, "sigma_with_b": MODEL, "m_k_without_p": RATES, "c_s": LEVELS,
    "mu_with_b": VECTORS, "Q_with_b": VECTORS, "alpha_beta_with_b ": CENTRED,
    "a_with_f": CURVE,
}  # fmt: skip
BROKEN = {
    "no_jacobian_of_a_bound": ("sigma_with_b", "log_jacobian_sigma = np.log(sigma) + np.log(2 - sigma)",
                               "log_jacobian_sigma = 0 * sigma"),
    "no_jacobian_of_the_effects": ("sigma_with_b", "log_jacobian = log_jacobian + np.sum(log_ratio, axis=1)",
                                   "pass"),
    "a_density_left_out": ("alpha_beta_with_b", "- state.beta**2 / 2", ""),
    "no_jacobian_of_groups": ("m_k_without_p", "log_jacobian_m = np.log(m - 0.1) + np.log(0.5 - m)", "log_jacobian_m = 0 * m"),
    "no_mass_of_what_is_integrated": ("m_k_without_p", "terms = terms - log_mass_beta", "terms = terms - 0 * log_mass_beta"),
    "not_drawn_after": ("m_k_without_p", "p=draw_p(rng, state, data)", "p=state.p"),
    "a_density_of_groups_left_out": ("c_s", "- np.sum(state.c**2, axis=1) / 2", ""),
    "no_jacobian_of_vectors": ("Q_with_b", "log_jacobian = log_jacobian + log_scale", "pass"),
    "no_jacobian_of_a_process": ("a_with_f", "log_jacobian = log_jacobian + log_scale", "pass"),
    "no_jacobian_of_a_matrix": ("Q_with_b", "log_jacobian = log_jacobian_Q", "log_jacobian = 0 * log_jacobian_Q"),
    "a_centre_of_its_own": ("mu_with_b", "- np.einsum(\"cp,cp->c\", state.mu, state.mu) / 2", ""),
}  # fmt: skip


@cache
def source(model: str) -> str:
    derivation = derive(parse_model(model))
    return emit(derivation, plan(derivation, blocks="auto"))


def prior_of_counts(rng, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    alpha, beta = rng.standard_normal((2, size))
    sigma = rng.uniform(0, 2, size)
    b = sigma[:, None] * rng.standard_normal((size, len(X)))
    eta = alpha[:, None] + beta[:, None] * X + b
    return {"alpha": alpha, "beta": beta, "sigma": sigma, "b": b}, (Y * eta - np.exp(eta)).sum(axis=1)


def prior_of_rates(rng, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    m, k = rng.uniform(0.1, 0.5, (size, 2)), rng.uniform(1, 9, size)
    a, b = m[:, :, None] * k[:, None, None], (1 - m)[:, :, None] * k[:, None, None]
    p = np.clip(rng.beta(a, b, (size, *R.shape)), 1e-300, 1 - 1e-16)
    inside = np.where(p < 0.6, -np.log(betainc(a, b, 0.6)), -np.inf)
    return {"m": m, "k": k, "p": p}, (R * np.log(p) + (5 - R) * np.log1p(-p) + inside).sum(axis=(1, 2))


def prior_of_centred(rng, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    draws, logs = prior_of_counts(rng, size)
    draws["b"] = draws["alpha"][:, None] + draws["beta"][:, None] * X + draws["b"]
    return draws, logs


def prior_of_vectors(rng, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    lower = np.zeros((size, 2, 2))  # of a standard Wishart (Bartlett)
    lower[:, 0, 0], lower[:, 1, 1] = np.sqrt(rng.chisquare(6, size)), np.sqrt(rng.chisquare(5, size))
    lower[:, 1, 0] = rng.standard_normal(size)
    Q = lower @ np.swapaxes(lower, 1, 2) / 3
    root, mu = np.linalg.cholesky(np.linalg.inv(Q)), rng.standard_normal((size, 2))
    b = mu[:, None] + np.einsum("spq,siq->sip", root, rng.standard_normal((size, 3, 2)))
    eta = np.einsum("ijp,sip->sij", V, b)
    return {"mu": mu, "Q": Q, "b": b}, (W * eta - np.exp(eta)).sum(axis=(1, 2))


def prior_of_levels(rng, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    c, s = rng.standard_normal((size, 2)), rng.standard_normal(size)
    eta = c[:, :, None] + s[:, None, None] * X
    return {"c": c, "s": s}, (np.array([Y, Y[::-1]]) * eta - np.exp(eta)).sum(axis=(1, 2))


def prior_of_curve(rng, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    a = rng.uniform(0, 2, size)
    values, vectors = np.linalg.eigh(np.exp(-((X[:, None] - X) ** 2) / 2))
    f = np.sqrt(a[:, None] ** 2 * np.maximum(values, 0) + 0.1) * rng.standard_normal((size, 4)) @ vectors.T
    return {"a": a, "f": f}, (Y * f - np.exp(f)).sum(axis=1)


PRIORS = {
    MODEL: prior_of_counts, RATES: prior_of_rates, LEVELS: prior_of_levels, VECTORS: prior_of_vectors,
    CENTRED: prior_of_centred, CURVE: prior_of_curve,
}  # fmt: skip
DATA = {
    MODEL: {"x": X, "y": Y}, RATES: {"r": R}, LEVELS: {"x": X, "y": np.array([Y, Y[::-1]])},
    VECTORS: {"x": V, "y": W}, CENTRED: {"x": X, "y": Y}, CURVE: {"x": X, "y": Y, "N": 4},
}  # fmt: skip


@cache
def posterior(model: str) -> tuple[dict[str, np.ndarray], float]:
    """Return draws from the posterior by weighting draws from the prior, and how many they are worth."""
    rng, size = np.random.default_rng(1), 1_000_000
    draws, logs = PRIORS[model](rng, size)
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    chosen = rng.choice(size, CHAINS[model], p=weight)
    return {name: values[chosen] for name, values in draws.items()}, 1 / float(np.sum(weight**2))


def farthest(module, key: str) -> float:
    """Return by how many standard errors the worst quantile of what is moved is off after twelve moves."""
    draws, worth = posterior(KEYS[key])
    model, key = KEYS[key], key.strip()
    rng = np.random.default_rng(2)
    data = module.prepare(DATA[model])
    state = module.State(**draws)
    steps = module.first_steps(state)[key]
    moved = 0.0
    for number in range(12):
        steps.walks = float(number < 8)  # random walks, then independent proposals
        steps.root, steps.inverse = 0.7 * np.eye(len(steps.centre)), np.eye(len(steps.centre)) / 0.7
        state, accepted = getattr(module, f"update_{key}")(rng, state, data, steps)
        moved += accepted.mean()
    assert moved > 1
    return gap({name: getattr(state, name) for name in draws}, draws, worth)


def gap(found: dict[str, np.ndarray], draws: dict[str, np.ndarray], worth: float) -> float:
    """Return by how many standard errors the worst quantile of draws is off those of the posterior's own."""
    found, errors = with_differences(found), [0.0]
    for name, exact in with_differences(draws).items():
        for share in (0.05, 0.25, 0.5, 0.75, 0.95):
            below = (found[name] <= np.quantile(exact, share, axis=0)).mean(axis=0)
            error = np.sqrt(share * (1 - share) * (2 / len(exact) + 2 / worth))
            errors.append(float(np.max(np.abs(below - share))) / error)
    return max(errors)


def with_differences(draws: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return draws with the differences between nodes, which tell of what holds of two of them."""
    first = {name: values.reshape(len(values), -1)[:, 0] for name, values in draws.items()}
    pairs = itertools.combinations(first, 2)
    return draws | {f"{a} - {b}": first[a] - first[b] for a, b in pairs}


@pytest.mark.parametrize("key", KEYS)
def test_a_joint_move_keeps_the_posterior(key: str, tmp_path) -> None:
    assert farthest(load_source(source(KEYS[key]), tmp_path, "counts"), key) < 4.5


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_move_is_seen(fault: str, tmp_path) -> None:
    key, old, new = BROKEN[fault]
    before, own, after = source(KEYS[key]).partition(f"def to_coordinates_{key}(")
    assert own and old in after
    assert farthest(load_source(before + own + after.replace(old, new, 1), tmp_path, "counts"), key) > 6


@pytest.mark.parametrize(("size", "stride", "dropped"), [(2, 0.05, True), (2, 1.0, False), (13, 1.0, True)])
def test_a_move_that_does_not_pay_is_dropped(size: int, stride: float, dropped: bool, tmp_path) -> None:
    """Other updates jump by one standard deviation, the move by ``stride`` of them; a value at its bound is passed over."""
    steps = load_source(source(MODEL), tmp_path, "counts").first_move_steps(8, size)
    rng, place = np.random.default_rng(3), np.zeros((8, size))
    for sweep in range(450):
        steps.begun = 0.5 * place + rng.standard_normal((8, size))
        place = steps.begun + stride * rng.standard_normal((8, size))
        steps.place = np.where(np.arange(8)[:, None] > 0, place, -np.inf) if sweep in (3, 300) else place
        steps.adapt(np.ones(8))
    assert np.isfinite(steps.root).all()
    assert steps.dropped is dropped


def moves_of(text: str, **options) -> dict[str, tuple[str, ...]]:
    made = plan(derive(parse_model(text)), **{"blocks": "auto", **options})
    return {move_key(made, move): tuple(c.node for c in move.carried) for move in made.together}


def test_what_is_moved_together_follows_from_the_model() -> None:
    assert moves_of(MODEL) == {"alpha_beta": (), "alpha_beta_with_b": ("b",), "sigma_with_b": ("b",)}


def test_vectors_are_moved_with_their_centre_and_with_their_covariance() -> None:
    assert moves_of(VECTORS) == {"mu_with_b": ("b",), "Q_with_b": ("b",)}
    assert moves_of(CENTRED) == {"alpha_beta_with_b": ("b",), "sigma_with_b": ("b",)}
    regression = VECTORS.replace("N(mu,", "N(g[i] * mu,").replace("given\n", "given\n  g[i] : matrix(2,2)\n")
    assert moves_of(regression) == moves_of(VECTORS)
    parts = VECTORS.replace("inv(Q)", "[s^2, s * t * r; s * t * r, t^2]").split("  Q ~")[0]
    parts += "  s ~ Uniform(0, 3)\n  t ~ Uniform(0, 3)\n  r ~ Uniform(-1, 1)\n"
    assert moves_of(parts) == {"mu_with_b": ("b",), "s_t_r_with_b": ("b",)}
    own = VECTORS.replace("inv(Q)", "h[i] * eye(2)").replace("  Q ~ Wish(eye(2) / 3, 6)", "  h[i] ~ IG(2, 1)")
    assert moves_of(own) == {"mu_with_b": ("b",)}
    assert moves_of(VECTORS, methods={"b": "newton"}) == {}
    assert moves_of(CURVE) == {"a_with_f": ("f",)}
    normal = CURVE.replace("Poisson(log_rate=f[i])", "Normal(f[i], var=1)")
    assert moves_of(normal) == {"a_with_f": ("f",)}  # f alone is drawn exactly, a is not
    known = normal.replace("R[:,:] + 0.1 * eye(N)", "a * eye(N)").replace("Uniform(0, 2)", "IG(2, 1)")
    assert moves_of(known) == {}


def test_log_sds_are_moved_by_what_the_data_settle() -> None:
    """The rows of a Gaussian response enter by a fit of each group, whose sums stay."""
    derivation = derive(load_model("random_log_sd"))
    made = plan(derivation, blocks="auto")
    assert [move_key(made, move) for move in made.together] == [
        "mu_sigma_with_log_sigma", "sigma2_sigma_with_log_sigma"
    ]  # fmt: skip
    assert not any("y[i,j]" in str(ref) for move in made.together for ref in move.kernel.atoms(Ref))


@pytest.mark.parametrize("broken", [False, True])
def test_the_density_of_a_move_is_held_against_the_joint_density(broken: bool) -> None:
    derivation = derive(parse_model(VECTORS))
    move = plan(derivation, blocks="auto").together[1]
    logdets = [term for term in sp.Add.make_args(move.log_kernel) if "logdet" in str(term).lower()]
    kernel = move.log_kernel - (logdets[0] if broken else 0)
    with pytest.raises(InternalError, match="disagrees") if broken else nullcontext():
        check_joint_kernel(derivation, kernel, move.moved)


def test_few_groups_and_parameters_of_what_is_integrated_are_moved_too() -> None:
    assert moves_of(RATES) == {"m_k_without_p": ()} and moves_of(LEVELS) == {"c_s": (), "s_with_c": ("c",)}
    assert moves_of(RATES, methods={"p": "mh"}) == {}


def test_a_node_whose_method_is_chosen_is_not_moved_with_others() -> None:
    assert moves_of(MODEL, methods={"beta": "slice"}) == {"alpha_with_b": ("b",), "sigma_with_b": ("b",)}
    assert moves_of(MODEL, methods={"b": "mh"}) == {"alpha_beta": ()}


def test_conjugate_models_have_no_such_moves() -> None:
    assert moves_of(MODEL.replace("Poisson(log_rate=", "Normal(").replace("+ b[i])", "+ b[i], var=1)")
                    .replace("sd=sigma", "var=sigma").replace("Uniform(0, 2)", "IG(2, 1)")) == {}  # fmt: skip


def test_effects_shift_by_the_mean_of_what_varies_within_them() -> None:
    text = (
        MODEL.replace("i = 1..N", "i = 1..N\n  j = 1..T").replace("x[i]", "x[i,j]").replace("y[i]", "y[i,j]")
    )
    made = plan(derive(parse_model(text)), blocks="auto")
    move = next(move for move in made.together if len(move.members) == 2 and move.carried)
    assert "x[i,j]" in str(move.carried[0].centre) and move.carried[0].centre.has(sp.Symbol) is True


def test_the_bound_of_another_node_is_not_moved_with_others() -> None:
    text = MODEL.replace("beta ~ Normal(0, var=1)", "beta ~ Normal(0, var=1) T(alpha, inf)")
    assert not any("alpha" in key or "beta" in key for key in moves_of(text))


def test_the_derivation_says_what_is_moved_together() -> None:
    text = " ".join(render(derive(parse_model(MODEL))).split())
    assert "alpha, beta, b going along, by a Metropolis-Hastings step" in text
    assert "b stays what it is in units of its scale" in text
    text = " ".join(render(derive(parse_model(RATES))).split())
    assert "m, k together, p integrated out and then drawn, by a Metropolis-Hastings step" in text
