"""Made-up data of any size, with a known effect, as everybody gets them; and the validated tables that ours get."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from virkning.data import Field, Tables, load_schema
from virkning.estimand import Outcome

TRAITS = ("age", "schooling", "savings")
LAST = "2020"
Frame = pd.DataFrame


def persons(n: int) -> Frame:
    """Return persons with traits, an office (about fifty persons each), a treatment and an outcome; n rows.

    Columns beside the traits: ``person``, ``office``, ``offered`` (a lottery), ``joined`` (of one's own will, so that
    it follows the traits and something unseen), ``chose`` (follows the traits only), ``score`` (running variable with
    its cutoff at zero), and an outcome of each: ``by_lottery``, ``by_joining``, ``by_choice``, ``by_score``.
    """
    generator = np.random.default_rng(20)
    traits = generator.normal(size=(n, len(TRAITS)))
    offices = generator.integers(0, max(n // 50, 2), size=n)
    shared = generator.normal(scale=0.3, size=offices.max() + 1)[offices]
    unseen, noise = generator.normal(size=(2, n))
    offered = generator.permutation(np.arange(n) % 2 == 0)
    joined = 1.2 * offered + 0.3 * traits[:, 0] + 0.5 * unseen + generator.normal(size=n) > 0.6
    chose = generator.random(n) < 1 / (1 + np.exp(1.1 - 0.5 * traits @ [1.0, -0.5, 0.3]))
    score = generator.normal(size=n)
    base = traits @ [0.5, 0.3, -0.2] + shared + noise
    columns = {
        "person": np.arange(n),
        "office": offices,
        **dict(zip(TRAITS, traits.T, strict=True)),
        "offered": offered,
        "joined": joined,
        "chose": chose,
        "score": score,
        "by_lottery": base + 0.2 * offered,
        "by_joining": base + 0.4 * joined + 0.8 * unseen,
        "by_choice": base + 0.2 * chose,
        "by_score": base + 0.3 * (score >= 0) + 0.5 * score - 0.2 * score**2,
    }
    return pd.DataFrame(columns)


def spells(n: int) -> Frame:
    """Return persons followed until they find work or are lost: ``week`` (whole weeks), ``found`` and the treatment."""
    people = persons(n)[["person", *TRAITS, "offered"]]
    generator = np.random.default_rng(21)
    hazard = 0.02 * np.exp(0.25 * people["offered"] + 0.2 * people["age"])
    works = np.ceil(generator.exponential(1 / hazard))
    lost = np.ceil(generator.uniform(20, 120, size=n))
    return people.assign(week=np.minimum(works, lost), found=works <= lost)


def panel(n_rows: int, *, n_periods: int = 10, starts: tuple[int, ...] = (5,), share: float = 0.5) -> Frame:
    """Return units over some years, one row each, the unit's own level and one trait among the columns.

    Parameters
    ----------
    n_rows : int
        Units times periods.
    n_periods : int
        Years; the last is 2020.
    starts : tuple of int
        Years (from zero) in which cohorts start; as many units in each.
    share : float
        Of units that start ever.
    """
    generator = np.random.default_rng(22)
    n = max(n_rows // n_periods, 20)
    trait = generator.normal(size=n)
    propensity = np.clip(share + 0.1 * trait, 0.05, 0.95)
    ever = generator.random(n) < propensity
    start = np.where(ever, generator.choice(starts, size=n), n_periods)
    years = np.arange(n_periods)
    on = years >= start[:, None]
    level = generator.normal(size=n) + 0.5 * trait
    value = level[:, None] + 0.1 * years + 0.05 * years * trait[:, None] + generator.normal(size=on.shape)
    value += on * (0.3 + 0.1 * (years - start[:, None]))
    first = int(LAST) - n_periods + 1
    return pd.DataFrame(
        {
            "person": np.repeat(np.arange(n), n_periods),
            "year": np.tile(first + years, n),
            "trait": np.repeat(trait, n_periods),
            "ever": np.repeat(ever, n_periods),
            "start": np.repeat(np.where(ever, first + start, 0), n_periods),
            "on": on.ravel(),
            "value": value.ravel(),
        }
    )


def tables(
    people: Frame,
    outcomes: Mapping[str, Frame],
    *,
    treatment: str,
    kinds: Mapping[str, str] | None = None,
) -> Tables:
    """Return validated tables.

    Parameters
    ----------
    people : DataFrame
        One row per person: ``person``, and columns of numbers, yes/no or text.
    outcomes : mapping of str to DataFrame
        By measure: ``person``, ``period`` (or nothing: the last year) and ``value``.
    treatment : str
        Column of people that says who was offered the programme.
    kinds : mapping of str to str, optional
        By measure: «share» or «count» where it is no amount.
    """
    types = {"b": "boolean", "f": "number", "i": "integer", "O": "string"}
    own = people.drop(columns=["person", treatment])
    kept = {name: types[own[name].dtype.kind] for name in own.columns}
    fields = [
        Field(name=name, type=kind, title=name, **({} if kind in ("boolean", "string") else {"unit": "units"}))
        for name, kind in kept.items()
    ]
    measures = {
        name: Outcome(label=name, unit="units", kind=(kinds or {}).get(name, "amount"), period=LAST, primary=not place)
        for place, name in enumerate(outcomes)
    }
    long = pd.concat(
        pd.DataFrame(
            {
                "participant_id": _names(frame["person"]),
                "period": frame["period"].astype(str) if "period" in frame else LAST,
                "measure": name,
                "value": frame["value"].astype(float),
            }
        )
        for name, frame in outcomes.items()
    )
    participants = own.assign(participant_id=_names(people["person"]), is_treated=people[treatment].astype(bool))
    schemas = {"participants": load_schema("participants", tuple(fields)), "outcomes": load_schema("outcomes")}
    return Tables.of(participants, long, measures, schemas)


def _names(numbers: pd.Series) -> pd.Series:
    """Return numbers of persons as the text that stands in real tables."""
    return "P" + numbers.astype(str).str.zfill(8)
