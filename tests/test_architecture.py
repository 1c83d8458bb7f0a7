"""Rules about the project itself that no other test would notice."""

import subprocess
import sys
import tomllib
from pathlib import Path

from cnn_explorer.ui.state import MAX_PARAMETERS, MAX_VALUES

ROOT = Path(__file__).parent.parent
SMALL = 100_000  # bytes of headers, averages of batch norms, and a drawing


def test_imports_run_one_way() -> None:
    """The contracts in pyproject.toml, checked by import-linter."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 kept, 0 broken" in done.stdout


def test_the_contracts_cover_every_module() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    modules = {f"cnn_explorer.{path.stem}" for path in (ROOT / "cnn_explorer").glob("*.py") if path.stem != "__init__"}
    core = modules | {"cnn_explorer.training"}  # a package; all others but `ui` are files
    covered = {contract["name"]: {*contract["source_modules"]} for contract in contracts if contract["type"] == "forbidden"}
    assert covered == {
        "only ui imports streamlit": core,
        "only figures imports plotly": core - {"cnn_explorer.figures"} | {"cnn_explorer.ui"},
    }


def test_no_garbage_collection_after_every_rerun() -> None:
    """With torch imported, a full collection costs 200 to 320 ms of processor time for every click."""
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["runner"]["postScriptGC"] is False


def test_messages_and_uploads_may_be_as_large_as_a_page_needs_and_no_larger() -> None:
    server = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["server"]
    file, update = 4 * MAX_PARAMETERS + SMALL, 4 * (MAX_PARAMETERS + MAX_VALUES) + SMALL
    assert file <= server["maxUploadSize"] * 2**20 < 1.1 * file
    assert update <= server["maxMessageSize"] * 10**6 < 1.1 * update
