"""Cost–benefit: streams, perspectives, key figures and tables, each on a case that can be reckoned by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import virkning as vk
from virkning.disclosure import DisclosureRule
from virkning.economy import EconomySpecification, MarginalValue, library_table, price_library, scenarios
from virkning.economy.assembly import model_of
from virkning.economy.figures import NEVER, break_even, internal_rate_of_return, money, of_hundred, ratio
from virkning.economy.inputs import Input
from virkning.economy.persistence import Constant, Exponential, Linear, Measured, profile
from virkning.economy.specification import Price
from virkning.economy.uncertainty import draw_inputs
from virkning.starter import schema_text

PARTIES = {
    "municipality": {"label": "the municipality", "kind": "public"},
    "state": {"label": "the state", "kind": "public"},
    "participants": {"label": "the participants", "kind": "participant"},
    "others": {"label": "others", "kind": "other"},
}


def price(value, per="months", **given):
    fixed = {"label": "a month", "every": "year", "currency": "DKK", "price_year": 2024, "source": "x", "grade": "D"}
    return {**fixed, "value": value, "per": per, **given}


def cost(amount, **given):
    fixed = {
        "label": "all",
        "kind": "running",
        "per": "programme",
        "currency": "DKK",
        "price_year": 2024,
        "source": "x",
    }
    return {**fixed, "amount": amount, "payer": "municipality", **given}


def line(**given):
    fixed = {"label": "work", "outcome": "work", "subject": "work", "price": "month", "duration_years": 2}
    return {**fixed, "gains": "participants", **given}


def economy(lines=None, **given):
    """Return an economy without discounting in which a month is worth 100, so that amounts are seen at once."""
    said = {
        "currency": "DKK",
        "price_year": 2024,
        "start_year": 2024,
        "horizon_years": 6,
        "people": {"intake": {0: 10}},
        "parties": PARTIES,
        "discounting": {"type": "constant", "rate": 0.0},
        "prices": {"month": price(100)},
        "consequences": lines if lines is not None else {"work": line()},
        **given,
    }
    return vk.Economy.of(EconomySpecification.model_validate(said))


@pytest.fixture
def effects(made_up_effects):
    return made_up_effects({"work": (2.0, 0.5, "months")})


def budget(case, effects):
    """Return the budget stream of each party in the central case."""
    model = model_of(case, effects)
    found = model.streams(model.central())
    return dict(zip(model.parties, found.budget[0].tolist(), strict=True))


def test_effect_becomes_a_stream(effects):
    # Ten people, two months each, 100 a month, in each of two years.
    found = budget(economy(), effects)
    assert found["participants"] == [2_000, 2_000, 0, 0, 0, 0, 0]
    assert found["municipality"] == found["state"] == found["others"] == [0] * 7


def test_people_who_start_later_shift_their_stream(effects):
    case = economy({"work": line(start_year=1)}, people={"intake": {0: 10, 2: 5}})
    assert budget(case, effects)["participants"] == [0, 2_000, 2_000, 1_000, 1_000, 0, 0]


def test_costs_per_participant_follow_the_people(effects):
    costs = {"each": cost(7, per="participant", year=1, years=2), "once": cost(50, year=3)}
    found = budget(economy({}, costs=costs, people={"intake": {0: 10, 2: 5}}), effects)
    assert found["municipality"] == [0, -70, -70, -35 - 50, -35, 0, 0]


@pytest.mark.parametrize(
    ("every", "times"), [("year", 1), ("half_year", 2), ("quarter", 4), ("month", 12), ("week", 52)]
)
def test_how_long_one_unit_lasts(every, times, effects):
    found = budget(economy(prices={"month": price(1, every=every)}), effects)
    assert found["participants"][0] == 20 * times


def test_transfer_cancels(effects):
    found = vk.cost_benefit(economy({"benefit": line(loses="municipality")}), effects, draws=1_000)
    assert found.net_present_value("participants") == 4_000
    assert found.net_present_value("municipality") == -4_000
    assert found.net_present_value() == 0


def test_reimbursement_by_year_of_the_loser(effects):
    back = {"party": "state", "share": [0.8, 0.3], "of": "municipality"}
    found = budget(economy({"benefit": line(loses="municipality", reimbursements=[back])}), effects)
    assert found["participants"][:2] == [2_000, 2_000]
    assert found["municipality"][:2] == pytest.approx([-400, -1_400])
    assert found["state"][:2] == pytest.approx([-1_600, -600])


def test_taxes_of_the_gainer(effects):
    taxes = [{"party": "state", "share": 0.1}, {"party": "municipality", "share": 0.25}]
    found = budget(economy({"work": line(taxes=taxes)}), effects)
    assert [found[name][0] for name in PARTIES] == pytest.approx([500, 200, 1_300, 0])


def test_displaced_jobs(effects):
    """With one job in five taken from others, everything but the participants' own gain is a fifth less."""
    displaced = {"share": 0.2, "party": "others", "source": "x"}
    taxes = [{"party": "state", "share": 0.3}]
    found = budget(economy({"work": line(taxes=taxes, displacement=displaced)}), effects)
    assert [found[name][0] for name in PARTIES] == pytest.approx([0, 480, 1_400, -280])
    assert sum(found[name][0] for name in PARTIES) == pytest.approx(0.8 * 2_000)


def test_deadweight_without_a_comparison_group(made_up_effects):
    effects = made_up_effects({"work": (2.0, 0.5, "months")}, level=1)
    found = budget(economy({"work": line(deadweight_share=0.5, attribution_share=0.2)}), effects)
    assert found["participants"][0] == pytest.approx(2_000 * 0.5 * 0.8)


def test_linked_outcome_and_probability(effects):
    link = {"outcome": "calm", "unit": "points", "change": 0.1, "source": "x"}
    case = economy({"calm": line(link=link, probability=0.5)}, prices={"month": price(100, "points")})
    assert budget(case, effects)["participants"][0] == pytest.approx(2_000 * 0.1 * 0.5)


def test_accounts_and_welfare_are_kept_apart(effects):
    costs = {"time": cost(300, kind="volunteer", payer="others"), "team": cost(500, at_factor_prices=True)}
    case = economy({"joy": line(is_cash=False)}, costs=costs, welfare={"market_price_factor": 1.28})
    found = vk.cost_benefit(case, effects, draws=1_000)
    assert found.net_present_value("others", "budget") == 0
    assert found.net_present_value("others", "welfare") == -300
    assert found.net_present_value("participants", "budget") == 0
    assert found.net_present_value("participants", "welfare") == 4_000
    assert found.net_present_value("municipality") == -500
    assert found.net_present_value() == pytest.approx(4_000 - 300 - 1.28 * 500)


def test_deflation_with_a_named_index(effects):
    index = {"name": "made up", "source": "x", "values": {2020: 80, 2024: 100}}
    case = economy(prices={"month": price(100, price_year=2020)}, index=index)
    assert budget(case, effects)["participants"][0] == pytest.approx(2_000 * 100 / 80)
    assert "made up" in case.specification.index.name


def test_health_has_its_own_rates(effects):
    case = economy({"health": line(is_health=True)}, discounting={"type": "green_book", "convention": "half_year"})
    assert budget(case, effects)["participants"][:2] == pytest.approx([2_000, 2_000 / 1.015**0.5])


def years(persistence, duration, start=0, drop=None):
    return profile(persistence, np.array([duration]), drop, start, 6)[0]


def test_persistence():
    assert years(Constant(type="constant"), 2.5).tolist() == [1, 1, 0.5, 0, 0, 0]
    assert years(Constant(type="constant"), 2.5, start=2).tolist() == [0, 0, 1, 1, 0.5, 0]
    # A line from 1 to 0 over four years has the mean 7/8 in its first year; all of it is half of four.
    assert years(Linear(type="linear"), 4.0) == pytest.approx([7 / 8, 5 / 8, 3 / 8, 1 / 8, 0, 0])
    assert years(Linear(type="linear"), 3.3).sum() == pytest.approx(3.3 / 2)
    fading = Exponential(type="exponential", yearly_drop_share=0.2)
    assert years(fading, 3.0) == pytest.approx([1, 0.8, 0.64, 0, 0, 0])
    assert years(fading, 3.0, drop=np.array([0.5])) == pytest.approx([1, 0.5, 0.25, 0, 0, 0])
    shares = Measured(type="measured", shares=(1.0, 1.5, -0.5), source="x")
    assert years(shares, 3.0, start=4) == pytest.approx([0, 0, 0, 0, 1, 1.5])


def test_measured_path_of_the_estimate_itself(made_up_effects):
    covariance = np.array([[0.25, 0.1, 0.05], [0.1, 0.3, 0.1], [0.05, 0.1, 0.4]])
    effects = made_up_effects({"work": (2.0, 0.5, "months")}, path=((3.0, 1.0), covariance))
    path = {"type": "measured", "terms": ["year 1", "year 2"]}
    case = economy({"work": line(persistence=path, start_year=1)})
    assert budget(case, effects)["participants"] == pytest.approx([0, 3_000, 1_000, 0, 0, 0, 0])
    model = model_of(case, effects)
    values = draw_inputs(model, effects, 100_000, 2)
    drawn = np.column_stack([values["effect:work"], model.lines[0].profiles(values)[:, 1:3]])
    # Headline and years vary together as the estimate says: four errors of a covariance from 100,000 draws.
    np.testing.assert_allclose(drawn.mean(axis=0), [2.0, 3.0, 1.0], atol=4 * 0.7 / math.sqrt(100_000))
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=4 * 0.6 / math.sqrt(100_000))


def test_measured_path_of_half_years(made_up_effects):
    """A year with two half-years counts with their mean, and so does their covariance."""
    covariance = np.array([[0.25, 0.1, 0.05], [0.1, 0.3, 0.1], [0.05, 0.1, 0.4]])
    effects = made_up_effects({"work": (2.0, 0.5, "months")}, path=((3.0, 1.0), covariance))
    path = {"type": "measured", "terms": [["year 1", "year 2"]]}
    case = economy({"work": line(persistence=path, duration_years=1)})
    assert budget(case, effects)["participants"] == pytest.approx([2_000, 0, 0, 0, 0, 0, 0])
    model = model_of(case, effects)
    drawn = model.lines[0].profiles(draw_inputs(model, effects, 100_000, 2))[:, 0]
    # The variance of a mean of two is a quarter of the sum of the four covariances.
    assert drawn.var() == pytest.approx((0.3 + 0.4 + 2 * 0.1) / 4, rel=0.02)


def test_measured_path_ends_with_its_duration(made_up_effects):
    covariance = np.diag([0.25, 0.3, 0.4])
    effects = made_up_effects({"work": (2.0, 0.5, "months")}, path=((3.0, 1.0), covariance))
    path = {"type": "measured", "terms": ["year 1", "year 2"]}
    case = economy({"work": line(persistence=path, duration_years=1.5)})
    assert budget(case, effects)["participants"] == pytest.approx([3_000, 500, 0, 0, 0, 0, 0])


def test_break_even_is_when_it_stays_earned_back():
    balance = np.array([[-5, 1, -1, 0, 2], [-5, -4, -3, -2, -1], [0, 1, 2, 3, 4], [1, 2, 3, 2, -1], [0, 0, 0, 0, 0]])
    assert break_even(balance.astype(float)).tolist() == [3, NEVER, 0, NEVER, 0]


def test_internal_rate_of_return():
    rate, _ = internal_rate_of_return(np.array([-100.0, 0.0, 121.0]))
    assert rate == pytest.approx(0.1, abs=1e-10)
    rate, _ = internal_rate_of_return(np.array([-100.0, 110.0]), half_year=True)
    assert rate == pytest.approx(1.1**2 - 1, abs=1e-10)
    for stream, words in (([1.0, 2.0], "never changes sign"), ([-1.0, 3.0, -2.0], "changes sign 2 times")):
        rate, reason = internal_rate_of_return(np.array(stream))
        assert rate is None
        assert words in reason
    assert internal_rate_of_return(np.array([-1.0, 1e-3]))[0] is None
    assert internal_rate_of_return(np.zeros(3))[0] is None


@pytest.mark.parametrize(
    ("gain", "cost_", "value", "words"),
    [
        (30, 20, 1.5, "gives people 1.50"),
        (0, 20, 0.0, "people gain nothing"),
        (-30, 20, -1.5, "people lose by it: −1.50"),
        (30, 0, math.inf, "all public money comes back"),
        (30, -20, math.inf, "more comes back to the public accounts"),
        (0, 0, None, "neither costs public money nor changes anything"),
        (0, -20, None, "people neither gain nor lose"),
        (-30, 0, None, "neither costs nor saves public money"),
        (-30, -20, None, "they lose 1.50 for each unit that is saved"),
    ],
)
def test_marginal_value_in_every_case(gain, cost_, value, words):
    found = MarginalValue(gain, cost_)
    assert found.value == value
    assert words in found.sentence
    assert found.figure().sentence == found.sentence


def test_ratio_needs_costs():
    assert ratio(30, 20, "costs", "x", "X").value == 1.5
    assert ratio(30, 0, "what it costs", "x", "X").value is None
    assert "what it costs is not above zero" in ratio(30, -1, "what it costs", "x", "X").sentence


def test_key_figures(effects):
    """A stipend is cost and gain: it counts in the return on what is put in, and cancels in the costs of society."""
    costs = {"team": cost(1_000), "stipend": cost(600, recipient="participants")}
    case = economy({"work": line(taxes=[{"party": "state", "share": 0.25}])}, costs=costs)
    found = {figure.name: figure for figure in vk.cost_benefit(case, effects, draws=1_000).figures()}
    assert found["net_present_value"].value == pytest.approx(4_000 - 1_000)
    assert found["benefit_cost_ratio"].value == pytest.approx(4_000 / 1_000)
    assert found["public_ratio"].value == pytest.approx((3_000 + 1_600) / 1_600)
    assert found["social_return"].value == pytest.approx(4_600 / 1_600)
    assert found["marginal_value"].value == pytest.approx((3_000 + 600) / (1_600 - 1_000))
    # 1,000 more than it costs in year 0 at once, and 2,000 later: no rate.
    assert found["internal_rate"].value is None


def test_cost_effectiveness(made_up_effects):
    kinds = {"better": "lower"}
    effects = made_up_effects({"crimes": (-2.0, 0.5, "crimes")}, **kinds)
    case = economy({}, costs={"team": cost(1_000)}, people={"intake": {0: 10}, "completers": 8})
    frame = vk.cost_benefit(case, effects, draws=1_000).costs().frame.set_index("what")
    assert frame["cost"]["Per participant"] == 100
    assert frame["cost"]["Per completer"] == 125
    row = frame.loc["Crimes: one less (crimes)"]
    assert row["cost"] == 50
    reach = stats.norm.ppf(0.975) * 0.5
    assert (row["lower"], row["upper"]) == pytest.approx((100 / (2 + reach), 100 / (2 - reach)))
    unsure = made_up_effects({"crimes": (-0.1, 0.5, "crimes")}, **kinds)
    row = vk.cost_benefit(case, unsure, draws=1_000).costs().frame.iloc[-1]
    assert np.isnan(row["upper"])
    assert "may not have improved" in row["reason"]
    worse = made_up_effects({"crimes": (1.0, 0.5, "crimes")}, **kinds)
    assert "did not improve" in vk.cost_benefit(case, worse, draws=1_000).costs().frame.iloc[-1]["reason"]


def test_finance_officers_question(effects):
    costs = {"team": cost(3_000)}
    case = economy({"work": line(gains="municipality", duration_years=4)}, costs=costs)
    found = vk.cost_benefit(case, effects, draws=2_000)
    assert found.break_even_year("municipality") == 1
    words = found.sentence("municipality")
    assert words.startswith(
        "The municipality pays DKK 3,000 for the programme and gets DKK 8,000 back by year 6 (2030): DKK 5,000 net "
        "(DKK 500 per participant; 95% interval of the whole "
    )
    assert "It is earned back in year 1 (2025); it pays in 99 of 100 draws." in words
    assert found.sentence("state") == "The state: nothing is paid and nothing is gained."
    late = vk.cost_benefit(economy(costs=costs), effects, draws=1_000)
    assert "It is not earned back by year 6 (2030); it pays in fewer than 1 of 100 draws." in late.sentence(
        "municipality"
    )
    assert late.sentence("participants").startswith("The participants gain DKK 4,000 in all")
    assert late.sentence().startswith("Society gains DKK 1,000 in all")
    assert len(late.sentences()) == 5


def everything():
    """Return an economy with one of everything."""
    return economy(
        {
            "work": line(
                duration_low=1,
                duration_high=4,
                persistence={"type": "exponential", "yearly_drop_share": 0.1, "low": 0.0, "high": 0.3},
                taxes=[{"party": "state", "share": 0.2, "source": "law"}],
                displacement={"share": 0.1, "party": "others", "source": "x"},
                probability=0.9,
                low=0.8,
                high=1.0,
            )
        },
        costs={
            "team": cost(1_500, low=1_000, high=2_500, optimism_bias={"share": 0.2, "source": "x"}),
            "time": cost(100, kind="volunteer", payer="others", shape="uniform", low=50, high=200),
        },
        prices={"month": price(100, low=80, high=150)},
        parties={**PARTIES, "participants": {**PARTIES["participants"], "income": 100_000}},
        welfare={"median_income": 300_000, "tax_distortion_share": 0.1},
        discounting={"type": "danish"},
        scenarios={
            "dear": {"label": "Twice the costs", "changes": {"costs.team.amount": 2_500, "costs.team.high": 5_000}},
            "free": {"label": "No discounting", "changes": {"discounting": {"type": "constant", "rate": 0.0}}},
        },
        not_valued={"self_esteem": "No source.", "calm": "Not agreed."},
    )


def test_every_table_can_be_cleared(made_up_effects):
    effects = made_up_effects({"work": (2.0, 0.5, "months"), "calm": (0.1, 0.1, "points")})
    found = vk.cost_benefit(everything(), effects, draws=1_000)
    tables = [
        found.by_payer(),
        found.balance(),
        found.lines(),
        found.costs(),
        found.assumptions(),
        found.tornado(),
        found.tornado("municipality"),
        found.switching_values("municipality"),
        found.weighted(),
        found.not_valued(),
        scenarios(everything(), effects),
        library_table(price_library()),
    ]
    assert len({table.name for table in tables}) == len(tables) - 1
    for table in tables:
        cleared = vk.clear(table, DisclosureRule())
        assert len(cleared.frame) > 0
        assert cleared.n_hidden == 0
        assert json.loads(cleared.frame.to_json(orient="records"))
    assert {found.drawing.x, found.drawing.y, found.drawing.lower} <= set(found.balance().frame)
    assert set(found.drawing.styles) == set(found.balance().frame["party"])


def test_effects_of_few_persons_are_hidden(made_up_effects):
    effects = made_up_effects({"work": (2.0, 0.5, "months")}, n=4)
    cleared = vk.clear(vk.cost_benefit(economy(), effects, draws=1_000).by_payer(), DisclosureRule())
    assert cleared.frame["budget_net"].isna().all()
    assert cleared.frame["welfare_net"].isna().all()


def test_lines_add_up_to_parties_and_society(effects):
    found = vk.cost_benefit(everything(), effects, draws=1_000)
    lines, payers = found.lines().frame, found.by_payer().frame.set_index("party")
    for view in ("budget", "welfare"):
        sums = lines.groupby("party")[view].sum()
        for label in ("the municipality", "the state", "the participants", "others"):
            assert sums[label] == pytest.approx(payers[f"{view}_net"][label[:1].upper() + label[1:]], rel=1e-12)
    assert lines["welfare"].sum() == pytest.approx(payers["welfare_net"]["Society"], rel=1e-12)
    assert payers["budget_net"]["All public accounts"] == pytest.approx(
        payers["budget_net"]["The municipality"] + payers["budget_net"]["The state"], rel=1e-12
    )


def test_equity_apart_from_efficiency(effects):
    frame = vk.cost_benefit(everything(), effects, draws=1_000).weighted().frame.set_index("party")
    assert frame["weight"]["The participants"] == pytest.approx(3**1.3)
    assert frame["weight"]["The state"] == 1
    assert frame["weighted"]["Society"] == pytest.approx(
        frame["net"]["Society"] + frame["equity"]["Society"], rel=1e-12
    )


def test_switching_values_turn_the_result(effects):
    case = everything()
    found = vk.cost_benefit(case, effects, draws=1_000)
    frame = found.switching_values().frame
    model, turned = found.model, 0
    for (name, _), (_, row) in zip(model.inputs.items(), frame.iterrows(), strict=True):
        if np.isnan(row["value"]):
            assert row["reason"]
            continue
        there = model.streams({**model.central(), name: np.array([row["value"]])}).welfare.sum()
        assert there == pytest.approx(0.0, abs=1e-5)
        turned += 1
    assert turned >= 4


def test_tornado_moves_one_input_at_a_time(effects):
    found = vk.cost_benefit(everything(), effects, draws=1_000)
    frame = found.tornado().frame
    widths = (frame["at_high"] - frame["at_low"]).abs()
    assert widths.is_monotonic_decreasing
    row = frame.set_index("what").loc["Effect on Work"]
    low = 2.0 + 0.5 * stats.norm.ppf(0.05)
    assert row["low"] == pytest.approx(low)
    model = found.model
    assert row["at_low"] == pytest.approx(
        model.streams({**model.central(), "effect:work": np.array([low])}).welfare.sum(), rel=1e-12
    )
    assert len(frame) == sum(item.is_uncertain for item in model.inputs.values()) + 1


def test_scenarios(effects):
    frame = scenarios(everything(), effects).frame.set_index("scenario")
    found = vk.cost_benefit(everything(), effects, draws=1_000)
    assert frame["society"]["As assumed"] == pytest.approx(found.net_present_value(), rel=1e-12)
    assert frame["municipality"]["As assumed"] == pytest.approx(-1_500 * 1.2, rel=1e-12)
    assert frame["municipality"]["Twice the costs"] == pytest.approx(-2_500 * 1.2, rel=1e-12)
    assert frame["society"]["No discounting"] > frame["society"]["As assumed"]


def test_same_seed_same_numbers_and_new_lines_leave_old_draws(effects):
    one, two = (vk.cost_benefit(everything(), effects, draws=1_000, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one.draws.balance, two.draws.balance)
    assert not np.array_equal(
        one.draws.society, vk.cost_benefit(everything(), effects, draws=1_000, seed=5).draws.society
    )
    more = economy({"work": line(), "later": line(start_year=3)}, prices={"month": price(100, low=80, high=150)})
    few = economy({"work": line()}, prices={"month": price(100, low=80, high=150)})
    drawn = [draw_inputs(model_of(case, effects), effects, 1_000, 4) for case in (few, more)]
    np.testing.assert_array_equal(drawn[0]["price:month"], drawn[1]["price:month"])


def test_draws_of_the_effects_may_be_handed_in(effects):
    drawn = effects.draws(1_000, np.random.default_rng(9))
    handed = vk.cost_benefit(everything(), effects, draws=1_000, seed=9, effect_draws=drawn)
    own = vk.cost_benefit(everything(), effects, draws=1_000, seed=9)
    np.testing.assert_array_equal(handed.draws.society, own.draws.society)


@pytest.mark.parametrize("shape", ["triangular", "uniform"])
def test_draws_and_quantiles_come_from_the_same_distribution(shape):
    item = Input("price:x", "x", "DKK", 3.0, 1.0, 6.0, shape)
    drawn = item.draw(100_000, np.random.default_rng(1))
    for share in (0.05, 0.5, 0.95):
        assert (drawn < item.quantile(share)).mean() == pytest.approx(share, abs=4 * 0.5 / math.sqrt(100_000))
    certain = Input("price:x", "x", "DKK", 3.0)
    assert set(certain.draw(10, np.random.default_rng(1))) == {3.0}
    assert certain.quantile(0.05) == 3.0


def test_library_has_a_source_for_every_figure():
    library = price_library()
    priced = [item for item in library.values() if isinstance(item, Price)]
    assert len(priced) >= 3
    assert all(item.source and item.grade and item.price_year for item in priced)
    assert any(isinstance(item, str) for item in library.values())
    wellbeing = library["uk_wellbeing_point_year"]
    assert (wellbeing.value, wellbeing.low, wellbeing.high, wellbeing.price_year) == (13_000, 10_000, 16_000, 2019)


COSTS = """cost_id,label,kind,amount,low,high,per,currency,price_year,payer,recipient,year,years,source
team,team,running,500,400,700,programme,DKK,2024,municipality,,0,2,made up
time,time,volunteer,30,,,participant,DKK,2024,participants,,0,1,made up
"""
PRICES = """price_id,label,value,low,high,per,every,currency,price_year,source,grade,covers,note
month,a month,100,,,months,year,DKK,2024,made up,D,health; calm,
dk_prison_day,a day,900,,,days,once,DKK,2024,made up,D,,
"""
YAML = """
currency: DKK
price_year: 2024
start_year: 2024
horizon_years: 6
people: {intake: {0: 10}}
parties:
  municipality: {label: the municipality, kind: public}
  participants: {label: the participants, kind: participant}
discounting: {type: constant, rate: 0.0}
price_library: {path: prices.csv}
costs_table: {path: costs.csv}
consequences:
  work: {label: work, outcome: work, subject: work, price: month, gains: participants, duration_years: 2}
"""


def test_tables_of_a_programme(tmp_path, effects):
    for name, text in (("economy.yml", YAML), ("prices.csv", PRICES), ("costs.csv", COSTS)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    case = vk.Economy.read(tmp_path)
    assert set(case.costs) == {"team", "time"}
    assert case.library["month"].covers == ("health", "calm")
    assert case.library["dk_prison_day"].value == 900
    found = vk.cost_benefit(case, effects, draws=1_000)
    assert found.net_present_value("municipality") == -1_000
    assert found.net_present_value("participants", "budget") == 4_000
    assert found.net_present_value("participants", "welfare") == 4_000 - 300
    changed = vk.Economy.read(tmp_path, {"people.intake.0": 20, "consequences.work.duration_years": "1"})
    assert vk.cost_benefit(changed, effects, draws=1_000).net_present_value("participants", "budget") == 4_000
    scenario = case.changed({"people.intake.0": 20})
    assert set(scenario.costs) == {"team", "time"}
    own = case.changed({"prices": {"month": {**price(50), "label": "own"}}})
    assert vk.cost_benefit(own, effects, draws=1_000).net_present_value("participants", "budget") == 2_000


def test_result_cannot_be_changed(effects):
    case = economy()
    found = vk.cost_benefit(case, effects, draws=1_000)
    with pytest.raises(AttributeError):
        found.model = None
    with pytest.raises(TypeError):
        case.costs["more"] = None
    for array in (found.streams.costs, found.draws.balance, found.draws.welfare_gains):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    frame = found.by_payer().frame
    frame["budget_net"] = 0.0
    assert found.by_payer().frame["budget_net"].abs().sum() > 0
    assert isinstance(found.by_payer().frame, pd.DataFrame)


def test_words():
    assert money(-1_234.4, "DKK") == "DKK −1,234"
    assert of_hundred(0.001) == "fewer than 1"
    assert of_hundred(0.874) == "87"
    case = economy({}, costs={"team": cost(5)})
    assert repr(case) == "Economy(1 costs, 0 consequences, DKK 2024)"


def test_schema_of_the_document():
    text = schema_text("economy", form="json", programme=None, n_rows=0, seed=0)
    assert set(json.loads(text)["properties"]) == set(EconomySpecification.model_fields)


def test_discount_rates_move_by_a_point(effects):
    case = economy({"work": line(duration_years=6)}, discounting={"type": "constant", "rate": 0.03})
    row = vk.cost_benefit(case, effects, draws=1_000).tornado().frame.set_index("what").loc["Discount rates"]
    values = [sum(2_000 / (1 + rate) ** year for year in range(6)) for rate in (0.02, 0.04)]
    assert (row["at_low"], row["at_high"]) == pytest.approx(values, rel=1e-12)
    low = economy({"work": line()}, discounting={"type": "constant", "rate": 0.002})
    row = vk.cost_benefit(low, effects, draws=1_000).tornado().frame.set_index("what").loc["Discount rates"]
    # No rate is moved below zero.
    assert row["at_low"] == pytest.approx(4_000, rel=1e-12)


def test_costs_alone_need_no_effect(effects):
    """Nothing is priced, and the only outcome has no estimate: what it costs can still be said."""
    known = effects["work"]
    fields = {name: getattr(known, name) for name in ("estimand", "level", "evidence_level", "method", "provenance")}
    gone = vk.Estimates({"work": vk.Estimate.unavailable("Nobody was asked.", **fields)})
    found = vk.cost_benefit(economy({}, costs={"team": cost(500, low=400, high=700)}), gone, draws=1_000)
    assert found.net_present_value("municipality") == -500
    assert len(found.costs().frame) == 2
    assert found.not_valued().frame["why"].tolist() == ["No price was given."]
