"""Imports point one way, cores do no I/O, files and functions stay short. Read from the source, nothing is imported."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("acd", "bench", "config", "cti", "ivr", "media", "pbx", "tests")
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60

MAY_IMPORT: dict[str, frozenset[str]] = {
    unit: frozenset(others.split())
    for unit, others in {
        "config": "",
        "pbx.sip": "",
        "pbx.sdp": "",
        "pbx.transport": "pbx.sip",
        "pbx.routing": "pbx.sip config",
        "pbx.store": "config",
        "pbx.trace": "pbx.sip config",
        "pbx.call": "pbx.sip pbx.sdp pbx.transport pbx.routing media config",
        "pbx.subscriptions": "pbx.sip pbx.routing pbx.call config",
        "media": "config",
        "acd": "config",
        "acd.desk": "acd pbx.call config",
        "ivr": "pbx.call media config",
        "cti": "acd acd.desk ivr pbx.call pbx.store pbx.trace config",
    }.items()
}
"""What each unit may import besides itself. The root and bench may import everything but tests; nobody imports them."""

SANS_IO = ("pbx.sip", "pbx.sdp", "pbx.routing", "pbx.trace", "acd", "ivr.flow", "ivr.run", "ivr.signals", "ivr.verbs")
"""No clock, socket, event loop or dice in these; `acd.desk` is not among them."""
IO_MODULES = frozenset({"asyncio", "socket", "time", "random", "uvloop", "threading", "selectors", "secrets"})


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


@functools.cache
def our_modules() -> frozenset[str]:
    compiled = (path for package in PACKAGES for path in (ROOT / package).rglob("*.pyx"))
    return frozenset(module_name(path) for path in [*sources(*PACKAGES), *compiled])


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, in full, with the line; also those imported for types only."""
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:
                below = f"{module}.{alias.name}"
                yield (below if below in our_modules() else module), node.lineno


def unit_of(module: str) -> str | None:
    """The unit of the table a module belongs to: the longest that contains it."""
    units = [unit for unit in MAY_IMPORT if module == unit or module.startswith(unit + ".")]
    return max(units, key=len) if units else None


def is_in(module: str, units: tuple[str, ...]) -> bool:
    return any(module == unit or module.startswith(unit + ".") for unit in units)


def is_root(module: str) -> bool:
    """The composition root: `pbx.server`, `pbx.__main__` and what stands beside them; and what drives the whole."""
    beside = module.startswith("pbx.") and module.count(".") == 1 and unit_of(module) is None
    return beside or is_in(module, ("bench", "tests"))


def layer_breaks(path: Path) -> Iterator[str]:
    name, unit = module_name(path), unit_of(module_name(path))
    for module, line in imports(path):
        where = f"{path.relative_to(ROOT)}:{line}: {name} may not import {module}"
        if is_in(module, ("tests",)) and not is_in(name, ("tests",)):  # they are not installed
            yield where
        elif module.partition(".")[0] not in PACKAGES or is_root(name):
            continue
        elif is_root(module):
            yield where
        elif unit is not None and (other := unit_of(module)) != unit and other not in MAY_IMPORT[unit]:
            yield where


def in_sans_io(name: str) -> bool:
    return is_in(name, SANS_IO) and not is_in(name, ("acd.desk", "pbx.trace.homer"))


@pytest.mark.parametrize("package", [p for p in PACKAGES if p != "tests"])
def test_imports_point_one_way(package: str) -> None:
    assert [break_ for path in sources(package) for break_ in layer_breaks(path)] == []


def test_every_module_has_its_place() -> None:
    strays = {name for name in our_modules() if unit_of(name) is None and not is_root(name)}
    assert strays <= {"pbx"}


def test_cores_read_no_clock_and_open_no_socket() -> None:
    breaks = [
        f"{path.relative_to(ROOT)}:{line}: a sans-IO core imports {module}"
        for path in sources("pbx", "acd", "ivr")
        if in_sans_io(module_name(path))
        for module, line in imports(path)
        if module.partition(".")[0] in IO_MODULES
    ]
    assert breaks == []


def test_files_are_short() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text("utf-8").splitlines()) for path in sources(*PACKAGES)}
    assert {str(path): lines for path, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {(node.end_lineno or 0) - node.lineno + 1} lines"
        for path in sources(*PACKAGES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long == []


# --- the test itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "source", "breaks"),
    [
        ("config/x.py", "import media.plane", ["media.plane"]),
        ("config/x.py", "from pbx import call", ["pbx.call"]),
        ("pbx/sip/x.py", "from pbx.sip import errors\nfrom . import message\nfrom .message import parse", []),
        ("pbx/sip/x.py", "from .. import sdp", ["pbx.sdp"]),
        ("pbx/sip/x.py", "def f():\n    from pbx.call.call import Call", ["pbx.call.call"]),
        ("pbx/call/x.py", "import pbx.sip.message, media, config, pbx.routing.dial_plan", []),
        ("pbx/call/x.py", "import acd.engine", ["acd.engine"]),
        ("acd/x.py", "from pbx.call.call import Call", ["pbx.call.call"]),
        ("acd/x.py", "import acd.desk", ["acd.desk"]),
        ("acd/desk.py", "from pbx.call.call import Call\nimport acd.engine\nimport config.schema", []),
        ("cti/x.py", "import acd.desk\nimport pbx.store.cdr\nimport pbx.server", ["pbx.server"]),
        ("pbx/server.py", "import cti.http\nimport media.plane\nimport acd.desk", []),
        ("ivr/x.py", "import tests.tools\nimport bench", ["tests.tools", "bench"]),
        ("bench/x.py", "import tests.tools\nimport pbx.server", ["tests.tools"]),
    ],
)
def test_the_rules_are_read_rightly(
    monkeypatch: pytest.MonkeyPatch, file: str, source: str, breaks: list[str]
) -> None:
    modules = {"pbx.call", "pbx.sdp", "pbx.sip", "pbx.sip.errors", "pbx.sip.message", "acd.desk"}
    monkeypatch.setitem(globals(), "our_modules", lambda: frozenset(modules))
    monkeypatch.setitem(globals(), "tree", lambda path: ast.parse(source))
    assert [found.rpartition(" ")[2] for found in layer_breaks(ROOT / file)] == breaks


def test_desk_is_no_core() -> None:
    names = ("acd.engine", "acd.desk", "ivr.flow", "ivr.session")
    assert [in_sans_io(name) for name in names] == [True, False, True, False]
