# `make demo` and `make test` run on a new machine: they set up .venv.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/installed

# One more than cores: some tests, especially those of Slurm, mostly wait.
TESTERS := $(shell expr $$(nproc) + 1)

# Spinning threads slow each other down on few cores by a factor of ten and more.
export OMP_WAIT_POLICY ?= passive

.PHONY: demo test test-all lint types unit unit-all rounding rounding-all coverage docs clean

demo: $(INSTALLED)
	$(RUN) tools/demo.py

test: lint types unit

# All cases of which `test` runs one per kind, and two minutes of fuzzing per reader.
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

# Repeat the tests that may depend on rounding, with the kernels of an old CPU and two threads.
OLD_CPU := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=COMPATIBLE OPENBLAS_CORETYPE=Nehalem

rounding: $(INSTALLED)
	$(OLD_CPU) SCE_TEST_THREADS=2 $(RUN) -m pytest -m "rounding and not thorough"

rounding-all: $(INSTALLED)
	$(OLD_CPU) SCE_TEST_THREADS=2 $(RUN) -m pytest -m rounding

# Line and branch coverage of `unit` per room, in all processes.
coverage: $(INSTALLED)
	$(RUN) -m coverage erase
	-OMP_NUM_THREADS=1 $(RUN) -m coverage run -m pytest -n $(TESTERS) --dist loadgroup -m "not thorough"
	$(RUN) -m coverage combine --quiet
	$(RUN) tests/coverage_of_rooms.py

# API pages from the docstrings: build/api/index.html.
docs: $(INSTALLED)
	$(RUN) -m pdoc --docformat google --output-directory build/api sce_video

# Created if it is missing or broken; updated when the package's requirements have changed.
$(INSTALLED): setup.cfg pyproject.toml $(if $(shell $(RUN) -m pip --version 2>/dev/null),,missing)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "error: $(PYTHON) is older than 3.10; run make with a newer one, such as PYTHON=python3.12"; exit 2; }
	@$(RUN) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --editable '.[dev]'
	@touch $@

.PHONY: missing
missing:

clean:
	rm -rf $(VENV) runs
