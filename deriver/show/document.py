"""Show stage, the document: what is said about each node, before the format is chosen.

``steps`` makes it from the engine's records; ``terminal``, ``markdown`` and ``tex`` set it.
"""

from __future__ import annotations

from dataclasses import dataclass

from deriver.show.notation import Bound, Notation

Words = tuple[str | Notation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of an aligned display: ``left relation right`` and, beside it, where it holds.

    ``relation`` is ``=`` or ``prop`` (proportional to); ``left`` None continues the line above.
    ``constant`` adds "+ const" to the right side.
    """

    left: Notation | None
    relation: str
    right: Notation
    where: tuple[Notation, ...] = ()
    constant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """Rows aligned at their relations, after a line of words that says what they are."""

    words: Words
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A paragraph of words and inline mathematics."""

    words: Words


Block = Display | Paragraph


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What is said of one node: ``title`` its element, ``ranges`` the values of its indices."""

    title: Notation
    ranges: tuple[Bound, ...]
    verdict: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole derivation: the joint density, one section a node, then what holds of several nodes together."""

    title: str
    opening: tuple[Block, ...]
    sections: tuple[Section, ...]
    closing: tuple[Block, ...] = ()
