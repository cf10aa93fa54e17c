"""How a chapter shows what it holds: cleared tables, figures and sentences."""

from __future__ import annotations

from dataclasses import replace

from .. import report
from ..certainty import domains_table, rule_table
from ..checks import CheckResult
from ..data import codebook
from ..designs.findings import Finding
from ..disclosure import ClearedTable, Table, clear
from ..estimates import Estimate
from ..provenance import code_version
from ..report import Exhibit
from .contents import Contents


class Chapter(Contents):
    """What a notebook holds, and one way to show it; see :class:`.contents.Contents` for the parameters."""

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
        found, _ = self.certainty, self.how_sure
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

    @property
    def flow_sources(self) -> Exhibit:
        """Where the steps before the data begin are documented."""
        keys = list(dict.fromkeys(step.source for step in self.specification.flow if step.source))
        cited = f" {{cite:p}}`{','.join(keys)}`" if keys else ""
        text = f"The steps before the data begin are taken from documents{cited}." if self.specification.flow else ""
        return report.prose("flow-sources", text or "No steps before the data begin are documented.")

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


def _section(question: str, explanation: str, sentence: str, *, level: int = 2) -> str:
    """Return the beginning of a section of a page."""
    return f"```{{rubric}} {question}\n:heading-level: {level}\n```\n\n{explanation}\n\n{sentence}"
