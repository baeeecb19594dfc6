"""Whether the rows of a run are reduced while they are read, and the reduction itself.

Input: the data of a run, as the options give them.  Output: a ``Reduction``, or None where the rows are kept in memory.
The rule of ``auto`` depends on the data and the machine alone: rows are reduced when a table of the columns in use would
take more than a quarter of the physical memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from deriver.errors import Mistake, UsageError
from deriver.reduction.pieces import (
    BYTES_PER_CELL,
    SHARE,
    Source,
    memory_of_machine,
    open_source,
    table_bytes,
)
from deriver.running.collector import fewer_collections

# The rest is imported when rows are reduced: a run that is not must not wait for it.
if TYPE_CHECKING:
    from deriver.derivation.records import Derivation
    from deriver.model.records import Model
    from deriver.plan.records import Plan
    from deriver.reduction.records import Recipe
    from deriver.reduction.scan import Partial, Task
    from deriver.running.binding import Binding
    from deriver.running.job import Job

Choice = Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """A data set that is reduced to statistics; ``note`` says why."""

    source: Source
    note: str
    dask: str | None = None

    def bind(self, model: Model, recipe: Recipe, job: Job) -> Binding:
        """Return the model with the statistics of the rows."""
        with fewer_collections():  # a lot is imported in here
            from deriver.reduction.assemble import bind_reduced

            return bind_reduced(model, self.source, job, recipe, self._scan)

    def _scan(self, task: Task) -> Partial:
        from deriver.reduction.scan import reduce_on_dask, reduce_pieces

        if self.dask is not None:
            return reduce_on_dask(task, self.source.pieces, self.dask)
        return reduce_pieces(task, self.source.whole_files())


def find_recipe(
    model: Model, derived: Callable[[], tuple[Derivation, Plan]], methods: Mapping[str, str] | None, blocks: str,
    cache: bool,
) -> Recipe:  # fmt: skip
    """Return what a reduced sampler is given, as an earlier run found it or from what ``derived`` returns.

    Raises ``UsageError`` for a sampler that needs the rows.
    """
    from deriver.reduction.records import recipe_from_json, recipe_to_json
    from deriver.running import cache as kept

    key = kept.model_key("recipe", model, methods, blocks)
    if cache and (found := kept.recall(key)) is not None:
        return recipe_from_json(found)
    from deriver.reduction.recipe import make_recipe

    recipe = make_recipe(*derived())
    if cache:
        kept.keep(key, recipe_to_json(recipe))
    return recipe


def choose_reduction(
    data: Any, job: Job, *, choice: Choice = "auto", dask: str | None = None, memory: int | None = None
) -> Reduction | None:
    """Return how the rows are reduced, or None.  ``memory`` is that of the machine, in bytes.

    Raises ``UsageError`` where a reduction is asked for and the data are no Parquet files.
    """
    path = _parquet_path(data)
    if path is None:
        if choice == "on" or dask is not None:
            found = "--reduce on" if choice == "on" else "--dask"
            raise UsageError([
                Mistake(code="reduce", found=f"{found} with data that are no Parquet files",
                        expected="a .parquet file, or a folder of them")
            ])  # fmt: skip
        return None
    if choice == "off" and dask is None:
        return None
    source = open_source(path)
    columns = _columns_in_use(source, job)
    whole, most = table_bytes(source, columns), (memory or memory_of_machine()) / SHARE
    size = f"{source.rows:,} rows of {columns} columns, {_shown(whole)} as a table"
    if choice == "on" or dask is not None:
        where = " on a Dask cluster" if dask is not None else ""
        return Reduction(
            source=source, note=f"the rows were reduced to statistics in one pass{where}: {size}", dask=dask
        )
    if whole <= most or job.log_likelihood or job.posterior_predictive:
        return None
    note = f"the rows were reduced to statistics in one pass: {size} ({BYTES_PER_CELL} bytes a cell), are more than a "
    return Reduction(source=source, note=note + f"quarter of the memory, {_shown(most)}")


def _parquet_path(data: Any) -> Path | None:
    """Return the path of Parquet data; without pyarrow, reading them as a table tells what is missing."""
    if not isinstance(data, str | Path) or find_spec("pyarrow") is None:
        return None
    path = Path(data)
    is_file = path.is_file() and path.suffix.lower() in (".parquet", ".pq")
    return path if is_file or (path.is_dir() and any(path.glob("*.parquet"))) else None


def _columns_in_use(source: Source, job: Job) -> int:
    """Return how many columns the options name; all, where they name none."""
    texts: Mapping[str, str] = {**job.columns, **{f"--index {k}": v for k, v in job.index.items()}}
    words = {word for text in texts.values() for word in _words(text)}
    return sum(name in words for name in source.columns) or len(source.columns)


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "_" else " " for c in text).split() + [text]


def _shown(size: float) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
