"""The records of the checker: claims as written and as resolved, slips, results and the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from deriver.language.choice import Choice
from deriver.language.shapes import Shaper
from deriver.language.syntax import ArgumentText, RangeText
from deriver.model.expressions import Expression, Reference, Span
from deriver.model.records import Range

Verdict = Literal["equal", "proportional", "wrong_parameter", "wrong"]
Proof = Literal["symbolic", "numeric"]

# The names of the slips, each a kind of edit of what was written.
SLIPS = (
    "inverse", "factor of 2", "rate for scale", "variance for sd", "variance for precision", "n for np", "J for nJ",
    "forgotten prior", "missing child", "wrong index", "sign", "transpose", "missing Jacobian",
    "exponent off by one", "wrong symbol", "wrong family",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """``prod(i: [value | parents])`` as written: one term of a Markov blanket."""

    value: Reference
    parents: tuple[Reference, ...]
    products: tuple[str, ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One right side of a claim: a family with arguments, a kernel (or its log), or a Markov blanket."""

    relation: Literal["=", "∝", "~"]
    text: str
    family: str | None = None
    arguments: tuple[ArgumentText, ...] = ()
    truncation: tuple[Expression | None, Expression | None] | None = None
    kernel: Expression | None = None
    densities: tuple[Density, ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)
    family_span: Span | None = field(default=None, compare=False, repr=False)
    choice: Choice | None = None

    @property
    def kind(self) -> Literal["family", "kernel", "blanket"]:
        """What the right side is."""
        if self.family is not None:
            return "family"
        return "kernel" if self.kernel is not None else "blanket"

    def trees(self) -> tuple[Expression, ...]:
        """Return the expressions of a family or kernel, in the order of the family's keywords."""
        if self.kernel is not None:
            return (self.kernel,)
        if self.choice is not None:
            return tuple(argument.value for argument in self.choice.arguments)
        return tuple(argument.value for argument in self.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """``name[indices] = expression`` after ``where``."""

    name: str
    indices: tuple[str, ...]
    expression: Expression
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim as written: ``log [head | .] relation line … where …``."""

    head: Expression
    log: bool
    lines: tuple[Line, ...]
    definitions: tuple[Named, ...] = ()
    ranges: tuple[RangeText, ...] = ()
    title: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A claim with its names looked up.

    ``node`` is the stochastic node whose conditional it states, ``element`` its subscripts as written;
    ``coordinate`` is what was written in the brackets, and ``own`` tells that it is the node itself.
    ``bound`` are the values of its indices; ``sizes`` the dimensions that the claim fixes (p is 2).
    """

    claim: Claim
    node: str
    element: tuple[Expression, ...]
    coordinate: Expression
    own: bool
    bound: tuple[Range, ...]
    lines: tuple[Line, ...]
    definitions: tuple[Named, ...]
    sizes: Mapping[str, Expression]
    shaper: Shaper


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """An edit that helps to make a claim right: its name, what was found where, and what it should be.

    ``aliases`` are other names of slips for an edit with the same effect.
    """

    name: str
    found: str
    instead: str
    aliases: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Return the slip as a person reads it."""
        if not self.found:
            return f"{self.name}: {self.instead} is missing"
        if not self.instead:
            return f"{self.name}: {self.found} is too much"
        return f"{self.name}: {self.found}, where {self.instead} makes it right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A parameter that differs: theirs and the right one, and how they differ in closed form, if shown."""

    name: str
    theirs: str
    right: str
    relation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterExample:
    """Round values of all that matters, and both values of what differs."""

    values: tuple[tuple[str, str], ...]
    what: str
    theirs: str
    right: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineResult:
    """The verdict on one line of a claim against the model; ``follows`` on it against the line before."""

    text: str
    line: int
    verdict: Verdict
    proof: Proof | None = None
    states: int = 0
    follows: bool | None = None
    notes: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    slips: tuple[Slip, ...] = ()
    alternatives: tuple[tuple[Slip, ...], ...] = ()
    counterexample: CounterExample | None = None

    @property
    def passed(self) -> bool:
        """Tell whether the line is right."""
        return self.verdict in ("equal", "proportional")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The verdict on a claim: that of its first wrong line, or of its last line where all are right."""

    title: str
    node: str
    line: int
    lines: tuple[LineResult, ...]

    @property
    def first_wrong(self) -> LineResult | None:
        """Return the first line that is wrong."""
        return next((each for each in self.lines if not each.passed), None)

    @property
    def deciding(self) -> LineResult:
        """Return the line that decides."""
        return self.first_wrong or self.lines[-1]

    @property
    def verdict(self) -> Verdict:
        """``equal``, ``proportional``, ``wrong_parameter`` or ``wrong``."""
        return self.deciding.verdict

    @property
    def slips(self) -> tuple[Slip, ...]:
        """Return the likely slips of the line that decides."""
        return self.deciding.slips

    @property
    def passed(self) -> bool:
        """Tell whether every line is right."""
        return self.first_wrong is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The results of all claims of a text, in its order."""

    model: str
    origin: str
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Tell whether all claims are right."""
        return all(result.passed for result in self.results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def render(self, format: str = "text") -> str:
        """Return the report as ``text``, ``markdown`` or ``json``."""
        from deriver.checking.report import render_report

        return render_report(self, format)
