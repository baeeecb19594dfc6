"""Running a demo: what a user would see in a session of their own.

Input: the name of a demo.  Output: model, conditionals, summary and a comparison with a reference posterior on
standard output; draws and sampler in the current folder.
"""

from __future__ import annotations

from pathlib import Path

from deriver.examples.comparison import compare_with_reference
from deriver.examples.demos import DATA, Demo, DemoModel, find_demo
from deriver.language import print_model
from deriver.pipeline import derive, load_model, run_job
from deriver.running.fixing import fix_nodes
from deriver.running.job import Job
from deriver.running.report import check_outputs, report_result, takes_unicode
from deriver.running.sampling import Settings
from deriver.show import render


def run_demo(
    name: str, *, seed: int = 1, draws: int | None = None, warmup: int | None = None, overwrite: bool = False
) -> None:
    """Run every model of a demo: print model, conditionals, summary and comparison; save draws and sampler."""
    demo = find_demo(name)
    stems = {each.model: _stem(demo, each) for each in demo.models}
    paths = [Path(f"{stem}.{suffix}") for stem in stems.values() for suffix in ("nc", "py")]
    check_outputs(paths, overwrite)
    print(f"{demo.name}: {demo.title}")
    for each in demo.models:
        _show_model(each)
        _run_model(demo, each, _make_job(each, seed, draws, warmup), stems[each.model], overwrite)


def _stem(demo: Demo, each: DemoModel) -> str:
    return f"demo_{demo.name}" + (f"_{each.model}" if len(demo.models) > 1 else "")


def _make_job(each: DemoModel, seed: int, draws: int | None, warmup: int | None) -> Job:
    settings = Settings(
        draws=each.draws if draws is None else draws,
        warmup=each.warmup if warmup is None else warmup,
        thin=each.thin,
        seed=seed,
    )
    return Job(
        columns=each.columns, index=each.index, values=each.values, fix=each.fix, derived=each.derived,
        settings=settings,
    )  # fmt: skip


def _show_model(each: DemoModel) -> None:
    model = fix_nodes(load_model(each.model), each.fix)
    print(f"\n{'=' * 78}\n")
    print(print_model(model).rstrip("\n"))
    derivation = derive(model)
    for node in each.nodes:
        print()
        print(render(derivation, "text", node, unicode=takes_unicode()).rstrip("\n"))


def _run_model(demo: Demo, each: DemoModel, job: Job, stem: str, overwrite: bool) -> None:
    print()
    result = run_job(load_model(each.model), DATA / demo.data, job)
    report_result(result, output=Path(f"{stem}.nc"), source_path=Path(f"{stem}.py"), overwrite=overwrite)
    print()
    print(compare_with_reference(result, f"{demo.name}/{each.model}"))
