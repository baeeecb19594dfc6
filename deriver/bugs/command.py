"""Running and translating BUGS programs: files in, a run or a text out.

Input: the paths of a program, its data and inits.  Output: a ``Translation``, and results under the program's own names.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deriver.bugs.data import read_arrays
from deriver.bugs.starts import starts_of
from deriver.bugs.translate import Translation, translate
from deriver.errors import Mistake, UsageError

MOST_SHOWN = 8


def read_program(path: str | Path, data: str | Path | Mapping[str, Any] | None) -> Translation:
    """Return the translation of a program with its data.

    Raises ``UsageError`` without a file, ``DataError`` for data that cannot be read, ``ModelError`` for the program.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError([Mistake(code="no-file", found=f"there is no file {file}")])
    arrays = {} if data is None else read_arrays(data)
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    return translate(text, arrays, name=file.stem, origin=file.name)


def write_data(translation: Translation) -> str:
    """Return the data of a translated model as JSON, missing values as null."""
    entries = {name: _plain(array) for name, array in translation.data.items()}
    return json.dumps(entries, indent=1) + "\n"


def _plain(array: np.ndarray) -> Any:
    if array.ndim:
        return [_plain(each) for each in array]
    value = float(array)
    if np.isnan(value):
        return None
    return int(value) if value == int(value) else value


def job_of(translation: Translation, job: Any, inits: str | Path | Mapping[str, Any] | None) -> Any:
    """Return a job in the names of the translated model, begun at the inits, with its definitions reported."""
    ours = {bugs: name for name, bugs in translation.names.items()}
    starts = starts_of(translation, translation.starts)
    starts |= {} if inits is None else starts_of(translation, read_arrays(inits))
    starts |= {ours.get(name, name): value for name, value in job.start.items()}
    settings = job.settings

    def in_ours(given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(ours.get(name, name) for name in given)

    return dataclasses.replace(
        job,
        start=starts,
        fix={ours.get(name, name): value for name, value in job.fix.items()},
        settings=dataclasses.replace(
            settings,
            keep=None if settings.keep is None else in_ours(settings.keep),
            keep_draws=in_ours(settings.keep_draws),
            moments=in_ours(settings.moments),
            stream=dict(zip(in_ours(settings.stream), settings.stream.values(), strict=True)),
        ),
        report=translation.definitions,
    )


def name_back(result: Any, names: Mapping[str, str]) -> Any:
    """Return a result whose quantities have the names of the BUGS program; small ones stand in its summary."""

    def small(group: Any) -> list[str]:
        sizes = {name: math.prod(each.array.shape[2:]) for name, each in group.variables.items()}
        return [name for name, size in sizes.items() if size <= MOST_SHOWN]

    def rename(entries: Mapping[str, Any]) -> dict[str, Any]:
        return {names.get(name, name): each for name, each in entries.items()}

    headline = dict.fromkeys((*result.headline, *small(result.groups["posterior"])))
    groups = {
        key: dataclasses.replace(group, variables=rename(group.variables))
        for key, group in result.groups.items()
    }
    return dataclasses.replace(
        result,
        groups=groups,
        headline=tuple(names.get(name, name) for name in headline),
        acceptance=rename(result.acceptance),
        fields=rename(result.fields),
    )
