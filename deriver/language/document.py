"""Statements and blocks: the logical lines of a text to a ``Document``.

Input: the text.  Output: the lines as written, names not yet resolved.  A line that cannot be read becomes a
mistake, and the names in it are remembered, so that they do not cause more mistakes further on.
"""

from __future__ import annotations

import dataclasses

from deriver.families import by_surface
from deriver.language.functions import BLOCKS, INVERSE_TRANSFORMS
from deriver.language.mistakes import LineMistake, Mistakes, suggest
from deriver.language.parser import ExpressionReader, join
from deriver.language.syntax import (
    ArgumentText,
    Document,
    GivenLine,
    PlateLine,
    RangeText,
    StatementLine,
    TypeText,
)
from deriver.language.tokens import LogicalLine, read_logical_lines, split_lines
from deriver.model.expressions import Call, Expression, Infinity, Negate, Reference, Span

_TYPES = {"vector": 1, "matrix": 2, "simplex": 1, "integer": 0, "subset": 1}
_LAYERS = ("data", "process", "parameters")


def read_document(text: str, mistakes: Mistakes) -> Document:
    """Return the lines of a model text by block."""
    lines, trailing = read_logical_lines(split_lines(text), mistakes)
    reader = _DocumentReader(mistakes)
    for line in lines:
        reader.read(line)
    return reader.finish(text, trailing)


class _DocumentReader:
    """Collects the lines of each block."""

    def __init__(self, mistakes: Mistakes) -> None:
        self._mistakes = mistakes
        self._block = ""
        self._name = ""
        self._named = False
        self._comments: list[str] = []
        self._blocks: list[str] = []
        self._found: dict[str, list] = {block: [] for block in BLOCKS}
        self._unread: set[str] = set()

    def read(self, line: LogicalLine) -> None:
        """Read one logical line; record the mistake if it cannot be read."""
        try:
            if not line.broken:
                self._read_line(line)
        except LineMistake as stop:
            self._mistakes.add_from(stop)
            line.broken = True
        if line.broken:
            self._unread |= {token.text for token in line.tokens if token.kind == "name"}
            self._named |= bool(line.tokens) and line.tokens[0].text == "model"

    def _read_line(self, line: LogicalLine) -> None:
        first = line.tokens[0]
        if first.text in BLOCKS and (len(line.tokens) == 1 or line.tokens[1].text == ":"):
            self._open_block(line)
        elif first.text == "model":
            self._read_model_line(line)
        elif not self._block:
            raise self._outside(line)
        else:
            self._refuse_misspelt_block(line)
            self._found[self._block].append(self._read_in_block(line))

    def _open_block(self, line: LogicalLine) -> None:
        first = line.tokens[0]
        if len(line.tokens) > 1:
            raise LineMistake(
                f"found `:` after `{first.text}`",
                span=line.tokens[1].span,
                code="block",
                expected="the name of the block alone on its line",
            )
        if first.text in self._blocks:
            raise LineMistake(
                f"the block `{first.text}` stands twice",
                span=first.span,
                code="block",
                remedy="put its lines together",
            )
        self._block = first.text
        self._blocks.append(first.text)
        self._comments += line.comments

    def _read_model_line(self, line: LogicalLine) -> None:
        reader = ExpressionReader(line.tokens)
        reader.advance()
        name = reader.expect_name("the name of the model")
        reader.expect_end()
        if self._named or self._blocks:
            raise LineMistake(
                "this `model` line is not the first line",
                span=line.tokens[0].span,
                code="block",
                expected="one `model NAME` at the top",
                remedy="give each model a file of its own",
            )
        self._name, self._named = name.text, True
        self._comments += line.comments

    def _outside(self, line: LogicalLine) -> LineMistake:
        first = line.tokens[0]
        remedy = suggest(first.text, [*BLOCKS, "model"]) if len(line.tokens) < 3 else ""
        return LineMistake(
            "this line stands in no block",
            span=join(first.span, line.tokens[-1].span),
            code="block",
            expected="`model NAME`, then the blocks plates, given, data, process and parameters",
            remedy=remedy or "put the name of its block on a line above it",
        )

    def _refuse_misspelt_block(self, line: LogicalLine) -> None:
        first = line.tokens[0]
        alone = len(line.tokens) == 1 and first.kind == "name" and first.span.start == 0
        remedy = suggest(first.text, [block for block in BLOCKS if block not in self._blocks])
        if alone and (remedy or self._block != "given"):
            raise LineMistake(
                f"`{first.text}` is not a block",
                span=first.span,
                code="block",
                expected=f"one of {', '.join(BLOCKS)}",
                remedy=remedy,
            )

    def _read_in_block(self, line: LogicalLine) -> PlateLine | GivenLine | StatementLine:
        reader = StatementReader(line.tokens)
        comment = "\n".join(line.comments)
        if self._block == "plates":
            found: PlateLine | GivenLine | StatementLine = reader.read_plate()
        elif self._block == "given":
            found = reader.read_given()
        else:
            found = reader.read_statement(self._block)
        return dataclasses.replace(found, comment=comment)

    def finish(self, text: str, trailing: list[str]) -> Document:
        """Return the document; a model without a name is a mistake."""
        if not self._named:
            self._mistakes.add(
                "block",
                "the text does not name its model",
                span=Span(1, 0, 1),
                remedy="begin with `model NAME`",
            )
        statements = [line for layer in _LAYERS for line in self._found[layer]]
        return Document(
            name=self._name,
            plates=tuple(self._found["plates"]),
            givens=tuple(self._found["given"]),
            statements=tuple(statements),
            comment="\n".join([*self._comments, *trailing]).strip("\n"),
            source=text,
            unread=frozenset(self._unread),
            blocks=tuple(self._blocks),
        )


class StatementReader(ExpressionReader):
    """Reads one line of a block."""

    def read_plate(self) -> PlateLine:
        """Return ``index = lower..upper``."""
        index = self.expect_name("an index, as in i = 1..n")
        self.expect("=", "after the index, as in i = 1..n")
        lower = self.read_expression()
        self.expect("..", f"between the bounds, as in {index.text} = 1..n")
        upper = self.read_whole()
        return PlateLine(index=Reference(name=index.text, span=index.span), lower=lower, upper=upper)

    def read_given(self) -> GivenLine:
        """Return ``items : type > lower = default``."""
        items = [self.read_reference()]
        while self.at(","):
            self.advance()
            items.append(self.read_reference())
        type_text = None
        if self.at(":"):
            self.advance()
            type_text = self._read_type()
        bounds = self._read_bounds()
        default = None
        if self.at("="):
            self.advance()
            default = self.read_expression()
        if self.token.kind != "end":
            raise self.unexpected(
                "`: vector(p)`, `: integer`, `> 0`, `in (0, 1)`, `= default` or the end of the line"
            )
        return GivenLine(items=tuple(items), type=type_text, bounds=bounds, default=default)

    def _read_type(self) -> TypeText:
        name = self.expect_name("vector(p), matrix(p,p), simplex(p), integer, subset(i), or k -> i")
        if self.at("->", ","):
            return self._read_group(name.text, name.span)
        if name.text not in _TYPES:
            raise LineMistake(
                f"there is no type `{name.text}`",
                span=name.span,
                code="type",
                expected="vector(p), matrix(p,p), simplex(p), integer, subset(i), or k -> i for a group column",
                remedy=suggest(name.text, _TYPES)
                or "a plain number needs no type; write `> 0` for its bounds",
            )
        arguments: list[Expression] = []
        if _TYPES[name.text]:
            self.expect("(", f"after `{name.text}`")
            arguments.append(self.read_expression())
            while self.at(","):
                self.advance()
                arguments.append(self.read_expression())
            self.expect(")", f"to close `{name.text}(`")
        if len(arguments) != _TYPES[name.text]:
            raise LineMistake(
                f"`{name.text}` has {len(arguments)} dimensions",
                span=name.span,
                code="type",
                expected={"matrix": "matrix(p,p)", "subset": "subset(i)"}.get(name.text, f"{name.text}(p)"),
            )
        return TypeText(word=name.text, arguments=tuple(arguments), span=name.span)

    def _read_group(self, first: str, span: Span) -> TypeText:
        indices = [Reference(name=first, span=span)]
        while self.at(","):
            self.advance()
            token = self.expect_name("an index, as in g : i, j -> s")
            indices.append(Reference(name=token.text, span=token.span))
        self.expect("->", "between the indices and the groups, as in g : k -> i")
        target = self.expect_name("the index of the groups, as in g : k -> i")
        found = (*indices, Reference(name=target.text, span=target.span))
        return TypeText(word="group", arguments=found, span=join(span, target.span))

    def _read_bounds(self) -> tuple[tuple[str, Expression], ...]:
        if self.at("in"):
            self.advance()
            if self.at("("):
                self.advance()
                lower = self.read_bound()
                self.expect(",", "between the bounds, as in w in (0, 1)")
                upper = self.read_bound()
                self.expect(")", "after the bounds; the ends do not belong to the interval")
                return ((">", lower), ("<", upper))
            lower = self.read_bound()
            self.expect(
                "..",
                "between the bounds, as in w in (0, 1), or a : integer in 0..5; a group column is g : k -> i",
            )
            return ((">=", lower), ("<=", self.read_bound()))
        bounds = []
        while self.at(">", ">=", "<", "<="):
            relation = self.advance().text
            bounds.append((relation, self.read_bound()))
        return tuple(bounds)

    def read_bound(self) -> Expression:
        """Return a bound; ``inf`` and ``-inf`` are legal here."""
        return self.read_expression()

    def read_statement(self, layer: str) -> StatementLine:
        """Return a statement with ``~`` or ``=``."""
        start = self.token.span
        target, transform = self._split_target(self.read_expression())
        if self.at("~"):
            self.advance()
            line = self._read_distribution()
        elif self.at("="):
            self.advance()
            line = {"expression": self.read_expression()}
        else:
            raise self._no_relation(target)
        partly = "family" in line and self._read_partly()
        ranges = self._read_ranges() if self.at("for") else ()
        if self.token.kind != "end":
            raise self._bad_end(line)
        return StatementLine(
            layer=layer,  # type: ignore[arg-type]
            target=target,
            transform=transform,
            ranges=ranges,
            partly=partly,
            span=join(start, self._tokens[self._position - 1].span),
            **line,
        )

    def _split_target(self, left: Expression) -> tuple[Reference, str | None]:
        match left:
            case Reference():
                return left, None
            case Call(function=function, arguments=(Reference() as inner,)) if function in INVERSE_TRANSFORMS:
                return inner, function
        raise LineMistake(
            "the left side is not a node",
            span=left.span or self.token.span,
            code="target",
            expected="a node such as y[i,j], or one under log, inv, logit or sqrt, such as log(z[i,j])",
        )

    def _no_relation(self, target: Reference) -> LineMistake:
        stop = self.unexpected("`~` and a distribution, or `=` and an expression")
        if self.at("<") and self.peek().text == "-":
            stop.remedy = f"write {target.name} = ... for a deterministic node"
        if self.at(":", "->", "<=", ">", ">=", "<") and not stop.remedy:
            stop.remedy = "declarations such as `x > 0` and `g : k -> i` belong to the block `given`"
        return stop

    def _bad_end(self, line: dict) -> LineMistake:
        stop = self.unexpected("the end of the line, or `for t in 1..T`")
        if self.at("~"):
            stop.remedy = "a statement has one `~`; give each node a line of its own"
        elif self.at(","):
            stop.remedy = "give each node a line of its own"
        elif "family" in line and self.at("I", "C", "T"):
            stop.remedy = "write a truncation as T(lower, upper)"
        elif "family" in line and self.at("+", "-", "*", "/"):
            stop.remedy = (
                "put the arithmetic into the arguments, or give the random term a statement of its own"
            )
        elif "expression" in line and (self.token.kind in ("name", "number") or self.at("(")):
            before = self._tokens[self._position - 1].text
            stop.remedy = f"put an operator before it, such as {before} * {self.token.text}"
        return stop

    def _read_distribution(self) -> dict:
        if self.token.kind == "name" and self.peek().text != "(" and by_surface(self.token.text):
            self.advance()
            raise self.unexpected("`(` and the arguments of the distribution")
        if self.token.kind != "name" or self.peek().text != "(":
            raise self.unexpected("a distribution after `~`, such as N(mean, variance)")
        family = self.advance()
        self.advance()
        arguments = [] if self.at(")") else [self._read_argument()]
        while self.at(","):
            self.advance()
            arguments.append(self._read_argument())
        self.expect(")", f"to close `{family.text}(`")
        truncation = self._read_truncation() if self.at("T") and self.peek().text == "(" else None
        return {
            "family": family.text,
            "family_span": family.span,
            "arguments": tuple(arguments),
            "truncation": truncation,
        }

    def _read_argument(self) -> ArgumentText:
        first = self.token
        keyword = None
        if first.kind == "name" and self.peek().text == "=":
            keyword = self.advance().text
            self.advance()
        value = self.read_expression()
        return ArgumentText(keyword=keyword, value=value, span=join(first.span, value.span or first.span))

    def _read_truncation(self) -> tuple[Expression | None, Expression | None]:
        self.advance()
        self.advance()
        lower = None if self.at(",") else finite_bound(self.read_bound(), "lower")
        self.expect(",", "between the bounds, as in T(0, inf)")
        upper = None if self.at(")") else finite_bound(self.read_bound(), "upper")
        self.expect(")", "to close `T(`")
        return lower, upper

    def _read_partly(self) -> bool:
        """Read the words ``partly observed``, if they stand here."""
        if not self.at("partly"):
            return False
        self.advance()
        self.expect("observed", "after `partly`")
        return True

    def _read_ranges(self) -> tuple[RangeText, ...]:
        self.advance()
        ranges = [self._read_range()]
        while self.at(","):
            self.advance()
            ranges.append(self._read_range())
        return tuple(ranges)

    def _read_range(self) -> RangeText:
        token = self.expect_name("an index, as in for t in 1..T")
        index = Reference(name=token.text, span=token.span)
        self.expect("in", f"after the index, as in for {token.text} in 1..T")
        lower = self.read_expression()
        if self.at(".."):
            self.advance()
            return RangeText(index=index, lower=lower, upper=self.read_expression())
        if not isinstance(lower, Reference) or lower.subscripts:
            raise self.unexpected(f"`..` between the bounds, as in for {token.text} in 1..T")
        return RangeText(index=index, subset=lower)


def finite_bound(bound: Expression, side: str) -> Expression | None:
    """Return a bound, None for the infinity that leaves its side open."""
    match side, bound:
        case ("upper", Infinity()) | ("lower", Negate(operand=Infinity())):
            return None
    return bound
