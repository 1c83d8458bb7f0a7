"""A number-by-number page as a visitor has it: what to do and what to look at, by name."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from browser.explorer import PATIENCE
from playwright.sync_api import Locator, Page, expect


@dataclass(frozen=True)
class NumberPage:
    """One open page."""

    page: Page

    @property
    def player(self) -> Locator:
        """The grids."""
        return self.page.locator(".grid-player")

    def ready(self, scene: str) -> NumberPage:
        """Wait until this step is shown."""
        self.page.locator(f".grid-player[data-scene={scene}]").wait_for(timeout=PATIENCE)
        return self

    def go(self, step: str, scene: str) -> NumberPage:
        """Choose a step by its label and wait until it is shown."""
        self.page.get_by_test_id("stButtonGroup").get_by_text(step, exact=True).click()
        return self.ready(scene)

    def grid(self, part: str, number: int = 0) -> Locator:
        """A grid by what it holds: input, weight, bias, partial or output."""
        return self.page.locator(f".grid-player .grid.{part}").nth(number)

    def cell(self, part: str, row: int, column: int, number: int = 0) -> Locator:
        """A cell that is not padding."""
        return (
            self.grid(part, number).locator("tr:has(td:not(.padding))").nth(row).locator("td:not(.padding)").nth(column)
        )

    def numbers(self, part: str, number: int = 0) -> list[list[float]]:
        """What a grid shows, padding left out."""
        rows = (
            self.grid(part, number)
            .locator("tr")
            .evaluate_all(
                "all => all.map(row => [...row.querySelectorAll('td:not(.padding)')].map(cell => "
                "cell.textContent.replace('−', '-')))"
            )
        )
        return [[float(text) for text in row] for row in rows if row]

    def marked(self, name: str, part: str, number: int = 0) -> list[str]:
        """Texts of the cells that carry a mark."""
        texts: list[str] = self.grid(part, number).locator(f"td.{name}").all_inner_texts()
        return texts

    @property
    def sum(self) -> list[str]:
        """The arithmetic, line by line."""
        return [text.replace("\xa0", " ") for text in self.page.locator(".grid-player .sum p").all_inner_texts()]

    @property
    def spoken(self) -> str:
        """What a screen reader was told last."""
        return self.page.locator(".grid-player .spoken").inner_text()

    @property
    def hint(self) -> str:
        """The line below."""
        return self.page.locator(".grid-player .hint").inner_text()

    def button(self, action: str) -> Locator:
        """play, step or reset."""
        return self.page.locator(f".grid-player [data-do={action}]")

    def edit(self, part: str, row: int, column: int, text: str, number: int = 0) -> None:
        """Click a number, type another, press Enter."""
        self.cell(part, row, column, number).click()
        field = self.grid(part, number).locator("input")
        field.fill(text)
        field.press("Enter")

    def reset(self) -> None:
        """Go back to the example, and wait until it is there."""
        button = self.page.get_by_role("button", name="Reset")
        button.click()
        expect(button).to_be_disabled(timeout=PATIENCE)

    def wait_number(self, part: str, row: int, column: int, text: str, number: int = 0) -> None:
        """Wait until a cell shows this."""
        self.cell(part, row, column, number).filter(has_text=text).wait_for(timeout=PATIENCE)

    def wait_sum(self, text: str) -> None:
        """Wait until the arithmetic has this in it."""
        self.page.locator(".grid-player .sum").filter(has_text=text).wait_for(timeout=PATIENCE)

    def address(self) -> dict[str, str]:
        """The page's query parameters."""
        return {
            name: values[0] for name, values in parse_qs(urlsplit(self.page.url).query, keep_blank_values=True).items()
        }

    def wait_address(self, name: str, value: str) -> None:
        """Wait until the address says so."""
        self.page.wait_for_function(
            "([name, value]) => new URLSearchParams(location.search).get(name) === value",
            arg=[name, value],
            timeout=PATIENCE,
        )

    def setting(self, key: str) -> Locator:
        """A widget by its key."""
        return self.page.locator(f".st-key-{key}, [class*='st-key-{key}-v']").filter(visible=True)

    def step(self, key: str, way: str) -> None:
        """Press the + (Up) or − (Down) of a number."""
        self.setting(key).get_by_test_id(f"stNumberInputStep{way}").click()
