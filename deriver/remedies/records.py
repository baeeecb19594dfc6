"""The records of the remedies stage: a model under change, what a rewrite proposes, what was found to work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deriver.derivation.records import Conditional, Derivation
from deriver.language.syntax import Document
from deriver.model.records import Model, Stochastic

Kind = Literal["prior", "reparametrisation", "augmentation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A model and the node that is to be made conjugate; ``document`` holds the model's lines."""

    model: Model
    document: Document
    derivation: Derivation
    conditional: Conditional

    @property
    def node(self) -> str:
        """Return the node's name."""
        return self.conditional.node

    def stochastic(self) -> tuple[tuple[int, Stochastic], ...]:
        """Return every stochastic statement with the place of its line in the document."""
        written = [s for s in self.model.statements if isinstance(s, Stochastic) or not s.implied]
        return tuple((place, s) for place, s in enumerate(written) if isinstance(s, Stochastic))

    def own(self) -> tuple[int, Stochastic] | None:
        """Return the node's statement, where it has one alone."""
        found = [(place, s) for place, s in self.stochastic() if s.name == self.node]
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rewrite: what it does, in a sentence, and what it means for the posterior.

    ``same`` tells that the posterior of what was in the model before is left as it was; ``why`` in which sense it is
    or is not; ``source`` the literature.
    """

    kind: Kind
    title: str
    same: bool
    why: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A changed model, not derived yet; ``node`` is the node that takes the place of the refused one.

    ``auxiliary`` is the name of a node that stands beside a response.
    """

    step: Step
    document: Document
    node: str
    auxiliary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """A changed model in which the node is conjugate: derived anew, and held against the joint density.

    ``text`` is the whole model, ``changes`` its lines beside those of the model before (marked ``-`` and ``+``);
    ``node`` the node whose conditional, in ``derivation``, is of a known family.
    """

    steps: tuple[Step, ...]
    node: str
    text: str
    changes: tuple[str, ...]
    model: Model
    derivation: Derivation

    @property
    def same(self) -> bool:
        """Tell whether the posterior stays as it was."""
        return all(step.same for step in self.steps)

    @property
    def conditional(self) -> Conditional:
        """Return the conditional of the node in the changed model."""
        return self.derivation.node(self.node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a node is conjugate or not, and the remedies that were found to work where it is not."""

    derivation: Derivation
    node: str
    remedies: tuple[Remedy, ...]
    tried: int

    @property
    def conditional(self) -> Conditional:
        """Return the conditional of the node in the model as it stands."""
        return self.derivation.node(self.node)

    @property
    def conjugate(self) -> bool:
        """Tell whether the node is drawn from a known family as it stands."""
        return self.conditional.method in ("gibbs", "prior")

    def render(self, format: str = "text", *, unicode: bool = True) -> str:
        """Return the explanation as ``text``, ``markdown`` or ``json``."""
        from deriver.remedies.render import render

        return render(self, format, unicode=unicode)
