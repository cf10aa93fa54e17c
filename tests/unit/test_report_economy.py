"""The cost–benefit chapter: tables add up, sentences say what tables say, and the contract stands beside it."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import virkning as vk
from virkning.disclosure import DisclosureRule
from virkning.economy import Economy, EconomySpecification
from virkning.economy.figures import money
from virkning.economy.pictures import (
    balance_table,
    called,
    others,
    payers,
    spread_table,
    surprise,
    waterfall_table,
)
from virkning.economy.results import PUBLIC
from virkning.errors import UsageError
from virkning.report.economy.with_contract import PayerAccount, accounts

shown = vk.report.economy
GIVEN = {"currency": "DKK", "price_year": 2024, "source": "a test"}
DOCUMENT = {
    "currency": "DKK",
    "price_year": 2024,
    "start_year": 2024,
    "horizon_years": 5,
    "people": {"intake": {0: 10}},
    "parties": {
        "municipality": {"label": "the municipality", "kind": "public"},
        "state": {"label": "the state", "kind": "public"},
        "participants": {"label": "the participants", "kind": "participant"},
    },
    "discounting": {"type": "constant", "rate": 0.0},
    "costs": {
        "mentor": {
            "label": "Mentor", "kind": "running", "amount": 700, "low": 650, "high": 1_100, "per": "participant",
            "payer": "municipality", **GIVEN,
        }
    },
    "prices": {"month": {"label": "A month", "value": 100, "per": "months", "every": "year", "grade": "D", **GIVEN}},
    "consequences": {
        "assistance": {
            "label": "Assistance", "outcome": "months", "subject": "assistance", "price": "month",
            "gains": "participants", "loses": "municipality", "duration_years": 4,
            "reimbursements": [{"party": "state", "share": 0.25, "of": "municipality"}],
        }
    },
    "scenarios": {"dear": {"label": "Dear mentors", "changes": {"costs.mentor.amount": 1_000}}},
}  # fmt: skip


def answer(effects, *, seed=4, **changes):
    economy = Economy.of(EconomySpecification.model_validate({**DOCUMENT, **changes}))
    return vk.cost_benefit(economy, effects, draws=2_000, seed=seed)


@pytest.fixture(scope="module")
def effects(made_up_effects):
    # Fewer months on assistance: 2.5 a year.
    return made_up_effects({"months": (-2.5, 0.3, "months")}, better="lower")


@pytest.fixture(scope="module")
def found(effects):
    return answer(effects)


def clear(table, threshold=5):
    return vk.clear(table, DisclosureRule(threshold=threshold))


def hidden(table):
    return clear(table, 101)


def test_waterfall_goes_from_nothing_to_the_net_present_value(found):
    for party in (*payers(found), *others(found)):
        frame = waterfall_table(found, party).frame
        steps = frame.iloc[:-1]
        assert (steps["end"] - steps["start"]).tolist() == pytest.approx(steps["amount"].tolist())
        assert steps["start"].tolist() == pytest.approx([0.0, *steps["end"].tolist()[:-1]])
        assert frame["amount"].iloc[-1] == pytest.approx(steps["amount"].sum())
        if party != PUBLIC:
            assert frame["amount"].iloc[-1] == pytest.approx(found.net_present_value(party))


def test_municipality_by_hand(found):
    # 10 x 700 out, 10 x 2.5 x 100 x 0.75 a year in, for four years.
    assert waterfall_table(found, "municipality").frame["amount"].tolist() == [-7_000, 7_500, 500]
    balance = balance_table(found, "municipality").frame
    assert balance["balance"].tolist() == [-5_125, -3_250, -1_375, 500, 500, 500]
    assert balance["year"].tolist() == [2024, 2025, 2026, 2027, 2028, 2029]


def test_public_accounts_are_the_sum_of_the_public_parties(found):
    whole = balance_table(found, PUBLIC).frame
    parts = [balance_table(found, party).frame for party in ("municipality", "state")]
    for column in ("net", "balance"):
        assert whole[column].tolist() == pytest.approx(sum(part[column] for part in parts).tolist())
    assert called(found, PUBLIC) == "All public accounts"


def test_spread_agrees_with_the_answer(found):
    frame = spread_table(found).frame.set_index("party")
    assert frame.index.tolist() == [
        "The municipality", "The state", "All public accounts", "The participants", "Society",
    ]  # fmt: skip
    row = frame.loc["The municipality"]
    assert row["central"] == pytest.approx(found.net_present_value("municipality"))
    assert row["pays"] == pytest.approx(100 * found.probability_that_it_pays("municipality"))
    assert row["q05"] < row["q25"] < row["q50"] < row["q75"] < row["q95"]
    assert frame.loc["Society", "view"] == "welfare"
    assert frame.loc["The municipality", "view"] == "budget"


def test_likeliest_sum_and_middle_of_the_draws_are_both_said_when_they_disagree(found, effects):
    # The cost reaches far up and hardly down: +500 as assumed, below zero in the middle of the draws.
    words = surprise(found, "municipality")
    assert words.startswith(f"{money(500, 'DKK')} as assumed, DKK −")
    certain = {"mentor": {**DOCUMENT["costs"]["mentor"], "low": None, "high": None}}
    assert surprise(answer(effects, costs=certain), "municipality") == ""


def test_answer_names_every_payer_with_amount_year_and_probability(found):
    text = shown.answer(found, clear).text
    assert text.startswith("What does it cost, and when is it earned back? The municipality pays DKK 7,000")
    assert "It is earned back in year 3 (2027)" in text
    assert re.search(r"it pays in \d+ of 100 draws", text)
    for sentence in found.sentences():
        assert sentence in text


def test_every_exhibit_of_the_chapter_can_be_made(found):
    made = [
        shown.answer(found, clear),
        shown.basis(found, clear),
        *shown.payer_sections(found, clear),
        *shown.spread(found, clear),
        shown.key_figures(found, clear),
        *shown.hangs_on(found, clear),
        shown.other_assumptions(found, clear),
        *shown.weights(found, clear),
        *shown.front(found, clear),
    ]
    names = [item.name for item in made if item.kind in ("figure", "folded")]
    # Only the front page repeats a picture, and it is a page of its own.
    assert len(set(names)) == len(names) - 1
    for item in made:
        if item.kind == "figure":
            assert "DKK" in item.text


def test_nothing_is_shown_of_small_groups(found):
    for made in (
        [shown.answer(found, hidden)], [shown.basis(found, hidden)], shown.payer_sections(found, hidden),
        shown.front(found, hidden), shown.sensitivity(found, hidden),
    ):  # fmt: skip
        assert [item.kind for item in made] == ["prose"]
        assert not re.search(r"DKK|\d{3}", made[0].text)
    tables = [shown.key_figures(found, hidden), shown.other_assumptions(found, hidden), *shown.spread(found, hidden)]
    assert not any(re.search(r"\d,\d{3}", item.text) for item in tables)


def test_without_incomes_nothing_is_weighed(found, effects):
    (only,) = shown.weights(found, clear)
    assert only.kind == "prose"
    parties = {**DOCUMENT["parties"], "participants": {**DOCUMENT["parties"]["participants"], "income": 100.0}}
    weighed = answer(effects, parties=parties, welfare={"median_income": 200.0})
    words, table = shown.weights(weighed, clear)
    assert "1.3" in words.text
    assert f"{2**1.3:.4f}" in table.text


def test_front_page_says_payer_and_society(found):
    words, figure = shown.front(found, clear)
    assert found.sentence("municipality") in words.content
    assert found.sentence() in words.content
    assert "{doc}" in words.content
    assert figure.name == "balance-municipality-figure"


class Settled:
    """A contract that was settled for each draw: 1,500 in 2024 and 2,000 in 2026, or nothing in every second draw.

    With ``brings``, an investor's money comes to the provider in 2024, and 500 flow back to the payer in 2027.
    """

    def __init__(self, n, payer="municipality", currency="DKK", brings=0.0):
        self.n, self.payer, self.brings = n, payer, brings
        parties = {payer: SimpleNamespace(roles=("payer",)), "association": SimpleNamespace(roles=("provider",))}
        self.contract = SimpleNamespace(currency=currency, parties=parties, waterfall=brings or None)

    def payments(self):
        draws = np.arange(0, self.n, 2)
        paid = ((2024, 1_500.0), (2026, 2_000.0))
        rows = [(draw, self.payer, year, amount) for draw in draws for year, amount in paid]
        return pd.DataFrame(rows, columns=["draw", "payer", "year", "amount"])

    def flows(self):
        paid = self.payments().rename(columns={"payer": "party"})
        back = pd.DataFrame({"draw": range(self.n), "party": self.payer, "year": 2027, "amount": 500.0})
        brought = pd.DataFrame({"draw": range(self.n), "party": "association", "year": 2024, "amount": self.brings})
        return pd.concat([paid.assign(amount=-paid["amount"]), back, brought], ignore_index=True)


def test_contract_against_savings_draw_by_draw(found):
    (account,) = accounts(found, Settled(2_000), 4)
    assert account.years.tolist() == [2024, 2025, 2026, 2027, 2028, 2029]
    assert account.paid[0].tolist() == [1_500, 0, 2_000, 0, 0, 0]
    assert account.paid[1].tolist() == [0] * 6
    # Savings are the gains of the very draws on which the economy rests: its costs are not in them.
    position = list(found.model.parties).index("municipality")
    np.testing.assert_allclose(account.saved.sum(axis=1), found.draws.gains[:, position], rtol=1e-12)
    np.testing.assert_allclose(account.outside.sum(axis=1), -found.draws.costs[:, position], rtol=1e-12)
    paid, saved, outside = account.worth
    assert account.share_at_a_loss == float((paid > saved).mean())
    assert account.share_at_a_loss_in_all == float((paid + outside > saved).mean()) > account.share_at_a_loss
    assert "The municipality pays DKK 1,750 on average" in account.sentence


def test_investors_money_relieves_the_payer_and_what_flows_back_counts(found):
    (plain,) = accounts(found, Settled(2_000), 4)
    (account,) = accounts(found, Settled(2_000, brings=3_000.0), 4)
    assert account.paid[0].tolist() == [1_500, 0, 2_000, -500, 0, 0]
    # Only the municipality pays for the mentors, so all that the investor brings relieves it.
    np.testing.assert_allclose((plain.outside - account.outside)[:, 0], 3_000.0)
    np.testing.assert_allclose((plain.outside - account.outside)[:, 1:], 0.0)


def test_contract_that_takes_more_than_it_saves(found):
    years, one = np.array([2024, 2025]), np.ones((2_000, 1))
    nothing = one * [0.0, 0.0]
    account = PayerAccount(found, "municipality", years, one * [300.0, 0.0], one * [0.0, 200.0], nothing)
    assert account.share_at_a_loss == 1.0
    assert account.sentence.endswith("it pays more than it saves in more than 99 of 100 draws.")
    worse = PayerAccount(found, "municipality", years, nothing, one * [0.0, -200.0], nothing)
    assert "the effects cost it DKK 200 on average" in worse.sentence
    assert account.table().frame["behind"].tolist() == [100.0, 100.0]


def test_payments_beyond_the_horizon_count(found):
    late = Settled(2_000)
    late.payments = lambda: pd.DataFrame({"draw": [0], "payer": ["municipality"], "year": [2031], "amount": [9.0]})
    (account,) = accounts(found, late, 4)
    assert account.years[-1] == 2031
    assert account.paid[0, -1] == 9.0
    assert account.saved[:, 6:].tolist() == [[0.0, 0.0]] * 2_000


@pytest.mark.parametrize(("n", "currency"), [(1_000, "DKK"), (2_000, "EUR")])
def test_contract_on_other_draws_or_in_another_currency_is_refused(n, currency, found):
    with pytest.raises(UsageError) as refused:
        accounts(found, Settled(n, currency=currency), 4)
    assert refused.value.code == "usage.contract_and_economy"


def test_contract_exhibits(found):
    words, figure, table = shown.contract_exhibits(found, Settled(2_000), 4, clear)
    assert words.kind == "prose"
    assert figure.kind == "figure"
    assert "2026" in table.text
    (nobody,) = shown.contract_exhibits(found, Settled(2_000, payer="somebody"), 4, clear)
    assert "do not meet" in nobody.text
    (none,) = shown.contract_exhibits(found, None, 4, clear)
    assert "no contract" in none.text
    (small,) = shown.contract_exhibits(found, Settled(2_000), 4, hidden)
    assert "DKK" not in small.text
