"""From the persons of two groups to fitted terms: score, trimming, then each estimator with its own errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import DesignError
from ...numerics import estimated_score, matching, overlap, weighting
from ...numerics.least_squares import dependent_column
from ...numerics.logit import BinaryFit, Link, SeparationError, fit_binary
from ...numerics.ranking import among, rising
from .. import regression
from ..assembly import Term
from ..degrees_of_freedom import LARGE_SAMPLE, Rule
from ..remembered import remembered
from .choices import HAS_OUTCOME_LINES, Choice, Matching, Target, Trimming

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Codes = NDArray[np.int64]

_ARMS = ((False, "the comparison group"), (True, "the treated group"))


@dataclass(frozen=True)
class Persons:
    """Persons as arrays.

    Attributes
    ----------
    outcome : ndarray, shape (n,)
        In the outcome's unit.
    treated : ndarray of bool, shape (n,)
    traits, lines : ndarray, shapes (n, p) and (n, q), with their names
        Covariates of the score, and those of the outcome regressions.
    keys : mapping of str to ndarray of int, shape (n,)
        Codes of the columns on which persons can be matched exactly.
    """

    outcome: Array
    treated: Booleans
    traits: Array
    trait_names: tuple[str, ...]
    lines: Array
    line_names: tuple[str, ...]
    keys: Mapping[str, Codes]

    def take(self, rows: Booleans) -> Persons:
        """Return some of the persons."""
        return replace(
            self,
            outcome=self.outcome[rows],
            treated=self.treated[rows],
            traits=self.traits[rows],
            lines=self.lines[rows],
            keys={name: codes[rows] for name, codes in self.keys.items()},
        )


@dataclass(frozen=True)
class Prepared:
    """The persons that are compared.

    Attributes
    ----------
    persons : Persons
        Those who were kept.
    kept : ndarray of bool
        Who, of those given.
    score : BinaryFit, optional
        Fitted on the persons kept; None when no estimator needs it.
    first_score : BinaryFit, optional
        Fitted on everybody, from which it was decided who is kept.
    """

    persons: Persons
    kept: Booleans
    score: BinaryFit | None
    first_score: BinaryFit | None


@dataclass(frozen=True)
class Fitted:
    """A term with what belongs to it.

    Attributes
    ----------
    term : Term
    comparison_mean : float
        What the persons of the estimand would have had without the programme.
    weights : ndarray, shape (n,), or None
        With which outcomes enter; None when a regression decides.
    unmatched : ndarray of bool, shape (n,), or None
        Persons without a neighbour near enough; None when nobody is matched.
    """

    term: Term
    comparison_mean: float
    weights: Array | None
    unmatched: Booleans | None = None


def standardised(values: Array) -> Array:
    """Return columns with mean zero and standard deviation one, which keeps the arithmetic exact; shape (n, p)."""
    if not values.size:
        return values
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    varies = spread > 1e-12 * np.maximum(values.max(axis=0), -values.min(axis=0))
    # Dividing in place saves a copy of all columns.
    np.divide(centred, np.where(varies, spread, 1.0), out=centred)
    result: Array = centred if varies.all() else np.where(varies, centred, 0.0)
    return result


def with_constant(values: Array) -> Array:
    """Return the standardised columns after a column of ones, shape (n, p + 1)."""
    return np.column_stack([np.ones(len(values)), standardised(values)])


def prepare(persons: Persons, link: Link, trimming: Trimming, target: Target, needs_score: bool) -> Prepared:
    """Return the persons that are compared, with their score.

    Raises
    ------
    DesignError
        The covariates do not determine a score, they tell the groups apart for certain, or trimming leaves too few.
    """
    everyone = np.ones(len(persons.treated), dtype=bool)
    if not needs_score and trimming.rule == "none":
        return Prepared(persons, everyone, None, None)
    first = score_of(persons, link)
    if trimming.rule == "none":
        return Prepared(persons, everyone, first, first)
    if trimming.rule == "common_support":
        kept = overlap.in_common_support(first.probability, persons.treated, target)
    else:
        kept = (first.probability >= trimming.lower) & (first.probability <= trimming.upper)
    left = persons.take(kept)
    if min(left.treated.sum(), (~left.treated).sum()) < 2:
        raise DesignError(
            "design.trimmed_away",
            "Trimming leaves fewer than 2 persons in one of the two groups.",
            where="design.trimming",
            why="The two groups have hardly anybody in common whom one could compare.",
            do="Look for a comparison group that is more alike; wider bounds would only hide it.",
        )
    return Prepared(left, kept, score_of(left, link) if needs_score else None, first)


def score_of(persons: Persons, link: Link) -> BinaryFit:
    """Return the fitted chance of being treated.

    Raises
    ------
    DesignError
        A covariate adds nothing, or the covariates split the groups.
    """
    matrix = _matrix_of_score(persons)
    refuse_dependent(matrix, persons.trait_names, "the score", "design.covariates")
    try:
        return remembered("score", link, (matrix, persons.treated), lambda: fit_binary(matrix, persons.treated, link))
    except SeparationError:
        raise DesignError(
            "design.separation",
            "The covariates tell for some persons with certainty to which group they belong.",
            where="design.covariates",
            why="Where only one group occurs there is nobody to compare with, and the score has no best fit.",
            do="Find the covariate, or the combination, that only one group has; leave those persons or it out.",
        ) from None


def _matrix_of_score(persons: Persons) -> Array:
    return remembered("matrix of the score", None, (persons.traits,), lambda: with_constant(persons.traits))


def refuse_dependent(matrix: Array, names: tuple[str, ...], what: str, where: str) -> None:
    """Refuse a regression, with the constant first, of which a column adds nothing."""
    found = dependent_column(matrix)
    if found is None and len(matrix) > matrix.shape[1]:
        return
    if found is None or found >= len(matrix):
        said = f"There are at least as many coefficients in {what} as there are persons."
        do = "Name fewer covariates."
    else:
        said = f"In {what} the covariate «{names[found - 1]}» does not vary, or follows exactly from the others."
        do = f"Remove «{names[found - 1]}»."
    why = "Its coefficient would not be determined by the data."
    raise DesignError("design.collinear", said, where=where, why=why, do=do)


def refuse_impossible(prepared: Prepared, choice: Choice, target: Target) -> None:
    """Refuse an estimator that these persons do not allow; no outcome is looked at.

    Raises
    ------
    DesignError
        An outcome regression is not determined, balance cannot be reached, or nobody can be matched.
    """
    persons = prepared.persons
    if choice.estimator in HAS_OUTCOME_LINES:
        matrix = with_constant(persons.lines)
        for arm, words in _ARMS if target == "ate" else _ARMS[:1]:
            what = f"the outcome regression in {words}"
            refuse_dependent(matrix[persons.treated == arm], persons.line_names, what, "design.outcome_covariates")
    elif choice.estimator in ("unadjusted", "regression"):
        sample = _sample(persons)
        kind, errors = _ordinary(choice)
        regression.refuse_impossible(sample, kind, errors)
    elif choice.estimator == "entropy_balancing":
        refuse_dependent(with_constant(persons.traits), persons.trait_names, "the balance", "design.covariates")
        try:
            weighting.entropy_balancing(
                np.zeros(len(persons.treated)), standardised(persons.traits), persons.treated, target
            )
        except weighting.InfeasibleBalanceError:
            raise DesignError(
                "design.no_balance",
                "No weights can make the groups' means of the covariates equal.",
                where="design.covariates",
                why="The means aimed at lie outside of what the other group covers.",
                do="Name fewer covariates, trim to the common support, or find another comparison group.",
            ) from None
    elif choice.estimator == "matching" and choice.matching is not None:
        _refuse_unmatched(prepared, choice.matching, target)


def _refuse_unmatched(prepared: Prepared, settings: Matching, target: Target) -> None:
    treated = prepared.persons.treated
    n_treated, n_comparison = int(treated.sum()), int((~treated).sum())
    if not settings.replacement and settings.neighbours * n_treated > n_comparison:
        raise DesignError(
            "design.too_few_comparison",
            "There are too few comparison persons to match without replacement.",
            where="design.matching.replacement",
            why="The last treated persons would be left without anybody, whoever they happen to be.",
            do="Match with replacement, or choose fewer neighbours.",
        )
    matches = _matches(prepared, settings, target, np.random.default_rng(0))
    if any(int((found.counts > 0).sum()) < 2 for found in matches if found is not None):
        raise DesignError(
            "design.nobody_matched",
            "Fewer than 2 persons find anybody who is near enough.",
            where="design.matching",
            why="The caliper, or the key columns that must be equal, leave nobody to compare with.",
            do="Widen the caliper, or merge the values of the key columns.",
        )


def _matches(
    prepared: Prepared, settings: Matching, target: Target, generator: np.random.Generator
) -> tuple[matching.Matches, matching.Matches | None]:
    """Return the neighbours of the treated, and for the effect on everybody those of the comparison group."""
    persons, score = prepared.persons, _distance(prepared, settings)
    cells = _cells(persons, settings)
    scale = float(score.std(ddof=1)) or 1.0

    def orders(arm: Booleans) -> tuple[Codes, Codes]:
        return among(_order(score), arm), among(_order(score), ~arm)

    def side(arm: Booleans) -> matching.Matches:
        given = (score[arm], score[~arm], settings.rules, (cells[arm], cells[~arm]), scale)
        if settings.ties == "all" and settings.replacement:
            key = (settings.rules, scale)
            return remembered("matches", key, (score, arm, cells), lambda: matching.nearest(*given, orders(arm)))
        return matching.nearest_few(*given, is_replaced=settings.replacement, generator=generator)

    return side(persons.treated), side(~persons.treated) if target == "ate" else None


def _cells(persons: Persons, settings: Matching) -> Codes:
    """Return codes of the combinations of the key columns, shape (n,)."""
    cells = np.zeros(len(persons.treated), dtype=np.int64)
    for name in settings.exact:
        cells = np.unique(np.column_stack([cells, persons.keys[name]]), axis=0, return_inverse=True)[1].reshape(-1)
    return cells


def _distance(prepared: Prepared, settings: Matching) -> Array:
    if prepared.score is None:
        raise DesignError("design.no_score", "Matching needs a score.", where="design.covariates")
    return prepared.score.probability if settings.distance == "score" else prepared.score.index


def _order(score: Array) -> Codes:
    return remembered("order of the score", None, (score,), lambda: rising(score))


def fit(
    prepared: Prepared,
    choice: Choice,
    target: Target,
    generator: np.random.Generator,
    freedom: Rule = "standard",
) -> Fitted:
    """Return the effect by one estimator, on persons and covariates that :func:`refuse_impossible` lets through.

    Regressions are those of a trial; matching, weights and their errors are our own numbers too. The rule of the
    degrees of freedom matters to ordinary regressions alone: the others' intervals always use the normal distribution.
    """
    persons = prepared.persons
    if choice.estimator in ("unadjusted", "regression"):
        term = regression.fit(_sample(persons), *_ordinary(choice), rule=freedom)
        level = float(persons.outcome[persons.treated].mean()) - term.value
        if choice.estimator == "unadjusted":
            return Fitted(replace(term, name=choice.name), level, np.ones(len(persons.outcome)))
        return Fitted(replace(term, name=choice.name), level, None)
    if choice.estimator == "matching" and choice.matching is not None:
        return _fit_matching(prepared, choice, choice.matching, target, generator)
    found = _fit_weighted(prepared, choice, target)
    term = Term(choice.name, found.value, found.std_error, LARGE_SAMPLE.count, LARGE_SAMPLE.words, found.influence)
    return Fitted(term, found.comparison_mean, found.weights)


def use_of(
    prepared: Prepared, choice: Choice, target: Target, generator: np.random.Generator
) -> tuple[Array | None, Booleans]:
    """Return with which weight each person enters, None when a regression decides, and who finds nobody near enough."""
    nobody = np.zeros(len(prepared.persons.treated), dtype=bool)
    if choice.estimator == "unadjusted":
        return np.ones(len(nobody)), nobody
    if choice.estimator in ("regression", "regression_adjustment", "doubly_robust"):
        return None, nobody
    found = fit(prepared, choice, target, generator)
    return found.weights, nobody if found.unmatched is None else found.unmatched


def _fit_weighted(prepared: Prepared, choice: Choice, target: Target) -> weighting.WeightedEffect:
    persons, score = prepared.persons, prepared.score
    outcome, treated = persons.outcome, persons.treated
    if choice.estimator == "regression_adjustment":
        return weighting.regression_adjustment(outcome, with_constant(persons.lines), treated, target)
    if choice.estimator == "entropy_balancing":
        return weighting.entropy_balancing(outcome, standardised(persons.traits), treated, target)
    if score is None:
        raise DesignError("design.no_score", "Weighting needs a score.", where="design.covariates")
    matrix = _matrix_of_score(persons)
    if choice.estimator == "weighting":
        return weighting.weighting(outcome, matrix, treated, score, target)
    return weighting.doubly_robust(outcome, with_constant(persons.lines), treated, score, matrix, target)


def _fit_matching(
    prepared: Prepared, choice: Choice, settings: Matching, target: Target, generator: np.random.Generator
) -> Fitted:
    persons, score = prepared.persons, _distance(prepared, settings)
    own = None
    if choice.errors in ("ai_robust", "ai_score"):
        own = matching.own_residuals(
            persons.outcome,
            persons.treated,
            score,
            settings.variance_neighbours,
            float(score.std(ddof=1)) or 1.0,
            settings.tie_tolerance,
            _order(score),
        )
    found = matching.matched_effect(
        persons.outcome, persons.treated, *_matches(prepared, settings, target, generator), own
    )
    error, influence = found.std_error, found.influence
    if choice.errors == "ai_score" and prepared.score is not None:
        correction = estimated_score.score_correction(
            persons.outcome,
            _matrix_of_score(persons),
            persons.treated,
            prepared.score,
            found.value,
            neighbours=settings.variance_neighbours,
            cells=_cells(persons, settings),
            on_everybody=target == "ate",
            order=_order(prepared.score.probability),
        )
        # In a small sample the correction can exceed what it corrects; then the larger error stays.
        if error**2 + correction.variance > 0:
            error = float(np.sqrt(error**2 + correction.variance))
            influence = influence + correction.influence
    term = Term(choice.name, found.value, error, LARGE_SAMPLE.count, LARGE_SAMPLE.words, influence)
    return Fitted(term, found.comparison_mean, found.weights, found.unmatched)


def _sample(persons: Persons) -> regression.Sample:
    return regression.Sample(persons.outcome, persons.treated, persons.lines, persons.line_names)


def _ordinary(choice: Choice) -> tuple[regression.Estimator, regression.StandardErrors]:
    """Return what the regressions of a randomised trial call the same thing."""
    kinds: dict[str, regression.StandardErrors] = {"classical": "classical", "hc1": "hc1", "hc2": "hc2", "hc3": "hc3"}
    return ("difference_in_means" if choice.estimator == "unadjusted" else "ancova"), kinds[choice.errors]
