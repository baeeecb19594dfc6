"""Show stage, a document as text for the terminal, at most ``width`` columns where the formulas allow it."""

from __future__ import annotations

from deriver.show.document import Block, Display, Document, Paragraph, Row, Section, Words
from deriver.show.notation import Notation
from deriver.show.text import TextSpelling
from deriver.show.wrap import break_lines, text_width

_INDENT = "    "
_TIED = "\u00a0"


class Terminal:
    """Sets documents with one spelling and width."""

    def __init__(self, spelling: TextSpelling, width: int = 96) -> None:
        self.spelling = spelling
        self.width = width
        glyphs = spelling.glyphs
        self._relations = {"=": "=", "prop": glyphs.proportional, "colon": ":"}

    def set_document(self, document: Document) -> str:
        """Return the whole document."""
        parts = [self._title(document.title)] + [self._block(block) for block in document.opening]
        parts += [self._section(section) for section in document.sections]
        if document.closing:
            parts.append(self._underlined("Drawn together"))
        parts += [self._block(block) for block in document.closing]
        return "\n\n".join(parts) + "\n"

    def set_blocks(self, blocks: tuple[Block, ...]) -> str:
        """Return blocks alone, without a title."""
        return "\n\n".join(map(self._block, blocks))

    def _title(self, title: str) -> str:
        return self._underlined(f"Full conditionals of the model {title}")

    def _underlined(self, words: str) -> str:
        return f"{words}\n{('=' if not self.spelling.unicode else '═') * len(words)}"

    def _section(self, section: Section) -> str:
        head = self.spelling.one_line(section.title)
        if section.ranges:
            head += ",  " + ", ".join(self.spelling.spell_bound(bound) for bound in section.ranges)
        head += f"   [{section.verdict}]"
        if not self.spelling.unicode:
            head = head.replace("–", "-")
        rule = self.spelling.glyphs.rule * self.width
        return "\n\n".join([f"{rule}\n{head}\n{rule}", *(self._block(block) for block in section.blocks)])

    def _block(self, block: Block) -> str:
        match block:
            case Paragraph(words=words):
                return self._paragraph(words)
            case Display(words=words, rows=rows):
                return self._paragraph(words) + "\n\n" + self._rows(rows)

    def _words(self, words: Words) -> str:
        text = "".join(
            self.spelling.one_line(word).replace(" ", _TIED) if isinstance(word, Notation) else word
            for word in words
        )
        return text if self.spelling.unicode else text.replace("–", "-")

    def _paragraph(self, words: Words) -> str:
        lines, current = [], ""
        for word in self._words(words).split(" "):
            if current and text_width(f"{current} {word}") > self.width - 2:
                lines.append(current)
                current = word
            else:
                current = f"{current} {word}".strip()
        return "\n".join("  " + line for line in [*lines, current]).replace(_TIED, " ")

    def _rows(self, rows: tuple[Row, ...]) -> str:
        lefts = ["" if row.left is None else self.spelling.one_line(row.left) for row in rows]
        column = max(text_width(left) for left in lefts)
        return "\n".join(self._row(row, left, int(column)) for row, left in zip(rows, lefts, strict=True))

    def _row(self, row: Row, left: str, column: int) -> str:
        relation = self._relations[row.relation]
        head = f"{_INDENT}{' ' * (column - int(text_width(left)))}{left} {relation} "
        hang = " " * int(text_width(head))
        right = self.spelling.write(row.right)
        if row.constant:
            right += self.spelling.breakpoint + "+ const"
        where = ""
        if row.where:
            where = "    for " + ", ".join(map(self.spelling.one_line, row.where))
        room = self.width - len(hang) - text_width(where)
        (_, first), *rest = break_lines(right, room, fill=row.relation == "prop")
        lines = [head + first, *(hang + "  " * step + line for step, line in rest)]
        return "\n".join(lines) + where
