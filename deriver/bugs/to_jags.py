"""A model of ours in the language of JAGS.

Vectors become slices (``beta[i,1:p]``), variances precisions, an inverse gamma or inverse Wishart node the inverse of
a gamma or Wishart one; sums over a plate are arrays of their terms.  What JAGS has no distribution or function for is
refused with its line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from deriver.bugs.writing import Kinds, Refusals, bounds_of, keyed, offset_of, refused
from deriver.language.mistakes import LineMistake
from deriver.language.rewrite import substitute
from deriver.model.expressions import (
    Binary,
    Call,
    Colon,
    Condition,
    Expression,
    MatrixRows,
    Negate,
    Number,
    Reference,
    SumOver,
    Transpose,
)
from deriver.model.records import Deterministic, Given, Model, Node, Range, Statement, Stochastic

_FUNCTIONS = {
    "exp": "exp", "log": "log", "sqrt": "sqrt", "abs": "abs", "max": "max", "min": "min", "logit": "logit",
    "expit": "ilogit", "lgamma": "loggam", "normal_cdf": "phi",
}  # fmt: skip
# Family -> keywords -> text; the words of the arguments are filled in.
_FORMS: dict[tuple[str, ...], str] = {
    ("normal", "mean", "var"): "dnorm({mean}, 1 / ({var}))",
    ("normal", "mean", "sd"): "dnorm({mean}, pow({sd}, -2))",
    ("normal", "mean", "prec"): "dnorm({mean}, {prec})",
    ("mvnormal", "mean", "cov"): "dmnorm({mean}, inverse({cov}))",
    ("mvnormal", "mean", "prec"): "dmnorm({mean}, {prec})",
    ("mvnormal", "mean", "chol"): "dmnorm.vcov({mean}, ({chol}) %*% t({chol}))",
    ("gamma", "shape", "rate"): "dgamma({shape}, {rate})",
    ("gamma", "shape", "scale"): "dgamma({shape}, 1 / ({scale}))",
    ("inverse_gamma", "q", "r"): "dgamma({q}, 1 / ({r}))",
    ("inverse_gamma", "shape", "scale"): "dgamma({shape}, {scale})",
    ("exponential", "rate"): "dexp({rate})",
    ("exponential", "mean"): "dexp(1 / ({mean}))",
    ("uniform", "lower", "upper"): "dunif({lower}, {upper})",
    ("wishart", "scale", "df"): "dwish(inverse({scale}), {df})",
    ("wishart", "rate", "df"): "dwish({rate}, {df})",
    ("inverse_wishart", "df", "scale"): "dwish({scale}, {df})",
    ("beta", "a", "b"): "dbeta({a}, {b})",
    ("dirichlet", "concentration"): "ddirch({concentration})",
    ("bernoulli", "prob"): "dbern({prob})",
    ("bernoulli", "logit"): "dbern(ilogit({logit}))",
    ("binomial", "size", "prob"): "dbin({prob}, {size})",
    ("binomial", "size", "logit"): "dbin(ilogit({logit}), {size})",
    ("poisson", "rate"): "dpois({rate})",
    ("poisson", "log_rate"): "dpois(exp({log_rate}))",
    ("negative_binomial", "size", "prob"): "dnegbin({prob}, {size})",
    ("negative_binomial", "mean", "size"): "dnegbin(({size}) / (({size}) + ({mean})), {size})",
    ("categorical", "prob"): "dcat({prob})",
    ("multinomial", "size", "prob"): "dmulti({prob}, {size})",
    ("student_t", "df", "mean", "scale"): "dt({mean}, pow({scale}, -2), {df})",
    ("cauchy", "location", "scale"): "dt({location}, pow({scale}, -2), 1)",
    ("half_cauchy", "scale"): "dt(0, pow({scale}, -2), 1) T(0, )",
    ("half_normal", "sd"): "dnorm(0, pow({sd}, -2)) T(0, )",
    ("half_normal", "var"): "dnorm(0, 1 / ({var})) T(0, )",
    ("laplace", "location", "scale"): "ddexp({location}, 1 / ({scale}))",
    ("laplace", "location", "rate"): "ddexp({location}, {rate})",
    ("logistic", "location", "scale"): "dlogis({location}, 1 / ({scale}))",
    ("lognormal", "meanlog", "sdlog"): "dlnorm({meanlog}, pow({sdlog}, -2))",
    ("lognormal", "meanlog", "varlog"): "dlnorm({meanlog}, 1 / ({varlog}))",
    ("lognormal", "meanlog", "preclog"): "dlnorm({meanlog}, {preclog})",
    ("weibull", "shape", "scale"): "dweib({shape}, pow({scale}, -({shape})))",
    ("weibull", "shape", "rate"): "dweib({shape}, {rate})",
    ("pareto", "shape", "minimum"): "dpar({shape}, {minimum})",
}
_INVERTED = ("inverse_gamma", "inverse_wishart")
_HALF = ("half_cauchy", "half_normal")


def to_jags(model: Model) -> str:
    """Return the model in the language of JAGS; raise ``ModelError`` with each line that it has no words for."""
    return _Writer(model).write()


@dataclass(slots=True)
class _Scope:
    """The loops around a statement, and the lines that it needs before itself."""

    ranges: tuple[Range, ...] = ()
    before: list[str] = field(default_factory=list)


class _Writer:
    """Writes one model."""

    def __init__(self, model: Model) -> None:
        self.model, self.kinds = model, Kinds(model)
        self.refusals = Refusals(model, "JAGS")
        self.scope = _Scope()
        self.count = 0
        self.lines: list[str] = []

    def write(self) -> str:
        """Return the whole text."""
        for given in self.model.givens:
            if given.default is not None:
                self._guard(None, partial(self._default, given))
        for statement in self.model.statements:
            self._guard(statement, partial(self._state, statement))
        self.refusals.raise_any()
        return (
            "\n".join([f"# {self.model.name}", "model {", *(f"  {line}" for line in self.lines), "}"]) + "\n"
        )

    def _guard(self, statement: Statement | None, act: Callable[[], None]) -> None:
        try:
            act()
        except LineMistake as stop:
            self.refusals.add(stop, statement)

    def _default(self, given: Given) -> None:
        assert given.default is not None
        ranges = tuple(Range(index=index) for index in given.indices)
        self.scope = _Scope(ranges)
        subscripts: tuple[Expression, ...] = tuple(Reference(name=index) for index in given.indices)
        value = self.text(given.default)
        if self.kinds.of(given.default) != "scalar" or not given.shape:
            self._put(f"{self._place(given, subscripts)} <- {value}", "  # a default")
            return
        entries = [f"entry.{k + 1}" for k in range(len(given.shape))]
        loops = [
            f"for ({entry} in 1:{self._plain(dim)}) {{"
            for entry, dim in zip(entries, given.shape, strict=True)
        ]
        inside = ",".join([*(index for index in given.indices), *entries])
        closing = " }" * len(loops)
        self._put(f"{' '.join(loops)} {given.name}[{inside}] <- {value}{closing}", "  # a default")

    # statements

    def _state(self, statement: Statement) -> None:
        self.scope = _Scope(statement.ranges)
        declared = self.kinds.declared[statement.name]
        target = self._place(declared, statement.subscripts)
        if isinstance(statement, Deterministic):
            self._put(f"{target} <- {self.text(statement.expression)}")
            return
        if statement.family in _INVERTED:
            self._invert(statement, declared, target)
            return
        self._put(f"{target} ~ {self._distribution(statement)}{self._truncation(statement)}")

    def _invert(self, statement: Stochastic, declared: Given | Node, target: str) -> None:
        if statement.layer == "data":
            raise refused(
                "an observed inverse gamma or inverse Wishart quantity", None, "give the data as inverses"
            )
        inner = f"{statement.name}.inv{target[len(statement.name) :]}"
        matrix = statement.family == "inverse_wishart"
        self._put(f"{inner} ~ {self._distribution(statement)}{self._truncation(statement, True)}")
        self._put(f"{target} <- {'inverse(' + inner + ')' if matrix else '1 / ' + inner}")

    def _distribution(self, statement: Stochastic) -> str:
        arguments = dict(self._uninverted(*each) for each in keyed(statement).items())
        form = _FORMS.get((statement.family, *arguments))
        if form is None:
            remedies = {
                "flat": "give it a wide normal prior",
                "lkj": "give the covariance an inverse Wishart prior",
            }
            raise refused(
                f"the distribution {statement.family.replace('_', ' ')}",
                None,
                remedies.get(statement.family, ""),
            )
        if statement.family in _HALF and statement.truncation:
            raise refused("a truncated half-normal or half-Cauchy")
        words = {word: self.text(value) for word, value in arguments.items()}
        return form.format(**words)

    def _uninverted(self, word: str, value: Expression) -> tuple[str, Expression]:
        """Return a variance, covariance or scale that is an inverse as the precision or rate that it inverts.

        JAGS finds a conjugate update only where the precision stands as itself.
        """
        other = {"var": "prec", "varlog": "preclog", "cov": "prec", "scale": "rate"}.get(word)
        inner = self._inverse_of(value) if other else None
        if other is None or inner is None or word == "scale" and self.kinds.of(value) != "matrix":
            return word, value
        return other, inner

    def _inverse_of(self, value: Expression) -> Expression | None:
        """Return what an expression is the inverse of; None if it is not written as one."""
        if isinstance(value, Call) and value.function == "inv":
            return value.arguments[0]
        if not isinstance(value, Reference):
            return None
        statements = self.model.statements_of(value.name)
        if len(statements) != 1:
            return None
        (statement,) = statements
        if isinstance(statement, Stochastic):
            own = statement.family in _INVERTED
            return Reference(name=f"{value.name}.inv", subscripts=value.subscripts) if own else None
        inner = statement.expression
        indices = [each.name for each in statement.subscripts if isinstance(each, Reference)]
        if not (
            isinstance(inner, Call) and inner.function == "inv" and len(indices) == len(value.subscripts)
        ):
            return None
        return substitute(inner.arguments[0], dict(zip(indices, value.subscripts, strict=True)))

    def _truncation(self, statement: Stochastic, inverted: bool = False) -> str:
        if statement.truncation is None:
            return ""
        low, high = (None if each is None else self.text(each) for each in statement.truncation)
        if inverted:
            low, high = (None if each in (None, "0") else f"1 / ({each})" for each in (high, low))
        return f" T({low or ''}, {high or ''})"

    def _put(self, line: str, comment: str = "") -> None:
        """Add a line within the loops of its scope, after what it needs."""
        lines = [*self.scope.before, line]
        self.scope.before = []
        depth = 0
        for each in self.scope.ranges:
            self.lines.append("  " * depth + f"for ({self._loop(each)}) {{")
            depth += 1
        self.lines += ["  " * depth + each + (comment if each is line else "") for each in lines]
        self.lines += ["  " * k + "}" for k in reversed(range(depth))]

    def _loop(self, each: Range) -> str:
        if each.subset:
            return f"{each.index}.k in 1:length({each.subset})"
        low, high = bounds_of(each, self.model)
        return f"{each.index} in {self._plain(low)}:{self._plain(high)}"

    # references

    def _place(self, declared: Given | Node, subscripts: tuple[Expression, ...]) -> str:
        """Return a name with all its subscripts, slices for the entries of a vector or matrix."""
        own = len(declared.indices)
        written = [self._subscript(declared, k, each) for k, each in enumerate(subscripts[:own])]
        entries = subscripts[own:]
        written += [self._plain(each) for each in entries]
        if not entries:
            written += [f"1:{self._plain(dim)}" for dim in declared.shape]
        return f"{declared.name}[{','.join(written)}]" if written else declared.name

    def _subscript(self, declared: Given | Node, place: int, each: Expression) -> str:
        offset = offset_of(declared, place, self.model)
        if isinstance(each, Colon):
            found = Range(index=declared.indices[place])
            for own in declared.ranges if isinstance(declared, Node) else ():
                found = own if own.index == found.index else found
            low, high = bounds_of(found, self.model)
            return f"{self._shift(low, offset)}:{self._shift(high, offset)}"
        return self._shift(each, offset)

    def _shift(self, each: Expression, offset: int) -> str:
        if isinstance(each, Number):
            return str(int(each.value) + offset)
        text = self._plain(each)
        return f"{text}+{offset}" if offset > 0 else f"{text}-{-offset}" if offset else text

    def _plain(self, expression: Expression) -> str:
        return self.text(expression).replace(" ", "")

    # expressions

    def text(self, expression: Expression) -> str:
        """Return an expression as JAGS reads it."""
        match expression:
            case Number(text=text):
                return text
            case Reference(name=name, subscripts=subscripts):
                return self._reference(name, subscripts)
            case Negate(operand=operand):
                return f"-{self._within(operand)}"
            case Transpose(operand=operand):
                return f"t({self.text(operand)})"
            case Binary():
                return self._binary(expression)
            case Call():
                return self._call(expression)
            case MatrixRows():
                return self._rows(expression)
            case SumOver():
                return self._sum(expression)
            case Condition():
                return self._condition(expression)
        raise refused(f"`{type(expression).__name__.lower()}`", expression)

    def _within(self, expression: Expression) -> str:
        text = self.text(expression)
        return f"({text})" if isinstance(expression, Binary | Negate) else text

    def _reference(self, name: str, subscripts: tuple[Expression, ...]) -> str:
        if name.removesuffix(".inv") in self.kinds.declared and name.endswith(".inv"):
            place = self._place(self.kinds.declared[name.removesuffix(".inv")], subscripts)
            return name + place[len(name) - len(".inv") :]
        if name not in self.kinds.declared:
            subset = next(
                (each.subset for each in self.scope.ranges if each.index == name and each.subset), None
            )
            return f"{subset}[{name}.k]" if subset else name
        return self._place(self.kinds.declared[name], subscripts)

    def _binary(self, expression: Binary) -> str:
        left, right, operator = expression.left, expression.right, expression.operator
        one, two = self.kinds.of(left), self.kinds.of(right)
        if operator == "*" and (one, two) == ("row", "vector") and isinstance(left, Transpose):
            return f"inprod({self.text(left.operand)}, {self.text(right)})"
        if operator == "*" and "scalar" not in (one, two):
            return f"({self._within(left)} %*% {self._within(right)})"
        if operator == "^":
            return f"pow({self.text(left)}, {self.text(right)})"
        return f"{self._side(left, operator, False)} {operator} {self._side(right, operator, True)}"

    def _side(self, part: Expression, operator: str, right: bool) -> str:
        loose = isinstance(part, Binary) and part.operator in "+-"
        tight = isinstance(part, Binary) and part.operator in "*/"
        brackets = (
            isinstance(part, Negate)
            or loose
            and (operator in "*/" or right)
            or tight
            and right
            and operator in "*/"
        )
        return f"({self.text(part)})" if brackets else self.text(part)

    def _call(self, call: Call) -> str:
        function, arguments = call.function, call.arguments
        if function == "log" and isinstance(arguments[0], Call) and arguments[0].function == "det":
            return f"logdet({self.text(arguments[0].arguments[0])})"
        if function in ("eye", "ones", "exchangeable", "diag"):
            return self._matrix(call)
        words = [self.text(each) for each in arguments]
        if function in _FUNCTIONS:
            return f"{_FUNCTIONS[function]}({', '.join(words)})"
        match function:
            case "inv":
                scalar = self.kinds.of(arguments[0]) == "scalar"
                return f"(1 / {self._within(arguments[0])})" if scalar else f"inverse({words[0]})"
            case "det":
                return f"exp(logdet({words[0]}))"
            case "is_positive":
                return f"(1 - step(-{self._within(arguments[0])}))"
            case "floor":
                return f"(trunc({words[0]}) - ({self._within(arguments[0])} < trunc({words[0]})))"
        raise refused(f"the function {function}", call, "write its terms out")

    def _matrix(self, call: Call) -> str:
        """Return the name of a matrix or vector that is defined entry by entry before the statement."""
        function, arguments = call.function, call.arguments
        if function == "ones" and len(arguments) == 1:
            return f"rep(1, {self._plain(arguments[0])})"
        if function == "diag":
            raise refused("diag of a vector", call, "give the variances one by one")
        name = self._fresh(function)
        size = self._plain(arguments[-1])
        other = {"eye": "0", "ones": "1"}.get(function) or self.text(arguments[0])
        rows = self._plain(arguments[0]) if function == "ones" else size
        place = ",".join([*(each.index for each in self.scope.ranges), "m.row", "m.col"])
        entry = f"equals(m.row, m.col) + (1 - equals(m.row, m.col)) * ({other})"
        loops = f"for (m.row in 1:{rows}) {{ for (m.col in 1:{size}) {{"
        self.scope.before.append(f"{loops} {name}[{place}] <- {entry} }} }}")
        return f"{name}[{','.join([*(each.index for each in self.scope.ranges), f'1:{rows}', f'1:{size}'])}]"

    def _fresh(self, word: str) -> str:
        self.count += 1
        return f"{word}.{self.count}"

    def _rows(self, expression: MatrixRows) -> str:
        rows = [[self.text(entry) for entry in row] for row in expression.rows]
        if len(rows[0]) == 1 or len(rows) == 1:
            return f"c({', '.join(entry for row in rows for entry in row)})"
        name = self._fresh("matrix")
        outer = [each.index for each in self.scope.ranges]
        for a, row in enumerate(rows, 1):
            for b, entry in enumerate(row, 1):
                self.scope.before.append(f"{name}[{','.join([*outer, str(a), str(b)])}] <- {entry}")
        return f"{name}[{','.join([*outer, f'1:{len(rows)}', f'1:{len(rows[0])}'])}]"

    def _sum(self, expression: SumOver) -> str:
        """Return the sum over an array of the terms, which is defined before the statement."""
        if self.kinds.of(expression) != "scalar":
            raise refused("a sum of vectors or matrices", expression, "write it component by component")
        outer = [each.index for each in self.scope.ranges]
        name = self._fresh("term")
        plate = self.model.plate(expression.index)
        low, high = self._plain(plate.lower), self._plain(plate.upper)
        inner = f"{expression.index}.s" if expression.index in outer else expression.index
        body: Expression = expression.body
        conditions = expression.conditions
        if inner != expression.index:
            there = {expression.index: Reference(name=inner)}
            body = substitute(body, there)
        ranges, kept = self.scope.ranges, self.scope.before
        self.scope = _Scope(ranges, [])
        text = self.text(body)
        if inner != expression.index:
            there = {expression.index: Reference(name=inner)}
            conditions = tuple(
                Condition(
                    relation=c.relation, left=substitute(c.left, there), right=substitute(c.right, there)
                )
                for c in conditions
            )
        for each in conditions:
            text = f"{self._condition(each)} * ({text})"
        nested = self.scope.before
        self.scope = _Scope(ranges, kept)
        if nested:
            raise refused("a sum or matrix within a sum", expression, "name the inner one")
        place = ",".join([*outer, inner])
        self.scope.before.append(f"for ({inner} in {low}:{high}) {{ {name}[{place}] <- {text} }}")
        return f"sum({name}[{','.join([*outer, f'{low}:{high}'])}])"

    def _condition(self, condition: Condition) -> str:
        one, two = self._within(condition.left), self._within(condition.right)
        gap, back = f"{one} - {two}", f"{two} - {one}"
        return {
            "=": f"equals({one}, {two})", "!=": f"(1 - equals({one}, {two}))", ">=": f"step({gap})",
            "<=": f"step({back})", ">": f"(1 - step({back}))", "<": f"(1 - step({gap}))",
        }[condition.relation]  # fmt: skip
