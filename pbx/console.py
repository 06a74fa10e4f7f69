"""What every command of `plateau` needs: the terminal, the site file with its mistakes, the exit status."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from config.errors import SiteError
from config.schema import Site
from pbx.site import load_site

# Into a pipe or a file nothing is wrapped or cut: it will be searched.
# No emoji: `{money:basket:EUR}` is text of the site's.
out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 1000, emoji=False)
err = Console(stderr=True, soft_wrap=True, emoji=False)

SiteFile = Annotated[Path, typer.Argument(help="The site file (YAML)", metavar="SITE")]

#: Exit statuses: 1 something was found wrong, 2 the command can't be done as given.
WRONG, UNUSABLE = 1, 2

SOON_S = 0.5  # what is done by then shows no progress bar


def fail(text: str, status: int = UNUSABLE) -> NoReturn:
    say_red(f"plateau: {text}")
    raise typer.Exit(status)


def read_site(path: Path, *, with_files: bool = False) -> Site:
    """The site, or every mistake in it on a line of its own and exit status 1."""
    try:
        with converting() as progress:
            return load_site(path, with_files=with_files, progress=progress)
    except SiteError as error:
        for problem in error.problems:
            err.print(str(problem), markup=False, highlight=False, soft_wrap=True)
        count = len(error.problems)
        say_red(f"{path}: {count} mistake{'s' if count > 1 else ''}")
        raise typer.Exit(WRONG) from None


@contextlib.contextmanager
def converting() -> Iterator[Callable[[int, int], None]]:
    """A progress bar, on a terminal, for prompts that are converted; none when that is soon done."""
    bar = Progress(
        TextColumn("converting prompts"), BarColumn(), MofNCompleteColumn(), console=err, transient=True,
        disable=not err.is_terminal,
    )  # fmt: skip
    task = bar.add_task("", total=None)
    late = threading.Timer(SOON_S, bar.start)
    late.daemon = True

    def told(done: int, total: int) -> None:
        if total and not late.ident:
            late.start()
        bar.update(task, completed=done, total=total)

    try:
        yield told
    finally:
        late.cancel()
        bar.stop()


def say_red(text: str) -> None:
    err.print(text, style="bold red", markup=False, highlight=False, soft_wrap=True)


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    """Run on uvloop; Ctrl-C ends quietly."""
    import uvloop

    async def body() -> Any:
        return await main()

    try:
        return uvloop.run(body())
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def api_of(site: Site) -> tuple[str, str]:
    """Base URL of the site's API and a short-lived supervisor's token for it."""
    if site.listen.http is None or site.api is None:
        fail("this site has no HTTP API: it needs listen.http and api.secret")
    from cti.tokens import Tokens

    host, port = site.listen.http
    token = Tokens(site.api.secret.get_secret_value()).make("supervisor", "plateau", time.time(), 3600)
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}", token
