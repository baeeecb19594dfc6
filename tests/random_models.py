"""Random well-formed models: observations on several index structures, effects read in every way there is.

A model is made of observed nodes, each with a predictor that is a sum of effects times covariates.  An effect
is reached by its own indices, through a group column or a nest of two, or at an earlier time; its prior is a
constant normal, a hierarchical one, a regression, a walk in time or a vector.  All text, from a seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

PLATES = {
    "c": "1..C",
    "i": "1..n",
    "l": "1..L",
    "j": "1..J[i]",
    "t": "1..T",
    "d": "0..D",
    "k": "1..K",
}
PARENTS = {"j": ("i",)}
OBSERVED = (("i", "j"), ("i", "l"), ("k",), ("t",), ("i", "t"), ("i",), ("j_rows",), ("d",), ("i", "j", "l"))
COLUMNS = {
    ("k", "i"): "g",
    ("k", "l"): "h",
    ("k", "t"): "u",
    ("i", "c"): "b",
    ("k", "d"): "e",
    ("t", "c"): "f",
}


@dataclass(slots=True)
class Draft:
    """A model while it is made."""

    rng: random.Random
    plates: set[str] = field(default_factory=set)
    givens: dict[str, str] = field(default_factory=dict)
    process: dict[str, list[str]] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    effects: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)

    def use(self, *indices: str) -> None:
        """Declare plates, and those on which they depend."""
        for index in indices:
            self.use(*PARENTS.get(index, ()))
            self.plates.add(index)

    def given(self, name: str, indices: tuple[str, ...] = (), support: str = "") -> str:
        """Declare a given, and return its element."""
        text = element(name, indices)
        self.givens.setdefault(name, f"{text}{support}")
        return text

    def column(self, start: str, end: str) -> str | None:
        """Declare the group column between two plates, and return its name."""
        name = COLUMNS.get((start, end))
        if name is not None:
            self.use(start, end)
            self.givens.setdefault(name, f"{name} : {start} -> {end}")
        return name

    def scalar(self, name: str, positive: bool = False) -> str:
        """State a scalar parameter, and return its name."""
        prior = self.rng.choice(("IG(2, 1)", "IG(3, 0.5)")) if positive else "N(0.5, 4)"
        self.parameters.setdefault(name, prior)
        return name


def element(name: str, indices: tuple[str, ...]) -> str:
    """Return name[i,j], or the name of a scalar."""
    return f"{name}[{','.join(indices)}]" if indices else name


def random_model(seed: int) -> str:
    """Return the text of a model."""
    draft = Draft(rng=random.Random(seed))
    for number in range(1, draft.rng.choice((1, 1, 2)) + 1):
        observe(draft, f"y{number}")
    plates = [f"  {name} = {bounds}" for name, bounds in PLATES.items() if name in draft.plates]
    process = [f"  {line}" for lines in draft.process.values() for line in lines]
    parts = {
        "plates": plates,
        "given": [f"  {line}" for line in draft.givens.values()],
        "data": [f"  {line}" for line in draft.data],
        "process": process,
        "parameters": [f"  {name} ~ {prior}" for name, prior in draft.parameters.items()],
    }
    body = "\n".join(f"{head}\n" + "\n".join(lines) for head, lines in parts.items() if lines)
    return f"model random{seed}\n{body}\n"


def observe(draft: Draft, name: str) -> None:
    """Add an observed node with its predictor."""
    rng = draft.rng
    indices = rng.choice(OBSERVED)
    indices = ("i", "j") if indices == ("j_rows",) else indices
    draft.use(*indices)
    terms = [term(draft, indices) for _ in range(rng.choice((1, 2, 2, 3)))]
    predictor = " + ".join(dict.fromkeys(terms))
    if rng.random() < 0.25:
        draft.process[f"eta_{name}"] = [f"{element(f'eta_{name}', indices)} = {predictor}"]
        predictor = element(f"eta_{name}", indices)
    family = rng.choice(("N", "N", "N", "N", "Pois", "Bernoulli", "Exponential", "LogNormal", "T"))
    if family == "T":
        statement = f"N({predictor}, {variance(draft, indices)} / {mixing(draft, indices)})"
    elif family == "N":
        statement = f"N({predictor}, {variance(draft, indices)})"
    elif family == "LogNormal":
        statement = f"LogNormal(meanlog = {predictor}, varlog = {variance(draft, indices)})"
    elif family == "Bernoulli":
        statement = f"Bernoulli(expit({predictor}))"
    elif family == "Exponential":
        statement = f"Exponential(rate = exp({predictor}))"
    else:
        statement = f"{family}(exp({predictor}))"
    draft.data.append(f"{element(name, indices)} ~ {statement}{restriction(draft, indices)}")


def restriction(draft: Draft, indices: tuple[str, ...]) -> str:
    """Return a range over a declared subset or a part of a plate, now and then."""
    fixed = [index for index in indices if index not in PARENTS]
    if draft.rng.random() > 0.3:
        return ""
    index = draft.rng.choice(fixed)
    draft.givens.setdefault(f"S_{index}", f"S_{index} : subset({index})")
    return f" for {index} in S_{index}"


def mixing(draft: Draft, indices: tuple[str, ...]) -> str:
    """State a latent scale for every observation."""
    name = "lam_" + "".join(indices)
    own = element(name, indices)
    draft.process.setdefault(name, [f"{own} ~ Gamma(shape = 2, rate = 3)"])
    return own


def variance(draft: Draft, indices: tuple[str, ...]) -> str:
    """Return the variance of a normal."""
    rng = draft.rng
    kind = rng.choice(("shared", "shared", "given", "weighted", "by_group", "log"))
    if kind in ("given", "weighted"):
        some = part_of(rng, indices)
        own = draft.given("w_" + "".join(some), some, " > 0")
        return own if kind == "given" else f"{draft.scalar('s', True)} * {own}"
    if kind == "by_group":
        to, indices_of = reach(draft, indices)
        name = "s_" + "".join(to)
        draft.process.setdefault(name, [f"{element(name, to)} ~ IG(2, 1)"])
        return element(name, indices_of)
    if kind == "log":
        to, indices_of = reach(draft, indices)
        name = "lv_" + "".join(to)
        draft.process.setdefault(name, [f"{element(name, to)} ~ N({draft.scalar('m_lv')}, 0.5)"])
        return f"exp({element(name, indices_of)})"
    return draft.scalar(rng.choice(("s", "s2")), True)


def part_of(rng: random.Random, indices: tuple[str, ...]) -> tuple[str, ...]:
    """Return some of the indices, those on which they depend included."""
    some = {index for index in indices if rng.random() < 0.6}
    for index in list(some):
        some |= set(PARENTS.get(index, ()))
    return tuple(index for index in indices if index in some)


def reach(draft: Draft, indices: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the indices of an effect, and the subscripts by which these observations read it."""
    rng = draft.rng
    own, shown = [], []
    for index in part_of(rng, indices):
        targets = [end for start, end in COLUMNS if start == index]
        if targets and index not in {PARENTS[p][0] for p in indices if p in PARENTS} and rng.random() < 0.75:
            end = rng.choice(targets)
            column = draft.column(index, end)
            onward = [last for start, last in COLUMNS if start == end]
            if onward and rng.random() < 0.3:
                second = draft.column(end, onward[0])
                own.append(onward[0])
                shown.append(f"{second}[{column}[{index}]]")
            else:
                own.append(end)
                shown.append(f"{column}[{index}]")
        else:
            own.append(index)
            shown.append(index)
    order = sorted(range(len(own)), key=lambda place: list(PLATES).index(own[place]))
    if len(set(own)) < len(own):
        return (indices, indices)
    return tuple(own[place] for place in order), tuple(shown[place] for place in order)


def term(draft: Draft, indices: tuple[str, ...]) -> str:
    """Return one term of a predictor."""
    rng = draft.rng
    if rng.random() < 0.15:
        return draft.scalar("a0")
    to, subscripts = reach(draft, indices)
    if rng.random() < 0.3:
        return vector_term(draft, indices, to, subscripts)
    name = "e_" + "".join(to) if to else rng.choice(("a0", "a1"))
    if not to:
        draft.scalar(name)
        subscripts = ()
    else:
        state_effect(draft, name, to)
        if (
            rng.random() < 0.2
            and subscripts[-1] in ("t",)
            and name in draft.process
            and starts_early(draft, name)
        ):
            subscripts = (*subscripts[:-1], "t-1")
    shown = element(name, subscripts)
    if rng.random() < 0.5:
        some = part_of(rng, indices)
        shown = f"{draft.given('x_' + ''.join(some), some)} * {shown}"
    return shown


def starts_early(draft: Draft, name: str) -> bool:
    """Tell whether a node has a value before its plate begins."""
    return any("[0]" in line.split("~")[0] or ",0]" in line.split("~")[0] for line in draft.process[name])


def vector_term(
    draft: Draft, indices: tuple[str, ...], to: tuple[str, ...], subscripts: tuple[str, ...]
) -> str:
    """Return x' b with a vector effect."""
    rng = draft.rng
    some = part_of(rng, indices)
    x = draft.given("z_" + "".join(some), some, " : vector(p)")
    name = "b_" + "".join(to)
    if not to:
        draft.given("Omega", (), " : matrix(p, p) = eye(p)")
        draft.parameters.setdefault(name, "N(ones(p), Omega)")
    elif name not in draft.process:
        own = element(name, to)
        kind = rng.choice(("fixed", "spherical", "free", "free"))
        if kind == "fixed":
            draft.process[name] = [f"{own} ~ N(ones(p), 2 * eye(p))"]
        elif kind == "spherical":
            draft.process[name] = [f"{own} ~ N(ones(p), {draft.scalar('v', True)} * eye(p))"]
        else:
            draft.parameters.setdefault("mu_b", "N(ones(p), 3 * eye(p))")
            draft.parameters.setdefault("Q", "Wish(eye(p), p + 2)")
            draft.process[name] = [f"{own} ~ N(mu_b, inv(Q))"]
    return f"{x}' * {element(name, subscripts)}"


def state_effect(draft: Draft, name: str, to: tuple[str, ...]) -> None:
    """State the prior of an effect, unless it has one."""
    if name in draft.process:
        return
    rng = draft.rng
    own = element(name, to)
    kind = rng.choice(("constant", "hierarchical", "hierarchical", "regression", "nested"))
    if to[-1] == "t" and rng.random() < 0.7:
        walk(draft, name, to)
        return
    spread = rng.choice(("1.5", draft.scalar("v", True), draft.scalar("v2", True)))
    if kind == "constant":
        line = f"{own} ~ N(0.2, {spread})"
    elif kind == "hierarchical":
        line = f"{own} ~ N({draft.scalar('mu')}, {spread})"
    elif kind == "regression":
        line = f"{own} ~ N({draft.scalar('mu')} + {draft.scalar('slope')} * {draft.given('q_' + ''.join(to), to)}, {spread})"
    else:
        onward = next(((index, end) for index, end in COLUMNS if (index,) == to), None)
        if onward is None:
            line = f"{own} ~ N(0.2, {spread})"
        else:
            column = draft.column(*onward)
            parent = f"p_{onward[1]}"
            draft.process.setdefault(parent, [f"{parent}[{onward[1]}] ~ N(0, {spread})"])
            line = f"{own} ~ N({parent}[{column}[{onward[0]}]], {spread})"
    draft.process[name] = [line + (" T(-9, 9)" if rng.random() < 0.1 else "")]


def walk(draft: Draft, name: str, to: tuple[str, ...]) -> None:
    """State a walk in time that starts at 0 or at 1."""
    rng = draft.rng
    lead = to[:-1]
    phi = rng.choice(("", "0.9 * ", f"{draft.scalar('phi')} * "))
    spread = draft.scalar("v", True)
    first = rng.choice((0, 0, 1))
    tail = " for t in 1..T" if first == 0 else " for t in 2..T"
    if first == 1:
        draft.givens.setdefault("T", "T : integer >= 3")
    draft.process[name] = [
        f"{element(name, (*lead, str(first)))} ~ N(0, 3)",
        f"{element(name, (*lead, 't'))} ~ N({phi}{element(name, (*lead, 't-1'))}, {spread}){tail}",
    ]
