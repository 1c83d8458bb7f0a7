"""What README.md and docs/ name is there: files, functions, commands, links; and the README's notebook example runs."""

import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from programs import run

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = [".", "assets", "ui", "ui/network_view/assets"]  # of the package, from which the text names files
BASES = [ROOT, *(ROOT / "cnn_explorer" / folder for folder in FOLDERS)]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"[\w./-]*\w\.(?:py|js|ts|css|md|toml|txt|json|pt|npz)|\.ci/\w+")
FOLDER = re.compile(r"[a-z_]+(?:/[a-z_]+)*/")
# Of a name in Python or in JavaScript.
DEFINED = r"(?:def|class|function) {0}\b|^ +(?:get |async )?#?{0}\(|^(?:export )?const {0} = "

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)


def code_of(document: Path) -> Iterator[str]:
    """Code in backticks, and the lines of shell blocks."""
    text = document.read_text(encoding="utf-8")
    for language, block in FENCED.findall(text):
        if language == "sh":
            yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", FENCED.sub("", text))


@cache
def sources() -> list[tuple[str, str]]:
    """The name of every module, and its text."""
    files = [file for file in (ROOT / "cnn_explorer").rglob("*.*") if file.suffix in (".py", ".js")]
    return [(file.stem, file.read_text(encoding="utf-8")) for file in files]


def is_defined(name: str) -> bool:
    """True for `function`, `module.function` or `Class.method` if one file has all parts of the name."""
    patterns = {part: re.compile(DEFINED.format(re.escape(part)), re.MULTILINE) for part in name.split(".")}
    return any(
        all(part == module or pattern.search(source) for part, pattern in patterns.items())
        for module, source in sources()
    )


@documents
def test_every_file_and_folder_in_the_text_exists(document: Path) -> None:
    words = [word for code in code_of(document) for word in code.split()]
    paths = [word for word in words if FILE.fullmatch(word) or FOLDER.fullmatch(word)]
    assert paths
    assert not [path for path in paths if path != "data/" and not any((base / path).exists() for base in BASES)]


@documents
def test_every_function_in_the_text_exists(document: Path) -> None:
    calls = [call for code in code_of(document) for call in re.findall(r"^([A-Za-z_.]+)\(\)$", code)]
    assert not [call for call in calls if not is_defined(call)]


@documents
def test_every_module_in_a_command_can_be_run(document: Path) -> None:
    for module in re.findall(r"python -m ([\w.]+)", "\n".join(code_of(document))):
        found = importlib.util.find_spec(module)
        assert found, module
        assert not found.submodule_search_locations or importlib.util.find_spec(f"{module}.__main__"), module


@documents
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", document.read_text(encoding="utf-8")))
    for link in links:
        if link.startswith("https://"):
            continue
        file, _, part = link.partition("#")
        target = document.parent / file if file else document
        assert target.exists(), link
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE) if part else []
        assert not part or part in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]


def test_the_notebook_example_of_the_readme_runs() -> None:
    blocks = FENCED.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    example = next(code for language, code in blocks if language == "python" and "from cnn_explorer" in code)
    printed = run(example).stdout.splitlines()
    assert printed[0].startswith("conv1 (10, 24, 24)")
    assert printed[-1].startswith("tensor(7)")
