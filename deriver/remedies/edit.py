"""Changes to the lines of a model: new statements and givens from text, fresh names, what is no longer used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from deriver.errors import InternalError
from deriver.language.document import read_document
from deriver.language.mistakes import Mistakes
from deriver.language.printer import lower_model, print_document, print_expression
from deriver.language.syntax import Document, GivenLine, StatementLine
from deriver.language.tokens import split_lines
from deriver.model.expressions import Expression, Reference, references
from deriver.model.records import Layer, Model, Stochastic

New = tuple[Layer, str]


def document_of(model: Model) -> Document:
    """Return the lines of a model."""
    return lower_model(model)


def text_of(document: Document) -> str:
    """Return the text of a document."""
    return print_document(document)


def show(expression: Expression) -> str:
    """Return an expression as it is written, in brackets where it is not a name, a number or a call."""
    text = print_expression(expression)
    simple = isinstance(expression, Reference) or text.replace(".", "").isalnum()
    return text if simple else f"({text})"


def left_side(statement: Stochastic, name: str) -> str:
    """Return ``name`` with the subscripts of a statement: ``omega[i,j]``."""
    return print_expression(Reference(name=name, subscripts=statement.subscripts))


def argument(statement: Stochastic, keyword: str) -> Expression | None:
    """Return the argument of that keyword, or None."""
    return next((a.value for a in statement.arguments if a.keyword == keyword), None)


def names_in(document: Document) -> frozenset[str]:
    """Return every name that a document uses, plates, sizes and dimensions included."""
    found = {index.name for line in document.plates for index in (line.index,)}
    for expression in _expressions(document):
        found |= {reference.name for reference in references(expression)}
    found |= {item.name for line in document.givens for item in line.items}
    return frozenset(found)


def _expressions(document: Document) -> Iterable[Expression]:
    for plate in document.plates:
        yield from (plate.lower, plate.upper)
    for given in document.givens:
        yield from _of_given(given)
    for statement in document.statements:
        yield from _of_statement(statement)


def _of_given(line: GivenLine) -> Iterable[Expression]:
    yield from line.type.arguments if line.type else ()
    yield from (bound for _, bound in line.bounds)
    if line.default is not None:
        yield line.default


def _of_statement(line: StatementLine) -> Iterable[Expression]:
    yield line.target
    yield from (each.value for each in line.arguments)
    yield from (end for end in line.truncation or () if end is not None)
    if line.expression is not None:
        yield line.expression
    for each in line.ranges:
        yield from (end for end in (each.index, each.lower, each.upper, each.subset) if end is not None)


def fresh(document: Document, *wanted: str) -> list[str]:
    """Return each name that is wanted, with a number after it where it is taken."""
    taken, found = set(names_in(document)), []
    for name in wanted:
        number, free = 2, name
        while free in taken:
            free, number = f"{name}_{number}", number + 1
        taken.add(free)
        found.append(free)
    return found


def read_statements(new: Iterable[New], ranges: tuple = ()) -> list[StatementLine]:
    """Return statement lines from text, each in its layer, ``ranges`` after each that has none of its own."""
    lines = [_read(f"{layer}\n  {text}\n").statements[0] for layer, text in new]
    return [replace(line, ranges=ranges) if ranges and line.target.subscripts else line for line in lines]


def read_givens(*texts: str) -> tuple[GivenLine, ...]:
    """Return the lines of new givens."""
    return tuple(line for text in texts for line in _read(f"given\n  {text}\n").givens)


def _read(block: str) -> Document:
    text = f"model change\n\n{block}"
    mistakes = Mistakes(split_lines(text), "change")
    document = read_document(text, mistakes)
    if mistakes:
        raise InternalError(f"a rewrite made a line that cannot be read: {block}")
    return document


def replace_lines(
    document: Document, changes: Mapping[int, Iterable[New]], givens: Iterable[str] = ()
) -> Document:
    """Return the document with lines replaced, by position; a new line of another layer stands first in that layer."""
    kept: list[StatementLine] = []
    moved: list[StatementLine] = []
    for place, line in enumerate(document.statements):
        if place not in changes:
            kept.append(line)
            continue
        made = read_statements(changes[place], line.ranges)
        here = [new for new in made if new.layer == line.layer]
        kept += [replace(new, comment=line.comment if k == 0 else "") for k, new in enumerate(here)]
        moved += [new for new in made if new.layer != line.layer]
    changed = replace(
        document, statements=_by_layer([*moved, *kept]), givens=document.givens + read_givens(*givens)
    )
    return drop_unused(document, changed)


def add_beside(document: Document, place: int, new: New) -> Document:
    """Return the document with one more statement, over the same ranges as the one at a position."""
    made = read_statements([new], document.statements[place].ranges)
    return replace(document, statements=_by_layer([*made, *document.statements]))


def _by_layer(lines: Iterable[StatementLine]) -> tuple[StatementLine, ...]:
    order = {"data": 0, "process": 1, "parameters": 2}
    return tuple(sorted(lines, key=lambda line: order[line.layer]))


def drop_unused(before: Document, after: Document) -> Document:
    """Leave out givens that the document used before the change and no longer uses."""
    while True:
        used = _used(after)
        gone = {item.name for line in after.givens for item in line.items} & _used(before) - used
        if not gone:
            return after
        lines = (
            replace(line, items=tuple(i for i in line.items if i.name not in gone)) for line in after.givens
        )
        after = replace(after, givens=tuple(line for line in lines if line.items))


def _used(document: Document) -> frozenset[str]:
    """Return the names that stand somewhere else than where they are declared."""
    return frozenset(r.name for expression in _expressions(document) for r in references(expression))
