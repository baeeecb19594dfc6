"""What can go wrong, as typed data; worded in one place.

A ``Mistake`` is one thing that the user can mend: it names the line with a caret, says what was found, what
was expected and what to do.  All the mistakes of a text or data set are collected and raised together in one
``ModelError``, ``DataError`` or ``UsageError``.  ``InternalError`` is a fault of deriver itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake: ``found`` and ``expected`` are short sentences, ``remedy`` says what to do."""

    code: str
    found: str
    expected: str = ""
    remedy: str = ""
    line: int | None = None
    start: int = 0
    end: int = 0
    text: str = field(default="", compare=False)

    def render(self, origin: str = "model") -> str:
        """Return the message as a person reads it, with the line and a caret under the place."""
        lines = [f"{origin}, line {self.line}: {self.found}" if self.line else f"{origin}: {self.found}"]
        if self.text:
            width = max(1, self.end - self.start)
            lines += ["    " + self.text, "    " + " " * self.start + "^" * width]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.remedy:
            lines.append(f"  to mend:  {self.remedy}")
        return "\n".join(lines)


def not_reduced(found: str, remedy: str = "--reduce off keeps the rows in memory") -> Mistake:
    """Return the mistake of a model that cannot do without its rows."""
    return Mistake(
        code="not-reduced", found=found, remedy=remedy,
        expected="a model whose sampler reads sums and least-squares fits of the rows only",
    )  # fmt: skip


class DeriverError(Exception):
    """Base of every error that a user's input can cause; ``mistakes`` holds them all."""

    origin = "input"

    def __init__(self, mistakes: Iterable[Mistake], origin: str | None = None) -> None:
        self.mistakes = tuple(mistakes)
        self.origin = origin or type(self).origin
        super().__init__("\n".join(mistake.render(self.origin) for mistake in self.mistakes))


class ModelError(DeriverError):
    """The model text or builder calls are not a legal model."""

    origin = "model"


class DataError(DeriverError):
    """The data, mapping, hyperparameter or starting values do not fit the model."""

    origin = "data"


class UsageError(DeriverError):
    """A command or an argument of a function cannot be carried out as asked."""

    origin = "command"


class InternalError(Exception):
    """A fault of deriver itself: the density-ratio identity failed, or an invariant broke."""
