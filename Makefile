# Every target makes what it needs: nothing but Python 3.11+, make and git has to be there.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
STAMP := .venv/.stamp
TORCH_STAMP := .venv/.torch-stamp
BEAM := .venv-beam
BEAM_STAMP := $(BEAM)/.stamp
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help env quickstart test test-jax test-parity test-torch test-beam lint format protos lock clean

help:  ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

env: $(STAMP)  ## Make .venv with the locked requirements (TensorFlow and JAX).

$(STAMP): requirements/lock.txt pyproject.toml
	@echo "Making .venv (a few minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) install -r requirements/lock.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(TORCH_STAMP): $(STAMP) requirements/torch.txt
	@$(PIP) install -r requirements/torch.txt && touch $@ || echo "No CPU build of torch can be had here."

quickstart: env  ## Train, evaluate and export a small detector, in minutes.
	@$(BIN)/odapi quickstart

test: env  ## Run the whole test suite, on TensorFlow and on JAX.
	@KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -q -n $(JOBS)
	@KERAS_BACKEND=jax $(BIN)/python -m pytest -q -n $(JOBS) -m backend

test-torch: env $(TORCH_STAMP)  ## Run the tests of model code on torch, where a CPU build can be had.
	@# One thread a worker: torch's threads wait for each other by spinning.
	@if test -e $(TORCH_STAMP); then OMP_NUM_THREADS=1 KERAS_BACKEND=torch $(BIN)/python -m pytest -q -n $(JOBS) -m backend; fi

$(BEAM_STAMP): $(STAMP) requirements/beam.txt
	@# Beam needs an older Pillow than the lock has: a folder of its own, over that of .venv.
	@test -x $(BEAM)/bin/python || $(BIN)/python -m venv $(BEAM)
	@printf 'import site; site.addsitedir("%s")\n' "$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')" \
	  > "$$($(BEAM)/bin/python -c 'import site; print(site.getsitepackages()[0])')/over.pth"
	@$(BEAM)/bin/python -m pip --disable-pip-version-check -qq install -r requirements/beam.txt
	@touch $@

test-beam: env $(BEAM_STAMP)  ## Run the tests of the Apache Beam pipelines.
	@NEED_BEAM=1 $(BEAM)/bin/python -m pytest -q tests/tools/test_beam_pipelines.py

lint: env  ## Check format, lint, types and imports, as .ci/run does.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: env  ## Format the code.
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

protos: env  ## Generate the code of the .proto files.
	@$(BIN)/python -m grpc_tools.protoc -Isrc --python_out=src --pyi_out=src src/odapi/config/protos/*.proto

clean:  ## Remove what was made here.
	@rm -rf .venv $(BEAM) runs build dist
