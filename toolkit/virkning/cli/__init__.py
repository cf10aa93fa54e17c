"""The command ``virkning``: parse, call one function, print, exit code; no logic.

Results go to standard output, progress and messages to standard error. Commands stand by subject in the modules of this
package; a module is imported when one of its commands is asked for, so that each starts at once.
"""

from __future__ import annotations

from collections import UserDict
from importlib import import_module
from typing import Any

import click

from ..errors import did_you_mean

# Where each command stands: a function of its name in that module.
MODULES = {
    "init": "programmes",
    "check": "programmes",
    "run": "programmes",
    "book": "programmes",
    "sweep": "sweeps",
    "runs": "runs",
    "rerun": "runs",
    "verify": "runs",
    "compare": "runs",
    "power": "planning",
    "settle": "contracts",
    "indigo": "contracts",
    "schema": "lookup",
    "designs": "lookup",
    "completion": "lookup",
}


class _Imported(UserDict[str, Any]):
    """Commands by name, imported when asked for."""

    def __getitem__(self, name: str) -> click.Command:
        command: click.Command = getattr(import_module(f".{self.data[name]}", __name__), name)
        return command


class _Commands(click.Group):
    """A group that names the nearest command when one is misspelt."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(f"There is no command «{args[0]}». {did_you_mean(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, commands=_Imported(MODULES), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="virkning", prog_name="virkning")
def main() -> None:
    """Find out, and show, whether social programmes work.

    PROGRAMME is a folder with a programme.yml, or the name of one below programmes/ or of a shipped example.
    """
