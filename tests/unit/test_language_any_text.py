"""Whatever the text, the answer is a model or a ``ModelError``: never a bare traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deriver.examples
from deriver.errors import ModelError
from deriver.language import parse_expression, parse_model, print_model

TEXTS = [
    path.read_text()
    for folder in (Path(deriver.examples.__path__[0]) / "models", Path(__file__).parents[1] / "bad_models")
    for path in sorted(folder.glob("*.model"))
]
PIECES = [
    "[", "]", "(", ")", "'", "*", "~", "=", ",", ":", "..", "0", "1", "-", "i", "j", "t", "n", "p", "beta", "rho",
    "for", "in", "sum(", "where", "inv(", "log(", "N(", "IG(", "Wish(", "\n", " ", "#", "inf", "->", ">", "^",
    "[1, rho; rho, 1]", "\ndata\n", "\ngiven\n", "\u03a3", "\x00", "\r", "\t", "\u2028", "x[i,:]", "z[t-1]", "1e9",
    " T(0, inf)", "subset(i)", "integer", "vector(p)", "matrix(p,q)", "g : k -> i", "\nk = 1..K\n", "lambda",
]  # fmt: skip


def is_answered(text: str) -> bool:
    """Tell whether a text is refused in words, or read as a model that prints back to itself."""
    try:
        model = parse_model(text)
    except ModelError as error:
        return bool(error.mistakes and str(error))
    return parse_model(print_model(model)) == model


@given(st.sampled_from(TEXTS), st.data())
@settings(max_examples=250, deadline=None)
def test_changed_models(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 6)))
        text = text[:start] + data.draw(st.sampled_from(PIECES)) + text[end:]
    assert is_answered(text)


@given(st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_random_characters(text: str) -> None:
    assert is_answered(text)
    assert is_answered(f"model m\ndata\n  y ~ N({text}, 1)\n")


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@settings(max_examples=150, deadline=None)
def test_random_pieces(text: str) -> None:
    assert is_answered(f"model m\nplates\n  i = 1..n\n  t = 1..T\ndata\n  y[i] ~ N({text}, 1)\n")
    try:
        parse_expression(text)
    except ModelError as error:
        assert error.mistakes


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 5000 + "1" + ")" * 5000,
        "-" * 5000 + "1",
        "x" + "'" * 5000,
        "1" + "+1" * 5000,
        "2" + "^2" * 5000,
        "exp(" * 5000 + "1" + ")" * 5000,
        "[" * 5000,
        "x[" * 5000,
        "sum(i:" * 5000,
        "9" * 5000,
        "1e" + "9" * 5000,
        "((9e249^16)^16)^16^16^16",
        "1e250*1e250*1e250/1e-250",
    ],
)
def test_deep_or_large(expression: str) -> None:
    assert is_answered(
        f"model m\nplates\n  i = 1..n\ndata\n  y ~ N({expression}, {expression})\n  x[i] ~ N(0, 1)\n"
    )


def test_long_chain_of_definitions() -> None:
    lines = [f"  a{k} = a{k - 1} + 1" for k in range(1, 800)]
    assert is_answered("model m\ndata\n  a0 ~ N(0, 1)\n" + "\n".join(lines) + "\n  y ~ N(0, a799)\n")


@pytest.mark.parametrize(
    "name", ["__import__", "os.system", "eval('1')", "a;b", "{{x}}", "a__class__", "class"]
)
def test_hostile_names_are_refused(name: str) -> None:
    with pytest.raises(ModelError):
        parse_model(f"model m\nparameters\n  {name} ~ N(0, 1)\n")
    with pytest.raises(ModelError):
        parse_model(f"model {name}\nparameters\n  a ~ N(0, 1)\n")
