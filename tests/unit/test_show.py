"""Derivations as text, Markdown and LaTeX: complete, in the notes' form, and the same on every run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deriver.errors import UsageError
from deriver.show import render
from deriver.show.wrap import break_lines, latex_width, text_width
from tests.unit.show_models import NAMES, derivation_of

ROOT = Path(__file__).resolve().parents[2]


def shown(name: str, node: str | None = None, **options: object) -> str:
    return render(derivation_of(name), "text", node, **options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("format", ["text", "markdown", "latex", "json"])
def test_every_model_renders_in_every_format(name: str, format: str) -> None:
    text = render(derivation_of(name), format)
    assert text.endswith("\n")
    assert not re.search(r"[\ue000-\ue00f]", text), "a place to break was left in"


@pytest.mark.parametrize("name", NAMES)
def test_text_keeps_to_its_width(name: str) -> None:
    assert max(text_width(line) for line in shown(name).splitlines()) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_every_node_has_its_section(name: str) -> None:
    rules = [line for line in shown(name).splitlines() if set(line) == {"─"}]
    assert len(rules) == 2 * len(derivation_of(name).conditionals)


def test_a_vector_of_coefficients_reads_as_in_the_notes() -> None:
    text = shown("all_random", "beta")
    assert "[β_i | ·] ∝ ∏_j [y_ij | β_i, σ²] [β_i | μ, σ²_β, ρ]" in text
    assert "log [β_i | ·] = −∑_j (y_ij − x_ij′β_i)²/(2σ²) − ½ (β_i − μ)′Σ⁻¹(β_i − μ) + const" in text
    assert "[β_i | ·] = N(A⁻¹b, A⁻¹)" in text
    assert "A = ∑_j x_ij x_ij′/σ² + Σ⁻¹" in text
    assert "b = ∑_j x_ij y_ij/σ² + Σ⁻¹μ" in text


def test_a_variance_shows_the_notes_r_and_its_scale() -> None:
    text = shown("all_random", "sigma2")
    assert "[σ² | ·] = IG(q̃, r̃)" in text
    assert "q̃ = ½ ∑_i J_i + q" in text
    assert "r̃ = (½ ∑_ij (y_ij − x_ij′β_i)² + 1/r)⁻¹" in text
    assert "shape q̃, scale 1/r̃" in text


def test_a_wishart_shows_its_scale_inverted() -> None:
    text = shown("wishart", "Q")
    assert "Ṽ = (∑_i (β_i − μ)(β_i − μ)′ + ν S)⁻¹" in text
    assert "ν̃ = n + ν" in text


def test_a_chain_shows_first_interior_and_last() -> None:
    text = shown("state_space", "z")
    assert "[z_0 | ·] ∝ [z_1 | z_0, φ, σ²_z] [z_0]" in text
    assert "A = φ²/σ²_z + 1/v₀    for t = 0" in text
    assert "A = 1/σ²_y + (1 + φ²)/σ²_z    for t = 1..T−1" in text
    assert "A = 1/σ²_y + 1/σ²_z    for t = T" in text
    assert "b = y_t/σ²_y + φ(z_{t−1} + z_{t+1})/σ²_z    for t = 1..T−1" in text
    assert "b = y_T/σ²_y + φ z_{T−1}/σ²_z    for t = T" in text


def test_a_group_is_a_sum_over_its_members() -> None:
    text = shown("crossed", "beta")
    assert "∏_{k : g_k = s} [y_k | β_s, δ_{h_k}, σ²]" in text
    assert "A = ∑_{k : g_k = s} x_k x_k′/σ² + Q" in text


def test_one_coefficient_leaves_the_others_as_a_sum() -> None:
    text = shown("coefficients", "beta")
    assert "(y_ij − x_ij′β_{i·})²/(2σ²)" in text
    assert "∑_{c″ ≠ c} β_{i,c″} x_{ij,c″}" in text


def test_a_transformed_node_reads_as_it_was_written() -> None:
    text = shown("log_scale")
    assert "log σ_i,  i = 1..n" in text
    assert "log_sigma" not in text


def test_a_refused_node_says_why_and_where_it_lies() -> None:
    text = shown("all_random", "rho")
    assert "Not conjugate:" in text
    assert "Here ρ ∈ (−1/max(p − 1, 1), 1)." in text
    assert "Metropolis–Hastings" in text


def test_data_come_before_priors() -> None:
    assert "q̃ = n p/2 + q_β" in shown("all_random", "sigma2_beta")
    assert "A = n/σ²₀ + 1/σ²₀₀" in shown("random_intercepts", "mu0")


def test_ascii_has_nothing_else() -> None:
    text = render(derivation_of("all_random"), "text", unicode=False)
    assert text.isascii()
    assert "sigma2_beta" in text


def test_latex_is_a_whole_document_with_the_notes_symbols() -> None:
    text = render(derivation_of("all_random"), "latex")
    assert text.startswith(r"\documentclass") and text.rstrip().endswith(r"\end{document}")
    assert r"\Sigma^{-1}" in text and r"\sigma^2_{\beta}" in text and r"x_{ij}'" in text
    assert r"\sum_{j=1}^{J_{i}}" in text
    assert text.count(r"\begin{align*}") == text.count(r"\end{align*}") > 10
    assert text.isascii() or "–" not in text


@pytest.mark.parametrize("name", NAMES)
def test_markdown_uses_no_command_that_readers_of_markdown_eat(name: str) -> None:
    text = render(derivation_of(name), "markdown")
    assert not re.search(r"\\[^A-Za-z\\\n ]", re.sub(r"\\[*_\[\]<>`]", "", text))
    assert text.count("$$") % 2 == 0


def test_a_node_or_format_that_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match="no conditional of a node `tau`"):
        render(derivation_of("all_random"), "text", "tau")
    with pytest.raises(UsageError, match="one of text, markdown, latex, json"):
        render(derivation_of("all_random"), "html")  # type: ignore[arg-type]


SCRIPT = """
from tests.unit.show_models import derivation_of
from deriver.language import parse_model
from deriver.show import render
from deriver.show.graph import draw_graph
for name in ("free_covariance", "chains"):
    derivation = derivation_of(name)
    for format in ("text", "latex", "json"):
        print(render(derivation, format))
    print(draw_graph(derivation.model))
"""


def test_the_output_does_not_depend_on_the_hash_seed() -> None:
    outputs = set()
    for seed in ("0", "1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, check=True, env=environment, cwd=ROOT
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1


def test_lines_break_outside_brackets_first() -> None:
    outer, inner = "\ue000", "\ue001"
    text = f"aaaa{outer}+ (bbbb{inner}+ cccc){outer}+ dddd"
    assert break_lines(text, 40) == [(0, "aaaa + (bbbb + cccc) + dddd")]
    assert break_lines(text, 16) == [(0, "aaaa"), (0, "+ (bbbb + cccc)"), (0, "+ dddd")]
    assert break_lines(text, 10) == [(0, "aaaa"), (0, "+ (bbbb"), (1, "+ cccc)"), (0, "+ dddd")]


def test_the_width_of_latex_is_that_of_what_is_seen() -> None:
    assert latex_width(r"\frac{aaaa}{b}") < latex_width("aaaa b")
    assert latex_width(r"x_{ij}^{2}") < latex_width(r"x_{ij} 2")
