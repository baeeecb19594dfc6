"""The records Data and State, and ``prepare``: sizes, arrays with their shapes checked, statistics."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra.heads import PlateSum, Ref, Variable
from deriver.derivation.lower import Lowering
from deriver.emission.fits import field_comment, is_made_by_fit, write_procedure
from deriver.emission.gibbs import quantity_shape
from deriver.emission.joint import write_elements
from deriver.emission.mathtext import show
from deriver.emission.naming import input_name
from deriver.emission.partly import has_parts, observed_name, partly_observed, with_gaps
from deriver.emission.printer import print_expression, print_size
from deriver.emission.reduced import is_over_rows, is_read, moment_names, reads_rows
from deriver.emission.rows import IndexArray
from deriver.emission.scope import Module, make_function, own_space
from deriver.emission.source import Frame, Source, count_sides
from deriver.emission.statements import shape_text, write_value
from deriver.emission.text import break_brackets, break_call
from deriver.emission.views import FunctionView, RecordView
from deriver.model.records import Given
from deriver.plan.layout import Quantity, offset, unsupported
from deriver.plan.records import Crossing, LeastSquares, Statistic


def data_record(module: Module) -> RecordView:
    """Return the record of everything given and computed from it."""
    lines = []
    for given in held_givens(module):
        lines.append(_given_field(module, given))
    for quantity in held_responses(module):
        lines.append(f"{quantity.name}: Array  # {quantity_shape(module, quantity.name)}, observed")
    for quantity in partly_observed(module):
        shape = quantity_shape(module, quantity.name).replace("chains, ", "")
        name = observed_name(module, quantity.name)
        lines.append(f"{name}: Array  # {shape}: {quantity.name}, NaN where it is drawn")
    for array in _kept_arrays(module):
        lines.append(f"{array.name}: Array  # {array.comment}")
    for definition in _fixed(module):
        name = definition.name
        lines.append(f"{name}: Array  # {quantity_shape(module, name)}")
    for statistic in _used_statistics(module):
        shape = quantity_shape(module, statistic.name)
        comment = f"{shape}: {_statistic_words(module, statistic)}"
        line = f"{statistic.name}: Array  # "
        lines.append(line + (comment if len(line + comment) <= 84 else shape))
    lines += [f"{name}: Array  # (): the {words} of {node}" for name, words, node in moments_read(module)]
    return RecordView(
        name="Data", summary="What is given, and what the sweeps need of it.", lines=tuple(lines)
    )


def held_givens(module: Module) -> list[Given]:
    """Return the givens that Data holds: all but those over the rows of a reduced sampler."""
    return [g for g in module.derivation.model.givens if not reads_rows(module, g.name)]


def held_responses(module: Module) -> list[Quantity]:
    """Return the responses that Data holds."""
    return [quantity for quantity in module.observed() if not is_over_rows(module, quantity.indices)]


def moments_read(module: Module) -> list[tuple[str, str, str]]:
    """Return (name, words, response) of the moments over all rows that a reduced sampler begins from."""
    return [
        (name, words, quantity.name)
        for quantity in module.observed() if is_over_rows(module, quantity.indices)
        for name, words in zip(moment_names(quantity.name), ("variance", "mean square"), strict=True)
        if name in module.used
    ]  # fmt: skip


def statistics_read(module: Module) -> list[Statistic]:
    """Return the statistics that a reduced sampler takes from outside."""
    wanted = _wanted_statistics(module)
    return [s for s in module.plan.statistics if s.name in wanted and module.reduced and is_read(module, s)]


def _statistic_words(module: Module, statistic: Statistic) -> str:
    if statistic.procedure is not None:
        return field_comment(statistic)
    if isinstance(statistic.expression, PlateSum) and is_made_by_fit(module, statistic.expression.body):
        return "sum of squares of all rows around their least-squares fits"
    return show(statistic.expression)


def _given_field(module: Module, given: Given) -> str:
    shape = quantity_shape(module, given.name)
    if given.origin == "dimension" or (is_size(module, given) and not given.indices):
        return f"{given.name}: int"
    if given.support.kind == "integer" and shape == "()":
        return f"{given.name}: int"
    words = "" if shape == "()" else f"  # {shape}"
    if given.support.kind == "index":
        words = f"  # {shape}: the {given.support.plate} of each, from 0"
    if given.support.kind == "subset":
        words = f"  # the members of a subset of {given.support.plate}, from 0"
    return f"{given.name}: Array{words}"


def state_record(module: Module) -> RecordView:
    """Return the record of the nodes that are drawn."""
    lines = [f"{q.name}: Array  # {quantity_shape(module, q.name)}" for q in module.state_nodes()]
    return RecordView(name="State", summary="The nodes that are drawn, for all chains.", lines=tuple(lines))


def _kept_arrays(module: Module):
    return [array for array in module.needs.arrays.values() if array.name in module.used]


def _used_statistics(module: Module):
    return [statistic for statistic in module.plan.statistics if statistic.name in module.used]


def _fixed(module: Module) -> list[Quantity]:
    """Return the definitions that the data settle, each after those that it uses."""
    fixed = [quantity for quantity in module.plan.quantities if quantity.kind == "fixed"]
    uses = {
        each.element.name: {ref.name for ref in each.expression.atoms(Ref)}
        for each in module.derivation.definitions
    }
    order: list[Quantity] = []
    while len(order) < len(fixed):
        waiting = [each for each in fixed if each not in order]
        names = {each.name for each in waiting}
        order += [each for each in waiting if not uses[each.name] & names]
    return [quantity for quantity in order if not is_over_rows(module, quantity.indices)]


# --- prepare ----------------------------------------------------------------------------------------------


def prepare_function(module: Module) -> FunctionView:
    """Return ``prepare``."""
    source = module.source(data="")
    for quantity in module.plan.quantities:
        if quantity.prefix == "data.":
            local = input_name(quantity.name)
            source.quantities[quantity.name] = replace(quantity, name=local)
            source.taken.add(local)
    source.taken |= {observed_name(module, quantity.name) for quantity in partly_observed(module)}
    lowering = Lowering(module.derivation.model)
    write_sizes(module, source, lowering)
    write_subsets(module, source, lowering)
    arrays_at = len(source.lines)
    write_inputs(module, source, lowering)
    write_fixed(module, source)
    write_statistics(module, source)
    early, late = split_index_arrays(order_index_arrays(module, source.lines), source.lines[arrays_at:])
    source.lines += [line for array in late for line in _index_line(array)]
    source.lines[arrays_at:arrays_at] = [line for array in early for line in _index_line(array)]
    fields = [f"{name}={input_name(name)}" for name in field_names(module)]
    source.lines += break_call("return Data(", fields, ")", 1)
    doc = [
        "Check the data, and compute what the sweeps need of it.",
        *(reduced_words() if module.reduced else input_words(module)),
    ]
    return make_function("prepare", ("data: Mapping[str, ArrayLike]",), "Data", doc, source.lines)


def reduced_words() -> list[str]:
    """Return what the docstring of a reduced sampler says of the inputs."""
    return ["Statistics of the rows are given under their names in Data; groups have an axis each."]


def input_words(module: Module) -> list[str]:
    """Return what the docstring says of the inputs."""
    ragged = [g.name for g in module.derivation.model.givens if is_size(module, g) and g.indices]
    words = ["Fixed plates have an axis each; sizes may be left out where an array shows them."]
    if ragged:
        words.append(
            f"Ragged plates are rows one after another; {', '.join(ragged)} tells how many each has."
        )
    partly = [quantity.name for quantity in with_gaps(module)]
    if partly:
        words.append(f"Elements of {', '.join(partly)} that are NaN are drawn, all if it is left out.")
    return words


def field_names(module: Module) -> list[str]:
    """Return the fields of Data in order."""
    names = [given.name for given in held_givens(module)]
    names += [quantity.name for quantity in held_responses(module)]
    names += [observed_name(module, quantity.name) for quantity in partly_observed(module)]
    names += [array.name for array in _kept_arrays(module)]
    names += [quantity.name for quantity in _fixed(module)]
    names += [statistic.name for statistic in _used_statistics(module)]
    return names + [name for name, _, _ in moments_read(module)]


def write_sizes(module: Module, source: Source, lowering: Lowering) -> None:
    """Write the sizes and dimensions, inferred from the shapes of arrays unless given."""
    model = module.derivation.model
    sizes = [g for g in model.givens if is_size(module, g)]
    for given in [g for g in sizes if g.indices]:
        source.add(f'{input_name(given.name)} = np.asarray(data["{given.name}"], dtype=int)')
    for given in [g for g in sizes if not g.indices]:
        default = infer_size(module, given, lowering)
        local = input_name(given.name)
        if default is None:
            source.add(f'{local} = int(np.asarray(data["{given.name}"]))')
            continue
        whole = f'{local} = int(np.asarray(data.get("{given.name}", {default})))'
        if len(whole) + 4 <= 88:
            source.add(whole)
        else:
            source.add(f"{given.name}_seen = {default}")
            source.add(f'{local} = int(np.asarray(data.get("{given.name}", {given.name}_seen)))')


def write_subsets(module: Module, source: Source, lowering: Lowering) -> None:
    """Write the reading of the declared subsets, on which index arrays of rows may build."""
    for given in module.derivation.model.givens:
        if given.support.kind == "subset":
            module.needs.helpers.add("read_subset")
            arguments = ["data", f'"{given.name}"', _groups(source, lowering, given)]
            source.lines += break_call(f"{input_name(given.name)} = read_subset(", arguments, ")", 1)


def is_size(module: Module, given: Given) -> bool:
    """Tell whether a given is the end of a plate or a dimension, declared under ``given`` or not."""
    if given.origin != "given":
        return True
    if given.support.kind != "integer" or given.default is not None:
        return False
    return any(
        ref.name == given.name for ends in module.declared.values() for end in ends for ref in end.atoms(Ref)
    )


def infer_size(module: Module, given: Given, lowering: Lowering) -> str | None:
    """Return the text that reads a size off an array, or None."""
    size = lowering.element(given.name)
    observed = [q.name for q in (*held_responses(module), *with_gaps(module))]
    inputs = [g for g in held_givens(module) if g.origin != "dimension" and g.name != given.name]
    names = [g.name for g in inputs if g.default is None and (g.indices or g.shape)] + observed
    for name in names:
        quantity = module.quantity(name)
        space = own_space(module, quantity)
        axes = space.axes(quantity.indices, as_given=True)
        if quantity.kind == "subset":
            continue
        for place, axis in enumerate(axes):
            lower, upper = space.bounds[axis.last]
            extra = offset(upper - lower + 1, size)
            if not axis.is_rows and extra is not None:
                return f'np.shape(data["{name}"])[{place}]' + _plus(-extra)
        for place, side in enumerate(quantity.sides):
            extra = offset(side, size)
            if extra is not None:
                return f'np.shape(data["{name}"])[{len(axes) + place}]' + _plus(-extra)
    for column in held_givens(module):
        if column.support.kind == "index" and column.support.plate is not None:
            _, lower, upper = lowering.plate_bound(column.support.plate)
            extra = offset(upper - lower + 1, size)
            if extra is not None:
                return f'1 + np.max(data["{column.name}"])' + _plus(-extra)
    return None


def _plus(number: int) -> str:
    return "" if number == 0 else f" + {number}" if number > 0 else f" - {-number}"


def write_inputs(module: Module, source: Source, lowering: Lowering) -> None:
    """Write the reading of every given array and observed node."""
    for given in _by_default(module, lowering):
        if is_size(module, given) or given.support.kind == "subset" or reads_rows(module, given.name):
            continue
        quantity = module.quantity(given.name)
        shape = input_shape(module, source, quantity)
        if given.support.kind == "index":
            groups = _groups(source, lowering, given)
            module.needs.helpers |= {"read", "read_groups"}
            arguments = ["data", f'"{given.name}"', shape, groups]
            source.lines += break_call(f"{input_name(given.name)} = read_groups(", arguments, ")", 1)
        else:
            module.needs.helpers.add("read")
            arguments = ["data", f'"{given.name}"', shape]
            whole = given.support.kind == "integer" and shape == "()"
            if given.default is not None:
                arguments.append(default_text(module, source, lowering, given, shape))
            local = input_name(given.name)
            head, tail = (f"{local} = int(read(", "))") if whole else (f"{local} = read(", ")")
            source.lines += break_call(head, arguments, tail, 1)
    for quantity in held_responses(module):
        _read_quantity(module, source, quantity)
    for quantity in with_gaps(module):
        module.needs.helpers.add("read_observed")
        arguments = ["data", f'"{quantity.name}"', input_shape(module, source, quantity)]
        arguments += (
            ["whole=True"] if quantity.sides and not has_parts(module.plan.step(quantity.name)) else []
        )
        head = f"{observed_name(module, quantity.name)} = read_observed("
        source.lines += break_call(head, arguments, ")", 1)
    for quantity in partly_observed(module):
        if quantity not in with_gaps(module):
            write_fixed_elements(module, source, quantity)
    for statistic in statistics_read(module):
        _read_quantity(module, source, statistic.quantity)
    for name, _, _ in moments_read(module):
        module.needs.helpers.add("read")
        source.add(f'{name} = read(data, "{name}", ())')


def write_fixed_elements(module: Module, source: Source, quantity: Quantity) -> None:
    """Write the array of the fixed elements of a node, NaN for the others."""
    name = observed_name(module, quantity.name)
    source.add(f"{name} = np.full({input_shape(module, source, quantity)}, np.nan)")
    array = replace(quantity, name=name, prefix="", chain=False, kind="real")
    for factor in module.derivation.factors:
        if factor.value.name == quantity.name and factor.fixed is not None:
            element = Ref(Variable(name, ()), *factor.value.indices)
            write_elements(source, array, element, factor.bounds, factor.fixed)


def _read_quantity(module: Module, source: Source, quantity: Quantity) -> None:
    module.needs.helpers.add("read")
    arguments = ["data", f'"{quantity.name}"', input_shape(module, source, quantity)]
    source.lines += break_call(f"{input_name(quantity.name)} = read(", arguments, ")", 1)


def _by_default(module: Module, lowering: Lowering) -> list[Given]:
    """Return the givens, one whose default uses another after that one."""
    waiting = list(module.derivation.model.givens)
    done: list[Given] = []
    while waiting:
        ready = [
            given
            for given in waiting
            if given.default is None
            or not {r.name for r in lowering.expression(given.default).atoms(Ref)}
            & {other.name for other in waiting if other is not given}
        ]
        done += ready or waiting
        waiting = [given for given in waiting if given not in done]
    return done


def _groups(source: Source, lowering: Lowering, given: Given) -> str:
    _, lower, upper = lowering.plate_bound(given.support.plate or "")
    word = "subset" if given.support.kind == "subset" else "group column"
    if any(type(symbol) is Symbol for symbol in lower.free_symbols | upper.free_symbols):
        raise unsupported(f"the {word} {given.name} of a ragged plate", "use a plate of fixed length")
    return print_size(source, sp.expand(upper - lower + 1))


def input_shape(module: Module, source: Source, quantity: Quantity) -> str:
    """Return the text of the shape that an input must have."""
    inner = source.within(own_space(module, quantity))
    axes = inner.space.axes(quantity.indices, as_given=True)
    sides = [print_size(source, side) for side in quantity.sides]
    shape = shape_text(inner, Frame(axes=axes), sides)
    return f"({shape},)" if shape and "," not in shape else f"({shape})"


def default_text(module: Module, source: Source, lowering: Lowering, given: Given, shape: str) -> str:
    """Return the text of a default value; a number stands for a vector or array of it."""
    assert given.default is not None
    value = lowering.expression(given.default)
    own = lowering.element(given.name, *(lowering.indices[index] for index in given.indices))
    text = print_expression(source, value, Frame(sides=count_sides(value))).text
    if shape == "()" or (count_sides(value) == count_sides(own) and not given.indices):
        return text
    return f"np.full({shape}, {_as_float(text)})"


def _as_float(number: str) -> str:
    return f"{number}.0" if number.lstrip("-").isdigit() else number


def write_fixed(module: Module, source: Source) -> None:
    """Write the deterministic nodes that depend on the data alone."""
    for quantity in _fixed(module):
        for piece in module.derivation.definitions:
            if piece.element.name != quantity.name:
                continue
            inner = source.within(own_space(module, quantity))
            axes = inner.space.axes(quantity.indices, as_given=True)
            frame = Frame(axes=axes, sides=len(quantity.sides))
            _named(inner, input_name(quantity.name), piece.expression, frame)


def write_statistics(module: Module, source: Source) -> None:
    """Write the statistics of the data."""
    wanted = _wanted_statistics(module)
    written: list[LeastSquares | Crossing] = []
    read = {statistic.name for statistic in statistics_read(module)}
    for statistic in module.plan.statistics:
        if statistic.name not in wanted or statistic.name in read:
            continue
        if statistic.procedure is not None:
            if statistic.procedure not in written:
                write_procedure(source, statistic)
                written.append(statistic.procedure)
            continue
        inner = source.within(statistic.space)
        axes = inner.space.axes(statistic.indices)
        _named(
            inner, statistic.name, statistic.expression, Frame(axes=axes, sides=len(statistic.quantity.sides))
        )


def _wanted_statistics(module: Module) -> set[str]:
    """Return the statistics that are read by a function, or by others that are."""
    made_of = {statistic.name: _ingredients(statistic) for statistic in module.plan.statistics}
    wanted, new = set(), set(made_of) & module.used
    while new:
        wanted |= new
        new = {name for found in new for name in made_of[found] if name in made_of} - wanted
    return wanted


def _ingredients(statistic: Statistic) -> set[str]:
    """Return the names of what a statistic is computed from; what one procedure makes is made together."""
    fit = statistic.procedure
    parts: list[sp.Basic] = [statistic.expression]
    if isinstance(fit, LeastSquares):
        parts += [fit.response, fit.weight, *fit.columns, *fit.bounds, *fit.conditions]
    ends = [end for bound in statistic.quantity.ranges for end in bound]
    together = set() if fit is None else set(fit.names) - {statistic.name}
    return together | {ref.name for part in (*parts, *ends) for ref in part.atoms(Ref)}


def _named(source: Source, name: str, expr: Expr, frame: Frame) -> None:
    source.taken.discard(name)
    written = write_value(source, expr, frame, name)
    if written != name:
        source.add(f"{name} = {written}")


def order_index_arrays(module: Module, lines: list[str]) -> list[IndexArray]:
    """Return the index arrays that are kept or used in ``lines``, in the order in which they build on each other."""
    arrays = dict(module.needs.arrays)
    wanted = {name for name in arrays if name in module.used} | (_mentioned(" ".join(lines)) & set(arrays))
    for _ in arrays:
        wanted |= {name for array in list(wanted) for name in _mentioned(arrays[array].code) & set(arrays)}
    waiting = [array for array in arrays.values() if array.name in wanted]
    ordered: list[IndexArray] = []
    while waiting:
        done = {array.name for array in ordered}
        ready = [a for a in waiting if not (_mentioned(a.code) & wanted) - done]
        ordered += ready or waiting
        waiting = [array for array in waiting if array not in ordered]
    return ordered


def split_index_arrays(
    arrays: list[IndexArray], lines: list[str]
) -> tuple[list[IndexArray], list[IndexArray]]:
    """Return the index arrays that can be made before ``lines``, and those made from what the lines compute."""
    heads = [line.strip().split(" = ")[0] for line in lines if " = " in line]
    known_later = {name for head in heads for name in head.split(", ") if name.isidentifier()}
    early: list[IndexArray] = []
    late: list[IndexArray] = []
    for array in arrays:
        after = _mentioned(array.code) & (known_later | {other.name for other in late})
        (late if after else early).append(array)
    return early, late


def _mentioned(code: str) -> set[str]:
    word, found = "", set()
    for character in code + " ":
        if character.isalnum() or character == "_":
            word += character
        else:
            found.add(word)
            word = ""
    return found


def _index_line(array: IndexArray) -> list[str]:
    whole = f"    {array.name} = {array.code}"
    if len(whole) <= 88:
        return [whole]
    broken = break_brackets(f"    {array.name} = (", [array.code], ")", 1)
    return broken if broken is not None else [whole]
