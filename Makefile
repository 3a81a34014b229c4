# Every target installs what it needs; only Python 3.11+, make and git must be there.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
STAMP := .venv/.stamp
TORCH_STAMP := .venv/.torch-stamp
BEAM := .venv-beam
BEAM_STAMP := $(BEAM)/.stamp
SUPERVISION := .venv-supervision
SUPERVISION_STAMP := $(SUPERVISION)/.stamp
TRACKERS := .venv-trackers
TRACKERS_STAMP := $(TRACKERS)/.stamp
MEDIAPIPE := .venv-mediapipe
MEDIAPIPE_STAMP := $(MEDIAPIPE)/.stamp
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help env quickstart test test-all test-slow test-jax test-torch test-beam test-supervision test-trackers test-mediapipe test-wheel durations lint format protos lock clean

help:  ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

env: $(STAMP)  ## Make .venv with the locked requirements (TensorFlow and JAX).

$(STAMP): requirements/lock.txt pyproject.toml
	@echo "Making .venv (a few minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@# uv is three times as fast as pip, but does not read pip's settings: where it finds nothing, pip is asked.
	@$(PIP) install $$(grep '^uv==' requirements/lock.txt)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements/lock.txt || $(PIP) install -r requirements/lock.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(TORCH_STAMP): $(STAMP) requirements/torch.txt
	@$(PIP) install -r requirements/torch.txt && touch $@ || { echo "No CPU build of torch can be installed here."; test -z "$$CI"; }

quickstart: env  ## Train, evaluate and export a small detector, in minutes.
	@$(BIN)/odapi quickstart

# What JAX compiles in one process is read in the next: the workers and targets share it.
JAX := JAX_COMPILATION_CACHE_DIR=$(CURDIR)/build/jax-cache JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 \
  JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1 KERAS_BACKEND=jax

# Modules stay on one worker, so that what they share is made once. tests/conftest.py sorts them, longest first.
PYTEST := $(BIN)/python -m pytest -q -n $(JOBS) --dist loadscope --no-loadscope-reorder

test: env  ## Run the tests: all fast ones on TensorFlow, the core of the model code on JAX.
	@KERAS_BACKEND=tensorflow $(PYTEST) -m "not slow and not parity"
	@$(JAX) $(PYTEST) -m "core and not slow and not parity"

test-all: test-slow test-jax test-torch test-beam test-supervision test-trackers test-mediapipe test-wheel  ## Run what `make test` leaves out.

test-slow: env  ## Run trainings, exports and parity of whole models on TensorFlow.
	@KERAS_BACKEND=tensorflow $(PYTEST) -m "slow or parity"

test-jax: env  ## Run the rest of the model code on JAX.
	@$(JAX) $(PYTEST) -m "backend and (not core or slow or parity)"

test-torch: env $(TORCH_STAMP)  ## Run the tests of model code on torch.
	@# One thread per worker: torch's threads wait for each other by spinning.
	@if test -e $(TORCH_STAMP); then OMP_NUM_THREADS=1 KERAS_BACKEND=torch $(PYTEST) -m backend; fi

durations: env  ## Record what the tests take on TensorFlow in tests/durations.json.
	@KERAS_BACKEND=tensorflow $(PYTEST) --record-durations

$(BEAM_STAMP): $(STAMP) requirements/beam.txt
	@# Beam needs an older Pillow than the lock has: an environment on top of .venv.
	@test -x $(BEAM)/bin/python || $(BIN)/python -m venv $(BEAM)
	@printf 'import site; site.addsitedir("%s")\n' "$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')" \
	  > "$$($(BEAM)/bin/python -c 'import site; print(site.getsitepackages()[0])')/over.pth"
	@$(BEAM)/bin/python -m pip --disable-pip-version-check -qq install -r requirements/beam.txt
	@touch $@

test-beam: env $(BEAM_STAMP)  ## Run the tests of the Apache Beam pipelines.
	@NEED_BEAM=1 $(BEAM)/bin/python -m pytest -q tests/tools/test_beam_pipelines.py tests/tools/test_beam_predict.py

$(SUPERVISION_STAMP): $(STAMP) requirements/supervision.txt
	@test -x $(SUPERVISION)/bin/python || $(BIN)/python -m venv $(SUPERVISION)
	@printf 'import site; site.addsitedir("%s")\n' "$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')" \
	  > "$$($(SUPERVISION)/bin/python -c 'import site; print(site.getsitepackages()[0])')/over.pth"
	@$(SUPERVISION)/bin/python -m pip --disable-pip-version-check -qq install -r requirements/supervision.txt
	@touch $@

test-supervision: env $(SUPERVISION_STAMP)  ## Run the tests of predictions in supervision and pandas.
	@NEED_SUPERVISION=1 $(SUPERVISION)/bin/python -m pytest -q tests/inference/test_other_libraries.py

$(TRACKERS_STAMP): $(STAMP) requirements/trackers.txt
	@# They would double the packages of the lock: an environment on top of .venv. uv takes seconds, pip a minute.
	@test -x $(TRACKERS)/bin/python || $(BIN)/python -m venv $(TRACKERS)
	@printf 'import site; site.addsitedir("%s")\n' "$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')" \
	  > "$$($(TRACKERS)/bin/python -c 'import site; print(site.getsitepackages()[0])')/over.pth"
	@$(BIN)/uv pip install --quiet --no-deps --python $(TRACKERS)/bin/python -r requirements/trackers.txt \
	  || $(TRACKERS)/bin/python -m pip --disable-pip-version-check -qq install --no-deps -r requirements/trackers.txt
	@touch $@

test-trackers: env $(TRACKERS_STAMP)  ## Run the tests of ClearML, MLflow and Weights & Biases.
	@NEED_TRACKERS=1 $(TRACKERS)/bin/python -m pytest -q tests/trackers/test_services.py

$(MEDIAPIPE_STAMP): $(STAMP) requirements/mediapipe.txt
	@# It pins another OpenCV: an environment without ours.
	@test -x $(MEDIAPIPE)/bin/python || $(BIN)/python -m venv $(MEDIAPIPE)
	@$(BIN)/uv pip install --quiet --python $(MEDIAPIPE)/bin/python -r requirements/mediapipe.txt \
	  || $(MEDIAPIPE)/bin/python -m pip --disable-pip-version-check -qq install -r requirements/mediapipe.txt
	@touch $@

test-mediapipe: env $(MEDIAPIPE_STAMP)  ## Run an exported TFLite file in MediaPipe.
	@NEED_MEDIAPIPE=1 KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -q tests/exporters/test_mediapipe.py

test-wheel: env  ## Install the wheel with each backend alone, and run it outside the repository.
	@$(BIN)/python tests/packaging/run_wheel.py $(JOBS)

lint: env  ## Check format, lint, types and imports, as .ci/run does.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: env  ## Format the code.
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

protos: env  ## Generate the code of the .proto files.
	@$(BIN)/python -m grpc_tools.protoc -Isrc --python_out=src --pyi_out=src $$(find src/odapi -name "*.proto")

LOCK := build/lock
lock: env  ## Resolve pyproject.toml anew into requirements/lock.txt.
	@rm -rf $(LOCK) && $(PYTHON) -m venv $(LOCK) && $(LOCK)/bin/python -m pip -qq install -U pip
	@$(LOCK)/bin/python -m pip --disable-pip-version-check -qq install --group dev -e ".[tensorflow-cpu,jax,track,quickstart,tune,tflite,onnx,openvino]"
	@$(LOCK)/bin/python -m pip freeze --exclude-editable --exclude pip > requirements/lock.txt

clean:  ## Remove what was made here.
	@rm -rf .venv $(BEAM) $(SUPERVISION) $(TRACKERS) $(MEDIAPIPE) runs build dist
