"""Names of units are made late and tell nothing; names in the outcomes table are looked up once."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from virkning import provenance
from virkning.data import Tables
from virkning.data.keys import Keys
from virkning.estimand import Outcome


def digests(units: list[object], *, has_repeats: bool = True) -> provenance.Digests:
    return provenance.Digests("salt", pd.Series(units), has_repeats=has_repeats)


@pytest.mark.parametrize("units", [["b", "æ", "b"], [7, 3, 7], [True, False, True]])
def test_digest_is_the_beginning_of_the_checksum(units: list[object]) -> None:
    expected = tuple(provenance.checksum("salt", str(unit))[:16] for unit in units)
    found = digests(units)
    assert found == expected
    assert expected == found
    assert (found[0], len(found), list(found)) == (expected[0], 3, list(expected))
    assert hash(found) == hash(expected)
    codes = found.codes()
    assert codes is not None
    assert codes.tolist() == [0, 1, 0]


def test_persons_without_repeats_need_no_codes() -> None:
    found = digests(["b", "a"], has_repeats=False)
    assert found.codes() is None
    assert found == digests(["b", "a"])


def test_names_do_not_leave_with_the_digests() -> None:
    found = digests(["Karen Jensen"], has_repeats=False)
    assert "Karen" not in repr(found)
    packed = pickle.dumps(found)
    assert b"Karen" not in packed
    assert pickle.loads(packed) == found.names()


PERIODS = ("2019", "2020", "2021")


@pytest.fixture
def tables() -> Tables:
    generator = np.random.default_rng(3)
    people = pd.DataFrame({"participant_id": [f"p{k}" for k in range(30)], "is_treated": np.arange(30) % 2 == 0})
    rows = pd.MultiIndex.from_product(
        [people["participant_id"], PERIODS, ["a", "b"]], names=["participant_id", "period", "measure"]
    )
    outcomes = rows.to_frame(index=False).assign(value=generator.normal(size=len(rows)))
    outcomes.loc[generator.random(len(rows)) < 0.2, "value"] = np.nan
    outcomes.loc[(outcomes["period"] == "2021") & (outcomes["measure"] == "b"), "value"] = np.nan
    outcomes = outcomes.sample(frac=0.9, random_state=1)
    measures = {
        name: Outcome(label=name, unit="EUR", kind="amount", period="2020", primary=name == "a") for name in ("a", "b")
    }
    return Tables.of(people, outcomes, measures)


@pytest.mark.parametrize("periods", [("2020",), ("2021", "2019"), PERIODS, ("1999", "2020"), ("1999",)])
def test_known_values_are_those_of_the_table(tables: Tables, periods: tuple[str, ...]) -> None:
    person, period, value = tables.known_values("a", periods)
    table = tables.outcomes
    expected = table[(table["measure"] == "a") & table["period"].isin(periods) & table["value"].notna()]
    names = tables.participants["participant_id"].to_numpy()[person]
    found = pd.DataFrame({"participant_id": names, "period": np.array(periods)[period], "value": value})
    both = found.merge(expected, on=["participant_id", "period", "value"])
    assert len(both) == len(found) == len(expected)
    assert (np.diff(person * len(periods) + period) > 0).all()


def test_values_of_a_measure_are_in_the_order_of_the_participants(tables: Tables) -> None:
    table = tables.outcomes
    chosen = table[(table["measure"] == "b") & (table["period"] == "2020")].set_index("participant_id")["value"]
    expected = chosen.reindex(tables.participants["participant_id"]).to_numpy()
    np.testing.assert_array_equal(tables.values_of("b"), expected)
    np.testing.assert_array_equal(tables.analysis("b")["value"], expected)
    with pytest.raises(ValueError, match="read-only"):
        tables.values_of("b")[0] = 1.0


def test_periods_with_and_without_values(tables: Tables) -> None:
    assert set(tables.periods_of("b")) == {"2019", "2020"}
    assert set(tables.periods_of("b", needs_value=False)) == set(PERIODS)
    assert set(tables.periods_of()) == set(PERIODS)


def test_many_periods_need_longer_numbers() -> None:
    n = 40_000
    outcomes = pd.DataFrame({"participant_id": "p", "period": [f"t{k}" for k in range(n)], "measure": "a"})
    keys = Keys.of(pd.DataFrame({"participant_id": ["p"]}), outcomes)
    person, period, value = keys.known("a", [f"t{n - 1}"], np.arange(n, dtype=float))
    assert (person.tolist(), period.tolist(), value.tolist()) == ([0], [0], [n - 1])
