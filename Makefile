# Everything a person or CI runs. `make demo` is the place to start.

PYTHON ?= python3
# The board that `make leaderboard` builds: this repository's own, or one that lies elsewhere.
BOARD ?= leaderboard/board
READY := .venv/.installed
ROOMS := setups records benchmark baselines leaderboard contributions audit cli
TESTED := $(ROOMS) house
# Builds of torch and torchvision without CUDA, in the versions of constraints.txt.
CPU_BUILDS := $(shell sed -nE 's/^(torch|torchvision)==.*/&+cpu/p' constraints.txt)
# One torch thread a process, and two processes: more threads are slower on networks this small.
# The files that take longest are begun first (tests/conftest.py).
PYTEST := OMP_NUM_THREADS=1 .venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder
ON_A_GPU := tests/benchmark/test_cuda.py tests/benchmark/test_cuda_terms.py tests/benchmark/test_setups_run.py tests/baselines/test_structured_field.py tests/baselines/test_unstructured_trials.py

ifneq ($(filter-out $(TESTED),$(ROOM)),)
$(error unknown ROOM '$(filter-out $(TESTED),$(ROOM))'. Valid: $(TESTED))
endif

.PHONY: help demo test test-slow torture test-gpu lint leaderboard docs bench constraints clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo         judge an example method on the digits track (needs no GPU and no download of data)'
	@echo 'make test         run the tests; make test-slow runs those that take longer'
	@echo '                  ROOM=setups runs those of one room: $(TESTED)'
	@echo 'make torture      kill, fill, flip and cut at random moments, and compare the records (FAULTS=100)'
	@echo 'make test-gpu     run every method and cheat on a GPU, and compare it with the CPU'
	@echo 'make lint         ruff, mypy --strict and pyright'
	@echo 'make leaderboard  rebuild leaderboard/BOARD.md and the site in build/site, with its documents'
	@echo 'make docs         build the documents in build/site/docs only; every link is followed'
	@echo 'make bench        measure what everything costs on this machine, and write docs/performance.md (half an hour)'
	@echo 'make constraints  pin the newest versions that work together in constraints.txt'
	@echo 'make clean        remove what make built, the environment in .venv too (records are kept)'
	@echo
	@echo 'The first target that needs it makes .venv with $(PYTHON); choose another one with PYTHON=python3.12.'

demo: $(READY)
	.venv/bin/prunemark submit examples/geometric_median.py:GeometricMedian \
	  --track glyphs-resnet8 --setup S3.2 --seeds 5

test: $(READY)
	$(PYTEST) $(ROOM:%=tests/%)

# Faults at random moments, and the same records all the same; FAULTS=13 has one of each kind.
torture: $(READY)
	.venv/bin/python tests/support/torture.py --faults $(or $(FAULTS),100)

# With Ray, S3 on loopback and a driver of PostgreSQL, which only the tests of clusters and teams need.
test-slow: $(READY)
	.venv/bin/python -c 'import flask_wtf, moto, psycopg, ray, s3fs' 2>/dev/null || \
	  .venv/bin/python -m pip install -q -c constraints.txt -e '.[slow]'
	$(PYTEST) -m slow $(ROOM:%=tests/%)

# Trials of these files run on the GPU: a process for each, several at once.
test-gpu: $(READY)
	PRUNEMARK_TEST_DEVICE=cuda OMP_NUM_THREADS=1 .venv/bin/pytest -n 8 -m '' $(ON_A_GPU)

lint: $(READY)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --strict -p prunemark
	.venv/bin/pyright

leaderboard: $(READY)
	.venv/bin/prunemark leaderboard --records $(BOARD)/records --output build/site --literature --documents --parquet \
	  --board leaderboard/BOARD.md
	.venv/bin/python docs/site/build.py build/site/docs

docs: $(READY)
	.venv/bin/python docs/site/build.py build/site/docs

bench: $(READY)
	.venv/bin/python perf/bench.py

# An install that was cut short goes on here. Pip takes a package that was only half unpacked for installed:
# the loop makes it forget those. An environment half deleted, or made by another Python, is made anew.
$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo 'There is no $(PYTHON) here. Prunemark needs Python 3.11, 3.12' \
	  'or 3.13: name one, as in make PYTHON=python3.11 demo' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo "Prunemark needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is $$($(PYTHON) -V 2>&1):" \
	  'name another one, as in make PYTHON=python3.11 demo' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo '$(PYTHON) cannot make environments:' \
	  'on Debian and Ubuntu, sudo apt install python3-venv' >&2; exit 1; }
	@echo 'Installing PyTorch, MLflow and the rest into .venv: the first time this takes minutes and up to 7 GB.'
	@version=$$($(PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])'); \
	  test -e .venv/pyvenv.cfg -a -d .venv/lib/$$version || { rm -f .venv/pyvenv.cfg; rm -rf .venv; }
	$(PYTHON) -m venv .venv
	@for package in .venv/lib/python*/site-packages/*.dist-info; do \
	  test -e $$package/RECORD || rm -rf $$package; done
	@builds=; if [ "$$(uname -s)" != Linux ]; then \
	  echo 'PyTorch: the usual build, because only Linux has a smaller one'; \
	elif [ -e /dev/nvidia0 ] || [ -d /proc/driver/nvidia ] || command -v nvidia-smi >/dev/null; then \
	  echo 'PyTorch: the usual build, with CUDA, because this machine has an NVIDIA driver'; \
	elif .venv/bin/python -m pip install -q --dry-run --no-deps $(CPU_BUILDS) >/dev/null 2>&1; then \
	  echo 'PyTorch: the CPU build, 4 GB less, because this machine has no NVIDIA driver'; builds='$(CPU_BUILDS)'; \
	else \
	  echo 'PyTorch: the usual build. This machine has no NVIDIA driver, but pip finds no $(firstword $(CPU_BUILDS))'; \
	fi; set -x; .venv/bin/python -m pip install -q -c constraints.txt $$builds -e '.[dev]'
	@touch $@

# Run this with the lowest Python supported: what is chosen there also installs on the later ones.
constraints:
	$(PYTHON) -m venv --clear build/resolve
	build/resolve/bin/pip install -q --upgrade pip
	build/resolve/bin/pip install -q --dry-run --ignore-installed --report build/resolve/report.json -e '.[dev,slow]'
	@build/resolve/bin/python -c "$$PIN" < build/resolve/report.json > build/resolve/constraints.txt
	mv build/resolve/constraints.txt constraints.txt

define PIN
import json, sys
print("# Written by `make constraints`: the versions Prunemark is tested with, on Python 3.11 to 3.13.")
for package in sorted(json.load(sys.stdin)["install"], key=lambda package: package["metadata"]["name"].lower()):
    name, version = package["metadata"]["name"], package["metadata"]["version"].partition("+")[0]
    if name != "prunemark":
        print(f"{name.lower()}=={version}")
endef
export PIN

clean:
	@rm -f $(READY) .venv/pyvenv.cfg
	rm -rf build .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find $(ROOMS) perf examples tests -name __pycache__ -type d -prune -exec rm -rf {} +
