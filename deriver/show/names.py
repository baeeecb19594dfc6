"""Show stage, names: a declared name as a letter with its marks (``sigma2_beta`` is σ² with subscript β).

One rule for every target: the pieces between underscores are the letter and its subscripts; digits at the end
of the letter are a subscript too, except a 2 after the letter of a standard deviation, which is a square
unless the model also has the letter with a 1 (then it is the second of a series).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from deriver.model.records import Model

GREEK: dict[str, str] = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ",
    "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ",
    "psi": "ψ", "omega": "ω",
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ",
    "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip

_SPREADS = ("sigma", "tau", "omega", "s")
_DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@dataclass(frozen=True, slots=True)
class Letter:
    """A name taken apart: its letter, whether it is a square, and what stands below it."""

    letter: str
    squared: bool
    marks: tuple[str, ...]


def take_apart(name: str, siblings: Collection[str] = ()) -> Letter:
    """Return the parts of a name; ``siblings`` are all the names of the model."""
    head, *marks = [piece for piece in name.split("_") if piece] or [name]
    match = re.fullmatch(r"([^\d]+)(\d+)", head)
    if match is None:
        return Letter(head, False, tuple(marks))
    letter, digits = match.groups()
    if digits == "2" and letter in _SPREADS and f"{letter}1" not in siblings:
        return Letter(letter, True, tuple(marks))
    return Letter(letter, False, (digits, *marks))


def lower_digits(digits: str) -> str:
    """Return the digits as Unicode subscripts."""
    return digits.translate(_DIGITS)


def raise_digits(digits: str) -> str:
    """Return an integer as Unicode superscripts."""
    return digits.translate(_RAISED)


def to_unicode(piece: str) -> str:
    """Return a piece of a name with Greek letters as such: ``phi`` is φ."""
    match = re.fullmatch(r"([^\d]+)(\d*)", piece)
    if match and match[1] in GREEK:
        return GREEK[match[1]] + lower_digits(match[2])
    return piece


def to_latex(piece: str) -> str:
    """Return a piece of a name in LaTeX: Greek as commands, long words upright."""
    piece, primes = piece.rstrip("′″"), len(piece) - len(piece.rstrip("′″")) + piece.count("″")
    match = re.fullmatch(r"([^\d]+)(\d*)", piece)
    if match is None:
        return piece
    word, digits = match.groups()
    if word in GREEK:
        letter = "\\" + word if word not in ("upsilon", "Upsilon") else "\\upsilon"
    else:
        letter = word if len(word) == 1 else rf"\mathrm{{{word}}}"
    return (f"{letter}_{{{digits}}}" if digits else letter) + "'" * primes


def names_of(model: Model) -> frozenset[str]:
    """Return every name that a model declares."""
    return frozenset([given.name for given in model.givens] + [node.name for node in model.nodes])
