"""Why pairs, arms or taking part cannot be used as a trial's specification says; nothing is fitted here.

Messages count rows, pairs and arms; they never hold a value from the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import pandas as pd
from pandas.api import types

from ...errors import DesignError
from .. import refusals
from ..degrees_of_freedom import Rule

_FEWEST_PAIRS = 2


class TrialFields(refusals.TrialFields, Protocol):
    """The fields of a randomised trial that are checked here."""

    @property
    def pairs(self) -> str | None: ...
    @property
    def arm(self) -> str | None: ...
    @property
    def takes_part(self) -> str | None: ...
    @property
    def degrees_of_freedom(self) -> Rule: ...


def in_words(design: TrialFields) -> Iterator[DesignError]:
    """Give the contradictions in the specification itself."""
    yield from refusals.in_words(design)
    for estimator, errors in dict.fromkeys(design.terms):
        term = f"{estimator}, {errors}"
        if errors == "paired" and design.pairs is None:
            yield DesignError(
                "design.no_pairs",
                f"«{term}» needs to know the pairs, but none are named.",
                where="design.pairs",
                why="These errors come from the differences within pairs.",
                do="Name the column of the pairs, or choose other standard errors.",
            )
        if errors != "paired" and design.pairs is not None:
            yield DesignError(
                "design.ignores_pairs",
                f"«{term}» would ignore that the lottery was held within pairs.",
                where="design.standard_errors",
                why="A pair is alike; errors that ignore it are wrong, usually too large.",
                do="Write «paired» for standard_errors and for every alternative.",
            )
        if errors == "wild_bootstrap" and design.degrees_of_freedom != "standard":
            yield DesignError(
                "design.bootstrap_freedom",
                f"«{term}» counts no degrees of freedom, so the rule «{design.degrees_of_freedom}» cannot be used.",
                where="design.degrees_of_freedom",
                why="Its interval and p-value come from the bootstrap's own distribution.",
                do="Leave degrees_of_freedom out, or choose cr2.",
            )
    if design.pairs is not None:
        yield from _beside_pairs(design)


def _beside_pairs(design: TrialFields) -> Iterator[DesignError]:
    """Give what cannot be combined with pairs."""
    named = [name for name in ("strata", "weights", "arm") if getattr(design, name) is not None]
    if any(estimator == "lin" for estimator, _ in design.terms):
        named.append("the estimator lin")
    if design.clusters is not None and any(estimator == "ancova" for estimator, _ in design.terms):
        named.append("the estimator ancova with clusters")
    for name in named:
        yield DesignError(
            "design.beside_pairs",
            f"Pairs cannot be combined with {name}.",
            where="design.pairs",
            why="The estimate is the mean of the differences within pairs: a pair is a stratum of its own, with one "
            "half offered the programme, and everybody counts alike.",
            do="Leave one of the two out.",
        )


def in_columns(design: TrialFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the columns that the specification names, one by one."""
    yield from refusals.in_columns(design, frame)
    known = [name for name in frame.columns if name not in refusals.RESERVED]
    for field in ("pairs", "arm", "takes_part"):
        name = getattr(design, field)
        if name is None:
            continue
        if name not in known:
            yield refusals.unknown_column(name, frame, f"design.{field}")
        elif field == "takes_part" and not types.is_bool_dtype(frame[name].dtype):
            yield DesignError(
                "design.takes_part_not_boolean",
                f"The column «{name}» is not a yes/no column.",
                where="design.takes_part",
                why="The effect on compliers is about those who take part at all.",
                do="Make it a boolean field in the schema; for an amount use the design instrumental_variables.",
            )
        elif field == "arm" and not (
            types.is_string_dtype(frame[name].dtype) or isinstance(frame[name].dtype, pd.CategoricalDtype)
        ):
            yield DesignError(
                "design.arm_not_text",
                f"The column «{name}» does not hold texts.",
                where="design.arm",
                why="Each arm is called by its name in the book.",
                do="Write the names of the arms into the column.",
            )
        elif frame[name].isna().any():
            yield refusals.missing_values(
                frame[name], name, field, "Find out what it is for those persons; a trial counts everybody it assigned."
            )


def in_arms(design: TrialFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with how persons are spread over arms, strata, clusters and pairs; the columns are sound."""
    found = list(in_groups(design, frame))
    yield from found
    if found:
        return
    if design.pairs is not None:
        yield from _in_pairs(design, frame)
    if design.arm is not None:
        yield from _in_several_arms(design, frame)


def in_groups(design: TrialFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what is wrong with the two groups, offered or not, in all or in one arm with its comparison group."""
    return refusals.in_arms(design, frame)


def _in_pairs(design: TrialFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give the pairs that are none."""
    where = f"design.pairs, column «{design.pairs}»"
    units = pd.DataFrame({"pair": frame[design.pairs], "treated": frame[design.treatment].astype(bool)})
    what = "person"
    if design.clusters is not None:
        what, units["cluster"] = "cluster", frame[design.clusters]
        reach = units.groupby("cluster", observed=True)["pair"].nunique()
        if (reach > 1).any():
            yield DesignError(
                "design.cluster_in_several_pairs",
                f"{int((reach > 1).sum())} of the clusters lie in more than one pair.",
                where=where,
                why="A group that is assigned together is one half of one pair.",
                do="Check the columns of pairs and clusters.",
            )
            return
        units = units.drop_duplicates("cluster")
    counts = pd.crosstab(units["pair"], units["treated"]).reindex(columns=[True, False], fill_value=0)
    n_wrong = int((counts != 1).any(axis=1).sum())
    if n_wrong:
        yield DesignError(
            "design.incomplete_pairs",
            f"{n_wrong} of the pairs do not consist of one {what} who was offered the programme and one who was not.",
            where=where,
            why="A pair with a half missing, or with both halves offered, has no difference to take.",
            do="Correct the column. If whole pairs left the trial, leave out both halves; larger groups are strata.",
        )
    elif len(counts) < _FEWEST_PAIRS:
        yield DesignError(
            "design.too_few",
            f"There are fewer than {_FEWEST_PAIRS} pairs.",
            where=where,
            why="How differences vary from pair to pair cannot be seen in a single one.",
            do="Nothing can be estimated from so few; add data.",
        )


def _in_several_arms(design: TrialFields, frame: pd.DataFrame) -> Iterator[DesignError]:
    """Give what keeps each arm from being compared with the comparison group."""
    where = f"design.arm, column «{design.arm}»"
    treated = frame[design.treatment].to_numpy(dtype=bool)
    arms = frame[design.arm].astype(str).to_numpy()
    offered, compared = np.unique(arms[treated]), np.unique(arms[~treated])
    if len(compared) > 1 or np.isin(compared, offered).any():
        yield DesignError(
            "design.comparison_arm",
            f"Those with «no» in «{design.treatment}» are not exactly one arm.",
            where=where,
            why="Every arm is compared with one group: those who were offered nothing.",
            do="Give all of them, and nobody else, one name in the column of arms.",
        )
        return
    if len(offered) < 2:
        yield DesignError(
            "design.one_treated_arm",
            "Only one arm was offered something.",
            where=where,
            why="Its effect is the headline already.",
            do="Remove arm from the design.",
        )
        return
    found: dict[str, list[DesignError]] = {}
    for name in offered:
        for error in refusals.in_arms(design, frame[(arms == name) | ~treated]):
            found.setdefault(error.code, []).append(error)
    for code, errors in found.items():
        yield DesignError(
            code,
            f"In {len(errors)} of the arms: {errors[0].what}",
            where=where,
            why=errors[0].why,
            do="Merge the arm with another one, or leave its persons out.",
        )


def in_take_up(design: TrialFields, frame: pd.DataFrame, difference: float) -> Iterator[DesignError]:
    """Refuse an effect on compliers when the offer brings nobody to take part.

    Parameters
    ----------
    design : TrialFields
        Names the column of those who took part.
    frame : DataFrame
        Everybody who was assigned.
    difference : float
        What the offer adds to the share that takes part.
    """
    if design.takes_part == design.treatment:
        what = f"«{design.takes_part}» is the offer itself."
        do = "Name the column of those who really took part."
    elif difference > 1e-9:
        return
    elif frame[design.takes_part].astype(bool).nunique() == 1:
        what = f"Everybody has the same value of «{design.takes_part}»."
        do = "Check the column, or remove takes_part: then the effect of the offer is shown alone."
    else:
        what = "No more of those who were offered the programme took part than of the others."
        do = (
            "Check that the column is not turned round, or remove takes_part: the effect of the offer stands by itself."
        )
    yield DesignError(
        "design.no_compliers",
        what,
        where="design.takes_part",
        why="The effect on compliers divides by the difference in taking part between the two groups.",
        do=do,
    )
