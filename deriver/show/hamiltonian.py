"""Show stage, nodes that follow the slope of their joint density, in words."""

from __future__ import annotations

from deriver.plan.records import Plan
from deriver.show.document import Block, Paragraph

SOURCES = "Duane, Kennedy, Pendleton and Roweth 1987, Phys. Lett. B 195, 216-222; Neal 2011, Handbook of MCMC, chapter 5"


def path_blocks(plan: Plan) -> tuple[Block, ...]:
    """Return what is said of nodes that are moved along a path; nothing where there are none."""
    move = plan.hamiltonian
    if move is None:
        return ()
    walking = ", ".join(step.node for step in move.members if step.method != "gibbs")
    words = (
        f"Moved besides, where it pays (NumPy backend): {move.names}, along a path of Hamiltonian dynamics, as they meet in "
        f"densities and {walking} {'have' if ', ' in walking else 'has'} no full conditional of a family.  "
        "The path follows the slope of the log joint density, which in each element is that of its log full conditional; "
        "every node is on an unbounded scale (the log of one that is positive), the Jacobian of that counted.  Momenta are "
        "drawn, in units fitted to the warm-up, and the path goes by leaps that keep volume and can be taken back; a "
        f"Metropolis-Hastings step accepts its end or stays ({SOURCES})."
    )
    return (Paragraph(words=(words,)),)
