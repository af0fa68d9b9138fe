# From a bare clone with Python 3.11 and no root: `make demo`, `make test`. Everything lands in .venv and out/.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOB ?= ray_jobs/jobs/demo.yaml
BENCH ?= overhead scaling dataset heads faces interpenetration appearance transport transport_codec relight loader train inference agreement cycles_overhead cycles_lightgroups

.PHONY: help install demo weights test lint bench llvm clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## create .venv and install (instant when nothing changed)

$(STAMP): pyproject.toml .ci/install .ci/fetch-libraries
	@.ci/install $(VENV)
	@touch $@

demo: $(STAMP) ## render a small dataset through Ray, then relight people that the model never saw; prints where all is
	@$(BIN)/pixelcube render $(JOB)
	@$(BIN)/pixelcube render ray_jobs/jobs/demo_relight.yaml --no-inspect
	@$(BIN)/pixelcube showcase out/demo_relight --output out/demo

weights: $(STAMP) ## train the weights that ship: hours; again to go on where it stopped
	@$(BIN)/pixelcube render ray_jobs/jobs/train128.yaml --no-inspect
	@$(BIN)/pixelcube render ray_jobs/jobs/val128.yaml --no-inspect
	@set -e; for run in delight_64 relight_64 delight_128 relight_128; do \
		$(BIN)/pixelcube train relight/configs/shipped/$$run.yaml; done
	@$(BIN)/python -m relight.training.pack out/shipped/delight_128/model out/shipped/relight_128/model relight/weights/small

test: $(STAMP) ## run the tests
	@$(BIN)/python -m pytest $(PYTEST_FLAGS)

lint: $(STAMP) ## check style
	@$(BIN)/ruff check .

bench: $(STAMP) ## run the benchmarks; the last line of each is a JSON object
	@set -e; for name in $(BENCH); do $(BIN)/python -m tests.bench.$$name; done

llvm: ## fetch a good LLVM into .venv without root (Debian, Ubuntu): Mitsuba's fast CPU variant
	@.ci/fetch-libraries $(VENV)

clean: ## remove .venv; rendered datasets in out/ stay
	rm -rf $(VENV)
