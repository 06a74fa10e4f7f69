"""Chromium, headless, driven by chromedriver's HTTP protocol (W3C WebDriver).

Needs the Debian packages chromium and chromium-driver. With PLATEAU_SCREENSHOTS=FOLDER the pictures are kept.
"""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientConnectionError, ClientSession

WAIT_S = 30.0


class Browser:
    """One browser window: what of WebDriver these tests need."""

    def __init__(self, http: ClientSession, session_url: str) -> None:
        self.http, self.url = http, session_url

    async def _ask(self, method: str, path: str, **body: Any) -> Any:
        async with self.http.request(method, self.url + path, json=body if method == "POST" else None) as answer:
            value = (await answer.json())["value"]
            assert answer.status == 200, value
            return value

    async def go(self, url: str) -> None:
        await self._ask("POST", "/url", url=url)

    async def run(self, script: str, *args: Any) -> Any:
        return await self._ask("POST", "/execute/sync", script=script, args=list(args))

    async def text(self, selector: str) -> str:
        """The visible text of the first such element, or nothing."""
        return str(await self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    async def until(self, selector: str, wanted: str) -> str:
        """Wait until the element's text has `wanted` in it."""
        end = time.monotonic() + WAIT_S
        while wanted not in (text := await self.text(selector)):
            assert time.monotonic() < end, f"{selector} has {text!r}, expected {wanted!r}"
            await asyncio.sleep(0.03)
        return text

    async def click(self, selector: str) -> None:
        found = await self._ask("POST", "/element", using="css selector", value=selector)
        await self._ask("POST", f"/element/{next(iter(found.values()))}/click")

    async def type(self, selector: str, text: str) -> None:
        found = await self._ask("POST", "/element", using="css selector", value=selector)
        await self._ask("POST", f"/element/{next(iter(found.values()))}/value", text=text)

    async def wide(self, width: int, height: int = 900) -> None:
        """Make the page so wide."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self._ask("POST", "/goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=size)

    async def dark(self, dark: bool) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self._ask("POST", "/goog/cdp/execute", cmd="Emulation.setEmulatedMedia", params={"features": [scheme]})

    async def picture(self, name: str) -> None:
        folder = os.environ.get("PLATEAU_SCREENSHOTS")
        if folder:
            picture = base64.b64decode(await self._ask("GET", "/screenshot"))
            await asyncio.to_thread(Path(folder, f"{name}.png").write_bytes, picture)

    async def complaints(self) -> list[str]:
        """What the browser logged as errors: exceptions, breaches of the content security policy, missing files."""
        return [entry["message"] for entry in await self._ask("POST", "/se/log", type="browser")]


@asynccontextmanager
async def open_browser(profile: Path, *switches: str) -> AsyncIterator[Browser]:
    """Chromium with a profile of its own, and more switches for its command line."""
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    assert driver and chromium, "expected Chromium and its driver: apt-get install chromium chromium-driver"
    process = await asyncio.create_subprocess_exec(
        driver, "--port=0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout
    port = ""
    async with ClientSession() as http:
        try:
            while not port:
                line = (await asyncio.wait_for(process.stdout.readline(), WAIT_S)).decode()
                assert line, "chromedriver ended before it listened"
                if "started successfully on port" in line:
                    port = line.rstrip(".\n ").rpartition(" ")[2]
            arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--lang=en-GB",
                         "--window-size=1280,900", f"--user-data-dir={profile}", *switches]  # fmt: skip
            options = {"binary": chromium, "args": arguments}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "SEVERE"}}
            base = f"http://127.0.0.1:{port}/session"
            async with http.post(base, json={"capabilities": {"alwaysMatch": wanted}}) as answer:
                value = (await answer.json())["value"]
                assert answer.status == 200, value
            try:
                yield Browser(http, f"{base}/{value['sessionId']}")
            finally:
                async with http.delete(f"{base}/{value['sessionId']}"):
                    pass
        except ClientConnectionError as e:
            raise AssertionError("chromedriver went away") from e
        finally:
            process.terminate()
            await process.communicate()
