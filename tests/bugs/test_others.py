"""Programs in the styles that people use: each reads, translates and derives, or is refused by a named line."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

import deriver
from deriver.bugs import Translation, read_arrays, translate
from deriver.errors import ModelError, UsageError
from tests.bugs.programs import data_of, program_of

TEXT = (Path(__file__).resolve().parent / "others.txt").read_text(encoding="utf-8")
OTHERS = {
    name: (program, data)
    for name, program, data in re.findall(
        r"^### (\w+)\n(.*?)^---\n(.*?)(?=^### |\Z)", TEXT, flags=re.MULTILINE | re.DOTALL
    )
}
# What the model language has no words for, with a part of the message.
REFUSED = {
    "network_meta": "line 12: not every element of `w` that stands here is stated",
}


def read(name: str, folder: Path) -> Translation:
    program, data = OTHERS[name]
    file = folder / ("data.json" if data.startswith("{") else "data.R")
    file.write_text(data, encoding="utf-8")
    return translate(program, read_arrays(file), origin=f"{name}.bug")


@pytest.mark.parametrize("name", sorted(OTHERS.keys() - REFUSED.keys()))
def test_reads_translates_and_derives(name: str, tmp_path: Path) -> None:
    model = read(name, tmp_path).model
    drawn = {node.name for node in model.nodes if node.kind == "stochastic" and node.layer != "data"}
    assert {each.node for each in deriver.derive(model).conditionals} >= drawn


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_has_no_words_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        deriver.derive(read(name, tmp_path).model)
    assert REFUSED[name] in str(caught.value)


def test_a_long_local_of_the_sampler_is_written() -> None:
    """The mean of the jaw model, a local of its sampler that does not fit into a line, is assigned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = deriver.run(
            program_of("jaw"),
            data_of("jaw"),
            chains=1,
            warmup=2,
            draws=2,
            seed=1,
            backend="numpy",
            progress=False,
        )
    assert result.idata.posterior["beta0"].shape == (1, 2)


def test_a_text_in_place_of_a_name_is_refused() -> None:
    with pytest.raises(UsageError, match="the text of a model stands where its name or path is expected"):
        deriver.emit("model m\n" + "x ~ Normal(0, 1)\n" * 300)
