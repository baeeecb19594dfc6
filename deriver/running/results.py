"""Draws with their names: ArviZ InferenceData, summary and warnings in one ``Result``.

Stage run, last part.  Input: ``Draws`` and a ``Binding``.  Output: ``Result``.  ArviZ and xarray are imported only
here and in ``summary``, when a run has ended.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from deriver.model.expressions import Reference, references
from deriver.model.records import Deterministic, Model, Node
from deriver.running.binding import Binding
from deriver.running.diagnose import diagnose
from deriver.running.layout import Block, Layout
from deriver.running.quantities import Derived, DrawEvaluator
from deriver.running.sampling import Draws
from deriver.running.saving import save_inference_data
from deriver.running.summary import Summary, summarise
from deriver.running.symbols import declarations
from deriver.running.values import Value


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of a run.

    ``idata`` is ArviZ InferenceData; ``source`` the emitted sampler; ``warnings`` say in words what is amiss and
    what to do; ``notes`` what was done with the data.
    """

    model: Model
    idata: Any
    source: str
    seed: int
    seconds: float
    acceptance: Mapping[str, np.ndarray] = field(default_factory=dict)
    headline: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    components: tuple[str, ...] = ()

    def summary(self, names: Sequence[str] | None = None, *, hdi: bool = False) -> Summary:
        """Return the summary table of the named quantities; by default those without plates."""
        return summarise(self.idata, tuple(names or self.headline), acceptance=self.acceptance, hdi=hdi)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Return what is amiss, in words."""
        return (*diagnose(self.idata, self.acceptance, self.model), *self.hints)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Save the InferenceData as NetCDF and return where it is: elsewhere, with a warning, if need be."""
        saved = save_inference_data(self.idata, Path(path), overwrite=overwrite)
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
    extra: Mapping[str, Any] | None = None,
    report: Sequence[str] = (),
) -> Result:
    """Return the result of a run; ``extra`` are further groups of InferenceData, ``report`` nodes wanted besides."""
    evaluator = DrawEvaluator(binding, draws.values)
    values = collect_values(binding, draws, evaluator, report)
    for each in derived:
        values[each.name] = evaluator.derived(each)
    names = tuple(name for name in _headline(binding.model, values) if name in values)
    headline = tuple(dict.fromkeys((*names, *(each.name for each in derived)))) or tuple(values)[:5]
    return Result(
        model=binding.model, idata=make_inference_data(binding, draws, values, extra or {}), source=source,
        seed=draws.seed, seconds=draws.seconds, acceptance=draws.acceptance, headline=headline,
        notes=(*binding.notes, *describe_missing(binding)), hints=describe_gaps(binding, draws), components=describe_components(binding),
    )  # fmt: skip


def collect_values(
    binding: Binding, draws: Draws, evaluator: DrawEvaluator, report: Sequence[str] = ()
) -> dict[str, Value]:
    """Return the kept nodes, and the deterministic ones that are small, asked for or stand for a transformed node."""
    values: dict[str, Value] = {}
    for node in binding.model.nodes:
        kept = node.name in draws.values
        if kept or (node.kind == "deterministic" and _is_reported(node, binding.model, draws.values, report)):
            values[node.name] = evaluator.node(node.name)
    return values


def _is_reported(node: Node, model: Model, kept: Mapping[str, Any], report: Sequence[str] = ()) -> bool:
    statements = [s for s in model.statements_of(node.name) if isinstance(s, Deterministic)]
    implied = any(statement.implied for statement in statements)
    if node.indices and not implied and node.name not in report:
        return False
    names = {other.name: other.kind for other in model.nodes}
    parents = [r.name for s in statements for r in references(s.expression) if r.name in names]
    return all(
        p in kept or (names[p] == "deterministic" and _is_reported(model.node(p), model, kept, report))
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


# --- InferenceData ----------------------------------------------------------------------------------------


def make_inference_data(
    binding: Binding, draws: Draws, values: Mapping[str, Value], extra: Mapping[str, Any]
) -> Any:
    """Return the ArviZ InferenceData: posterior, sample_stats, observed_data, constant_data."""
    import arviz
    import xarray

    posterior = xarray.Dataset({name: label_value(value, name, binding) for name, value in values.items()})
    posterior = posterior.assign_attrs(
        {
            "model": binding.model.name, "seed": draws.seed, "sampling_time": draws.seconds,
            "inference_library": "deriver", "components": "; ".join(describe_components(binding)),
        }
    )  # fmt: skip
    posterior = posterior.assign(extra.get("posterior", {}))
    extra = {name: data for name, data in extra.items() if name != "posterior"}
    extra = {name: _number_draws(data) for name, data in extra.items()}
    groups: dict[str, Any] = {**extra, "posterior": _number_draws(posterior)}
    stats = _acceptance_data(binding, draws)
    if stats:
        groups["sample_stats"] = _number_draws(xarray.Dataset(stats))
    groups["observed_data"] = _array_data(
        binding, [n.name for n in binding.model.nodes if n.name in binding.arrays]
    )
    groups["constant_data"] = _array_data(
        binding, [g.name for g in binding.model.givens if g.name in binding.arrays]
    )
    return arviz.InferenceData(**{name: data for name, data in groups.items() if len(data)})


def _number_draws(data: Any) -> Any:
    """Return a dataset with its chains and draws numbered from 0, as ArviZ does."""
    return data.assign_coords(
        {axis: np.arange(data.sizes[axis]) for axis in ("chain", "draw") if axis in data.sizes}
    )


def _array_data(binding: Binding, names: Sequence[str]) -> Any:
    import xarray

    found = {}
    for name in names:
        layout = binding.layouts[name]
        array = np.asarray(binding.arrays[name])
        if array.shape == layout.extents:
            found[name] = _label(array, (), layout, binding)
    return xarray.Dataset(found)


def _acceptance_data(binding: Binding, draws: Draws) -> dict[str, Any]:
    import xarray

    found = {}
    for name, rate in draws.acceptance.items():
        dims = ["chain", *(f"{name}_dim_{k}" for k in range(rate.ndim - 1))]
        found[f"acceptance_{name}"] = xarray.DataArray(rate, dims=dims[: rate.ndim])
    return found


def label_value(value: Value, name: str, binding: Binding) -> Any:
    """Return a value over the draws as a DataArray with named dimensions and coordinates."""
    lead = tuple(axis for axis in ("chain", "draw") if axis in value.axes)
    layout = binding.layouts.get(name)
    if layout is not None and tuple(value.axes[len(lead) :]) == layout.axes:
        return _label(value.plain(), lead, layout, binding)
    import xarray

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
    return xarray.DataArray(value.plain(), dims=dims, coords=coords)


def _label(array: np.ndarray, lead: tuple[str, ...], layout: Layout, binding: Binding) -> Any:
    import xarray

    dims, coords = list(lead), {}
    for block in layout.blocks:
        dim = _dimension_name(block, binding)
        dims.append(dim)
        coords[dim] = block_labels(block, binding)
    for dim, size in zip(component_dimensions(layout, binding), layout.shape, strict=True):
        dims.append(dim)
        coords[dim] = np.arange(1, size + 1)
    return xarray.DataArray(array, dims=dims, coords=coords)


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
    """Return warnings about what the data do not tell: empty groups, an interrupt."""
    found: list[str] = []
    if draws.done < draws.asked:
        found.append(
            f"interrupted: {draws.done} of {draws.asked} draws per chain are kept; run again for all of them"
        )
    found += [line for name in binding.layouts if (line := _empty_groups(name, binding))]
    return tuple(dict.fromkeys(found))


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
