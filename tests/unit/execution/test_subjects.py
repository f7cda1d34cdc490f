"""Obtaining packages: bundled, from folders and archives, from the environment, and every way it can go wrong."""

from __future__ import annotations

import io
import multiprocessing
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from autodev_lab.errors import LabError
from autodev_lab.execution import subjects
from autodev_lab.execution.fetching import fetch_archive, normalise
from autodev_lab.execution.subjects import bundled_subjects, obtain, pinned_subjects
from autodev_lab.execution.trees import tree_hash
from autodev_lab.resources import resource

TEST = "def test_a():\n    assert True\n"


def package(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


FLAT = {
    "mylib/__init__.py": "x = 1\n",
    "tests/test_x.py": TEST,
    "PKG-INFO": "Name: my.lib\nVersion: 2.0\nLicense: MIT\n",
}


def test_bundled_subject_needs_nothing(tmp_path: Path) -> None:
    assert bundled_subjects() == ("pocketkit",)
    subject = obtain("pocketkit", cache=tmp_path, offline=True)
    assert (subject.name, subject.licence, subject.spec) == ("pocketkit", "MIT", "pocketkit")
    assert subject.content_hash == tree_hash(subject.tree.root)
    assert subject.tree.dependencies is None
    assert obtain("pocketkit", cache=tmp_path, offline=True) == subject


def test_flat_folder(tmp_path: Path) -> None:
    source = package(tmp_path / "source", {**FLAT, ".git/config": "", "mylib/__pycache__/x.pyc": ""})
    subject = obtain(str(source), cache=tmp_path / "cache", offline=True)
    tree = subject.tree
    assert (subject.name, subject.version) == ("my-lib", "2.0")
    assert (tree.package, tree.import_root, tree.package_path, tree.test_paths) == ("mylib", "", "mylib", ("tests",))
    assert not (tree.root / ".git").exists()
    assert (tree.root / "my_lib-2.0.dist-info" / "METADATA").is_file()


def test_src_layout_and_tests_inside(tmp_path: Path) -> None:
    files = {"src/mylib/__init__.py": "", "src/mylib/sub/tests/test_x.py": TEST, "src/mylib/tests/test_x.py": TEST}
    tree = obtain(str(package(tmp_path / "mylib", files)), cache=tmp_path / "c", offline=True).tree
    assert (tree.import_root, tree.package_path) == ("src", "src/mylib")
    assert tree.test_paths == ("src/mylib/sub/tests", "src/mylib/tests")


def test_single_module(tmp_path: Path) -> None:
    files = {"mylib.py": "", "setup.py": "raise SystemExit('never run')", "test_mylib.py": TEST}
    tree = obtain(str(package(tmp_path / "mylib", files)), cache=tmp_path / "c", offline=True).tree
    assert (tree.package, tree.package_path, tree.test_paths) == ("mylib", "mylib.py", ("test_mylib.py",))


def test_project_table_names_the_package(tmp_path: Path) -> None:
    project = '[project]\nname = "python-thing"\nversion = "3"\nlicense = {text = "MIT"}\n'
    files = {"thing/__init__.py": "", "other/__init__.py": "", "tests/test_x.py": TEST, "pyproject.toml": project}
    subject = obtain(str(package(tmp_path / "anything", files)), cache=tmp_path / "c", offline=True)
    assert (subject.name, subject.version, subject.tree.package) == ("python-thing", "3", "thing")


def archive(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


def test_archives_give_what_the_folder_gives(tmp_path: Path) -> None:
    folder = obtain(str(package(tmp_path / "source", FLAT)), cache=tmp_path / "a", offline=True)
    inside = {f"my.lib-2.0/{name}": text for name, text in FLAT.items()}
    tar = obtain(str(archive(tmp_path / "my.lib-2.0.tar.gz", inside)), cache=tmp_path / "b", offline=True)
    with zipfile.ZipFile(tmp_path / "my.lib-2.0.zip", "w") as bundle:
        for name, text in inside.items():
            bundle.writestr(name, text)
    zipped = obtain(str(tmp_path / "my.lib-2.0.zip"), cache=tmp_path / "c", offline=True)
    assert folder.content_hash == tar.content_hash == zipped.content_hash


@pytest.mark.parametrize("name", ["../outside.py", "/tmp/autodev-outside.py"])
def test_archives_cannot_write_elsewhere(tmp_path: Path, name: str) -> None:
    bad = archive(tmp_path / "bad-1.tar.gz", {"bad-1/bad/__init__.py": "", name: "x"})
    with pytest.raises(LabError):
        obtain(str(bad), cache=tmp_path / "c" / "d", offline=True)
    with zipfile.ZipFile(tmp_path / "bad-1.zip", "w") as bundle:
        bundle.writestr(name, "x")
    with pytest.raises(LabError):
        obtain(str(tmp_path / "bad-1.zip"), cache=tmp_path / "c" / "d", offline=True)
    assert not list(tmp_path.rglob("outside.py"))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"mylib/__init__.py": ""}, "has no tests"),
        ({"README": ""}, "has no Python package"),
        ({"a/__init__.py": "", "b/__init__.py": "", "tests/test_x.py": TEST}, "holds several packages"),
        (
            {"mylib/__init__.py": "from . import _fast\n", "mylib/_fast.pyx": "", "tests/test_x.py": TEST},
            "needs the compiled extension _fast",
        ),
    ],
)
def test_unusable_folders(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(LabError, match=said):
        obtain(str(package(tmp_path / "mylib", files)), cache=tmp_path / "c", offline=True)
    assert not [path for path in (tmp_path / "c").rglob("*") if path.name == "subject.json"]


def test_an_optional_extension_is_fine(tmp_path: Path) -> None:
    code = "try:\n    from . import _fast\nexcept ImportError:\n    _fast = None\n"
    files = {"mylib/__init__.py": code, "mylib/_fast.c": "", "tests/test_x.py": TEST}
    assert obtain(str(package(tmp_path / "mylib", files)), cache=tmp_path / "c", offline=True).name == "mylib"


def test_bad_specs(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="does not exist"):
        obtain("./nowhere", cache=tmp_path)
    with pytest.raises(LabError, match="does not exist"):
        obtain("gone-1.0.tar.gz", cache=tmp_path)
    with pytest.raises(LabError, match="neither a package"):
        obtain("a b; c", cache=tmp_path)
    (tmp_path / "broken.tar.gz").write_bytes(b"no archive")
    with pytest.raises(LabError, match="cannot unpack"):
        obtain(str(tmp_path / "broken.tar.gz"), cache=tmp_path)
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(LabError, match="no source archive"):
        obtain(str(tmp_path / "file.txt"), cache=tmp_path)


def test_offline_without_cache(tmp_path: Path) -> None:
    for spec in ("toolz", "some-unheard-of-name", "toolz==0.0.1"):
        with pytest.raises(LabError, match="offline"):
            obtain(spec, cache=tmp_path, offline=True)


def test_a_read_only_cache_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="cannot write the cache"):
        obtain("pocketkit", cache=tmp_path / "file")


def test_a_damaged_entry_is_made_again(tmp_path: Path) -> None:
    subject = obtain("pocketkit", cache=tmp_path)
    module = subject.tree.root / "pocketkit" / "text.py"
    text = module.read_text()
    module.write_text(text + "# changed\n")
    assert obtain("pocketkit", cache=tmp_path) == subject
    assert module.read_text() == text


def _obtain(cache: Path) -> str:
    return obtain("pocketkit", cache=cache).content_hash


def test_two_processes_at_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        hashes = pool.map(_obtain, [tmp_path] * 4)
    assert len(set(hashes)) == 1
    assert len([path for path in (tmp_path / "subjects").iterdir() if not path.name.startswith(".")]) == 1


def test_an_installed_package_with_tests_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = package(
        tmp_path / "site",
        {
            "inst/__init__.py": "",
            "inst/tests/__init__.py": "",
            "inst/tests/test_a.py": TEST,
            "inst-1.5.dist-info/METADATA": "Name: inst\nVersion: 1.5\nRequires-Dist: needed\n",
            "inst-1.5.dist-info/RECORD": "inst/__init__.py,,\ninst/tests/test_a.py,,\ninst-1.5.dist-info/METADATA,,\n",
            "needed.py": "",
            "needed-1.dist-info/METADATA": "Name: needed\nVersion: 1\n",
            "needed-1.dist-info/RECORD": "needed.py,,\n",
        },
    )
    monkeypatch.syspath_prepend(str(site))
    subject = obtain("inst", cache=tmp_path / "c", offline=True)
    assert (subject.version, subject.tree.test_paths) == ("1.5", ("inst/tests",))
    assert subject.tree.dependencies is not None
    assert (subject.tree.dependencies / "needed.py").is_file()


def test_pinned_packages_are_well_formed() -> None:
    pinned = pinned_subjects()
    roles = [entry.role for entry in pinned.values()]
    assert roles.count("development") >= 8
    assert roles.count("held_out") >= 8
    assert len(roles) == roles.count("development") + roles.count("held_out")
    for entry in pinned.values():
        assert entry.name == normalise(entry.name)
        assert len(entry.sha256) == 64
        assert int(entry.sha256, 16) >= 0
        assert entry.test_paths
        assert all("==" in one for one in entry.dependencies)
    assert "://" not in resource("data/subjects.yaml").read_text(encoding="utf-8")


def test_a_malformed_list_of_packages_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "subjects.yaml"
    bad.write_text(yaml.safe_dump({"packages": [{"name": "x"}]}))
    with pytest.raises(LabError, match="is not a list of pinned packages"):
        pinned_subjects(bad)


@pytest.mark.subjects
def test_a_pinned_package_is_fetched_once_and_then_served_offline(tmp_path: Path) -> None:
    said: list[str] = []
    try:
        subject = obtain("inflection", cache=tmp_path, progress=said.append)
    except LabError as error:
        pytest.skip(str(error))
    assert said == ["fetching inflection 0.5.1"]
    assert obtain("inflection", cache=tmp_path, offline=True, progress=said.append) == subject
    assert len(said) == 1
    assert not [path for path in (tmp_path / "archives").iterdir() if path.is_dir()]


@pytest.mark.subjects
def test_a_wrong_digest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot fetch"):
        fetch_archive("inflection==0.5.1", tmp_path, sha256="0" * 64)
    assert not list(tmp_path.iterdir())


@pytest.mark.subjects
def test_build_code_never_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "ran"
    inside = {
        "evil-1.0/setup.py": f"open({str(mark)!r}, 'w')\n",
        "evil-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n",
    }
    links = tmp_path / "links"
    links.mkdir()
    archive(links / "evil-1.0.tar.gz", inside)
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert fetch_archive("evil==1.0", tmp_path / "out").name == "evil-1.0.tar.gz"
    assert not mark.exists()


def test_the_cache_key_follows_the_pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pinned_subjects()["toolz"]
    monkeypatch.setattr(subjects, "pinned_subjects", lambda: {"toolz": entry})
    with pytest.raises(LabError, match="toolz is not in the cache"):
        obtain(f"toolz=={entry.version}", cache=tmp_path, offline=True)
