"""Show stage, notation as text for a terminal: Unicode as in the notes, or plain ASCII."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from deriver.show import notation as n
from deriver.show.names import lower_digits, raise_digits, take_apart, to_unicode
from deriver.show.spelling import (
    ATOM,
    OPEN,
    POWER,
    PRODUCT,
    Spelling,
    is_count,
    is_log,
    join,
    leads_out,
)


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The signs of one alphabet."""

    minus: str
    total: str
    many: str
    prime: str
    half: str
    rest: str
    proportional: str
    dots: str
    rule: str
    relations: tuple[tuple[str, str], ...] = ()


UNICODE = Glyphs(
    minus="−", total="∑", many="∏", prime="′", half="½ ", rest="·", proportional="∝", dots="…", rule="─",
    relations=(("<=", "≤"), (">=", "≥"), ("!=", "≠"), ("in", "∈"), ("not in", "∉")),
)  # fmt: skip
ASCII = Glyphs(
    minus="-",
    total="sum",
    many="prod",
    prime="'",
    half="1/2 ",
    rest=".",
    proportional="~",
    dots="...",
    rule="-",
)


class TextSpelling(Spelling):
    """Spells notation in one line of text; ``siblings`` are the model's names."""

    def __init__(self, siblings: frozenset[str] = frozenset(), unicode: bool = True) -> None:
        self.unicode = unicode
        self.glyphs = UNICODE if unicode else ASCII
        super().__init__(dict(self.glyphs.relations))
        self.minus, self.rest = self.glyphs.minus, self.glyphs.rest
        self._siblings = siblings

    def touches(self, before: str, after: str) -> bool:
        """A number touches the letter after it."""
        return super().touches(before, after) or (
            before.isdigit() and after[0].isalpha() and not after[1:2].isalpha()
        )

    # names

    def name(
        self, name: str, subscripts: tuple[n.Notation, ...], positions: tuple[n.Notation, ...] = ()
    ) -> str:
        """Return a name with its subscripts: y_ij, z_{t−1}, σ²_β; in ASCII as in the model language."""
        below, places = list(map(self._tight, subscripts)), list(map(self._tight, positions))
        if not self.unicode:
            inside = ",".join([*below, *places])
            return f"{name}[{inside}]" if inside else name
        letter = take_apart(name, self._siblings)
        marks = list(letter.marks)
        head = to_unicode(letter.letter) + ("²" if letter.squared else "")
        if marks and marks[0].isdigit():
            head += lower_digits(marks.pop(0))
        return head + _lower([*map(to_unicode, marks)], below, places)

    def _tight(self, notation: n.Notation) -> str:
        return self.one_line(notation).replace(" ", "")

    def entry(self, base: str, positions: tuple[n.Notation, ...]) -> str:
        """Return an entry of what has no name: (β_i − μ)_1."""
        return base + _lower([], [], list(map(self._tight, positions)))

    # fractions and powers

    def level_of_fraction(self, notation: n.Over) -> int:
        """A half before a long term is open to the right; so is a sum."""
        return OPEN if self._leads(notation) else PRODUCT

    def _leads(self, notation: n.Over) -> bool:
        return notation.denominator == n.TWO and leads_out(notation)

    def spell_over(self, notation: n.Over) -> str:
        """Return a fraction on one line; a half stands before what is long."""
        if self._leads(notation):
            return self.glyphs.half + self.within(notation.numerator, OPEN)
        top = self.within(notation.numerator, OPEN)
        top = self.bracket(top) if is_log(notation.numerator) else top
        return f"{top}/{self.within(notation.denominator, POWER)}"

    def spell_power(self, notation: n.Power) -> str:
        """Return a power, its exponent raised when it is a whole number."""
        base = notation.base
        square = self.unicode and isinstance(base, n.Name) and take_apart(base.name, self._siblings).squared
        text = self.write(base) if self.level(base) == ATOM and not square else self.enclose(base)
        exponent = join(self.write(notation.exponent))
        plain = exponent.replace(self.minus, "-")
        if self.unicode and plain.lstrip("-").isdigit():
            return text + raise_digits(plain)
        return f"{text}^{exponent}" if plain.lstrip("-").isalnum() else f"{text}^({exponent})"

    def level_of_call(self, function: str) -> int:
        """In ASCII every function but the log has its brackets."""
        if function == "exchangeable" and not self.unicode:
            return ATOM
        return super().level_of_call(function)

    def spell_transpose(self, notation: n.Transpose) -> str:
        """Return a transpose."""
        return self.within(notation.base, ATOM) + self.glyphs.prime

    def spell_numeral(self, notation: n.Numeral) -> str:
        """Return an exact number."""
        return str(notation.value)

    def spell_constant(self, notation: n.Constant) -> str:
        """Return π, e or ∞."""
        return {"pi": "π", "inf": "∞"}.get(notation.name, notation.name) if self.unicode else notation.name

    def spell_letter(self, notation: n.Letter) -> str:
        """Return a letter that the derivation introduces."""
        if not self.unicode:
            return notation.name + ("~" if notation.tilde else "")
        letter = to_unicode(notation.name) + ("\u0303" if notation.tilde else "")
        return unicodedata.normalize("NFC", letter)

    # functions

    def spell_apply(self, notation: n.Apply) -> str:
        """Return a function with its arguments."""
        function, arguments = notation.function, notation.arguments
        match function:
            case "log":
                return "log " + self._plain_or_enclosed(arguments[0])
            case "sqrt" if self.unicode:
                return "√" + self._plain_or_enclosed(arguments[0])
            case "abs" | "det":
                return f"|{self.write(arguments[0])}|"
            case "exchangeable" if self.unicode:
                return self.written_out(arguments)
            case "eye" | "ones" | "unit" if self.unicode:
                return {"eye": "I", "ones": "1", "unit": "e"}[function] + _lower(
                    [self._tight(arguments[0])], [], []
                )
            case "normal_cdf" if self.unicode:
                return f"Φ{self.enclose(arguments[0])}"
            case "lgamma" | "lmgamma" if self.unicode:
                below = "_" + self._tight(arguments[1]) if function == "lmgamma" else ""
                return f"log Γ{below}{self.enclose(arguments[0])}"
        return f"{function}({self.deeper(*arguments)})"

    def _plain_or_enclosed(self, argument: n.Notation) -> str:
        plain = isinstance(
            argument, n.Name | n.Numeral | n.Element | n.Constant | n.Density | n.Gate | n.Chance
        ) or (isinstance(argument, n.Apply) and argument.function == "det")
        return self.write(argument) if plain else self.enclose(argument)

    # sums over plates

    def spell_total(self, notation: n.Total) -> str:
        """Return a sum over plates: ∑_ij, ∑_{k : g_k=i}, ∑_{t=2..T}."""
        if is_count(notation):
            return f"#{{{self._members(notation)}}}"
        return f"{self._over(self.glyphs.total, notation)} {self.within(notation.body, OPEN)}"

    def _members(self, notation: n.Total) -> str:
        where = ", ".join(map(self.one_line, notation.conditions))
        return ",".join(self.write(n.Name(bound.index)) for bound in notation.bounds) + f" : {where}"

    def spell_many(self, notation: n.Many) -> str:
        """Return a product over plates."""
        return f"{self._over(self.glyphs.many, notation)} {self.within(notation.body, OPEN)}"

    def _over(self, sign: str, notation: n.Total | n.Many) -> str:
        whole = all(bound.whole for bound in notation.bounds)
        if whole:
            indices = [self.write(n.Name(bound.index)) for bound in notation.bounds]
        else:
            indices = [self.spell_bound(bound).replace(" ", "") for bound in notation.bounds]
        where = ", ".join(map(self.one_line, notation.conditions))
        if not where:
            return sign + _lower([], indices, [])
        if whole and len(indices) == 1 and where.startswith(f"{indices[0]} "):
            return f"{sign}_{{{where}}}"
        return f"{sign}_{{{','.join(indices)} : {where}}}"

    def spell_bound(self, bound: n.Bound) -> str:
        """Return ``t = 2..T``."""
        index, lower, upper = n.Name(bound.index), bound.lower, bound.upper
        return f"{self.write(index)} = {self._tight(lower)}..{self._tight(upper)}"

    def spell_gate(self, notation: n.Gate) -> str:
        """Return a term that is there only under conditions: 1{t < T} φ²/σ²."""
        sign = "1{" + ", ".join(map(self.one_line, notation.conditions)) + "}"
        return sign if notation.body == n.ONE else f"{sign} {self.within(notation.body, OPEN)}"

    def spell_matrix(self, notation: n.Matrix) -> str:
        """Return an explicit matrix: [1, ρ; ρ, 1]."""
        return "[" + "; ".join(", ".join(map(self.one_line, row)) for row in notation.rows) + "]"

    def spell_gathered(self, notation: n.Gathered) -> str:
        """Return a vector of terms: (x_c)_{c=1..p}."""
        bound = self.spell_bound(notation.bound).replace(" ", "")
        return f"{self.enclose(notation.body)}_{{{bound}}}"

    def spell_slice(self, notation: n.Slice) -> str:
        """Return the sign of a whole axis."""
        return self.glyphs.rest if self.unicode else ":"

    def spell_distribution(self, notation: n.Distribution) -> str:
        """Return a family's short name with its arguments."""
        text = f"{notation.name}({self.deeper(*notation.arguments)})"
        if notation.restriction is None:
            return text
        return f"{text} restricted to {self.spell_interval(notation.restriction)}"


def _lower(marks: list[str], indices: list[str], positions: list[str]) -> str:
    """Return subscripts: single signs run together; commas and braces where they would be misread."""
    inside = indices if all(len(index) == 1 for index in indices) else [",".join(indices)]
    pieces = [*marks, "".join(inside), *positions]
    text = ",".join(piece for piece in pieces if piece)
    if not text:
        return ""
    return f"_{text}" if text.isalnum() or text == "·" else f"_{{{text}}}"
