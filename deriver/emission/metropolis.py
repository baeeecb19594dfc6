"""Functions that update a node by Metropolis–Hastings, slice sampling or enumeration."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import Ref
from deriver.emission.fits import reduction_words
from deriver.emission.gibbs import PARAMETERS, bound_text, loop_over_sets, shape_words
from deriver.emission.mathtext import show
from deriver.emission.naming import local_name
from deriver.emission.partly import keep_observed
from deriver.emission.printer import is_negative, lift, print_size
from deriver.emission.scope import Module, make_function
from deriver.emission.source import Source
from deriver.emission.statements import write_parameter
from deriver.emission.text import break_call
from deriver.emission.views import FunctionView
from deriver.plan.layout import unsupported
from deriver.plan.records import Step

COSTLY = (heads.PlateSum, heads.Inner, heads.Trace, heads.LogDet)


def update_functions(module: Module, step: Step) -> list[FunctionView]:
    """Return ``update_<node>``, with the function of its derivatives before it where there is one."""
    if step.method == "newton" and step.newton is not None:
        return newton_functions(module, step)
    return [walk_function(module, step)]


def is_tuned(step: Step) -> bool:
    """Tell whether a step has a scale that is learned while warming up."""
    return step.method in ("random_walk", "correlation_walk", "integer_walk")


def returns_rate(step: Step) -> bool:
    """Tell whether a step's function returns the share of proposals accepted."""
    return is_tuned(step) or step.method == "newton"


def is_vector_walk(step: Step) -> bool:
    """Tell whether a step moves a whole vector or matrix by one proposal."""
    return is_tuned(step) and bool(step.conditional.shape) and step.method != "integer_walk"


# --- coordinates ------------------------------------------------------------------------------------------


class Coordinate:
    """The unbounded coordinate u in which a node is moved: texts there and back, and the log Jacobian."""

    def __init__(self, module: Module, source: Source, step: Step) -> None:
        self.node, self.step, self.source = local_name(step.node), step, source
        self.setup: list[str] = []
        self.ends: tuple[str, ...] = ()  # of an interval
        kind, lower, upper = step.conditional.support
        self.is_plain = False
        if kind in ("correlation", "spd", "simplex"):
            self._use_matrix(module, kind)
        elif step.method in ("enumerate", "integer_walk") or (lower is None and upper is None):
            self.is_plain, self.back, self.jacobian = True, "{}", ""
            self.forth = "{}"
        else:
            self._use_bounds(module, lower, upper)

    def _use_matrix(self, module: Module, kind: str) -> None:
        names = {
            "correlation": ("to_partial", "from_partial", "the atanh of its partial correlations"),
            "spd": ("to_log_cholesky", "from_log_cholesky", "the entries of its log-Cholesky factor"),
            "simplex": ("to_log_ratios", "from_log_ratios", "log ratios to the last component"),
        }
        there, back, self.words = names[kind]
        module.needs.helpers |= {there, back}
        self.forth = there + "({})"
        side = print_size(self.source, self.step.conditional.shape[0])
        self.pair = f"{back}({{}}, {side})" if kind != "simplex" else f"{back}({{}})"
        self.back, self.jacobian = self.pair + "[0]", "log_jacobian"

    def _use_bounds(self, module: Module, lower: Expr | None, upper: Expr | None) -> None:
        conditional = self.step.conditional
        low = bound_text(self.source, lower, conditional, 0) if lower is not None else None
        high = bound_text(self.source, upper, conditional, 1) if upper is not None else None
        low, high = self._short(low, "lower"), self._short(high, "upper")
        node = self.node
        if low is not None and high is not None:
            module.needs.helpers.add("logit_scale")
            module.needs.special.add("expit")
            self.ends = (low, high)
            self.forth, self.back = f"to_line({{}}, {low}, {high})", f"from_line({{}}, {low}, {high})"
            above = f"np.log({node})" if low == "0" else f"np.log({node} - {wrap_minus(low)})"
            self.jacobian = f"{above} + np.log({high} - {node})"
            self.words = f"logit(({node} - {low}) / ({high} - {low}))"
        elif high is None and low == "0":
            self.forth, self.back, self.jacobian = "np.log({})", "np.exp({})", "u"
            self.words = f"log({node})"
        elif high is None:
            self.forth, self.back = f"np.log({{}} - {low})", f"{low} + np.exp({{}})"
            self.jacobian, self.words = "u", f"log({node} - {low})"
        else:
            self.forth, self.back = f"np.log({high} - {{}})", f"{high} - np.exp({{}})"
            self.jacobian, self.words = "u", f"log({high} - {node})"

    def _short(self, text: str | None, name: str) -> str | None:
        """Name a bound that is a longer expression."""
        if text is None or len(text) <= 12 and " " not in text:
            return text
        self.setup.append(f"{name} = {text}")
        self.source.taken.add(name)
        return name


def wrap_minus(text: str) -> str:
    """Return a bound as it stands after a minus sign."""
    return f"({text})" if text.startswith("-") else text


# --- walks ------------------------------------------------------------------------------------------------


def walk_function(module: Module, step: Step) -> FunctionView:
    """Return ``update_<node>`` for a walk, a slice or an enumeration."""
    source = module.source(step.space)
    coordinate = Coordinate(module, source, step)
    for line in coordinate.setup:
        source.add(line)
    kernel = name_coefficients(source, step)
    write_log_target(source, step, coordinate, kernel)
    write_move(module, source, step, coordinate)
    parameters: tuple[str, ...] = (*PARAMETERS, f"step: {'VectorSteps' if is_vector_walk(step) else 'Array'}")
    if not is_tuned(step):
        parameters = PARAMETERS
    result = "tuple[Array, Array]" if returns_rate(step) else "Array"
    doc = describe_update(module, step, coordinate)
    return make_function(f"update_{step.node}", parameters, result, doc, source.lines)


def describe_update(module: Module, step: Step, coordinate: Coordinate | None) -> list[str]:
    """Return the docstring: the method, the reason, the log kernel."""
    kinds = {
        "random_walk": "random-walk Metropolis",
        "correlation_walk": "random-walk Metropolis",
        "integer_walk": "Metropolis over whole numbers",
        "slice": "slice sampling",
        "enumerate": "enumeration",
        "newton": "Metropolis-Hastings with Newton proposals",
    }
    lines = [f"Update {step.node}, shape {shape_words(module, step)}, by {kinds[step.method]}."]
    if step.reason and step.reason != "chosen by the user":
        lines.append(f"Not conjugate: {step.reason}.")
    lines += [f"log [{show(step.conditional.target)} | .] ="]
    lines += [
        f"  {signed_term(term, first=place == 0)}"
        for place, term in enumerate(ordered_terms(step.conditional.log_kernel))
    ]
    lines += reduction_words(step)
    if coordinate is not None and not coordinate.is_plain:
        lines.append(f"It moves on the scale u = {coordinate.words}, whose Jacobian is counted.")
    return lines


def signed_term(term: Expr, *, first: bool) -> str:
    """Return a term of a sum with its sign, as a docstring shows it."""
    text = show(-term if is_negative(term) else term)
    return f"- {text}" if is_negative(term) else text if first else f"+ {text}"


def ordered_terms(kernel: Expr) -> list[Expr]:
    """Return the terms of a log kernel in a fixed order."""
    return sorted(sp.Add.make_args(kernel), key=sp.default_sort_key)


def name_coefficients(source: Source, step: Step) -> Expr:
    """Name the coefficients of the kernel that are free of the node, so that proposals share them.

    Returns the kernel in terms of these names.
    """
    kernel = step.kernel if step.kernel is not None else sp.S.Zero
    terms = [_with_named_coefficient(source, term, step) for term in ordered_terms(kernel)]
    return sp.Add(*terms)


def _with_named_coefficient(source: Source, term: Expr, step: Step) -> Expr:
    if isinstance(term, heads.Gated):
        return term
    for part in _free_parts(term, step.node):
        if source.uses_state(part) and not (term.is_commutative and _free_of(term, part, step.node)):
            lift(source, part)
    factors = sp.Mul.make_args(term)
    free = sp.Mul(*(f for f in factors if not _mentions(f, step.node)))
    held = sp.Mul(*(f for f in factors if _mentions(f, step.node)))
    if not term.is_commutative or held == 1 or not source.uses_state(free) or isinstance(free, Ref):
        return term
    if not any(isinstance(part, COSTLY) for part in sp.preorder_traversal(free)):
        return term
    number, rest = free.as_coeff_Mul()
    negative = number < 0 or free.could_extract_minus_sign()
    positive = -free if negative else rest
    return (-1 if negative else number) * lift(source, positive, "weight") * held


def _free_of(term: Expr, part: Expr, node: str) -> bool:
    """Tell whether a part stands in the coefficient of a term, which is named as a whole."""
    return any(f.has(part) and not _mentions(f, node) for f in sp.Mul.make_args(term))


def _mentions(expr: Expr, node: str) -> bool:
    return any(ref.name == node for ref in expr.atoms(Ref))


def _free_parts(expr: sp.Basic, node: str) -> list[Expr]:
    """Return the largest costly parts that do not mention the node, gated terms left alone."""
    if isinstance(expr, heads.Gated | Ref) or not isinstance(expr, Expr):
        return []
    costly = isinstance(expr, COSTLY) or (isinstance(expr, sp.Pow) and not expr.is_commutative)
    if costly and not _mentions(expr, node):
        return [expr]
    if isinstance(expr, heads.PlateSum | heads.Stack | heads.Grid):
        return []
    parts: list[Expr] = []
    for arg in expr.args:
        parts += [part for part in _free_parts(arg, node) if part not in parts]
    return parts


def write_log_target(source: Source, step: Step, coordinate: Coordinate, kernel: Expr) -> None:
    """Write the inner function of the log density that the walk sees."""
    argument = coordinate.node if coordinate.is_plain else "u"
    source.add("")
    source.add(f"def log_target({argument}: Array) -> Array:")
    inside = source.nested(2)
    inside.as_local(step.node)
    if hasattr(coordinate, "pair"):
        inside.add(f"{coordinate.node}, log_jacobian = {coordinate.pair.format('u')}")
        inside.taken.add("log_jacobian")
    elif not coordinate.is_plain:
        inside.add(f"{coordinate.node} = {coordinate.back.format('u')}")
    name = write_parameter(inside, kernel, step.conditional.target, "log_kernel")
    inside.add(f"return {name} + {coordinate.jacobian}" if coordinate.jacobian else f"return {name}")
    source.lines += _tidy_return(inside.lines, name)
    source.add("")


def _tidy_return(lines: list[str], name: str) -> list[str]:
    """Return the kernel directly when its only use is the return that follows."""
    *rest, last, final = lines
    pad = " " * 8
    if final == f"{pad}return {name}" and last.startswith(f"{pad}{name} = "):
        return [*rest, last.replace(f"{name} = ", "return ", 1)]
    return lines


def write_move(module: Module, source: Source, step: Step, coordinate: Coordinate) -> None:
    """Write the call that moves the node, over sets of elements where they depend on each other."""
    node = step.node
    start = coordinate.forth.format(f"state.{node}")
    value = coordinate.node if coordinate.is_plain else "u"
    if step.colours == 1:
        helper, arguments = move_call(module, source, step, start)
        result = f"{value}, accepted" if returns_rate(step) else value
        if coordinate.is_plain and not step.partly:
            source.lines += break_call(f"return {helper}(", arguments, ")", 1)
            return
        source.lines += break_call(f"{result} = {helper}(", arguments, ")", 1)
        back = coordinate.back.format(value)
        back = keep_observed(module, node, back) if step.partly else back
        source.add(f"return {back}, accepted" if returns_rate(step) else f"return {back}")
        return
    _write_interleaved_moves(module, source, step, coordinate, value, start)


def move_call(module: Module, source: Source, step: Step, start: str) -> tuple[str, list[str]]:
    """Return the helper that moves a node, and its arguments."""
    _, lower, upper = step.conditional.support
    conditional = step.conditional
    match step.method:
        case "slice":
            helper, arguments = "slice_sample", ["rng", start, "log_target"]
        case "enumerate":
            ends = [print_size(source, end) for end in (lower, upper)]
            helper, arguments = "enumerate_values", ["rng", "log_target", *ends, f"state.{step.node}.shape"]
        case "integer_walk":
            ends = [bound_text(source, end, conditional, k) for k, end in enumerate((lower, upper))]
            helper, arguments = "integer_walk", ["rng", start, "log_target", "step", *ends]
        case _ if is_vector_walk(step):
            helper, arguments = "vector_walk", ["rng", start, "log_target", "step.root()"]
        case _:
            helper, arguments = "random_walk", ["rng", start, "log_target", "step"]
            if step.inner_steps > 1:
                arguments.append(f"repeats={step.inner_steps}")
    module.needs.helpers.add(helper)
    return helper, arguments


def _write_interleaved_moves(
    module: Module, source: Source, step: Step, coordinate: Coordinate, value: str, start: str
) -> None:
    node, local = step.node, coordinate.node
    if is_vector_walk(step) and step.colours == 0:
        raise unsupported(f"the elements of {node}, which depend on each other", "choose another method")
    rate = returns_rate(step)
    source.add(f"{value} = {start}")
    if rate:
        source.add(f"accepted = np.zeros({value}.shape)")
    head, select = loop_over_sets(module, source, step)
    head = head.replace(f"{local}.shape", f"{value}.shape")
    source.add(f"moves = np.zeros({value}.shape, dtype=bool)")
    source.add(head)
    place = select.split(" = ")[0].replace(f"{local}[", "moves[", 1)
    if select.startswith(f"{local} = np.where("):
        test = select.removeprefix(f"{local} = np.where(").rsplit(", drawn", 1)[0]
        source.add(f"    moves[...] = {test}")
    else:
        source.add("    moves[...] = False")
        source.add(f"    {place} = True")
    helper, arguments = move_call(module, source, step, value)
    taken = f"{value}, taken" if rate else value
    if step.method == "enumerate":
        arguments.append(value)
    source.lines += break_call(f"{taken} = {helper}(", [*arguments, "moves=moves"], ")", 2)
    if rate:
        source.add("    accepted += taken")
    back = coordinate.back.format(value)
    if step.partly:
        still = keep_observed(module, node, back)
        source.add(f"    {value} = {coordinate.forth.format(still)}")
        back = back if coordinate.is_plain else still
    source.add(f"return {back}, accepted" if rate else f"return {back}")


# --- Newton proposals -------------------------------------------------------------------------------------


def newton_functions(module: Module, step: Step) -> list[FunctionView]:
    """Return ``derivatives_<node>`` and ``update_<node>``."""
    node = step.node
    source = module.source(step.space)
    source.as_local(node)
    target = step.conditional.target
    assert step.newton is not None
    kernel = write_parameter(source, step.kernel or sp.S.Zero, target, "log_kernel")
    slope = write_parameter(source, step.newton.gradient, target, "gradient")
    curve = write_parameter(source, sp.expand_mul(-step.newton.hessian, deep=False), target, "curvature")
    source.add(f"return {kernel}, {slope}, {curve}")
    doc = [
        f"Return the log kernel of {node}, its gradient and minus its Hessian.",
        f"gradient = {show(step.newton.gradient)}",
        f"Hessian = {show(step.newton.hessian)}",
    ]
    first = make_function(
        f"derivatives_{node}",
        (f"{local_name(node)}: Array", "state: State", "data: Data"),
        "tuple[Array, Array, Array]",
        doc,
        source.lines,
    )
    module.needs.helpers.add("newton_step")
    arguments = ["rng", f"state.{node}", f"derivatives_{node}", "state", "data"]
    body = break_call("return newton_step(", arguments, ")", 1)
    if step.partly:
        local = local_name(node)
        body = break_call(f"{local}, accepted = newton_step(", arguments, ")", 1)
        body.append(f"    return {keep_observed(module, node, local)}, accepted")
    second = make_function(
        f"update_{node}", PARAMETERS, "tuple[Array, Array]", describe_update(module, step, None), body
    )
    return [first, second]
