"""Tables as Markdown, and everything as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

Cell = str | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table; a cell that is None was not measured, and ``note`` says what a reader must know."""

    number: int
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def as_markdown(self) -> str:
        """The table with its title; numbers to three digits."""
        head = f"| {' | '.join(self.columns)} |\n|{'---|' * len(self.columns)}\n"
        body = "".join(f"| {' | '.join(format_cell(cell) for cell in row)} |\n" for row in self.rows)
        return f"### {self.number}. {self.title}\n\n{head}{body}" + (f"\n{self.note}\n" if self.note else "")


def format_cell(cell: Cell) -> str:
    """Three significant digits, with thousands written out; a dash for what was not measured."""
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    if cell == 0 or 1e-3 <= abs(cell) < 1e6:
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return f"{cell:.2e}"


def write_report(
    folder: Path, tables: Sequence[Table], facts: dict[str, str], failures: Sequence[str]
) -> str:
    """Write results.json and results.md; return the Markdown."""
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    agreement = [f"- {text}" for text in failures] or ["- every posterior that was compared agrees"]
    parts = [
        "\n".join(lines),
        *[table.as_markdown() for table in tables],
        "### Agreement\n\n" + "\n".join(agreement),
    ]
    text = "# Speed comparison\n\n" + "\n\n".join(part.rstrip("\n") for part in parts) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(text, encoding="utf-8")
    record = {"facts": facts, "tables": [asdict(table) for table in tables], "disagreements": list(failures)}
    (folder / "results.json").write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    return text
