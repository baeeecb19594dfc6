"""What the checker knows of a model: its names and shapes as the language sees them, and its derivation.

Made once for each model and kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from deriver.derivation.conditionals import derive
from deriver.derivation.lower import Lowering
from deriver.derivation.records import Derivation
from deriver.errors import DeriverError
from deriver.language import parse_model, print_model
from deriver.language.document import read_document
from deriver.language.inference import Inference, infer_shapes
from deriver.language.mistakes import Mistakes
from deriver.language.resolve import declare_names
from deriver.language.scope import Scope
from deriver.language.tokens import split_lines
from deriver.model.records import Model


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """A model with its scope, shapes and derivation; ``cache`` keeps what is worked out for its nodes."""

    model: Model
    scope: Scope
    inference: Inference
    derivation: Derivation
    lowering: Lowering
    cache: dict[Any, Any] = field(default_factory=dict)


@lru_cache(maxsize=64)
def make_bench(model: Model) -> Bench:
    """Return what the checker needs of a model."""
    text = _text_of(model)
    document = read_document(text, Mistakes(split_lines(text)))
    scope = Scope(document=document, mistakes=Mistakes(split_lines(text)))
    declare_names(scope)
    return Bench(
        model=model,
        scope=scope,
        inference=infer_shapes(scope),
        derivation=derive(model),
        lowering=Lowering(model),
    )


def _text_of(model: Model) -> str:
    """Return the text that the model came from, which names its dimensions, or its canonical text."""
    try:
        if model.source and parse_model(model.source) == model:
            return model.source
    except DeriverError:
        pass
    return print_model(model)
