"""One browser and one server for all; a fresh context for each test, which fails on anything that goes wrong in the
page unasked.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from browser.axe import axe_source
from browser.driver import ROOT, Server, launch, running_app
from browser.explorer import PATIENCE, Explorer
from browser.numbers import NumberPage
from browser.training import TrainingPage
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request, Response, sync_playwright

LAPTOP = {"width": 1280, "height": 720}


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running_app(ROOT / "app.py") as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            chromium = launch(playwright)
        except Error as problem:
            reason = (
                "no Chromium or Chrome: install one, or run `python -m playwright install chromium` "
                f"({problem.message[:120]})"
            )
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def app(browser: Browser, server: Server) -> Iterator[Explorer]:
    """The page as it opens, for tests that only run its modules."""
    page = browser.new_page()
    page.goto(server.url)
    yield Explorer(page).ready()
    page.close()


class Watch:
    """Everything that went wrong in some pages. `forgive` takes words of a problem that a test brings about itself."""

    def __init__(self, host: str) -> None:
        self.hosts = {host}
        self.problems: list[str] = []
        self.forgiven: list[str] = []

    def on(self, context: BrowserContext) -> None:
        context.on("weberror", lambda error: self.problems.append(f"error in the page: {error.error}"))
        context.on("console", self._console)
        context.on("request", self._request)
        context.on("response", self._response)

    def forgive(self, *words: str) -> None:
        self.forgiven += words

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "assert"):
            self.problems.append(f"on the console: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc not in self.hosts:
            self.problems.append(f"a request to another host: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status} for {response.url}")

    def report(self) -> list[str]:
        return [problem for problem in self.problems if not any(word in problem for word in self.forgiven)]


@pytest.fixture
def watch(server: Server) -> Watch:
    return Watch(urlsplit(server.url).netloc)


Visit = Callable[..., Explorer]


@pytest.fixture
def new_page(browser: Browser, watch: Watch) -> Iterator[Callable[..., Page]]:
    """Makes a page in a context of its own, with options of the context as a dict; what goes wrong in it fails the
    test.
    """
    contexts: list[BrowserContext] = []

    def made(context: dict[str, Any] | None = None) -> Page:
        fresh = browser.new_context(**{"viewport": LAPTOP, "color_scheme": "light", **(context or {})})
        fresh.set_default_timeout(PATIENCE)
        contexts.append(fresh)
        watch.on(fresh)
        return fresh.new_page()

    yield made
    for context in contexts:
        context.close()
    assert watch.report() == []


@pytest.fixture
def visit(new_page: Callable[..., Page], server: Server) -> Visit:
    """Opens the first page: query parameters by name, options of the browser's context as a dict."""

    def opened(context: dict[str, Any] | None = None, url: str = "", **address: str) -> Explorer:
        page = new_page(context)
        page.goto(url or f"{server.url}/?{urlencode(address)}")
        return Explorer(page).ready()

    return opened


@pytest.fixture
def visit_numbers(new_page: Callable[..., Page], server: Server, watch: Watch) -> Callable[..., NumberPage]:
    """Opens a number-by-number page by its path: the scene to wait for, options of the context, query parameters by
    name.
    """

    def opened(path: str, scene: str, context: dict[str, Any] | None = None, **address: str) -> NumberPage:
        # Streamlit's own browser code asks below the page's path for its server before it asks below the root.
        watch.forgive(f"/{path}/_stcore/", "status of 404 (Not Found)")
        page = new_page({"reduced_motion": "reduce", **(context or {})})
        page.goto(f"{server.url}/{path}?{urlencode(address)}")
        return NumberPage(page).ready(scene)

    return opened


VisitTraining = Callable[..., TrainingPage]


@pytest.fixture
def visit_training(new_page: Callable[..., Page], server: Server, watch: Watch) -> VisitTraining:
    """Opens the page "Train": the recipe, options of the browser's context as a dict, query parameters by name."""

    def opened(recipe: str, context: dict[str, Any] | None = None, **address: str) -> TrainingPage:
        watch.forgive("/training/_stcore/", "status of 404 (Not Found)")  # as above
        page = new_page(context)
        page.goto(f"{server.url}/training?{urlencode({'recipe': recipe, **address})}")
        return TrainingPage(page).ready()

    return opened


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where screenshots go."""
    folder = Path(os.environ.get("TEST_ARTIFACTS", ROOT / "test-artifacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, to be run in a page before `check`."""
    return axe_source()
