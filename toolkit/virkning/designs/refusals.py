"""Why a randomised trial's specification cannot be honoured by its data; nothing is fitted here.

Messages name columns and rules and count rows; they never hold a person's value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from pandas.api import types

from ..errors import DesignError, did_you_mean
from .regression import BY_CLUSTER, Estimator, StandardErrors

# Columns that the analysis adds or that only tell persons apart.
RESERVED = frozenset({"participant_id", "value"})
LEAST_PER_ARM = 2


class TrialFields(Protocol):
    """The fields of a randomised trial that are checked here."""

    @property
    def treatment(self) -> str: ...
    @property
    def covariates(self) -> tuple[str, ...]: ...
    @property
    def strata(self) -> str | None: ...
    @property
    def clusters(self) -> str | None: ...
    @property
    def weights(self) -> str | None: ...
    @property
    def terms(self) -> tuple[tuple[Estimator, StandardErrors], ...]: ...


def unknown_column(name: str, frame: pd.DataFrame, where: str) -> DesignError:
    """Return the error for a column that the participants lack, or that only tells persons apart."""
    return DesignError(
        "design.unknown_column",
        f"The participants have no column «{name}» that could be used here.",
        where=where,
        why="Nothing is guessed: every column must be named as it stands in the data.",
        do=did_you_mean(name, [column for column in frame.columns if column not in RESERVED]),
    )


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, n in Counter(names).items() if n > 1)


def duplicate_terms(names: Iterable[str]) -> Iterator[DesignError]:
    """Refuse names of terms, the headline's and its alternatives', that stand more than once."""
    for name in _repeated(names):
        yield DesignError(
            "design.duplicate_term",
            f"«{name}» is asked for twice.",
            where="design.alternatives",
            why="Two rows of the same name cannot be told apart.",
            do="Remove the alternative that repeats the headline or another alternative.",
        )


def duplicate_covariates(names: Iterable[str], where: str = "design.covariates") -> Iterator[DesignError]:
    """Refuse covariates that are named more than once; ``where`` is the part of the specification."""
    for name in _repeated(names):
        yield DesignError(
            "design.duplicate_covariate",
            f"The covariate «{name}» is named twice.",
            where=where,
            why="Its coefficient would not be determined.",
            do="Name it once.",
        )


def duplicate_periods(names: Iterable[str], where: str) -> Iterator[DesignError]:
    """Refuse an order of periods in which one stands more than once; ``where`` is the part of the specification."""
    for name in _repeated(names):
        yield DesignError(
            "design.duplicate_period",
            f"The period «{name}» is named twice.",
            where=where,
            why="A period has one place in the order.",
            do="Name it once.",
        )


def double_roles(roles: Sequence[tuple[str, str]], why: str) -> Iterator[DesignError]:
    """Refuse columns that are named in more than one part of the specification.

    Parameters
    ----------
    roles : sequence of (str, str)
        Part of the specification, and the column that it names.
    why : str
        What the parts are.
    """
    for name in _repeated(name for _, name in roles):
        found = [role for role, other in roles if other == name]
        yield DesignError(
            "design.double_role",
            f"The column «{name}» is named more than once: {' and '.join(found)}.",
            where=f"design.{found[-1]}",
            why=why,
            do="Name it once.",
        )


def in_words(design: TrialFields) -> Iterator[DesignError]:
    """Give the contradictions in the specification itself."""
    yield from duplicate_terms(f"{estimator}, {errors}" for estimator, errors in design.terms)
    for estimator, errors in dict.fromkeys(design.terms):
        if estimator != "difference_in_means" and not design.covariates:
            yield DesignError(
                "design.no_covariates",
                f"«{estimator}, {errors}» adjusts for covariates, but none are named.",
                where="design.covariates",
                why="Without covariates it would silently be another estimator.",
                do="Name covariates that were measured before assignment, or choose difference_in_means.",
            )
        if errors in BY_CLUSTER and design.clusters is None:
            yield DesignError(
                "design.no_clusters",
                f"«{estimator}, {errors}» needs to know the clusters, but none are named.",
                where="design.clusters",
                why="These errors count groups, not persons.",
                do="Name the column of the groups that were assigned together, or choose other standard errors.",
            )
        # Those of pairs of clusters rest on the pairs.
        if errors not in (*BY_CLUSTER, "paired") and design.clusters is not None:
            yield DesignError(
                "design.ignores_clusters",
                f"«{estimator}, {errors}» would ignore that whole groups were assigned together.",
                where="design.standard_errors",
                why="Persons of one group are alike; errors that ignore it are too small.",
                do="Write «cr2», «wild_bootstrap» or «clustered» for standard_errors and for every alternative.",
            )
    if design.treatment in design.covariates:
        yield DesignError(
            "design.covariate_is_treatment",
            f"«{design.treatment}» is both the treatment and a covariate.",
            where="design.covariates",
            why="An effect cannot be adjusted for itself.",
            do=f"Remove «{design.treatment}» from the covariates.",
        )
    yield from duplicate_covariates(design.covariates)


def in_columns(design: TrialFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the columns that the specification names, one by one."""
    known = [name for name in frame.columns if name not in RESERVED]
    named = [("treatment", design.treatment), *(("covariates", name) for name in dict.fromkeys(design.covariates))]
    named += [
        (field, name) for field in ("strata", "clusters", "weights") if (name := getattr(design, field)) is not None
    ]
    for field, name in named:
        if name not in known:
            yield unknown_column(name, frame, f"design.{field}")
        elif field == "treatment":
            yield from unfit_treatment(frame[name], name)
        elif field == "covariates":
            yield from not_numbers(
                frame[name], name, field, "Leave the covariate out, or fill it in and add a yes/no column that says so."
            )
        elif field == "weights":
            yield from _weights(frame[name], name)
        elif frame[name].isna().any():
            yield missing_values(
                frame[name], name, field, "Give those persons a group of their own, or find out where they belong."
            )


def in_arms(design: TrialFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with how persons, groups and strata are spread over the arms; the columns are sound."""
    treated = frame[design.treatment].astype(bool)
    units = pd.DataFrame({"treated": treated})
    what = "persons"
    if design.clusters is not None:
        units["cluster"] = frame[design.clusters]
        what = "clusters"
    if design.strata is not None:
        units["stratum"] = frame[design.strata]
    if design.clusters is not None:
        codes = pd.factorize(units["cluster"])[0]
        n_treated, n_persons = np.bincount(codes, weights=treated), np.bincount(codes)
        n_mixed = int(((n_treated > 0) & (n_treated < n_persons)).sum())
        if n_mixed:
            yield DesignError(
                "design.treatment_varies_in_cluster",
                f"In {n_mixed} of the clusters some persons are treated and others are not.",
                where=f"design.clusters, column «{design.clusters}»",
                why="Clusters are the groups that were assigned together; these were not.",
                do="Name the column of the groups that were really assigned, or remove clusters if persons were.",
            )
            return
        n_strata = units.groupby(codes)["stratum"].nunique() if design.strata is not None else np.ones(1)
        if (n_strata > 1).any():
            yield DesignError(
                "design.cluster_in_several_strata",
                f"{int((n_strata > 1).sum())} of the clusters lie in more than one stratum.",
                where=f"design.clusters, column «{design.clusters}»",
                why="A group that is assigned together is drawn in one stratum.",
                do="Check the columns of strata and clusters.",
            )
            return
        first = np.empty(len(n_persons), dtype=np.int64)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        units = units.iloc[first]
    n_treated_units = int(units["treated"].sum())
    fewest = min(n_treated_units, len(units) - n_treated_units)
    if fewest == 0:
        yield DesignError(
            "design.one_arm",
            f"Everybody has the same value of «{design.treatment}»: there is nobody to compare with.",
            where=f"design.treatment, column «{design.treatment}»",
            why="An effect is a difference between two groups.",
            do="Check the column, or add the persons of the other group.",
        )
    elif fewest < LEAST_PER_ARM:
        yield DesignError(
            "design.too_few",
            f"There are fewer than {LEAST_PER_ARM} {what} in one of the two groups.",
            where=f"design.treatment, column «{design.treatment}»",
            why="The spread of outcomes in a group cannot be seen in a single one.",
            do="Nothing can be estimated from so few; add data.",
        )
    elif design.strata is not None:
        yield from _strata(design, units, what)


def _strata(design: TrialFields, units: pd.DataFrame, what: str) -> Iterator[DesignError]:
    """Give the strata in which nothing can be compared."""
    cells = pd.crosstab(units["stratum"], units["treated"]).reindex(columns=[True, False], fill_value=0).min(axis=1)
    where = f"design.strata, column «{design.strata}»"
    if (cells == 0).any():
        yield DesignError(
            "design.stratum_one_arm",
            f"In {int((cells == 0).sum())} of the strata everybody is in the same group.",
            where=where,
            why="There is nobody to compare them with in their stratum.",
            do="Merge the strata with neighbours that were drawn in the same way.",
        )
        return
    by_arm = [f"{estimator}, {errors}" for estimator, errors in design.terms if estimator != "ancova"]
    if by_arm and (cells < LEAST_PER_ARM).any():
        yield DesignError(
            "design.stratum_too_small",
            f"In {int((cells < LEAST_PER_ARM).sum())} of the strata a group has fewer than {LEAST_PER_ARM} {what}.",
            where=where,
            why=f"«{by_arm[0]}» compares within each stratum, and a single one shows no spread.",
            do="Merge small strata, choose ancova, in which strata are fixed effects, or name the column under pairs "
            "if the strata are matched pairs.",
        )


def unfit_treatment(values: pd.Series, name: str) -> Iterator[DesignError]:
    """Refuse a treatment that is not a yes/no column, has missing values, or is the same for everybody.

    Parameters
    ----------
    values : Series, shape (persons,)
        The column.
    name : str
        How it is called in the data.
    """
    if not types.is_bool_dtype(values.dtype):
        yield DesignError(
            "design.treatment_not_boolean",
            f"The treatment column «{name}» is not a yes/no column.",
            where="design.treatment",
            why="It must be plain who was assigned to the programme.",
            do="Make it a boolean field in the schema.",
        )
    elif values.isna().any():
        yield missing_values(
            values,
            name,
            "treatment",
            "Find out to which group they were assigned; a trial counts everybody it assigned.",
        )


def not_numbers(values: pd.Series, name: str, field: str, advice: str) -> Iterator[DesignError]:
    """Give what keeps a column from being used as finite numbers."""
    if not (types.is_numeric_dtype(values.dtype) or types.is_bool_dtype(values.dtype)):
        yield DesignError(
            "design.not_a_number",
            f"The column «{name}» holds text or dates, not numbers.",
            where=f"design.{field}",
            why="A regression needs numbers, and nothing is coded behind your back.",
            do=f"Code «{name}» as one or more yes/no columns in the data.",
        )
        return
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    if np.isnan(numbers).any():
        yield missing_values(values, name, field, advice)
    n_infinite = int(np.isinf(numbers).sum())
    if n_infinite:
        yield DesignError(
            "design.infinite",
            f"The column «{name}» holds infinite values in {_rows(n_infinite)}.",
            where=f"design.{field}",
            why="A mean over them does not exist.",
            do="Correct them in the data.",
        )


def _weights(values: pd.Series, name: str) -> Iterator[DesignError]:
    found = list(
        not_numbers(values, name, "weights", "Everybody needs a weight: find those persons' chance of being sampled.")
    )
    yield from found
    if not found:
        n_wrong = int((values.to_numpy(dtype=float) <= 0).sum())
        if n_wrong:
            yield DesignError(
                "design.weights_not_positive",
                f"The column «{name}» is zero or negative in {_rows(n_wrong)}.",
                where="design.weights",
                why="A sampling weight says how many people a person stands for.",
                do="Correct the weights, or leave out persons who stand for nobody.",
            )


def missing_values(values: pd.Series, name: str, field: str, advice: str) -> DesignError:
    """Return the refusal of a column that must be complete and is not.

    Parameters
    ----------
    values : Series, shape (persons,)
        The column.
    name, field : str
        How it is called in the data, and which part of the specification names it.
    advice : str
        What to do.
    """
    return DesignError(
        "design.missing_values",
        f"The column «{name}» is empty in {_rows(int(values.isna().sum()))}.",
        where=f"design.{field}",
        why="Leaving those persons out silently would change on whom the effect is estimated.",
        do=advice,
    )


def _rows(n: int) -> str:
    return f"{n} row{'' if n == 1 else 's'}"
