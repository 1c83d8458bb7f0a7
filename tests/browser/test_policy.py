"""What the content security policy keeps a browser from doing. Every other browser test shows that the pages need
nothing that it forbids: a violation is an error on the console."""

import pytest
from browser.conftest import Visit, Watch

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
