"""The text of a BUGS program to its syntax tree: the languages of JAGS and of OpenBUGS.

    program     = { "var" declarations } [ "data" block ] "model" [ name ] [ ";" ] block
    block       = "{" { statement [ ";" ] } "}"
    statement   = "for" "(" name "in" range ")" block | left ("<-" | "=") sum | name "~" distribution [ bounds ]

Every statement that cannot be read is a mistake with its line; reading goes on with the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from deriver.bugs.syntax import (
    Apply,
    Bounds,
    Literal,
    Loop,
    Minus,
    Name,
    Operation,
    Program,
    Relation,
    Slice,
    Term,
)
from deriver.language.mistakes import LineMistake, Mistakes
from deriver.language.parser import join
from deriver.language.tokens import split_lines
from deriver.model.expressions import Span

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9._]*)"
    r"|(?P<symbol><-|%\*%|%%|==|!=|<=|>=|&&|\|\||\*\*|[~=<>+\-*/^()\[\]{},;:!])"
)
_COMMENT = re.compile(r"#[^\n]*|/\*.*?\*/", re.DOTALL)
LINKS = ("log", "logit", "probit", "cloglog")
_DEEPEST = 60


@dataclass(frozen=True, slots=True)
class Token:
    """One token: kind ``number``, ``name``, ``symbol`` or ``end``."""

    kind: str
    text: str
    span: Span


def parse_program(text: str, origin: str = "model.bug") -> Program:
    """Return the syntax tree of a BUGS program; raise ``ModelError`` with every mistake of the text."""
    lines = split_lines(text)
    mistakes = Mistakes(lines, origin)
    tokens = _read_tokens("\n".join(lines), mistakes)
    mistakes.raise_any()
    program = _Reader(tokens, mistakes).read_program(tuple(lines))
    mistakes.raise_any()
    return program


def _read_tokens(text: str, mistakes: Mistakes) -> list[Token]:
    bare = _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)
    tokens: list[Token] = []
    for number, line in enumerate(bare.split("\n"), 1):
        position = 0
        while position < len(line):
            if line[position].isspace():
                position += 1
                continue
            match = _TOKEN.match(line, position)
            end = match.end() if match else position + 1
            span = Span(number, position, end)
            if match is None:
                found = f"the character {line[position]!r} is not part of the BUGS language"
                mistakes.add("character", found, span=span, remedy="leave it out")
            else:
                tokens.append(Token(match.lastgroup or "symbol", match.group(), span))
            position = end
    last = tokens[-1].span if tokens else Span(1, 0, 1)
    return [*tokens, Token("end", "", Span(last.line, last.end, last.end + 1))]


class _Reader:
    """A cursor over the tokens of a program."""

    def __init__(self, tokens: list[Token], mistakes: Mistakes) -> None:
        self._tokens, self._mistakes = tokens, mistakes
        self._position = 0
        self._depth = 0
        self._declared: dict[str, tuple[Term, ...]] = {}

    @property
    def _token(self) -> Token:
        return self._tokens[self._position]

    def _at(self, *texts: str) -> bool:
        return self._token.kind != "end" and self._token.text in texts

    def _peek(self) -> str:
        return self._tokens[min(self._position + 1, len(self._tokens) - 1)].text

    def _advance(self) -> Token:
        token = self._token
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def _expect(self, text: str, where: str) -> Token:
        if not self._at(text):
            raise self._unexpected(f"`{text}` {where}")
        return self._advance()

    def _unexpected(self, expected: str, remedy: str = "") -> LineMistake:
        token = self._token
        found = f"found `{token.text}`" if token.kind != "end" else "the program ends too early"
        return LineMistake(found, span=token.span, code="syntax", expected=expected, remedy=remedy)

    # blocks and statements

    def read_program(self, lines: tuple[str, ...]) -> Program:
        """Return the program; mistakes are recorded."""
        blocks: dict[str, list[Relation]] = {"data": [], "model": []}
        try:
            while self._token.kind != "end":
                self._read_part(blocks)
        except LineMistake as stop:
            self._mistakes.add_from(stop)
        if not blocks["model"] and not self._mistakes:
            self._mistakes.add(
                "block", "the program has no model", span=Span(1, 0, 1), expected="model { ... }"
            )
        return Program(
            data=tuple(blocks["data"]), model=tuple(blocks["model"]), lines=lines, declared=self._declared
        )

    def _read_part(self, blocks: dict[str, list[Relation]]) -> None:
        if self._at("var"):
            self._read_declarations()
            return
        if not self._at("data", "model"):
            raise self._unexpected("`model {`, `data {` or `var`")
        word = self._advance().text
        while not self._at("{") and (self._token.kind == "name" or self._at(";")):
            self._advance()
        self._read_block(blocks[word], ())

    def _read_declarations(self) -> None:
        """Read ``var a, b[N], c[N,2];`` up to the next block."""
        self._advance()
        while not self._at("data", "model") and self._token.kind != "end":
            if self._at(",", ";"):
                self._advance()
                continue
            declared = self._read_name()
            self._declared[declared.name] = declared.subscripts or ()

    def _read_block(self, found: list[Relation], loops: tuple[Loop, ...]) -> None:
        self._expect("{", "to open the block")
        while not self._at("}"):
            if self._token.kind == "end":
                raise self._unexpected("`}` to close the block")
            if self._at(";"):
                self._advance()
                continue
            start = self._position
            try:
                self._read_statement(found, loops)
            except LineMistake as stop:
                self._mistakes.add_from(stop)
                self._skip_statement(start)
        self._advance()

    def _skip_statement(self, start: int) -> None:
        """Move on to a later line, or to the end of the block."""
        line = max(self._tokens[start].span.line, self._token.span.line)
        self._depth = 0
        while self._token.kind != "end" and self._token.span.line <= line and not self._at("}", ";"):
            self._advance()

    def _read_statement(self, found: list[Relation], loops: tuple[Loop, ...]) -> None:
        if self._at("for"):
            self._read_loop(found, loops)
        else:
            found.append(self._read_relation(loops))

    def _read_loop(self, found: list[Relation], loops: tuple[Loop, ...]) -> None:
        word = self._advance()
        self._expect("(", "after `for`")
        if self._token.kind != "name":
            raise self._unexpected("a variable, as in for (i in 1:N)")
        variable = self._advance()
        self._expect("in", "after the variable, as in for (i in 1:N)")
        lower = self._read_sum()
        if not self._at(":"):
            raise self._unexpected(
                "`:` between the bounds, as in for (i in 1:N)", "loop over positions: for (k in 1:length(v))"
            )
        self._advance()
        upper = self._read_sum()
        close = self._expect(")", "to close `for (`")
        loop = Loop(variable=variable.text, lower=lower, upper=upper, span=join(word.span, close.span))
        if self._at("{"):
            self._read_block(found, (*loops, loop))
        else:
            self._read_statement(found, (*loops, loop))

    def _read_relation(self, loops: tuple[Loop, ...]) -> Relation:
        start = self._token
        link = None
        if self._token.kind == "name" and self._peek() == "(":
            link = self._advance().text
            if link not in LINKS:
                self._position -= 1
                raise LineMistake(
                    f"found `{link}(` on the left", span=start.span, code="link",
                    expected=f"a node, or one of {', '.join(LINKS)} of a node",
                    remedy="state the node itself: x <- ...",
                )  # fmt: skip
            self._advance()
        target = self._read_name()
        if link:
            self._expect(")", f"to close `{link}(`")
        if self._at("~") and link is None:
            self._advance()
            relation = self._read_distribution(target, loops, start)
        elif self._at("<-", "="):
            self._advance()
            expression = self._read_sum()
            relation = Relation(
                target=target, loops=loops, link=link, expression=expression,
                span=join(start.span, expression.span),
            )  # fmt: skip
        else:
            raise self._unexpected("`~` and a distribution, or `<-` and an expression")
        return relation

    def _read_distribution(self, target: Name, loops: tuple[Loop, ...], start: Token) -> Relation:
        if self._token.kind != "name" or self._peek() != "(":
            raise self._unexpected("a distribution after `~`, such as dnorm(mu, tau)")
        name = self._advance()
        arguments, close = self._read_arguments()
        bounds = None
        if self._at("T", "I", "C") and self._peek() == "(":
            bounds = self._read_bounds()
            close = bounds.span
        return Relation(
            target=target, loops=loops, distribution=name.text, arguments=arguments, bounds=bounds,
            distribution_span=name.span, span=join(start.span, close),
        )  # fmt: skip

    def _read_bounds(self) -> Bounds:
        word = self._advance()
        self._expect("(", f"after `{word.text}`")
        lower = None if self._at(",") else self._read_sum()
        self._expect(",", f"between the bounds, as in {word.text}(0,)")
        upper = None if self._at(")") else self._read_sum()
        close = self._expect(")", f"to close `{word.text}(`")
        return Bounds(word=word.text, lower=lower, upper=upper, span=join(word.span, close.span))

    # expressions

    def _read_chain(self, operators: tuple[str, ...], read: Callable[[], Term]) -> Term:
        left = read()
        while self._at(*operators):
            operator = self._advance().text
            right = read()
            left = Operation(operator=operator, left=left, right=right, span=join(left.span, right.span))
        return left

    def _read_sum(self) -> Term:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise LineMistake(
                f"brackets are nested more than {_DEEPEST} deep",
                span=self._token.span,
                code="depth",
                remedy="name a part of it in a statement of its own",
            )
        found = self._read_chain(("&&", "||"), self._read_comparison)
        self._depth -= 1
        return found

    def _read_comparison(self) -> Term:
        return self._read_chain(("==", "!=", "<", "<=", ">", ">="), self._read_addition)

    def _read_addition(self) -> Term:
        return self._read_chain(("+", "-"), self._read_product)

    def _read_product(self) -> Term:
        return self._read_chain(("*", "/"), self._read_matrix_product)

    def _read_matrix_product(self) -> Term:
        return self._read_chain(("%*%",), self._read_signed)

    def _read_signed(self) -> Term:
        if self._at("-"):
            sign = self._advance()
            operand = self._read_signed()
            return Minus(operand=operand, span=join(sign.span, operand.span))
        if self._at("+"):
            self._advance()
            return self._read_signed()
        base = self._read_primary()
        if not self._at("^", "**"):
            return base
        self._advance()
        exponent = self._read_signed()
        return Operation(operator="^", left=base, right=exponent, span=join(base.span, exponent.span))

    def _read_primary(self) -> Term:
        token = self._token
        if token.kind == "number":
            self._advance()
            return Literal(text=token.text, span=token.span)
        if self._at("("):
            self._advance()
            inner = self._read_sum()
            self._expect(")", "to close the bracket")
            return inner
        if token.kind == "name" and self._peek() == "(":
            name = self._advance()
            arguments, close = self._read_arguments()
            return Apply(function=name.text, arguments=arguments, span=join(name.span, close))
        return self._read_name()

    def _read_arguments(self) -> tuple[tuple[Term, ...], Span]:
        self._expect("(", "before the arguments")
        arguments = [] if self._at(")") else [self._read_sum()]
        while self._at(","):
            self._advance()
            arguments.append(self._read_sum())
        close = self._expect(")", "to close the arguments")
        return tuple(arguments), close.span

    def _read_name(self) -> Name:
        token = self._token
        if token.kind != "name":
            raise self._unexpected("a number, a name or a bracket")
        self._advance()
        if not self._at("["):
            return Name(name=token.text, span=token.span)
        self._advance()
        subscripts = [self._read_subscript()]
        while self._at(","):
            self._advance()
            subscripts.append(self._read_subscript())
        close = self._expect("]", "to close the subscripts")
        return Name(name=token.text, subscripts=tuple(subscripts), span=join(token.span, close.span))

    def _read_subscript(self) -> Term:
        if self._at(",", "]"):
            return Slice(span=self._token.span)
        lower = self._read_sum()
        if not self._at(":"):
            return lower
        self._advance()
        upper = self._read_sum()
        return Slice(lower=lower, upper=upper, span=join(lower.span, upper.span))
