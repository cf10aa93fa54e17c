"""Synthetic data keep every rule of their schema, and the made-up trial has the effect that it says it has."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virkning.data import (
    BASELINE_FIELDS,
    Constraints,
    Field,
    Tables,
    TableSchema,
    TableSource,
    compile_schema,
    load_schema,
    read_table,
    synthetic_programme_tables,
    synthetic_table,
)
from virkning.data.validation import conform
from virkning.errors import UsageError
from virkning.estimand import Outcome

PATTERNS = ["P\\d{4}", "[A-Z]{2}[0-9]+", "^\\w{3,5}$", "a?b*c+", "[a-c_-]{4}", "x\\.y{2,}", "DK-\\d+"]
DAY = dt.date(2000, 1, 1)


@st.composite
def described(draw: st.DrawFn, name: str, *, unique: bool) -> Field:
    kind = draw(st.sampled_from(["string", "integer", "number", "boolean", "date", "year"]))
    rules: dict[str, object] = {"required": draw(st.booleans()), "unique": unique and kind not in ("boolean", "year")}
    bounds = {
        "integer": st.integers(-(10**6), 10**6),
        "number": st.floats(-1e6, 1e6),
        "year": st.integers(1900, 2100),
        "date": st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)),
    }
    if kind == "string":
        choice = draw(st.sampled_from(["free", "pattern", "enum", "length"]))
        if choice == "pattern":
            rules["pattern"] = draw(st.sampled_from(PATTERNS))
        elif choice == "enum" and not rules["unique"]:
            rules["enum"] = draw(st.lists(st.text("abcæNA", min_size=1, max_size=3), min_size=2, unique=True))
        elif choice == "length":
            rules["minLength"] = draw(st.integers(0, 6))
            rules["maxLength"] = draw(st.integers(6, 9))
    elif kind in bounds:
        low = draw(st.none() | bounds[kind])
        width = 200 if kind in ("integer", "year") else 1.0 if kind == "number" else dt.timedelta(200)
        high = None if low is None or draw(st.booleans()) else low + width
        rules["minimum"], rules["maximum"] = low, high
        if low is None:
            rules["maximum"] = draw(st.none() | bounds[kind])
        if kind == "integer" and not rules["unique"] and draw(st.booleans()):
            rules = {"enum": [low or 0, (low or 0) + 1]}
    return Field.model_validate({"name": name, "type": kind, "title": "T", "unit": "u", "constraints": rules})


@st.composite
def schemas(draw: st.DrawFn) -> TableSchema:
    fields = [draw(described(f"c{index}", unique=draw(st.booleans()))) for index in range(draw(st.integers(1, 5)))]
    fields.append(Field(name="id", type="string", title="Id", role="identifier"))
    fields.append(Field(name="wave", type="integer", title="Wave", unit="number"))
    key = draw(st.sampled_from([(), ("id",), ("id", "wave")]))
    return TableSchema(name="t", fields=tuple(fields), primary_key=key, missing_values=("", "NA", "-9", "a"))


@settings(max_examples=60, deadline=None)
@given(schemas(), st.integers(1, 40), st.integers(0, 99))
def test_every_schema_has_a_synthetic_table_that_passes_it(schema: TableSchema, n: int, seed: int) -> None:
    frame = synthetic_table(schema, n, np.random.default_rng(seed))
    assert frame.shape == (n, len(schema.fields))
    compile_schema(schema).validate(frame, lazy=True)
    conformed, problems = conform(frame, schema, "t")
    assert problems == []
    pd.testing.assert_frame_equal(conformed, frame)
    assert not frame.isna().to_numpy().any()
    pd.testing.assert_frame_equal(frame, synthetic_table(schema, n, np.random.default_rng(seed)))


@settings(max_examples=30, deadline=None)
@given(schemas(), st.sampled_from([(";", ",", "cp1252"), (",", ".", "utf-8"), ("\t", ",", "utf-8-sig")]))
def test_synthetic_table_comes_back_from_a_file_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, schema: TableSchema, form: tuple[str, str, str]
) -> None:
    delimiter, decimal, encoding = form
    folder = tmp_path_factory.mktemp("csv")
    frame = synthetic_table(schema, 12, np.random.default_rng(0))
    dates = {field.name for field in schema.fields if field.type == "date"}
    text = frame.assign(**{name: frame[name].dt.strftime("%Y-%m-%d") for name in dates})
    text.to_csv(folder / "t.csv", index=False, sep=delimiter, decimal=decimal, encoding=encoding)
    back = read_table(folder, TableSource(path="t.csv", decimal=decimal, delimiter=delimiter), schema, "t")
    pd.testing.assert_frame_equal(back, frame)


def test_ids_are_used_in_their_order_or_drawn_from() -> None:
    ids = ["a", "b", "c"]
    assert (
        synthetic_table(load_schema("participants"), 3, np.random.default_rng(0), ids)["participant_id"].tolist() == ids
    )
    outcomes = synthetic_table(load_schema("outcomes"), 30, np.random.default_rng(0), ids)
    assert set(outcomes["participant_id"]) <= set(ids)
    assert not outcomes.duplicated(["participant_id", "period", "measure"]).any()


def _one(kind: str, **rules: object) -> TableSchema:
    field = Field.model_validate({"name": "x", "type": kind, "title": "X", "unit": "u", "constraints": rules})
    return TableSchema(name="t", fields=(field,))


@pytest.mark.parametrize(
    ("schema", "n"),
    [
        (_one("boolean", unique=True), 3),
        (_one("integer", unique=True, minimum=1, maximum=3), 4),
        (_one("integer", minimum=10**30), 1),
        (_one("number", unique=True, minimum=1, maximum=1), 2),
        (_one("string", unique=True, pattern="[ab]"), 3),
        (_one("string", pattern="[ab]", minLength=2), 1),
        (_one("string", maxLength=0), 1),
        (_one("string", enum=["ab"], pattern="c"), 1),
        (_one("year", unique=True, minimum=2000, maximum=2001), 3),
        (_one("date", unique=True, minimum="2020-01-01", maximum="2020-01-02"), 3),
        (_one("integer", enum=[1, 2], unique=True), 3),
    ],
)
def test_rules_that_leave_too_few_values_are_refused(schema: TableSchema, n: int) -> None:
    with pytest.raises(UsageError) as caught:
        synthetic_table(schema, n, np.random.default_rng(0))
    assert caught.value.code == "usage.synthetic_values"


@pytest.mark.parametrize("pattern", ["(a|b)", "a|b", "[^a]", ".", "a.c", "\\s", "[\\d]", "a(?=b)", "[ab]*?"])
def test_pattern_that_is_not_simple_is_refused(pattern: str) -> None:
    schema = TableSchema(name="t", fields=(Field(name="x", type="string", title="X"),))
    field = schema.fields[0].model_copy(update={"constraints": Constraints(pattern=pattern)})
    with pytest.raises(UsageError) as caught:
        synthetic_table(schema.model_copy(update={"fields": (field,)}), 2, np.random.default_rng(0))
    assert caught.value.code == "usage.synthetic_pattern"


def test_no_rows_are_refused() -> None:
    with pytest.raises(UsageError):
        synthetic_table(load_schema("participants"), 0, np.random.default_rng(0))


MEASURES = {
    "earnings_usd": Outcome(label="Earnings", unit="USD", kind="amount", period="2", primary=True),
    "is_employed": Outcome(label="Employed", unit="share", kind="share", period="2"),
    "visits_count": Outcome(label="Visits", unit="visits", kind="count", period="1"),
}
EFFECTS = {"earnings_usd": 12.0, "is_employed": 0.15, "visits_count": -1.0}


def test_made_up_trial_has_its_known_effect() -> None:
    n = 40_000
    participants, outcomes = synthetic_programme_tables(MEASURES, EFFECTS, np.random.default_rng(5), n=n)
    tables = Tables.of(participants, outcomes, MEASURES, {"participants": load_schema("participants", BASELINE_FIELDS)})
    assert participants["is_treated"].sum() == n // 2
    for measure, effect in EFFECTS.items():
        frame = tables.analysis(measure)
        arms = [frame.loc[frame["is_treated"] == arm, "value"] for arm in (True, False)]
        std_error = np.sqrt(sum(arm.var() / len(arm) for arm in arms))
        assert abs(arms[0].mean() - arms[1].mean() - effect) < 4 * std_error
    comparison = tables.analysis("earnings_usd").query("not is_treated")
    assert comparison["value"].mean() == pytest.approx(100, abs=1)
    assert comparison["value"].std() == pytest.approx(30, abs=1.5)
    assert comparison["value"].corr(comparison["education_years"].astype(float)) > 0.2


def test_same_seed_same_trial() -> None:
    first, second = (synthetic_programme_tables(MEASURES, EFFECTS, np.random.default_rng(3)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(
    ("effects", "n"), [({"is_employed": 0.7}, 20), ({"visits_count": -5}, 20), ({"nothing": 1}, 20), ({}, 3)]
)
def test_impossible_trial_is_refused(effects: dict[str, float], n: int) -> None:
    with pytest.raises(UsageError):
        synthetic_programme_tables(MEASURES, effects, np.random.default_rng(0), n=n)
