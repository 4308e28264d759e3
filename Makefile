# Two commands do everything, each on a fresh machine too: make demo, make test.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/installed

# One more than cores: some tests, Slurm's above all, wait most of their time.
TESTERS := $(shell expr $$(nproc) + 1)

# Threads that wait actively slow each other down on few cores by a factor of ten and more.
export OMP_WAIT_POLICY ?= passive

.PHONY: demo test test-all lint types unit unit-all rounding coverage docs clean

demo: $(INSTALLED)
	$(RUN) tools/demo.py

test: lint types unit

# Every case of the families of which `test` has one of a kind, and two minutes for each reader that is fuzzed.
test-all: lint types unit-all

lint: $(INSTALLED)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(INSTALLED)
	$(RUN) -m mypy

unit: $(INSTALLED)
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(TESTERS) --dist loadgroup -m "not thorough"

unit-all: $(INSTALLED)
	OMP_NUM_THREADS=1 SCE_FUZZ_SECONDS=120 SCE_NUM_KILLS=12 $(RUN) -m pytest -n $(TESTERS) --dist loadgroup

# Once more what could hang on a processor's rounding, as an old processor rounds, and on two threads.
rounding: $(INSTALLED)
	ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=COMPATIBLE OPENBLAS_CORETYPE=Nehalem \
		SCE_TEST_THREADS=2 $(RUN) -m pytest -m rounding

# Lines and branches of each room that the tests of `unit` run, in whichever process.
coverage: $(INSTALLED)
	$(RUN) -m coverage erase
	-OMP_NUM_THREADS=1 $(RUN) -m coverage run -m pytest -n $(TESTERS) --dist loadgroup -m "not thorough"
	$(RUN) -m coverage combine --quiet
	$(RUN) tests/coverage_of_rooms.py

# The pages of build/api/index.html, from the docstrings.
docs: $(INSTALLED)
	$(RUN) -m pdoc --docformat google --output-directory build/api sce_video

# Made anew when it is missing or does not run any more; brought up to date when the package's needs have changed.
$(INSTALLED): setup.cfg pyproject.toml $(if $(shell $(RUN) -m pip --version 2>/dev/null),,not_there)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "error: $(PYTHON) is older than 3.10; run make with PYTHON=python3.12 or the like"; exit 2; }
	@$(RUN) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --editable '.[dev]'
	@touch $@

.PHONY: not_there
not_there:

clean:
	rm -rf $(VENV) runs
