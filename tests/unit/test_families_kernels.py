"""The kernels: what a monomial of the target is, and what the natural parameters make of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from family_members import MEMBERS, P, random_spd, symbol_for, value_of

from deriver.algebra.evaluate import evaluate
from deriver.algebra.heads import (
    Diagonal,
    Entry,
    Expr,
    Eye,
    Map,
    Ones,
    Ref,
    Unit,
    Variable,
    component,
    index_symbol,
    inner,
    logdet,
    trace,
    transpose,
)
from deriver.algebra.normal_form import expand_in
from deriver.families import FAMILIES, family
from deriver.families.record import Family

KERNELS = [record for record in FAMILIES if record.kernel is not None]
SCALAR_KERNELS = [record for record in KERNELS if record.shape == "scalar"]
each_scalar_kernel = pytest.mark.parametrize("record", SCALAR_KERNELS, ids=lambda record: record.key)
each_kernel = pytest.mark.parametrize("record", KERNELS, ids=lambda record: record.key)
HALF = sp.Rational(1, 2)

# Family key -> natural parameters of a proper member.
NATURAL = {
    "normal": lambda g: {"linear": g.normal(), "quadratic": -g.gamma(2.0)},
    "mvnormal": lambda g: {"linear": g.normal(size=3), "quadratic": -random_spd(g)},
    "gamma": lambda g: {"log": g.gamma(2.0) - 0.9, "linear": -g.gamma(2.0)},
    "inverse_gamma": lambda g: {"log": -1.1 - g.gamma(2.0), "reciprocal": -g.gamma(2.0)},
    "sqrt_inverse_gamma": lambda g: {"log": -1.1 - g.gamma(2.0), "inverse_square": -g.gamma(2.0)},
    "wishart": lambda g: {"logdet": g.gamma(2.0) - 0.4, "trace": -random_spd(g)},
    "inverse_wishart": lambda g: {"logdet": -3.6 - g.gamma(2.0), "trace": -random_spd(g)},
    "beta": lambda g: {"log": g.gamma(2.0) - 0.9, "log_complement": g.gamma(2.0) - 0.9},
    "dirichlet": lambda g: {"log": g.gamma(2.0, size=3) - 0.9},
}

# Family key -> its canonical parameters from its standard ones, where the two differ.
CANONICAL = {
    "normal": lambda precision, linear: (linear / precision, 1 / precision),
    "mvnormal": lambda precision, linear: (np.linalg.solve(precision, linear), np.linalg.inv(precision)),
    "wishart": lambda df, inverse_scale: (df, np.linalg.inv(inverse_scale)),
}


def standard_values(record: Family, natural: dict) -> dict:
    """The standard parameters as numbers, from natural parameters as numbers."""
    target = symbol_for("y", MEMBERS[record.key](np.random.default_rng(0))[0], positive=True)
    symbols = {name: symbol_for(f"c_{name}", value) for name, value in natural.items()}
    quantities = {f"c_{name}": value for name, value in natural.items()}
    standard = record.kernel.to_standard(symbols, target)
    return {name: value_of(expr, **quantities) for name, expr in standard.items()}


def check_natural_to_standard(record: Family) -> None:
    """Raise ``AssertionError`` unless log density - Σ coefficient × statistic is free of the value."""
    rng = np.random.default_rng(4)
    for _ in range(3):
        natural = NATURAL[record.key](rng)
        standard = standard_values(record, natural)
        parameters = CANONICAL.get(record.key, lambda **kw: tuple(kw.values()))(**standard)
        rests = []
        for _ in range(4):
            value = MEMBERS[record.key](rng)[0]
            forms = record.kernel.statistic_forms(symbol_for("y", value, positive=True))
            exponent = sum(np.sum(natural[name] * value_of(form, y=value)) for name, form in forms.items())
            rests.append(record.logpdf(value, *parameters) - exponent)
        assert rests == pytest.approx([rests[0]] * 4, rel=1e-8, abs=1e-8)


@each_kernel
def test_natural_parameters_give_the_member(record):
    check_natural_to_standard(record)


@each_kernel
def test_a_proper_member_meets_the_conditions_and_a_mirrored_one_does_not(record):
    natural = NATURAL[record.key](np.random.default_rng(5))
    assert all(_conditions(record, natural))
    assert not all(_conditions(record, {name: -3 * value for name, value in natural.items()}))


def _conditions(record: Family, natural: dict) -> list[bool]:
    target = symbol_for("y", MEMBERS[record.key](np.random.default_rng(0))[0], positive=True)
    symbols = {name: symbol_for(f"c_{name}", value) for name, value in natural.items()}
    quantities = {f"c_{name}": value for name, value in natural.items()}
    verdicts = []
    for expr, condition in record.kernel.proper(symbols, target):
        value = value_of(expr, **quantities)
        smallest = np.linalg.eigvalsh(value)[0] if condition == "positive_definite" else np.min(value)
        verdicts.append(bool(smallest > 0))
    return verdicts


def test_a_flat_prior_on_a_standard_deviation_is_improper_with_one_observation():
    """σ flat gives σ² ∝ (σ²)^-1/2: the shape (n - 1)/2 is not positive at n = 1."""
    n, variance = symbol_for("n", 1), symbol_for("s", 1.0, positive=True)
    natural = {"log": -n / 2 - HALF, "reciprocal": -symbol_for("ss", 1.0, positive=True)}
    shape, _ = family("inverse_gamma").kernel.proper(natural, variance)
    assert shape == ((n - 1) / 2, "positive")


def test_a_slip_in_a_map_is_found():
    for key, name in (("wishart", "df"), ("normal", "precision"), ("inverse_gamma", "shape"), ("beta", "a")):
        record = family(key)
        broken = replace(record, kernel=replace(record.kernel, to_standard=_off_by_one(record, name)))
        with pytest.raises(AssertionError):
            check_natural_to_standard(broken)


def _off_by_one(record: Family, name: str):
    def to_standard(natural, target):
        right = record.kernel.to_standard(natural, target)
        return {**right, name: right[name] + 1}

    return to_standard


# --- monomials --------------------------------------------------------------------------------------------

I, J = index_symbol("i"), index_symbol("j")
ONE, TWO = sp.Integer(1), sp.Integer(2)
BETA, OTHER = Ref(Variable("beta", (P,)), I), Ref(Variable("beta", (P,)), J)
X, Z = Ref(Variable("x", (P,)), I, J), Ref(Variable("z", (P,)))
MATRIX, SPD = Ref(Variable("M", (P, P))), Ref(Variable("S", (P, P), symmetric=True))
THETA = Ref(Variable("Theta", (P, P), symmetric=True), I)
PI = Ref(Variable("pi", (P,)), I)
XB, ZB = inner(transpose(X) * BETA), inner(transpose(Z) * BETA)

VECTOR = [
    (XB, "linear"),
    (inner(transpose(OTHER) * BETA), "linear"),
    (inner(transpose(Z) * MATRIX * BETA), "linear"),
    (inner(transpose(BETA) * MATRIX * Z), "linear"),
    (inner(transpose(BETA) * SPD**-1 * Z), "linear"),
    (component(BETA, TWO), "linear"),
    (component(MATRIX * BETA, TWO), "linear"),
    (inner(transpose(Ones(P)) * BETA), "linear"),
    (XB**2, "quadratic"),
    (XB * ZB, "quadratic"),
    (component(BETA, ONE) ** 2, "quadratic"),
    (component(BETA, ONE) * component(BETA, TWO), "quadratic"),
    (component(BETA, ONE) * XB, "quadratic"),
    (inner(transpose(BETA) * BETA), "quadratic"),
    (inner(transpose(BETA) * SPD**-1 * BETA), "quadratic"),
    (inner(transpose(BETA) * MATRIX * BETA), "quadratic"),
    (inner(transpose(BETA) * MATRIX * SPD * BETA), "quadratic"),
]
WISHART = [
    (logdet(THETA), "logdet"),
    (trace(THETA), "trace"),
    (trace(SPD * THETA), "trace"),
    (trace(MATRIX * THETA), "trace"),
    (trace(MATRIX * THETA * SPD), "trace"),
    (inner(transpose(X) * THETA * Z), "trace"),
    (inner(transpose(X) * THETA * X), "trace"),
    (inner(transpose(X) * MATRIX * THETA * Z), "trace"),
    (Entry(THETA, ONE, TWO), "trace"),
    (Entry(MATRIX * THETA, ONE, TWO), "trace"),
]
INVERSE_WISHART = [
    (logdet(THETA), "logdet"),
    (trace(SPD * THETA**-1), "trace"),
    (trace(MATRIX * THETA**-1), "trace"),
    (inner(transpose(X) * THETA**-1 * Z), "trace"),
    (Entry(THETA**-1, ONE, TWO), "trace"),
]
DIRICHLET = [
    (inner(transpose(Z) * Map("log", PI)), "log"),
    (inner(transpose(Z) * MATRIX * Map("log", PI)), "log"),
    (sp.log(component(PI, TWO)), "log"),
]
COLLECTED = [
    *(("mvnormal", BETA, monomial, name) for monomial, name in VECTOR),
    *(("wishart", THETA, monomial, name) for monomial, name in WISHART),
    *(("inverse_wishart", THETA, monomial, name) for monomial, name in INVERSE_WISHART),
    *(("dirichlet", PI, monomial, name) for monomial, name in DIRICHLET),
]


def _value(expr: Expr, rng: np.random.Generator) -> np.ndarray:
    """The value of an expression at one state of all the quantities above."""
    state = {
        "p": {(): 3},
        "beta": {(1,): rng.normal(size=3), (2,): rng.normal(size=3)},
        "x": {(1, 2): rng.normal(size=3)},
        "z": {(): rng.normal(size=3)},
        "M": {(): rng.normal(size=(3, 3))},
        "S": {(): random_spd(rng)},
        "Theta": {(1,): random_spd(rng)},
        "pi": {(1,): rng.dirichlet(np.ones(3))},
    }
    return evaluate(expr, state, {I: 1, J: 2})


@pytest.mark.parametrize(("key", "target", "monomial", "name"), COLLECTED, ids=lambda each: str(each))
def test_a_monomial_is_its_coefficient_on_the_statistic(key, target, monomial, name):
    kernel = family(key).kernel
    found, coefficient = kernel.collect(monomial, target)
    assert found == name
    assert not coefficient.has(target)
    form = kernel.statistic_forms(target)[name]
    weight, statistic, expected = (_value(e, np.random.default_rng(6)) for e in (coefficient, form, monomial))
    assert np.sum(weight * statistic) == pytest.approx(expected, rel=1e-10)
    assert np.ndim(weight) < 2 or np.allclose(weight, np.transpose(weight))


REFUSED = [
    ("mvnormal", BETA, sp.exp(XB)),
    ("mvnormal", BETA, XB**3),
    ("mvnormal", BETA, 1 / XB),
    ("mvnormal", BETA, XB**2 * ZB),
    ("mvnormal", BETA, XB * sp.exp(ZB)),
    ("mvnormal", BETA, sp.log(XB)),
    ("mvnormal", BETA, inner(transpose(BETA) * SPD * BETA) ** 2),
    ("mvnormal", BETA, inner(transpose(BETA) * SPD * BETA) * XB),
    ("mvnormal", BETA, inner(transpose(X) * Map("exp", BETA))),
    ("mvnormal", BETA, inner(transpose(BETA) * Diagonal(BETA) * X)),
    (
        "mvnormal",
        BETA,
        inner(transpose(Ref(Variable("w", (P,)), Ref(Variable("g"), component(BETA, ONE)))) * BETA),
    ),
    ("wishart", THETA, logdet(SPD + THETA)),
    ("wishart", THETA, logdet(THETA) ** 2),
    ("wishart", THETA, trace(SPD * THETA**-1)),
    ("wishart", THETA, trace(MATRIX * THETA * SPD * THETA)),
    ("wishart", THETA, trace(SPD * (THETA + SPD))),
    ("wishart", THETA, inner(transpose(X) * (THETA + Eye(P)) ** -1 * X)),
    ("wishart", THETA, trace(SPD * THETA) * logdet(THETA)),
    ("inverse_wishart", THETA, trace(SPD * THETA)),
    ("inverse_wishart", THETA, trace(SPD * THETA**-2)),
    ("inverse_wishart", THETA, trace(SPD * (THETA + SPD) ** -1)),
    ("dirichlet", PI, component(PI, ONE)),
    ("dirichlet", PI, inner(transpose(Z) * PI)),
    ("dirichlet", PI, sp.log(inner(transpose(Z) * PI))),
    ("dirichlet", PI, inner(transpose(Z) * Map("exp", PI))),
    ("dirichlet", PI, sp.log(component(PI, ONE)) ** 2),
]


@pytest.mark.parametrize(("key", "target", "monomial"), REFUSED, ids=lambda each: str(each))
def test_what_is_no_statistic_is_refused(key, target, monomial):
    assert family(key).kernel.collect(monomial, target) is None


def test_coefficients_read_as_one_would_write_them():
    collect = family("mvnormal").kernel.collect
    assert collect(XB, BETA) == ("linear", X)
    assert collect(XB**2, BETA) == ("quadratic", X * transpose(X))
    assert collect(inner(transpose(BETA) * SPD**-1 * BETA), BETA) == ("quadratic", SPD**-1)
    assert collect(component(BETA, TWO), BETA) == ("linear", Unit(TWO, P))
    collect = family("wishart").kernel.collect
    assert collect(inner(transpose(X) * THETA * X), THETA) == ("trace", X * transpose(X))
    assert collect(trace(SPD * THETA), THETA) == ("trace", SPD)


SCALAR = Ref(Variable("theta", positive=True), I)
SCALAR_OTHER = Ref(Variable("theta", positive=True), J)


@each_scalar_kernel
def test_scalar_statistics_are_met_as_they_stand_and_nothing_else(record):
    collect = record.kernel.collect
    for name, form in record.kernel.statistic_forms(SCALAR).items():
        assert collect(form, SCALAR) == (name, 1)
        assert collect(form.subs(SCALAR, SCALAR_OTHER), SCALAR) is None
    for form in (SCALAR**3, sp.exp(SCALAR), sp.log(SCALAR) ** 2, SCALAR * sp.log(SCALAR), sp.sqrt(SCALAR)):
        assert collect(form, SCALAR) is None


@each_scalar_kernel
def test_a_scalar_family_is_conjugate_to_itself(record):
    """The family's own log density, collected term by term, gives back its parameters."""
    symbols = [symbol_for(name, 1.0, positive=True) for name in record.parameters]
    natural: dict[str, Expr] = {}
    for term in sp.Add.make_args(sp.expand(record.log_density(SCALAR, *symbols))):
        coefficient, monomial = term.as_independent(SCALAR, as_Add=False)
        if monomial != 1:
            name, own = record.kernel.collect(monomial, SCALAR)
            natural[name] = natural.get(name, 0) + coefficient * own
    standard = record.kernel.to_standard(natural, SCALAR)
    if record.key == "normal":
        mean, var = symbols
        assert standard == {"precision": 1 / var, "linear": mean / var}
    else:
        assert standard == dict(zip(record.parameters, symbols, strict=True))


def _standard(key: str, log_density: Expr, target: Expr) -> dict[str, Expr]:
    """The standard parameters of a log density in the target, brought to its normal form and collected."""
    kernel = family(key).kernel
    natural: dict[str, Expr] = {}
    for monomial, coefficient in expand_in(log_density, target).items():
        if monomial != 1:
            name, own = kernel.collect(monomial, target)
            natural[name] = natural.get(name, 0) + coefficient * own
    return dict(kernel.to_standard(natural, target))


def test_vector_and_matrix_families_are_conjugate_to_themselves():
    df = symbol_for("df", 5.0, positive=True)
    normal = family("mvnormal").log_density(BETA, Z, SPD)
    assert _standard("mvnormal", normal, BETA) == {"precision": SPD**-1, "linear": SPD**-1 * Z}
    wishart = family("wishart").log_density(THETA, df, SPD)
    assert _standard("wishart", wishart, THETA) == {"df": df, "inverse_scale": SPD**-1}
    inverse = family("inverse_wishart").log_density(THETA, df, SPD)
    assert _standard("inverse_wishart", inverse, THETA) == {"df": df, "scale": SPD}
    dirichlet = family("dirichlet").log_density(PI, Z)
    assert _standard("dirichlet", dirichlet, PI) == {"concentration": Z}


def test_likelihoods_in_their_parameters():
    """One observation each; the derivation sums over more."""
    normal = family("mvnormal").log_density(X, Z, THETA)
    deviation = X - Z
    assert _value_equal(
        _standard("inverse_wishart", normal, THETA), {"df": -P, "scale": deviation * transpose(deviation)}
    )
    by_precision = family("mvnormal").log_density(X, Z, THETA**-1)
    assert _value_equal(
        _standard("wishart", by_precision, THETA),
        {"df": P + 2, "inverse_scale": deviation * transpose(deviation)},
    )
    counts = family("multinomial").log_density(X, symbol_for("size", 7), PI)
    assert _standard("dirichlet", counts, PI) == {"concentration": X + Ones(P)}
    label = family("categorical").log_density(TWO, PI)
    assert _standard("dirichlet", label, PI) == {"concentration": Unit(TWO, P) + Ones(P)}


def _value_equal(found: dict[str, Expr], expected: dict[str, Expr]) -> bool:
    pairs = [(_value(found[name], np.random.default_rng(9)), name) for name in expected]
    return all(np.allclose(v, _value(expected[name], np.random.default_rng(9))) for v, name in pairs)


def test_pieces_of_a_sum_keep_their_own_factors():
    """-2 × (a + b) is multiplied in, for vectors and matrices as for numbers."""
    a, b = Ref(Variable("A", (P, P), symmetric=True)), Ref(Variable("B", (P, P), symmetric=True))
    natural = {"quadratic": -a / 2 - b / 2, "linear": Z}
    assert family("mvnormal").kernel.to_standard(natural, BETA) == {"precision": a + b, "linear": Z}
    assert family("wishart").kernel.to_standard({"logdet": HALF, "trace": -a / 2 - b / 2}, THETA) == {
        "df": P + 2,
        "inverse_scale": a + b,
    }
