# make demo     install, run the whole workflow on the built-in data, name the report
# make test     install, run the tests; test-all: the slow ones too
# make check    formatting, types, layers, lint of code and workflow, the documentation's links
# make docs     the documentation as a site in build/site
# make audit    known vulnerabilities of the pins (asks PyPI); what is installed, in build/sbom.json
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
CORES ?= all
EXTRAS ?= dev,imagenet,onnx
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
TOLD = > $(VENV)/install.log 2>&1 || { cat $(VENV)/install.log; exit 1; }
RUN := OMP_NUM_THREADS=1 $(BIN)

.PHONY: install demo test test-all check docs audit schemas environments miniature

install: $(VENV)/installed

$(VENV)/installed: constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV); this takes some minutes and 8 GB of disk"
	@$(PIP) --editable '.[$(EXTRAS)]' $(TOLD)
# mediapipe brings an OpenCV that needs libGL; the headless one, laid over it, does not.
	@$(PIP) --no-deps --force-reinstall opencv-python-headless $(TOLD)
	touch $@

demo: install
	$(BIN)/snakemake --cores $(CORES)
	@echo "Report: $(CURDIR)/results/demo/report.html"

test: install
	$(RUN)/pytest --numprocesses 2 -m "not slow"

test-all: install
	$(RUN)/pytest --numprocesses 2

check: install docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakemake --lint

docs: install
	$(BIN)/mkdocs build

# The list is CycloneDX's. The package, which is on no index, is in the list and not asked about.
audit: install
	mkdir -p build
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-file build/sbom.json $(BIN)/python
	$(BIN)/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

# config.yaml and its JSON schema follow from the classes in aacsfnet/config/.
schemas: install
	$(BIN)/python -m aacsfnet.config.files

# envs/ follow from constraints.txt and from what the installed packages need.
environments: install
	$(BIN)/python -m tools.environments

# Trains the bundled generator anew: about two hours on one core. Stopped, it resumes where it was.
miniature: install
	$(RUN)/python -m tools.miniature --folder build/miniature \
	  --output aacsfnet/augmentation/diffusion/miniature
