"""Show stage, what the spellings share: brackets by precedence, signs, and places where a line may break.

A spelling turns ``notation`` into a string, by one method ``spell_*`` for each kind.  A place to break is a
private-use character that carries the depth of brackets around it; ``wrap`` chooses among them, and ``join``
makes blanks of those that are left.
"""

from __future__ import annotations

from collections.abc import Iterable

from deriver.errors import InternalError
from deriver.show import notation as n

# Levels of the grammar: what stands at a level needs no brackets at a lower one.
SUM, OPEN, PRODUCT, POWER, ATOM = range(5)

_LOGS = ("log", "lgamma", "lmgamma")

_FIRST_BREAK = 0xE000
_DEEPEST = 15


def is_break(character: str) -> bool:
    """Tell whether a character marks a place to break."""
    return _FIRST_BREAK <= ord(character) <= _FIRST_BREAK + _DEEPEST


def depth_of(character: str) -> int:
    """Return the depth of brackets around a place to break."""
    return ord(character) - _FIRST_BREAK


def join(text: str) -> str:
    """Return the text on one line."""
    return "".join(" " if is_break(character) else character for character in text)


class Spelling:
    """Base of the spellings for readers; ``write`` gives a string with places to break."""

    minus: str = "-"
    bar: str = "|"
    rest: str = "."
    between: str = ""

    def __init__(self, relations: dict[str, str]) -> None:
        self.relations = relations
        self._depth = 0

    def write(self, notation: n.Notation) -> str:
        """Return the notation; raise ``InternalError`` for a kind that is not known."""
        spell = getattr(self, f"spell_{type(notation).__name__.lower()}", None)
        if spell is None:
            raise InternalError(f"show: no spelling for {type(notation).__name__}")
        return spell(notation)

    def one_line(self, notation: n.Notation) -> str:
        """Return the notation without places to break."""
        return join(self.write(notation))

    @property
    def breakpoint(self) -> str:
        """The mark of a place to break at the present depth."""
        return chr(_FIRST_BREAK + min(self._depth, _DEEPEST))

    def within(self, notation: n.Notation, lowest: int) -> str:
        """Return the notation, in brackets if it stands below the level."""
        return self.write(notation) if self.level(notation) >= lowest else self.enclose(notation)

    def enclose(self, notation: n.Notation) -> str:
        """Return the notation in brackets."""
        return self.bracket(self.deeper(notation))

    def deeper(self, *notations: n.Notation) -> str:
        """Return what stands inside brackets, with commas between."""
        self._depth += 1
        inside = ", ".join(map(self.write, notations))
        self._depth -= 1
        return inside

    def bracket(self, inside: str) -> str:
        """Return the text in round brackets."""
        return f"({inside})"

    def list_of(self, notations: Iterable[n.Notation], separator: str = ", ") -> str:
        """Return the notations with commas between them."""
        return separator.join(map(self.write, notations))

    def level(self, notation: n.Notation) -> int:
        """Return the level of the grammar on which a notation stands."""
        match notation:
            case n.Plus() | n.Minus() | n.Relation():
                return SUM
            case n.Gate(body=body) if body == n.ONE:
                return ATOM
            case n.Total() if is_count(notation):
                return ATOM
            case n.Total() | n.Gate() | n.Many():
                return OPEN
            case n.Times(factors=factors):
                return OPEN if self.level(factors[-1]) == OPEN else PRODUCT
            case n.Over():
                return self.level_of_fraction(notation)
            case n.Numeral(value=value):
                return ATOM if value.denominator == 1 else PRODUCT
            case n.Power():
                return POWER
            case n.Apply(function=function):
                return self.level_of_call(function)
        return ATOM

    def level_of_fraction(self, notation: n.Over) -> int:
        """Return the level on which a fraction stands."""
        return PRODUCT

    def level_of_call(self, function: str) -> int:
        """log x stands as a product does, an exchangeable matrix is written out, f(x) is an atom."""
        if function == "exchangeable":
            return SUM
        return PRODUCT if function in _LOGS else ATOM

    def written_out(self, arguments: tuple[n.Notation, ...]) -> str:
        """Return the exchangeable matrix as (1 − ρ)I + ρ11′."""
        rho, size = arguments
        ones = n.Apply("ones", (size,))
        diagonal = n.Times((n.Plus(((False, n.ONE), (True, rho))), n.Apply("eye", (size,))))
        return self.write(n.Plus(((False, diagonal), (False, n.Times((rho, ones, n.Transpose(ones)))))))

    # sums and products

    def spell_plus(self, notation: n.Plus) -> str:
        """Return a sum, with a place to break before each sign."""
        pieces = []
        for place, (negative, term) in enumerate(notation.terms):
            body = self.within(term, OPEN)
            if place:
                pieces.append(f"{self.breakpoint}{self.minus if negative else '+'} {body}")
            else:
                pieces.append(f"{self.minus}{body}" if negative else body)
        return "".join(pieces)

    def spell_minus(self, notation: n.Minus) -> str:
        """Return a term with its minus sign."""
        return self.minus + self.within(notation.operand, OPEN)

    def spell_times(self, notation: n.Times) -> str:
        """Return a product; a blank stands only where two factors would run together."""
        text = ""
        for place, factor in enumerate(notation.factors):
            piece = self.spell_factor(factor, place == len(notation.factors) - 1)
            text += piece if not text or self.touches(text, piece) else " " + piece
        return text

    def spell_factor(self, factor: n.Notation, last: bool) -> str:
        """Return one factor of a product; a product inside a product stands in brackets unless it is last."""
        inside = not last and (isinstance(factor, n.Times) or is_log(factor))
        return self.enclose(factor) if inside else self.within(factor, OPEN if last else PRODUCT)

    def touches(self, before: str, after: str) -> bool:
        """Tell whether two factors stand without a blank between them."""
        return after.startswith(("(", "[")) or before.endswith(("′", "'", "⁻¹"))

    # names and densities

    def spell_name(self, notation: n.Name) -> str:
        """Return a declared name with its subscripts."""
        return self.name(notation.name, notation.subscripts)

    def spell_element(self, notation: n.Element) -> str:
        """Return an entry of a vector or matrix, its position after the name's own subscripts."""
        if isinstance(notation.base, n.Name):
            return self.name(notation.base.name, notation.base.subscripts, notation.positions)
        return self.entry(self.enclose(notation.base), notation.positions)

    def spell_relation(self, notation: n.Relation) -> str:
        """Return a relation."""
        sign = self.relations.get(notation.relation, notation.relation)
        return f"{self.write(notation.left)} {sign} {self.write(notation.right)}"

    def spell_density(self, notation: n.Density) -> str:
        """Return ``[value | parents]``."""
        value = self.write(notation.value)
        if notation.parents is None:
            return f"[{value} {self.bar} {self.rest}]"
        given = f" {self.bar} {self.list_of(notation.parents)}" if notation.parents else ""
        return f"[{value}{given}]"

    def spell_sequence(self, notation: n.Sequence) -> str:
        """Return several things with commas between them, which may break after any of them."""
        return f",{self.breakpoint}".join(map(self.write, notation.items))

    def spell_juxtaposed(self, notation: n.Juxtaposed) -> str:
        """Return a product of densities; a product over a plate holds only the density next to it."""
        return (self.between + self.breakpoint).join(map(self.write, notation.factors))

    def spell_interval(self, notation: n.Interval) -> str:
        """Return an open interval."""
        return f"({self.one_line(notation.lower)}, {self.one_line(notation.upper)})"

    def spell_chance(self, notation: n.Chance) -> str:
        """Return a probability."""
        sign = self.relations.get("in", "in")
        return f"P({self.write(notation.law)} {sign} {self.spell_interval(notation.interval)})"

    def spell_decimal(self, notation: n.Decimal) -> str:
        """Return a number that is not exact."""
        return notation.text

    def name(
        self, name: str, subscripts: tuple[n.Notation, ...], positions: tuple[n.Notation, ...] = ()
    ) -> str:
        """Return a declared name with its subscripts and, of a vector or matrix, the positions of an entry."""
        raise InternalError(f"{type(self).__name__} has no spelling for names")

    def entry(self, base: str, positions: tuple[n.Notation, ...]) -> str:
        """Return an entry of a vector or matrix that has no name."""
        raise InternalError(f"{type(self).__name__} has no spelling for names")


def leads_out(notation: n.Over) -> bool:
    """Tell whether a fraction is written as a coefficient before what it multiplies: ½(a + b), (1/σ²) Σ x."""
    factors = _factors_of(notation.numerator)
    if any(_stands_out(factor) for factor in factors):
        return True
    return isinstance(notation.denominator, n.Numeral) and any(map(_is_wide, factors))


def split_fraction(notation: n.Over) -> tuple[n.Over, n.Notation]:
    """Return the coefficient (a fraction of names) and the wide rest of a fraction that leads out."""
    factors = _factors_of(notation.numerator)
    places = [k for k, factor in enumerate(factors) if _stands_out(factor) or _is_wide(factor)]
    before, after = factors[: places[0]], factors[places[0] :]
    return n.Over(times(before), notation.denominator), times(after)


def times(factors: Iterable[n.Notation]) -> n.Notation:
    """Return the product of any number of factors."""
    factors = tuple(factors)
    if not factors:
        return n.ONE
    return factors[0] if len(factors) == 1 else n.Times(factors)


def is_count(notation: n.Notation) -> bool:
    """Tell whether a sum over plates only counts the members of a group."""
    return isinstance(notation, n.Total) and notation.body == n.ONE and bool(notation.conditions)


def is_log(notation: n.Notation) -> bool:
    """Tell whether a notation ends in a log, to whose argument a following factor would seem to belong."""
    match notation:
        case n.Apply(function=function):
            return function in _LOGS
        case n.Times(factors=factors):
            return is_log(factors[-1])
        case n.Total(body=body):
            return is_log(body)
    return False


def _factors_of(notation: n.Notation) -> tuple[n.Notation, ...]:
    return notation.factors if isinstance(notation, n.Times) else (notation,)


def _stands_out(factor: n.Notation) -> bool:
    """Tell whether a factor never stands above a fraction line: a sum over plates, or a bracket that holds one."""
    if isinstance(factor, n.Plus):
        return any(
            (isinstance(term, n.Total) and not is_count(term)) or _holds_total(term)
            for _, term in factor.terms
        )
    return isinstance(factor, n.Total | n.Gate) and not is_count(factor)


def _holds_total(term: n.Notation) -> bool:
    return isinstance(term, n.Over) and any(_stands_out(factor) for factor in _factors_of(term.numerator))


def _is_wide(factor: n.Notation) -> bool:
    if isinstance(factor, n.Times):
        return any(map(_is_wide, factor.factors))
    return isinstance(factor, n.Plus | n.Transpose) or is_log(factor)
