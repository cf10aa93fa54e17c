"""Which checks are made: those of the design, with what the programme adds and leaves out; an omission is printed."""

import pytest

from virkning.checks import BELONGING, CHECKS, CheckSettings, chosen, run_checks
from virkning.data import BASELINE_FIELDS, Tables, load_schema, synthetic_programme_tables
from virkning.designs import DESIGNS, RandomisedTrial, estimate
from virkning.errors import DesignError
from virkning.estimand import Outcome

DESIGN = RandomisedTrial(population="the persons", comparison="the others", covariates=("age_years",))


def test_every_design_has_its_list_and_every_list_holds_checks_that_exist() -> None:
    assert BELONGING.keys() == DESIGNS.keys()
    assert {name for names in BELONGING.values() for name in names} <= CHECKS.keys()


def test_programme_adds_and_omits() -> None:
    settings = CheckSettings(omit={"power": "It was reported before the start."})
    assert chosen(DESIGN, CheckSettings()) == BELONGING["randomised_trial"]
    assert "power" not in chosen(DESIGN, settings)
    assert chosen(DESIGN, CheckSettings(add=("power",))) == BELONGING["randomised_trial"]


@pytest.mark.parametrize("key", ["add", "omit"])
def test_unknown_check_is_refused_with_the_nearest_name(key: str) -> None:
    settings = CheckSettings(add=("balanse",)) if key == "add" else CheckSettings(omit={"balanse": "no"})
    with pytest.raises(DesignError, match=r"balanse") as caught:
        chosen(DESIGN, settings)
    assert "«balance»" in str(caught.value)
    assert f"checks.{key}" in str(caught.value)


def test_a_lottery_is_not_drawn_again_where_none_was_held() -> None:
    design = DESIGNS["before_after"](population="the persons", before=("0",))
    with pytest.raises(DesignError, match="does not apply"):
        chosen(design, CheckSettings(add=("randomisation_inference",)))


def test_omission_is_printed_and_other_checks_stay_the_same(rng_tables: Tables) -> None:
    effects = estimate(DESIGN, rng_tables)
    few = CheckSettings(permutations=100)
    everything = run_checks(DESIGN, rng_tables, effects, settings=few)
    less = run_checks(
        DESIGN, rng_tables, effects, settings=few.model_copy(update={"omit": {"balance": "No traits were measured."}})
    )
    assert "balance" not in less
    last = less.table().frame.iloc[-1]
    assert (last["check"], last["verdict"], last["reason"]) == ("Balance", "left out", "No traits were measured.")
    assert less["randomisation_inference"].numbers == everything["randomisation_inference"].numbers


@pytest.fixture
def rng_tables() -> Tables:
    import numpy as np

    measures = {"m": Outcome(label="M", unit="points", kind="amount", period="1", primary=True)}
    people, outcomes = synthetic_programme_tables(measures, {"m": 3.0}, np.random.default_rng(1), n=60)
    schemas = {"participants": load_schema("participants", BASELINE_FIELDS), "outcomes": load_schema("outcomes")}
    return Tables.of(people, outcomes, measures, schemas)
