"""The one call: from assumptions and effects to who pays, who gains, when, and how sure that is."""

from __future__ import annotations

import pandas as pd

from ..disclosure import Column, Table
from ..estimates import Estimates
from .assembly import model_of
from .reading import Economy
from .results import CostBenefit
from .uncertainty import draw_inputs, monte_carlo


def cost_benefit(
    economy: Economy,
    effects: Estimates,
    *,
    draws: int = 10_000,
    seed: int = 0,
    effect_draws: pd.DataFrame | None = None,
) -> CostBenefit:
    """Return who pays, who gains, when, and how sure that is.

    Parameters
    ----------
    economy : Economy
        What things cost and what effects are worth, from ``economy.yml``.
    effects : Estimates
        What :func:`virkning.estimate` returned: effects per person, each in its outcome's unit.
    draws : int
        Of the Monte Carlo; at least 1,000.
    seed : int
        The run's seed. The draws of the effects are ``effects.draws`` with a generator of this seed.
    effect_draws : DataFrame, shape (draws, outcomes), optional
        The draws of the effects, when they were made already.

    Raises
    ------
    ProgrammeError
        The assumptions do not fit the effects: an unknown outcome, another unit, an effect that is not available.
    UsageError
        There are too few draws.
    """
    model = model_of(economy, effects)
    values = draw_inputs(model, effects, draws, seed, effect_draws)
    central = model.central()
    return CostBenefit(
        economy,
        effects,
        model,
        model.streams(central),
        model.streams(central, discounted=False),
        monte_carlo(model, values),
    )


def scenarios(economy: Economy, effects: Estimates) -> Table:
    """Return the net present values of society and of each public budget under each scenario, and as assumed.

    Parameters
    ----------
    economy : Economy
        With its scenarios.
    effects : Estimates
        What was estimated.

    Raises
    ------
    UsageError, ProgrammeError
        A scenario changes a path that does not exist, or contradicts itself.
    """
    said = economy.specification
    cases = [("As assumed", economy)]
    cases += [(scenario.label, economy.changed(scenario.changes)) for scenario in said.scenarios.values()]
    rows = []
    public = [name for name, party in said.parties.items() if party.kind == "public"]
    for label, case in cases:
        model = model_of(case, effects)
        found = model.streams(model.central())
        order = list(model.parties)
        budgets = {name: float(found.budget[0, order.index(name)].sum()) for name in public}
        rows.append({"scenario": label, "society": float(found.welfare.sum()), **budgets})
    columns = [Column("scenario", "Scenario"), Column("society", "Society (welfare)", "number", said.currency, 0)]
    columns += [Column(name, f"{said.parties[name].label} (budget)", "number", said.currency, 0) for name in public]
    return Table("scenarios", "Other assumptions", tuple(columns), pd.DataFrame(rows))
