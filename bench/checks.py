"""What a run has to show: each claim with what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Check:
    """One claim."""

    claim: str
    ok: bool
    measured: str


@dataclass(slots=True)
class Checks:
    """All claims of a run; it passes when there are some and all hold."""

    checks: list[Check] = field(default_factory=list)

    def that(self, claim: str, ok: object, measured: object = "") -> bool:
        """Note a claim; returns whether it holds."""
        self.checks.append(Check(claim, bool(ok), str(measured)))
        return bool(ok)

    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(check.ok for check in self.checks)

    def table(self) -> Table:
        table = Table(title="Checks", title_justify="left", expand=False)
        table.add_column("")
        table.add_column("claim")
        table.add_column("measured")
        for check in self.checks:
            mark = "[green]ok[/green]" if check.ok else "[bold red]failed[/bold red]"
            table.add_row(mark, escape(check.claim), escape(check.measured))
        return table
