"""What the resolver fills in: givens, ranges, shapes, families, supports."""

from __future__ import annotations

import pytest

from deriver.errors import ModelError
from deriver.language import parse_model, print_expression
from deriver.model.records import Deterministic, Model, Stochastic, Support


def make(parameters: str, plates: str = "", given: str = "", data: str = "", process: str = "") -> Model:
    """Return a model with these blocks."""
    blocks = {"plates": plates, "given": given, "data": data, "process": process, "parameters": parameters}
    return parse_model("model m\n" + "".join(f"{name}\n{text}\n" for name, text in blocks.items() if text))


def shape(model: Model, name: str) -> str:
    """Return the shape of a node as text."""
    return ",".join(print_expression(each) for each in model.node(name).shape)


def bounds(support: Support) -> tuple[str | None, ...]:
    """Return the bounds of a support as text."""
    pair = (support.lower, support.upper)
    return tuple(None if each is None else print_expression(each, True) for each in pair)


# givens


def test_sizes_and_dimensions_are_declared() -> None:
    model = make(
        "b ~ N(0 * ones(p), eye(p))",
        "i = 1..n\nj = 1..J[i]",
        "x[i,j] : vector(p)",
        "y[i,j] ~ N(x[i,j]' * b, 1)",
    )
    origins = [(given.name, given.indices, given.origin) for given in model.givens]
    assert origins == [
        ("n", (), "size"),
        ("J", ("i",), "size"),
        ("p", (), "dimension"),
        ("x", ("i", "j"), "given"),
    ]
    assert bounds(model.given("J").support) == ("0", None)
    assert bounds(model.given("p").support) == ("1", None)


def test_dimension_bound_by_a_literal_becomes_its_number() -> None:
    model = make(
        "b ~ N(m, s * [1, rho; rho, 1])\nrho ~ Unif(-1/max(p-1, 1), 1)\ns ~ IG(1, 1)",
        given="m : vector(p) = 0",
    )
    assert shape(model, "b") == "2"
    assert "p" not in {given.name for given in model.givens}
    assert bounds(model.node("rho").support) == ("-1/max(2 - 1, 1)", "1")


def test_two_dimension_names_that_meet_become_one() -> None:
    model = make("b ~ N(m, S)", given="m : vector(p)\nS : matrix(q,q)")
    assert shape(model, "b") in ("p", "q")
    assert len([given for given in model.givens if given.origin == "dimension"]) == 1


def test_groups_subsets_and_integers() -> None:
    model = make(
        "u[i] ~ N(0, 1)", "k = 1..K\ni = 1..n", "g : k -> i\nS : subset(i)\nc[k] : integer > 0\nw in (0, 1)"
    )
    assert model.given("g").support == Support(kind="index", plate="i")
    assert model.given("g").indices == ("k",)
    assert model.given("S").support == Support(kind="subset", plate="i")
    assert (model.given("c").support.kind, *bounds(model.given("c").support)) == ("integer", "1", None)
    assert bounds(model.given("w").support) == ("0", "1")


def test_given_matrix_used_as_covariance_is_definite() -> None:
    model = make(
        "b ~ N(0 * ones(p), S)\nQ ~ Wish(inv(nu * V), nu)", given="S, V, M : matrix(p,p)\nnu > p - 1"
    )
    assert [model.given(name).support.kind for name in "SVM"] == ["spd", "spd", "real"]


# statements and ranges


def test_ranges_of_a_node_with_a_first_element() -> None:
    model = make("s ~ IG(1, 1)", "t = 1..T", "", "", "z[0] ~ N(0, 1)\nz[t] ~ N(z[t-1], s)")
    node = model.node("z")
    assert node.indices == ("t",)
    assert [print_expression(node.ranges[0].lower), print_expression(node.ranges[0].upper)] == ["0", "T"]
    first, later = model.statements_of("z")
    assert first.ranges == () and len(later.ranges) == 1 and not later.explicit_ranges


@pytest.mark.parametrize(
    "statements",
    [
        "z[1] ~ N(0, 1)\nz[t] ~ N(z[t-1], 1) for t in 2..T",
        "z[0] ~ N(0, 1)\nz[1] ~ N(0, 1)\nz[t] ~ N(z[t-1] + z[t-2], 1) for t in 2..T",
        "z[t] ~ N(0, 1) for t in 1..3\nz[t] ~ N(z[t-3], 1) for t in 4..T",
        "z[t] ~ N(z[t-1], 1)\nz[0] ~ N(0, 1)",
        "z[0] ~ N(0, 1)\nz[t] ~ N(z[0], 1)",
    ],
)
def test_ranges_that_cover(statements: str) -> None:
    plates = "t = 1..T"
    given = "T : integer >= 3"
    assert make("s ~ IG(1, 1)", plates, given, "", statements).node("z").indices == ("t",)


def test_state_by_group() -> None:
    model = make("s ~ IG(1, 1)", "i = 1..n\nt = 1..T[i]", "", "", "z[i,0] ~ N(0, 1)\nz[i,t] ~ N(z[i,t-1], s)")
    assert model.node("z").indices == ("i", "t")
    assert print_expression(model.node("z").ranges[1].lower) == "0"


def test_log_on_the_left_of_a_draw() -> None:
    model = make("v ~ IG(1, 1)", "t = 1..T", "", "y[t] ~ N(0, h[t])", "log(h[t]) ~ N(0, v)")
    drawn, implied = model.statements[1:3]
    assert isinstance(drawn, Stochastic) and isinstance(implied, Deterministic)
    assert (drawn.name, drawn.transform, drawn.written) == ("log_h", "log", "h")
    assert implied.implied and print_expression(implied.expression) == "exp(log_h[t])"
    assert bounds(model.node("h").support) == ("0", None)


def test_the_transform_of_the_node_is_the_node() -> None:
    process = "log(h[0]) ~ N(0, 1)\nlog(h[t]) ~ N(phi * log(h[t-1]), 1)"
    model = make("phi ~ N(0, 1)", "t = 1..T", "", "y[t] ~ N(0, h[t])", process)
    later = model.statements_of("log_h")[1]
    assert print_expression(later.arguments[0].value) == "phi * log_h[t-1]"


def test_log_on_the_left_of_a_definition() -> None:
    model = make("b ~ N(0, 1)", "i = 1..n", "", "y[i] ~ Pois(z[i])", "log(z[i]) = b")
    definition = model.statements_of("z")[0]
    assert definition.transform == "log" and print_expression(definition.expression) == "exp(b)"


def test_long_format_and_nested_groups() -> None:
    model = make(
        "s ~ IG(1, 1)",
        "k = 1..K\nc = 1..C\nd = 1..D",
        "class_of : k -> c\nschool : c -> d\nx[k]",
        "y[k] ~ N(a[class_of[k]] + e[school[class_of[k]]] * x[k], s)",
        "a[c] ~ N(e[school[c]], 1)\ne[d] ~ N(0, 1)",
    )
    assert model.node("e").indices == ("d",)


# families


@pytest.mark.parametrize(
    ("written", "key", "keywords", "short"),
    [
        ("N(0, 1)", "normal", ("mean", "var"), True),
        ("Normal(0, sd=1)", "normal", ("mean", "sd"), False),
        ("Normal(prec=1, mean=0)", "normal", ("mean", "prec"), False),
        ("N([0; 0], eye(2))", "mvnormal", ("mean", "cov"), True),
        ("Normal([0; 0], prec=eye(2))", "mvnormal", ("mean", "prec"), False),
        ("IG(1, 1)", "inverse_gamma", ("q", "r"), True),
        ("InverseGamma(scale=1, shape=2)", "inverse_gamma", ("shape", "scale"), False),
        ("Wish(eye(2), 3)", "wishart", ("scale", "df"), True),
        ("Wishart(rate=eye(2), df=3)", "wishart", ("rate", "df"), False),
        ("Unif(0, 1)", "uniform", ("lower", "upper"), True),
        ("Uniform(0, 1)", "uniform", ("lower", "upper"), True),
        ("Beta(1, 1)", "beta", ("a", "b"), True),
        ("Bernoulli(logit=0)", "bernoulli", ("logit",), False),
        ("Poisson(log_rate=0)", "poisson", ("log_rate",), False),
        ("Exponential(rate=1)", "exponential", ("rate",), False),
        ("LKJ(3, 1)", "lkj", ("dim", "eta"), True),
        ("Flat()", "flat", (), True),
    ],
)
def test_ways_to_write_a_family(written: str, key: str, keywords: tuple[str, ...], short: bool) -> None:
    statement = make(f"a ~ {written}").statements[0]
    assert isinstance(statement, Stochastic)
    found = tuple(argument.keyword for argument in statement.arguments)
    assert (statement.family, found, statement.short) == (key, keywords, short)


@pytest.mark.parametrize(
    "written",
    ["Normal(0, 1)", "Gamma(1, 1)", "Exponential(1)", "InverseGamma(1, 1)", "InverseGamma(q=1, r=1)", "N(0, sd=1)",
     "N(mean=0, var=1)", "Normal(0, var=1, sd=1)", "Normal(0, var=1, var=1)", "Normal(sd=1, 0)", "InverseWishart(3, eye(2))"],
)  # fmt: skip
def test_ways_not_to_write_a_family(written: str) -> None:
    with pytest.raises(ModelError) as caught:
        make(f"a ~ {written}")
    assert caught.value.mistakes[0].code == "arguments"


# shapes


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("X[i,:] * b", "J[i],"),
        ("x[i,1]' * b", ""),
        ("x[i,1,2] * b[1]", ""),
        ("b * b'", "p,p"),
        ("b' * S * b", ""),
        ("S * b", "p"),
        ("(b' * S)'", "p"),
        ("exp(b)", "p"),
        ("diag(b) * S * diag(b)", "p,p"),
        ("det(S) * tr(S)", ""),
        ("sum(j: x[i,j] * x[i,j]')", "p,p"),
        ("[1; 2; 3]", "3"),
        ("ones(p,2)", "p,2"),
        ("w[i,:]", "J[i]"),
        ("inv(S) + eye(p) / 2", "p,p"),
    ],
)
def test_shapes(definition: str, expected: str) -> None:
    given = "x[i,j] : vector(p)\nX[i,j] : vector(p)\nw[i,j]\nS : matrix(p,p)"
    model = make("b ~ N(0 * ones(p), S)", "i = 1..n\nj = 1..J[i]", given, "", f"d[i] = {definition}")
    assert shape(model, "d") == expected.rstrip(",")


def test_shape_of_a_node_known_from_its_lag_alone() -> None:
    model = make("s ~ IG(1, 1)", "t = 1..T", "x[t]", "", "z[t] = z[t-1] * 2 for t in 2..T\nz[1] = 3")
    assert shape(model, "z") == ""


# supports


def test_truncation_narrows() -> None:
    model = make("a ~ N(0, 1) T(0, inf)\nb ~ Beta(1, 1) T(0.2, inf)\nc ~ IG(1, 1) T(v, 3)", given="v > 0")
    assert bounds(model.node("a").support) == ("0", None)
    assert bounds(model.node("b").support) == ("0.2", "1")
    assert bounds(model.node("c").support) == ("max(0, v)", "3")


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("exp(a)", ("0", None)),
        ("s^2", ("0", None)),
        ("a^2", (None, None)),
        ("s / (1 + s)", ("0", None)),
        ("expit(a)", ("0", "1")),
        ("s + 1", ("1", None)),
        ("-s", (None, "0")),
        ("s - s", (None, None)),
        ("1 - u", ("0", "1")),
    ],
)
def test_support_of_a_definition(definition: str, expected: tuple[str | None, str | None]) -> None:
    model = make(f"a ~ N(0, 1)\ns ~ IG(1, 1)\nu ~ Unif(0, 1)\nd = {definition}")
    assert bounds(model.node("d").support) == expected


@pytest.mark.parametrize(
    "matrix",
    [
        "s * [1, rho; rho, 1]",
        "[s, sqrt(s) * sqrt(u) * rho; sqrt(s) * sqrt(u) * rho, u]",
        "[s^2, s * u * rho; s * u * rho, u^2]",
        "diag([s; u]) * [1, rho; rho, 1] * diag([s; u])",
        "inv([2, 1; 1, 2]) + s * eye(2)",
        "exchangeable(rho, 2) / s",
        "exchangeable(corr, p)",
        "[2, -1, 0; -1, 2, -1; 0, -1, 2]",
    ],
)
def test_proved_positive_definite(matrix: str) -> None:
    parameters = "s ~ IG(1, 1)\nu ~ IG(1, 1)\nrho ~ Unif(-1, 1)\ncorr ~ Unif(-1/max(p - 1, 1), 1)"
    model = make(f"{parameters}\nM = {matrix}", given="x : vector(p)")
    assert model.node("M").support.kind == "spd"


@pytest.mark.parametrize(
    "matrix",
    [
        "[s, rho; rho, u]",
        "s * [1, wide; wide, 1] - eye(2)",
        "exchangeable(rho, p)",
        "[1, 2; 2, 1]",
        "-eye(2)",
    ],
)
def test_not_proved_positive_definite(matrix: str) -> None:
    parameters = "s ~ IG(1, 1)\nu ~ IG(1, 1)\nrho ~ Unif(-1, 1)\nwide ~ Unif(-2, 2)"
    model = make(f"{parameters}\nM = {matrix}", given="x : vector(p)")
    assert model.node("M").support.kind == "real"


@pytest.mark.parametrize("variance", ["a - b", "w[i] * s", "a * b - 1", "max(a, 0)"])
def test_what_cannot_be_refuted_is_accepted(variance: str) -> None:
    """Givens may have any value that the user supplies; an engine that needs a proof will not find one."""
    model = make("s ~ IG(1, 1)", "i = 1..n", "a, b > 0\nw[i] > 0", f"y[i] ~ N(0, {variance})")
    assert model.node("y").shape == ()


# layers and circles


def test_definitions_may_stand_in_any_layer() -> None:
    model = make("d[i] = a[i] * 2\nm ~ N(0, 1)", "i = 1..n", "", "y[i] ~ N(d[i], 1)", "a[i] ~ N(m, 1)")
    assert model.node("d").layer == "parameters"


def test_lags_across_nodes_are_no_circle() -> None:
    process = "a[0] ~ N(0, 1)\nb[0] ~ N(0, 1)\na[t] ~ N(b[t-1], 1)\nb[t] ~ N(a[t], 1)"
    assert len(make("s ~ IG(1, 1)", "t = 1..T", "", "", process).nodes) == 3


def test_a_lag_does_not_break_every_circle() -> None:
    process = "a[0] ~ N(0, 1)\na[t] ~ N(m[t-1], 1)\nm[0] = 1\nm[t] = sum(t: a[t])"
    with pytest.raises(ModelError) as caught:
        make("s ~ IG(1, 1)", "t = 1..T", "", "", process)
    assert "cycle" in {mistake.code for mistake in caught.value.mistakes}
