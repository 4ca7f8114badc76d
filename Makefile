# The whole project in two commands: `make book` and `make test`. Both set themselves up.
#
# Needs git, make and Python >= 3.11. Without make: see the README, the commands are few.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(BIN)/python
READY := $(VENV)/.ready
# Without the plugin for notebooks, which takes seconds to load in every process.
PYTEST := $(PY) -m pytest -p no:nbval
NOTEBOOKS = $(wildcard book/*.ipynb)
export PYTHONUTF8 := 1
# With A3C_OTHER_ARITHMETIC=1 notebooks are computed as on another processor.
ARITHMETIC = $(if $(A3C_OTHER_ARITHMETIC),$(PY) tests/other_arithmetic.py)

.DEFAULT_GOAL := help
.PHONY: help setup book test test-lint test-types test-words test-docs test-quick test-unit test-processes \
	test-browser test-notebooks test-site test-torch test-arm test-ray test-install test-release format fingerprints figures notebooks lock lint clean bench bench-peers bench-ray defaults network-defaults evidence resettle

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{printf "make %-15s %s\n", $$1, $$2}'

setup: $(READY) ## make .venv and install everything in it (the others do this themselves)

# Again only when the requirements have changed.
SETUP_LOG := $(VENV)/setup.log
$(READY): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python"; exit 1; }
	@test -x $(PY) || "$(PYTHON)" -m venv $(VENV)
	@echo "Installing $$(grep -c '==' requirements.txt) packages into $(VENV), once: a minute or two; the log is $(SETUP_LOG)"
	@$(PY) -m pip install --disable-pip-version-check -r requirements.txt >$(SETUP_LOG) 2>&1 \
		|| { tail -n 20 $(SETUP_LOG); exit 1; }
	@touch $@

book: $(READY) ## build the book into _build/html
	@$(PY) book/tools/build.py

test: $(READY) ## run every check
	@$(PY) tests/run.py

lint: test-lint test-types test-words test-docs ## the checks that take seconds

test-lint: $(READY) ## style (ruff), notebooks too; who imports whom (import-linter)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

test-types: $(READY) ## types (mypy)
	$(BIN)/mypy

test-words: $(READY) ## spelling (codespell)
	git ls-files --cached --others --exclude-standard | xargs $(BIN)/codespell

test-docs: $(READY) ## every public name has a docstring (interrogate)
	$(BIN)/interrogate --quiet a3c_tut

TESTS := a3c_tut tests --ignore tests/cluster --ignore tests/test_site.py --ignore tests/test_notebooks.py

test-quick: $(READY) ## an answer in a minute: no statistics, no processes, no browser
	$(PYTEST) -n 2 -m "not slow and not processes and not browser" tests

test-unit: $(READY) ## the package, with the examples in its docstrings
	$(PYTEST) -n 2 -m "not processes and not browser" --doctest-modules $(TESTS)

test-processes: $(READY) ## real worker processes, on a machine that does nothing else
	$(PYTEST) -n 2 -m processes $(TESTS)

test-browser: $(READY) ## the JavaScript twin and the live elements, in a browser
	$(PYTEST) -n 2 -m browser $(TESTS)

test-notebooks: $(READY) ## the notebooks: every stored output still comes out (nbval, strict; pictures too)
	@test -n "$(NOTEBOOKS)" || { echo "no notebooks in book/"; exit 1; }
	$(ARITHMETIC) $(PY) -m pytest -n 2 --dist loadscope --nbval --nbval-current-env \
		--nbval-sanitize-with book/tools/nbval_sanitize.cfg tests/test_notebooks.py $(NOTEBOOKS)

test-site: book ## the built book, in a browser
	$(PYTEST) -n 2 --dist loadgroup tests/test_site.py

# PyTorch, in an environment of its own: nothing else needs it.
TORCH := .torch
TORCH_PY := $(TORCH)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)/python
TORCH_READY := $(TORCH)/.ready
$(TORCH_READY): requirements.txt pyproject.toml tests/pytorch/requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python"; exit 1; }
	@test -x $(TORCH_PY) || "$(PYTHON)" -m venv $(TORCH)
	@grep -v '^-e\|^mpmath' requirements.txt >$(TORCH)/constraints.txt
	@echo "Installing PyTorch into $(TORCH), once: a few minutes; the log is $(TORCH)/setup.log"
	@$(TORCH_PY) -m pip install --disable-pip-version-check -c $(TORCH)/constraints.txt \
		-r tests/pytorch/requirements.txt -e '.[torch]' >$(TORCH)/setup.log 2>&1 \
		|| { tail -n 20 $(TORCH)/setup.log; exit 1; }
	@touch $@

test-torch: $(TORCH_READY) ## modules of PyTorch, which it installs into .torch (not part of `make test`)
	$(TORCH_PY) -m pytest -n 2 -m torch --doctest-modules tests/pytorch \
		a3c_tut/torch_modules.py a3c_tut/engine/torch_turn.py

test-arm: $(READY) ## a dozen runs, to the bit, on an emulated ARM (Debian; not part of `make test`)
	$(PY) tests/arm.py

# In an environment of its own: nothing else needs Ray. Newer ones give a node 15 seconds to come up,
# which two busy cores do not make.
RAY := .ray
RAY_BIN := $(RAY)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
RAY_READY := $(RAY)/.ready
$(RAY_READY): pyproject.toml
	@test -x $(RAY_BIN)/python || "$(PYTHON)" -m venv $(RAY)
	@$(RAY_BIN)/python -m pip install --disable-pip-version-check --quiet \
		"ray==2.49.2" hypothesis "pytest>=8" "pytest-timeout>=2.3" -e ".[ray]"
	@touch $@

test-ray: $(RAY_READY) ## runs on clusters of Ray's, on this machine (installs Ray; not part of `make test`)
	RAY_USAGE_STATS_ENABLED=0 $(RAY_BIN)/python -m pytest tests/cluster

test-install: $(READY) ## both archives in fresh environments, on every Python here (minutes; not part of `make test`)
	$(PY) tests/install.py

test-release: $(READY) ## workflows and known holes, by tools that are fetched (not part of `make test`)
	$(PY) tests/release.py

format: $(READY) ## format the code as `make lint` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: $(READY) ## run all notebooks again and store their outputs
	$(PY) book/tools/refresh_notebooks.py

evidence: $(READY) ## compute all that pages keep again, every seed (an hour; not part of `make test`)
	A3C_RECOMPUTE=all $(PY) -m pytest --nbval --nbval-current-env --nbval-cell-timeout 7200 --timeout 0 \
		--nbval-sanitize-with book/tools/nbval_sanitize.cfg $(NOTEBOOKS)

resettle: $(READY) ## settle the claims on two further sets of seeds (hours; CLAIMS="C05 C08" for some)
	$(PY) -m a3c_tut.book.evidence.resettle $(CLAIMS)

fingerprints: $(READY) ## write tests/fingerprints.json anew: what a dozen runs come to, to the bit
	$(PY) tests/fingerprints.py --write

figures: $(READY) ## draw Figures 1 and 2 into figures/
	$(PY) -m a3c_tut.gen_a3c_figures --out figures

# One lock for all supported systems and Python versions ("fewest": the same versions on all).
lock: $(READY) ## write requirements.txt anew from pyproject.toml
	$(PY) -m pip install --disable-pip-version-check --quiet uv
	$(PY) book/tools/lock.py

bench: $(READY) ## measure everything that is promised to be fast (some minutes; a quiet machine)
	$(PY) benchmarks/run.py

# Other libraries, in an environment of their own: the tables never need PyTorch.
PEERS := .venv-peers
PEERS_BIN := $(PEERS)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
bench-peers: ## measure stable-baselines3, pfrl and rejax beside it (half an hour; installs PyTorch, JAX)
	@test -x $(PEERS_BIN)/python || "$(PYTHON)" -m venv $(PEERS)
	$(PEERS_BIN)/python -m pip install --disable-pip-version-check --quiet \
		-r benchmarks/requirements-peers.txt -e .
	$(PEERS_BIN)/python benchmarks/peers.py
	$(PEERS_BIN)/python benchmarks/peers_networks.py

bench-ray: $(RAY_READY) ## measure workers on a cluster beside processes (some minutes; a quiet machine)
	$(RAY_BIN)/python benchmarks/beyond.py

defaults: $(READY) ## look for a better default on every world (some minutes; see benchmarks/defaults.py)
	$(PY) benchmarks/defaults.py

network-defaults: $(READY) ## judge what networks are trained with (ten minutes; see benchmarks/network_defaults.py)
	$(PY) benchmarks/network_defaults.py

clean: ## remove what was built; the environments stay (rm -r .venv .torch .arm .ray removes them too)
	rm -rf _build build figures *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -exec rm -rf {} +
