# make demo   the main job on built-in data, from nothing       make test    the whole test suite
# make check  style, types, import layers                       make clean   remove environments and results
#
# PYTHON  the interpreter that the environment is made with (3.11 or newer for the tested set of versions)
# INDEX   index of the PyTorch builds you want, for example one with CUDA builds; empty: your pip's own
PYTHON ?= python3
INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
export HF_HUB_OFFLINE ?= 1

.PHONY: install demo test check wheel-test clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(if $(INDEX),--index-url $(INDEX)) torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[demo,dev]"
	touch $@

demo: install
	$(BIN)/edge-ptf compress --profile host --model minilm-l6 --data demo --task text-classification \
	  --out-of-scope-label out_of_scope --set prune.layers=4 --set distill.epochs=5 \
	  --max-drop in_scope_accuracy=2 --out build/demo

test: install
	$(BIN)/python -m pytest

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The wheel must work alone: profiles inside, the command on the path, a real answer, no source tree beside it.
wheel-test: install
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv build/wheel/env
	build/wheel/env/bin/python -m pip install --quiet $(if $(INDEX),--index-url $(INDEX)) torch==2.13.0
	build/wheel/env/bin/python -m pip install --quiet --constraint constraints.txt "$$(echo build/wheel/*.whl)[demo]"
	cd build/wheel && env/bin/edge-ptf --version && env/bin/edge-ptf profiles list && env/bin/edge-ptf doctor
	cd build/wheel && env/bin/edge-ptf finetune --model minilm-l6 --data demo --task text-classification \
	  --epochs 1 --out teacher
	cd build/wheel && env/bin/edge-ptf export --checkpoint teacher --data demo --out graph
	cd build/wheel && env/bin/edge-ptf assemble --graph graph --data demo --out package
	cd build/wheel && env/bin/edge-ptf verify package/payload.eptf
	cd build/wheel && env/bin/edge-ptf predict package/payload.eptf "turn on the lights in the kitchen"

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache
