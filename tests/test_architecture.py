"""Rules about the project itself that no other test would notice."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from cnn_explorer.spec.limits import MAX_PARAMETERS, MAX_VALUES

ROOT = Path(__file__).parent.parent
LINT = [
    sys.executable,
    "-c",
    "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))",
]
SMALL = 100_000  # bytes of headers, averages of batch norms, and a drawing


def test_imports_run_one_way() -> None:
    """The contracts in pyproject.toml, checked by import-linter."""
    done = subprocess.run(LINT, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


BREAKS = [  # a module, what it may not import, and the contract that says so
    ("cnn_explorer.spec.layers", "cnn_explorer.spec.network", "imports run one way inside spec"),
    ("cnn_explorer.spec.layers", "cnn_explorer.weights.load", "imports run one way between folders"),
    ("cnn_explorer.weights.builder", "cnn_explorer.weights.load", "imports run one way inside weights"),
    ("cnn_explorer.digits.data", "cnn_explorer.digits.drawing", "imports run one way inside digits"),
    ("cnn_explorer.numbers.scenes", "cnn_explorer.numbers.codegen", "imports run one way inside numbers"),
    ("cnn_explorer.sharing.memory", "cnn_explorer.sharing.lru_cache", "imports run one way inside sharing"),
    (
        "cnn_explorer.build_weights.lecture",
        "cnn_explorer.build_weights.shared",
        "imports run one way inside build_weights",
    ),
    ("cnn_explorer.classics.graph", "cnn_explorer.classics.folding", "imports run one way inside classics"),
    ("cnn_explorer.ui.state", "cnn_explorer.ui.train.live", "imports run one way inside ui"),
    ("cnn_explorer.weights.load", "streamlit", "only ui and pages import streamlit"),
    ("cnn_explorer.training.run", "streamlit", "only ui and pages import streamlit"),
    ("cnn_explorer.ui.draw.live", "plotly", "only figures imports plotly"),
    ("pages.pooling", "plotly", "only figures imports plotly"),
    ("cnn_explorer.ui.train.choices", "cnn_explorer.ui.train.live", "imports run one way inside ui.train"),
    ("cnn_explorer.ui.numbers.state", "cnn_explorer.ui.numbers.controls", "imports run one way inside ui.numbers"),
    ("cnn_explorer.ui.shell", "pages.pooling", "the package does not import the pages"),
]


def test_every_contract_catches_what_breaks_it(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "cnn_explorer", tmp_path / "cnn_explorer", ignore=shutil.ignore_patterns("assets", "__pycache__")
    )
    shutil.copytree(ROOT / "pages", tmp_path / "pages", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, imported, _ in BREAKS:
        with (tmp_path / f"{module.replace('.', '/')}.py").open("a", encoding="utf-8") as file:
            file.write(f"\nimport {imported}\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"}
    done = subprocess.run(LINT, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    summary, details = done.stdout.split("Broken contracts", 1)
    for module, imported, contract in BREAKS:
        assert f"{contract} BROKEN" in summary
        (told,) = re.findall(rf"^{re.escape(contract)}\n-+\n(.*?)(?=^\S[^\n]*\n-+\n|\Z)", details, re.M | re.S)
        assert re.search(rf"{module} -> {imported} \(", told), (contract, told)


def test_ruff_catches_a_page_that_imports_plotly(tmp_path: Path) -> None:
    """The contracts do not see app.py, which is no package."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "app.py").write_text((ROOT / "app.py").read_text(encoding="utf-8") + "\nimport plotly.express\n")
    ruff = [sys.executable, "-m", "ruff", "check", "--select", "TID251"]
    done = subprocess.run([*ruff, "app.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "only cnn_explorer/figures.py imports plotly" in done.stdout
    clean = subprocess.run([*ruff, "app.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert clean.returncode == 0, clean.stdout


def test_no_garbage_collection_after_every_rerun() -> None:
    """With torch imported, a full collection costs 200 to 320 ms of processor time for every click."""
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["runner"]["postScriptGC"] is False


def test_messages_and_uploads_may_be_as_large_as_a_page_needs_and_no_larger() -> None:
    server = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["server"]
    file, update = 4 * MAX_PARAMETERS + SMALL, 4 * (MAX_PARAMETERS + MAX_VALUES) + SMALL
    assert file <= server["maxUploadSize"] * 2**20 < 1.1 * file
    assert update <= server["maxMessageSize"] * 10**6 < 1.1 * update
