"""The emit stage: line breaking, the printer's strictness, templates, choices, draws."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from jinja2 import meta
from scipy import stats

import deriver
from deriver.derivation.conditionals import derive
from deriver.emission import emit
from deriver.emission.environment import make_environment
from deriver.emission.text import atom, break_statement, call, join_product, join_sum, power
from deriver.emission.views import ModuleView
from deriver.errors import UsageError
from deriver.language import parse_model
from tests.emitted import build, check_walk, load_source, to_inputs, to_state
from tests.hand.catalogue import load


def test_short_statements_stay_on_one_line():
    assert break_statement("x = ", atom("y"), 1) == ["    x = y"]


def test_a_long_call_takes_its_arguments_to_the_next_line():
    lines = break_statement("x = ", call("function", "a" * 40, "b" * 40), 1)
    assert (
        lines == ["    x = function(", "        " + "a" * 40 + ", " + "b" * 40, "    )"]
        or lines[-1] == "    )"
    )


def test_a_long_sum_has_one_term_a_line():
    terms = [(k == 1, atom(letter * 40)) for k, letter in enumerate("abc")]
    lines = break_statement("x = ", join_sum(terms), 1)
    assert lines == [
        "    x = (",
        f"        {'a' * 40}",
        f"        - {'b' * 40}",
        f"        + {'c' * 40}",
        "    )",
    ]


def test_two_long_terms_cannot_be_broken():
    assert break_statement("x = ", join_sum([(False, atom("a" * 50)), (False, atom("b" * 50))]), 1) is None


def test_operators_bind_as_written():
    total = join_sum([(False, atom("a")), (True, join_sum([(False, atom("b")), (True, atom("c"))]))])
    assert total.text == "a - (b - c)"
    assert join_product([atom("a")], [atom("b"), atom("c")]).text == "a / (b * c)"
    assert power(atom("state.a"), "2").text == "state.a**2"
    assert power(atom("f(a)"), "2").text == "f(a) ** 2"
    assert join_sum([(True, power(atom("a"), "2"))]).text == "-(a**2)"


def test_template_names_are_the_views_fields():
    environment = make_environment()
    names: set[str] = set()
    for template in ("module", "sample"):
        source = environment.loader.get_source(environment, f"numpy/{template}.py.jinja")[0]
        names |= meta.find_undeclared_variables(environment.parse(source))
    assert names == {field.name for field in fields(ModuleView)}


def test_templates_are_short():
    environment = make_environment()
    for name in environment.list_templates():
        source = environment.loader.get_source(environment, name)[0]
        assert len(source.splitlines()) < 80, name


def test_an_unknown_backend_is_refused():
    derivation = derive(parse_model(load("state_space").MODEL))
    with pytest.raises(UsageError, match="numpy"):
        emit(derivation, backend="fortran")


def test_own_templates_come_first(tmp_path):
    folder = tmp_path / "numpy"
    folder.mkdir()
    (folder / "module.py.jinja").write_text("# mine\n{{ docstring }}\n")
    derivation = derive(parse_model(load("state_space").MODEL))
    assert emit(derivation, templates=tmp_path).startswith("# mine")


METHODS = [
    ("all_random", "rho"),
    ("all_random", "sigma2"),
    ("random_intercepts", "beta0"),
    ("state_space", "z"),
]


@pytest.mark.parametrize(("name", "node"), METHODS)
@pytest.mark.parametrize("method", ["slice", "random_walk"])
def test_log_targets_are_the_joint_up_to_a_constant(name, node, method, tmp_path):
    """Differences of the log target are those of the log joint, with the Jacobian of the coordinate."""
    derivation, module = build(load(name).MODEL, tmp_path, {node: method})
    hand = load(name)
    state = hand.random_state(np.random.default_rng(2), hand.SIZES[0])
    data = module.prepare(to_inputs(derivation.model, state))
    start = to_state(module, derivation.model, [state, state])
    check_walk(module, node, start, data, np.random.default_rng(6))


def test_slice_and_walk_keep_a_known_distribution(tmp_path):
    """An inverse gamma conditional drawn by slice and by Gibbs has the same mean and spread."""
    hand = load("random_intercepts")
    state = hand.random_state(np.random.default_rng(0), hand.SIZES[0])
    draws = []
    for method in ("gibbs", "slice", "random_walk"):
        derivation, module = build(hand.MODEL, tmp_path, {"sigma2": method})
        data = module.prepare(to_inputs(derivation.model, state))
        current = to_state(module, derivation.model, [state] * 2000)
        rng = np.random.default_rng(5)
        for _ in range(40):
            current = move(module, rng, current, data, method)
        draws.append(np.log(current.sigma2))
    for other in draws[1:]:
        assert abs(other.mean() - draws[0].mean()) < 5 * draws[0].std() / np.sqrt(1000)
        assert 0.9 < other.std() / draws[0].std() < 1.1


def move(module, rng, state, data, method):
    from dataclasses import replace

    if method == "gibbs":
        return replace(state, sigma2=module.draw_sigma2(rng, state, data))
    if method == "slice":
        return replace(state, sigma2=module.update_sigma2(rng, state, data))
    moved, _ = module.update_sigma2(rng, state, data, np.ones(1))
    return replace(state, sigma2=moved)


def helpers(tmp_path, *names):
    """Return helper functions as a module."""
    environment = make_environment()
    text = "from __future__ import annotations\nfrom collections.abc import Callable, Mapping, Sequence\n"
    text += "import numpy as np\nfrom scipy.special import *\nArray = np.ndarray\n"
    for name in names:
        text += environment.loader.get_source(environment, f"numpy/helpers/{name}.py.jinja")[0] + "\n\n"
    return load_source(text, tmp_path, "helpers_" + names[0])


@pytest.mark.parametrize("bounds", [(-1.0, 0.5), (8.0, 9.0), (-40.0, -38.0), (30.0, np.inf)])
def test_truncated_normals_stay_inside_and_have_the_right_mean(bounds, tmp_path):
    from scipy.stats import truncnorm

    module = helpers(tmp_path, "random_truncated_normal", "between")
    drawn = module.random_truncated_normal(
        np.random.default_rng(1), np.array(1.0), np.array(0.0), *bounds, (20000,)
    )
    assert (drawn > bounds[0]).all() and (drawn < bounds[1]).all()
    reference = truncnorm(*bounds)
    assert abs(drawn.mean() - reference.mean()) < 5 * reference.std() / np.sqrt(20000)


@pytest.mark.parametrize("p", [1, 2, 5])
def test_wishart_draws_have_the_right_mean(p, tmp_path):
    module = helpers(tmp_path, "random_wishart", "bartlett", "random_inverse_wishart")
    rng = np.random.default_rng(3)
    root = rng.normal(size=(p, p)) + 2 * np.eye(p)
    inverse_scale = root @ root.T
    df = p + 2.5
    drawn = module.random_wishart(rng, np.array(df), inverse_scale, (40000, p, p))
    expected = df * np.linalg.inv(inverse_scale)
    np.testing.assert_allclose(drawn.mean(axis=0), expected, atol=6 * drawn.std(axis=0).max() / 200)
    inverse = module.random_inverse_wishart(rng, np.array(df + 4), inverse_scale, (40000, p, p))
    expected = inverse_scale / (df + 4 - p - 1)
    np.testing.assert_allclose(inverse.mean(axis=0), expected, atol=6 * inverse.std(axis=0).max() / 200)


def test_group_sums_are_zero_for_an_empty_group(tmp_path):
    module = helpers(tmp_path, "group_sum")
    values = np.arange(8.0).reshape(2, 4)
    got = module.group_sum(values, np.array([0, 0, 2, 2]), 3, axis=1)
    np.testing.assert_array_equal(got, [[1, 0, 5], [9, 0, 13]])


@pytest.mark.parametrize("pair", [("from_partial", "to_partial"), ("from_log_cholesky", "to_log_cholesky")])
def test_matrix_coordinates_come_back_with_their_jacobian(pair, tmp_path):
    """The log Jacobian is that of finite differences of the free entries."""
    back, there = pair
    module = helpers(tmp_path, back, there)
    p = 3
    size = p * (p - 1) // 2 if back == "from_partial" else p * (p + 1) // 2
    points = np.random.default_rng(2).normal(scale=0.4, size=(2, size))
    rows, columns = np.tril_indices(p, -1 if back == "from_partial" else 0)

    def entries(point):
        return getattr(module, back)(point, p)[0][rows, columns]

    h, differences = 1e-6, []
    for u in points:
        np.testing.assert_allclose(getattr(module, there)(getattr(module, back)(u, p)[0]), u, rtol=1e-8)
        jacobian = [(entries(u + h * e) - entries(u - h * e)) / (2 * h) for e in np.eye(size)]
        differences.append(getattr(module, back)(u, p)[1] - np.linalg.slogdet(np.array(jacobian))[1])
    np.testing.assert_allclose(differences[0], differences[1], atol=1e-6)  # a constant may be left out


SQUARE = """model square
plates
  i = 1..n
given
  S : matrix(p,p)
  u : vector(p)
data
  y[i] ~ N(m, S)
parameters
  m ~ N(u, S * S)
"""


def test_a_power_of_a_matrix_is_its_product(tmp_path) -> None:
    S, u = np.array([[1.0, 0.3], [0.3, 2.0]]), np.array([0.5, -1.0])
    y, m = np.array([[0.2, 1.0], [1.5, -0.4], [0.0, 0.3]]), np.array([0.4, 0.1])
    state = {"S": {(): S}, "u": {(): u}, "n": {(): 3}, "y": {(i + 1,): row for i, row in enumerate(y)}}
    _, found = derive(parse_model(SQUARE)).node("m").at(state, ())
    above, below = np.linalg.inv(S @ S), np.linalg.inv(S)
    cov = np.linalg.inv(3 * below + above)
    np.testing.assert_allclose(found["cov"], cov, rtol=1e-10)
    np.testing.assert_allclose(found["mean"], cov @ (below @ y.sum(axis=0) + above @ u), rtol=1e-10)
    expected = stats.multivariate_normal(u, S @ S).logpdf(m) + stats.multivariate_normal(m, S).logpdf(y).sum()
    module = load_source(deriver.emit(parse_model(SQUARE)), tmp_path, "square")
    prepared = module.prepare({"y": y, "n": 3, "S": S, "u": u})
    drawn = module.sample(prepared, draws=2000, warmup=1, chains=2, seed=1)["m"].reshape(-1, 2)
    np.testing.assert_allclose(np.cov(drawn.T), cov, atol=0.05)
    assert module.log_joint(module.State(m=m[None]), prepared)[0] == pytest.approx(expected, rel=1e-10)


ALL_SEEN = """model all_seen
plates
  i = 1..N
given
  x[i]
data
  u ~ N(1, 4)
  y[i] ~ N(x[i], 1)
  z[i] ~ N(mu, 1)
parameters
  mu ~ N(0, 1)
"""


def test_a_factor_of_the_data_alone_counts_once_for_each_chain(tmp_path) -> None:
    module = load_source(deriver.emit(parse_model(ALL_SEEN)), tmp_path, "all_seen")
    x, y, z = np.array([0.0, 1.0, 2.0]), np.array([0.5, 1.5, 1.0]), np.array([1.0, 0.0, 2.0])
    data, mu = module.prepare({"x": x, "y": y, "z": z, "u": 0.3}), np.array([0.1, -0.4])
    logs = stats.norm.logpdf
    own = logs(z, mu[:, None], 1).sum(axis=1) + logs(mu, 0, 1)
    expected = own + logs(y, x, 1).sum() + logs(0.3, 1, 2)
    np.testing.assert_allclose(module.log_joint(module.State(mu=mu), data), expected, rtol=1e-12)
    each = module.log_likelihood(module.State(mu=mu), data)
    np.testing.assert_allclose(each["y"], np.tile(logs(y, x, 1), (2, 1)))
