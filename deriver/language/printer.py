"""The model back to text: canonical, and parsed back to an equal model.

Input: a ``Document`` or a resolved ``Model``.  Output: text with one statement on a line, brackets only where
the grammar needs them, and comments lined up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from deriver.families import family as family_record
from deriver.language.functions import INVERSE_TRANSFORMS
from deriver.language.syntax import (
    ArgumentText,
    Document,
    GivenLine,
    PlateLine,
    RangeText,
    StatementLine,
    TypeText,
)
from deriver.model.expressions import (
    Binary,
    Call,
    Colon,
    Condition,
    Expression,
    Infinity,
    MatrixRows,
    Negate,
    Number,
    Reference,
    SumOver,
    Transpose,
)
from deriver.model.records import Deterministic, Given, Model, Range, Statement, Stochastic, Support

_WIDTH = 100
_COMMENT_COLUMN = 52
_SUM, _PRODUCT, _SIGNED, _POWER, _POSTFIX, _PRIMARY = range(1, 7)


def print_expression(expression: Expression, compact: bool = False) -> str:
    """Return an expression as text; ``compact`` leaves blanks out, as in subscripts."""
    return _write(expression, compact)[0]


def _write(expression: Expression, compact: bool) -> tuple[str, int]:
    """Return the text and the level of the grammar on which it stands."""
    match expression:
        case Number(text=text):
            return text, _PRIMARY
        case Infinity():
            return "inf", _PRIMARY
        case Colon():
            return ":", _PRIMARY
        case Reference(name=name, subscripts=()):
            return name, _PRIMARY
        case Reference(name=name, subscripts=subscripts):
            return f"{name}[{','.join(print_expression(each, True) for each in subscripts)}]", _PRIMARY
        case Binary():
            return _write_binary(expression, compact)
        case Negate(operand=operand):
            return f"-{_within(operand, _SIGNED, compact)}", _SIGNED
        case Transpose(operand=operand):
            return f"{_within(operand, _POSTFIX, compact)}'", _POSTFIX
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(print_expression(each) for each in arguments)})", _PRIMARY
        case MatrixRows(rows=rows):
            written = "; ".join(", ".join(print_expression(entry) for entry in row) for row in rows)
            return f"[{written}]", _PRIMARY
        case SumOver(index=index, conditions=conditions, body=body):
            where = (
                " where " + " and ".join(_write_condition(each) for each in conditions) if conditions else ""
            )
            return f"sum({index}{where}: {print_expression(body)})", _PRIMARY
        case Condition():
            return _write_condition(expression), _SUM
    raise TypeError(f"no text for {type(expression).__name__}")


def _write_condition(condition: Condition) -> str:
    return f"{print_expression(condition.left)} {condition.relation} {print_expression(condition.right)}"


def _write_binary(expression: Binary, compact: bool) -> tuple[str, int]:
    operator = expression.operator
    if operator == "^":
        left = _within(expression.left, _POSTFIX, compact)
        return f"{left}^{_within(expression.right, _SIGNED, compact)}", _POWER
    level = _SUM if operator in "+-" else _PRODUCT
    blank = "" if compact else " "
    left = _within(expression.left, level, compact)
    right = _within(expression.right, level + 1, compact)
    return f"{left}{blank}{operator}{blank}{right}", level


def _within(expression: Expression, lowest: int, compact: bool) -> str:
    text, level = _write(expression, compact)
    return text if level >= lowest else f"({text})"


def print_model(model: Model) -> str:
    """Return the canonical text of a model; ``parse_model`` of it equals the model."""
    return print_document(lower_model(model))


def print_document(document: Document) -> str:
    """Return the text of a document, block by block; empty blocks are left out."""
    blocks = [
        ("plates", [(_plate_text(line), line.comment) for line in document.plates]),
        ("given", [(_given_text(line), line.comment) for line in document.givens]),
    ]
    for layer in ("data", "process", "parameters"):
        stated = [line for line in document.statements if line.layer == layer]
        blocks.append((layer, [(statement_text(line), line.comment) for line in stated]))
    text = _header(document)
    for name, lines in blocks:
        if lines:
            text += f"\n{name}\n" + "".join(_with_comments(lines))
    return text


def _header(document: Document) -> str:
    line = f"model {document.name}"
    comments = document.comment.split("\n") if document.comment else []
    if len(comments) == 1 and len(line) + len(comments[0]) + 4 <= _WIDTH:
        return f"{line}  # {comments[0]}\n"
    return f"{line}\n" + "".join(f"# {comment}".rstrip() + "\n" for comment in comments)


def _with_comments(lines: Sequence[tuple[str, str]]) -> list[str]:
    widths = [len(text) for text, comment in lines if comment and "\n" not in comment]
    column = min(max(widths, default=0), _COMMENT_COLUMN)
    written = []
    for text, comment in lines:
        *above, last = comment.split("\n")
        padded = f"  {text.ljust(column)}  # {last}" if last else f"  {text}"
        if len(padded) > _WIDTH and last:
            above, padded = [*above, last], f"  {text}"
        written += [f"  # {each}".rstrip() + "\n" for each in above] + [padded + "\n"]
    return written


def _plate_text(line: PlateLine) -> str:
    return f"{line.index.name} = {print_expression(line.lower, True)}..{print_expression(line.upper, True)}"


def _given_text(line: GivenLine) -> str:
    text = ", ".join(print_expression(item) for item in line.items)
    if line.type:
        text += f" : {_type_text(line.type)}"
    text += _bounds_text(line.bounds)
    return text + (f" = {print_expression(line.default)}" if line.default is not None else "")


def _type_text(written: TypeText) -> str:
    arguments = [print_expression(argument, True) for argument in written.arguments]
    if written.word == "group":
        return f"{', '.join(arguments[:-1])} -> {arguments[-1]}"
    return f"{written.word}({','.join(arguments)})" if arguments else written.word


def _bounds_text(bounds: Sequence[tuple[str, Expression]]) -> str:
    match bounds:
        case ((">", lower), ("<", upper)):
            return f" in ({print_expression(lower)}, {print_expression(upper)})"
        case ((">=", lower), ("<=", upper)):
            return f" in {print_expression(lower, True)}..{print_expression(upper, True)}"
    return "".join(f" {relation} {print_expression(bound)}" for relation, bound in bounds)


def statement_text(line: StatementLine) -> str:
    """Return one statement as it is written on its line."""
    target = print_expression(line.target)
    left = f"{line.transform}({target})" if line.transform else target
    definition = line.fixed if line.fixed is not None else line.expression
    if definition is not None:
        text = f"{left} = {print_expression(definition)}"
    else:
        written = (_argument_text(argument) for argument in line.arguments)
        text = f"{left} ~ {line.family}({', '.join(written)})"
    if line.truncation:
        lower, upper = line.truncation
        low = print_expression(lower) if lower is not None else "-inf"
        text += f" T({low}, {print_expression(upper) if upper is not None else 'inf'})"
    text += " partly observed" if line.partly else ""
    ranges = ", ".join(_range_text(each) for each in line.ranges)
    return text + (f" for {ranges}" if ranges else "")


def _argument_text(argument: ArgumentText) -> str:
    keyword = f"{argument.keyword}=" if argument.keyword else ""
    return keyword + print_expression(argument.value)


def _range_text(each: RangeText) -> str:
    if each.subset:
        return f"{each.index.name} in {each.subset.name}"
    lower = print_expression(each.lower, True) if each.lower is not None else ""
    upper = print_expression(each.upper, True) if each.upper is not None else ""
    return f"{each.index.name} in {lower}..{upper}"


# a resolved model back to the lines that make it


def lower_model(model: Model) -> Document:
    """Return the document of a resolved model."""
    plates = tuple(
        PlateLine(
            index=Reference(name=plate.index), lower=plate.lower, upper=plate.upper, comment=plate.comment
        )
        for plate in model.plates
    )
    whole = {
        plate.index: Range(index=plate.index, lower=plate.lower, upper=plate.upper) for plate in model.plates
    }
    statements = tuple(
        _lower_statement(statement, whole)
        for statement in model.statements
        if not (isinstance(statement, Deterministic) and statement.implied)
    )
    givens = _gather_givens([given for given in model.givens if given.origin == "given"])
    return Document(
        name=model.name,
        plates=plates,
        givens=givens,
        statements=statements,
        comment=model.comment,
        source=model.source,
    )


def _gather_givens(givens: Sequence[Given]) -> tuple[GivenLine, ...]:
    """Return lines for givens; neighbours that differ in their names alone share a line."""
    lines: list[GivenLine] = []
    for given in givens:
        line = lower_given(given)
        together = lines and dataclasses.replace(lines[-1], items=()) == dataclasses.replace(line, items=())
        if together and len(_given_text(lines[-1])) < 40:
            lines[-1] = dataclasses.replace(lines[-1], items=lines[-1].items + line.items)
        else:
            lines.append(line)
    return tuple(lines)


def lower_given(given: Given) -> GivenLine:
    """Return the line that declares one given."""
    support = given.support
    indices = tuple(Reference(name=index) for index in given.indices)
    item = Reference(name=given.name, subscripts=() if support.kind == "index" else indices)
    return GivenLine(
        items=(item,),
        type=_lower_type(given, indices),
        bounds=_lower_bounds(support),
        default=given.default,
        comment=given.comment,
    )


def _lower_type(given: Given, indices: tuple[Expression, ...]) -> TypeText | None:
    support = given.support
    if support.kind == "index":
        return TypeText(word="group", arguments=(*indices, Reference(name=support.plate or "")))
    if support.kind == "subset":
        return TypeText(word="subset", arguments=(Reference(name=support.plate or ""),))
    if support.kind == "integer":
        return TypeText(word="integer")
    if given.shape:
        word = "vector" if len(given.shape) == 1 else "matrix"
        word = "simplex" if support.kind == "simplex" else word
        return TypeText(word=word, arguments=given.shape)
    return None


def _lower_bounds(support: Support) -> tuple[tuple[str, Expression], ...]:
    if support.kind not in ("real", "integer"):
        return ()
    relations = (">=", "<=") if support.kind == "integer" else (">", "<")
    pairs = zip(relations, (support.lower, support.upper), strict=True)
    return tuple((relation, bound) for relation, bound in pairs if bound is not None)


def _lower_ranges(statement: Statement, whole: Mapping[str, Range]) -> tuple[RangeText, ...]:
    """Return the ranges to write after `for`: those narrower than their plates, or the last one."""
    if not statement.explicit_ranges:
        return ()
    narrower = [each for each in statement.ranges if each != whole.get(each.index)]
    return tuple(_lower_range(each) for each in narrower or statement.ranges[-1:])


def _lower_statement(statement: Statement, whole: Mapping[str, Range]) -> StatementLine:
    ranges = _lower_ranges(statement, whole)
    if isinstance(statement, Stochastic):
        return _lower_stochastic(statement, ranges)
    expression = statement.expression
    if statement.transform:
        expression = strip_transform(statement.transform, expression)
    return StatementLine(
        layer=statement.layer,
        target=Reference(name=statement.name, subscripts=statement.subscripts),
        transform=statement.transform,
        expression=expression,
        ranges=ranges,
        comment=statement.comment,
    )


def _lower_stochastic(statement: Stochastic, ranges: tuple[RangeText, ...]) -> StatementLine:
    face = family_record(statement.family)
    short = statement.short
    plain = len(statement.arguments) if short else face.leading
    arguments = tuple(
        ArgumentText(keyword=None if position < plain else argument.keyword, value=argument.value)
        for position, argument in enumerate(statement.arguments)
    )
    return StatementLine(
        layer=statement.layer,
        target=Reference(name=statement.written or statement.name, subscripts=statement.subscripts),
        transform=statement.transform,
        family=face.short if short and face.short else face.surface,
        arguments=arguments,
        truncation=statement.truncation,
        ranges=ranges,
        partly=statement.partly,
        fixed=statement.fixed,
        comment=statement.comment,
    )


def _lower_range(each: Range) -> RangeText:
    subset = Reference(name=each.subset) if each.subset else None
    return RangeText(index=Reference(name=each.index), lower=each.lower, upper=each.upper, subset=subset)


def strip_transform(transform: str, expression: Expression) -> Expression:
    """Return what stood on the right of ``transform(node) = ...``."""
    function = INVERSE_TRANSFORMS[transform]
    match expression:
        case Binary(operator="^", left=left) if function == "square":
            return left
        case Call(function=name, arguments=(inner,)) if name == function:
            return inner
    raise ValueError(f"the expression of a node stated under {transform} does not begin with {function}")
