"""Everything that a chapter may need: its programme, its data and the results so far, computed when first asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import report
from ..certainty import Certainty, how_sure
from ..checks import Checks, run_checks
from ..contract import Results, Settlement
from ..contract.draws import DrawnSettlements, settle_run
from ..contract.results import results_beside
from ..contract.settlement import settle_programme
from ..data import Tables, read_data
from ..designs import estimate
from ..disclosure import Table, clear
from ..economy import CostBenefit, cost_benefit
from ..errors import BookError
from ..estimates import Estimates
from ..participants import assigned, participant_flow
from ..planning import PlannedPower, powers
from ..programme import Programme
from ..provenance import write_atomically
from ..report import Exhibit
from ..report.payments import PaymentPage
from ..resources import EFFECTS, RECORD, SCOPE
from ..subgroups import (
    QuantileResults,
    ReachResults,
    SubgroupResults,
    estimate_quantiles,
    estimate_subgroups,
    who_was_reached,
)

EVERYTHING = "*"


class Contents:
    """Everything that a chapter may need, computed when first asked for.

    Parameters
    ----------
    programme : str
        Folder or name of the programme.
    changes : mapping, optional
        Dotted path to value, for this run.
    run : str, optional
        Folder for results; empty when the notebook is opened by hand.
    """

    def __init__(self, programme: str, changes: Mapping[str, Any] | None = None, run: str = "") -> None:
        self.programme = Programme.read(programme, changes)
        self._run = Path(run) if run else None
        self._scope: dict[str, Any] = {}
        if self._run is not None and (self._run / SCOPE).is_file():
            self._scope = json.loads((self._run / SCOPE).read_text(encoding="utf-8"))
            if EVERYTHING not in self._scope["reads"]:
                self.programme = self.programme.only(self._scope["reads"], self._scope["chapter"])

    @property
    def specification(self) -> Any:
        """The programme's whole specification; in a run, the parts that the chapter declares."""
        return self.programme.specification

    @cached_property
    def tables(self) -> Tables:
        """The validated data."""
        return read_data(self.programme)

    def result_file(self, chapter: str, file: str) -> Path | None:
        """Return where a result of a chapter lies, or is to be left; None when the notebook is opened by hand.

        Parameters
        ----------
        chapter : str
            Whose result it is.
        file : str
            Such as ``results/effects.json``.

        Raises
        ------
        BookError
            The chapter that is at work does not declare that it builds on that chapter.
        """
        if self._run is None:
            return None
        if self._scope and chapter not in (self._scope["chapter"], *self._scope["after"]):
            raise BookError(
                "book.undeclared_result",
                f"The chapter «{self._scope['chapter']}» reads a result of «{chapter}», which it does not declare.",
                where=f"chapter {self._scope['chapter']}",
                why="It would not be made again when that result changes, and the book would contradict itself.",
                do=f"Add «{chapter}» to the chapters that it comes after, in the table of chapters.",
            )
        return self._run / file

    @cached_property
    def effects(self) -> Estimates:
        """The estimates: read from the run folder, or computed and left there for later chapters."""
        file = self.result_file("effects", EFFECTS)
        if file is not None and file.is_file():
            return Estimates.from_json(file.read_text(encoding="utf-8"))
        effects = estimate(self.programme.design, self.tables, seed=self.programme.specification.seed)
        if file is not None:
            write_atomically(file, effects.to_json())
        return effects

    @cached_property
    def checks(self) -> Checks:
        """The checks that belong to the design."""
        settings = self.programme.specification
        return run_checks(
            self.programme.design, self.tables, self.effects, settings=settings.checks, seed=settings.seed
        )

    @cached_property
    def certainty(self) -> Certainty:
        """How sure one can be of the primary outcome's estimate, apart from how large it is."""
        return how_sure(self.programme.design, self.tables, self.effects, self.checks)

    @cached_property
    def how_sure(self) -> Exhibit:
        """How sure one can be, in one box: read from the run folder, or made and left there for the front page."""
        return self._handed_on("checks", "results/how_sure.json", lambda: report.how_sure(self.certainty))

    @cached_property
    def checks_table(self) -> Exhibit:
        """Every check in a line: as :attr:`how_sure`."""
        return self._handed_on(
            "checks",
            "results/checks_table.json",
            lambda: report.table(clear(self.checks.table(), self.programme.disclosure)),
        )

    @cached_property
    def most_vulnerable(self) -> Exhibit:
        """What came of it for the most vulnerable, in words: as :attr:`how_sure`."""
        return self._handed_on(
            "subgroups",
            "results/most_vulnerable.json",
            lambda: report.prose("most-vulnerable", self.subgroups.sentence),
        )

    def _handed_on(self, chapter: str, name: str, make: Callable[[], Exhibit]) -> Exhibit:
        """Return an exhibit that one chapter makes and another shows too, so that its work is done once."""
        file = self.result_file(chapter, name)
        if file is not None and file.is_file():
            return Exhibit(**json.loads(file.read_text(encoding="utf-8")))
        made = make()
        if file is not None:
            write_atomically(file, json.dumps(asdict(made), ensure_ascii=False))
        return made

    @cached_property
    def cost_benefit(self) -> CostBenefit:
        """Who pays, who gains and when; it rests on the same draws of the effects as everything else in the run."""
        return cost_benefit(self.programme.economy, self.effects, seed=self.specification.seed)

    @cached_property
    def audited_results(self) -> Results | None:
        """What was counted or audited, for the contract; None where the programme's folder holds no such file."""
        return results_beside(self.programme.folder)

    @cached_property
    def settlement(self) -> Settlement:
        """What each payer owes under the contract, at the best estimates."""
        return settle_programme(self.programme.contract, self.audited_results, lambda: self.effects)

    @cached_property
    def settled_draws(self) -> DrawnSettlements:
        """The contract settled for each draw of the effects: the same draws on which the economy rests."""
        return settle_run(self.programme.contract, self.audited_results, self.effects, self.specification.seed)

    @cached_property
    def payment(self) -> PaymentPage:
        """The payment chapter, section by section."""
        return PaymentPage.of(self.settlement, self.programme.disclosure, lambda: self.settled_draws)

    @cached_property
    def quantiles(self) -> QuantileResults:
        """The difference between the groups at low, middle and high values of the primary outcome."""
        return estimate_quantiles(self.programme.design, self.tables, seed=self.programme.specification.seed)

    @cached_property
    def reach(self) -> ReachResults:
        """Those reached beside those eligible."""
        settings = self.programme.specification
        return who_was_reached(
            settings.reach, self.programme.design, self.tables, settings.subgroups, settings.vulnerability
        )

    @cached_property
    def subgroups(self) -> SubgroupResults:
        """The effects in the groups that the programme declared."""
        settings = self.programme.specification
        return estimate_subgroups(
            self.programme.design, self.tables, settings.subgroups, settings.vulnerability, seed=settings.seed
        )

    @cached_property
    def planned(self) -> dict[str, PlannedPower]:
        """How small a change of each outcome the plan could see, the primary one first."""
        return powers(self.programme.plan, self.programme.design, self.programme.outcomes, seed=self.specification.seed)

    @property
    def assigned(self) -> tuple[int, int]:
        """Persons assigned to the programme and to the comparison."""
        arms = assigned(self.programme.design, self.tables, next(iter(self.tables.measures)))
        return arms.treated, arms.comparison

    @property
    def flow(self) -> Table:
        """The flow of participants."""
        about, design = self.specification, self.programme.design
        return participant_flow(about.flow, design, self.tables, comparison="Comparison", seed=about.seed)

    @property
    def record(self) -> dict[str, Any]:
        """The record of the run; a notebook opened by hand has none."""
        if self._run is None:
            return {}
        try:
            file = self.result_file("record", RECORD)
            values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file else {}
        except (OSError, ValueError):
            raise BookError(
                "book.no_record",
                "The run folder has no readable record.",
                where=RECORD,
                do="Start the run again: virkning run",
            ) from None
        return values
