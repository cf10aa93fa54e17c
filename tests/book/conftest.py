"""One published book of the NSW programme for all tests of pages, and one browser to look at it."""

from __future__ import annotations

import fcntl
import functools
import http.server
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

import virkning as vk
from virkning.publication import Published

CHROME = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--hide-scrollbars",
)


@dataclass(frozen=True)
class BuiltBook:
    published: Published
    html: Path

    def text(self, page: str) -> str:
        return (self.html / f"{page}.html").read_text(encoding="utf-8")

    @property
    def pages(self) -> list[str]:
        return sorted(path.relative_to(self.html).with_suffix("").as_posix() for path in self.html.rglob("*.html"))


@pytest.fixture(scope="session")
def nsw(tmp_path_factory: pytest.TempPathFactory) -> BuiltBook:
    """The book, made once for all test processes: whoever comes second finds the run and the book unchanged."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "nsw-book"
    place.mkdir(exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        published = vk.publish(vk.Programme.read("nsw"), runs=place / "runs", books=place / "_build")
    return BuiltBook(published, published.book.index.parent)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def address(nsw: BuiltBook) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(nsw.html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Browser:
    """A real browser that remembers every request it made."""

    def __init__(self, profile: Path) -> None:
        options = Options()
        for flag in (*CHROME, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(which("chromedriver")))

    def size(self, width: int, height: int) -> None:
        values = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", values)

    def requests(self) -> list[str]:
        """Return the addresses asked for since the last call, without what lies in the page or in the browser."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        return [url for url in urls if urlsplit(url).scheme not in ("data", "blob", "chrome")]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.driver.quit()
