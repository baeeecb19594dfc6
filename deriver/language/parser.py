"""Expressions: a reader with one method for each level of the grammar.

    sum      = product { (+ | -) product }
    product  = signed { (* | /) signed }
    signed   = "-" signed | power
    power    = postfix [ "^" signed ]
    postfix  = primary { "'" }
    primary  = number | "inf" | name [ "[" subscripts "]" ] | function "(" sums ")"
             | "sum" "(" name [ "where" conditions ] ":" sum ")" | "(" sum ")" | "[" rows "]"

Input: the tokens of one line.  Output: an ``Expression`` with spans; ``LineMistake`` where it cannot go on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction

from deriver.families import by_surface
from deriver.language.functions import ALIASES, FOREIGN, FUNCTIONS
from deriver.language.mistakes import LineMistake, listing, suggest
from deriver.language.tokens import Token
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
    Span,
    SumOver,
    Transpose,
    children,
)

DEEPEST_BRACKETS = 40
DEEPEST_TREE = 100
_LONGEST_NUMBER = 40
_RELATIONS = ("=", "!=", "<", "<=", ">", ">=")


def join(first: Span, last: Span) -> Span:
    """Return the span from one piece to another; the first line's part if they stand on different lines."""
    return Span(first.line, first.start, last.end) if first.line == last.line else first


class ExpressionReader:
    """A cursor over the tokens of one line."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        last = tokens[-1].span if tokens else Span(1, 0, 0)
        self._tokens = [*tokens, Token("end", "", Span(last.line, last.end, last.end + 1))]
        self._position = 0
        self._depth = 0

    # the cursor

    @property
    def token(self) -> Token:
        """The token under the cursor."""
        return self._tokens[self._position]

    def peek(self, offset: int = 1) -> Token:
        """Return a later token; the end if there are not so many."""
        return self._tokens[min(self._position + offset, len(self._tokens) - 1)]

    def at(self, *texts: str) -> bool:
        """Tell whether the cursor stands at one of these symbols or words."""
        return self.token.kind != "end" and self.token.text in texts

    def advance(self) -> Token:
        """Return the token under the cursor and move on."""
        token = self.token
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def expect(self, text: str, after: str) -> Token:
        """Return the token if it is this symbol; otherwise end the line with a mistake."""
        if not self.at(text):
            raise self.unexpected(f"`{text}` {after}")
        return self.advance()

    def expect_name(self, what: str) -> Token:
        """Return the token if it is a name."""
        if self.token.kind != "name":
            raise self.unexpected(what)
        return self.advance()

    def expect_end(self) -> None:
        """End with a mistake if anything is left on the line."""
        if self.token.kind != "end":
            raise self.unexpected("the end of the line")

    def unexpected(self, expected: str) -> LineMistake:
        """Return the mistake for the token under the cursor."""
        token, before = self.token, self._tokens[self._position - 1] if self._position else None
        found = f"found `{token.text}`" if token.kind != "end" else "the line ends too early"
        remedy = ""
        if token.text == ";":
            remedy = "leave the semicolon out: each statement has its own line"
        elif before and token.text == before.text == "*":
            remedy = "write ^ for a power"
        elif before and token.text == before.text == "=":
            remedy = "write a single ="
        elif token.text in (")", "]") and "line" in expected:
            remedy = f"take it out, or put the bracket that it closes: this `{token.text}` closes nothing"
        elif before and _ends_operand(before) and _starts_operand(token) and expected.startswith("`)`"):
            found = f"found `{token.text}` right after `{before.text}`"
            remedy = f"put an operator between them, such as {before.text} * {token.text}"
        return LineMistake(found, span=token.span, code="syntax", expected=expected, remedy=remedy)

    # the grammar

    def read_whole(self) -> Expression:
        """Return the expression that fills the rest of the line."""
        expression = self.read_expression()
        self.expect_end()
        return expression

    def read_expression(self) -> Expression:
        """Return a sum, checked for its depth."""
        expression = self._read_sum()
        if self._depth == 0 and measure_depth(expression) > DEEPEST_TREE:
            raise LineMistake(
                f"this expression is more than {DEEPEST_TREE} operations deep",
                span=expression.span or self.token.span,
                code="depth",
                remedy="name a part of it in a statement of its own, or use sum(i: ...)",
            )
        return expression

    def _read_sum(self) -> Expression:
        return self._read_chain(("+", "-"), self._read_product)

    def _read_product(self) -> Expression:
        return self._read_chain(("*", "/"), self._read_signed)

    def _read_chain(self, operators: tuple[str, ...], read: Callable[[], Expression]) -> Expression:
        left = read()
        while self.at(*operators):
            operator = self.advance().text
            right = read()
            left = Binary(operator=operator, left=left, right=right, span=_both(left, right))
        return left

    def _read_signed(self) -> Expression:
        if self.at("+"):
            raise self.unexpected("a number, a name or a bracket")
        if not self.at("-"):
            return self._read_power()
        sign = self.advance()
        operand = self._nested(self._read_signed, sign)
        return Negate(operand=operand, span=join(sign.span, operand.span or sign.span))

    def _read_power(self) -> Expression:
        base = self._read_postfix()
        if not self.at("^"):
            return base
        sign = self.advance()
        exponent = self._nested(self._read_signed, sign)
        return Binary(operator="^", left=base, right=exponent, span=_both(base, exponent))

    def _read_postfix(self) -> Expression:
        operand = self._read_primary()
        while self.at("'"):
            mark = self.advance()
            operand = Transpose(operand=operand, span=join(operand.span or mark.span, mark.span))
        return operand

    def _nested(self, read: Callable[[], Expression], opening: Token) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST_BRACKETS:
            raise LineMistake(
                f"brackets and signs are nested more than {DEEPEST_BRACKETS} deep",
                span=opening.span,
                code="depth",
                remedy="name a part of it in a statement of its own",
            )
        found = read()
        self._depth -= 1
        return found

    def _read_primary(self) -> Expression:
        token = self.token
        if token.kind == "number":
            return read_number(self.advance())
        if token.kind == "name":
            return self._read_named()
        if self.at("("):
            opening = self.advance()
            inner = self._nested(self._read_sum, opening)
            self.expect(")", "to close the bracket")
            return inner
        if self.at("["):
            return self._read_rows()
        raise self.unexpected("a number, a name or a bracket")

    def _read_named(self) -> Expression:
        token = self.token
        if token.text == "inf":
            return Infinity(span=self.advance().span)
        if token.text == "sum":
            return self._read_sum_over()
        if self.peek().text == "(":
            return self._read_call()
        return self.read_reference()

    def read_reference(self) -> Reference:
        """Return a name with its subscripts."""
        token = self.expect_name("a name")
        if not self.at("["):
            return Reference(name=token.text, span=token.span)
        self.advance()
        subscripts = [self._read_subscript()]
        while self.at(","):
            self.advance()
            subscripts.append(self._read_subscript())
        if self.at("["):
            raise self.unexpected("`]`")
        close = self.expect("]", "to close the subscripts")
        if self.at("["):
            raise LineMistake(
                "found a second pair of subscripts",
                span=self.token.span,
                code="syntax",
                expected="all subscripts in one pair of brackets",
                remedy=f"write {token.text}[i,j] for {token.text}[i][j]",
            )
        return Reference(name=token.text, subscripts=tuple(subscripts), span=join(token.span, close.span))

    def _read_subscript(self) -> Expression:
        if self.at(":"):
            return Colon(span=self.advance().span)
        return self._nested(self._read_sum, self.token)

    def _read_call(self) -> Expression:
        name = self.advance()
        function = ALIASES.get(name.text, name.text)
        if function not in FUNCTIONS:
            raise _unknown_function(name)
        opening = self.advance()
        arguments = [] if self.at(")") else [self._nested(self._read_sum, opening)]
        while self.at(","):
            self.advance()
            arguments.append(self._nested(self._read_sum, opening))
        close = self.expect(")", f"to close `{name.text}(`")
        fewest, most = FUNCTIONS[function]
        if not fewest <= len(arguments) <= most:
            raise _wrong_count(name, len(arguments), fewest, most)
        return Call(function=function, arguments=tuple(arguments), span=join(name.span, close.span))

    def _read_sum_over(self) -> Expression:
        word = self.advance()
        opening = self.expect("(", "after `sum`")
        index = self.expect_name("an index, as in sum(j: x[i,j])").text
        conditions: list[Condition] = []
        if self.at("where"):
            self.advance()
            conditions.append(self._read_condition())
            while self.at("and", ","):
                self.advance()
                conditions.append(self._read_condition())
        self.expect(":", "between the index and the terms, as in sum(j: x[i,j])")
        body = self._nested(self._read_sum, opening)
        close = self.expect(")", "to close `sum(`")
        return SumOver(index=index, conditions=tuple(conditions), body=body, span=join(word.span, close.span))

    def _read_condition(self) -> Condition:
        left = self._nested(self._read_sum, self.token)
        if not self.at(*_RELATIONS):
            raise self.unexpected("a comparison, as in sum(k where g[k] = i: x[k])")
        relation = self.advance().text
        right = self._nested(self._read_sum, self.token)
        return Condition(relation=relation, left=left, right=right, span=_both(left, right))

    def _read_rows(self) -> Expression:
        opening = self.advance()
        rows = [self._read_row(opening)]
        while self.at(";"):
            self.advance()
            rows.append(self._read_row(opening))
        close = self.expect("]", "to close the matrix")
        span = join(opening.span, close.span)
        if len({len(row) for row in rows}) > 1:
            counts = listing((str(len(row)) for row in rows), "and")
            raise LineMistake(
                f"the rows of this matrix have {counts} entries",
                span=span,
                code="shape",
                expected="rows of equal length: [a, b; c, d]",
            )
        return MatrixRows(rows=tuple(rows), span=span)

    def _read_row(self, opening: Token) -> tuple[Expression, ...]:
        entries = [self._nested(self._read_sum, opening)]
        while self.at(","):
            self.advance()
            entries.append(self._nested(self._read_sum, opening))
        return tuple(entries)


def read_number(token: Token) -> Number:
    """Return an exact number; refuse those so large or small that no double holds them."""
    mantissa, _, exponent = re.sub("[eE]", "e", token.text).partition("e")
    if len(mantissa) > _LONGEST_NUMBER or len(exponent) > 4 or abs(int(exponent or "0")) > 250:
        raise LineMistake(
            "this number is outside the range of a double, or has too many digits",
            span=token.span,
            code="number",
            expected=f"at most {_LONGEST_NUMBER} digits and an exponent from -250 to 250",
        )
    return Number(value=Fraction(Decimal(token.text)), text=token.text, span=token.span)


def measure_depth(expression: Expression) -> int:
    """Return the number of levels of the tree, without recursion."""
    deepest, waiting = 0, [(expression, 1)]
    while waiting:
        current, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + 1) for child in children(current)]
    return deepest


def _both(left: Expression, right: Expression) -> Span | None:
    return join(left.span, right.span) if left.span and right.span else left.span


def _ends_operand(token: Token) -> bool:
    return token.kind in ("number", "name") or token.text in (")", "]", "'")


def _starts_operand(token: Token) -> bool:
    return token.kind in ("number", "name") or token.text in ("(", "[")


def _unknown_function(name: Token) -> LineMistake:
    if by_surface(name.text):
        return LineMistake(
            f"the distribution `{name.text}` stands inside an expression",
            span=name.span,
            code="function",
            expected="a distribution only right after `~`",
            remedy="give the random quantity a statement of its own",
        )
    remedy = FOREIGN.get(name.text) or suggest(name.text, [*FUNCTIONS, "sum"])
    return LineMistake(
        f"there is no function `{name.text}`",
        span=name.span,
        code="function",
        expected=f"one of {', '.join(FUNCTIONS)}, sum",
        remedy=remedy or "subscripts stand in square brackets: x[i], not x(i)",
    )


def _wrong_count(name: Token, count: int, fewest: int, most: int) -> LineMistake:
    wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return LineMistake(
        f"`{name.text}` has {count} argument{'' if count == 1 else 's'}",
        span=name.span,
        code="function",
        expected=wanted + (" argument" if wanted == "1" else " arguments"),
    )
