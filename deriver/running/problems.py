"""Collecting what is wrong with data, mapping and values, so that all of it is reported at once.

Part of stage run.
"""

from __future__ import annotations

from deriver.errors import DataError, DeriverError, Mistake, UsageError


class Problems:
    """The mistakes found so far; ``origin`` is the name of the data, for messages."""

    def __init__(self, origin: str = "data") -> None:
        self.origin = origin
        self._found: dict[Mistake, None] = {}
        self._usage = True

    def add(
        self, code: str, found: str, *, expected: str = "", remedy: str = "", usage: bool = False
    ) -> None:
        """Record one mistake; ``usage`` marks one in the options rather than in the data."""
        self._usage = self._usage and usage
        self._found.setdefault(Mistake(code=code, found=found, expected=expected, remedy=remedy))

    def add_error(self, error: DeriverError) -> None:
        """Record the mistakes of an error that was raised further down."""
        self._usage = self._usage and isinstance(error, UsageError)
        for mistake in error.mistakes:
            self._found.setdefault(mistake)

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """Return the mistakes found so far."""
        return tuple(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_any(self) -> None:
        """Raise all mistakes as one error, if there are any."""
        if self._found:
            raise (UsageError(self._found) if self._usage else DataError(self._found, self.origin))
