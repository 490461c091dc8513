# Two commands do all set-up on a fresh machine: `make demo` runs the main job, `make test` passes the tests.
# Both may be run again at any time; what is there already is not made again.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# Programs start as they do for users: with bytecode beside the sources, wherever this runs.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check soak install system-demo system-test clean

demo: system-demo install  ## build, isolate and test a real plugin: 1,000+ rows through a real model
	@echo "mixpeek plugin test --sandbox --path examples/text_embedder"
	@$(BIN)/mixpeek plugin test --sandbox --path examples/text_embedder

test: system-test $(VENV)/.development check  ## gates and every test, container tests included
	scripts/run-tests $(BIN)/python

check: $(VENV)/.development  ## the gates alone: style, types, arrows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

soak: system-test $(VENV)/.development  ## 200 sandboxes in a row and 8 at once: nothing may be left, nothing may grow
	$(BIN)/python -m benchmarks.soak

install: $(VENV)/.installed

system-demo system-test:
	@PYTHON=$(PYTHON) scripts/system-packages $(@:system-%=%)

# The order matters: on a bare Debian python3-venv comes from system-packages.
$(VENV)/.uv: | system-demo
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 10), "Python 3.10 or newer is needed"'
	@echo "Making $(VENV) with $$($(PYTHON) --version) and installing uv into it"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@

$(VENV)/.installed: $(VENV)/.uv pyproject.toml
	@echo "Installing mixpeek and its dependencies into $(VENV)"
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable .
	@touch $@

$(VENV)/.development: $(VENV)/.installed
	@echo "Installing the development tools into $(VENV)"
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable '.[dev]'
	@touch $@

clean:  ## remove what make made in this folder; caches, images and a started engine stay
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
