import subprocess
from importlib.metadata import version

import aacsfnet
from aacsfnet import software


def test_versions_are_of_what_is_installed():
    found = software.versions("numpy", "no-such-package", "aacsfnet")
    assert found == {"numpy": version("numpy"), "aacsfnet": aacsfnet.__version__}


def git(folder, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_checkout_has_a_commit_and_tells_when_it_is_altered(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    assert software.commit(package) is None  # no repository
    git(tmp_path, "init")
    (tmp_path / "other").write_text("")
    git(tmp_path, "add", "other")
    git(tmp_path, "commit", "-m", "other")
    assert software.commit(package) is None  # a repository, but not the package's
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "package")
    assert software.commit(package) == git(tmp_path, "rev-parse", "HEAD")
    assert not software.altered(package)
    (tmp_path / "other").write_text("changed")
    assert not software.altered(package)  # outside the package
    (package / "__init__.py").write_text("changed")
    assert software.altered(package)


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert software.commit() is None
    assert not software.altered()
