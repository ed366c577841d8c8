# make demo | test | pytest | venv | tools | lint | format | wheel | check-wheel | clean
PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
C_SOURCES = $(shell find runtime_c -name '*.[ch]')

# Wherever nothing may be kept compiled, each of many processes would compile torch and TVM for seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test pytest venv tools lint format wheel check-wheel clean
.DEFAULT_GOAL := test

demo: venv
	$(BIN)/python examples/spoken_digits/demo.py

# Side by side: apt-get waits for disks and mypy has one thread.
test:
	$(MAKE) -j 2 venv tools
	$(MAKE) -j 2 lint pytest

pytest: venv tools
	$(BIN)/pytest -q -n $(JOBS) --dist worksteal

venv: .venv/.complete

.venv/.complete: setup.cfg constraints.txt
	PYTHON=$(PYTHON) scripts/make-venv.sh

tools:
	@scripts/setup-tools.sh

lint: venv tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	clang-format --dry-run --Werror $(C_SOURCES)

format: venv tools
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	clang-format -i $(C_SOURCES)

wheel: venv
	$(BIN)/python -m build --wheel

check-wheel: venv
	PYTHON=$(PYTHON) scripts/check-wheel.sh

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
