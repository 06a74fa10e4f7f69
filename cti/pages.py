"""The web pages: one head and one bar for all (`web/frame.html`), the rest of each from `web/`. No build step, nothing
loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from aiohttp import web

from cti import problems
from pbx.trace.svg import CSS as LADDER_CSS

_FILES: Final = files("cti.web")
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class Page:
    """`name`.html is its body; beside `style.css` and `common.js` it has these styles and scripts, in this order."""

    path: str
    name: str
    title: str
    scripts: tuple[str, ...]
    styles: tuple[str, ...] = ()

    def text(self) -> str:
        styles = [f'<link rel="stylesheet" href="/{name}.css">' for name in ("style", *self.styles)]
        scripts = [f'<script src="/{name}.js" defer></script>' for name in ("common", *self.scripts)]
        filled = {"title": self.title, "styles": "\n  ".join(styles), "scripts": "\n  ".join(scripts),
                  "main": _read(f"{self.name}.html")}  # fmt: skip
        return _read("frame.html").format(**filled)


PAGES: Final = (
    Page("/", "index", "Plateau", ("desktop", "sheets", "floor", "app")),
    Page("/calls/{id}", "call", "Call - Plateau", ("call",), ("ladder",)),
    Page("/callbacks", "callbacks", "Callbacks - Plateau", ("callbacks",)),
    Page("/statistics", "statistics", "Statistics - Plateau", ("statistics",)),
    Page("/wall-board", "wall-board", "Wall board - Plateau", ("wall-board",), ("wall-board",)),
)


def add_to(router: web.UrlDispatcher) -> None:
    """All pages, their scripts and styles."""
    for path, text, media_type in _contents():
        router.add_get(path, _content(text.encode(), media_type))


def _contents() -> Iterator[tuple[str, str, str]]:
    for page in PAGES:
        yield page.path, page.text(), "text/html"
    for name in dict.fromkeys(("common", *(script for page in PAGES for script in page.scripts))):
        yield f"/{name}.js", _read(f"{name}.js"), "text/javascript"
    for name in dict.fromkeys(("style", *(style for page in PAGES for style in page.styles))):
        yield f"/{name}.css", LADDER_CSS if name == "ladder" else _read(f"{name}.css"), "text/css"


def _read(name: str) -> str:
    return _FILES.joinpath(name).read_text("utf-8")


def _content(body: bytes, media_type: str) -> problems.Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=media_type, charset="utf-8", headers=_HEADERS)

    return serve
