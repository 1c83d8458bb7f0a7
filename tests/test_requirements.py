"""Every package is pinned in constraints.txt, with hashes in requirements-hashed.txt, and installed in that version."""

import functools
import importlib.metadata
import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
REMEDY = "run `bash .ci/lock` and commit what it changes"


def lines(name: str) -> list[str]:
    """The logical lines of a requirements file, without comments."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    stripped = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return [line for line in stripped if line]


def requirements(name: str) -> list[Requirement]:
    return [Requirement(line.split(" --hash=")[0]) for line in lines(name) if not line.startswith("-")]


@functools.cache
def applying(name: str) -> dict[str, Requirement]:
    """The requirements of a file whose markers hold here, by package."""
    found: dict[str, Requirement] = {}
    for requirement in requirements(name):
        if requirement.marker is None or requirement.marker.evaluate():
            package = canonicalize_name(requirement.name)
            assert package not in found, f"{name} has two versions of {package} for this platform: {REMEDY}"
            found[package] = requirement
    return found


def version(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "==", f"{requirement} must name one version by =="
    return specifier.version


def installed_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def disagreements(packages: Iterable[str]) -> list[str]:
    """A sentence for each installed version that is not the pinned one."""
    found = []
    for package in packages:
        installed = installed_version(package)
        for name in ("constraints.txt", "requirements-hashed.txt"):
            pinned = applying(name).get(package)
            if installed is None or pinned is None or not pinned.specifier.contains(installed, prereleases=True):
                found.append(f"{package}: {installed} is installed, {name} has {pinned}")
    return found


def closure(root: str) -> set[str]:
    """All packages that an installed one needs here, directly or through others."""
    found: set[str] = set()
    waiting = [Requirement(root)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        package, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (package, extras) in seen:
            continue
        seen.add((package, extras))
        found.add(package)
        if installed_version(package) is None:
            continue
        for needed in map(Requirement, importlib.metadata.requires(package) or []):
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras | {""}):
                waiting.append(needed)
    return found - {root}


def test_the_readmes_install_follows_the_constraints() -> None:
    assert {"-c constraints.txt", "-e ."} <= set(lines("requirements.txt"))


def test_every_dependency_of_the_package_has_an_exact_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = {canonicalize_name(pin.name) for pin in requirements("requirements.txt") if version(pin)}
    assert {canonicalize_name(Requirement(dependency).name) for dependency in project["dependencies"]} <= pinned


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", ".ci/tools.txt"])
def test_a_direct_pin_has_the_same_version_in_the_constraints(name: str) -> None:
    constraints = applying("constraints.txt")
    for package, requirement in applying(name).items():
        assert package in constraints, f"{name} pins {package}, constraints.txt does not: {REMEDY}"
        assert version(constraints[package]) == version(requirement), f"{package} in {name}: {REMEDY}"


def test_a_direct_pin_of_the_app_is_among_the_hashed_packages() -> None:
    assert applying("requirements.txt").keys() <= applying("requirements-hashed.txt").keys(), REMEDY


def test_the_hashed_packages_have_the_versions_of_the_constraints() -> None:
    def pins(name: str) -> set[tuple[str, str, str]]:
        return {(pin.name, version(pin), str(pin.marker)) for pin in requirements(name)}

    assert pins("requirements-hashed.txt") <= pins("constraints.txt"), REMEDY


def test_every_hashed_package_has_hashes() -> None:
    for line in lines("requirements-hashed.txt"):
        assert re.fullmatch(r"[^ =]+==[^ ]+( ; [^#]+?)?( +--hash=sha256:[0-9a-f]{64})+", line), line[:200]


def test_the_constraints_have_no_hash_that_would_make_pip_refuse_the_editable_install() -> None:
    assert "--hash" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["constraints.txt", "requirements-hashed.txt"])
def test_a_pin_leaves_the_index_to_whoever_installs(name: str) -> None:
    assert not [line for line in lines(name) if line.startswith("-") or "://" in line]
    assert "://" not in (ROOT / name).read_text(encoding="utf-8")


def test_the_build_backend_is_among_the_hashed_packages() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    hashed = applying("requirements-hashed.txt")
    for needed in map(Requirement, build["requires"]):
        pinned = version(hashed[canonicalize_name(needed.name)])
        assert needed.specifier.contains(pinned), f"`--no-build-isolation` builds with {needed.name} {pinned}"


def test_what_is_installed_is_what_is_pinned() -> None:
    direct = disagreements(applying("requirements.txt"))
    if direct and "CI" not in os.environ:
        pytest.skip(f"this environment was not installed from requirements.txt: {'; '.join(direct)}")
    packages = closure("cnn-explorer")
    assert {"torch", "starlette"} <= packages
    found = disagreements(sorted(packages))
    remedy = f"run `pip install -r requirements.txt`, or after a change of the pins {REMEDY}"
    assert not found, "\n".join([*found, remedy])
