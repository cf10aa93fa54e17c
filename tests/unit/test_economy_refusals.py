"""What an economy may not say: every mistake is refused with what, where, why and what to do."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import yaml

import virkning as vk
from virkning.economy import EconomySpecification
from virkning.errors import DataError, ProgrammeError, UsageError

TEXT = """
currency: DKK
price_year: 2024
start_year: 2024
horizon_years: 10
people: {intake: {0: 100}, completers: 80}
parties:
  municipality: {label: the municipality, kind: public}
  state: {label: the state, kind: public}
  participants: {label: the participants, kind: participant}
  others: {label: other people, kind: other}
index: {name: made up, source: made up, values: {2020: 100, 2024: 115}}
prices:
  work: {label: a month of work, value: 20000, per: months, every: year, currency: DKK, price_year: 2024,
         source: made up, grade: D, low: 15000, high: 30000}
costs:
  mentors: {label: mentors, kind: running, amount: 30000, per: participant, currency: DKK, price_year: 2024,
            payer: municipality, years: 2, source: made up}
consequences:
  wages: {label: wages, outcome: months_in_work, subject: earnings, price: work, gains: participants,
          start_year: 1, duration_years: 5}
"""


def write(folder, text=TEXT, **files):
    (folder / "economy.yml").write_text(text, encoding="utf-8")
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return folder


def said(**changes):
    """Return the document with values at dotted paths (with two underscores for the dot) replaced."""
    values = copy.deepcopy(yaml.safe_load(TEXT))
    for path, value in changes.items():
        *steps, last = path.split("__")
        here = values
        for step in steps:
            here = here[step]
        here[last] = value
    return values


def economy(**changes):
    return vk.Economy.of(EconomySpecification.model_validate(said(**changes)))


def second(**given):
    """Return the first consequence once more, with something changed."""
    return {**yaml.safe_load(TEXT)["consequences"]["wages"], **given}


@pytest.fixture
def effects(made_up_effects):
    return made_up_effects({"months_in_work": (1.5, 0.5, "months"), "wellbeing": (0.2, 0.1, "points")})


def complete(error, code):
    """Tell that an error says what, where, why and what to do."""
    assert error.value.code == code
    assert all((error.value.what, error.value.where, error.value.why, error.value.do))
    return True


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        (" price_year: 2024,\n         source", "\n         source", "line 14, prices.work", "price_year"),
        (
            " currency: DKK, price_year: 2024,\n         source",
            " price_year: 2024,\n         source",
            "prices.work",
            "curr",
        ),
        ("duration_years: 5", "duration_years: -1", "consequences.wages.duration_years", "greater than 0"),
        ("low: 15000, high: 30000", "low: 25000, high: 30000", "prices.work", "does not hold the value"),
        ("low: 15000, high: 30000", "low: 15000", "prices.work", "one end only"),
        ("value: 20000", "value: -5", "prices.work.value", "greater than or equal to 0"),
        ("value: 20000", "value: .nan", "prices.work.value", "finite"),
        ("grade: D", "grade: E", "prices.work.grade", "'A', 'B', 'C' or 'D'"),
        ("completers: 80", "completers: 101", "people", "More people complete"),
        ("duration_years: 5", "durations_years: 5", "consequences.wages", "Unknown key «durations_years»"),
        ("gains: participants,", "gains: participants, loses: participants,", "consequences.wages", "nothing changes"),
        ("gains: participants,", "", "consequences.wages", "who gains, or who loses"),
        ("duration_years: 5", "duration_years: 5, duration_low: 6, duration_high: 7", "consequences.wages", "duration"),
        ("duration_years: 5", "duration_years: 5, duration_low: 3", "consequences.wages", "one end only"),
        ("duration_years: 5", "duration_years: 5, persistence: {type: measured}", "consequences.wages", "either terms"),
        ("duration_years: 5", "duration_years: 5, persistence: {type: sudden}", "consequences.wages", "sudden"),
        ("kind: running, ", "", "costs.mentors", "kind"),
    ],
)
def test_mistakes_in_the_file(old, new, where, what, tmp_path):
    assert old in TEXT
    with pytest.raises(ProgrammeError) as error:
        vk.Economy.read(write(tmp_path, TEXT.replace(old, new, 1)))
    assert complete(error, "programme.invalid")
    assert where in error.value.where
    assert what in error.value.what


PASSED = {"party": "state", "share": 0.6}
CASES = [
    ("programme.unknown_party", {"costs__mentors__payer": "municipalty"}, "costs.mentors.payer"),
    ("programme.unknown_party", {"costs__mentors__recipient": "nobody"}, "costs.mentors.recipient"),
    ("programme.unknown_party", {"consequences__wages__gains": "nobody"}, "consequences.wages.gains"),
    (
        "programme.unknown_party",
        {"consequences__wages__taxes": [{"party": "tax_office", "share": 0.3}]},
        "consequences.wages.taxes.0.party",
    ),
    ("programme.passed_on_too_much", {"consequences__wages__taxes": [PASSED, PASSED]}, "consequences.wages"),
    (
        "programme.passed_on",
        {"consequences__wages__taxes": [{**PASSED, "of": "municipality"}]},
        "consequences.wages.taxes.0",
    ),
    (
        "programme.passed_on",
        {"costs__mentors__reimbursements": [{"party": "municipality", "share": 1}]},
        "costs.mentors",
    ),
    (
        "programme.displaced_participants",
        {"consequences__wages__displacement": {"share": 0.2, "party": "participants", "source": "x"}},
        "consequences.wages.displacement.party",
    ),
    ("programme.reserved_party", {"parties__society": {"label": "all", "kind": "other"}}, "parties.society"),
    ("programme.horizon", {"consequences__wages__duration_years": 11}, "consequences.wages.duration_years"),
    (
        "programme.horizon",
        {"consequences__wages__duration_low": 4, "consequences__wages__duration_high": 10.5},
        "consequences.wages.duration_years",
    ),
    ("programme.horizon", {"costs__mentors__years": 12}, "costs.mentors"),
    ("programme.horizon", {"people__intake": {11: 100}, "consequences": {}}, "people.intake"),
    ("programme.currency", {"prices__work__currency": "EUR"}, "consequences.wages.price"),
    ("programme.currency", {"costs__mentors__currency": "EUR"}, "costs.mentors"),
    ("programme.price_index", {"prices__work__price_year": 2019}, "consequences.wages.price"),
    ("programme.price_index", {"costs__mentors__price_year": 2020, "index": None}, "costs.mentors"),
    ("programme.unknown_price", {"consequences__wages__price": "wrk"}, "consequences.wages.price"),
    ("programme.empty_price", {"consequences__wages__price": "dk_prison_day"}, "consequences.wages.price"),
    ("programme.once", {"prices__work__every": "once"}, "consequences.wages.duration_years"),
    (
        "programme.measured_path",
        {"consequences__wages__persistence": {"type": "measured", "shares": [1, 0.5], "source": "x"}},
        "consequences.wages.duration_years",
    ),
    ("programme.no_median_income", {"parties__participants__income": 100_000}, "welfare.median_income"),
    ("programme.empty_economy", {"costs": {}, "consequences": {}}, "economy.yml"),
    # An outcome valued twice: the same subject in the same years, through one outcome or through two.
    ("programme.counted_twice", {"consequences__again": second()}, "consequences.again"),
    (
        "programme.counted_twice",
        {"consequences__again": second(outcome="wellbeing", start_year=5)},
        "consequences.again",
    ),
    (
        "programme.counted_twice",
        {"prices__work__covers": ["health"], "consequences__health": second(outcome="wellbeing", subject="health")},
        "consequences.health",
    ),
    # Measured and inferred from another outcome.
    (
        "programme.counted_twice",
        {
            "consequences__inferred": second(
                subject="calm",
                link={"outcome": "wellbeing", "unit": "months", "change": 0.1, "source": "x"},
            ),
            "consequences__measured": second(outcome="wellbeing", subject="joy"),
        },
        "consequences.inferred",
    ),
    # Inferred from two outcomes.
    (
        "programme.counted_twice",
        {
            "consequences__one": second(
                subject="calm", link={"outcome": "health", "unit": "months", "change": 0.1, "source": "x"}
            ),
            "consequences__other": second(
                outcome="wellbeing",
                subject="joy",
                link={"outcome": "health", "unit": "months", "change": 0.1, "source": "x"},
            ),
        },
        "consequences.one",
    ),
]


@pytest.mark.parametrize(("code", "changes", "where"), CASES)
def test_contradictions(code, changes, where):
    with pytest.raises(ProgrammeError) as error:
        economy(**changes)
    assert complete(error, code)
    assert where in error.value.where


def test_contradiction_is_found_with_its_line(tmp_path):
    with pytest.raises(ProgrammeError) as error:
        vk.Economy.read(write(tmp_path, TEXT.replace("payer: municipality", "payer: municipalty")))
    assert error.value.where == "economy.yml, line 18, costs.mentors.payer"
    assert error.value.do == "Did you mean «municipality»?"


def test_one_subject_may_be_valued_through_two_outcomes_in_different_years():
    both = economy(consequences__later=second(outcome="wellbeing", start_year=6))
    assert len(both.specification.consequences) == 2


@pytest.mark.parametrize(
    ("code", "changes", "where"),
    [
        ("programme.unknown_outcome", {"consequences__wages__outcome": "months_at_work"}, "consequences.wages.outcome"),
        ("programme.unit_mismatch", {"prices__work__per": "months a year"}, "consequences.wages.price"),
        ("programme.deadweight", {"consequences__wages__deadweight_share": 0.2}, "consequences.wages"),
        ("programme.deadweight", {"consequences__wages__attribution_share": 0.2}, "consequences.wages"),
        (
            "programme.unknown_term",
            {"consequences__wages__persistence": {"type": "measured", "terms": ["year 1"] * 5}},
            "consequences.wages.persistence.terms",
        ),
    ],
)
def test_effects_that_do_not_fit(code, changes, where, effects):
    with pytest.raises(ProgrammeError) as error:
        vk.cost_benefit(economy(**changes), effects, draws=1_000)
    assert complete(error, code)
    assert where in error.value.where


def test_value_per_month_against_an_effect_per_year(made_up_effects):
    effects = made_up_effects({"months_in_work": (1.5, 0.5, "DKK a year")})
    with pytest.raises(ProgrammeError, match="«DKK a month»") as error:
        vk.cost_benefit(economy(prices__work__per="DKK a month"), effects, draws=1_000)
    assert complete(error, "programme.unit_mismatch")


def test_logarithms_have_no_value(made_up_effects):
    effects = made_up_effects({"months_in_work": (0.1, 0.05, "months")}, kind="log")
    with pytest.raises(ProgrammeError) as error:
        vk.cost_benefit(economy(), effects, draws=1_000)
    assert complete(error, "programme.log_outcome")


def test_effect_that_is_not_available(effects):
    known = effects["months_in_work"]
    fields = {name: getattr(known, name) for name in ("estimand", "level", "evidence_level", "method", "provenance")}
    gone = vk.Estimates({"months_in_work": vk.Estimate.unavailable("Nobody was asked.", **fields)})
    with pytest.raises(ProgrammeError, match="Nobody was asked") as error:
        vk.cost_benefit(economy(), gone, draws=1_000)
    assert complete(error, "programme.no_effect")


def test_too_few_draws(effects):
    with pytest.raises(UsageError) as error:
        vk.cost_benefit(economy(), effects, draws=999)
    assert complete(error, "usage.draws")
    with pytest.raises(UsageError) as error:
        vk.cost_benefit(economy(), effects, draws=1_001, effect_draws=effects.draws(1_000, np.random.default_rng(1)))
    assert complete(error, "usage.effect_draws")


def test_society_has_no_budget(effects):
    found = vk.cost_benefit(economy(), effects, draws=1_000)
    with pytest.raises(UsageError, match="no budget"):
        found.net_present_value("society", "budget")
    with pytest.raises(UsageError) as error:
        found.sentence("municipalty")
    assert error.value.do == "Did you mean «municipality»?"


def test_missing_file(tmp_path):
    with pytest.raises(ProgrammeError) as error:
        vk.Economy.read(tmp_path)
    assert error.value.code == "programme.missing_file"


def test_changed_path_that_does_not_exist(tmp_path):
    with pytest.raises(UsageError) as error:
        vk.Economy.read(write(tmp_path), {"consequences.wages.duration_year": 3})
    assert error.value.do == "Did you mean «duration_years»?"


HEADER = "price_id,label,value,low,high,per,every,currency,price_year,source,grade,covers,note\n"


def test_price_file_without_price_year(tmp_path):
    line = "work,a month,10,,,months,year,DKK,,made up,D,,\n"
    text = TEXT + "price_library: {path: prices.csv}\n"
    with pytest.raises(ProgrammeError, match="no price_year") as error:
        vk.Economy.read(write(tmp_path, text, prices=HEADER + line))
    assert complete(error, "programme.economy_line")
    assert error.value.where == "prices.csv, work"


def test_price_file_that_breaks_its_schema(tmp_path):
    line = "work,a month,-10,,,months,fortnight,DKK,2024,made up,D,,\n"
    text = TEXT + "price_library: {path: prices.csv}\n"
    with pytest.raises(DataError) as error:
        vk.Economy.read(write(tmp_path, text, prices=HEADER + line))
    assert {problem.column for problem in error.value.problems} == {"value", "every"}


def test_cost_in_file_and_specification(tmp_path):
    table = (
        "cost_id,label,kind,amount,low,high,per,currency,price_year,payer,recipient,year,years,source\n"
        "mentors,m,running,5,,,programme,DKK,2024,municipality,,0,1,x\n"
    )
    with pytest.raises(ProgrammeError) as error:
        vk.Economy.read(write(tmp_path, TEXT + "costs_table: {path: costs.csv}\n", costs=table))
    assert complete(error, "programme.cost_twice")


def test_table_without_a_folder():
    with pytest.raises(ProgrammeError) as error:
        economy(price_library={"path": "prices.csv"})
    assert complete(error, "programme.no_folder")


@pytest.mark.parametrize(
    "rates",
    [
        [{"last_year": 10, "rate": 0.03}],
        [{"rate": 0.03}, {"last_year": 10, "rate": 0.02}],
        [{"last_year": 10, "rate": 0.03}, {"last_year": 5, "rate": 0.02}, {"rate": 0.01}],
    ],
)
def test_own_table_of_rates_in_disorder(rates, tmp_path):
    text = TEXT + yaml.safe_dump({"discounting": {"type": "table", "rates": rates, "source": "x"}})
    with pytest.raises(ProgrammeError) as error:
        vk.Economy.read(write(tmp_path, text))
    assert complete(error, "programme.invalid")
