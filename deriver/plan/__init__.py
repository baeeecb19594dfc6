"""Stage plan: Derivation -> Plan; how each node is drawn, in what order, and what is computed when."""

from __future__ import annotations

from deriver.plan.make import make_plan
from deriver.plan.records import Plan, Statistic, Step

__all__ = ["Plan", "Statistic", "Step", "make_plan"]
