"""The stages in order: model text -> Model -> Derivation -> Plan -> source -> draws -> Result.

Each step takes the typed record of the step before it.  Heavy imports wait until a stage is used.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from deriver.errors import Mistake, UsageError
from deriver.model.records import Model

if TYPE_CHECKING:
    from deriver.checking import Report
    from deriver.derivation.records import Derivation
    from deriver.plan import Plan
    from deriver.reduction.run import Reduction
    from deriver.remedies import Augmented, Explanation
    from deriver.running.binding import Binding
    from deriver.running.cache import Choice
    from deriver.running.job import Job
    from deriver.running.missing import Observed
    from deriver.running.results import Result
    from deriver.verification.records import Verification
    from deriver.verification.replicates import Effort
    from deriver.verification.responses import UpdateFunction
    from deriver.verification.update_report import UpdateReport

Backend = Literal["auto", "numpy", "numba"]
Blocks = Literal["auto", "on", "off"]
BUGS_SUFFIXES = (".bug", ".bugs", ".jags")
PACKAGED = Path(__file__).parent / "examples" / "models"
BESIDE_CLAIMS = Path(__file__).parent / "examples" / "claims"


def is_program(model: Any) -> bool:
    """Tell whether a model is the path of a file in the BUGS language."""
    return isinstance(model, str | Path) and Path(model).suffix.lower() in BUGS_SUFFIXES


def packaged_models() -> tuple[str, ...]:
    """Return the names of the models that come with the package."""
    return tuple(sorted(path.stem for path in PACKAGED.glob("*.model")))


def _models_of_claims() -> tuple[str, ...]:
    """Return the names of the models that stand beside the packaged claims."""
    return tuple(sorted(path.stem for path in BESIDE_CLAIMS.glob("*.model")))


def load_model(name: str | Path) -> Model:
    """Return a model by the path of a ``.model`` file, a packaged model's name, or ``file.py:name``.

    A Python file is run, since the user names it; a text never is.  Raises ``ModelError`` or ``UsageError``.
    """
    from deriver.language import parse_model

    text = str(name)
    if text in packaged_models() or text in _models_of_claims():
        path = (PACKAGED if text in packaged_models() else BESIDE_CLAIMS) / f"{text}.model"
        return parse_model(path.read_text(encoding="utf-8"), origin=path.name)
    file, colon, attribute = text.rpartition(":")
    if colon and file.endswith(".py"):
        return _load_from_python(Path(file), attribute)
    path = Path(text)
    if is_program(path):
        found = f"{path.name} is in the BUGS language, which is read with its data"
        remedy = f"deriver translate {path.name} --data FILE -o {path.stem}.model, or deriver run"
        raise UsageError([Mistake(code="bugs", found=found, remedy=remedy)])
    if _is_model_text(text):
        found = "the text of a model stands where its name or path is expected"
        raise UsageError([Mistake(code="no-model", found=found, remedy="deriver.parse_model(text) reads it")])
    if path.is_file():
        return parse_model(_read_model_text(path), origin=path.name)
    raise _no_model(text)


def _is_model_text(text: str) -> bool:
    """Tell whether what should be a name or a path is a text of several lines, or too long for any path."""
    return "\n" in text or len(text) > 4000


def translate(program: str | Path, data: Any = None, *, to: str = "model") -> str:
    """Return the text of a program in another language.

    ``program`` is a file in the BUGS language, read with its ``data`` (a path or a dictionary of arrays), or a model
    of ours; ``to`` is ``"model"``, ``"jags"`` or ``"stan"``.  Raises ``ModelError`` with the line of each construct
    that has no counterpart.
    """
    from deriver.bugs import read_program, to_jags, to_stan

    read = read_program(program, data) if is_program(program) else None
    if to == "model" and read is not None:
        return read.text
    model = read.model if read is not None else as_model(program)
    if to == "model":
        from deriver.language import print_model

        return print_model(model)
    return to_jags(model) if to == "jags" else to_stan(model)


def translated_data(program: str | Path, data: Any = None) -> str:
    """Return, as JSON, the data of a BUGS program in the shapes of its translation; ``UsageError`` for other models."""
    from deriver.bugs import read_program, write_data

    if not is_program(program):
        found = "the data of a model of ours are as they are"
        raise UsageError([Mistake(code="usage", found=found, remedy="leave --write-data out")])
    return write_data(read_program(program, data))


def _read_model_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        found = f"{path} cannot be read: {error}"
        raise UsageError([Mistake(code="unreadable", found=found, remedy="save it as UTF-8 text")]) from None


def _load_from_python(path: Path, attribute: str) -> Model:
    if not path.is_file():
        raise UsageError([Mistake(code="no-file", found=f"there is no file {path}")])
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    found = getattr(module, attribute, None)
    made = found.build() if found is not None and hasattr(found, "build") else found
    if isinstance(made, Model):
        return made
    there = [
        key for key, value in vars(module).items() if isinstance(value, Model) or hasattr(value, "build")
    ]
    raise UsageError(
        [
            Mistake(
                code="no-model", found=f"{path} holds no model called `{attribute}`",
                expected=f"one of {', '.join(there)}" if there else "a Model, or a ModelBuilder",
            )
        ]
    )  # fmt: skip


def _no_model(text: str) -> UsageError:
    from deriver.language.mistakes import suggest

    names = packaged_models()
    return UsageError(
        [
            Mistake(
                code="no-model", found=f"there is no model `{text}`",
                expected=f"a .model file, file.py:name, or a packaged model: {', '.join(names)}",
                remedy=suggest(text, names),
            )
        ]
    )  # fmt: skip


# --- the stages -------------------------------------------------------------------------------------------


def as_model(model: Model | str | Path) -> Model:
    """Return a model as it is, one that a builder holds, or the one of that name or path (see ``load_model``)."""
    if isinstance(model, str | Path):
        return load_model(model)
    return model.build() if hasattr(model, "build") else model


def derive(model: Model | str | Path) -> Derivation:
    """Return every full conditional of a model: Model -> Derivation."""
    from deriver.derivation.conditionals import derive as derive_conditionals

    return derive_conditionals(as_model(model))


def augmented_model(model: Model | str | Path, wanted: Blocks) -> Model:
    """Return the model with the auxiliary variables that are wanted, as it stands where it takes none."""
    augmented = augment(model, wanted)
    return as_model(model) if augmented is None else augmented.model


def why(model: Model | str | Path, node: str) -> Explanation:
    """Return why a node is conjugate or not, and the changed models in which it is, each derived anew.

    Raises ``UsageError`` for a node that is observed, given or defined by others.
    """
    from deriver.remedies import explain

    return explain(as_model(model), node)


def augment(model: Model | str | Path, wanted: Blocks = "on") -> Augmented | None:
    """Return a model with auxiliary variables beside its logistic and probit responses, derived anew, or None.

    Pólya–gamma variables and those of Albert and Chib leave normal conditionals in a linear predictor, and the posterior
    of every other node as it was.  "on" adds them wherever they make a node conjugate, "auto" where the effects of a
    response are then drawn together, "off" nowhere.
    """
    from deriver.remedies import augment as add_variables

    return None if wanted == "off" else add_variables(as_model(model), wanted)


def plan(derivation: Derivation, methods: Mapping[str, str] | None = None, blocks: Blocks = "off") -> Plan:
    """Return how each node is drawn and what is computed when: Derivation -> Plan.

    ``blocks`` tells whether variances are updated with Gaussian nodes integrated out: "on" where the model allows it,
    "auto" where besides the data of a run make it pay; with both, they are also integrated out of the weights of a
    discrete node, where they are few.  Such a marginal density passes an identity of its own first; where no random
    state can test it, the nodes are drawn one by one.
    """
    from deriver.derivation.collapsed import collapsed_marginal
    from deriver.derivation.marginal import Marginal, find_marginal
    from deriver.derivation.marginal_check import check_marginal
    from deriver.plan import make_plan

    made = make_plan(derivation, methods=dict(methods or {}), blocks=blocks)
    marginals = [
        collapsed_marginal(derivation, step.conditional, tuple(each.conditional for each in step.collapsed))
        for step in made.steps
        if step.collapsed
    ]
    if made.block is not None:
        marginal = find_marginal(derivation)
        assert isinstance(marginal, Marginal)
        marginals.append(marginal)
    if not all(check_marginal(derivation, each) for each in marginals):
        return make_plan(derivation, methods=dict(methods or {}), blocks="off")
    return made


def emit(
    model: Model | str | Path, *, backend: Literal["numpy", "numba"] = "numpy", methods: Mapping[str, str] | None = None,
    templates: str | Path | None = None, sizes: Mapping[str, int] | None = None, blocks: Blocks = "off",
    augment: Blocks = "off",
) -> str:  # fmt: skip
    """Return the source of a stand-alone sampler; ``methods`` overrides how a node is drawn, ``blocks`` is as in ``plan``.

    ``sizes`` are the dimensions (p = 2) that the numba backend writes out; with ``augment`` the source is that of the
    model with auxiliary variables (see the function ``augment``), whose joint density its functions hold.

    Every derivation passes the density-ratio identity first; one that fails is an ``InternalError``.
    """
    from deriver.derivation.density_ratio import check_derivation
    from deriver.emission import emit as write_source

    derivation = derive(augmented_model(model, augment))
    check_derivation(derivation)
    return write_source(
        derivation, plan(derivation, methods, blocks), backend=backend, templates=templates, sizes=sizes
    )


def emit_tests(
    model: Model | str | Path, module: str, *, source: str | None = None, methods: Mapping[str, str] | None = None,
    templates: str | Path | None = None,
) -> str:  # fmt: skip
    """Return the text of a stand-alone pytest module for a sampler that is imported under the name ``module``.

    ``source`` is the sampler's; without it, one is emitted.
    """
    from deriver.emission import emit as write_source
    from deriver.verification.module_tests import emit_tests as write_tests

    derivation = derive(model)
    if source is None:
        source = write_source(derivation, plan(derivation, methods), templates=templates)
    return write_tests(derivation, source, module, templates)


def run(
    model: Model | str | Path, data: Any = None, *, columns: Mapping[str, str] | None = None,
    index: Mapping[str, str] | None = None, values: Mapping[str, Any] | None = None,
    fix: Mapping[str, str | float] | None = None, start: Mapping[str, Any] | None = None,
    derived: Sequence[str] = (), chains: int = 4, warmup: int = 1000, draws: int = 1000, thin: int = 1,
    seed: int | None = None, keep: Sequence[str] | None = None, keep_draws: Sequence[str] = (),
    moments: Sequence[str] = (), stream: Sequence[str] | Mapping[str, int] = (), progress: bool | None = None,
    backend: Backend = "auto", methods: Mapping[str, str] | None = None, templates: str | Path | None = None,
    log_likelihood: bool = False, posterior_predictive: bool = False, blocks: Blocks = "auto", reduce: Blocks = "auto",
    dask: str | None = None, cache: bool = True, inits: Any = None, augment: Blocks = "auto",
) -> Result:  # fmt: skip
    """Derive, emit and sample: Model and data -> Result.

    ``data`` is a path, a data frame, a dictionary of columns or of arrays shaped like the plates.  ``columns``
    maps symbols to columns or expressions of columns (``{"x": "[1, days]"}``), ``index`` plate indices to label
    columns, ``values`` givens to numbers, arrays or texts; ``fix`` holds nodes at values; ``start`` sets where
    chains begin; ``derived`` are quantities to report, as ``"sd = sqrt(sigma2)"``.  ``keep`` names the nodes to
    keep; a field whose draws would take over 1 GB is kept as moments, unless ``keep_draws`` names it; ``moments`` names
    others, and of those in ``stream`` ({"u": 10}: every tenth) draws are written to a disk besides.  ``reduce`` tells whether the rows of Parquet files are reduced to statistics while they are read ("auto":
    where they would fill a quarter of the memory), ``dask`` the address of a cluster that does it.  An interrupt keeps
    the draws so far.  ``cache`` tells whether the source of an earlier run of the same model may be used again.
    ``augment`` tells whether auxiliary variables are drawn beside logistic and probit responses ("auto": where that
    pays); they are not kept, and what is reported is the posterior and the likelihood of the model as it stands.
    A model may be a file in the BUGS language, with data and ``inits`` as JSON or in R's notation (or dictionaries of
    arrays).  Raises ``DataError`` or ``UsageError`` with all that is wrong before anything is sampled.
    """
    from deriver.running.job import Job
    from deriver.running.sampling import Settings

    settings = Settings(
        chains=chains, warmup=warmup, draws=draws, thin=thin, seed=seed, keep=None if keep is None else tuple(keep),
        keep_draws=tuple(keep_draws), moments=tuple(moments), progress=progress,
        stream=dict(stream) if isinstance(stream, Mapping) else dict.fromkeys(stream, 1),
    )  # fmt: skip
    job = Job(
        columns=dict(columns or {}), index=dict(index or {}), values=dict(values or {}), fix=dict(fix or {}),
        start=dict(start or {}), derived=tuple(derived), settings=settings, log_likelihood=log_likelihood,
        posterior_predictive=posterior_predictive,
    )  # fmt: skip
    from deriver.errors import DeriverError
    from deriver.running.wording import in_python

    try:
        return run_job(
            model, data, job, backend=backend, methods=methods, templates=templates, blocks=blocks, reduce=reduce,
            dask=dask, cache=cache, inits=inits, augment=augment,
        )  # fmt: skip
    except DeriverError as error:
        raise in_python(error) from None


def run_job(
    model: Model | str | Path, data: Any, job: Job, *, backend: Backend = "auto", methods: Mapping[str, str] | None = None,
    templates: str | Path | None = None, blocks: Blocks = "auto", reduce: Blocks = "auto", dask: str | None = None,
    cache: bool = True, inits: Any = None, augment: Blocks = "auto",
) -> Result:  # fmt: skip
    """Run a job: fix nodes, bind data, derive, emit, sample, and name the draws.

    A source that an earlier run derived and checked from the same model and options is used again, unless ``cache`` is
    false.  A file in the BUGS language is translated first, and its results have its own names.
    """
    if is_program(model):
        return _run_program(
            model,
            data,
            job,
            inits,
            backend=backend,
            methods=methods,
            templates=templates,
            blocks=blocks,
            cache=cache,
            augment=augment,
        )
    from deriver.reduction.run import choose_reduction
    from deriver.running import cache as kept
    from deriver.running.job import prepare_job, sample_job

    reduction = choose_reduction(data, job, choice=reduce, dask=dask)
    if reduction is not None:
        return _run_reduced(as_model(model), reduction, job, backend, methods, templates, blocks, cache)
    prepared = prepare_job(as_model(model), data, job)
    observed = prepared.observed
    responses = _may_be_augmented(observed, augment, blocks)
    key = kept.choice_key(
        observed.model, observed.arrays, job.settings, backend=backend, methods=methods, blocks=blocks,
        templates=templates, augment=(augment, *responses) if responses else ("off",),
    )  # fmt: skip
    choice = kept.recall_choice(key) if cache else None
    note = ", with the source that an earlier run derived and checked" if choice is not None else ""
    if choice is None:
        choice = _choose_augmented(observed, job, backend, methods, templates, blocks, augment, responses)
        choice = choice or _derive_source(observed, job, backend, methods, templates, blocks)
        if cache:
            kept.keep_choice(key, choice)
    told = [*choice.added.splitlines(), f"sampled by {choice.backend}: {choice.reason}{note}"]
    return sample_job(prepared, choice.source, notes=told, cached=cache, auxiliary=bool(choice.added))


def _may_be_augmented(observed: Observed, wanted: Blocks, blocks: Blocks) -> tuple[str, ...]:
    """Return the responses that may have auxiliary variables: "auto" has them for joint draws, where they are cheap."""
    from deriver.running.augmenting import affordable, binary_responses

    if wanted == "off" or (wanted == "auto" and blocks == "off"):
        return ()
    if wanted == "on":
        return binary_responses(observed.model)
    return affordable(observed.model, observed.arrays)


def _choose_augmented(
    observed: Observed, job: Job, backend: Backend, methods: Mapping[str, str] | None,
    templates: str | Path | None, blocks: Blocks, wanted: Blocks, responses: Sequence[str],
) -> Choice | None:  # fmt: skip
    """Return the source of the model with auxiliary variables; None where it takes none, or the backend cannot hold it."""
    from dataclasses import replace

    from deriver.remedies import augment as add_variables
    from deriver.running.backend import choose_source

    if not responses or wanted == "off":
        return None
    augmented = add_variables(observed.model, wanted, responses, chosen=tuple(methods or {}))
    if augmented is None:
        return None
    try:
        choice = choose_source(
            augmented.derivation, plan(augmented.derivation, methods, "on" if blocks == "auto" else blocks),
            observed.arrays, job.settings, backend=backend, templates=templates,
        )  # fmt: skip
    except UsageError:
        if wanted == "on":
            raise
        return None
    return replace(
        choice, added="\n".join([*augmented.words, "--augment off samples the model as it stands"])
    )


def _run_program(model: Any, data: Any, job: Job, inits: Any, **options: Any) -> Result:
    """Run a file in the BUGS language."""
    from deriver.bugs import job_of, name_back, read_program
    from deriver.running.tables import Arrays

    read = read_program(model, data)
    arrays = Arrays(origin="data", entries=read.data, shaped=True)
    return name_back(run_job(read.model, arrays, job_of(read, job, inits), **options), read.names)


def _derive_source(
    observed: Observed, job: Job, backend: Backend, methods: Mapping[str, str] | None,
    templates: str | Path | None, blocks: Blocks,
) -> Choice:  # fmt: skip
    """Return the source that a job runs, derived and checked now."""
    from deriver.derivation.density_ratio import check_derivation
    from deriver.running.backend import choose_source

    derivation = derive(observed.model)
    check_derivation(derivation, data=observed.arrays)
    return choose_source(
        derivation, plan(derivation, methods, blocks), observed.arrays, job.settings, backend=backend,
        templates=templates,
    )  # fmt: skip


def _run_reduced(
    model: Model, reduction: Reduction, job: Any, backend: Backend, methods: Mapping[str, str] | None,
    templates: str | Path | None, blocks: Blocks, cache: bool,
) -> Result:  # fmt: skip
    """Run a job whose rows are reduced to statistics: the plan comes first, as it says which."""
    from deriver.reduction.run import find_recipe
    from deriver.running import cache as kept
    from deriver.running.fixing import fix_nodes
    from deriver.running.job import prepare_job, sample_job

    blocks = "on" if blocks == "on" else "off"  # the compiled loops have no block on statistics yet

    @functools.cache
    def derived() -> tuple[Derivation, Plan]:
        from deriver.derivation.density_ratio import check_derivation

        derivation = derive(fix_nodes(model, job.fix))
        check_derivation(derivation)
        return derivation, plan(derivation, methods, blocks)

    def bind(fixed: Model) -> Binding:
        return reduction.bind(fixed, find_recipe(fixed, derived, methods, blocks, cache), job)

    prepared = prepare_job(model, None, job, bind=bind)
    arrays = prepared.observed.arrays
    key = kept.choice_key(
        prepared.observed.model, arrays, job.settings, backend=backend, methods=methods, blocks=blocks,
        templates=templates, reduced=True,
    )  # fmt: skip
    choice = kept.recall_choice(key) if cache else None
    told = ", with the source that an earlier run derived and checked" if choice is not None else ""
    if choice is None:
        from deriver.running.backend import choose_source

        choice = choose_source(
            *derived(), arrays, job.settings, backend=backend, templates=templates, reduced=True
        )
        if cache:
            kept.keep_choice(key, choice)
    note = f"{reduction.note}; sampled by {choice.backend}: {choice.reason}{told}"
    return sample_job(prepared, choice.source, notes=[note], cached=cache)


def graph(model: Model | str | Path, path: str | Path) -> None:
    """Write the graph of a model, by layer and plate, as SVG (or the format that the name ends in)."""
    from deriver.show.graph import write_graph

    write_graph(as_model(model), path)


def verify(
    model: Model, *, source: str | None = None, methods: Mapping[str, str] | None = None,
    templates: str | Path | None = None, values: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None, effort: str | Effort = "default", jobs: int | None = None,
    dask: str | None = None, resume: str | Path | None = None, seed: int | None = None,
    progress: Callable[[int, int], None] | None = None, blocks: Blocks = "off",
    backend: Literal["numpy", "numba"] = "numpy", augment: Blocks = "off",
) -> Verification:  # fmt: skip
    """Hold a sampler against the model statement: density ratio, Geweke's test, simulation-based calibration.

    ``source`` is a sampler that was emitted and perhaps edited; without it, one is emitted.  ``values`` sets givens,
    ``sizes`` plates and dimensions; the others are chosen small and moderate.  ``effort`` is ``"quick"``,
    ``"default"`` or ``"long"``; ``resume`` a file from which an interrupted verification goes on.  ``blocks`` is as in
    ``plan``; with "on" or "auto" it is the sweep with nodes integrated out that is tested.  Of the compiled backend
    each function is called for one chain after another.  With ``augment`` it is the model with auxiliary variables
    whose sampler is tested (see the function ``augment``).
    """
    from deriver.verification.sources import emit_for_verification
    from deriver.verification.verify import verify as verify_source

    derivation = derive(augmented_model(model, augment))
    if source is None:
        own = plan(derivation, methods, blocks)
        source = emit_for_verification(derivation, own, backend, sizes or {}, templates)
    return verify_source(
        derivation, source, values=values, sizes=sizes, effort=effort, jobs=jobs, dask=dask,
        resume=None if resume is None else Path(resume), seed=seed, progress=progress,
    )  # fmt: skip


def check_update(
    model: Model, node: str, function: UpdateFunction, *, exact: bool = True,
    values: Mapping[str, Any] | None = None, sizes: Mapping[str, int] | None = None, states: int = 20,
    draws: int = 200, seed: int | None = None,
) -> UpdateReport:  # fmt: skip
    """Hold a person's own update function, ``function(rng, state, data) -> value``, against the derived conditional.

    ``state`` holds the nodes as arrays without a chain axis, ``data`` the givens and data.  ``exact=False`` is for a
    Metropolis step.  The report tells what is off: location, spread, dependence, what it should have read.
    """
    from deriver.verification.check_update import check_update as check

    return check(
        derive(model),
        node,
        function,
        exact=exact,
        values=values,
        sizes=sizes,
        states=states,
        draws=draws,
        seed=seed,
    )


# --- hand derivations ---------------------------------------------------------------------------------------


def packaged_claims() -> tuple[str, ...]:
    """Return the names of the claims that come with the package."""
    return tuple(sorted(path.stem for path in BESIDE_CLAIMS.glob("*.claims")))


def load_claims(name: str | Path) -> tuple[str, str]:
    """Return (text, origin) of claims: a file, or packaged claims by name.  Raises ``UsageError``."""
    text = str(name)
    path = BESIDE_CLAIMS / f"{text}.claims" if text in packaged_claims() else Path(text)
    if not path.is_file():
        from deriver.language.mistakes import suggest

        found = f"there are no claims `{text}`"
        expected = f"a file, or packaged claims: {', '.join(packaged_claims())}"
        remedy = suggest(text, packaged_claims())
        raise UsageError([Mistake(code="no-claims", found=found, expected=expected, remedy=remedy)])
    return _read_model_text(path), path.name


def check(model: Model, claims: str | Path) -> Report:
    """Return the verdicts on hand derivations: Model and claims -> Report.

    ``claims`` is the text of the claims, a path, or the name of packaged claims.  Raises ``ModelError`` with every
    mistake of the text.
    """
    from deriver.checking import check_text

    is_text = isinstance(claims, str) and ("[" in claims or "\n" in claims)
    text, origin = (str(claims), "claims") if is_text else load_claims(claims)
    return check_text(model, text, origin)


def assert_conditional(model: Model, node: str, claim: str) -> None:
    """Assert that a claim about the full conditional of a node is right: for tests and for marking homework.

    ``claim`` is a right side such as ``"N(inv(A)*b, inv(A)) where A = ..., b = ..."``, or a whole claim.
    Raises ``AssertionError`` with the report, and ``ModelError`` for a mistake in the claim.
    """
    from deriver.checking import check_text, claim_text

    report = check_text(model, claim_text(model, node, claim), "claim")
    if not report.passed:
        raise AssertionError("\n" + report.render())
