"""Show stage, a document as LaTeX that compiles as it stands, or as Markdown with the same formulas."""

from __future__ import annotations

import re

from deriver.show.document import Block, Display, Document, Paragraph, Row, Section, Words
from deriver.show.latex import LatexSpelling
from deriver.show.notation import Notation
from deriver.show.wrap import break_lines, latex_width

_RELATIONS = {"=": "=", "prop": r"\propto", "colon": r"\colon"}

# How many digits wide a line of a display may be, in a document and in Markdown.
PAGE, SCREEN = 84.0, 96.0

_PREAMBLE = r"""\documentclass[11pt,a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{amsmath,amssymb}
\usepackage[margin=25mm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\parskip}{4pt plus 2pt}
\allowdisplaybreaks
"""


class Formulas:
    """Sets rows as aligned formulas."""

    def __init__(self, spelling: LatexSpelling, width: float) -> None:
        self.spelling = spelling
        self.width = width

    def aligned(self, rows: tuple[Row, ...]) -> str:
        """Return the rows with ``&`` before each relation and ``\\\\`` between lines."""
        column = max(
            0.0 if row.left is None else latex_width(self.spelling.one_line(row.left)) for row in rows
        )
        lines = [line for row in rows for line in self._row(row, self.width - column - 4)]
        return " \\\\\n".join(lines)

    def _row(self, row: Row, width: float) -> list[str]:
        left = "" if row.left is None else self.spelling.one_line(row.left)
        right = self.spelling.write(row.right)
        if row.constant:
            right += self.spelling.breakpoint + r"+ \text{const}"
        where = ""
        if row.where:
            where = r" \quad \text{for } " + ", ".join(map(self.spelling.one_line, row.where))
        room = width - latex_width(where)
        (_, first), *rest = break_lines(right, room, latex_width, fill=row.relation == "prop")
        lines = [f"{left} &{_RELATIONS[row.relation]} {first}"]
        lines += [r"&\quad " + r"\quad " * step + line for step, line in rest]
        return [*lines[:-1], lines[-1] + where]

    def words(self, words: Words) -> str:
        """Return a line of words with its formulas between dollar signs."""
        return "".join(
            f"${self.spelling.one_line(word)}$" if isinstance(word, Notation) else self.plain(word)
            for word in words
        )

    def plain(self, text: str) -> str:
        """Return words as they stand in the format."""
        return text


class Latex(Formulas):
    """Sets a document for pdflatex."""

    def set_document(self, document: Document) -> str:
        """Return the whole document."""
        title = self.plain(document.title)
        parts = [_PREAMBLE + "\\begin{document}\n"]
        parts.append(rf"\section*{{Full conditionals of the model \texttt{{{title}}}}}" + "\n")
        parts += [self._block(block) for block in document.opening]
        parts += [self._section(section) for section in document.sections]
        if document.closing:
            parts.append("\\subsection*{Drawn together}\n")
        parts += [self._block(block) for block in document.closing]
        return "\n".join(parts) + "\n\\end{document}\n"

    def _section(self, section: Section) -> str:
        head = f"${self.spelling.one_line(section.title)}$"
        if section.ranges:
            head += ", " + ", ".join(f"${self.spelling.spell_bound(bound)}$" for bound in section.ranges)
        head += f": {self.plain(section.verdict)}"
        return "\n".join([rf"\subsection*{{{head}}}" + "\n", *map(self._block, section.blocks)])

    def _block(self, block: Block) -> str:
        match block:
            case Paragraph(words=words):
                return self.words(words) + "\n"
            case Display(words=words, rows=rows):
                return f"{self.words(words)}\n\\begin{{align*}}\n{self.aligned(rows)}\n\\end{{align*}}\n"

    def plain(self, text: str) -> str:
        """Return words with LaTeX's own signs escaped."""
        text = re.sub(r"([\\{}_^&%$#~])", lambda match: _ESCAPES.get(match[1], "\\" + match[1]), text)
        return "".join(_SIGNS.get(character, character) for character in text)


class Markdown(Formulas):
    """Sets a document for readers of Markdown that know dollar signs."""

    def set_document(self, document: Document) -> str:
        """Return the whole document."""
        parts = [f"# Full conditionals of the model `{document.title}`"]
        parts += [self._block(block) for block in document.opening]
        parts += [self._section(section) for section in document.sections]
        if document.closing:
            parts.append("## Drawn together")
        parts += [self._block(block) for block in document.closing]
        return "\n\n".join(parts) + "\n"

    def set_blocks(self, blocks: tuple[Block, ...]) -> str:
        """Return blocks alone, without a title."""
        return "\n\n".join(map(self._block, blocks))

    def _section(self, section: Section) -> str:
        head = f"## ${self.spelling.one_line(section.title)}$"
        if section.ranges:
            head += ", " + ", ".join(f"${self.spelling.spell_bound(bound)}$" for bound in section.ranges)
        head += f": {section.verdict}"
        return "\n\n".join([head, *map(self._block, section.blocks)])

    def _block(self, block: Block) -> str:
        match block:
            case Paragraph(words=words):
                return self.words(words)
            case Display(words=words, rows=rows):
                body = self.aligned(rows)
                return f"{self.words(words)}\n\n$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$"

    def plain(self, text: str) -> str:
        """Return words with Markdown's own signs escaped."""
        return re.sub(r"([\\*_\[\]<>`])", r"\\\1", text)


_ESCAPES = {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"}
_SIGNS = {"–": "--", "’": "'", "—": "---", "″": "$''$", "′": "$'$"}
