"""A host that installs by uv gets PyTorch without CUDA, everything else from its usual index; the image agrees."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from test_requirements import requirements, version

from cnn_explorer.ui.server import ROUTES

ROOT = Path(__file__).parents[1]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LINUX, ARM, WINDOWS = "x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "x86_64-pc-windows-msvc"
TORCH = ("torch", "torchvision")
CUDA = re.compile(r"nvidia|cuda|triton")


def add_wheel(index: Path, package: str, release: str, needed: Iterable[str]) -> None:
    """Add a wheel without content to a package index, a folder of folders: its name, its version and what it needs."""
    folder = index / package
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{package.replace('-', '_')}-{release}"
    metadata = [
        f"Metadata-Version: 2.1\nName: {package}\nVersion: {release}",
        *(f"Requires-Dist: {one}" for one in needed),
    ]
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", "\n".join(metadata) + "\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
    links = "".join(f'<a href="{file.name.replace("+", "%2B")}">{file.name}</a>\n' for file in folder.glob("*.whl"))
    (folder / "index.html").write_text(f"<!DOCTYPE html>\n{links}")


@cache
def needs(package: str) -> list[str]:
    """What a package needs according to its metadata, [] for one that is for another platform or Python."""
    try:
        return importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return []


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project beside two indexes in place of PyPI and of PyTorch's own, with the pinned packages' real metadata.

    PyTorch's index has old copies of other packages, too.
    """
    folder = tmp_path_factory.mktemp("project")
    for pin in requirements("requirements-hashed.txt"):
        package = canonicalize_name(pin.name)
        add_wheel(folder / "pypi", package, version(pin), needs(package))
        if package in TORCH:
            add_wheel(folder / "cpu", package, f"{version(pin)}+cpu", [n for n in needs(package) if not CUDA.match(n)])
    for package in ("numpy", "pillow", "setuptools"):
        add_wheel(folder / "cpu", package, "0.1", [])
    for name in ("requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert settings.count(CPU_INDEX) == 1
    (folder / "pyproject.toml").write_text(settings.replace(CPU_INDEX, (folder / "cpu").as_uri()), encoding="utf-8")
    return folder


def resolved(
    project: Path, python: str, platform: str, *options: str, file: str = "requirements.txt"
) -> dict[str, str]:
    """Versions that `uv pip install -r` would choose, by package."""
    if shutil.which("uv") is None and "CI" not in os.environ:
        pytest.skip("needs uv: pip install -r .ci/tools.txt")
    command = ["uv", "pip", "compile", file, "--quiet", "--no-header", "--no-annotate", "--no-cache"]
    command += ["--python", sys.executable, "--python-version", python, "--python-platform", platform]
    command += ["--default-index", (project / "pypi").as_uri(), *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    answer = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)
    if answer.returncode:
        raise RuntimeError(answer.stderr)
    return dict(line.split("==") for line in answer.stdout.splitlines() if "==" in line)


@pytest.mark.parametrize(("python", "platform"), [*((python, LINUX) for python in PYTHONS), ("3.13", ARM)])
def test_uv_installs_pytorch_without_cuda_on_linux(project: Path, python: str, platform: str) -> None:
    chosen = resolved(project, python, platform)
    assert {chosen["torch"].partition("+")[2], chosen["torchvision"].partition("+")[2]} == {"cpu"}
    assert not [package for package in chosen if CUDA.match(package)]
    pins = {canonicalize_name(pin.name): version(pin) for pin in requirements("requirements.txt")}
    assert {package: release.partition("+")[0] for package, release in chosen.items() if package in pins} == pins


def test_uv_installs_pypis_build_elsewhere(project: Path) -> None:
    chosen = resolved(project, "3.13", WINDOWS)
    assert not [release for release in chosen.values() if "+" in release]


def test_the_usual_build_brings_cuda_and_the_usual_remedy_fails(project: Path) -> None:
    """Without the settings of pyproject.toml: why they are there."""
    without = ("--no-sources", "--no-config")
    assert [package for package in resolved(project, "3.13", LINUX, *without) if CUDA.match(package)]
    extra = ("--extra-index-url", (project / "cpu").as_uri())
    with pytest.raises(RuntimeError, match=r"no version of \w+==|No solution found"):
        resolved(project, "3.13", LINUX, *without, *extra)


def test_no_file_disables_requirements_txt_on_community_cloud() -> None:
    """Community Cloud takes the first of these alone."""
    assert not [name for name in ("uv.lock", "Pipfile", "environment.yml") if (ROOT / name).exists()]
    assert (ROOT / "requirements.txt").exists()


# --- the image ---


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile in order, with their arguments."""
    text = re.sub(r"\s*\\\n\s*", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def arguments(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def image_python() -> str:
    (image,) = {rest.split()[0] for rest in arguments("FROM")}
    found = re.fullmatch(r"python:(\d+\.\d+)-slim", image)
    assert found, image
    return found[1]


def test_the_image_has_a_python_that_the_packages_are_there_for() -> None:
    assert image_python() in PYTHONS
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert SpecifierSet(settings["project"]["requires-python"]).contains(image_python())


def test_the_image_has_the_packages_of_requirements_txt(project: Path) -> None:
    (install,) = [rest for rest in arguments("RUN") if "--requirements" in rest]
    assert "--constraint constraints.txt --requirements packages.txt --requirements pyproject.toml" in install
    assert "grep -v '^-' requirements.txt > packages.txt" in install  # without `-e .`: the code is not there yet
    packages = [line for line in (project / "requirements.txt").read_text().splitlines() if not line.startswith("-")]
    (project / "packages.txt").write_text("\n".join(packages))
    options = ("--constraint", "constraints.txt", "pyproject.toml")
    of_image = resolved(project, image_python(), LINUX, *options, file="packages.txt")
    assert of_image == resolved(project, image_python(), LINUX)
    assert "uv" in {canonicalize_name(pin.name) for pin in requirements("constraints.txt")}  # the build's own tool


def test_the_image_takes_every_file_of_the_app_and_nothing_else() -> None:
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    taken = {rule[1:] for rule in rules if rule.startswith("!")}
    assert "*" in rules
    assert {".streamlit", "app.py", "cnn_explorer", "pages"} <= taken  # the app runs from these: tests/test_server.py
    assert ".streamlit/secrets.toml" in rules
    assert not [name for name in taken if not (ROOT / name).exists()]
    copied = {word for rest in arguments("COPY") if "--from" not in rest for word in rest.split()[:-1]} - {"."}
    assert copied <= taken
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {metadata["readme"], *metadata["license-files"]} <= taken  # `--editable .` reads them


def test_the_image_runs_as_nobody_and_asks_its_own_port_for_readiness() -> None:
    assert arguments("USER") == ["10001"]
    (port,) = arguments("EXPOSE")
    command = json.loads(arguments("CMD")[0])
    assert command[:3] == ["streamlit", "run", "app.py"]
    assert command[command.index("--server.port") + 1] == port
    (check,) = arguments("HEALTHCHECK")
    assert "/ready" in [route.path for route in ROUTES]
    assert f"http://127.0.0.1:{port}/ready" in check
