"""Show stage, the form in which each family's conditional is stated, as data.

A form names the letters that stand for the parameters and the arguments that the family takes in the notes:
N(A⁻¹b, A⁻¹), IG(q̃, r̃) with r̃ the inverse of the scale.  No entry knows a model.
"""

from __future__ import annotations

from dataclasses import dataclass

from deriver.families import family
from deriver.show import notation as n


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One letter: the parameter it stands for, or (``inverse``) its inverse; what it is called in words."""

    letter: n.Letter
    parameter: str
    inverse: bool = False
    matrix: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The letters of a family, its arguments in terms of them, and a remark on what they are."""

    entries: tuple[Entry, ...]
    arguments: tuple[n.Notation, ...]
    remark: tuple[str | n.Notation, ...] = ()


_A, _B = n.Letter("A"), n.Letter("b")
_INVERSE = n.Power(_A, n.Minus(n.ONE), matrix=True)


def _tilde(letter: str) -> n.Letter:
    return n.Letter(letter, tilde=True)


def _plain(*pairs: tuple[str, str]) -> Form:
    """A form whose arguments are the parameters themselves, each under a letter with a tilde."""
    entries = tuple(Entry(letter=_tilde(letter), parameter=parameter) for letter, parameter in pairs)
    remark: tuple[str | n.Notation, ...] = ()
    for letter, entry in zip((letter for letter, _ in pairs), entries, strict=True):
        if letter != entry.parameter:
            remark += (", " if remark else "", entry.parameter + " ", entry.letter)
    return Form(entries=entries, arguments=tuple(entry.letter for entry in entries), remark=remark)


FORMS: dict[str, Form] = {
    "normal": Form(
        entries=(Entry(letter=_A, parameter="precision"), Entry(letter=_B, parameter="linear")),
        arguments=(n.Over(_B, _A), n.Over(n.ONE, _A)),
        remark=("mean ", n.Over(_B, _A), ", variance ", n.Over(n.ONE, _A)),
    ),
    "mvnormal": Form(
        entries=(Entry(letter=_A, parameter="precision"), Entry(letter=_B, parameter="linear")),
        arguments=(n.Times((_INVERSE, _B)), _INVERSE),
        remark=("mean ", n.Times((_INVERSE, _B)), ", covariance ", _INVERSE),
    ),
    "inverse_gamma": Form(
        entries=(
            Entry(letter=_tilde("q"), parameter="shape"),
            Entry(letter=_tilde("r"), parameter="scale", inverse=True),
        ),
        arguments=(_tilde("q"), _tilde("r")),
        remark=("shape ", _tilde("q"), ", scale ", n.Over(n.ONE, _tilde("r"))),
    ),
    "gamma": _plain(("a", "shape"), ("b", "rate")),
    "sqrt_inverse_gamma": _plain(("a", "shape"), ("b", "scale")),
    "beta": _plain(("a", "a"), ("b", "b")),
    "dirichlet": _plain(("a", "concentration")),
    "wishart": Form(
        entries=(
            Entry(letter=_tilde("V"), parameter="inverse_scale", inverse=True, matrix=True),
            Entry(letter=_tilde("nu"), parameter="df"),
        ),
        arguments=(_tilde("V"), _tilde("nu")),
        remark=("mean ", n.Times((_tilde("nu"), _tilde("V")))),
    ),
    "inverse_wishart": Form(
        entries=(
            Entry(letter=_tilde("S"), parameter="scale"),
            Entry(letter=_tilde("nu"), parameter="df"),
        ),
        arguments=(_tilde("S"), _tilde("nu")),
    ),
}


def form_of(key: str, parameters: tuple[str, ...]) -> Form:
    """Return the form of a family; one without an entry is stated in its own parameters."""
    own = FORMS.get(key)
    if own is not None and {entry.parameter for entry in own.entries} <= set(parameters):
        return own
    entries = tuple(Entry(letter=n.Letter(name), parameter=name) for name in parameters)
    return Form(entries=entries, arguments=tuple(entry.letter for entry in entries))


def short_name(key: str) -> str:
    """Return the family's short name, as in the notes, or its long one."""
    record = family(key)
    return record.short or record.surface
