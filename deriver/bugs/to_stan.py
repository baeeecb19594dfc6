"""A model of ours in the language of Stan.

Our expressions are near to Stan's: vectors and matrices keep their algebra.  Nodes that are whole numbers and not
observed, and parameters over ragged plates, have no counterpart and are refused with their line.
"""

from __future__ import annotations

from collections.abc import Iterator

from deriver.bugs.writing import (
    Kinds,
    Refusals,
    bounds_of,
    keyed,
    offset_of,
    parents_first,
    refused,
    stochastic,
)
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
    references,
)
from deriver.model.records import Deterministic, Given, Model, Node, Range, Statement, Stochastic, Support
from deriver.model.recursions import find_groups, rules_of

_FUNCTIONS = {
    "exp": "exp", "log": "log", "sqrt": "sqrt", "abs": "abs", "max": "fmax", "min": "fmin", "logit": "logit",
    "expit": "inv_logit", "lgamma": "lgamma", "normal_cdf": "Phi", "det": "determinant", "tr": "trace",
    "diag": "diag_matrix", "floor": "floor",
}  # fmt: skip
# Family and keywords -> Stan's distribution; the words of the arguments are filled in.
_FORMS: dict[tuple[str, ...], str] = {
    ("normal", "mean", "var"): "normal({mean}, sqrt({var}))",
    ("normal", "mean", "sd"): "normal({mean}, {sd})",
    ("normal", "mean", "prec"): "normal({mean}, inv_sqrt({prec}))",
    ("mvnormal", "mean", "cov"): "multi_normal({mean}, {cov})",
    ("mvnormal", "mean", "prec"): "multi_normal_prec({mean}, {prec})",
    ("mvnormal", "mean", "chol"): "multi_normal_cholesky({mean}, {chol})",
    ("gamma", "shape", "rate"): "gamma({shape}, {rate})",
    ("gamma", "shape", "scale"): "gamma({shape}, inv({scale}))",
    ("inverse_gamma", "q", "r"): "inv_gamma({q}, inv({r}))",
    ("inverse_gamma", "shape", "scale"): "inv_gamma({shape}, {scale})",
    ("exponential", "rate"): "exponential({rate})",
    ("exponential", "mean"): "exponential(inv({mean}))",
    ("uniform", "lower", "upper"): "uniform({lower}, {upper})",
    ("wishart", "scale", "df"): "wishart({df}, {scale})",
    ("wishart", "rate", "df"): "wishart({df}, inverse_spd({rate}))",
    ("inverse_wishart", "df", "scale"): "inv_wishart({df}, {scale})",
    ("beta", "a", "b"): "beta({a}, {b})",
    ("dirichlet", "concentration"): "dirichlet({concentration})",
    ("bernoulli", "prob"): "bernoulli({prob})",
    ("bernoulli", "logit"): "bernoulli_logit({logit})",
    ("binomial", "size", "prob"): "binomial({size}, {prob})",
    ("binomial", "size", "logit"): "binomial_logit({size}, {logit})",
    ("poisson", "rate"): "poisson({rate})",
    ("poisson", "log_rate"): "poisson_log({log_rate})",
    ("negative_binomial", "size", "prob"): "neg_binomial({size}, {prob} / (1.0 - {prob}))",
    ("negative_binomial", "mean", "size"): "neg_binomial_2({mean}, {size})",
    ("categorical", "prob"): "categorical({prob})",
    ("multinomial", "size", "prob"): "multinomial({prob})",
    ("student_t", "df", "mean", "scale"): "student_t({df}, {mean}, {scale})",
    ("cauchy", "location", "scale"): "cauchy({location}, {scale})",
    ("half_cauchy", "scale"): "cauchy(0.0, {scale})",
    ("half_normal", "sd"): "normal(0.0, {sd})",
    ("half_normal", "var"): "normal(0.0, sqrt({var}))",
    ("laplace", "location", "scale"): "double_exponential({location}, {scale})",
    ("laplace", "location", "rate"): "double_exponential({location}, inv({rate}))",
    ("logistic", "location", "scale"): "logistic({location}, {scale})",
    ("lognormal", "meanlog", "sdlog"): "lognormal({meanlog}, {sdlog})",
    ("lognormal", "meanlog", "varlog"): "lognormal({meanlog}, sqrt({varlog}))",
    ("lognormal", "meanlog", "preclog"): "lognormal({meanlog}, inv_sqrt({preclog}))",
    ("weibull", "shape", "scale"): "weibull({shape}, {scale})",
    ("weibull", "shape", "rate"): "weibull({shape}, pow({rate}, -inv({shape})))",
    ("pareto", "shape", "minimum"): "pareto({minimum}, {shape})",
    ("lkj", "dim", "eta"): "lkj_corr({eta})",
}


# Words that Stan keeps for itself.
_KEPT = frozenset({
    "data", "parameters", "model", "real", "int", "vector", "matrix", "simplex", "array", "lower", "upper", "offset",
    "multiplier", "target", "while", "void", "var", "fvar", "struct", "typename", "auto", "bool", "complex",
    "row_vector", "cov_matrix", "corr_matrix", "functions", "quantities", "generated", "transformed", "print",
    "reject", "profile", "tuple", "true", "false",
})  # fmt: skip


def to_stan(model: Model) -> str:
    """Return the model in the language of Stan; raise ``ModelError`` with each line that it has no words for."""
    return _Writer(model).write()


class _Writer:
    """Writes one model."""

    def __init__(self, model: Model) -> None:
        self.model, self.kinds = model, Kinds(model)
        self.refusals = Refusals(model, "Stan")
        self.before: list[str] = []
        self.count = 0

    def write(self) -> str:
        """Return the whole text."""
        for name in [*self.kinds.declared, *self.kinds.plates]:
            if name in _KEPT:
                self.refusals.refuse(
                    f"the name `{name}`", None, "give it another name: Stan keeps the word for itself"
                )
        for group in find_groups(rules_of(self.model)):
            if len(group) > 1:
                self.refusals.refuse(
                    f"{', '.join(f'`{name}`' for name in group)}, which use each other's earlier elements", None,
                    "write their loop by hand: Stan computes them in one, in this order",
                )  # fmt: skip
        data = [*self._sizes(), *self._givens(), *self._responses()]
        parameters = list(self._parameters())
        derived = [line for each in parents_first(self.model) for line in self._definition(each)]
        declared = list(self._declared())
        drawn = [line for each in stochastic(self.model) for line in self._drawn(each)]
        self.refusals.raise_any()
        blocks = [
            ("data", data), ("parameters", parameters), ("transformed parameters", [*declared, *derived]),
            ("model", drawn),
        ]  # fmt: skip
        text = f"// {self.model.name}\n"
        for name, lines in blocks:
            if lines:
                text += f"{name} {{\n" + "".join(f"  {line}\n" for line in lines) + "}\n"
        return text

    # declarations

    def _sizes(self) -> Iterator[str]:
        for given in self.model.givens:
            if given.origin != "given" or self._is_size(given):
                yield f"{self._array(given)}int<lower={self._least(given)}> {given.name};"

    def _is_size(self, given: Given) -> bool:
        return given.support.kind == "integer" and not given.indices and given.origin == "given"

    def _least(self, given: Given) -> str:
        return self._integer(given.support.lower) if given.support.lower is not None else "0"

    def _givens(self) -> Iterator[str]:
        for given in self.model.givens:
            if given.origin != "given" or self._is_size(given):
                continue
            if given.support.kind == "subset":
                yield f"int<lower=0> size_{given.name};"
                yield f"array[size_{given.name}] int {given.name};"
                continue
            default = (
                f"  // the model's default: {self.text(given.default)}" if given.default is not None else ""
            )
            yield f"{self._array(given)}{self._type(given)} {given.name};{default}"

    def _responses(self) -> Iterator[str]:
        for node in self.model.nodes:
            if node.partly:
                statement = self.model.statements_of(node.name)[0]
                what = f"`{node.name}`, of which some elements are observed"
                self.refusals.refuse(
                    what, statement, "make two nodes of it: the observed and the missing elements"
                )
            elif node.is_response:
                yield f"{self._array(node)}{self._type(node)} {node.name};"

    def _parameters(self) -> Iterator[str]:
        for node in self.model.nodes:
            if not node.is_drawn or node.partly:
                continue
            statement = self.model.statements_of(node.name)[0]
            if node.support.kind == "integer":
                what = f"the discrete parameter `{node.name}`"
                self.refusals.refuse(what, statement, "sum it out of the model by hand")
            elif any(self._is_ragged(index) for index in node.indices):
                what = f"`{node.name}` over a ragged plate"
                self.refusals.refuse(what, statement, "number its elements through with one plate")
            else:
                yield f"{self._array(node)}{self._type(node)} {node.name};"

    def _is_ragged(self, index: str) -> bool:
        return bool(
            {found.name for found in references(self.model.plate(index).upper)} & set(self.kinds.plates)
        ) or any(found.subscripts for found in references(self.model.plate(index).upper))

    def _declared(self) -> Iterator[str]:
        for node in self.model.nodes:
            if node.kind == "deterministic":
                yield f"{self._array(node)}{self._type(node, constrained=False)} {node.name};"

    def _array(self, declared: Given | Node) -> str:
        """Return ``array[n, J] ``, or nothing for a single quantity."""
        extents = []
        for place, index in enumerate(declared.indices):
            each = Range(index=index)
            for own in declared.ranges if isinstance(declared, Node) else ():
                each = own if own.index == index and own.upper is not None else each
            _, high = bounds_of(each, self.model)
            text = self._integer(high)
            if self._is_ragged(index):
                sizes = {
                    found.name for found in references(self.model.plate(index).upper) if found.subscripts
                }
                text = f"max({min(sizes)})"
            offset = offset_of(declared, place, self.model)
            extents.append(f"{text} {'+' if offset > 0 else '-'} {abs(offset)}" if offset else text)
        return f"array[{', '.join(extents)}] " if extents else ""

    def _type(self, declared: Given | Node, constrained: bool = True) -> str:
        support = declared.support
        dims = [self._integer(each) for each in declared.shape]
        bounds = self._bounds(support) if constrained else ""
        if support.kind == "index":
            return f"int<lower=1, upper={self._integer(self.model.plate(support.plate or '').upper)}>"
        if support.kind == "integer" and not dims:
            return f"int{bounds}" if constrained else "real"
        if not dims:
            return f"real{bounds}"
        if support.kind == "integer":
            return f"array[{dims[0]}] int{bounds}"
        if constrained and support.kind == "simplex":
            return f"simplex[{dims[0]}]"
        if len(dims) == 1:
            return f"vector{bounds}[{dims[0]}]"
        words = {"spd": "cov_matrix", "correlation": "corr_matrix", "cholesky": "cholesky_factor_cov"}
        if constrained and support.kind in words:
            return f"{words[support.kind]}[{dims[0]}]"
        return f"matrix[{dims[0]}, {dims[1]}]"

    def _bounds(self, support: Support) -> str:
        parts = []
        for word, bound in (("lower", support.lower), ("upper", support.upper)):
            if bound is not None and not {f.name for f in references(bound)} & set(self.kinds.plates):
                whole = support.kind == "integer"
                parts.append(f"{word}={self._integer(bound) if whole else self.text(bound)}")
        return f"<{', '.join(parts)}>" if parts else ""

    # statements

    def _definition(self, statement: Deterministic) -> list[str]:
        target = self._target(statement)
        return self._within_loops(statement, lambda: f"{target} = {self.text(statement.expression)};")

    def _drawn(self, statement: Stochastic) -> list[str]:
        if statement.family == "flat":
            return []
        target = self._target(statement)
        return self._within_loops(
            statement, lambda: f"{target} ~ {self._distribution(statement)}{self._truncation(statement)};"
        )

    def _target(self, statement: Statement) -> str:
        return self._place(self.kinds.declared[statement.name], statement.subscripts)

    def _distribution(self, statement: Stochastic) -> str:
        arguments = keyed(statement)
        form = _FORMS.get((statement.family, *arguments))
        if form is None:
            raise refused(f"the distribution {statement.family.replace('_', ' ')}")
        return form.format(**{word: self.text(value) for word, value in arguments.items()})

    def _truncation(self, statement: Stochastic) -> str:
        if statement.truncation is None:
            return ""
        low, high = ("" if each is None else self.text(each) for each in statement.truncation)
        return f" T[{low}, {high}]"

    def _within_loops(self, statement: Statement, make: object) -> list[str]:
        """Return the lines of a statement within its loops, after the sums that it needs."""
        self.before = []
        try:
            line = make()  # type: ignore[operator]
        except LineMistake as stop:
            self.refusals.add(stop, statement)
            return []
        lines, inner = [], [*self.before, line]
        depth = 0
        for each in statement.ranges:
            lines.append("  " * depth + self._loop(each))
            depth += 1
        if self.before and not statement.ranges:
            return ["{", *("  " + each for each in inner), "}"]
        lines += ["  " * depth + each for each in inner]
        return [*lines, *("  " * k + "}" for k in reversed(range(depth)))]

    def _loop(self, each: Range) -> str:
        if each.subset:
            return f"for ({each.index} in {each.subset}) {{"
        low, high = bounds_of(each, self.model)
        return f"for ({each.index} in {self._integer(low)}:{self._integer(high)}) {{"

    # references

    def _place(self, declared: Given | Node, subscripts: tuple[Expression, ...]) -> str:
        own = len(declared.indices)
        colon = any(isinstance(each, Colon) for each in subscripts[:own])
        written = [
            self._subscript(each, offset_of(declared, k, self.model))
            for k, each in enumerate(subscripts[:own])
        ]
        if colon:
            return self._slice(declared, written)
        written += [self._integer(each) for each in subscripts[own:]]
        return f"{declared.name}[{', '.join(written)}]" if written else declared.name

    def _slice(self, declared: Given | Node, written: list[str]) -> str:
        """Return a plate as a vector, two as a matrix."""
        inner = f"{declared.name}[{', '.join(written)}]"
        if not declared.shape:
            return f"to_vector({inner})" if written.count(":") == 1 else f"to_matrix({inner})"
        raise refused(
            f"the rows `{declared.name}` of vectors as a matrix", None, "write it component by component"
        )

    def _subscript(self, each: Expression, offset: int) -> str:
        if isinstance(each, Colon):
            return ":"
        text = self._integer(each)
        return f"{text} + {offset}" if offset > 0 else f"{text} - {-offset}" if offset else text

    def _integer(self, expression: Expression) -> str:
        """Return an expression whose numbers are whole, as a subscript or size."""
        match expression:
            case Number(value=value):
                return str(int(value))
            case Binary(operator=operator, left=left, right=right):
                return f"{self._integer(left)} {operator} {self._integer(right)}"
            case Negate(operand=operand):
                return f"-{self._integer(operand)}"
            case Call(function=function, arguments=arguments) if function in ("max", "min"):
                return f"{function}({', '.join(self._integer(each) for each in arguments)})"
        return self.text(expression)

    # expressions

    def text(self, expression: Expression) -> str:
        """Return an expression as Stan reads it; every number is real, so that no division loses its remainder."""
        match expression:
            case Number(text=text):
                return text if any(mark in text for mark in ".eE") else f"{text}.0"
            case Reference(name=name, subscripts=subscripts):
                declared = self.kinds.declared.get(name)
                return name if declared is None else self._place(declared, subscripts)
            case Negate(operand=operand):
                return f"-{self._bracket(operand)}"
            case Transpose(operand=operand):
                return f"{self._bracket(operand)}'"
            case Binary():
                return self._binary(expression)
            case Call():
                return self._call(expression)
            case MatrixRows(rows=rows):
                written = [", ".join(self.text(entry) for entry in row) for row in rows]
                if len(rows[0]) == 1:
                    return f"[{', '.join(written)}]'"
                return (
                    f"[{written[0]}]" if len(rows) == 1 else f"[{', '.join(f'[{row}]' for row in written)}]"
                )
            case SumOver():
                return self._sum(expression)
        raise refused(f"`{type(expression).__name__.lower()}`", expression)

    def _bracket(self, expression: Expression) -> str:
        text = self.text(expression)
        return f"({text})" if isinstance(expression, Binary | Negate) else text

    def _binary(self, expression: Binary) -> str:
        operator, left, right = expression.operator, expression.left, expression.right
        if operator == "^":
            return f"pow({self.text(left)}, {self.text(right)})"
        one, two = self._side(left, operator, False), self._side(right, operator, True)
        if operator == "/" and self._counts(left) and self._counts(right):
            one = f"1.0 * {one}"
        return f"{one} {operator} {two}"

    def _side(self, part: Expression, operator: str, right: bool) -> str:
        inner = part.operator if isinstance(part, Binary) else ""
        loose = inner in ("+", "-") and (operator in "*/" or right)
        tight = inner in ("*", "/") and right and operator in "*/"
        return (
            f"({self.text(part)})"
            if loose or tight or isinstance(part, Negate) and right
            else self.text(part)
        )

    def _counts(self, expression: Expression) -> bool:
        """Tell whether every part of an expression is a whole number to Stan."""
        if isinstance(expression, Reference):
            declared = self.kinds.declared.get(expression.name)
            return declared is None or declared.support.kind in ("integer", "index")
        if isinstance(expression, Binary):
            return self._counts(expression.left) and self._counts(expression.right)
        return False

    def _call(self, call: Call) -> str:
        function, arguments = call.function, call.arguments
        if function == "eye":
            return f"identity_matrix({self._integer(arguments[0])})"
        if function == "ones":
            word = "rep_vector" if len(arguments) == 1 else "rep_matrix"
            return f"{word}(1.0, {', '.join(self._integer(each) for each in arguments)})"
        if function == "exchangeable":
            rho, size = self.text(arguments[0]), self._integer(arguments[1])
            return f"add_diag(rep_matrix({rho}, {size}, {size}), 1.0 - {self._bracket(arguments[0])})"
        words = [self.text(each) for each in arguments]
        if function == "log" and isinstance(arguments[0], Call) and arguments[0].function == "det":
            return f"log_determinant({self.text(arguments[0].arguments[0])})"
        if function in ("max", "min") and len(words) > 2:
            word = _FUNCTIONS[function]
            return f"{word}({words[0]}, {self._call(Call(function=function, arguments=arguments[1:]))})"
        if function in _FUNCTIONS:
            return f"{_FUNCTIONS[function]}({', '.join(words)})"
        if function == "inv":
            return f"inv({words[0]})" if self.kinds.of(arguments[0]) == "scalar" else f"inverse({words[0]})"
        if function == "is_positive":
            return f"({words[0]} > 0)"
        raise refused(f"the function {function}", call)

    def _sum(self, expression: SumOver) -> str:
        """Return the name of a sum, which a loop before the statement adds up."""
        kind = self.kinds.of(expression)
        if kind != "scalar":
            raise refused("a sum of vectors or matrices", expression, "write it component by component")
        self.count += 1
        name, index = f"sum_{self.count}", f"{expression.index}_{self.count}"
        there = {expression.index: Reference(name=index)}
        kept, self.before = self.before, []
        body = self.text(substitute(expression.body, there))
        inner = self.before
        tests = [
            self._condition(
                Condition(
                    relation=c.relation, left=substitute(c.left, there), right=substitute(c.right, there)
                )
            )
            for c in expression.conditions
        ]
        self.before = kept
        plate = self.model.plate(expression.index)
        guard = f"if ({' && '.join(tests)}) " if tests else ""
        self.before += [
            f"real {name} = 0;",
            f"for ({index} in {self._integer(plate.lower)}:{self._integer(plate.upper)}) {{",
            *(f"  {each}" for each in inner),
            f"  {guard}{name} += {body};",
            "}",
        ]
        return name

    def _condition(self, condition: Condition) -> str:
        relation = {"=": "=="}.get(condition.relation, condition.relation)
        return f"{self._integer(condition.left)} {relation} {self._integer(condition.right)}"
