"""Show stage, notation as LaTeX (amsmath): for a document, and for Markdown's dollar signs.

Only commands with letters are used (``\\lbrace``, not ``\\{``), as Markdown readers eat the others.
"""

from __future__ import annotations

from deriver.show import notation as n
from deriver.show.names import take_apart, to_latex
from deriver.show.spelling import (
    ATOM,
    OPEN,
    POWER,
    PRODUCT,
    SUM,
    Spelling,
    is_count,
    leads_out,
    split_fraction,
)

_RELATIONS = {"<=": r"\le", ">=": r"\ge", "!=": r"\ne", "in": r"\in", "not in": r"\notin"}
_FUNCTIONS = {"tr": r"\operatorname{tr}", "diag": r"\operatorname{diag}", "max": r"\max", "min": r"\min",
    "normal_cdf": r"\Phi", "is_positive": r"\operatorname{is\_positive}",
}  # fmt: skip


class LatexSpelling(Spelling):
    """Spells notation in LaTeX; ``siblings`` are the model's names."""

    bar = r"\mid"
    rest = r"\cdot"

    def __init__(self, siblings: frozenset[str] = frozenset()) -> None:
        super().__init__(_RELATIONS)
        self._siblings = siblings

    between = r" \thinspace"

    def touches(self, before: str, after: str) -> bool:
        """A blank between factors is always harmless in LaTeX."""
        return False

    def bracket(self, inside: str) -> str:
        """Return round brackets, tall around tall things; never left and right, which forbid a break."""
        if r"\sum" in inside or r"\frac" in inside or r"\prod" in inside or "matrix" in inside:
            return rf"\Bigl( {inside} \Bigr)"
        return f"({inside})"

    # names

    def name(
        self, name: str, subscripts: tuple[n.Notation, ...], positions: tuple[n.Notation, ...] = ()
    ) -> str:
        """Return a name with its subscripts."""
        letter = take_apart(name, self._siblings)
        head = to_latex(letter.letter) + ("^2" if letter.squared else "")
        marks = [to_latex(mark) for mark in letter.marks]
        below, places = list(map(self.one_line, subscripts)), list(map(self.one_line, positions))
        return head + _lower(marks, below, places)

    def entry(self, base: str, positions: tuple[n.Notation, ...]) -> str:
        """Return an entry of what has no name."""
        return base + _lower([], [], list(map(self.one_line, positions)))

    def spell_numeral(self, notation: n.Numeral) -> str:
        """Return an exact number."""
        top, bottom = notation.value.numerator, notation.value.denominator
        return str(top) if bottom == 1 else rf"\frac{{{top}}}{{{bottom}}}"

    def spell_constant(self, notation: n.Constant) -> str:
        """Return π, e or ∞."""
        return {"pi": r"\pi", "inf": r"\infty"}.get(notation.name, notation.name)

    def spell_letter(self, notation: n.Letter) -> str:
        """Return a letter that the derivation introduces."""
        letter = to_latex(notation.name)
        return rf"\tilde{{{letter}}}" if notation.tilde else letter

    # fractions and powers

    def level_of_fraction(self, notation: n.Over) -> int:
        """A coefficient before a sum is open to the right, a fraction is a product."""
        level = self.level(split_fraction(notation)[1]) if leads_out(notation) else PRODUCT
        return PRODUCT if level == SUM else level

    def spell_over(self, notation: n.Over) -> str:
        """Return a fraction; sums and brackets stand beside it, not in it."""
        if leads_out(notation):
            coefficient, rest = split_fraction(notation)
            return f"{self._frac(coefficient)} {self.within(rest, OPEN)}"
        return self._frac(notation)

    def _frac(self, notation: n.Over) -> str:
        return rf"\frac{{{self.one_line(notation.numerator)}}}{{{self.one_line(notation.denominator)}}}"

    def spell_power(self, notation: n.Power) -> str:
        """Return a power."""
        base = notation.base
        square = isinstance(base, n.Name) and take_apart(base.name, self._siblings).squared
        closed = self.level(base) == ATOM and not square and not isinstance(base, n.Matrix | n.Gathered)
        text = self.write(base) if closed or isinstance(base, n.Matrix) else self.enclose(base)
        return f"{text}^{{{self.one_line(notation.exponent)}}}"

    def spell_transpose(self, notation: n.Transpose) -> str:
        """Return a transpose."""
        return self.within(notation.base, ATOM) + "'"

    # functions

    def level_of_call(self, function: str) -> int:
        """A function with a bracket is an atom, log x a product, eˣ a power."""
        return POWER if function == "exp" else super().level_of_call(function)

    def spell_apply(self, notation: n.Apply) -> str:
        """Return a function with its arguments."""
        function, arguments = notation.function, notation.arguments
        first = arguments[0]
        match function:
            case "log":
                return r"\log " + self._plain_or_enclosed(first)
            case "exp":
                return self._exponential(first)
            case "sqrt":
                return rf"\sqrt{{{self.one_line(first)}}}"
            case "abs" | "det":
                return rf"\lvert {self.write(first)} \rvert"
            case "eye":
                return f"I_{{{self.one_line(first)}}}"
            case "ones":
                return rf"\mathbf{{1}}_{{{self.one_line(first)}}}"
            case "unit":
                return f"e_{{{self.one_line(first)}}}"
            case "exchangeable":
                return self.written_out(arguments)
            case "lgamma":
                return rf"\log\Gamma{self.enclose(first)}"
            case "lmgamma":
                return rf"\log\Gamma_{{{self.one_line(arguments[1])}}}{self.enclose(first)}"
        name = _FUNCTIONS.get(function, rf"\operatorname{{{function}}}")
        return name + self.bracket(self.deeper(*arguments))

    def _plain_or_enclosed(self, argument: n.Notation) -> str:
        plain = isinstance(
            argument, n.Name | n.Numeral | n.Element | n.Constant | n.Density | n.Gate | n.Chance
        ) or (isinstance(argument, n.Apply) and argument.function == "det")
        return self.write(argument) if plain else self.enclose(argument)

    def _exponential(self, exponent: n.Notation) -> str:
        text = self.one_line(exponent)
        if r"\sum" in text or r"\frac" in text:
            return rf"\exp{self.enclose(exponent)}"
        return f"e^{{{text}}}"

    # sums over plates

    def spell_total(self, notation: n.Total) -> str:
        """Return a sum over plates with its limits."""
        if is_count(notation):
            where = ", ".join(map(self.one_line, notation.conditions))
            indices = ", ".join(self.write(n.Name(bound.index)) for bound in notation.bounds)
            return rf"\lvert \lbrace {indices} : {where} \rbrace \rvert"
        return f"{self._over('sum', notation)} {self.within(notation.body, OPEN)}"

    def spell_many(self, notation: n.Many) -> str:
        """Return a product over plates with its limits."""
        return f"{self._over('prod', notation)} {self.within(notation.body, OPEN)}"

    def _over(self, sign: str, notation: n.Total | n.Many) -> str:
        if notation.conditions:
            indices = ", ".join(self.write(n.Name(bound.index)) for bound in notation.bounds)
            where = r",\quad ".join(map(self.one_line, notation.conditions))
            return rf"\{sign}_{{{indices} : {where}}}"
        return " ".join(
            rf"\{sign}_{{{self.write(n.Name(bound.index))}={self.one_line(bound.lower)}}}^{{{self.one_line(bound.upper)}}}"
            for bound in notation.bounds
        )

    def spell_bound(self, bound: n.Bound) -> str:
        """Return ``t = 1, \\dots, T``."""
        lower, upper = self.one_line(bound.lower), self.one_line(bound.upper)
        return rf"{self.write(n.Name(bound.index))} = {lower}, \dots, {upper}"

    def spell_gate(self, notation: n.Gate) -> str:
        """Return a term that is there only under conditions."""
        where = r",\quad ".join(map(self.one_line, notation.conditions))
        sign = rf"\mathbf{{1}}_{{\lbrace {where} \rbrace}}"
        return sign if notation.body == n.ONE else f"{sign} {self.within(notation.body, OPEN)}"

    def spell_matrix(self, notation: n.Matrix) -> str:
        """Return an explicit matrix."""
        rows = r" \\ ".join(" & ".join(map(self.one_line, row)) for row in notation.rows)
        return rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}"

    def spell_gathered(self, notation: n.Gathered) -> str:
        """Return a vector of terms."""
        bound = notation.bound
        index, lower, upper = (
            self.write(n.Name(bound.index)),
            self.one_line(bound.lower),
            self.one_line(bound.upper),
        )
        return rf"{self.enclose(notation.body)}_{{{index}={lower}}}^{{{upper}}}"

    def spell_slice(self, notation: n.Slice) -> str:
        """Return the sign of a whole axis."""
        return r"\cdot"

    def spell_distribution(self, notation: n.Distribution) -> str:
        """Return a family's short name with its arguments."""
        text = rf"\operatorname{{{notation.name}}}{self.bracket(self.deeper(*notation.arguments))}"
        if notation.restriction is None:
            return text
        return rf"{text} \text{{ restricted to }} {self.spell_interval(notation.restriction)}"


def _lower(marks: list[str], indices: list[str], positions: list[str]) -> str:
    """Return subscripts: digits and single letters run together, words and positions take commas."""
    single = all(len(index) == 1 for index in indices)
    own = "".join(indices) if single else ",".join(indices)
    if marks and indices and single and marks[-1].isdigit() and not own.isdigit():
        marks, own = marks[:-1], marks[-1] + own
    text = ",".join(piece for piece in [*marks, own, *positions] if piece)
    return f"_{{{text}}}" if text else ""
