"""Checking, step 1: a claims text to claims as written.

    claim    = [ "log" ] "[" head "|" "." "]" relation right { relation right } [ "for" ranges ] [ "where" names ]
    relation = "=" | "~" | "∝" | "prop"
    right    = family "(" arguments ")" | expression | { [ "prod" "(" index ":" ] "[" value "|" parents "]" [ ")" ] }
    names    = name [ "[" indices "]" ] "=" expression { "," ... }

Expressions are those of the model language.  A claim goes on inside brackets, after an operator, and on a line
that starts with a relation, an operator, ``for`` or ``where``.  Input: text.  Output: claims; all mistakes with
line and caret.
"""

from __future__ import annotations

import re
from itertools import pairwise

from deriver.checking.records import Claim, Density, Line, Named
from deriver.families import by_surface
from deriver.language.document import StatementReader
from deriver.language.functions import ALIASES, FUNCTIONS
from deriver.language.mistakes import LineMistake, Mistakes
from deriver.language.names import refuse_name
from deriver.language.parser import join
from deriver.language.tokens import Token, read_tokens
from deriver.model.expressions import Reference, Span

_SPECIAL = re.compile(r"\|\s*(?:\.|·)(?![0-9])|\||∝|∏")
_RELATIONS = {"=": "=", "~": "~", "∝": "∝", "prop": "∝"}
_GOES_ON = ("=", "~", "∝", "prop", "where", "for", "+", "-", "*", "/", "^", ",", ")")
_UNFINISHED = ("=", "~", "∝", "prop", "where", "for", "+", "-", "*", "/", "^", ",", ":")


def read_claims(lines: list[str], mistakes: Mistakes) -> list[Claim]:
    """Return the claims of a text; add what cannot be read to the mistakes."""
    claims = []
    for tokens, broken in _split_claims(lines, mistakes):
        if broken:
            continue
        try:
            claims.append(ClaimReader(tokens, lines).read_claim())
        except LineMistake as stop:
            mistakes.add_from(stop)
    if not claims and not mistakes:
        mistakes.add(
            "claims",
            "the text holds no claim",
            span=Span(1, 0, 1),
            expected="a line such as [sigma2 | .] = IG(q + n/2, 1/(1/r + sum(i: (y[i] - mu)^2)/2))",
        )
    return claims


def _split_claims(lines: list[str], mistakes: Mistakes) -> list[tuple[list[Token], bool]]:
    """Return the tokens of each claim, and whether a character of it was refused."""
    found: list[tuple[list[Token], bool]] = []
    current: list[Token] = []
    broken, depth = False, 0
    for number, line in enumerate(lines, start=1):
        tokens, refused = _read_line(line, number, mistakes)
        if not tokens and not refused:
            continue
        if current and _starts_claim(tokens, depth, current):
            found.append((current, broken))
            current, broken, depth = [], False, 0
        current = current + tokens
        broken |= refused
        depth = max(0, depth + sum((t.text in "([") - (t.text in ")]") for t in tokens if t.kind == "symbol"))
    return [*found, (current, broken)] if current or broken else found


def _starts_claim(tokens: list[Token], depth: int, current: list[Token]) -> bool:
    if not tokens:
        return False
    heads = any(a.text == "|" and b.text == "." for a, b in pairwise(tokens))
    if heads and tokens[0].text in ("[", "log"):
        return True
    return depth == 0 and tokens[0].text not in _GOES_ON and current[-1].text not in _UNFINISHED


def _read_line(line: str, number: int, mistakes: Mistakes) -> tuple[list[Token], bool]:
    """Return the tokens of a line: those of the language, and ``|``, ``.`` and ``∝``."""
    line = line.partition("#")[0]
    tokens: list[Token] = []
    refused, position = False, 0
    for special in (*_SPECIAL.finditer(line), None):
        end = special.start() if special else len(line)
        piece, _, bad = read_tokens(" " * position + line[position:end], number, mistakes)
        tokens += piece
        refused |= bad
        if special:
            tokens += _special_tokens(special, number)
            position = special.end()
    return tokens, refused


def _special_tokens(found: re.Match[str], number: int) -> list[Token]:
    start, end, text = found.start(), found.end(), found.group()
    if len(text) == 1:
        kind, text = ("name", "prod") if text == "∏" else ("symbol", text)
        return [Token(kind, text, Span(number, start, end))]
    return [
        Token("symbol", "|", Span(number, start, start + 1)),
        Token("symbol", ".", Span(number, end - 1, end)),
    ]


class ClaimReader(StatementReader):
    """Reads one claim from its tokens."""

    def __init__(self, tokens: list[Token], lines: list[str]) -> None:
        super().__init__(tokens)
        self._lines = lines

    def read_claim(self) -> Claim:
        """Return the claim that fills the tokens."""
        start = self.token.span
        log = self.at("log")
        if log:
            self.advance()
        self.expect("[", "and the node of the claim, as in [beta[i] | .]")
        head = self.read_expression()
        self.expect("|", "after the node, as in [beta[i] | .]")
        if not self.at("."):
            raise self.unexpected("`.`: a claim is about a full conditional, as in [beta[i] | .]")
        self.advance()
        close = self.expect("]", "after the dot, as in [beta[i] | .]")
        lines = [self._read_right(log)]
        while self.at(*_RELATIONS):
            lines.append(self._read_right(log))
        ranges = self._read_ranges() if self.at("for") else ()
        definitions = self._read_definitions() if self.at("where") else ()
        if self.token.kind != "end":
            raise self._bad_claim_end()
        title = self._text(start, close.span)
        return Claim(
            head=head, log=log, lines=tuple(lines), definitions=definitions, ranges=ranges, title=title,
            span=join(start, close.span),
        )  # fmt: skip

    def _bad_claim_end(self) -> LineMistake:
        stop = self.unexpected("a relation, `for`, `where`, or the end of the claim")
        before = self._tokens[self._position - 1]
        if self.token.kind in ("name", "number") or self.at("(", "["):
            stop.remedy = f"put an operator before it, such as {before.text} * {self.token.text}"
        return stop

    def _text(self, start: Span, end: Span) -> str:
        """Return the text from one place to another, on one line."""
        if start.line == end.line:
            return self._lines[start.line - 1][start.start : end.end]
        middle = self._lines[start.line : end.line - 1]
        pieces = [self._lines[start.line - 1][start.start :], *middle, self._lines[end.line - 1][: end.end]]
        return " ".join(piece.partition("#")[0].strip() for piece in pieces)

    def _read_right(self, log: bool) -> Line:
        if not self.at(*_RELATIONS):
            raise self.unexpected("`=`, `~` or `prop` (∝) after the node")
        sign = self.advance()
        start = self.token
        fields = self._read_side(log)
        end = self._tokens[self._position - 1]
        return Line(
            relation=_RELATIONS[sign.text],  # type: ignore[arg-type]
            text=self._text(start.span, end.span),
            span=join(start.span, end.span),
            **fields,
        )

    def _read_side(self, log: bool) -> dict:
        name, after = self.token, self.peek()
        if self._at_density():
            return {"densities": self._read_densities(())}
        known = name.text in FUNCTIONS or name.text in ALIASES or name.text == "sum"
        if name.kind == "name" and after.text == "(" and (by_surface(name.text) or not known) and not log:
            return self._read_distribution()
        return {"kernel": self.read_expression()}

    # Markov blankets

    def _at_density(self) -> bool:
        """Tell whether a density begins here: ``prod(``, or a bracket with a bar or a name alone in it."""
        if self.at("prod"):
            return True
        if not self.at("["):
            return False
        depth = 0
        for offset in range(len(self._tokens)):
            text = self.peek(offset).text
            depth += (text in ("[", "(")) - (text in ("]", ")"))
            if depth == 1 and text == "|":
                return True
            if depth == 0 or self.peek(offset).kind == "end":
                return depth == 0 and self._name_alone(offset)
        return False

    def _name_alone(self, close: int) -> bool:
        """Tell whether the bracket holds one name with its subscripts, as in [mu] or [beta[i]]."""
        inside = [self.peek(offset) for offset in range(1, close)]
        if not inside or inside[0].kind != "name":
            return False
        return len(inside) == 1 or (inside[1].text == "[" and inside[-1].text == "]")

    def _read_densities(self, products: tuple[str, ...]) -> tuple[Density, ...]:
        found = list(self._read_term(products))
        while self.at("*") or self._at_density():
            if self.at("*"):
                self.advance()
            found += self._read_term(products)
        return tuple(found)

    def _read_term(self, products: tuple[str, ...]) -> tuple[Density, ...]:
        if self.at("prod"):
            self.advance()
            self.expect("(", "after `prod`")
            index = self.expect_name("an index, as in prod(i: [beta[i] | mu])").text
            self.expect(":", "between the index and the densities, as in prod(i: [beta[i] | mu])")
            found = self._read_densities((*products, index))
            self.expect(")", "to close `prod(`")
            return found
        if not self._at_density():
            raise self.unexpected("a density such as [beta[i] | mu, Sigma]")
        opening = self.advance()
        value = self.read_reference()
        parents = []
        while self.at("|", ","):
            self.advance()
            parents.append(self.read_reference())
        close = self.expect("]", "to close the density")
        span = join(opening.span, close.span)
        return (Density(value=value, parents=tuple(parents), products=products, span=span),)

    # definitions

    def _read_definitions(self) -> tuple[Named, ...]:
        found: list[Named] = []
        self.advance()
        while True:
            found.append(self._read_definition())
            if not self.at(",", "and", "where"):
                return tuple(found)
            self.advance()

    def _read_definition(self) -> Named:
        target = self.read_reference()
        reason = refuse_name(target.name)
        if reason:
            raise LineMistake(reason[0], span=target.span or self.token.span, code="name", remedy=reason[1])
        indices = []
        for each in target.subscripts:
            if not isinstance(each, Reference) or each.subscripts:
                raise LineMistake(
                    f"a subscript on the left of `{target.name}` is not an index",
                    span=each.span or self.token.span, code="subscript", expected=f"{target.name}[i]",
                )  # fmt: skip
            indices.append(each.name)
        self.expect("=", f"after `{target.name}`, as in where A = inv(Sigma)")
        expression = self.read_expression()
        return Named(name=target.name, indices=tuple(indices), expression=expression, span=target.span)
