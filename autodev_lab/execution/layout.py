"""Find out, without running anything, what an unpacked package is called and where its code and tests lie."""

from __future__ import annotations

import ast
import configparser
import email.parser
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from autodev_lab.errors import LabError
from autodev_lab.execution.fetching import normalise
from autodev_lab.execution.trees import read_source

__all__ = ["Layout", "Metadata", "find_layout", "read_metadata", "test_requirements"]

_NOT_PACKAGES = {
    "tests", "test", "testing", "docs", "doc", "examples", "example", "benchmarks", "benchmark", "bench", "scripts",
    "tools", "build", "dist", "requirements", "tasks", "site", "contrib", "ci", "notebooks",
}  # fmt: skip
_TEST_FOLDERS = ("tests", "test", "testing", "unittests")
_NOT_TEST_NEEDS = {
    "pytest", "tox", "nox", "coverage", "codecov", "coveralls", "mypy", "ruff", "black", "flake8", "isort", "pylint",
    "pre-commit", "build", "twine", "wheel", "setuptools", "sphinx", "furo", "pytest-cov", "pytest-xdist", "pyright",
    "pytest-benchmark", "bump2version", "bumpversion", "interrogate", "tbump", "pip", "hatch", "hatchling", "poetry",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a package says of itself: ``requirements`` are needed to run it, ``extras`` are all optional ones."""

    name: str
    version: str
    licence: str
    requirements: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are; the fields mean what they mean in `SourceTree`."""

    package: str
    import_root: str
    package_path: str
    test_paths: tuple[str, ...]


def read_metadata(root: Path, fallback: str) -> Metadata:
    """What a package says of itself in PKG-INFO, pyproject.toml or setup.cfg.

    Parameters
    ----------
    root
        The unpacked package.
    fallback
        Name used when it says nothing.
    """
    project = _toml(root / "pyproject.toml")
    described = _section(project, "project")
    poetry = _section(_section(project, "tool"), "poetry")
    name = str(described.get("name") or poetry.get("name") or fallback)
    version = str(described.get("version") or poetry.get("version") or "0")
    licence = described.get("license") or poetry.get("license") or ""
    if isinstance(licence, dict):
        licence = str(licence.get("text", ""))
    requirements = _texts(described.get("dependencies"))
    optional = _section(described, "optional-dependencies")
    groups = _section(project, "dependency-groups")
    extras = [text for section in (optional, groups) for values in section.values() for text in _texts(values)]
    infos = [path for path in (root / "PKG-INFO", *sorted(root.glob("*.dist-info/METADATA"))) if path.is_file()]
    if infos:
        message = email.parser.HeaderParser().parsestr(infos[0].read_text(encoding="utf-8", errors="replace"))
        name, version = str(message.get("Name", name)), str(message.get("Version", version))
        classifiers = [text.split(" :: ")[-1] for text in message.get_all("Classifier", []) if "License" in text]
        licence = message.get("License-Expression") or (classifiers or [message.get("License") or str(licence)])[0]
        needs = message.get_all("Requires-Dist", [])
        if needs:
            requirements = tuple(text for text in needs if "extra ==" not in text and "extra==" not in text)
            extras += [text.partition(";")[0] for text in needs if "extra ==" in text or "extra==" in text]
    if not requirements:
        requirements = _setup_cfg_requirements(root)
    first = (str(licence).strip().splitlines() or ["unknown"])[0][:60] or "unknown"
    return Metadata(name, version, first, requirements, tuple(dict.fromkeys(extras)))


def find_layout(root: Path, name: str) -> Layout:
    """Where a package's code and tests are.

    Parameters
    ----------
    root
        The unpacked package.
    name
        Its distribution name.

    Raises
    ------
    LabError
        If there is no Python package, there are several and none has the name, there are no tests, or the code
        needs a compiled extension.
    """
    import_root, path = _find_package(root, name)
    package = path.stem if path.is_file() else path.name
    _refuse_compiled(root, path, name)
    package_path = path.relative_to(root).as_posix()
    tests = _find_tests(root, path)
    if not tests:
        raise LabError(f"{name} has no tests in its archive or folder; the lab needs a package that brings its tests")
    return Layout(package, import_root, package_path, tests)


def test_requirements(root: Path, layout: Layout, metadata: Metadata) -> tuple[str, ...]:
    """Third-party requirements for running the tests here: the runtime ones, and the extras that the tests import."""
    imported = set()
    for relative in layout.test_paths:
        start = root / relative
        for path in [start] if start.is_file() else sorted(start.rglob("*.py")):
            imported |= _imports(path)
    wanted: dict[str, str] = {}
    for text, optional in [*((t, False) for t in metadata.requirements), *((t, True) for t in metadata.extras)]:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        key = normalise(requirement.name)
        if (
            key in wanted
            or key == normalise(metadata.name)
            or (requirement.marker and not requirement.marker.evaluate())
        ):
            continue
        if optional and (key in _NOT_TEST_NEEDS or key.replace("-", "_") not in imported):
            continue
        if requirement.url is None:
            wanted[key] = f"{requirement.name}{requirement.specifier}"
    return tuple(wanted[key] for key in sorted(wanted))


test_requirements.__test__ = False  # type: ignore[attr-defined]  # its name is no promise to pytest


def _toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}


def _section(table: dict[str, object], name: str) -> dict[str, object]:
    value = table.get(name)
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _setup_cfg_requirements(root: Path) -> tuple[str, ...]:
    lines: list[str] = []
    legacy = [*sorted(root.glob("*.egg-info/requires.txt")), *sorted(root.glob("src/*.egg-info/requires.txt"))]
    if legacy:
        for line in legacy[0].read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("["):
                break
            lines.append(line.strip())
    elif (root / "setup.cfg").is_file():
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(root / "setup.cfg", encoding="utf-8")
            lines = parser.get("options", "install_requires", fallback="").splitlines()
        except (configparser.Error, UnicodeDecodeError):
            lines = []
    return tuple(line.strip() for line in lines if line.strip())


def _find_package(root: Path, name: str) -> tuple[str, Path]:
    folded = normalise(name).replace("-", "_")
    wanted = [folded, *(line for path in _top_levels(root) for line in path.read_text(encoding="utf-8").split())]
    wanted += [folded.removeprefix("python_"), folded.removesuffix("_python"), folded.removesuffix("_ng")]
    found: list[tuple[str, Path]] = []
    for import_root in ("src", "", "lib", "python"):
        base = root / import_root
        if not base.is_dir():
            continue
        importable = (path for path in sorted(base.iterdir()) if _is_package(path) or _is_module(path))
        found.extend((import_root, path) for path in importable)
    for candidate in wanted:
        for import_root, path in found:
            if path.stem.lower() == candidate.lower() and path.stem not in _NOT_PACKAGES:
                return import_root, path
    packages = [one for one in found if one[1].is_dir() and one[1].name not in _NOT_PACKAGES]
    modules = [one for one in found if one[1].is_file() and not _is_auxiliary(one[1])]
    if len(packages) == 1:
        return packages[0]
    if not packages and len(modules) == 1:
        return modules[0]
    if not packages and not modules:
        raise LabError(f"{name} has no Python package or module at its top level or in src/; give the folder that has")
    names = ", ".join(path.stem for _, path in packages or modules)
    raise LabError(f"{name} holds several packages ({names}) and none is called {name}; give a folder with one")


def _top_levels(root: Path) -> list[Path]:
    return [*sorted(root.glob("*.egg-info/top_level.txt")), *sorted(root.glob("src/*.egg-info/top_level.txt"))]


def _is_package(path: Path) -> bool:
    return path.is_dir() and path.name.isidentifier() and (path / "__init__.py").is_file()


def _is_module(path: Path) -> bool:
    return path.suffix == ".py" and path.stem.isidentifier()


def _is_auxiliary(path: Path) -> bool:
    return path.stem in ("setup", "conftest", "noxfile", "tasks", "tests", "test", "fabfile", "versioneer") or (
        path.stem.startswith("test_") or path.stem.endswith("_test")
    )


def _find_tests(root: Path, package: Path) -> tuple[str, ...]:
    folders = [root / base / folder for folder in _TEST_FOLDERS for base in ("", "src")]
    found = [path for path in folders if path.is_dir() and path != package and _has_tests(path)]
    loose = [root / "tests.py", root / "test.py", *sorted(root.glob("test_*.py")), *sorted(root.glob("*_test.py"))]
    found += [path for path in loose if path.is_file() and path != package and _defines_tests(path)]
    if package.is_dir():
        inside = [path for path in sorted(package.rglob("*")) if path.is_dir() and path.name in _TEST_FOLDERS[:2]]
        loose = [*sorted(package.rglob("test_*.py")), *sorted(package.rglob("tests.py"))]
        for path in [*inside, *loose]:
            covered = any(path == other or other in path.parents for other in found)
            if not covered and (_has_tests(path) if path.is_dir() else _defines_tests(path)):
                found.append(path)
    return tuple(path.relative_to(root).as_posix() for path in found)


def _has_tests(folder: Path) -> bool:
    return any(_defines_tests(path) for path in sorted(folder.rglob("*.py")) if path.name != "conftest.py")


def _defines_tests(path: Path) -> bool:
    try:
        return (
            re.search(r"^\s*(async\s+)?def test|^\s*class \w+\(.*TestCase", path.read_text("utf-8"), re.M) is not None
        )
    except UnicodeDecodeError:
        return False


def _imports(path: Path) -> set[str]:
    try:
        tree = ast.parse(read_source(path))
    except (SyntaxError, UnicodeDecodeError):
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.partition(".")[0])
    return {name.lower() for name in names if name not in sys.stdlib_module_names}


def _refuse_compiled(root: Path, package: Path, name: str) -> None:
    """Refuse code whose modules import a compiled sibling without a way round it."""
    compiled = {path.name.partition(".")[0] for path in _files(root, (".pyx", ".c", ".cpp", ".cc", ".so", ".pyd"))}
    if any(_files(root, (".rs",))):
        compiled.add(f"_{package.stem}")
    compiled -= {path.stem for path in ([package] if package.is_file() else sorted(package.rglob("*.py")))}
    if not compiled or package.is_file():
        return
    for path in sorted(package.rglob("*.py")):
        if set(_TEST_FOLDERS) & set(path.relative_to(package).parts):
            continue
        missing = compiled & set(_unconditional_imports(path))
        if missing:
            raise LabError(
                f"{name} needs the compiled extension {sorted(missing)[0]} ({path.relative_to(root).as_posix()}) "
                "and has no pure-Python way round it; choose a pure-Python package"
            )


def _files(root: Path, suffixes: Sequence[str]) -> list[Path]:
    return [path for path in sorted(root.rglob("*")) if path.suffix in suffixes and path.is_file()]


def _unconditional_imports(path: Path) -> Iterator[str]:
    try:
        body = ast.parse(read_source(path)).body
    except (SyntaxError, UnicodeDecodeError):
        return
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name.rpartition(".")[2] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module:
                yield node.module.rpartition(".")[2]
            if node.level and not node.module:
                yield from (alias.name for alias in node.names)
