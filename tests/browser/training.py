"""The page "Train" as a visitor has it: what to do and what to look at, by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from browser.explorer import PATIENCE, Explorer
from playwright.sync_api import Download, Locator

# Plotly's own reading of a figure's data: arrays arrive as bytes.
LINES = """async (figure) => {
  while (figure.isConnected && !figure._fullData) await new Promise(requestAnimationFrame); // it is being drawn
  if (!figure._fullData) return null; // it was the one before
  return figure._fullData.map(({ name, xaxis, x, y }) => ({ name, axis: xaxis, x: [...(x ?? [])], y: [...(y ?? [])] }));
}"""
# The middle of a cell of the confusion matrix, in CSS pixels of the page; and whether digits are in it that were
# answered wrong.
CELL = """(figure) => {
  const { xaxis, yaxis } = figure._fullLayout, box = figure.getBoundingClientRect();
  const counts = figure._fullData.find(({ mode }) => mode === "text").text;
  const cells = figure._fullData.find(({ mode }) => mode === "markers").customdata.map(([digit, answer], index) => ({
    digit, answer, count: Number(counts[index]),
    x: box.left + xaxis._offset + xaxis.d2p(answer), y: box.top + yaxis._offset + yaxis.d2p(digit),
  }));
  return cells.filter(({ digit, answer }) => digit !== answer).reduce((most, cell) => (cell.count > most.count ? cell : most));
}"""

EPOCH = 62  # batches of 64 of the 4,000 digits


@dataclass(frozen=True)
class Line:
    """A line of a figure; `axis` tells the part of the figure."""

    name: str
    axis: str
    x: list[float]
    y: list[float]


class TrainingPage(Explorer):
    """One open page."""

    def ready(self) -> TrainingPage:
        """Wait for buttons, curves and the first paint with numbers in it."""
        super().ready()
        self.figure("curves").wait_for()
        return self

    # --- looking ---

    def button(self, name: str) -> Locator:
        """A button by its whole name."""
        return self.page.get_by_test_id("stMain").get_by_role("button", name=name, exact=True)

    def figure(self, key: str) -> Locator:
        """A Plotly figure by the beginning of its key; for a moment there is the one before as well."""
        return self.page.locator(f"[class*='st-key-{key}'] .js-plotly-plot").last

    def lines(self, key: str) -> list[Line]:
        """What a figure's lines go through."""
        while (found := self.figure(key).evaluate(LINES)) is None:
            pass
        return [Line(**line) for line in found]

    def curves(self) -> tuple[list[Line], list[Line]]:
        """Loss and accuracy, a line for each network: of accuracy that through all points, not that through whole
        epochs.
        """
        lines = self.lines("curves")
        longest = {(line.axis, line.name): line for line in sorted(lines, key=lambda line: len(line.x))}
        names = dict.fromkeys(line.name for line in lines)
        losses, accuracies = (
            {name: longest[axis, name] for name in names if (axis, name) in longest} for axis in ("x", "x2")
        )
        return list(losses.values()), list(accuracies.values())

    @property
    def sections(self) -> Locator:
        """The choice among the results; Streamlit hides the one before, and keeps it for a while."""
        return self.page.locator("[class*='st-key-results']").filter(visible=True)

    @property
    def filters(self) -> list[str]:
        """Pictures of the first layer's filters."""
        return self.page.locator("figure[role=img] img").evaluate_all("all => all.map((img) => img.src)")

    @property
    def label(self) -> str:
        """What the network view says of the weights."""
        return self.page.locator(".network-view .label").inner_text()

    @property
    def progress(self) -> str:
        """What stands over the bar."""
        return self.page.get_by_test_id("stProgress").inner_text()

    @property
    def state(self) -> tuple[Any, ...]:
        """Everything that a training changes."""
        return self.label, self.curves(), self.filters, self.colours(self.layers()[0]), self.probabilities()

    @property
    def batch(self) -> int:
        """The batch in the address."""
        return int(self.address().get("at", 0))

    # --- waiting ---

    def wait_label(self, text: str) -> None:
        """Wait until the label matches."""
        self.page.locator(".network-view .label").filter(has_text=re.compile(text)).wait_for()

    def wait_progress(self, text: str) -> None:
        """Wait until what stands over the bar matches."""
        self.page.get_by_test_id("stProgress").filter(has_text=re.compile(text)).wait_for()

    def wait_at(self, batch: int) -> None:
        """Wait until it rests after so many batches, as address and label say; the results below are drawn."""
        self.page.wait_for_function(
            "at => Number(new URLSearchParams(location.search).get('at')) === at", arg=batch, timeout=PATIENCE
        )
        self.page.get_by_test_id("stProgress").wait_for(state="detached")
        number = f"{batch / EPOCH:.1f}".removesuffix(".0") if batch > 6 else batch
        word = "epoch" if batch > 6 else "batch"
        self.wait_label(
            f"^Trained here, {number} {word}(e?s)? on 4,000 digits: .* of 1,000 test digits\\.$"
            if batch
            else "^Untrained"
        )
        self.wait_results()

    def wait_place(self, after: int) -> None:
        """Wait until the address names a later batch."""
        self.page.wait_for_function(
            "after => Number(new URLSearchParams(location.search).get('at')) > after", arg=after, timeout=PATIENCE
        )

    def wait_results(self) -> None:
        """Wait until what rests on the result is there, and nothing is still to come."""
        self.sections.wait_for()
        self.page.locator(".stApp[data-test-script-state=notRunning]").wait_for()

    def wait_looks(self, count: int) -> None:
        """Wait until the accuracy curve has so many points, and those that came with them are on the screen."""
        self.page.wait_for_function(
            "([figure, count]) => document.querySelector(figure)?._fullData?.some(({ xaxis, x }) => xaxis === 'x2' && "
            "x?.length >= count)",
            arg=[".st-key-curves .js-plotly-plot", count],
            timeout=PATIENCE,
        )

    def wait_colours(self, layer: str, expected: str) -> None:
        """Wait until a layer's maps look like this."""
        self.page.wait_for_function(
            "([canvas, expected]) => canvas.toDataURL() === expected",
            arg=[self.canvas(layer).element_handle(), expected],
            timeout=PATIENCE,
        )

    # --- acting ---

    def press(self, name: str) -> None:
        """Press a button."""
        self.button(name).click()

    def section(self, name: str) -> None:
        """Choose among the results."""
        self.sections.get_by_text(name, exact=True).click()

    def look_into(self, name: str) -> None:
        """Choose the network whose maps are shown."""
        self.page.locator("[class*='st-key-look_into']").get_by_text(name, exact=True).click()

    def scrub(self, key: str) -> None:
        """Press a key on the slider."""
        slider = self.page.get_by_role("slider")
        slider.focus()
        slider.press(key)

    def download(self, name: str) -> Download:
        """Press a button that saves a file."""
        with self.page.expect_download() as saved:
            self.press(name)
        return saved.value

    def upload_weights(self, name: str, content: bytes) -> None:
        """Bring a file back, in the section "Take it along"."""
        upload = self.page.get_by_test_id("stFileUploader").locator("input[type=file]")
        upload.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})

    def click_worst_cell(self) -> tuple[int, int, int]:
        """Click where the confusion matrix has the most errors: digit, answer and how many there are."""
        self.figure("confusion").scroll_into_view_if_needed()
        cell = self.figure("confusion").evaluate(CELL)
        self.page.mouse.click(cell["x"], cell["y"])
        return cell["digit"], cell["answer"], cell["count"]

    def go(self, name: str) -> None:
        """Choose a page in the top bar."""
        self.page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()
