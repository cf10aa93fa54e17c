"""Cost–benefit: discount factors, weights, published values and costs, and the loop that any user would write."""

from __future__ import annotations

import numpy as np
import pytest

import virkning as vk
from virkning.economy import EconomySpecification
from virkning.economy.assembly import model_of
from virkning.economy.discounting import (
    DANISH,
    GREEN_BOOK,
    GREEN_BOOK_HEALTH,
    DanishMinistry,
    GreenBook,
    discount_factors,
    distributional_weight,
)
from virkning.economy.figures import internal_rate_of_return
from virkning.economy.uncertainty import draw_inputs, monte_carlo

HALF_A_DIGIT = 5e-7


def economy(**given):
    """Return an economy in dollars with a government and participants; what is given comes on top."""
    said = {
        "currency": "USD",
        "price_year": 2013,
        "start_year": 2013,
        "horizon_years": 5,
        "people": {"intake": {0: 1}},
        "parties": {
            "government": {"label": "the government", "kind": "public"},
            "participants": {"label": "the participants", "kind": "participant"},
        },
        "discounting": {"type": "constant", "rate": 0.03},
        **given,
    }
    return vk.Economy.of(EconomySpecification.model_validate(said))


def cost(amount, **given):
    return {
        "label": "all of it",
        "kind": "running",
        "amount": amount,
        "per": "programme",
        "currency": "USD",
        "price_year": 2013,
        "payer": "government",
        "source": "test",
        **given,
    }


def price(value, per="USD", **given):
    return {
        "label": "a dollar",
        "value": value,
        "per": per,
        "every": "year",
        "currency": "USD",
        "price_year": 2013,
        "source": "by definition",
        "grade": "A",
        **given,
    }


# HM Treasury, Green Book (2022), table of long-term discount rates.
@pytest.mark.parametrize(
    ("year", "printed"),
    [(1, 0.966184), (5, 0.841973), (30, 0.356278), (31, 0.345901), (75, 0.094214), (76, 0.091916), (100, 0.050818)],
)
def test_green_book_factors(year, printed):
    factors = GreenBook(type="green_book").factors(100)
    assert factors[year] == pytest.approx(printed, abs=HALF_A_DIGIT)


def test_green_book_factors_from_first_principles():
    """The tests of the R package greenbook: each rate in its own years, at every kink."""
    factors = GreenBook(type="green_book").factors(320)
    rates = [0.035] * 30 + [0.03] * 45 + [0.025] * 50 + [0.02] * 75 + [0.015] * 100 + [0.01] * 20
    np.testing.assert_allclose(factors, np.cumprod([1.0] + [1 / (1 + rate) for rate in rates]), rtol=1e-12)
    assert factors[31] == pytest.approx(factors[30] / 1.03, rel=1e-12)
    health = GreenBook(type="green_book").factors(76, health=True)
    assert health[30] == pytest.approx(1.015**-30, rel=1e-12)
    assert health[76] == pytest.approx(1.015**-30 * 1.0129**-45 / 1.0107, rel=1e-12)
    assert GREEN_BOOK_HEALTH[0] == (30, 0.015)


def test_green_book_annuity():
    factors = GreenBook(type="green_book").factors(30)
    assert factors[1:].sum() == pytest.approx(18.392045, abs=HALF_A_DIGIT)
    assert factors[1:].sum() == pytest.approx((1 - 1.035**-30) / 0.035, rel=1e-12)


def test_green_book_net_present_value(made_up_effects):
    """Minus 100 now and 30 a year in years 1 to 5; the printed four digits of 35.45157."""
    case = economy(
        discounting={"type": "green_book"},
        costs={"all": cost(100)},
        prices={"dollar": price(30)},
        consequences={
            "gain": {
                "label": "gain",
                "outcome": "gain",
                "subject": "gain",
                "price": "dollar",
                "gains": "participants",
                "start_year": 1,
                "duration_years": 5,
            }
        },
    )
    found = vk.cost_benefit(case, made_up_effects({"gain": (1.0, 0.1, "USD")}), draws=1_000)
    assert found.net_present_value() == pytest.approx(35.4516, abs=5e-5)


def test_green_book_optimism_bias_and_tax_burden(made_up_effects):
    """Bias of 20% mitigated by half, and an uplift of 20% for the tax burden: 100 becomes 132."""
    bias = {"share": 0.2, "mitigated_share": 0.5, "source": "test"}
    case = economy(costs={"all": cost(100, optimism_bias=bias)}, welfare={"tax_distortion_share": 0.2})
    found = vk.cost_benefit(case, made_up_effects({"gain": (1.0, 0.1, "USD")}), draws=1_000)
    assert found.net_present_value() == pytest.approx(-132, rel=1e-12)
    assert found.net_present_value("government") == pytest.approx(-110, rel=1e-12)


@pytest.mark.parametrize(
    ("income", "printed"), [(10_000, 4.1712), (15_000, 2.4623), (20_000, 1.6940), (30_000, 1.0), (60_000, 0.4061)]
)
def test_green_book_distributional_weights(income, printed):
    assert distributional_weight(income, 30_000) == pytest.approx(printed, abs=5e-5)


# Danish Ministry of Finance, 7 January 2021, and its guide of 22 June 2023.
@pytest.mark.parametrize(
    ("year", "printed"),
    [
        (1, 0.966184),
        (10, 0.708919),
        (35, 0.299977),
        (36, 0.292660),
        (70, 0.126402),
        (71, 0.124534),
        (75, 0.117334),
    ],
)
def test_danish_factors(year, printed):
    assert DanishMinistry(type="danish").factors(75)[year] == pytest.approx(printed, abs=HALF_A_DIGIT)


def test_danish_factors_in_the_other_reading():
    """The rate of year 36 for all 36 years: the factor rises from year 35 to 36, which is why it is not the default."""
    factors = DanishMinistry(type="danish", years_36_on="whole_period").factors(75)
    assert factors[35] == pytest.approx(0.299977, abs=HALF_A_DIGIT)
    assert factors[36] == pytest.approx(0.411094, abs=HALF_A_DIGIT)
    assert factors[36] == pytest.approx(1.025**-36, rel=1e-12)
    assert factors[71] == pytest.approx(1.015**-71, rel=1e-12)
    assert factors[36] > factors[35]
    assert DANISH[0][0] == 35


def test_half_year_factors():
    whole = discount_factors(np.arange(4), GREEN_BOOK)
    half = GreenBook(type="green_book", convention="half_year").factors(3)
    np.testing.assert_allclose(half, [1.0, *(whole[1:] * 1.035**0.5)], rtol=1e-12)


# Consumer price index for all urban consumers, annual averages, 1982-84 = 100 (Bureau of Labor Statistics).
CONSUMER_PRICES = {"name": "CPI-U", "source": "BLS", "values": {2013: 232.957, 2014: 236.736, 2015: 237.017}}


def year_up(tax, made_up_effects, *, index=CONSUMER_PRICES):
    """Return the marginal value of Year Up in the observed years (Hendren and Sprung-Keyser 2020).

    The stipend is part of the cost. Earnings of the second and third year are in prices of those years.
    """
    years = (-5_338, 238), (5_181, 474), (7_011, 619)
    effects = made_up_effects({f"earnings_{year}": (*found, "USD") for year, found in enumerate(years)})
    priced = {f"dollar_{year}": price(1, price_year=2013 + (year if index else 0)) for year in range(3)}
    case = economy(
        index=index,
        costs={"services": cost(28_290 - 6_614), "stipend": cost(6_614, recipient="participants")},
        prices=priced,
        consequences={
            f"year_{year}": {
                "label": "earnings",
                "outcome": f"earnings_{year}",
                "subject": "earnings",
                "price": f"dollar_{year}",
                "gains": "participants",
                "start_year": year,
                "duration_years": 1,
                "taxes": [{"party": "government", "share": tax, "source": "test"}],
            }
            for year in range(3)
        },
    )
    return vk.cost_benefit(case, effects, draws=1_000).marginal_value


def test_year_up_as_published(made_up_effects):
    """0.43 at the tax rate that the authors used, 18.6% (Policy Impacts Library, Year Up)."""
    found = year_up(0.186, made_up_effects)
    assert found.value == pytest.approx(0.43, abs=0.005)
    # Printed: 4,962 + 6,614 and 28,290 - 1,134. Their earnings are 6,096, ours 6,107: another deflator.
    assert found.willingness_to_pay == pytest.approx(4_962 + 6_614, abs=10)
    assert found.net_cost == pytest.approx(28_290 - 1_134, abs=3)
    assert found.sentence == "Each unit of net public cost gives people 0.43."


@pytest.mark.parametrize(("tax", "value"), [(0.0, 0.450), (0.2, 0.425), (0.3, 0.412)])
def test_year_up_at_other_tax_rates(tax, value, made_up_effects):
    assert year_up(tax, made_up_effects).value == pytest.approx(value, abs=0.0005)


def test_year_up_without_deflating(made_up_effects):
    """Nominal earnings give 0.431 at 20%, the deflated ones 0.4248: see DIFFERENCES_EXPLAINED.md."""
    assert year_up(0.2, made_up_effects, index=None).value == pytest.approx(0.431, abs=0.0005)
    assert year_up(0.2, made_up_effects).value == pytest.approx(0.4248, abs=0.00005)


def test_cost_per_completer_of_a_danish_example(made_up_effects):
    """R&R2-ADHD (Rambøll's example in the Danish social investment model): 958,000 a year, 34 completers a year."""
    case = economy(
        currency="DKK",
        price_year=2019,
        start_year=2017,
        people={"intake": {0: 34, 1: 34, 2: 34}, "completers": 102},
        costs={"all": cost(958_000, years=3, currency="DKK", price_year=2019)},
    )
    table = vk.cost_benefit(case, made_up_effects({"score": (1.0, 0.3, "points")}), draws=1_000).costs().frame
    per = table.set_index("what")["cost"]
    assert per["All that is paid for the programme"] == pytest.approx(2_874_000, abs=0.5)
    assert per["Per completer"] == pytest.approx(28_176, abs=0.5)


def test_internal_rate_of_return_of_the_manual():
    """The example in the manual of numpy-financial: irr([-100, 39, 59, 55, 20])."""
    rate, reason = internal_rate_of_return(np.array([-100.0, 39.0, 59.0, 55.0, 20.0]))
    assert rate == pytest.approx(0.28095, abs=5e-6)
    assert reason == ""


def large(n_outcomes=10, horizon=30):
    """Return an economy of ten outcomes and five payers over thirty years, in which everything is uncertain."""
    names = [f"outcome_{number}" for number in range(n_outcomes)]
    shapes = (
        {"type": "constant"},
        {"type": "linear"},
        {"type": "exponential", "yearly_drop_share": 0.1, "low": 0.0, "high": 0.3},
    )
    others = {name: {"label": name, "kind": "public"} for name in ("region", "state")}
    return economy(
        horizon_years=horizon,
        people={"intake": {0: 30, 1: 50, 3: 20}},
        parties={
            "government": {"label": "the municipality", "kind": "public"},
            **others,
            "participants": {"label": "the participants", "kind": "participant"},
            "others": {"label": "others", "kind": "other"},
        },
        discounting={"type": "danish"},
        costs={
            "team": cost(5_000, low=4_000, high=9_000, years=3),
            "each": cost(300, per="participant", year=1, low=200, high=500),
        },
        prices={
            name: price(10.0 * (1 + rank), "units", low=5.0, high=20.0 * (1 + rank)) for rank, name in enumerate(names)
        },
        consequences={
            name: {
                "label": name,
                "outcome": name,
                "subject": name,
                "price": name,
                "gains": "participants",
                "loses": "others" if rank % 3 == 0 else None,
                "start_year": rank % 3,
                "duration_years": 8,
                "duration_low": 3,
                "duration_high": 20,
                "persistence": shapes[rank % 3],
                "probability": 0.8,
                "low": 0.5,
                "high": 1.0,
                "taxes": [{"party": "state", "share": 0.1}],
                "reimbursements": [{"party": "region", "share": [0.4, 0.2, 0.1]}] if rank % 2 else [],
                "is_cash": rank % 4 != 0,
            }
            for rank, name in enumerate(names)
        },
    )


def by_loop(case, values, draw):
    """Return the net present values by payer of one draw, written as one would write it without arrays."""
    said = case.specification
    factors = [1.0]
    for year in range(1, said.horizon_years + 1):
        factors.append(factors[-1] / (1.035 if year <= 35 else 1.025))
    budget, welfare = (dict.fromkeys(said.parties, 0.0) for _ in range(2))
    for begin, people in said.people.intake.items():
        budget["government"] -= people * values["cost:each"][draw] * factors[begin + 1]
        welfare["government"] -= people * values["cost:each"][draw] * factors[begin + 1]
        for name, line in said.consequences.items():
            duration = values[f"duration:{name}"][draw]
            for since in range(said.horizon_years + 1 - begin):
                year = since - line.start_year
                if year < 0 or year >= duration:
                    continue
                part = min(duration - year, 1.0)
                left = part
                if line.persistence.type == "linear":
                    left = part * (1 - (year + part / 2) / duration)
                elif line.persistence.type == "exponential":
                    left = part * (1 - values[f"drop:{name}"][draw]) ** year
                amount = people * left * factors[begin + since]
                for key in (f"effect:{name}", f"price:{name}", f"probability:{name}"):
                    amount *= values[key][draw]
                back = line.reimbursements[0].share[min(since, 2)] if line.reimbursements else 0.0
                moves = {"participants": 0.9 - back, "state": 0.1, "region": back}
                if line.loses:
                    moves["others"] = -1.0
                for party, share in moves.items():
                    welfare[party] += share * amount
                    budget[party] += share * amount * line.is_cash
    for year in range(3):
        budget["government"] -= values["cost:team"][draw] * factors[year]
        welfare["government"] -= values["cost:team"][draw] * factors[year]
    return list(budget.values()), list(welfare.values())


def test_monte_carlo_is_the_plain_loop(made_up_effects):
    case = large()
    effects = made_up_effects(
        {name: (1.0 + rank, 0.5, "units") for rank, name in enumerate(case.specification.consequences)},
        correlation=0.4,
    )
    model = model_of(case, effects)
    values = draw_inputs(model, effects, 3_000, 7)
    found = monte_carlo(model, values)
    # The pieces into which draws are divided meet at 2,000.
    for draw in (*range(20), 1_999, 2_000, 2_999):
        budget, welfare = by_loop(case, values, draw)
        np.testing.assert_allclose(found.budget[draw], budget, rtol=1e-10, atol=1e-9)
        np.testing.assert_allclose(found.welfare[draw], welfare, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(found.balance[:, :, -1], found.budget, rtol=1e-10, atol=1e-6)


def test_draws_keep_the_covariance_of_the_effects(made_up_effects):
    case = large(n_outcomes=2)
    effects = made_up_effects(dict.fromkeys(case.specification.consequences, (1.0, 0.5, "units")), correlation=0.4)
    values = draw_inputs(model_of(case, effects), effects, 40_000, 3)
    drawn = np.stack([values["effect:outcome_0"], values["effect:outcome_1"]])
    # Four standard errors of a correlation from 40,000 draws.
    assert np.corrcoef(drawn)[0, 1] == pytest.approx(0.4, abs=4 * (1 - 0.4**2) / 200)
    np.testing.assert_allclose(drawn.T, effects.draws(40_000, np.random.default_rng(3)).to_numpy(), rtol=1e-12)


def test_probability_that_it_pays_is_that_of_the_normal_distribution(made_up_effects):
    """One normal effect of 100 (40), one certain cost of 60: it pays with the probability Φ(1)."""
    case = economy(
        costs={"all": cost(60)},
        prices={"dollar": price(1, every="once")},
        consequences={
            "gain": {
                "label": "gain",
                "outcome": "gain",
                "subject": "gain",
                "price": "dollar",
                "gains": "government",
                "duration_years": 1,
            }
        },
    )
    found = vk.cost_benefit(case, made_up_effects({"gain": (100.0, 40.0, "USD")}), draws=100_000, seed=1)
    four_errors = 4 * np.sqrt(0.8413 * 0.1587 / 100_000)
    assert found.probability_that_it_pays("government") == pytest.approx(0.841345, abs=four_errors)
    lower, upper = (found.by_payer().frame[name].iloc[0] for name in ("budget_lower", "budget_upper"))
    # The error of a quantile at 2.5% from 100,000 draws is 40 × .0084; four of them.
    assert lower == pytest.approx(40 - 1.959964 * 40, abs=4 * 40 * 0.0084)
    assert upper == pytest.approx(40 + 1.959964 * 40, abs=4 * 40 * 0.0084)


# Kemper, Long and Thornton (1984), table 8.5, as printed in the code of Hendren and Sprung-Keyser (2020): net cost to
# all but participants, of it paid to participants, taxes on it, other earnings in the first years; dollars of 1976.
SUPPORTED_WORK = {
    "offenders": (4_153, 2_489, 553, 304),
    "drug users": (4_413, 2_558, 293, -153),
    "youth": (4_193, 2_577, 301, -3),
}
PRICES_1976, PRICES_1982 = 56.9, 96.5


def test_costs_of_supported_work_follow_from_the_published_table():
    said = vk.Programme.read("nsw").economy.specification
    rows = np.array(list(SUPPORTED_WORK.values()), dtype=float)
    beside = rows[:, 0] - rows[:, 1]
    programme, pay = said.costs["programme"], said.costs["pay"]
    assert (programme.amount, programme.low, programme.high) == (round(beside.mean()), beside.min(), beside.max())
    assert (pay.amount, pay.low, pay.high) == (round(rows[:, 1].mean()), rows[:, 1].min(), rows[:, 1].max())
    rate = rows[:, 2].sum() / (rows[:, 1] + rows[:, 3]).sum()
    assert pay.reimbursements[0].share == round(rate, 3) == said.consequences["earnings"].taxes[0].share
    assert {pay.price_year, programme.price_year} == {1976}


def test_supported_work_by_hand(made_up_effects):
    """The published effect of 1,794.342 (632.853), in one year, against the published costs."""
    economy = vk.Programme.read("nsw").economy
    effects = made_up_effects({"earnings_usd": (1_794.342, 632.853, "USD")}, n=185)
    found = vk.cost_benefit(economy, effects, draws=1_000)
    lift, later = PRICES_1982 / PRICES_1976, 1.03**-2
    government = -(1_712 + 2_541 * (1 - 0.148)) * lift + 0.148 * 1_794.342 * later
    participants = 2_541 * (1 - 0.148) * lift + (1 - 0.148) * 1_794.342 * later
    assert found.net_present_value("government") == pytest.approx(185 * government, rel=1e-12)
    assert found.net_present_value("participants") == pytest.approx(185 * participants, rel=1e-12)
    assert found.marginal_value.value == pytest.approx(participants / -government, rel=1e-12)
    assert found.break_even_year("government") is None


def test_made_up_programme_counts_the_people_and_the_prices_of_its_data():
    """What economy.yml of Ungevej says follows from its data; every price there is marked as an assumption."""
    programme = vk.Programme.read("ungevej")
    said, people = programme.economy.specification, vk.read_data(programme).participants
    starts = people["first_treated_period"].str[:4].value_counts()
    assert said.people.intake == {0: starts["2022"], 1: starts["2023"]}
    assert said.costs["mentor_first_year"].amount == pytest.approx(0.65 * (16_000 + 22_000))
    assert said.costs["mentor_second_year"].amount == pytest.approx(0.65 * (12_000 + 4_000))
    assert {price.grade for price in said.prices.values()} == {"D"}
    words = ("Made up", "Assumption to replace", "made up")
    assert all(any(word in given.source for word in words) for given in [*said.prices.values(), *said.costs.values()])
