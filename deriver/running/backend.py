"""Which backend a run uses, from the model and its sizes alone.

Stage run, before sampling.  Input: a plan, the arrays, the settings.  Output: a ``Choice``, with its reason in words.
NumPy needs no compiling; Numba compiles for some seconds at the first run of a model, and is then many times faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from deriver.derivation.records import Derivation
from deriver.emission.compiled import side_names
from deriver.emission.module import emit
from deriver.errors import UsageError
from deriver.plan.records import Plan
from deriver.running.augmenting import count_trials
from deriver.running.cache import Choice
from deriver.running.effort import draw_one_by_one, predict_seconds
from deriver.running.sampling import Settings

COMPILE_SECONDS = 12.0  # as measured on one core: 8 to 20, by the model
PIECE_SECONDS = 3e-7  # a Pólya–gamma draw of one trial


def choose_source(
    derivation: Derivation, plan: Plan, arrays: Mapping[str, np.ndarray], settings: Settings, *, backend: str = "auto",
    templates: str | Path | None = None, reduced: bool = False,
) -> Choice:  # fmt: skip
    """Return the source to run: compiled where the predicted NumPy time exceeds the time to compile.

    A ``reduced`` sampler takes statistics of the rows for ``arrays``.  Where nodes could be updated together if that
    pays, but the backend cannot hold it, they are updated one by one.

    Raises ``UsageError`` when ``backend`` is "numba" and the compiled loops cannot hold the model.
    """

    def write(backend: str, sizes: Mapping[str, int] | None = None) -> str:
        def emit_plan(own: Plan) -> str:
            asked = backend == "numba" and not falls_back
            if own.hamiltonian is not None and not (asked and own.hamiltonian.always):
                with suppress(UsageError):  # a slope may be what no statement holds
                    return emit(
                        derivation, own, backend=backend, templates=templates, sizes=sizes, reduced=reduced
                    )
                own = replace(own, hamiltonian=None)
            return emit(derivation, own, backend=backend, templates=templates, sizes=sizes, reduced=reduced)

        if plan.collapse == "auto":
            with suppress(UsageError):
                return emit_plan(plan)
            return emit_plan(replace(plan, block=None, collapse="off"))
        if plan.approximation is not None and not plan.approximation.always:
            with suppress(UsageError):
                return emit_plan(plan)
            return emit_plan(replace(plan, approximation=None))
        return emit_plan(plan)

    plan = plan if reduced else draw_one_by_one(derivation, plan, arrays)
    falls_back = backend == "auto"  # to NumPy, or to what compiled loops hold
    seconds = predict_seconds(derivation, plan, arrays, settings)
    if any(step.conditional.family == "polya_gamma" for step in plan.steps):
        sweeps = settings.warmup + settings.draws * settings.thin
        seconds += sweeps * settings.chains * PIECE_SECONDS * count_trials(derivation.model, arrays)
    if backend == "numpy":
        return Choice(backend="numpy", reason="as asked", source=write("numpy"))
    if backend == "auto" and plan.block is not None and plan.block.structure == "linked":
        names = ", ".join(member.node for member in (*plan.block.effects, *plan.block.shared))
        reason = f"the compiled loops cannot draw {names} together"
        return Choice(backend="numpy", reason=reason, source=write("numpy"))
    if backend == "auto" and needs_approximation(plan):
        reason = f"the compiled loops cannot propose {plan.approximation.names} together"  # type: ignore[union-attr]
        return Choice(backend="numpy", reason=reason, source=write("numpy"))
    if backend == "auto" and seconds < COMPILE_SECONDS:
        reason = f"a run of about {seconds:.1g} s is not worth compiling"
        return Choice(backend="numpy", reason=reason, source=write("numpy"))
    try:
        source = write("numba", dimensions(plan, arrays))
    except UsageError as error:
        if backend == "numba":
            raise
        reason = f"the compiled loops cannot hold {error.mistakes[0].found}"
        return Choice(backend="numpy", reason=reason, source=write("numpy"))
    reason = "as asked" if backend == "numba" else f"NumPy would take about {seconds:.0f} s"
    return Choice(backend="numba", reason=reason, source=source)


def needs_approximation(plan: Plan) -> bool:
    """Tell whether linked nodes should be proposed together, which NumPy alone can: as asked, or as one by one they crawl.

    They do where elements of one depend on each other, as those of a random walk; independent effects mix well enough
    for compiled loops to make up for it.
    """
    move = plan.approximation
    return move is not None and (move.always or any(step.conditional.coupled for step in move.members))


def dimensions(plan: Plan, arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return the sizes of vectors and matrices by name."""
    return {name: int(np.asarray(arrays[name])) for name in side_names(plan) if name in arrays}
