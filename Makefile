# `make` says what there is. Every target makes the .venv it needs, from nothing but Python >= 3.11.

.DEFAULT_GOAL := help
.PHONY: help setup demo rabbitmq sshd test check format torch image faults bench docs lock clean
MAKEFLAGS += --no-print-directory
BIN := .venv/bin

# One clean environment whatever shell calls: an active venv or PYTHONPATH must not leak in.
unexport PYTHONPATH
unexport PYTHONHOME
unexport VIRTUAL_ENV
# What is compiled once need not be compiled in each of a thousand processes.
unexport PYTHONDONTWRITEBYTECODE

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.dev ## make .venv with all that development needs

demo: .venv/.demo ## train on real digits through separate processes; KILL=1 kills one on the way
	@$(BIN)/python examples/digits/demo.py $(if $(KILL),--kill)

rabbitmq: ## install the RabbitMQ server that tests start nodes of, where it is missing
	@requirements/rabbitmq

sshd: ## unpack the SSH server that a test of tunnels starts, where none is installed
	@requirements/sshd

test: .venv/.dev rabbitmq sshd ## prove the promises: the whole suite, on all cores
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

check: .venv/.dev ## lint, format, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --config pyproject.toml

format: .venv/.dev ## put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

torch: .venv/.dev ## prove what needs torch; installs it, some GB unless TORCH names a build for the CPU
	@$(BIN)/python -m pip install -qq $(or $(TORCH),torch)
	@$(BIN)/python -m pytest tests/unit/message/test_tensors.py tests/unit/message/test_hostile.py $(ARGS)

image: .venv/.dev ## build what `env export` writes for an image, by docker, behind BASE=python:3.13-slim
	@$(BIN)/python -m pytest tests/acceptance/environments/image.py $(ARGS)

faults: .venv/.dev rabbitmq ## break everything on purpose, in the long forms (a million items, twenty kills)
	@$(BIN)/python -m pytest -m "fault or long" --long $(ARGS)

bench: .venv/.dev ## measure, each case beside its peer in the same run
	@$(BIN)/penstock bench $(ARGS)

docs: .venv/.dev ## build the site into build/site, and run every code block of README and docs
	@$(BIN)/mkdocs build --quiet
	@echo "build/site/index.html"
	@$(BIN)/python -m pytest tests/house/test_docs.py tests/house/test_reference.py tests/house/test_site.py $(ARGS)

lock: .venv/.dev ## lock what pyproject.toml asks for, with hashes
	@requirements/lock

clean: ## remove what was made: .venv, caches, builds
	@[ ! -d .cache ] || chmod -R u+w .cache # environments are kept from being written to
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.dev: requirements/dev.txt requirements/venv pyproject.toml
	@requirements/venv dev

.venv/.demo: requirements/demo.txt requirements/venv pyproject.toml
	@requirements/venv demo
