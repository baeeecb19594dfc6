"""The command ``deriver verify``: options in, a report and an exit status out.

Stage verification.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from deriver.derivation.conditionals import derive
from deriver.errors import Mistake, UsageError
from deriver.model.records import Model
from deriver.plan import make_plan
from deriver.running.saving import check_plot
from deriver.verification.setting import read_sizes
from deriver.verification.sources import emit_for_verification
from deriver.verification.verify import verify


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """The options of the command line, as given."""

    sampler: Path | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    sizes: str | None = None
    effort: str = "default"
    jobs: int | None = None
    dask: str | None = None
    resume: Path | None = None
    plot: Path | None = None
    seed: int | None = None
    format: str = "text"
    methods: Mapping[str, str] = field(default_factory=dict)
    backend: str = "numpy"
    overwrite: bool = False
    blocks: str = "off"


def run_command(model: Model, options: VerifyOptions) -> int:
    """Verify, print the report, and return 0 if it passed, 1 if it failed, 130 if it was interrupted."""
    _check_options(options)
    sizes = {} if options.sizes is None else read_sizes(options.sizes)
    derivation = derive(model)
    source = _read_sampler(options, derivation, sizes)
    try:
        with _Bar(options.format == "text") as bar:
            report = verify(
                derivation, source, values=options.values, sizes=sizes, effort=options.effort, jobs=options.jobs,
                dask=options.dask, resume=options.resume, seed=options.seed, progress=bar.update,
            )  # fmt: skip
    except KeyboardInterrupt:
        _tell_interrupted(options.resume)
        return 130
    print(report.to_json() if options.format == "json" else report.to_text())
    if options.plot is not None and report.ranks:
        from deriver.verification.plots import plot_ranks

        plot_ranks(report, options.plot)
        print(f"written: {options.plot}", file=sys.stderr)
    return 0 if report.passed else 1


def _tell_interrupted(resume: Path | None) -> None:
    where = "nothing was kept; --resume FILE keeps what is done"
    if resume is not None:
        where = f"what is done is in {resume}; the same command goes on from there"
    print(f"interrupted: {where}", file=sys.stderr)


def _check_options(options: VerifyOptions) -> None:
    """Raise ``UsageError`` with all that is wrong before anything is computed."""
    mistakes = []
    if options.jobs is not None and options.jobs < 1:
        mistakes.append(
            Mistake(code="option", found=f"--jobs {options.jobs}", expected="a whole number, 1 or more")
        )
    if options.seed is not None and options.seed < 0:
        mistakes.append(
            Mistake(code="option", found=f"--seed {options.seed}", expected="a whole number, 0 or more")
        )
    if options.resume is not None and options.seed is None:
        found = "--resume needs --seed, so that the same command goes on with the same replicates"
        mistakes.append(Mistake(code="option", found=found, remedy="add --seed 1"))
    if options.sampler is not None and options.methods:
        found = "--method chooses how to emit a sampler, and --sampler names one that is there"
        mistakes.append(Mistake(code="option", found=found, remedy="give one of the two"))
    if options.sampler is not None and options.blocks != "off":
        found = "--blocks chooses how to emit a sampler, and --sampler names one that is there"
        mistakes.append(Mistake(code="option", found=found, remedy="give one of the two"))
    mistakes += _check_plot(options)
    if mistakes:
        raise UsageError(mistakes)


def _check_plot(options: VerifyOptions) -> list[Mistake]:
    if options.plot is None:
        return []
    try:
        check_plot(options.plot, options.overwrite)
    except UsageError as error:
        return list(error.mistakes)
    return []


def _read_sampler(options: VerifyOptions, derivation: Any, sizes: Mapping[str, int]) -> str:
    if options.sampler is None:
        plan = make_plan(derivation, dict(options.methods), options.blocks)
        return emit_for_verification(derivation, plan, options.backend, sizes)
    try:
        return options.sampler.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        found = f"--sampler {options.sampler} cannot be read: {error}"
        raise UsageError([Mistake(code="unreadable", found=found)]) from None


class _Bar:
    """A progress bar on the terminal, if there is one."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted and sys.stderr.isatty()
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` replicates are finished."""
        if self._wanted and self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=" replicates", leave=False)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
