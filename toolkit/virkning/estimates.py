"""The one result type: what every design returns and everything after it takes."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from . import language
from .errors import EstimationError, did_you_mean
from .estimand import Estimand

Array = NDArray[np.float64]

_NUMBERS = ("value", "std_error", "lower", "upper", "p_value")
EFFECT_COLUMNS: tuple[str, ...] = ("term", "period", *_NUMBERS, "n_treated", "n_comparison")

_DTYPES = dict.fromkeys(EFFECT_COLUMNS, "float64") | {
    "term": "str",
    "period": "str",
    "n_treated": "int64",
    "n_comparison": "int64",
}


class Snapshot:
    """A frame inside a frozen object: whoever reads it gets a copy, so that nobody can change the object through it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            raise AttributeError(self._name)  # tells dataclasses that the field has no default
        frame = vars(instance)[self._name]
        return None if frame is None else frame.copy(deep=False)

    def __set__(self, instance: object, frame: pd.DataFrame | None) -> None:
        vars(instance)[self._name] = None if frame is None else frame.copy()


@dataclass(frozen=True)
class Method:
    """How an estimate was made: name, citation key and chapter of the book."""

    name: str
    citation: str
    chapter: str


@dataclass(frozen=True)
class EvidenceLevel:
    """How far the design can carry a causal claim: Maryland scale 1 to 5, with the reason."""

    level: int
    reason: str
    raise_by: str = ""


@dataclass(frozen=True)
class Provenance:
    """What an estimate was made from."""

    data_checksum: str
    schema: str
    code_version: str
    seed: int


@dataclass(frozen=True)
class Interval:
    """An effect with its confidence interval, in the estimand's unit."""

    value: float
    lower: float
    upper: float
    level: float


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Estimate:
    """The effect on one outcome.

    Attributes
    ----------
    estimand : Estimand
        Effect of what, on whom, on which outcome, in which unit, over which horizon.
    level : float
        Confidence level of ``lower`` and ``upper``, 0 to 1.
    frame : DataFrame
        The terms, one row each, with the columns of ``EFFECT_COLUMNS``; reading it gives a copy.
    evidence_level : EvidenceLevel
        Maryland scale, with the reason.
    method : Method
        Name, citation key, chapter.
    covariance : ndarray, shape (k, k)
        Of the k terms, in unit².
    degrees_of_freedom : float
        Of the t distribution behind ``lower``, ``upper`` and ``p_value`` of the first term; ``inf`` means normal.
    degrees_of_freedom_rule : str
        How that number was counted.
    n_units, n_clusters : int
        Persons, and groups that were assigned or sampled together; ``n_clusters`` is None without clusters.
    comparison_mean : float
        Mean outcome of the comparison group, in the outcome's unit.
    influence : ndarray, shape (n_units, k), or None
        One value per person and term. Their cross products give variances, so results combine across outcomes.
    influence_ids : sequence of str
        The clusters (or persons) of the rows of ``influence``, as opaque digests made when first read.
    warnings : tuple of str
        What the reader must know, in sentences.
    provenance : Provenance
        Data checksum, schema, code version, seed.
    unavailable_reason : str
        Not empty when there is no estimate; then ``effects`` has no rows.
    """

    estimand: Estimand
    level: float
    evidence_level: EvidenceLevel
    method: Method
    frame: pd.DataFrame = cast(pd.DataFrame, Snapshot())
    covariance: Array = field(repr=False)
    degrees_of_freedom: float
    degrees_of_freedom_rule: str
    n_units: int
    n_clusters: int | None
    comparison_mean: float
    provenance: Provenance
    influence: Array | None = field(default=None, repr=False)
    influence_ids: Sequence[str] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()
    unavailable_reason: str = ""

    def __post_init__(self) -> None:
        if tuple(self.frame.columns) != EFFECT_COLUMNS:
            raise EstimationError("estimation.columns", "An estimate has other columns than the declared ones.")
        numbers = self.frame[list(_NUMBERS)].to_numpy(dtype=float)
        if not np.isfinite(numbers).all():
            raise EstimationError(
                "estimation.not_finite",
                "The estimate is not a finite number.",
                where=self.estimand.measure,
                why="A number that makes no sense must never reach a reader.",
                do="Return Estimate.unavailable(reason) instead.",
            )
        object.__setattr__(self, "frame", self.frame.astype(_DTYPES))
        for name in ("covariance", "influence"):
            array = getattr(self, name)
            if array is not None:
                frozen = np.array(array, dtype=float)
                frozen.setflags(write=False)
                object.__setattr__(self, name, frozen)

    @classmethod
    def unavailable(
        cls,
        reason: str,
        *,
        estimand: Estimand,
        level: float,
        evidence_level: EvidenceLevel,
        method: Method,
        provenance: Provenance,
        n_units: int = 0,
    ) -> Estimate:
        """Return the object that stands for an estimate that cannot be made, with its reason."""
        if not reason.strip():
            raise EstimationError("estimation.no_reason", "An estimate that is not available needs a reason.")
        return cls(
            estimand=estimand,
            level=level,
            evidence_level=evidence_level,
            method=method,
            frame=pd.DataFrame(columns=list(EFFECT_COLUMNS)),
            covariance=np.zeros((0, 0)),
            degrees_of_freedom=float("inf"),
            degrees_of_freedom_rule="none",
            n_units=n_units,
            n_clusters=None,
            comparison_mean=0.0,
            provenance=provenance,
            unavailable_reason=reason,
        )

    @property
    def is_available(self) -> bool:
        """Tell whether there is an estimate."""
        return not self.unavailable_reason

    @property
    def effects(self) -> pd.DataFrame:
        """The terms, one row each, always with the columns of ``EFFECT_COLUMNS``; a copy."""
        return self.frame

    def headline(self) -> Interval:
        """Return the first term: the estimate that the programme declared as its answer.

        Raises
        ------
        EstimationError
            There is no estimate; the message gives the reason.
        """
        row = self._first()
        return Interval(float(row["value"]), float(row["lower"]), float(row["upper"]), self.level)

    def interval(self, level: float) -> Interval:
        """Return the headline with an interval at another confidence level, 0 < level < 1."""
        if not 0 < level < 1:
            raise EstimationError(
                "estimation.level", "A confidence level lies between 0 and 1.", do="Write 0.95 for 95%."
            )
        row = self._first()
        reach = float(stats.t.ppf(0.5 + level / 2, self.degrees_of_freedom)) * float(row["std_error"])
        return Interval(float(row["value"]), float(row["value"]) - reach, float(row["value"]) + reach, level)

    def draws(self, n: int, generator: np.random.Generator) -> Array:
        """Return ``n`` joint draws of the terms, shape (n, k), from their normal approximation."""
        self._first()
        values = self.frame["value"].to_numpy(dtype=float)
        return generator.multivariate_normal(values, self.covariance, size=n, method="eigh")

    def _first(self) -> pd.Series:
        if not self.is_available:
            what = f"There is no estimate: {self.unavailable_reason}"
            raise EstimationError("estimation.unavailable", what, where=self.estimand.measure)
        return self.frame.iloc[0]

    def in_words(self, *values: float) -> str:
        """Return an amount, or «a to b», as it is read aloud with its unit; shares are said «per 100 people»."""
        factor, unit = (100.0, "per 100 people") if self.estimand.kind == "share" else (1.0, self.estimand.unit)
        digits = language.digits_for(self.estimand.kind, max(abs(value) for value in values))
        return f"{' to '.join(language.number(value * factor, digits) for value in values)} {unit}"

    def to_frame(self) -> pd.DataFrame:
        """Return the effects with the measure, the unit and the level beside them; one row per term."""
        frame = self.effects
        frame.insert(0, "measure", self.estimand.measure)
        return frame.assign(unit=self.estimand.unit, level=self.level)

    def to_json(self) -> str:
        """Return everything as JSON text that :meth:`from_json` reads back to the same bits.

        Infinite degrees of freedom are written as null, since JSON has no infinity.
        """
        values: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "frame":
                value = {column: value[column].tolist() for column in value.columns}
            elif isinstance(value, np.ndarray):
                value = value.tolist()
            elif item.name == "influence_ids":
                value = list(value)
            elif item.name in ("estimand", "evidence_level", "method", "provenance"):
                value = value.to_dict() if item.name == "estimand" else dict(vars(value))
            elif item.name == "degrees_of_freedom" and math.isinf(value):
                value = None
            values[item.name] = value
        return json.dumps(values, ensure_ascii=False, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Estimate:
        """Return the estimate that :meth:`to_json` wrote."""
        values = json.loads(text)
        frame = pd.DataFrame(values["frame"], columns=list(EFFECT_COLUMNS))
        k = len(frame)
        influence = values["influence"]
        freedom = values["degrees_of_freedom"]
        return cls(
            **{
                **values,
                "frame": frame,
                "estimand": Estimand.from_dict(values["estimand"]),
                "evidence_level": EvidenceLevel(**values["evidence_level"]),
                "method": Method(**values["method"]),
                "provenance": Provenance(**values["provenance"]),
                "degrees_of_freedom": math.inf if freedom is None else freedom,
                "covariance": np.asarray(values["covariance"], dtype=float).reshape(k, k),
                "influence": None if influence is None else np.asarray(influence, dtype=float).reshape(-1, k),
                "influence_ids": tuple(values["influence_ids"]),
                "warnings": tuple(values["warnings"]),
            }
        )

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def __repr__(self) -> str:
        return f"Estimate({self})"

    def __str__(self) -> str:
        if not self.is_available:
            return f"{self.estimand.outcome}: no estimate. {self.unavailable_reason}"
        best = self.headline()
        return (
            f"{self.estimand.outcome}: {self.in_words(best.value)} ({best.level:.0%} interval "
            f"{self.in_words(best.lower, best.upper)}), {self.n_units} persons, {self.method.name}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Estimates(Mapping[str, Estimate]):
    """One :class:`Estimate` per outcome, by measure, the primary outcome first."""

    estimates: Mapping[str, Estimate]

    def __post_init__(self) -> None:
        object.__setattr__(self, "estimates", MappingProxyType(dict(self.estimates)))

    def __getitem__(self, measure: str) -> Estimate:
        try:
            return self.estimates[measure]
        except KeyError:
            raise EstimationError(
                "estimation.unknown_measure",
                f"There is no estimate for «{measure}».",
                where="effects",
                do=did_you_mean(measure, self.estimates),
            ) from None

    def __contains__(self, measure: object) -> bool:
        return measure in self.estimates

    def __iter__(self) -> Iterator[str]:
        return iter(self.estimates)

    def __len__(self) -> int:
        return len(self.estimates)

    @property
    def primary(self) -> Estimate:
        """The estimate of the primary outcome."""
        return next(iter(self.estimates.values()))

    def headline(self) -> Interval:
        """Return the headline of the primary outcome."""
        return self.primary.headline()

    def covariance(self) -> Array:
        """Return the covariance between the outcomes' headlines, shape (m, m), from stacked influence functions.

        Two outcomes that share no unit have covariance zero. The diagonal is each estimate's own variance, and the
        correlation is that of the influence functions, so the matrix agrees with what is printed beside each effect.
        """
        available = [estimate for estimate in self.estimates.values() if estimate.is_available]
        columns = [_column(estimate) for estimate in available]
        stacked = pd.concat(columns, axis=1).fillna(0.0).to_numpy(dtype=float) if columns else np.zeros((0, 0))
        cross = stacked.T @ stacked
        scale = np.sqrt(np.diag(cross))
        scale = np.where(scale > 0, scale, 1.0)
        errors = np.array([float(estimate.frame["std_error"].iloc[0]) for estimate in available])
        result: Array = cross / np.outer(scale, scale) * np.outer(errors, errors)
        np.fill_diagonal(result, errors**2)
        return result

    def draws(self, n: int, generator: np.random.Generator) -> pd.DataFrame:
        """Return ``n`` joint draws of the outcomes' headlines: one column per available measure, one row per draw."""
        names = [measure for measure, estimate in self.estimates.items() if estimate.is_available]
        values = [self.estimates[name].headline().value for name in names]
        drawn = generator.multivariate_normal(values, self.covariance(), size=n, method="eigh")
        return pd.DataFrame(drawn, columns=names)

    def to_frame(self) -> pd.DataFrame:
        """Return all effects of all outcomes; one row per outcome and term."""
        return pd.concat([estimate.to_frame() for estimate in self.estimates.values()], ignore_index=True)

    def to_json(self) -> str:
        """Return everything as JSON text."""
        return "{" + ",\n".join(f"{json.dumps(name)}: {item.to_json()}" for name, item in self.estimates.items()) + "}"

    @classmethod
    def from_json(cls, text: str) -> Estimates:
        """Return the estimates that :meth:`to_json` wrote."""
        return cls({name: Estimate.from_json(json.dumps(values)) for name, values in json.loads(text).items()})

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def __repr__(self) -> str:
        return f"Estimates({', '.join(self.estimates)})"

    def __str__(self) -> str:
        return "\n".join(str(estimate) for estimate in self.estimates.values())


def _column(estimate: Estimate) -> pd.Series:
    """Return the influence of the headline summed within unit, as a series by unit's digest."""
    if estimate.influence is None:
        return pd.Series([float(estimate.frame["std_error"].iloc[0])], index=[f"only {estimate.estimand.measure}"])
    return pd.Series(estimate.influence[:, 0], index=list(estimate.influence_ids)).groupby(level=0).sum()
