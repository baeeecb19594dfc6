"""The demos: packaged models, the packaged real data they are run on, and with what options.

A demo is data: no code belongs to any one of them.  ``deriver.demo`` runs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deriver.errors import Mistake, UsageError

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoModel:
    """One model of a demo with the options of its run; ``nodes`` are the conditionals that are shown."""

    model: str
    nodes: tuple[str, ...]
    columns: Mapping[str, str]
    index: Mapping[str, str]
    values: Mapping[str, str] = field(default_factory=dict)
    fix: Mapping[str, str] = field(default_factory=dict)
    derived: tuple[str, ...] = ()
    draws: int = 2000
    warmup: int = 1000
    thin: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A data set, what it is, and the models that are run on it."""

    name: str
    title: str
    data: str
    models: tuple[DemoModel, ...]


_SPREAD = (
    "sigma = sqrt(sigma2)",
    "sd_1 = sqrt(Sigma[1,1])",
    "sd_2 = sqrt(Sigma[2,2])",
    "rho = Sigma[1,2]/sqrt(Sigma[1,1]*Sigma[2,2])",
)

RATS = Demo(
    name="rats",
    title="weights of 30 young rats over five weeks (Gelfand et al. 1990)",
    data="rats.csv",
    models=(
        DemoModel(
            model="independent_effects",
            nodes=("beta0", "sigma2_0"),
            columns={"y": "weight", "x": "day - 22"},
            index={"i": "rat"},
            values={
                "mu00": "0", "mu10": "0", "sigma2_00": "1e4", "sigma2_10": "1e4", "q": "0.001", "q0": "0.001",
                "q1": "0.001", "r": "1000", "r0": "1000", "r1": "1000",
            },
            derived=(
                "alpha0 = mu0 - 22*mu1", "sigma = sqrt(sigma2)", "sd_0 = sqrt(sigma2_0)", "sd_1 = sqrt(sigma2_1)",
            ),
        ),
        DemoModel(
            model="wishart",
            nodes=("beta", "Q"),
            columns={"y": "weight", "x": "[1, day - 22]"},
            index={"i": "rat"},
            values={
                "nu": "3", "S": "diag([100, 0.1])", "mu0": "[0, 0]", "Sigma0": "1e4*eye(2)", "q": "0.001",
                "r": "1000",
            },
            derived=_SPREAD,
        ),
        DemoModel(
            model="all_random",
            nodes=("sigma2_beta", "rho"),
            columns={"y": "weight", "x": "[1, (day - 22)/7]"},
            index={"i": "rat"},
            values={"mu0": "[0, 0]", "Sigma0": "1e4*eye(2)", "q": "2", "r": "1", "q_beta": "2", "r_beta": "1"},
        ),
    ),
)  # fmt: skip

SLEEPSTUDY = Demo(
    name="sleepstudy",
    title="reaction times of 18 people over ten days of little sleep (Belenky et al. 2003)",
    data="sleepstudy.csv",
    models=(
        DemoModel(
            model="wishart",
            nodes=("beta", "mu", "Q"),
            columns={"y": "reaction", "x": "[1, days]"},
            index={"i": "subject"},
            values={
                "nu": "3", "S": "diag([100, 10])", "mu0": "[0, 0]", "Sigma0": "1e5*eye(2)", "q": "0.001",
                "r": "1000",
            },
            derived=_SPREAD,
        ),
    ),
)  # fmt: skip

SEIZURES = Demo(
    name="seizures",
    title="seizures of 59 epileptics in four fortnights (Thall & Vail 1990)",
    data="seizures.csv",
    models=(
        DemoModel(
            model="poisson",
            nodes=("beta", "Q"),
            columns={"y": "count", "x": "[1, visit - 2.5]"},
            index={"i": "patient"},
            values={"nu": "3", "S": "0.1*eye(2)", "mu0": "[0, 0]", "Sigma0": "1e4*eye(2)"},
            derived=_SPREAD[1:],
        ),
    ),
)

NILE = Demo(
    name="nile",
    title="yearly flow of the Nile at Aswan, 1871 to 1970 (Cobb 1978): a local level",
    data="nile.csv",
    models=(
        DemoModel(
            model="state_space",
            nodes=("z", "sigma2_z"),
            columns={"y": "flow"},
            index={"t": "year"},
            fix={"phi": "1"},
            values={
                "m0": "1000", "v0": "1e5", "q_y": "2", "r_y": "1/15000", "q_z": "2", "r_z": "1/1500",
            },
            draws=4000,
            thin=8,
        ),
    ),
)  # fmt: skip

DEMOS = (RATS, SLEEPSTUDY, SEIZURES, NILE)


def list_demos() -> str:
    """Return the demos as lines: name, what the data are, models."""
    lines = ["The demos; each runs a packaged model on its packaged real data, end to end:", ""]
    for demo in DEMOS:
        models = ", ".join(each.model for each in demo.models)
        lines += [f"  deriver demo {demo.name:<12}{demo.title}", f"  {'':<25}models: {models}"]
    return "\n".join(lines)


def find_demo(name: str) -> Demo:
    """Return a demo by name; raise ``UsageError`` if there is none."""
    from deriver.language.mistakes import suggest

    for demo in DEMOS:
        if demo.name == name:
            return demo
    names = [demo.name for demo in DEMOS]
    raise UsageError(
        [
            Mistake(
                code="no-demo", found=f"there is no demo `{name}`", expected=f"one of {', '.join(names)}",
                remedy=suggest(name, names),
            )
        ]
    )  # fmt: skip
