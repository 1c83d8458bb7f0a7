"""axe-core, which finds what keeps people from using a page, and a page in light and in dark colours."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from playwright.sync_api import Page

AXE = "axe-core-4.10.3"
CHECK = """async ([rules, without]) => {
  const context = without ? { include: [["html"]], exclude: [[without]] } : document;
  const { violations, passes } = await axe.run(context, { selectors: false, ...(rules.length && { runOnly: rules }) });
  return {
    found: violations.flatMap(({ id, impact, nodes }) => nodes.map(({ html, failureSummary }) => ({ id, impact, html, failureSummary }))),
    looked: passes.flatMap(({ nodes }) => nodes.map(({ html }) => html)),
  };
}"""
RESTED = "part => !part.getAnimations({ subtree: true }).length"
COLOURED = """(theme) => {
  const [light] = getComputedStyle(document.querySelector(".stApp")).backgroundColor.match(/\\d+/g);
  const views = [...document.querySelectorAll("*")].flatMap((host) => [...(host.shadowRoot?.querySelectorAll("[data-theme]") ?? [])]);
  return (light > 128) === (theme === "light") && views.every((view) => view.dataset.theme === theme);
}"""


def axe_source() -> str:
    """The source of axe-core, which npm fetches once into the user's cache."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cnn-explorer-tests"
    file = folder / f"{AXE}.tgz"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        name, version = AXE.rsplit("-", 1)
        problem = "no npm" if npm is None else ""
        if npm:
            done = subprocess.run(
                [npm, "pack", f"{name}@{version}"], cwd=folder, capture_output=True, text=True, timeout=120, check=False
            )
            problem = done.stderr[-300:] if done.returncode else ""
        if problem:
            reason = f"axe-core cannot be fetched: {problem}"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
    with tarfile.open(file) as archive:
        source = archive.extractfile("package/axe.min.js")
        assert source
        return source.read().decode()


def recolour(page: Page, theme: str) -> None:
    """Let the visitor's system turn light or dark, and wait until the page has followed."""
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.wait_for_function(COLOURED, arg=theme)


def check(page: Page, *parts: str, without: str = "", dark: bool = True) -> None:
    """Nothing serious or critical in light colours, no faint text in `dark` ones. `parts` were among what was looked at:
    the shadow root is searched. The page must be light, and is so afterwards. What a selector (`without`) finds is left
    out: it has been checked before.
    """
    looked = _check(page, [], without)
    for part in parts:
        assert any(part in html for html in looked), part
    if dark:
        recolour(page, "dark")
        check_contrast(page, without)
        recolour(page, "light")


def check_contrast(page: Page, without: str = "") -> None:
    """No faint text in the present colours."""
    assert _check(page, ["color-contrast"], without)


def _check(page: Page, rules: list[str], without: str) -> list[str]:
    """Run axe's rules, all if none is named. Returns what they looked at."""
    for component in page.locator(".network-view, .grid-player, .network-map").element_handles():
        page.wait_for_function(RESTED, arg=component)
    result = page.evaluate(CHECK, [rules, without])
    assert [each for each in result["found"] if each["impact"] in ("serious", "critical")] == []
    looked: list[str] = result["looked"]
    return looked
