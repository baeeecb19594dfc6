"""The README holds: its table of families is the records', and its model is a model."""

from __future__ import annotations

import re
from pathlib import Path

import deriver
from deriver.show.families import family_table

README = Path(__file__).resolve().parent.parent / "README.md"
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
TABLE = re.compile(r"(<!-- families: .*?-->\n)(.*?)(<!-- end of families -->)", re.DOTALL)


def test_the_table_of_families(update_generated: bool) -> None:
    text = README.read_text(encoding="utf-8")
    if update_generated:
        text = TABLE.sub(lambda found: found[1] + family_table() + found[3], text)
        README.write_text(text, encoding="utf-8")
    found = TABLE.search(text)
    assert found is not None
    assert found[2] == family_table(), "python -m pytest --update-generated writes it anew"


def test_the_model_of_the_reference_is_one() -> None:
    text = README.read_text(encoding="utf-8")
    block = next(b for _, b in FENCED.findall(text) if b.startswith("model "))
    methods = {c.node: c.method for c in deriver.derive(deriver.parse_model(block)).conditionals}
    assert methods == {"beta": "gibbs", "mu": "gibbs", "sigma2_beta": "gibbs", "rho": "mh", "sigma2": "gibbs"}


def test_the_packaged_models_are_listed() -> None:
    text = README.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in deriver.packaged_models())


def test_the_function_shown_is_the_one_emitted() -> None:
    text = README.read_text(encoding="utf-8")
    shown = next(b for _, b in FENCED.findall(text) if b.startswith("def draw_"))
    assert shown in deriver.emit(deriver.load_model("wishart"))
