"""The pins, the environments and the profiles agree with each other."""

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def test_what_is_installed_is_exactly_what_the_constraints_say():
    installed = {canonicalize_name(item.metadata["Name"]): item.version for item in distributions()}
    differing = {
        name: (version, installed.get(name))
        for name, version in pins().items()
        if name in installed and installed[name] != version
    }
    assert not differing


def test_every_dependency_of_the_project_is_pinned_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = project["dependencies"] + project["optional-dependencies"]["dev"]
    for requirement in map(Requirement, requirements):
        version = pins()[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_has_the_pins_of_the_constraints(path):
    packages = yaml.safe_load(path.read_text())["dependencies"][-1]["pip"]
    for package in packages:
        name, version = package.split("==")
        assert pins()[canonicalize_name(name)] == version


def test_every_rule_with_a_job_names_an_environment_that_exists():
    named = set()
    for rules in (ROOT / "workflow" / "rules").glob("*.smk"):
        text = rules.read_text()
        named |= set(re.findall(r'"\.\./\.\./envs/(\w+)\.yaml"', text))
        assert text.count("shell:") == text.count("conda:")
    assert named == {path.stem for path in ENVIRONMENTS}


def test_profiles_speak_of_rules_that_exist():
    rules = set()
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        rules |= set(re.findall(r"^rule (\w+):", path.read_text(), re.MULTILINE))
    for profile in (ROOT / "profiles").glob("*/config.yaml"):
        options = yaml.safe_load(profile.read_text())
        for option in ("set-threads", "set-resources"):
            assert set(options.get(option, {})) <= rules, profile
