"""What a notebook holds: its programme, its data and the results so far, and one way to show them.

A notebook opened by hand has no run folder; then everything is computed on the spot from the same code, so it shows the
same numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from . import report
from .certainty import Certainty, domains_table, how_sure, rule_table
from .checks import CheckResult, Checks, run_checks
from .contract import Results, Settlement
from .contract.draws import DrawnSettlements, settle_run
from .contract.results import results_beside
from .contract.settlement import settle_programme
from .data import Tables, codebook, read_data
from .designs import estimate
from .designs.findings import Finding
from .disclosure import ClearedTable, Table, clear
from .economy import CostBenefit, cost_benefit
from .errors import BookError
from .estimates import Estimate, Estimates
from .participants import assigned, participant_flow
from .planning import PlannedPower, powers
from .programme import Programme
from .provenance import code_version, write_atomically
from .report import Exhibit
from .report.payments import PaymentPage
from .resources import EFFECTS, RECORD, SCOPE
from .subgroups import (
    QuantileResults,
    ReachResults,
    SubgroupResults,
    estimate_quantiles,
    estimate_subgroups,
    who_was_reached,
)

EVERYTHING = "*"


class Chapter:
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

    def planned_exhibits(self, measure: str) -> list[Exhibit]:
        """Return what could be seen of one outcome: sentences, curve, table, and what the plan takes for granted."""
        found = self.planned[measure]
        curve = self.clear(replace(found.curve(), name=f"power-curve-{measure}"))
        assumed = replace(found.assumptions(), name=f"plan-assumptions-{measure}")
        figure = report.curves.curve(curve, found.drawing)
        return [
            report.plans.answer(found),
            figure,
            report.plans.method(found),
            report.table(curve),
            self.table(assumed),
        ]

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
    def flow_sources(self) -> Exhibit:
        """Where the steps before the data begin are documented."""
        keys = list(dict.fromkeys(step.source for step in self.specification.flow if step.source))
        cited = f" {{cite:p}}`{','.join(keys)}`" if keys else ""
        text = f"The steps before the data begin are taken from documents{cited}." if self.specification.flow else ""
        return report.prose("flow-sources", text or "No steps before the data begin are documented.")

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

    def clear(self, table: Table) -> ClearedTable:
        """Return the table cleared by the programme's rule."""
        return clear(table, self.programme.disclosure)

    def table(self, table: Table) -> Exhibit:
        """Return the table, cleared, as the reader sees it."""
        return report.table(self.clear(table))

    def effects_table(self, estimate: Estimate) -> Table:
        """Return the estimate and the alternatives beside it."""
        return report.effects_table(estimate, self.assigned)

    def effects_figure(self, estimate: Estimate) -> Exhibit:
        """Return the estimate and the alternatives beside it as a picture."""
        return report.figures.effects(estimate, self.clear(self.effects_table(estimate)))

    def findings(self, estimate: Estimate) -> list[Exhibit]:
        """Return what the design shows beside one estimate; folded away when it is not the primary outcome's."""
        if not estimate.is_available:
            return []
        found = self.programme.design.findings(self.tables, estimate, seed=self.programme.specification.seed)
        measure = estimate.estimand.measure
        sections = [self._finding(finding, measure) for finding in found]
        if measure == self.effects.primary.estimand.measure:
            return [
                exhibit
                for finding, shown in zip(found, sections, strict=True)
                for exhibit in (
                    report.prose(
                        f"{finding.name}-{measure}",
                        _section(finding.question, finding.explanation, finding.sentence, level=3),
                    ),
                    *shown,
                )
            ]
        if not found:
            return []
        folded = [(finding.question, finding.sentence, shown) for finding, shown in zip(found, sections, strict=True)]
        return [report.folded(f"behind-{measure}", f"What lies behind: {estimate.estimand.outcome}", folded)]

    def _finding(self, finding: Finding, measure: str) -> list[Exhibit]:
        """Return figure and table of a finding; every outcome has the same ones, so names carry the measure."""
        cleared = self.clear(replace(finding.table, name=f"{finding.table.name}-{measure}"))
        figure = [report.curves.curve(cleared, finding.drawing)] if finding.drawing else []
        return [*figure, report.table(cleared)]

    def codebook(self, table: str) -> Table:
        """Return what each column of ``participants`` or ``outcomes`` means, and how many persons lack it."""
        return codebook(self.tables.schemas[table], getattr(self.tables, table))

    def groups_figure(self) -> Exhibit:
        """Return the effect in each declared group as a picture."""
        found = self.subgroups
        about = found.overall.estimand
        return report.figures.groups(
            self.clear(found.effects_table()),
            scale=report.Scale.of(about, found.overall.comparison_mean),
            overall=found.overall.headline().value if found.overall.is_available else None,
            name="groups",
            caption=f"{about.outcome}: effect in each group, with {found.overall.level:.0%} confidence intervals. "
            "Dotted line: everybody; dashed line: no effect.",
        )

    def level_exhibits(self) -> list[Exhibit]:
        """Return the effect from the least to the most vulnerable, and whom the effect reaches."""
        levels = self.subgroups.levels
        if levels is None:
            return [report.prose("levels-text", self.subgroups.index_text)]
        if len(levels.frame) < 2:
            return [report.prose("levels-text", levels.reason)]
        about = self.subgroups.overall.estimand
        figure = report.figures.groups(
            self.clear(levels.levels_table()),
            scale=report.Scale.of(about, self.subgroups.overall.comparison_mean),
            overall=self.subgroups.overall.headline().value if self.subgroups.overall.is_available else None,
            name="levels-figure",
            caption=f"{about.outcome}: effect by number of signs of vulnerability, with {levels.overall.level:.0%} "
            "confidence intervals. Dotted line: everybody; dashed line: no effect.",
        )
        shown = [report.prose("levels-text", levels.trend_text()), figure, self.table(levels.levels_table())]
        shown.append(report.prose("quarter", f"{levels.quarter_text()}\n\n{levels.need_text()}"))
        return [*shown, self.table(levels.sums_table())] if levels.everyone is not None else shown

    def quantile_exhibits(self) -> list[Exhibit]:
        """Return the difference between the groups at low and high values, or why there is none."""
        found = self.quantiles
        shown = [report.prose("quantiles-text", found.text())]
        if found.reason:
            return shown
        cleared = self.clear(found.table())
        return [*shown, report.curves.curve(cleared, found.drawing), report.table(cleared)]

    def reach_exhibits(self) -> list[Exhibit]:
        """Return those reached beside those eligible, or that nobody documented them."""
        shown = [report.prose("reach-text", self.reach.sentence)]
        return [*shown, self.table(self.reach.table())] if len(self.reach.frame) else shown

    def certainty_exhibits(self) -> list[Exhibit]:
        """Return how sure one can be, part by part, and the rule that makes one grade of the parts."""
        found = self.certainty
        shown = [report.prose("how-sure-text", f"**{found.word}.** {found.sentence.removeprefix(found.word + '. ')}")]
        return [*shown, *([self.table(found.table())] if found.parts else []), self.table(rule_table())]

    def rating_exhibits(self) -> list[Exhibit]:
        """Return how three scales of others grade the answer, as far as numbers tell."""
        found = self.certainty
        if found.padlocks is None:
            return [report.prose("ratings", found.sentence)]
        levels = f"**Maryland scale.** {found.evidence}\n\n**Padlocks.** {found.padlocks.sentence()}"
        return [
            report.prose("ratings", levels),
            self.table(found.padlocks.table()),
            self.table(domains_table(found.domains)),
        ]

    def check_exhibits(self, check: CheckResult) -> list[Exhibit]:
        """Return one check as a section of a page: its question, what it does, what it found, figure and table."""
        title = _section(check.question, check.explanation, check.sentence)
        shown = [report.prose(check.name, title)]
        cleared = self.clear(check.table)
        if check.name == "balance":
            shown.append(report.figures.love_plot(cleared, self.specification.checks.balance_threshold))
        if check.name == "power" and check.chart is not None:
            shown.append(self._power_figure(check, cleared))
        if check.drawing:
            shown.append(report.curves.curve(cleared, check.drawing))
        return shown if cleared.frame.empty else [*shown, report.table(cleared)]

    def _power_figure(self, check: CheckResult, cleared: ClearedTable) -> Exhibit:
        primary = self.effects.primary
        assert check.chart is not None
        smallest = check.numbers["minimum_detectable_effect"]
        return report.figures.power_curve(
            check.chart,
            scale=report.Scale.of(primary.estimand, smallest),
            smallest=smallest,
            target=check.numbers["power"],
            cleared=cleared,
        )

    def record_table(self) -> Table:
        """Return what identifies the run."""
        return report.record.record_table(self.record)

    def settings_table(self) -> Table:
        """Return every setting that decides what is computed."""
        return report.record.settings_table(self.programme.resolved(), self.programme.changes)

    def packages_table(self) -> Table:
        """Return the installed packages."""
        return report.record.packages_table(self.record)

    def rerun(self) -> Exhibit:
        """Return the commands that make the same book again."""
        return report.record.rerun(self.programme.name, code_version(), self.programme.changes)

    def proof(self) -> Exhibit:
        """Return how to prove that the run can be made again, and where its record lies."""
        return report.record.proof(self.record)


def _section(question: str, explanation: str, sentence: str, *, level: int = 2) -> str:
    """Return the beginning of a section of a page."""
    return f"```{{rubric}} {question}\n:heading-level: {level}\n```\n\n{explanation}\n\n{sentence}"
