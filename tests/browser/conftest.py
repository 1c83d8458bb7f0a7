"""One browser and one server for all, a context for all tests with the same options, and fresh tabs for each test. A
test fails on anything that goes wrong in its tabs unasked.
"""

import json
import os
from collections import OrderedDict
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
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    TimeoutError,
    WebError,
    sync_playwright,
)

KEPT_CONTEXTS = 4
WELCOMED = (
    "try { localStorage.setItem('cnn-explorer-welcomed', '1'); } catch {}"  # the line of the first visit is closed
)
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
    """The page as it opens, in a context of its own, for tests that only run its modules."""
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
        self._handlers: dict[Any, Callable[..., None]] = {
            "weberror": self._error,
            "console": self._console,
            "requestfailed": self._failed,
        }

    def on(self, context: BrowserContext) -> None:
        for event, handler in self._handlers.items():
            context.on(event, handler)

    def off(self, context: BrowserContext) -> None:
        for event, handler in self._handlers.items():
            context.remove_listener(event, handler)

    def forgive(self, *words: str) -> None:
        self.forgiven += words

    def _error(self, error: WebError) -> None:
        self.problems.append(f"error in the page: {error.error}")

    def _console(self, message: ConsoleMessage) -> None:
        """Chromium writes here as well when a server refuses something, with its address."""
        if message.type in ("error", "assert"):
            self.problems.append(f"on the console: {message.text} {message.location.get('url', '')}")

    def _failed(self, request: Request) -> None:
        """Requests to other hosts fail (`driver.ARGUMENTS`), and some are not mentioned on the console."""
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc not in self.hosts:
            self.problems.append(f"a request to another host: {request.url}")

    def report(self) -> list[str]:
        return [problem for problem in self.problems if not any(word in problem for word in self.forgiven)]


@pytest.fixture
def watch(server: Server) -> Watch:
    return Watch(urlsplit(server.url).netloc)


Visit = Callable[..., Explorer]


ContextWith = Callable[[dict[str, Any]], BrowserContext]


def new_context(browser: Browser, options: dict[str, Any]) -> BrowserContext:
    """A context for a visitor who has been here before, and for tests that wait long."""
    context = browser.new_context(**options)
    context.add_init_script(WELCOMED)
    context.set_default_timeout(PATIENCE)
    return context


@pytest.fixture(scope="session")
def context_with(browser: Browser, server: Server) -> ContextWith:
    """Makes a context with these options, or finds it among the last few.

    Its first tab stays open, since Chromium then runs all further ones in the same process, which has compiled
    Streamlit's scripts: loading the app takes half the processor time.
    """
    kept: OrderedDict[str, BrowserContext] = OrderedDict()

    def found(options: dict[str, Any]) -> BrowserContext:
        key = json.dumps(options, sort_keys=True)
        if key not in kept:
            if len(kept) == KEPT_CONTEXTS:
                kept.popitem(last=False)[1].close()
            kept[key] = new_context(browser, options)
            kept[key].new_page().goto(f"{server.url}/_stcore/health")
        kept.move_to_end(key)
        return kept[key]

    return found


@pytest.fixture(scope="module")
def kept_tabs() -> Iterator[dict[str, tuple[Page, str]]]:
    """Tabs that the tests of a file share, each with its address once it is complete, by the address that is opened."""
    tabs: dict[str, tuple[Page, str]] = {}
    yield tabs
    for page, _ in tabs.values():
        page.close()


@pytest.fixture
def new_page(
    browser: Browser,
    context_with: ContextWith,
    watch: Watch,
    kept_tabs: dict[str, tuple[Page, str]],
    request: pytest.FixtureRequest,
) -> Iterator[Callable[..., Page]]:
    """Opens a tab in a context with these options, each further one in a context of its own. What goes wrong in them
    fails the test. With `kept`, the shared tab of that name, if there is one and no test has failed with it.
    """
    failed = request.session.testsfailed
    shared: list[BrowserContext] = []
    own: list[BrowserContext] = []

    def opened(options: dict[str, Any] | None = None, kept: str = "") -> Page:
        options = {"viewport": LAPTOP, "color_scheme": "light", **(options or {})}
        context = context_with(options)
        if context in shared:  # a second tab would cover the first, which would paint no more
            context = new_context(browser, options)
            own.append(context)
        else:
            shared.append(context)
        watch.on(context)
        page, _ = kept_tabs.get(kept, (None, ""))
        if page in context.pages:
            page.bring_to_front()
            return page
        return context.new_page()

    yield opened
    for context in own:
        context.close()
    if request.session.testsfailed > failed:
        kept_tabs.clear()
    kept = [page for page, _ in kept_tabs.values()]
    for context in shared:
        first, *others = context.pages
        for page in others:
            if page not in kept:
                page.close()
        first.evaluate("() => localStorage.clear()")  # there Streamlit keeps whether the sidebar is open
        watch.off(context)
    assert watch.report() == []


@pytest.fixture
def visit(new_page: Callable[..., Page], server: Server) -> Visit:
    """Opens the first page: query parameters by name, options of the browser's context as a dict."""

    def opened(context: dict[str, Any] | None = None, url: str = "", **address: str) -> Explorer:
        page = new_page(context)
        page.goto(url or f"{server.url}/?{urlencode(address)}")
        return Explorer(page).ready()

    return opened


def _rests(page: Page, kept: tuple[Page, str] | None) -> bool:
    """Whether a shared tab is as it was opened. What is closed leaves the address a little later."""
    if kept is None or kept[0] != page:
        return False
    page.mouse.move(640, 715)
    page.evaluate("document.activeElement.blur()")
    try:
        page.wait_for_url(kept[1], timeout=2000)
    except TimeoutError:
        return False
    return True


@pytest.fixture
def revisit(new_page: Callable[..., Page], server: Server, kept_tabs: dict[str, tuple[Page, str]]) -> Visit:
    """The first page as `visit` opens it, in a tab that the tests of a file share: loading it takes longer than most
    tests. A test that leaves another address behind, or fails, has the next one load the page again.
    """

    def opened(**address: str) -> Explorer:
        url = f"{server.url}/?{urlencode(address)}"
        page = new_page(kept=url)
        if not _rests(page, kept_tabs.get(url)):
            page.goto(url)
            Explorer(page).ready()
            kept_tabs[url] = page, page.url
        return Explorer(page)

    return opened


@pytest.fixture
def visit_numbers(new_page: Callable[..., Page], server: Server, watch: Watch) -> Callable[..., NumberPage]:
    """Opens a number-by-number page by its path: the scene to wait for, options of the context, query parameters by
    name.
    """

    def opened(path: str, scene: str, context: dict[str, Any] | None = None, **address: str) -> NumberPage:
        # Streamlit's own browser code asks below the page's path for its server before it asks below the root.
        watch.forgive(f"/{path}/_stcore/")
        page = new_page({"reduced_motion": "reduce", **(context or {})})
        page.goto(f"{server.url}/{path}?{urlencode(address)}")
        return NumberPage(page).ready(scene)

    return opened


@pytest.fixture
def revisit_numbers(
    new_page: Callable[..., Page], server: Server, watch: Watch, kept_tabs: dict[str, tuple[Page, str]]
) -> Callable[[str], NumberPage]:
    """A number-by-number page by its path, in a tab that the tests of a file share. They choose their step, and leave
    the example as it is.
    """

    def opened(path: str) -> NumberPage:
        watch.forgive(f"/{path}/_stcore/")
        page = new_page({"reduced_motion": "reduce"}, kept=path)
        if (page, path) != kept_tabs.get(path):
            page.goto(f"{server.url}/{path}")
            page.locator(".grid-player[data-scene]").wait_for()
            kept_tabs[path] = page, path
        return NumberPage(page)

    return opened


VisitTraining = Callable[..., TrainingPage]


@pytest.fixture
def visit_training(new_page: Callable[..., Page], server: Server, watch: Watch) -> VisitTraining:
    """Opens the page "Train": the recipe, options of the browser's context as a dict, query parameters by name."""

    def opened(recipe: str, context: dict[str, Any] | None = None, **address: str) -> TrainingPage:
        watch.forgive("/training/_stcore/")  # as above
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
