"""Draws with their names, summary and warnings in one ``Result``.

Stage run, last part.  Input: ``Draws`` and a ``Binding``.  Output: ``Result``.  ArviZ and xarray, which take longer to
import than a run of small data, are imported only when ``Result.idata`` is asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from deriver.language.mistakes import listing
from deriver.model.expressions import Reference, references
from deriver.model.records import Deterministic, Model, Node
from deriver.running.binding import Binding
from deriver.running.diagnose import diagnose
from deriver.running.groups import LEAD, Group, Groups, Variable, make_group, to_inference_data
from deriver.running.layout import Block, Layout
from deriver.running.moments import QUANTILES, FieldMoments
from deriver.running.propriety import warn_of_few_groups
from deriver.running.quantities import Derived, DrawEvaluator
from deriver.running.sampling import Draws
from deriver.running.saving import save_groups
from deriver.running.summary import Summary, summarise
from deriver.running.symbols import declarations
from deriver.running.values import Value


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of a run.

    ``groups`` are the draws and data by the names of InferenceData, ``idata`` is that itself; ``fields`` the
    moments of large fields; ``kept`` how many chains and draws there are; ``source`` the emitted sampler; ``warnings``
    say in words what is amiss and what to do; ``notes`` what was done with the data.  Of the ``seconds`` on the clock the
    first ``warmup_seconds`` went to the warm-up, and to loading or compiling the sampler.
    """

    model: Model
    groups: Groups
    source: str
    seed: int
    seconds: float
    warmup_seconds: float = 0.0
    acceptance: Mapping[str, np.ndarray] = field(default_factory=dict)
    headline: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    fields: Mapping[str, FieldMoments] = field(default_factory=dict)
    kept: tuple[int, int] = (0, 0)

    @cached_property
    def idata(self) -> Any:
        """Return the draws as ArviZ InferenceData, whose import takes some seconds."""
        return to_inference_data(self.groups)

    @property
    def posterior(self) -> Group:
        """Return the draws by name."""
        return self.groups["posterior"]

    def summary(self, names: Sequence[str] | None = None, *, hdi: bool = False) -> Summary:
        """Return the summary table of the named quantities; by default those without plates."""
        wanted = tuple(names or self.headline)
        return summarise(self.posterior, wanted, acceptance=self.acceptance, hdi=hdi, fields=self.fields)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Return what is amiss, in words."""
        return (*self.hints, *diagnose(self.posterior, self.acceptance, self.model, self.kept, self.fields))

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Save the draws as NetCDF, as ArviZ reads it, and return where it is: elsewhere, with a warning, if need be."""
        saved = save_groups(self.groups, Path(path), overwrite=overwrite)
        if saved.trouble:
            warnings.warn(f"{saved.trouble}; the draws are in {saved.path}", stacklevel=2)
        return saved.path

    def _repr_html_(self) -> str:
        return self.summary().to_frame().to_html()

    def __repr__(self) -> str:
        return f"Result of {self.model.name}\n{self.summary()}"


def make_result(
    binding: Binding,
    draws: Draws,
    source: str,
    derived: Sequence[Derived] = (),
    extra: Mapping[str, Mapping[str, Variable]] | None = None,
    report: Sequence[str] = (),
) -> Result:
    """Return the result of a run; ``extra`` are the variables of further groups, ``report`` nodes wanted besides."""
    evaluator = DrawEvaluator(binding, draws.values)
    values = collect_values(binding, draws, evaluator, report)
    for each in derived:
        values[each.name] = evaluator.derived(each)
    names = tuple(name for name in _headline(binding.model, values) if name in values)
    headline = tuple(dict.fromkeys((*names, *(each.name for each in derived)))) or tuple(values)[:5]
    return Result(
        model=binding.model, groups=make_groups(binding, draws, values, extra or {}), source=source,
        seed=draws.seed, seconds=draws.seconds, warmup_seconds=draws.warmup_seconds, acceptance=draws.acceptance, headline=headline,
        notes=(*binding.notes, *describe_missing(binding)), hints=(*describe_gaps(binding, draws), *warn_of_few_groups(binding.model, binding.layouts)), components=describe_components(binding),
        fields=draws.moments, kept=(_count_chains(draws), draws.done),
    )  # fmt: skip


def _count_chains(draws: Draws) -> int:
    """Return how many chains were run."""
    counts = [len(array) for array in draws.values.values()]
    return next(iter([*counts, *(each.chains for each in draws.moments.values())]), 0)


def collect_values(
    binding: Binding, draws: Draws, evaluator: DrawEvaluator, report: Sequence[str] = ()
) -> dict[str, Value]:
    """Return the kept nodes, and the deterministic ones that are small, asked for or stand for a transformed node."""
    values: dict[str, Value] = {}
    for node in binding.model.nodes:
        kept = node.name in draws.values and not (node.partly and node.name in binding.missing)
        if kept or (node.kind == "deterministic" and _is_reported(node, binding.model, draws.values, report)):
            values[node.name] = evaluator.node(node.name)
    return values


def _is_reported(
    node: Node, model: Model, kept: Mapping[str, Any], report: Sequence[str] = (), below: frozenset[str] = frozenset()
) -> bool:  # fmt: skip
    """Tell whether a definition is reported; ``below`` are those that rest on it, along a recursion perhaps."""
    below |= {node.name}
    statements = [s for s in model.statements_of(node.name) if isinstance(s, Deterministic)]
    implied = any(statement.implied for statement in statements)
    if node.indices and not implied and node.name not in report:
        return False
    names = {other.name: other.kind for other in model.nodes}
    parents = [r.name for s in statements for r in references(s.expression) if r.name in names]
    return all(
        p in kept
        or p in below
        or (names[p] == "deterministic" and _is_reported(model.node(p), model, kept, report, below))
        for p in parents
    )


def _headline(model: Model, values: Mapping[str, Value]) -> list[str]:
    """Return the quantities that a summary shows: no plates; what the user wrote in place of a transformed node."""
    implied = [s for s in model.statements if isinstance(s, Deterministic) and s.implied and s.name in values]
    inner = {
        reference.name for s in implied for reference in references(s.expression) if reference.name != s.name
    }  # fmt: skip
    shown = [node for node in reversed(model.nodes) if not node.indices and node.name not in inner]
    order = {node.name: place for place, node in enumerate(model.nodes)}
    return [node.name for node in sorted(shown, key=lambda node: order[node.name])]


# --- groups -----------------------------------------------------------------------------------------------


def make_groups(
    binding: Binding, draws: Draws, values: Mapping[str, Value], extra: Mapping[str, Mapping[str, Variable]]
) -> dict[str, Group]:
    """Return the groups of InferenceData: posterior, sample_stats, observed_data, constant_data, and ``extra``."""
    posterior = {name: label_value(value, name, binding) for name, value in values.items()}
    attributes: dict[str, str | int | float] = {
        "model": binding.model.name, "seed": draws.seed, "sampling_time": draws.seconds - draws.warmup_seconds,
        "warmup_time": draws.warmup_seconds, "inference_library": "deriver", "components": "; ".join(describe_components(binding)),
    }  # fmt: skip
    groups = {"posterior": make_group({**posterior, **extra.get("posterior", {})}, attributes)}
    groups |= {name: make_group(variables) for name, variables in extra.items() if name != "posterior"}
    groups["sample_stats"] = make_group(_acceptance_data(draws))
    groups["moments"] = make_group(_moments_data(binding, draws))
    groups |= _streamed_groups(binding, draws)
    observed = [node.name for node in binding.model.nodes if node.name in binding.arrays]
    constant = [given.name for given in binding.model.givens if given.name in binding.arrays]
    groups["observed_data"] = make_group(_array_data(binding, observed))
    groups["constant_data"] = make_group(_array_data(binding, constant))
    return {name: group for name, group in groups.items() if group.variables or name == "posterior"}


def _array_data(binding: Binding, names: Sequence[str]) -> dict[str, Variable]:
    found = {}
    for name in names:
        layout = binding.layouts[name]
        array = np.asarray(binding.arrays[name])
        if array.shape == layout.extents:
            found[name] = _label(array, (), layout, binding)
    return found


def _acceptance_data(draws: Draws) -> dict[str, Variable]:
    found = {}
    for name, rate in draws.acceptance.items():
        dims = ("chain", *(f"{name}_dim_{k}" for k in range(rate.ndim - 1)))
        found[f"acceptance_{name}"] = Variable(dims=dims[: rate.ndim], array=np.asarray(rate))
    return found


def _moments_data(binding: Binding, draws: Draws) -> dict[str, Variable]:
    """Return the moments of fields: ``beta_mean``, ``beta_sd``, ..., and ``beta_quantile`` along ``quantile``."""
    found: dict[str, Variable] = {}
    for name, own in draws.moments.items():
        layout = binding.layouts[name]
        for measure in ("mean", "sd", "mcse", "ess", "r_hat"):
            found[f"{name}_{measure}"] = _label(getattr(own, measure), (), layout, binding)
        quantiles = _label(own.quantiles, ("quantile",), layout, binding)
        coords = {**quantiles.coords, "quantile": np.array(QUANTILES)}
        found[f"{name}_quantile"] = replace(quantiles, coords=coords)
    return found


def _streamed_groups(binding: Binding, draws: Draws) -> dict[str, Group]:
    """Return the draws that are on a disk: in one group those of which every so many are kept."""
    found: dict[int, dict[str, Variable]] = {}
    for name, own in draws.streamed.items():
        variable = _label(own.array, LEAD, binding.layouts[name], binding)
        variable = replace(variable, coords={**variable.coords, "draw": own.numbers()})
        found.setdefault(own.every, {})[name] = variable
    return {
        "streamed" if every == 1 else f"streamed_every_{every}": make_group(own)
        for every, own in found.items()
    }


def label_value(value: Value, name: str, binding: Binding) -> Variable:
    """Return a value over the draws with named axes and their labels."""
    lead = tuple(axis for axis in LEAD if axis in value.axes)
    layout = binding.layouts.get(name)
    if layout is not None and tuple(value.axes[len(lead) :]) == layout.axes:
        return _label(value.plain(), lead, layout, binding)
    rank = value.plain().ndim - len(value.axes)
    dims = (*value.axes, *(f"{name}_dim_{k}" for k in range(rank)))
    coords = {
        dim: np.arange(1, size + 1)
        for dim, size in zip(dims, value.plain().shape, strict=True)
        if dim not in lead
    }
    for axis in value.axes:
        block = next((b for lay in binding.layouts.values() for b in lay.blocks if b.axis == axis), None)
        if block is not None and block.size == value.array.shape[value.axes.index(axis)]:
            coords[axis] = block_labels(block, binding)
    return Variable(dims=dims, array=value.plain(), coords=coords)


def _label(array: np.ndarray, lead: tuple[str, ...], layout: Layout, binding: Binding) -> Variable:
    dims, coords = list(lead), {}
    for block in layout.blocks:
        dim = _dimension_name(block, binding)
        dims.append(dim)
        coords[dim] = block_labels(block, binding)
    for dim, size in zip(component_dimensions(layout, binding), layout.shape, strict=True):
        dims.append(dim)
        coords[dim] = np.arange(1, size + 1)
    return Variable(dims=tuple(dims), array=np.asanyarray(array), coords=coords)


def binding_dimensions(binding: Binding, name: str) -> tuple[str, ...]:
    """Return the names of the plate dimensions of a quantity in the results."""
    return tuple(_dimension_name(block, binding) for block in binding.layouts[name].blocks)


def _dimension_name(block: Block, binding: Binding) -> str:
    """Return the axis name; with its start if the node does not begin where its plate does (z[0])."""
    first = block.levels[-1]
    plate = binding.model.plate(first.index)
    start = int(first.lower.min(initial=1))
    declared = getattr(plate.lower, "value", start)
    return block.axis if start == declared else f"{block.axis}_from_{start}"


def component_dimensions(layout: Layout, binding: Binding) -> tuple[str, ...]:
    """Return the names of a vector's or matrix's dimensions: those of the model, the second with ``_``."""
    declared = next(each for each in declarations(binding.model) if each.name == layout.name)
    names: list[str] = []
    for place, dimension in enumerate(declared.shape):
        name = dimension.name if isinstance(dimension, Reference) else f"{layout.name}_dim_{place}"
        names.append(f"{name}_" if name in names else name)
    return tuple(names[: len(layout.shape)])


def block_labels(block: Block, binding: Binding) -> np.ndarray:
    """Return the coordinate of an axis: labels of a dense plate, ``label,label`` for rows of a ragged one."""
    columns = [_index_labels(block, index, binding) for index in block.indices]
    if len(columns) == 1:
        return _coordinate(columns[0])
    return np.array([",".join(map(str, row)) for row in zip(*columns, strict=True)])


def _index_labels(block: Block, index: str, binding: Binding) -> list[Any]:
    values = block.rows[index]
    rows = binding.row_labels.get(index)
    if rows is not None and len(rows.labels) == len(values):
        return [str(v) if label is None else label for v, label in zip(values, rows.labels, strict=True)]
    levels = binding.labels.get(index)
    if levels is None:
        return values.tolist()
    plate = binding.model.plate(index)
    offset = int(getattr(plate.lower, "value", 1))
    return [_level_label(levels.labels, int(v) - offset) for v in values]


def _level_label(labels: tuple[Any, ...], position: int) -> Any:
    """Return a label; before the first and after the last, numbers go on evenly and others get a mark."""
    if 0 <= position < len(labels):
        return labels[position]
    if len(labels) > 1 and all(isinstance(label, int | float) for label in labels[:2]):
        return labels[0] + (labels[1] - labels[0]) * position
    return f"{labels[0]}{position:+d}" if labels else position


def _coordinate(labels: list[Any]) -> np.ndarray:
    kinds = {type(label) for label in labels}
    if kinds <= {int} or kinds <= {int, float} or kinds <= {bool}:
        return np.array(labels)
    return np.array([str(label) for label in labels])


# --- words ------------------------------------------------------------------------------------------------


def describe_components(binding: Binding) -> tuple[str, ...]:
    """Return what the components of covariate vectors are: ``p: 1 = 1, 2 = days``."""
    lines = []
    for name, texts in binding.components.items():
        shape = binding.model.given(name).shape if name in {g.name for g in binding.model.givens} else ()
        dimension = shape[0].name if shape and isinstance(shape[0], Reference) else name
        if texts:
            lines.append(f"{dimension}: " + ", ".join(f"{k} = {text}" for k, text in enumerate(texts, 1)))
    return tuple(dict.fromkeys(lines))


def describe_gaps(binding: Binding, draws: Draws) -> tuple[str, ...]:
    """Return warnings about an interrupt, lost chains, and what the data do not tell: empty groups."""
    found: list[str] = []
    if draws.done < draws.asked:
        found.append(
            f"interrupted: {draws.done} of {draws.asked} draws per chain are kept; run again for all of them"
        )
    if draws.lost:
        found.append(_describe_lost(binding, draws))
    found += [line for name in binding.layouts if (line := _empty_groups(name, binding))]
    return tuple(dict.fromkeys(found))


def _describe_lost(binding: Binding, draws: Draws) -> str:
    """Return a warning about chains that never came to values of positive density."""
    one = len(draws.lost) == 1
    which = f"chain{'' if one else 's'} {listing([str(chain) for chain in draws.lost], 'and')}"
    drawn = {node.name for node in binding.model.nodes if node.is_drawn}
    moved = [name for name in draws.acceptance if name in drawn] or sorted(drawn)
    starts = " ".join(f"--start {name}=..." for name in moved[:3])
    return (
        f"{which} never came to values of positive density: {'its' if one else 'their'} draws mean nothing.  Begin near "
        f"the data ({starts}), and look whether the model gives every observation a positive density"
    )


def describe_missing(binding: Binding) -> tuple[str, ...]:
    """Return a note on each response that has missing values."""
    missing = [(name, count) for name, count in binding.missing.items() if count]
    return tuple(
        f"{n} missing value{'s' if n > 1 else ''} of {name}, drawn as {name}_missing" for name, n in missing
    )


def _empty_groups(name: str, binding: Binding) -> str:
    """Return a warning if groups have no rows: by a length J[i] = 0, or by a group column that leaves them out."""
    given = next((g for g in binding.model.givens if g.name == name), None)
    if given is None or name not in binding.arrays:
        return ""
    if given.origin == "size" and given.indices:
        index = given.indices[-1]
        empty = np.flatnonzero(np.ravel(binding.arrays[name]) == 0)
    elif given.support.kind == "index" and given.support.plate:
        index = given.support.plate
        size = next((lay.blocks[0].size for lay in binding.layouts.values() if lay.indices == (index,)), 0)
        empty = np.setdiff1d(np.arange(size), np.ravel(binding.arrays[name]))
    else:
        return ""
    if not empty.size:
        return ""
    levels = binding.labels.get(index)
    shown = [str(levels.labels[k] if levels and k < len(levels.labels) else k + 1) for k in empty[:5]]
    more = ", ..." if empty.size > 5 else ""
    what = "group has" if empty.size == 1 else "groups have"
    return (
        f"{empty.size} {what} no observations ({index} = {', '.join(shown)}{more}): "
        "the conditional of such an effect is its prior"
    )
