"""Laws of every cost–benefit analysis: amounts add up, transfers cancel, twice the price is twice the value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from virkning.economy import Economy, EconomySpecification
from virkning.economy.assembly import model_of
from virkning.economy.discounting import DANISH, GREEN_BOOK, discount_factors
from virkning.economy.figures import NEVER, break_even, internal_rate_of_return

PUBLIC = ("municipality", "region", "state")
PARTIES = {
    **{name: {"label": name, "kind": "public"} for name in PUBLIC},
    "participants": {"label": "participants", "kind": "participant"},
    "others": {"label": "others", "kind": "other"},
}
HORIZON = 12
lawful = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

amounts = st.floats(0, 1e6).map(lambda x: round(x, 2))
shares = st.floats(0, 0.5)
persistences = st.one_of(
    st.just({"type": "constant"}),
    st.just({"type": "linear"}),
    st.floats(0, 0.9).map(lambda drop: {"type": "exponential", "yearly_drop_share": drop}),
)


def prices(value):
    fixed = {"label": "x", "per": "units", "currency": "DKK", "price_year": 2024, "source": "x", "grade": "D"}
    return {**fixed, "value": value, "every": "year"}


@st.composite
def documents(draw):
    """Return an economy with one to four consequences and up to three costs."""
    consequences, priced = {}, {}
    for number in range(draw(st.integers(1, 4))):
        gains, loses = draw(st.permutations(list(PARTIES)))[:2]
        taxes = [{"party": party, "share": draw(shares)} for party in PUBLIC if party != gains][:2]
        consequences[f"line_{number}"] = {
            "label": "x",
            "outcome": f"outcome_{number % 2}",
            "subject": f"subject_{number}",
            "price": f"price_{number}",
            "gains": gains,
            "loses": loses if draw(st.booleans()) else None,
            "start_year": draw(st.integers(0, 4)),
            "duration_years": draw(st.floats(0.25, 6)),
            "persistence": draw(persistences),
            "taxes": taxes,
            "is_cash": draw(st.booleans()),
        }
        if draw(st.booleans()) and "others" not in (gains, loses):
            consequences[f"line_{number}"]["displacement"] = {"share": draw(shares), "party": "others", "source": "x"}
        priced[f"price_{number}"] = prices(draw(amounts))
    costs = {
        f"cost_{number}": {
            "label": "x",
            "kind": draw(st.sampled_from(["start_up", "running", "capital", "volunteer"])),
            "amount": draw(amounts),
            "per": draw(st.sampled_from(["programme", "participant"])),
            "currency": "DKK",
            "price_year": 2024,
            "payer": draw(st.sampled_from(["municipality", "others"])),
            "years": draw(st.integers(1, 5)),
            "reimbursements": [{"party": "state", "share": draw(shares)}],
            "source": "x",
        }
        for number in range(draw(st.integers(0, 3)))
    }
    return {
        "currency": "DKK",
        "price_year": 2024,
        "start_year": 2024,
        "horizon_years": HORIZON,
        "people": {"intake": {0: draw(st.integers(1, 50)), 2: draw(st.integers(1, 50))}},
        "parties": PARTIES,
        "discounting": {"type": "danish", "convention": draw(st.sampled_from(["year_end", "half_year"]))},
        "prices": priced,
        "costs": costs,
        "consequences": consequences,
    }


@pytest.fixture(scope="module")
def effects(made_up_effects):
    return made_up_effects({"outcome_0": (1.5, 0.5, "units"), "outcome_1": (-0.7, 0.2, "units")})


def streams(document, effects, **changes):
    model = model_of(Economy.of(EconomySpecification.model_validate({**document, **changes})), effects)
    return model, model.streams(model.central())


@lawful
@given(document=documents())
def test_values_add_up_over_lines_payers_and_years(document, effects):
    model, found = streams(document, effects)
    by_line = model.by_line()
    for view, net in (("budget", found.budget), ("welfare", found.welfare)):
        scale = np.abs(net).sum() + np.abs(by_line[view]).sum() + 1
        np.testing.assert_allclose(by_line[view].sum(axis=0), net[0].sum(axis=1), atol=1e-12 * scale)
        assert by_line[view].sum() == pytest.approx(net.sum(axis=1).sum(), abs=1e-12 * scale)


@lawful
@given(document=documents())
def test_taxes_and_reimbursements_move_money_and_make_none(document, effects):
    _, found = streams(document, effects)
    bare = {
        **document,
        "consequences": {name: {**line, "taxes": []} for name, line in document["consequences"].items()},
        "costs": {name: {**line, "reimbursements": []} for name, line in document["costs"].items()},
    }
    _, without = streams(bare, effects)
    scale = np.abs(without.welfare).sum() + 1
    np.testing.assert_allclose(found.welfare.sum(axis=1), without.welfare.sum(axis=1), atol=1e-12 * scale)


@lawful
@given(document=documents(), amount=amounts, sides=st.permutations(list(PARTIES)))
def test_welfare_of_society_is_unchanged_by_a_pure_transfer(document, amount, sides, effects):
    _, before = streams(document, effects)
    gift = {
        "label": "gift",
        "kind": "running",
        "amount": amount,
        "per": "participant",
        "currency": "DKK",
        "price_year": 2024,
        "payer": sides[0],
        "recipient": sides[1],
        "source": "x",
    }
    model, after = streams({**document, "costs": {**document["costs"], "gift": gift}}, effects)
    scale = np.abs(after.welfare).sum() + 1
    np.testing.assert_allclose(after.welfare.sum(axis=1), before.welfare.sum(axis=1), atol=1e-12 * scale)
    order = list(model.parties)
    moved = (after.budget - before.budget).sum(axis=2)[0]
    assert moved[order.index(sides[0])] == pytest.approx(-moved[order.index(sides[1])], abs=1e-9 * scale)


@lawful
@given(document=documents(), factor=st.floats(0, 10))
def test_twice_the_prices_is_twice_the_values(document, factor, effects):
    _, once = streams(document, effects)
    dearer = {name: {**item, "value": factor * item["value"]} for name, item in document["prices"].items()}
    _, more = streams(document, effects, prices=dearer)
    scale = (1 + factor) * np.abs(once.welfare_gains).sum() + 1
    np.testing.assert_allclose(more.gains, factor * once.gains, atol=1e-12 * scale)
    np.testing.assert_allclose(more.welfare_gains, factor * once.welfare_gains, atol=1e-12 * scale)
    np.testing.assert_array_equal(more.costs, once.costs)


@lawful
@given(document=documents())
def test_many_draws_are_as_many_single_ones(document, effects):
    model, alone = streams(document, effects)
    many = model.streams({name: np.repeat(value, 3) for name, value in model.central().items()})
    scale = np.abs(alone.welfare).sum() + 1
    for draw in range(3):
        np.testing.assert_allclose(many.budget[draw], alone.budget[0], atol=1e-12 * scale)
        np.testing.assert_allclose(many.welfare[draw], alone.welfare[0], atol=1e-12 * scale)


bands = st.sampled_from([DANISH, GREEN_BOOK, ((None, 0.0),), ((5, 0.1), (None, 0.02))])


@given(bands=bands, times=st.lists(st.floats(0, 400), min_size=2, max_size=20))
def test_discounting_is_monotone(bands, times):
    """What is later is worth no more now, and never more than itself; a higher rate makes it worth less."""
    factors = discount_factors(np.sort(times), bands)
    assert (np.diff(factors) <= 0).all()
    assert (factors <= 1).all()
    assert (factors > 0).all()
    assert (discount_factors(np.sort(times), bands, shift=0.01) <= factors).all()


streams_ = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30).map(np.array)


@given(net=streams_)
def test_break_even_is_when_the_balance_stays_above_zero(net):
    balance = np.cumsum(net)
    tolerance = 1e-9 * np.abs(balance).max()
    year = int(break_even(balance))
    if year == NEVER:
        assert balance[-1] < -tolerance
    else:
        assert (balance[year:] >= -tolerance).all()
        assert year == 0 or balance[year - 1] < -tolerance


@given(net=streams_)
def test_internal_rate_is_where_the_stream_is_worth_nothing(net):
    rate, reason = internal_rate_of_return(net)
    if rate is None:
        assert reason
    else:
        times = np.arange(len(net))
        amounts_now = net * (1 + rate) ** -times
        assert abs(amounts_now.sum()) <= 1e-6 * np.abs(amounts_now).sum()
