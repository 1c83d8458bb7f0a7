"""What headers of HTTP responses do in a browser. Every other browser test shows that the pages need nothing that the
content security policy forbids: a violation is an error on the console."""

from collections.abc import Callable

import pytest
from browser.conftest import Visit, Watch
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

INJECTED = """() => {
  const script = document.createElement("script");
  script.textContent = "window.injected = 'script'";
  document.body.append(script);
  const holder = document.createElement("div");
  holder.innerHTML = "<img src='data:,' onerror=\\"window.injected = 'handler'\\">";
  document.body.append(holder);
  return new Promise((done) => {
    holder.firstChild.addEventListener("error", () => setTimeout(() => done(window.injected ?? "nothing")));
  });
}"""


def test_what_is_injected_into_the_page_does_not_run(visit: Visit, watch: Watch) -> None:
    app = visit()
    watch.forgive("Content Security Policy")
    assert app.page.evaluate(INJECTED) == "nothing"
    assert [problem for problem in watch.problems if "Content Security Policy" in problem]


def test_a_request_to_another_host_fails_and_does_not_go_unnoticed(new_page: Callable[..., Page], watch: Watch) -> None:
    """Where no policy forbids it: on an empty page."""
    page = new_page()
    watch.forgive("elsewhere.test")
    with page.expect_event("requestfailed"):
        page.evaluate("() => { new Image().src = 'http://elsewhere.test/a.png'; }")
    assert "a request to another host: http://elsewhere.test/a.png" in watch.problems


def test_modules_are_fetched_once_and_before_streamlit_names_them(visit: Visit) -> None:
    fetched = visit().page.evaluate(
        "() => performance.getEntriesByType('resource').map(({ name, startTime }) => [name, startTime])"
    )
    modules = [(name, start) for name, start in fetched if "/bidi-components/" in name and name.endswith(".js")]
    assert len({name for name, _ in modules}) == len(modules) > 40
    (streamlit,) = [start for name, start in fetched if "/BidiComponent." in name]
    assert max(start for _, start in modules) < streamlit
