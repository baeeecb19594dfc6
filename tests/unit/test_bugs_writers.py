"""Models of ours for JAGS and Stan: expected texts, their shape, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import deriver
from deriver.bugs import to_jags, to_stan
from deriver.errors import ModelError
from deriver.model.records import Model

WRITTEN = Path(__file__).resolve().parents[1] / "bugs" / "written"
MODELS = ("wishart", "all_random", "free_covariance", "state_space", "poisson", "zoo")
WRITERS = {"jags": to_jags, "stan": to_stan}


def model_of(name: str) -> Model:
    path = WRITTEN / f"{name}.model"
    return deriver.load_model(path if path.is_file() else name)


@pytest.mark.parametrize("language", WRITERS)
@pytest.mark.parametrize("name", MODELS)
def test_text_is_the_expected_one(name: str, language: str, update_generated: bool) -> None:
    text = WRITERS[language](model_of(name))
    path = WRITTEN / f"{name}.{language}"
    if update_generated:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODELS)
def test_brackets_of_stan_are_closed_and_statements_end(name: str) -> None:
    text = re.sub(r"//[^\n]*", "", to_stan(model_of(name)))
    for opening, closing in ("()", "[]", "{}"):
        assert text.count(opening) == text.count(closing)
    for line in text.split("\n"):
        assert not line.strip() or line.rstrip()[-1] in ";{}"


@pytest.mark.parametrize("name", MODELS)
def test_every_name_of_stan_is_declared(name: str) -> None:
    """Names in the blocks of statements are declared, are loop variables, or are followed by a bracket."""
    text = re.sub(r"//[^\n]*", "", to_stan(model_of(name)))
    declared = set(re.findall(r"(?:\]|>|real|int)\s+([A-Za-z]\w*)(?:;| = 0;)", text))
    loops = set(re.findall(r"for \((\w+) in", text))
    body = text[text.index("parameters {") :]
    used = set(re.findall(r"(?<![\w.])([A-Za-z]\w*)(?!\w*\s*\()", body))
    words = {
        "parameters", "transformed", "model", "array", "vector", "matrix", "real", "int", "for", "in", "if", "lower",
        "upper", "T", "simplex", "cov_matrix",
    }  # fmt: skip
    assert {name for name in used - declared - loops - words if not name.startswith("e")} == set()


def statement(line: str, layer: str = "parameters") -> str:
    return f"model a\nplates\n  i = 1..n\ndata\n  y[i] ~ N(m, v)\n{layer}\n  m ~ N(0, 1)\n  v ~ IG(1, 1)\n  {line}\n"


@pytest.mark.parametrize(
    ("line", "language", "parts"),
    [
        (
            "f ~ Flat()",
            "jags",
            ("line 9: the distribution flat cannot be written for JAGS", "wide normal prior"),
        ),
        ("k ~ Pois(3)", "stan", ("line 9: the discrete parameter `k` cannot be written for Stan", "by hand")),
        ("w ~ PolyaGamma(1, 2)", "stan", ("line 9: the distribution polya gamma cannot",)),
        ("w ~ PolyaGamma(1, 2)", "jags", ("line 9: the distribution polya gamma cannot",)),
    ],
)
def test_what_has_no_counterpart_is_named_by_line(line: str, language: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(ModelError) as caught:
        WRITERS[language](deriver.parse_model(statement(line)))
    for part in parts:
        assert part in str(caught.value)


def test_an_observed_inverse_gamma_is_refused_by_jags() -> None:
    text = "model a\nplates\n  i = 1..n\ndata\n  y[i] ~ IG(2, b)\nparameters\n  b ~ Gamma(shape=1, rate=1)\n"
    with pytest.raises(ModelError, match="line 5: an observed inverse gamma"):
        to_jags(deriver.parse_model(text))


def test_parameters_over_a_ragged_plate_are_refused_by_stan() -> None:
    text = (
        "model a\nplates\n  i = 1..n\n  j = 1..J[i]\ndata\n  y[i,j] ~ N(u[i,j], 1)\nprocess\n"
        "  u[i,j] ~ N(0, v)\nparameters\n  v ~ IG(1, 1)\n"
    )
    with pytest.raises(ModelError, match="line 8: `u` over a ragged plate"):
        to_stan(deriver.parse_model(text))
    assert "for (j in 1:J[i]) {" in to_jags(deriver.parse_model(text))


def test_whole_numbers_are_not_divided_by_whole_numbers() -> None:
    text = "model a\nplates\n  i = 1..n\ngiven\n  k : integer > 0\ndata\n  y[i] ~ N(m, k/n)\nparameters\n  m ~ N(0, 1/2)\n"
    written = to_stan(deriver.parse_model(text))
    assert "sqrt(1.0 * k / n)" in written
    assert "sqrt(1.0 / 2.0)" in written
