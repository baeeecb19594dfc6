"""One run, checked before anything is derived, then sampled.

Stage run.  Input: a ``Model``, data and a ``Job``.  Output: ``Prepared``; with the emitted source, a ``Result``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from deriver.errors import DeriverError, InternalError, UsageError
from deriver.language.mistakes import listing, suggest
from deriver.model.records import Model, Stochastic
from deriver.running.binding import Binding, bind_data
from deriver.running.evaluate import EvaluationError, evaluate
from deriver.running.fixing import fix_nodes
from deriver.running.groups import Variable
from deriver.running.missing import Observed, draw_parents, leave_out_missing
from deriver.running.problems import Problems
from deriver.running.propriety import singular
from deriver.running.quantities import Derived, DrawEvaluator, read_derived
from deriver.running.reading import read_expression
from deriver.running.results import Result, make_result
from deriver.running.retention import Retention, check_memory, drawn_nodes, plan_retention
from deriver.running.sampling import Draws, Settings, draw_samples, load_sampler
from deriver.running.streaming import check_disk
from deriver.running.supports import describe_support, outside
from deriver.running.symbols import declarations
from deriver.running.values import describe_shape, to_shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The options of a run, as the command line or Python gives them.

    ``report`` names deterministic nodes whose draws are wanted though they have plates.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    index: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    fix: Mapping[str, str | float] = field(default_factory=dict)
    start: Mapping[str, Any] = field(default_factory=dict)
    derived: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)
    log_likelihood: bool = False
    posterior_predictive: bool = False
    report: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A job whose every input has been read and found right; ``observed`` is what is derived and sampled."""

    observed: Observed
    binding: Binding
    derived: tuple[Derived, ...]
    start: Mapping[str, np.ndarray]
    retention: Retention
    undrawn: tuple[str, ...]
    job: Job


def prepare_job(
    model: Model, data: Any, job: Job, bind: Callable[[Model], Binding] | None = None
) -> Prepared:
    """Return the job with its data; raise all that is wrong with data, values and options together.

    ``bind`` takes the place of ``bind_data``, where reading the data takes long: what is wrong with options is raised first.
    """
    model = fix_nodes(model, job.fix)
    problems = Problems()
    sound = _check_settings(job.settings, problems)
    _check_names(model, job.settings, problems)
    binding = derived = None
    try:
        if bind is not None:
            problems.raise_any()
            binding = bind(model)
        else:
            binding = bind_data(model, data, columns=job.columns, index=job.index, values=job.values)
        problems.origin = binding.origin
        binding = draw_parents(binding)
    except DeriverError as error:
        problems.origin = error.origin
        problems.add_error(error)
    try:
        names = [declared.name for declared in declarations(model)]
        derived = read_derived(names, [plate.index for plate in model.plates], job.derived)
    except DeriverError as error:
        problems.add_error(error)
    start = _read_start(model, binding, job.start, problems)
    if binding is not None and derived is not None and sound:
        retention = plan_retention(model, binding.layouts, job.settings)
        made, undrawn = _try_reports(binding, derived, job, retention, problems)
        check_memory(retention, binding.layouts, job.settings, problems, made)
        counts = {
            name: int(np.prod(retention.moments[name], dtype=int))
            for name in job.settings.stream
            if name in retention.moments
        }
        check_disk(counts, job.settings, problems)
    problems.raise_any()
    assert binding is not None and derived is not None
    return Prepared(
        observed=leave_out_missing(binding), binding=binding, derived=derived, start=start, retention=retention,
        undrawn=undrawn, job=job,
    )  # fmt: skip


def sample_job(
    prepared: Prepared,
    source: str,
    *,
    notes: Sequence[str] = (),
    cached: bool = True,
    auxiliary: bool = False,
) -> Result:
    """Return the result of the emitted source on the job's data; the draws reach a disk whatever happens.

    ``notes`` are told with the result; ``cached`` tells whether compiled code may be kept for later runs, ``auxiliary``
    whether the source draws nodes that the model does not have, which are not kept.
    """
    module = load_sampler(source, prepared.binding.model.name, cached=cached, sealed=True)
    retention, settings = prepared.retention, prepared.job.settings
    plain = settings.keep is None and not retention.moments and not auxiliary
    try:
        draws = draw_samples(
            module, prepared.observed.arrays, settings, prepared.start, keep=None if plain else retention.whole,
            fields=retention.moments,
        )  # fmt: skip
    except (np.linalg.LinAlgError, ArithmeticError) as error:
        raise singular(prepared.binding.model, str(error)) from error
    if draws.done == 0:
        raise KeyboardInterrupt
    lost = [name for name, values in draws.values.items() if _is_lost(values)]
    if lost:
        raise singular(prepared.binding.model, f"in the draws of {listing(lost, 'and')}")
    try:
        result = make_result(
            prepared.binding, draws, source, prepared.derived, _extra_groups(prepared, draws),
            prepared.job.report,
        )  # fmt: skip
        told = [text for text in (*notes, describe_choice(draws)) if text]
        return replace(result, notes=(*result.notes, *retention.notes, *_notes(prepared), *told))
    except Exception as error:  # whatever went wrong, the draws must reach a disk
        path = _save_raw(draws, prepared.binding.model.name)
        raise InternalError(f"{error}; the draws are safe, as arrays by node, in {path}") from error


def _is_lost(values: np.ndarray) -> bool:
    """Tell whether a chain has ended with no number in the whole of a node."""
    last = np.isnan(values[:, -1]).reshape(len(values), -1)
    return bool(last.size and last.all(axis=1).any())


def _notes(prepared: Prepared) -> list[str]:
    """Return a note on each response whose missing values are not drawn."""
    moments = listing(prepared.retention.moments, "and")
    return [
        f"the missing values of {name} are not drawn, as of {moments} only moments are kept"
        for name in prepared.undrawn
    ]


def describe_choice(draws: Draws) -> str:
    """Return how a sampler that could update nodes together chose, "" where it had no choice."""
    if draws.apart:
        return f"{draws.linked} are drawn one by one, as together they would be too many: {draws.apart}"
    if np.isnan(draws.mixing):
        return ""
    found = f"{draws.mixing:.2g} effective draws a sweep in the warm-up"
    if draws.together and draws.linked:
        return f"{draws.linked} are drawn together, as one by one they mix badly: {found}"
    if draws.together:
        return f"variances are updated with effects integrated out, as one by one they mix badly: {found}"
    return f"every node is drawn by itself, which mixes well enough: {found}"


def _extra_groups(prepared: Prepared, draws: Draws) -> dict[str, dict[str, Variable]]:
    from deriver.running import likelihood

    binding, job = prepared.binding, prepared.job
    names = [name for name in binding.missing if name not in prepared.undrawn]
    drawn = likelihood.collect_drawn(binding, draws)
    groups = {"posterior": {**likelihood.draw_missing(binding, draws, names), **drawn}}
    if job.log_likelihood:
        groups["log_likelihood"] = likelihood.make_log_likelihood(binding, draws)
    if job.posterior_predictive:
        groups["posterior_predictive"] = likelihood.make_predictions(binding, draws)
    return groups


def _check_settings(settings: Settings, problems: Problems) -> bool:
    """Check the numbers of the chains, and tell whether all are right."""
    sound = True
    for name, value, least in (
        ("chains", settings.chains, 1), ("warmup", settings.warmup, 0), ("draws", settings.draws, 1),
        ("thin", settings.thin, 1), ("seed", settings.seed or 0, 0),
    ):  # fmt: skip
        if not isinstance(value, int | np.integer) or value < least:
            sound = False
            problems.add(
                "option", f"--{name} is {value}", expected=f"a whole number, {least} or more", usage=True
            )
    for name, every in settings.stream.items():
        if not isinstance(every, int | np.integer) or not 1 <= every <= max(int(settings.draws), 1):
            sound = False
            problems.add(
                "option", f"--stream {name}={every}", usage=True,
                expected="a whole number from 1 to --draws: every so many draws are written",
            )  # fmt: skip
    return sound and not {*settings.stream} & {*settings.keep_draws}


def _check_names(model: Model, settings: Settings, problems: Problems) -> None:
    """Check the names of ``--keep``, ``--keep-draws``, ``--moments`` and ``--stream``."""
    drawn = drawn_nodes(model)
    options = {
        "keep": settings.keep or (), "keep-draws": settings.keep_draws, "moments": settings.moments,
        "stream": tuple(settings.stream),
    }  # fmt: skip
    for option, names in options.items():
        for name in names:
            if name not in drawn:
                known = name in {node.name for node in model.nodes}
                what = "draws no node" if known else "has no node"
                problems.add(
                    "unknown-name", f"--{option} {name}: the model {what} `{name}`",
                    expected=f"one of {listing(drawn)}", remedy=suggest(name, drawn), usage=True,
                )  # fmt: skip
    for option in ("moments", "stream"):
        for name in sorted({*options[option]} & {*settings.keep_draws}):
            problems.add(
                "option", f"--{option} {name} and --keep-draws {name}", remedy="leave one out", usage=True
            )


def _read_start(
    model: Model, binding: Binding | None, start: Mapping[str, Any], problems: Problems
) -> dict[str, np.ndarray]:
    """Return starting values as arrays of the node's shape, or of (chains, shape)."""
    nodes = {node.name: node for node in model.nodes if node.is_drawn}
    found: dict[str, np.ndarray] = {}
    for name, value in start.items():
        if name not in nodes:
            problems.add(
                "unknown-name", f"--start {name}={value}: the model draws no node `{name}`",
                expected=f"one of {listing(nodes)}", remedy=suggest(name, nodes), usage=True,
            )  # fmt: skip
        elif (array := _start_array(name, value, binding, problems)) is not None:
            found[name] = array
    return found


def _start_array(name: str, value: Any, binding: Binding | None, problems: Problems) -> np.ndarray | None:
    """Return a start as an array of the node's shape, or with a chain axis before it."""
    option = f"--start {name}={value}"
    if binding is None:
        return None
    layout, env = binding.layouts[name], binding.environment
    try:
        if isinstance(value, str):
            expression = read_expression(option, value, problems, "a number, [a, b] or [a, b; c, d]")
            if expression is None:
                return None
            array = to_shape(evaluate(expression, env), layout.shape)
        else:
            array = np.asarray(value, dtype=float)
        per_chain = array.ndim > len(layout.extents)
        array = np.broadcast_to(array, (len(array), *layout.extents) if per_chain else layout.extents)
    except (EvaluationError, ValueError) as error:
        expected = describe_shape(binding.layouts[name].extents)
        problems.add("value", f"{option}: {error}", expected=expected, usage=True)
        return None
    bad = outside(binding.model.node(name), array, env)
    if bad is not None and bad.any():
        expected = describe_support(binding.model.node(name).support)
        problems.add("outside-support", f"{option} lies outside the support", expected=expected, usage=True)
    return np.array(array, dtype=float)


def _try_reports(
    binding: Binding, derived: Sequence[Derived], job: Job, retention: Retention, problems: Problems
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Evaluate what is to be reported on one made-up draw, so that no mistake in it comes after the run.

    Returns how many elements each further quantity has, and the responses whose missing values cannot be drawn, since
    only moments are kept of what they depend on.
    """
    evaluator = DrawEvaluator(binding, _made_up_draws(binding, retention.whole))
    made: dict[str, int] = {}
    undrawn = []
    for each in derived:
        try:
            made[each.name] = evaluator.derived(each).plain().size
        except DeriverError as error:
            problems.add_error(error)
    everything = job.log_likelihood + job.posterior_predictive
    for name, count in binding.missing.items():
        if not (count or everything):
            continue
        trouble = _try_response(binding.model, name, evaluator)
        if trouble and not everything and retention.moments:
            undrawn.append(name)
            continue
        if trouble:
            problems.add("predictions", f"draws of `{name}` are wanted: {trouble}", usage=True)
        elements = int(np.prod(binding.layouts[name].extents, dtype=int))
        made[f"draws of {name}"] = elements * (everything + bool(count))
    return made, tuple(undrawn)


def _try_response(model: Model, name: str, evaluator: DrawEvaluator) -> str:
    """Return why the distribution of a response cannot be told from the draws; "" if it can."""
    from deriver.running.distributions import make_distribution
    from deriver.running.likelihood import spread_arguments

    for statement in model.statements_of(name):
        if isinstance(statement, Stochastic):
            try:
                arguments = spread_arguments(evaluator.arguments(statement)[0])
                make_distribution(statement.family, arguments)
            except EvaluationError as error:
                return str(error)
            except UsageError as error:
                return error.mistakes[0].found
    return ""


def _made_up_draws(binding: Binding, keep: Sequence[str]) -> dict[str, np.ndarray]:
    draws = {}
    for node in binding.model.nodes:
        if node.is_drawn and node.name in keep:
            layout = binding.layouts[node.name]
            unit = np.eye(layout.shape[0]) if len(layout.shape) == 2 else np.asarray(0.5)
            draws[node.name] = np.broadcast_to(unit, (1, 1, *layout.extents)).copy()
    return draws


def _save_raw(draws: Draws, name: str) -> Path:
    """Save draws that could not be named, so that they are not lost."""
    path = Path(tempfile.mkdtemp(prefix="deriver-draws-")) / f"{name}.npz"
    np.savez(path, **draws.values)  # type: ignore[arg-type]
    return path
