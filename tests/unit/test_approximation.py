"""Linked nodes proposed from a normal approximation: what is found, its identity, and that the posterior stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import deriver
from deriver.derivation.predictors import find_predictors
from deriver.derivation.predictors_check import check_predictors, differences
from deriver.emission.compiled.module import check_besides
from deriver.errors import InternalError, UsageError
from deriver.language import parse_model
from deriver.pipeline import derive, plan
from deriver.running.backend import choose_source
from deriver.running.sampling import Settings
from deriver.show import render
from tests.emitted import load_source
from tests.unit.weighted_draws import DATA, EFFECTS, SLOPES, TEXTS, WALK, farthest, posterior, source

BROKEN = {
    "no_way_back": ("effects", "now, then = np.split(weights, 2)",
                    "now, then = np.split(weights + log_proposal * (np.arange(len(weights)) < len(u)), 2)"),
    "no_density_of_the_proposal": ("walk", "log_density(both, data) - log_proposal", "log_density(both, data)"),
    "no_determinant": ("effects", "log_density = -log_integral", "log_density = 0 * log_integral"),
    "no_jacobian": ("effects", "then + log_jacobian - before", "then - now"),
    "a_density_left_out": ("slopes", "total += np.sum(log_poisson(", "total += 0 * np.sum(log_poisson("),
}  # fmt: skip


def farthest_of(text: str, name: str, folder) -> tuple[float, float]:
    """Return how far the draws are off after the moves of a source, and how far a move is from reversible."""
    model = TEXTS[name]
    module = load_source(text, folder, name)
    data, start = module.prepare(DATA[model]), module.State(**posterior(model)[0])
    steps = module.first_steps(start)["approximation"]
    steps.root, steps.inverse = 0.7 * np.eye(1), np.eye(1) / 0.7

    def move(rng, state, number: int):
        steps.walks = float(number % 2)  # independent proposals, then random walks
        return module.update_approximation(rng, state, data, steps)

    return farthest(model, move, start)


@pytest.mark.parametrize("name", TEXTS)
def test_the_move_keeps_the_posterior_and_is_reversible(name: str, tmp_path) -> None:
    off, irreversible = farthest_of(source(TEXTS[name]), name, tmp_path)
    assert off < 4.5 and irreversible < 5.5


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_move_is_seen(fault: str, tmp_path) -> None:
    name, old, new = BROKEN[fault]
    text = source(TEXTS[name])
    before, own, after = text.partition("def expand_approximation(")
    assert own and old in after
    off, irreversible = farthest_of(before + own + after.replace(old, new, 1), name, tmp_path)
    assert max(off, irreversible) > 7


def dense_system(module, state, data) -> tuple[np.ndarray, np.ndarray]:
    """Return the precision (D, D) and the gradient of one chain, put together row by row."""
    nodes, rows = module.expand_approximation(state, data)
    starts = np.cumsum([0, *(node.places.size * node.size for node in nodes)])
    precision, gradient = np.zeros((starts[-1],) * 2), np.zeros(starts[-1])
    for row in rows:
        for n in range(row.slope.shape[1]):
            design = np.zeros((row.slope.shape[2], starts[-1]))
            for e, at, coefficient in row.terms:
                place = starts[e] + at[n] * nodes[e].size
                design[:, place : place + nodes[e].size] += coefficient[0, n]
            precision += design.T @ row.weight[0, n] @ design
            gradient += design.T @ row.slope[0, n]
    free = np.concatenate([np.repeat(node.free, node.size) for node in nodes])
    return precision[np.ix_(free, free)], gradient[free]


@pytest.mark.parametrize("name", TEXTS)
def test_the_density_of_the_proposal_is_that_of_the_dense_normal(name: str, tmp_path) -> None:
    """One Newton step from the start, then the normal density there, without block-sparse elimination."""
    module = load_source(source(TEXTS[name]), tmp_path, name)
    data = module.prepare(DATA[TEXTS[name]])
    draws = {node: values[:2] for node, values in posterior(TEXTS[name])[0].items()}
    both = module.State(**draws)
    steps = module.first_steps(both)["approximation"]
    steps.settle(data, *module.expand_approximation(both, data))
    drawn, log_density = module.approximate(
        np.random.default_rng(4), both, data, module.expand_approximation, steps
    )
    for chain in range(2):
        one = replace(both, **{node: value[chain : chain + 1] for node, value in vars(both).items()})
        point = replace(one, **{node: 0 * getattr(one, node) + value for node, value in steps.start.items()})
        sizes = [getattr(point, node).size for node in steps.names]
        free = [np.ones(size, bool) for size in sizes]
        free = np.concatenate(
            [node.free.repeat(node.size) for node in module.expand_approximation(one, data)[0]]
        )
        flat = np.concatenate([getattr(point, node).ravel() for node in steps.names])
        precision, gradient = dense_system(module, point, data)
        flat[free] += np.linalg.solve(precision, gradient)
        pieces = np.split(flat, np.cumsum(sizes)[:-1])
        shapes = {node: getattr(point, node).shape for node in steps.names}
        point = replace(
            point,
            **{node: piece.reshape(shapes[node]) for node, piece in zip(steps.names, pieces, strict=True)},
        )
        precision, gradient = dense_system(module, point, data)
        mean = flat[free] + np.linalg.solve(precision, gradient)
        value = np.concatenate([getattr(drawn, node)[chain].ravel() for node in steps.names])[free]
        exact = multivariate_normal(mean, np.linalg.inv(precision)).logpdf(value)
        exact += len(mean) / 2 * np.log(2 * np.pi)
        assert log_density[chain] == pytest.approx(exact, rel=1e-8, abs=1e-8)


# --- what is found, and its identity ------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["slope", "weight"])
def test_a_wrong_derivative_is_refused(part: str) -> None:
    derivation = derive(parse_model(EFFECTS))
    found = find_predictors(derivation)
    assert found is not None
    check_predictors(derivation, found)
    for place, density in enumerate(found.densities):
        wrong = replace(density, **{part: 1.01 * getattr(density, part)})
        densities = (*found.densities[:place], wrong, *found.densities[place + 1 :])
        with pytest.raises(InternalError, match="fault of deriver"):
            check_predictors(derivation, replace(found, densities=densities))


def test_differences_of_a_steep_density_are_those_of_its_derivatives() -> None:
    first, second = differences(lambda h: 40 * h - 600 * np.exp(8 * h), -600.0)
    assert first == pytest.approx(40 - 4800, rel=1e-7)
    assert second == pytest.approx(-38400, rel=1e-7)


def members_of(text: str, **options) -> tuple[list[str], list[str]]:
    move = plan(derive(parse_model(text)), **({"blocks": "auto"} | options)).approximation
    return ([], []) if move is None else ([s.node for s in move.members], [s.node for s in move.numbers])


def test_what_is_proposed_together_follows_from_the_model() -> None:
    assert members_of(EFFECTS) == (["b", "alpha", "beta"], ["sigma"])
    assert members_of(WALK) == (["h", "a"], ["v"])
    assert members_of(SLOPES) == (["b", "mu"], ["s2"])
    logit = EFFECTS.replace("Poisson(log_rate=", "Binomial(size=9, logit=")
    assert members_of(logit) == (["b", "alpha", "beta"], ["sigma"])


def test_blocks_off_and_chosen_methods_leave_nodes_out() -> None:
    assert members_of(EFFECTS, blocks="off") == ([], [])
    assert members_of(EFFECTS, methods={"beta": "slice"}) == (["b", "alpha"], ["sigma"])
    assert members_of(EFFECTS, methods={"sigma": "slice"}) == (["b", "alpha", "beta"], [])


@pytest.mark.parametrize(
    "old, new",
    [
        ("Poisson(log_rate=alpha + beta * x[i] + b[i])", "Normal(alpha + beta * x[i] + b[i], var=1)"),
        ("b[i])", "b[i]) T(1, inf)"),
    ],
)
def test_other_models_have_no_such_move(old: str, new: str) -> None:
    assert members_of(EFFECTS.replace(old, new)) == ([], [])


def test_the_move_is_given_up_where_it_does_not_pay(tmp_path) -> None:
    """Draws that follow one another slowly before the move, and with it fast or slowly."""
    for pays in (False, True):
        module = load_source(source(EFFECTS).replace("1, True)", "1, False)"), tmp_path, f"effects_{pays}")
        rng = np.random.default_rng(3)
        values = {
            "b": rng.standard_normal((8, 4)),
            "alpha": rng.standard_normal(8),
            "beta": rng.standard_normal(8),
        }
        steps = module.first_laplace_steps(
            module.State(sigma=np.ones(8), **values), 1, tuple(values), 8, False
        )
        steps.settle(None, *module.expand_approximation(
            module.State(sigma=np.ones(8), **values), module.prepare(DATA[EFFECTS])))  # fmt: skip
        for number in range(400):
            keep = 0.0 if pays and number >= 200 else 0.98
            values = {
                k: keep * v + np.sqrt(1 - keep**2) * rng.standard_normal(v.shape) for k, v in values.items()
            }
            steps.place = keep * steps.place + np.sqrt(1 - keep**2) * rng.standard_normal((8, 1))
            steps.values = values
            steps.adapt(np.ones(8))
        assert steps.used is pays


def test_the_derivation_says_what_is_proposed_together() -> None:
    text = " ".join(render(derive(parse_model(EFFECTS))).split())
    assert "Proposed together, where it pays (NumPy backend): b, alpha, beta" in text
    assert "new values of sigma come first" in text and "weight(y_i) = exp(η_i)" in text


def test_compiled_loops_refuse_what_was_asked_for_and_they_lack() -> None:
    """With ``blocks="on"`` the nodes are to be moved together, which NumPy alone does; ``auto`` does without."""
    with pytest.raises(UsageError, match="mu, beta, proposed together|beta, mu, proposed together"):
        deriver.emit("poisson", backend="numba", sizes={"p": 2}, blocks="on")
    own = plan(derive("poisson"), None, "on")
    with pytest.raises(UsageError, match="moved along a slope together"):
        check_besides(replace(own, approximation=None))
    assert "import numba" in deriver.emit("poisson", backend="numba", sizes={"p": 2}, blocks="auto")
    settings, arrays = (
        Settings(draws=10, warmup=10),
        {"y": np.zeros(4), "x": np.ones((4, 2)), "J": np.full(2, 2)},
    )
    arrays |= {"n": np.array(2), "p": np.array(2)}
    with pytest.raises(UsageError, match="together"):
        choose_source(derive("poisson"), own, arrays, settings, backend="numba")
    assert choose_source(derive("poisson"), own, arrays, settings, backend="auto").backend == "numpy"
