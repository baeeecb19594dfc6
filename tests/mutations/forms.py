"""The forms of a claim: one conditional as people write it, in families, other coordinates, named parts and kernels.

Input: the parameters of a conditional in several spellings: precision and linear form (normal), shape and scale
(inverse gamma), degrees of freedom and inverse scale (Wishart).  Output: ``Claim`` records, and ``model_of`` for the
models that they are about.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle

import deriver
from deriver.language import parse_model
from deriver.model.records import Model

from .packaged import packaged_text

# Models whose rows name their group in a column g[k]: their text stands with their hand-coded joint density.
LONG_FORMAT = ("random_intercepts_long", "nested_groups", "crossed_groups")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a claim is about: the node, its element, and which terms come from the prior and which from children.

    ``element`` is how the node is written (``beta[i]``), ``prior`` and ``child`` are regular expressions that tell
    a term of the prior from a term of a child.
    """

    model: str
    node: str
    element: str
    prior: str
    child: str
    ranges: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim in parts: ``log [head | .] relation family(arguments) for ranges where names``.

    ``family`` is empty for a kernel, whose expression is the only argument.  ``coordinate`` says how the head is
    made from the node: ``own``, ``inverse``, ``matrix inverse``, ``log``, ``root`` or ``exp``.
    """

    subject: Subject
    head: str
    coordinate: str
    family: str
    arguments: tuple[tuple[str, str], ...]
    names: tuple[tuple[str, str], ...] = ()
    log: bool = False

    def text(self) -> str:
        """Return the claim as a person writes it."""
        written = ", ".join(f"{keyword}={value}" if keyword else value for keyword, value in self.arguments)
        right = f"= {self.family}({written})" if self.family else f"∝ {written}"
        ranges = f" for {self.subject.ranges}" if self.subject.ranges else ""
        names = ", ".join(f"{name} = {value}" for name, value in self.names)
        where = f" where {names}" if names else ""
        return f"{'log ' if self.log else ''}[{self.head} | .] {right}{ranges}{where}"

    def two_coefficients(self) -> bool:
        """Tell whether the text fixes p at 2, by a matrix written out."""
        return "[1, rho; rho, 1]" in self.text()


@lru_cache(maxsize=64)
def model_of(key: str) -> Model:
    """Return the model of a key; ``NAME balanced`` has the same number of repeats J for all."""
    name, _, balanced = key.partition(" ")
    if name in LONG_FORMAT:
        return parse_model(importlib.import_module(f"tests.hand.{name}").MODEL)
    if name == "all_random_two":
        return parse_model(packaged_text(name, "claims"))
    if balanced:
        return parse_model(packaged_text(name).replace("J[i]", "J"))
    return deriver.load_model(name)


# --- forms ----------------------------------------------------------------------------------------------------------

Pair = tuple[str, str]


def normal(subject: Subject, *spellings: Pair) -> list[Claim]:
    """A normal number in six forms, from spellings (precision, linear form)."""
    e = subject.element
    forms = (
        ("N", (("", "b / A"), ("", "1 / A")), (("A", "{A}"), ("b", "{b}"))),
        ("Normal", (("mean", "b / A"), ("prec", "A")), (("b", "{b}"), ("A", "{A}"))),
        ("Normal", (("mean", "c0"), ("var", "V")), (("V", "1 / ({A})"), ("c0", "V * ({b})"))),
        ("Normal", (("mean", "({b}) * s^2"), ("sd", "s")), (("s", "1 / sqrt({A})"),)),
        ("N", (("", "({b}) / ({A})"), ("", "({A})^(-1)")), ()),
        ("", (("", "exp(-({A}) * {e}^2 / 2 + ({b}) * {e})"),), ()),
        ("log", (("", "b * {e} - A * {e}^2 / 2"),), (("A", "{A}"), ("b", "{b}"))),
    )
    return _fill(subject, forms, spellings, e)


def mvnormal(subject: Subject, *spellings: Pair) -> list[Claim]:
    """A normal vector in six forms, from spellings (precision, linear form)."""
    forms = (
        ("N", (("", "inv(A) * b"), ("", "inv(A)")), (("A", "{A}"), ("b", "{b}"))),
        ("Normal", (("mean", "inv(A) * b"), ("prec", "A")), (("b", "{b}"), ("A", "{A}"))),
        ("Normal", (("mean", "V * b"), ("cov", "V")), (("V", "inv({A})"), ("b", "{b}"))),
        ("Normal", (("mean", "inv({A}) * ({b})"), ("prec", "{A}")), ()),
        ("N", (("", "c0"), ("", "V")), (("V", "inv({A})"), ("c0", "V * ({b})"))),
        ("log", (("", "b' * {e} - {e}' * A * {e} / 2"),), (("A", "{A}"), ("b", "{b}"))),
        ("", (("", "exp(-1/2 * ({e}' * ({A}) * {e} - 2 * {e}' * ({b})))"),), ()),
    )
    return _fill(subject, forms, spellings, subject.element)


def inverse_gamma(subject: Subject, *spellings: Pair) -> list[Claim]:
    """An inverse gamma variance in eight forms, from spellings (shape, scale)."""
    forms = (
        ("IG", (("", "{A}"), ("", "1 / ({b})")), ()),
        ("InverseGamma", (("shape", "{A}"), ("scale", "{b}")), ()),
        ("IG", (("", "a0"), ("", "1 / s")), (("a0", "{A}"), ("s", "{b}"))),
        ("1/ Gamma", (("shape", "{A}"), ("rate", "{b}")), ()),
        ("1/ Gamma", (("shape", "a0"), ("scale", "1 / s")), (("s", "{b}"), ("a0", "{A}"))),
        ("log", (("", "-({A} + 1) * log({e}) - ({b}) / {e}"),), ()),
        ("", (("", "{e}^(-({A} + 1)) * exp(-({b}) / {e})"),), ()),
        ("InverseGamma", (("shape", "a0"), ("scale", "{b}")), (("a0", "{A}"),)),
        ("1/ ", (("", "(1 / {e})^({A} - 1) * exp(-({b}) / {e})"),), ()),
        ("log log", (("", "-({A}) * log({e}) - ({b}) / {e}"),), ()),
    )
    return _fill(subject, forms, spellings, subject.element)


def wishart(subject: Subject, inverse: str, *spellings: Pair) -> list[Claim]:
    """A Wishart precision in seven forms, from spellings (degrees of freedom, inverse scale)."""
    forms = (
        ("Wish", (("", "inv({b})"), ("", "{A}")), ()),
        ("Wishart", (("rate", "{b}"), ("df", "{A}")), ()),
        ("Wishart", (("scale", "inv(B)"), ("df", "{A}")), (("B", "{b}"),)),
        ("Wish", (("", "inv(B)"), ("", "d")), (("B", "{b}"), ("d", "{A}"))),
        (f"{inverse}/ InverseWishart", (("scale", "{b}"), ("df", "{A}")), ()),
        ("log", (("", "({A} - p - 1) / 2 * log(det({e})) - tr(({b}) * {e}) / 2"),), ()),
        ("", (("", "det({e})^(({A} - p - 1) / 2) * exp(-tr(({b}) * {e}) / 2)"),), ()),
    )
    return _fill(subject, forms, spellings, subject.element)


def _fill(subject: Subject, forms: tuple, spellings: tuple[Pair, ...], element: str) -> list[Claim]:
    """Every form with the spellings in turn, and every further spelling in the first form."""
    pairs = [(form, spelling) for form, spelling in zip(forms, cycle(spellings), strict=False)]
    pairs += [(forms[0], spelling) for spelling in spellings[1:]]
    return [_write(subject, form, spelling, element) for form, spelling in pairs]


def _write(subject: Subject, form: tuple, spelling: Pair, element: str) -> Claim:
    words, arguments, names = form

    def put(text: str) -> str:
        return text.replace("{A}", spelling[0]).replace("{b}", spelling[1]).replace("{e}", element)

    start, _, family = words.rpartition(" ")
    log = family == "log"
    head, coordinate = _head(start, element)
    return Claim(
        subject=subject,
        head=head,
        coordinate=coordinate,
        family="" if log else family,
        arguments=tuple((keyword, put(value)) for keyword, value in arguments),
        names=tuple((name, put(value)) for name, value in names),
        log=log,
    )


def _head(start: str, element: str) -> tuple[str, str]:
    if start == "":
        return element, "own"
    if start == "log":
        return f"log({element})", "log"
    if start == "1/":
        return f"1/{element}", "inverse"
    return start.rstrip("/"), "matrix inverse"


def kernels(subject: Subject, *texts: str, names: tuple[Pair, ...] = (), head: str = "") -> list[Claim]:
    """Log kernels, and the first of them once more on the natural scale; ``head`` is another coordinate's."""
    coordinate = "exp" if head else "own"
    parts = [(text, True) for text in texts] + [(f"exp({texts[0]})", False)]
    used = [tuple(pair for pair in names if _uses(text, pair[0], names)) for text, _ in parts]
    return [
        Claim(
            subject=subject, head=head or subject.element, coordinate=coordinate, family="",
            arguments=(("", text),), names=own, log=log,
        )
        for (text, log), own in zip(parts, used, strict=True)
    ]  # fmt: skip


def _uses(text: str, name: str, names: tuple[Pair, ...]) -> bool:
    base = name.partition("[")[0]
    everywhere = text + " ".join(value for other, value in names if other != name)
    return (
        f" {base} "
        in f" {everywhere.replace('[', ' ').replace('(', ' ').replace(')', ' ').replace('*', ' ')} "
    )
