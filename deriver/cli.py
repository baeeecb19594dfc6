"""The command line: each command calls the function of the package that has its name.

Exit status: 0 done, 1 a negative verdict, 2 a mistake in the input, 3 a fault of deriver itself.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from deriver import __version__
from deriver.errors import DeriverError, InternalError, Mistake, UsageError
from deriver.running.collector import fewer_collections

WHERE_TO_REPORT = "the project's issue tracker"
MODEL_HELP = "a .model file, a packaged model's name, or file.py:name"

EXAMPLES = {
    "main": """\
examples:
  deriver demo                          what there is to try
  deriver demo rats                     three growth-curve models on real data
  deriver derive wishart                every full conditional, step by step
  deriver derive my.model --node beta   that of one node
  deriver emit my.model -o sampler.py   the sampler's source
  deriver check my.model my.claims      a hand derivation against the derived one
  deriver run wishart --data sleepstudy.csv --map y=reaction --map "x=[1, days]" --index i=subject
  deriver verify wishart                tests of its sampler
""",
    "demo": """\
examples:
  deriver demo                          list the demos
  deriver demo nile --seed 1
""",
    "derive": """\
examples:
  deriver derive all_random
  deriver derive all_random --node rho
  deriver derive my.model --format latex -o my.tex
  deriver derive my.model --why tau                         why tau is not conjugate, and what mends it
  deriver derive my.model --why tau --remedy 1 -o new.model   the changed model
""",
    "emit": """\
examples:
  deriver emit all_random -o sampler.py
  deriver emit all_random -o sampler.py --method rho=slice
  deriver emit all_random -o sampler.py --tests test_sampler.py   and tests that go with it
""",
    "run": """\
examples:
  deriver run wishart --data sleepstudy.csv --map y=reaction --map "x=[1, days]" --index i=subject \\
      --set "S=diag([100, 10])" --set "Sigma0=1e5*eye(p)" --derive "sd_1 = sqrt(Sigma[1,1])"
  deriver run state_space --data nile.csv --map y=flow --index t=year --fix phi=1
  deriver run rats.bug --data rats.json --inits inits.R        a BUGS program, as it is

columns:     --map y=Reaction, --map "x=[1, days - 4.5, treatment[drug]]" (1 where treatment is drug, else 0)
labels:      --index i=subject numbers the individuals by the labels of a column, sorted; those labels name the
             results.  Rows within an individual stand in file order, or --index j=visit sorts them.  Along time
             (--index t=year) a step without a row is a missing response.
larger than memory: Parquet data, a file or a folder, are reduced to sums and fits of the rows while they are read
             (--reduce), where the model allows it; --dask tcp://127.0.0.1:8786 does it on a cluster
missing:     a blank or NA response is drawn with the parameters; a covariate must not be missing
""",
    "translate": """\
examples:
  deriver translate rats.bug --data rats.json -o rats.model      a BUGS program to our language
  deriver translate rats.bug --data rats-data.R --write-data rats_ours.json -o rats.model
  deriver translate wishart --to jags                            a model of ours for JAGS
  deriver translate my.model --to stan -o my.stan

A BUGS program (.bug, .bugs or .jags) is read with its data, since they tell which nodes are observed and how far loops
run.  Data are JSON, list(...) as OpenBUGS writes it, or an R dump.  What has no counterpart is named with its line.
""",
    "verify": """\
examples:
  deriver verify all_random                         about a minute or two
  deriver verify my.model --effort quick --sizes n=4,J=3,p=3
  deriver verify my.model --sampler sampler.py      a sampler that was emitted, then edited
  deriver verify my.model --effort long --resume verify.jsonl --plot ranks.png

Data are simulated from the model statement, at small sizes and with moderate proper priors; --set and --sizes choose
others.  At the default effort, draws off by 0.07 sd of their conditional or with an sd off by 5 % are found with
probability 0.9, and a posterior off by 0.5 sd.  No test sees smaller errors, what happens only at other sizes or under
vague priors, or slow mixing on data of your own; each report ends with its own limits.

Ctrl-C keeps what is done in the file of --resume (with --seed), and the same command goes on from there.
Exit status: 0 passed, 1 failed, 2 a mistake in the input, 130 interrupted.
""",
    "check": """\
examples:
  deriver check all_random_two seed_notes_all_random      the notes' own derivation, with its slips
  deriver check my.model homework.claims --format markdown -o report.md

A claim is what a person writes on paper, in the symbols of the model:
  [sigma2 | .] = IG(q + n/2, 1/(1/r + sum(i: (y[i] - mu)^2)/2))
Exit status: 0 all right, 1 a claim is wrong, 2 a mistake in the claims.
""",
    "graph": """\
examples:
  deriver graph wishart -o wishart.svg
""",
}


class _Parser(argparse.ArgumentParser):
    """A parser whose mistakes look like all others."""

    def error(self, message: str) -> NoReturn:
        raise UsageError([Mistake(code="usage", found=message, remedy=f"see `{self.prog} --help`")])


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = _Parser(
        prog="deriver", epilog=EXAMPLES["main"], formatter_class=argparse.RawDescriptionHelpFormatter,
        description="From a hierarchical model to its full conditionals, and to Python source that samples it.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"deriver {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    _add_demo(commands)
    _add_derive(commands)
    _add_emit(commands)
    _add_run(commands)
    _add_translate(commands)
    _add_verify(commands)
    _add_check(commands)
    _add_graph(commands)
    return parser


def _add(commands: Any, name: str, help_text: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".", epilog=EXAMPLES[name],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip


def _add_demo(commands: Any) -> None:
    command = _add(commands, "demo", "run a packaged model on its packaged real data, end to end")
    command.add_argument("name", nargs="?", metavar="NAME", help="which; without it, the demos are listed")
    command.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the draws (default 1)")
    command.add_argument(
        "--draws", type=int, metavar="N", help="draws kept per chain (default: the demo's own)"
    )
    command.add_argument("--warmup", type=int, metavar="N", help="sweeps before the first draw kept")
    command.add_argument(
        "--overwrite", action="store_true", help="replace the demo's files if they are there"
    )


def _add_derive(commands: Any) -> None:
    command = _add(commands, "derive", "show the full conditional of every node, step by step")
    command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    command.add_argument("--node", metavar="NAME", help="only this node")
    command.add_argument(
        "--why", metavar="NODE", help="why a node is conjugate or not, and changes that would make it so"
    )
    command.add_argument("--remedy", type=int, metavar="N", help="with --why: the whole model of remedy N")
    command.add_argument("--format", choices=("text", "markdown", "latex", "json"), default="text")
    _add_augment(command)
    command.add_argument("-o", "--output", metavar="FILE", type=Path, help="write to a file")
    command.add_argument("--overwrite", action="store_true", help="replace the file if it is there")


def _add_augment(command: argparse.ArgumentParser, default: str = "off") -> None:
    command.add_argument(
        "--augment", choices=("off", "auto", "on"), default=default,
        help="auxiliary variables beside logistic and probit responses, given which coefficients are normal; auto: where "
        "effects are then drawn together",
    )  # fmt: skip


def _add_blocks(command: argparse.ArgumentParser, default: str = "off") -> None:
    command.add_argument(
        "--blocks", choices=("off", "auto", "on"), default=default,
        help="update variances with effects integrated out, and draw effects of several groupings in one draw; auto: "
        "where a trial in the warm-up says it pays",
    )  # fmt: skip


def _add_emission(command: argparse.ArgumentParser, backends: tuple[str, ...]) -> None:
    _add_blocks(command, "auto" if "auto" in backends else "off")
    _add_augment(command, "auto" if "auto" in backends else "off")
    words = "numba: compiled loops; numpy: arrays" + (
        "; auto: by predicted time" if "auto" in backends else ""
    )
    command.add_argument("--backend", choices=backends, default=backends[0], help=words)
    command.add_argument(
        "--method", action="append", default=[], metavar="NODE=METHOD", help="how to draw a node"
    )
    command.add_argument(
        "--templates", metavar="DIR", type=Path, help="a folder of templates to use before ours"
    )


def _add_emit(commands: Any) -> None:
    command = _add(commands, "emit", "write the source of a stand-alone sampler, yours to edit")
    command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    command.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the file to write")
    command.add_argument("--tests", metavar="FILE", type=Path, help="write a test module that goes with it")
    _add_emission(command, ("numpy", "numba"))
    command.add_argument(
        "--size",
        action="append",
        default=[],
        metavar="p=2",
        help="a dimension, which numba's loops write out where it is 6 or less",
    )
    command.add_argument("--overwrite", action="store_true", help="replace the file if it is there")


def _add_run(commands: Any) -> None:
    command = _add(commands, "run", "derive, emit, sample, summarise and save")
    command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    data = command.add_argument_group("data and values")
    data.add_argument(
        "--data",
        metavar="FILE",
        type=Path,
        help="a .csv, .tsv, .parquet, .json or .npz file, or a folder of .parquet files",
    )
    data.add_argument("--inits", metavar="FILE", type=Path, help="of a BUGS program: JSON or R's notation")
    data.add_argument(
        "--map", action="append", default=[], metavar="NAME=COLUMN", help="the column of a symbol"
    )
    data.add_argument(
        "--index", action="append", default=[], metavar="i=COLUMN", help="the labels of a plate"
    )
    data.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="the value of a given")
    data.add_argument(
        "--fix", action="append", default=[], metavar="NODE=VALUE", help="hold a node at a value"
    )
    data.add_argument(
        "--reduce", choices=("auto", "on", "off"), default="auto",
        help="reduce Parquet rows to statistics while reading; auto: where they would fill a quarter of the memory",
    )  # fmt: skip
    data.add_argument("--dask", metavar="ADDRESS", help="reduce on the Dask cluster with this scheduler")
    chains = command.add_argument_group("chains")
    chains.add_argument("--chains", type=int, default=4, metavar="N")
    chains.add_argument(
        "--warmup", type=int, default=1000, metavar="N", help="sweeps before the first draw kept"
    )
    chains.add_argument("--draws", type=int, default=1000, metavar="N", help="draws kept per chain")
    chains.add_argument("--thin", type=int, default=1, metavar="N", help="sweeps per draw kept")
    chains.add_argument(
        "--seed", type=int, metavar="N", help="a whole number; without it one is drawn and told"
    )
    chains.add_argument(
        "--start", action="append", default=[], metavar="NODE=VALUE", help="where all chains begin"
    )
    chains.add_argument(
        "--keep", nargs="+", action="extend", metavar="NODE", help="keep the draws of these only"
    )
    chains.add_argument(
        "--keep-draws", nargs="+", action="extend", default=[], metavar="NODE",
        help="keep every draw of these, however large",
    )  # fmt: skip
    chains.add_argument(
        "--moments", nargs="+", action="extend", default=[], metavar="NODE",
        help="keep means, sds and quantiles of these, not their draws",
    )  # fmt: skip
    chains.add_argument(
        "--stream", nargs="+", action="extend", default=[], metavar="NODE[=K]",
        help="keep moments of these, and write every draw, or every K-th, to the file as it is taken",
    )  # fmt: skip
    chains.add_argument("--progress", action=argparse.BooleanOptionalAction, help="a progress bar")
    _add_emission(command, ("auto", "numpy", "numba"))
    command.add_argument(
        "--no-cache", action="store_true", help="derive and compile anew, and keep nothing for later runs"
    )
    _add_run_output(command.add_argument_group("results"))


def _add_run_output(results: Any) -> None:
    results.add_argument(
        "-o", "--output", metavar="FILE.nc", type=Path, help="default: the model's name with .nc"
    )
    results.add_argument("--overwrite", action="store_true", help="replace the files if they are there")
    results.add_argument("--emit", metavar="FILE.py", type=Path, help="write the sampler's source as well")
    results.add_argument(
        "--derive", action="append", default=[], metavar='"NAME = EXPR"', help="report this as well"
    )
    results.add_argument("--show", nargs="+", action="extend", metavar="NAME", help="what the summary shows")
    results.add_argument("--hdi", action="store_true", help="highest-density intervals for the quantiles")
    results.add_argument("--plot", metavar="FILE.png", type=Path, help="a plot of the chains")
    results.add_argument("--log-likelihood", action="store_true", help="save pointwise log likelihoods")
    results.add_argument(
        "--posterior-predictive", action="store_true", help="save new responses for each draw"
    )


def _add_translate(commands: Any) -> None:
    command = _add(
        commands, "translate", "write a BUGS program in our language, or a model of ours for JAGS or Stan"
    )
    command.add_argument("model", metavar="MODEL", help=f"a .bug, .bugs or .jags file; {MODEL_HELP}")
    command.add_argument("--data", metavar="FILE", type=Path, help="the data of a BUGS program")
    command.add_argument(
        "--to", choices=("model", "jags", "stan"), default="model", help="the language to write"
    )
    command.add_argument("-o", "--output", metavar="FILE", type=Path, help="write to a file")
    command.add_argument(
        "--write-data", metavar="FILE.json", type=Path, help="the data in the shapes of the translated model"
    )
    command.add_argument("--overwrite", action="store_true", help="replace the files if they are there")


def _add_verify(commands: Any) -> None:
    command = _add(commands, "verify", "test a sampler against the model statement it comes from")
    command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    command.add_argument(
        "--sampler", metavar="FILE.py", type=Path, help="a sampler of this model, as emitted or edited"
    )
    command.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="the value of a given"
    )
    command.add_argument("--sizes", metavar="n=4,J=3,...", help="plates and dimensions (default 3 and 2)")
    command.add_argument(
        "--backend", choices=("numpy", "numba"), default="numpy", help="which sampler to emit and test"
    )
    command.add_argument("--effort", choices=("quick", "default", "long"), default="default")
    command.add_argument("--jobs", type=int, metavar="N", help="how many cores to use (default: all)")
    command.add_argument("--dask", metavar="ADDRESS", help="run on the Dask cluster with this scheduler")
    command.add_argument(
        "--resume", metavar="FILE", type=Path, help="keep what is done there, and go on from it"
    )
    command.add_argument("--plot", metavar="FILE.png", type=Path, help="ranks as ECDF differences")
    command.add_argument(
        "--seed", type=int, metavar="N", help="a whole number; without it one is drawn and told"
    )
    command.add_argument("--format", choices=("text", "json"), default="text")
    command.add_argument(
        "--method", action="append", default=[], metavar="NODE=METHOD", help="how to draw a node"
    )
    _add_blocks(command)
    _add_augment(command)
    command.add_argument("--overwrite", action="store_true", help="replace the plot if it is there")


def _add_check(commands: Any) -> None:
    command = _add(commands, "check", "hold a hand derivation against the derived one")
    command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    command.add_argument("claims", metavar="CLAIMS", help="a file of claims, or the name of packaged claims")
    command.add_argument("--format", choices=("text", "markdown", "json"), default="text")
    command.add_argument("-o", "--output", metavar="FILE", type=Path, help="write to a file")
    command.add_argument("--overwrite", action="store_true", help="replace the file if it is there")


def _add_graph(commands: Any) -> None:
    command = _add(commands, "graph", "draw the graph of a model, by layer and plate")
    command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    command.add_argument("-o", "--output", metavar="FILE.svg", type=Path, required=True)
    command.add_argument("--overwrite", action="store_true", help="replace the file if it is there")


# --- commands ---------------------------------------------------------------------------------------------


def _demo(options: argparse.Namespace) -> int:
    if options.name is None:
        from deriver.examples.demos import list_demos

        print(list_demos())
        return 0
    from deriver.demo import run_demo

    run_demo(
        options.name,
        seed=options.seed,
        draws=options.draws,
        warmup=options.warmup,
        overwrite=options.overwrite,
    )
    return 0


def _derive(options: argparse.Namespace) -> int:
    from deriver.pipeline import augment, derive, load_model
    from deriver.running.report import takes_unicode
    from deriver.running.saving import check_output, write_text
    from deriver.show import render

    if options.output:
        check_output(options.output, options.overwrite)
    unicode = options.output is not None or takes_unicode()
    if options.why is not None or options.remedy is not None:
        text = _explain(options, unicode)
    else:
        model = load_model(options.model)
        augmented = augment(model, options.augment)
        derivation, told = (
            (derive(model), ()) if augmented is None else (augmented.derivation, augmented.shown)
        )
        text = render(derivation, format=options.format, node=options.node, unicode=unicode, opening=told)
    if options.output:
        write_text(options.output, text, options.overwrite)
        print(f"written: {options.output}")
    else:
        print(text.rstrip("\n"))
    return 0


def _explain(options: argparse.Namespace, unicode: bool) -> str:
    """Return the explanation that ``--why`` asks for, or the model of one of its remedies."""
    from deriver.pipeline import load_model, why
    from deriver.remedies import remedy_of, render

    if options.why is None:
        raise UsageError([Mistake(code="usage", found="--remedy without --why", remedy="add --why NODE")])
    if options.node is not None:
        found = "--why names its own node"
        raise UsageError([Mistake(code="usage", found=found, remedy="leave --node out")])
    explanation = why(load_model(options.model), options.why)
    if options.remedy is not None:
        return remedy_of(explanation, options.remedy).text
    return render(explanation, options.format, unicode=unicode)


def _emit(options: argparse.Namespace) -> int:
    from deriver.pipeline import augmented_model, emit, emit_tests, load_model
    from deriver.running.saving import check_output, write_text

    check_output(options.output, options.overwrite)
    if options.tests:
        check_output(options.tests, options.overwrite)
    model = augmented_model(load_model(options.model), options.augment)
    methods = read_pairs("--method", options.method)
    sizes = _whole_numbers("--size", options.size)
    source = emit(
        model, backend=options.backend, methods=methods, templates=options.templates, sizes=sizes,
        blocks=options.blocks,
    )  # fmt: skip
    files = {options.output: source}
    if options.tests:
        files[options.tests] = emit_tests(
            model, options.output.stem, source=source, templates=options.templates
        )
    for path, text in files.items():
        write_text(path, text, options.overwrite)
        print(f"written: {path}")
    return 0


def _whole_numbers(option: str, texts: list[str]) -> dict[str, int]:
    pairs = read_pairs(option, texts)
    wrong = [f"{option} {name}={value}" for name, value in pairs.items() if not value.isdigit()]
    if wrong:
        raise UsageError([Mistake(code="usage", found=text, expected="a whole number") for text in wrong])
    return {name: int(value) for name, value in pairs.items()}


def _run(options: argparse.Namespace) -> int:
    from deriver.pipeline import is_program, load_model, run_job
    from deriver.running.report import check_outputs, report_result

    program = is_program(options.model)
    if options.inits and not program:
        remedy = "write --start NODE=VALUE for a model of ours"
        raise UsageError([Mistake(code="usage", found="--inits without a BUGS program", remedy=remedy)])
    model = options.model if program else load_model(options.model)
    name = Path(options.model).stem if program else model.name
    output = options.output or Path(f"{name}.nc")
    check_outputs([output, options.emit], options.overwrite, plot=options.plot)
    result = run_job(
        model, options.data, _make_job(options), backend=options.backend,
        methods=read_pairs("--method", options.method), templates=options.templates, blocks=options.blocks,
        reduce=options.reduce, dask=options.dask,
        cache=not options.no_cache, inits=options.inits, augment=options.augment,
    )  # fmt: skip
    report_result(
        result, output=output, overwrite=options.overwrite, show=options.show, hdi=options.hdi,
        source_path=options.emit, plot_path=options.plot,
    )  # fmt: skip
    return 0


def _names(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for text in texts for name in text.split(","))


def _read_stream(texts: Sequence[str]) -> dict[str, int]:
    """Return the nodes of ``--stream`` and of how many draws one is written."""
    found = {}
    for text in _names(texts):
        name, _, every = text.partition("=")
        if not name or (every and not every.isdecimal()) or text.endswith("="):
            expected = "NODE, or NODE=K for every K-th draw"
            raise UsageError([Mistake(code="option", found=f"--stream {text}", expected=expected)])
        found[name] = int(every or 1)
    return found


def _make_job(options: argparse.Namespace) -> Any:
    from deriver.running.job import Job
    from deriver.running.sampling import Settings

    keep = None if options.keep is None else _names(options.keep)
    settings = Settings(
        chains=options.chains, warmup=options.warmup, draws=options.draws, thin=options.thin, seed=options.seed,
        keep=keep, keep_draws=_names(options.keep_draws), moments=_names(options.moments), progress=options.progress,
        stream=_read_stream(options.stream), folder=options.output.parent if options.output else Path(),
    )  # fmt: skip
    return Job(
        columns=read_pairs("--map", options.map), index=read_pairs("--index", options.index),
        values=read_pairs("--set", options.set), fix=read_pairs("--fix", options.fix),
        start=read_pairs("--start", options.start), derived=tuple(options.derive), settings=settings,
        log_likelihood=options.log_likelihood, posterior_predictive=options.posterior_predictive,
    )  # fmt: skip


def _translate(options: argparse.Namespace) -> int:
    from deriver.pipeline import translate, translated_data
    from deriver.running.saving import check_output, write_text

    for path in (options.output, options.write_data):
        if path:
            check_output(path, options.overwrite)
    text = translate(options.model, options.data, to=options.to)
    files = {options.output: text} if options.output else {}
    if options.write_data:
        files[options.write_data] = translated_data(options.model, options.data)
    for path, content in files.items():
        write_text(path, content, options.overwrite)
        print(f"written: {path}")
    if not options.output:
        print(text.rstrip("\n"))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from deriver.pipeline import augmented_model, load_model
    from deriver.verification.command import VerifyOptions, run_command

    return run_command(
        augmented_model(load_model(options.model), options.augment),
        VerifyOptions(
            sampler=options.sampler, values=read_pairs("--set", options.set), sizes=options.sizes,
            effort=options.effort, jobs=options.jobs, dask=options.dask, resume=options.resume, plot=options.plot,
            seed=options.seed, format=options.format, methods=read_pairs("--method", options.method),
            backend=options.backend, overwrite=options.overwrite, blocks=options.blocks,
        ),
    )  # fmt: skip


def _check(options: argparse.Namespace) -> int:
    from deriver.pipeline import check, load_model
    from deriver.running.saving import check_output, write_text

    if options.output:
        check_output(options.output, options.overwrite)
    report = check(load_model(options.model), Path(options.claims))
    text = report.render(options.format)
    if options.output:
        write_text(options.output, text, options.overwrite)
        print(f"written: {options.output}")
    else:
        print(text.rstrip("\n"))
    return 0 if report.passed else 1


def _graph(options: argparse.Namespace) -> int:
    from deriver.pipeline import graph, load_model
    from deriver.running.saving import check_output

    check_output(options.output, options.overwrite)
    graph(load_model(options.model), options.output)
    print(f"written: {options.output}")
    return 0


def read_pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Return ``name=value`` texts as a dictionary; raise ``UsageError`` for one without ``=`` or given twice."""
    mistakes, found = [], {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            mistakes.append(Mistake(code="pair", found=f"{option} {text}", expected=f"{option} NAME=VALUE"))
        elif name in found:
            mistakes.append(
                Mistake(code="pair", found=f"{option} {name} is given twice", remedy="give it once")
            )
        found[name] = value
    if mistakes:
        raise UsageError(mistakes)
    return found


COMMANDS = {
    "demo": _demo, "derive": _derive, "emit": _emit, "run": _run, "verify": _verify, "check": _check,
    "graph": _graph, "translate": _translate,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    try:
        parser = make_parser()
        options = parser.parse_args(arguments)
        if options.command is None:
            parser.print_help()
            return 2
        with fewer_collections():
            return COMMANDS[options.command](options)
    except DeriverError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted before any draw was kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001  every fault of ours is reported the same way
        _report_fault(error)
        return 3


def _report_fault(error: Exception) -> None:
    """Tell that it is deriver's fault, with what a report needs."""
    if not isinstance(error, InternalError):
        traceback.print_exc(file=sys.stderr)
    print(
        f"deriver: internal error: {error}\n"
        f"  This is a fault of deriver {__version__}, not of your input. Please report it, with the model, the "
        f"command and the text above, at {WHERE_TO_REPORT}.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    sys.exit(main())
