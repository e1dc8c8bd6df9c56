# make demo                 the main job on built-in data, from nothing; it says after some seconds how long it takes
# make test                 the whole test suite, the C++ runner's included
# make check                style, types, import layers
# make runner               the C++ runner: build/runner-release; it needs no Python environment
# make runner-test          the runner's tests as released
# make runner-sanitizers    the same under the address, undefined-behaviour and thread sanitizers
# make runner-check         style and static analysis of the runner (clang-format, clang-tidy)
# make runner-fuzz          libFuzzer on the package reader and the tokenizer, in the build of the first two sanitizers
# make runner-tensorrt-check  the runner's engine for TensorRT: compiled against headers, tested with a fake of TensorRT
# make runner-aarch64       the runner for 64-bit ARM, by a cross compiler; runner-aarch64-test: its tests under emulation
# make docs                 the documentation site: build/site
# make wheel-test           the wheel alone in an empty environment
# make transcript           the whole job in that environment, as docs/tutorial/own-csv.md shows it: Python, C, browser
# make interop              packages in Optimum and onnxruntime, checkpoints in transformers: the answers must be equal
# make tensorrt             the check of graphs for TensorRT against TensorRT-RTX, and engines by it, without a GPU
# make clean                remove environments and results
#
# PYTHON        the interpreter that the environment is made with (3.11 or newer for the tested set of versions), and that
#               fetches what the runner is built with
# INDEX         index of the PyTorch builds you want, for example one with CUDA builds; empty: your pip's own
# FUZZ_SECONDS  how long each fuzz target runs
# TENSORRT_HEADERS, CUDA_HEADERS  folders with NvInferRuntime.h of TensorRT, and one with cuda_runtime_api.h of CUDA
PYTHON ?= python3
INDEX ?=
FUZZ_SECONDS ?= 30
TENSORRT_HEADERS ?=
CUDA_HEADERS ?= build/cuda-headers/nvidia/cu13/include
CORES := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
RUNNER := cpp_runner
FIXTURES := build/runner-fixtures
RUNNER_SOURCES = $(shell git ls-files '$(RUNNER)/*.h' '$(RUNNER)/*.hpp' '$(RUNNER)/*.cpp' '$(RUNNER)/*.c')
export HF_HUB_OFFLINE ?= 1
export EDGE_PTF_FIXTURES := $(CURDIR)/$(FIXTURES)

.PHONY: install demo test check runner runner-fixtures runner-test runner-sanitizers runner-check runner-fuzz \
  runner-tensorrt-check runner-aarch64 runner-aarch64-test wheel-test transcript docs interop tensorrt clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(if $(INDEX),--index-url $(INDEX)) torch==2.13.0
	PYTHONWARNINGS="ignore:Editable installation" $(BIN)/python -m pip install --quiet --constraint constraints.txt \
	  --editable ".[demo,dev,docs]"
	touch $@

demo: install
	$(BIN)/edge-ptf compress --profile host --model minilm-l6 --data demo --task text-classification \
	  --out-of-scope-label out_of_scope --set prune.num_layers=4 --set finetune.epochs=4 --set distill.epochs=5 \
	  --max-drop in_scope_accuracy=2 --out build/demo

test: install runner-test
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --durations 30

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What the runner is built with lies in build/deps-<processor>; a system or release archive of ONNX Runtime does as well:
# cmake -S cpp_runner -B build/runner-release -DONNXRUNTIME_ROOT=<an unpacked release archive>
build/deps-%: $(RUNNER)/scripts/get-dependencies constraints.txt
	PYTHON=$(PYTHON) $(RUNNER)/scripts/get-dependencies $* $@
	touch $@

runner: build/deps-$(shell uname -m)
	cd $(RUNNER) && cmake --preset release && cmake --build --preset release

# Packages of tiny models, and what Python answers to them. They are made again if the code that makes them has changed.
runner-fixtures: $(FIXTURES)/.made

$(FIXTURES)/.made: $(INSTALLED) $(shell git ls-files 'edge_ptf/*.py' tests/runner/fixtures.py tests/conftest.py)
	$(BIN)/python -m tests.runner.fixtures $(FIXTURES)
	touch $@

runner-test: runner runner-fixtures
	ctest --test-dir build/runner-release --parallel $(CORES) --output-on-failure

runner-sanitizers: build/deps-$(shell uname -m) runner-fixtures
	for kind in asan-ubsan tsan; do \
	  (cd $(RUNNER) && cmake --preset $$kind && cmake --build --preset $$kind) || exit; \
	  ctest --test-dir build/runner-$$kind --parallel $(CORES) --output-on-failure || exit; \
	done

runner-check: build/deps-$(shell uname -m)
	clang-format --dry-run -Werror $(RUNNER_SOURCES)
	cd $(RUNNER) && cmake --preset check
	run-clang-tidy -quiet -p build/runner-check $(CURDIR)/$(RUNNER)/

runner-fuzz: build/deps-$(shell uname -m) runner-fixtures
	cd $(RUNNER) && cmake --preset asan-ubsan && cmake --build --preset asan-ubsan
	$(RUNNER)/scripts/fuzz build/runner-asan-ubsan $(FIXTURES) $(FUZZ_SECONDS)

# The headers of CUDA are in wheels. Those of TensorRT are in none: they are compiled against where they are given.
build/cuda-headers/.installed: $(RUNNER)/tests/fake_tensorrt/requirements.txt
	rm -rf build/cuda-headers
	$(PYTHON) -m venv build/cuda-headers/env
	build/cuda-headers/env/bin/python -m pip install --quiet --no-deps --target build/cuda-headers --requirement $<
	touch $@

runner-tensorrt-check: build/deps-$(shell uname -m) build/cuda-headers/.installed runner-fixtures
	$(RUNNER)/scripts/check-tensorrt $(CUDA_HEADERS) $(TENSORRT_HEADERS)
	cd $(RUNNER) && cmake --preset tensorrt-fake && cmake --build --preset tensorrt-fake
	ctest --test-dir build/runner-tensorrt-fake --label-regex tensorrt-fake --parallel $(CORES) --output-on-failure

runner-aarch64: build/deps-aarch64
	cd $(RUNNER) && cmake --preset aarch64 && cmake --build --preset aarch64

# Without and with dot products, and with all that the emulator knows; then which kernels ONNX Runtime runs there.
runner-aarch64-test: runner-aarch64 runner-fixtures
	for cpu in cortex-a53 cortex-a76 max; do \
	  EDGE_PTF_QEMU_CPU=$$cpu ctest --test-dir build/runner-aarch64 --parallel $(CORES) --output-on-failure || exit; \
	done
	$(BIN)/python -m pytest tests/graph/test_arm_kernels.py

# The wheel must work alone: profiles inside, the command on the path, no source tree beside it. pip need not compile
# what one run imports.
wheel-test: install
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv build/wheel/env
	build/wheel/env/bin/python -m pip install --quiet --no-compile $(if $(INDEX),--index-url $(INDEX)) torch==2.13.0
	build/wheel/env/bin/python -m pip install --quiet --no-compile --constraint constraints.txt "$$(echo build/wheel/*.whl)[demo]"
	cd build/wheel && env/bin/edge-ptf --version && env/bin/edge-ptf profiles list && env/bin/edge-ptf doctor

# The commands of docs/tutorial/own-csv.md in the environment of the wheel: the answers must be those of the page.
transcript: install runner wheel-test
	rm -rf build/wheel/transcript
	$(BIN)/python -m tests.transcript --environment build/wheel/env build/wheel/transcript

docs: install
	$(BIN)/python -m mkdocs build --strict

# Optimum takes an older transformers, so it has an environment of its own.
build/interop/.installed: tests/interop/requirements.txt
	$(PYTHON) -m venv --clear build/interop/env
	build/interop/env/bin/python -m pip install --quiet --no-compile $(if $(INDEX),--index-url $(INDEX)) torch==2.13.0
	build/interop/env/bin/python -m pip install --quiet --no-compile --requirement $<
	touch $@

interop: install build/interop/.installed
	rm -rf build/interop/cases
	$(BIN)/python -m tests.interop.packages build/interop/cases
	build/interop/env/bin/python tests/interop/others.py build/interop/cases

# TensorRT-RTX parses and builds without a GPU. Its wheels are for Linux and Windows on x86-64.
build/tensorrt/.installed: tests/tensorrt/requirements.txt
	$(PYTHON) -m venv --clear build/tensorrt/env
	build/tensorrt/env/bin/python -m pip install --quiet --no-compile --requirement $<
	touch $@

tensorrt: install build/tensorrt/.installed
	rm -rf build/tensorrt/cases
	$(BIN)/python -m tests.tensorrt.write build/tensorrt/cases
	build/tensorrt/env/bin/python tests/tensorrt/judge.py build/tensorrt/cases
	PYTHONPATH=$$(build/tensorrt/env/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
	  $(BIN)/python -m pytest tests/tensorrt/built_engines.py

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache
