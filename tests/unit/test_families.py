"""Every family: its symbolic log density, its numeric one and scipy's are three accounts of one thing."""

from __future__ import annotations

import math
import pkgutil
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import sympy as sp
from family_members import (
    ARGUMENTS,
    MEMBERS,
    OUTSIDE,
    SCIPY,
    canonical_form,
    scipy_log_density,
    symbol_for,
    symbolic_log_density,
    value_of,
)
from scipy.integrate import quad
from scipy.stats import norm

from deriver import families
from deriver.algebra.heads import Literal, LogMass
from deriver.families import FAMILIES, by_surface, family, surface_names
from deriver.families.record import Family, Parametrisation
from deriver.families.truncation import log_mass

each_family = pytest.mark.parametrize("record", FAMILIES, ids=lambda record: record.key)
NOT_IN_SCIPY = ("flat", "flat_vector", "lkj")
EVERY_FORM = [(r, form) for r in FAMILIES for form in r.parametrisations if r.key not in NOT_IN_SCIPY]
each_form = pytest.mark.parametrize(
    ("record", "form"), EVERY_FORM, ids=["-".join((r.key, *f.keywords)) for r, f in EVERY_FORM]
)


def check_symbolic_against_numeric(record: Family, seed: int = 1) -> None:
    """Raise ``AssertionError`` unless the two log densities agree at random members."""
    rng = np.random.default_rng(seed)
    for _ in range(6):
        value, parameters = MEMBERS[record.key](rng)
        symbolic = symbolic_log_density(record, value, parameters)
        assert symbolic == pytest.approx(record.logpdf(value, *parameters), rel=1e-9, abs=1e-9)


@each_family
def test_symbolic_and_numeric_log_densities_agree(record):
    check_symbolic_against_numeric(record)


@each_form
def test_every_parametrisation_agrees_with_scipy(record: Family, form: Parametrisation):
    rng = np.random.default_rng(2)
    for _ in range(4):
        value, _ = MEMBERS[record.key](rng)
        arguments = [_random_argument(record, form, place, value, rng) for place in range(len(form.keywords))]
        names = [f"arg_{keyword}" for keyword in form.keywords]
        quantities = dict(zip(names, arguments, strict=True))
        symbols = [
            symbol_for(
                name, argument, positive=role in ("positive", "nonnegative"), symmetric=role != "cholesky"
            )
            for name, argument, role in zip(names, arguments, form.roles, strict=True)
        ]
        canonical = form.to_canonical(*symbols)
        numbers = [value_of(parameter, **quantities) for parameter in canonical]
        expected = scipy_log_density(SCIPY[record.key, *form.keywords](*arguments), value)
        assert record.logpdf(value, *numbers) == pytest.approx(expected, rel=1e-8, abs=1e-9)
        density = record.log_density(symbol_for("y", value, positive=record.support.lower == "0"), *canonical)
        assert value_of(density, y=value, **quantities) == pytest.approx(expected, rel=1e-8, abs=1e-9)


def _random_argument(record, form, place, value, rng):
    """An argument by its role; bounds are put around the value."""
    around = (
        {"lower": value - 0.7, "upper": value + 1.3, "minimum": value * 0.6} if np.ndim(value) == 0 else {}
    )
    return around.get(form.keywords[place], ARGUMENTS[form.roles[place]](rng))


@each_family
def test_off_the_support_the_numeric_log_density_is_minus_infinity(record):
    _, parameters = MEMBERS[record.key](np.random.default_rng(3))
    for value in OUTSIDE.get(record.key, ()):
        assert record.logpdf(value, *parameters) == -math.inf
    unbounded = record.support.kind == "real" and record.support.lower is None
    assert unbounded or record.key in OUTSIDE


@pytest.mark.parametrize(
    ("key", "value", "parameters"),
    [
        ("normal", 0.0, (0.0, -1.0)),
        ("mvnormal", np.zeros(2), (np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]))),
        ("mvnormal", np.zeros(2), (np.zeros(2), np.array([[2.0, 1.0], [0.0, 2.0]]))),
        ("wishart", np.eye(3), (2.0, np.eye(3))),
        ("inverse_gamma", 1.0, (-0.5, 1.0)),
        ("uniform", 0.0, (1.0, -1.0)),
        ("beta", 0.5, (0.0, 1.0)),
    ],
)
def test_illegal_parameters_have_no_log_density(key, value, parameters):
    assert math.isnan(family(key).logpdf(value, *parameters))


def test_a_slip_in_a_formula_is_found():
    dropped_half = replace(
        family("normal"), log_density=lambda y, m, v: -sp.log(2 * sp.pi * v) / 2 - (y - m) ** 2 / v
    )
    wrong_power = replace(
        family("wishart"),
        log_density=lambda X, df, V: family("wishart").log_density(X, df + 1, V),
    )
    rate_for_scale = replace(
        family("inverse_gamma"),
        log_density=lambda y, shape, scale: family("inverse_gamma").log_density(y, shape, 1 / scale),
    )
    for broken in (dropped_half, wrong_power, rate_for_scale):
        with pytest.raises(AssertionError):
            check_symbolic_against_numeric(broken)


@pytest.mark.parametrize("eta", [1.0, 2.5])
def test_lkj_integrates_to_one(eta):
    nodes, weights = np.polynomial.legendre.leggauss(40)
    two = [family("lkj").logpdf(np.array([[1, r], [r, 1]]), 2, eta) for r in nodes]
    assert float(weights @ np.exp(two)) == pytest.approx(1.0, abs=1e-4)
    nodes, weights = np.polynomial.legendre.leggauss(16)
    total = 0.0
    for a, wa in zip(nodes, weights, strict=True):
        for b, wb in zip(nodes, weights, strict=True):
            spread = math.sqrt((1 - a * a) * (1 - b * b))
            for z, wz in zip(nodes, weights, strict=True):
                c = a * b + z * spread
                matrix = np.array([[1, a, b], [a, 1, c], [b, c, 1]])
                total += wa * wb * wz * spread * math.exp(family("lkj").logpdf(matrix, 3, eta))
    assert total == pytest.approx(1.0, abs=5e-3)


def test_flat_is_one_everywhere():
    assert family("flat").log_density(symbol_for("y", 0.0)) == 0
    assert family("flat").logpdf(17.0) == 0.0


def test_logs_are_split_so_that_coefficients_can_be_read():
    sigma2, sd = symbol_for("sigma2", 1.0, positive=True), symbol_for("sd", 1.0, positive=True)
    y, m = symbol_for("y", 0.0), symbol_for("m", 0.0)
    assert family("normal").log_density(y, m, 3 * sigma2).coeff(sp.log(sigma2)) == -sp.Rational(1, 2)
    assert family("normal").log_density(y, m, sd**2).coeff(sp.log(sd)) == -1
    assert family("poisson").log_density(y, sp.exp(m)).coeff(y) == m
    rate = symbol_for("rate", 1.0, positive=True)
    weibull = sp.expand(
        family("weibull").log_density(sd, *family("weibull").parametrisations[1].to_canonical(sigma2, rate))
    )
    assert weibull.coeff(sp.log(rate)) == 1
    assert weibull.coeff(rate) == -(sd**sigma2)


def test_a_probability_near_one_keeps_its_digits():
    bernoulli = family("bernoulli")
    (prob,) = bernoulli.parametrisations[1].to_canonical(symbol_for("x", 0.0))
    assert value_of(bernoulli.log_density(sp.S.Zero, prob), x=40.0) == pytest.approx(-40.0, rel=1e-12)


def test_an_explicit_covariance_is_taken_as_it_stands():
    """The normal of model C: p = 2 and the matrix written out."""
    rho = symbol_for("rho", 0.0)
    cov = symbol_for("s", 1.0, positive=True) * Literal(2, 2, 1, rho, rho, 1)
    value, mean = Literal(2, 1, 1, 2), Literal(2, 1, 0, 0)
    density = family("mvnormal").log_density(value, mean, cov)
    expected = family("mvnormal").logpdf(np.array([1, 2]), np.zeros(2), 1.7 * np.array([[1, 0.4], [0.4, 1]]))
    assert value_of(density, rho=0.4, s=1.7) == pytest.approx(expected, rel=1e-12)


# --- truncation -------------------------------------------------------------------------------------------

TRUNCATABLE = [record for record in FAMILIES if record.cdf is not None]
each_truncatable = pytest.mark.parametrize("record", TRUNCATABLE, ids=lambda record: record.key)


@each_truncatable
def test_distribution_functions_agree_with_scipy(record):
    rng = np.random.default_rng(7)
    for _ in range(5):
        value, parameters = MEMBERS[record.key](rng)
        distribution = _distribution(record, parameters)
        for point in (value, value + 0.5, -1.0, 0.0, 30.0, math.inf, -math.inf):
            assert record.cdf(point, *parameters) == pytest.approx(
                distribution.cdf(point), rel=1e-8, abs=1e-14
            )
            assert record.sf(point, *parameters) == pytest.approx(distribution.sf(point), rel=1e-8, abs=1e-14)


def _distribution(record, parameters):
    form = canonical_form(record)
    by_name = dict(zip(record.parameters, parameters, strict=True))
    return SCIPY[record.key, *form.keywords](*(by_name[keyword] for keyword in form.keywords))


@each_truncatable
def test_a_truncated_density_has_mass_one(record):
    value, parameters = MEMBERS[record.key](np.random.default_rng(8))
    low, high = value - 0.9, value + 1.1
    kept = math.exp(log_mass(record, low, high, *parameters))
    if record.support.kind == "integer":
        inside = sum(math.exp(record.logpdf(k, *parameters)) for k in range(math.ceil(low), int(high) + 1))
    else:
        inside = quad(
            lambda x: math.exp(record.logpdf(x, *parameters)), low, high, points=[value, 0], limit=200
        )[0]
    assert kept == pytest.approx(inside, rel=1e-4)


def test_both_ends_of_a_count_are_kept():
    """Poisson(2) T(1, ) leaves out zero alone."""
    poisson = family("poisson")
    assert log_mass(poisson, 1, math.inf, 2.0) == pytest.approx(math.log(1 - math.exp(-2.0)))
    assert log_mass(poisson, 3, 3, 2.0) == pytest.approx(poisson.logpdf(3, 2.0))
    assert log_mass(family("binomial"), 7, 7, 7, 0.3) == pytest.approx(7 * math.log(0.3))


def test_a_far_tail_keeps_its_digits():
    normal = family("normal")
    assert log_mass(normal, 10.0, math.inf, 0.0, 1.0) == pytest.approx(norm.logsf(10.0), rel=1e-12)
    assert log_mass(normal, -math.inf, -10.0, 0.0, 1.0) == pytest.approx(norm.logsf(10.0), rel=1e-12)


def test_what_cannot_be_truncated():
    with pytest.raises(ValueError, match="LKJ cannot be truncated"):
        log_mass(family("lkj"), 0.0, 1.0, 3, 1.0)
    assert log_mass(family("flat"), 0.0, math.inf) == 0.0


def test_the_mass_has_a_value_in_expressions():
    mass = LogMass("normal", sp.S.Zero, sp.oo, symbol_for("m", 0.0), sp.Integer(4))
    assert value_of(mass, m=1.0) == pytest.approx(norm.logcdf(0.5))


# --- the surface in the language --------------------------------------------------------------------------


def test_lookups():
    assert family("wishart").surface == "Wishart"
    assert [record.key for record in by_surface("N")] == ["normal", "mvnormal"]
    assert [record.key for record in by_surface("InverseGamma")] == ["inverse_gamma"]
    assert by_surface("IB") == ()
    assert {"N", "IG", "Wish", "Pois", "Unif", "Normal"} <= set(surface_names())
    with pytest.raises(KeyError):
        family("IG")


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("N", ("mean", "var")),
        ("IG", ("q", "r")),
        ("Wish", ("scale", "df")),
        ("Pois", ("rate",)),
        ("Unif", ("lower", "upper")),
    ],
)
def test_short_names_mean_what_they_mean_in_the_notes(name, keywords):
    assert by_surface(name)[0].parametrisations[0].keywords == keywords


@each_family
def test_records_are_consistent(record):
    assert record.source
    assert (record.kernel is None) or record.kernel.statistics == tuple(
        record.kernel.statistic_forms(symbol_for("y", MEMBERS[record.key](np.random.default_rng(0))[0]))
    )
    for form in record.parametrisations:
        assert len(form.keywords) == len(form.roles) == len(set(form.keywords))
        for bound in (record.support.lower, record.support.upper):
            assert bound is None or bound.lstrip("-").isdigit() or bound in form.keywords
    assert record.leading <= min(len(form.keywords) for form in record.parametrisations)


def test_a_surface_name_a_shape_and_keywords_decide_the_parametrisation():
    written = [
        (r.surface, r.shape, frozenset(form.keywords)) for r in FAMILIES for form in r.parametrisations
    ]
    assert len(set(written)) == len(written)
    assert len({record.key for record in FAMILIES}) == len(FAMILIES)


def test_one_file_holds_one_family():
    found = []
    for module in pkgutil.iter_modules(families.__path__):
        loaded = import_module(f"deriver.families.{module.name}")
        own = [each for each in vars(loaded).values() if isinstance(each, Family)]
        found += [(module.name, each.key) for each in own]
    assert all(name == key for name, key in found)
    assert {key for _, key in found} == {record.key for record in FAMILIES}
