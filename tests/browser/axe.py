"""axe-core, which finds what keeps people from using a page."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from playwright.sync_api import Page

AXE = "axe-core-4.10.3"
CHECK = """async () => {
  const { violations, passes } = await axe.run(document);
  return {
    found: violations.flatMap(({ id, impact, nodes }) => nodes.map(({ html, failureSummary }) => ({ id, impact, html, failureSummary }))),
    looked: passes.flatMap(({ nodes }) => nodes.map(({ html }) => html)),
  };
}"""
RESTED = "part => !part.getAnimations({ subtree: true }).length"


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


def check(page: Page, *parts: str) -> None:
    """Nothing serious or critical, and `parts` were among what was looked at: the shadow root is searched."""
    for component in page.locator(".network-view, .grid-player, .network-map").element_handles():
        page.wait_for_function(RESTED, arg=component)
    result = page.evaluate(CHECK)
    for part in parts:
        assert any(part in html for html in result["looked"]), part
    assert [each for each in result["found"] if each["impact"] in ("serious", "critical")] == []
