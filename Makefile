# The one list of commands; `make` alone prints it.
# They need git, make and Python 3.11 or newer. All else is fetched on first use, below this folder.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup dev test check fix docs lock requirements packages clients infra benchmarks \
	archive plan apply deploy sbom audit

UV_VERSION := 0.13.0
UV := .tools/uv-$(UV_VERSION)/uv
SETUP := .venv/.set-up
CLIENTS := tests/clients/node_modules/.package-lock.json
REQUIREMENTS := functions/requirements.txt

# What infra/deploy.sh is told.
export PROJECT PROJECT_NUMBER REGION ENVIRONMENT

# Nobody else's environment is read or changed.
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE

# Asked for by running it, because a version manager's shim exists without its Python.
PYTHON = $(or $(NEWEST_PYTHON),$(error Python 3.11 or newer is not on the PATH; install it, or say: make PYTHON=/path/to/python3))
NEWEST_PYTHON = $(shell for name in python3.13 python3.12 python3.11 python3; do \
	"$$name" -c 'import sys; sys.version_info < (3, 11) and sys.exit(1); print(sys.executable)' \
	2>/dev/null && break; done)

help:  ## List the commands
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{printf "make %-13s %s\n", $$1, $$2}'

setup: $(SETUP)  ## Set up .venv as uv.lock says (the other commands do it by themselves)

dev: $(SETUP)  ## Run the three functions and a simulated Rally here (ARGS="--port 9000")
	@.venv/bin/rally-mcp dev $(ARGS)

test: $(SETUP)  ## Run every test and measure branch coverage
	@.venv/bin/pytest --cov --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(SETUP)  ## Run every check but the tests
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m devtools.reference --check
	$(UV) lock --check --quiet --python .venv/bin/python || { echo 'uv.lock is stale: make lock'; exit 1; }
	@$(EXPORT) | diff -u $(REQUIREMENTS) - || { echo '$(REQUIREMENTS) is stale: make requirements'; exit 1; }

fix: $(SETUP)  ## Repair what ruff can repair, and format
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

docs: $(SETUP)  ## Write docs/settings.md and docs/tools.md from the code
	@.venv/bin/python -m devtools.reference

lock: | $(UV)  ## Bring uv.lock and functions/requirements.txt in line with pyproject.toml
	$(UV) lock --python "$(PYTHON)"
	$(MAKE) requirements

requirements: | $(UV)  ## Write functions/requirements.txt, what the cloud installs, from uv.lock
	@$(EXPORT) > $(REQUIREMENTS).new && mv $(REQUIREMENTS).new $(REQUIREMENTS)

packages:  ## Install, as root on Debian, what the tests run besides Python
	@.ci/packages

clients:  ## Install the JavaScript MCP clients that some tests drive (needs npm)
	@if command -v npm >/dev/null; then $(MAKE) --silent --no-print-directory $(CLIENTS); \
	else echo 'npm is not on the PATH: the tests that drive JavaScript clients will be skipped'; fi

infra: | $(UV)  ## Check infra/ (Terraform 1.11, or what can be checked without)
	@UV=$(abspath $(UV)) infra/check.sh

archive: $(SETUP)  ## Build build/functions.zip, what Google builds the functions from
	@.venv/bin/python -m devtools.source_archive

plan: archive  ## Show what Terraform would change (PROJECT=… REGION=… ENVIRONMENT=…)
	@infra/deploy.sh plan

apply:  ## Apply the plan that was made
	@infra/deploy.sh apply

deploy: archive  ## Plan, ask, apply, and check the deployment (PROJECT=… REGION=… ENVIRONMENT=…)
	@infra/deploy.sh deploy

sbom: $(SETUP)  ## Write build/sbom.cdx.json: what is deployed, as CycloneDX
	@.venv/bin/python -m devtools.supply_chain sbom --uv $(UV) build/sbom.cdx.json

audit: $(SETUP)  ## Fail where what is deployed is known to be vulnerable (AUDIT_REQUIRED=true: or unchecked)
	@.venv/bin/python -m devtools.supply_chain audit --uv $(UV) $(if $(AUDIT_REQUIRED),--required) $(ARGS)

benchmarks: $(SETUP)  ## Run the benchmarks one after another
	@for what in start tool_call 'tool_call --rally light' storage_operations compare_fastmcp cost; do \
	echo "== $$what"; PYTHONPATH=functions:. .venv/bin/python -m benchmarks.$$what || exit; done

EXPORT = { echo '\# Made from uv.lock by "make requirements"; not to be edited.'; \
	$(UV) export --frozen --quiet --python "$(PYTHON)" \
	--no-dev --no-emit-project --no-header --format requirements-txt; }

$(SETUP): pyproject.toml uv.lock | $(UV)
	@$(UV) sync --frozen --python "$(PYTHON)"
	@touch $@

# The uv on the PATH where it is new enough, else one in a virtual environment of its own.
$(UV):
	@mkdir -p $(@D)
	@if printf '%s\n' $(UV_VERSION) "$$(uv --version 2>/dev/null | cut -d ' ' -f 2)" | sort -C -V; \
	then ln -sf "$$(command -v uv)" $@; else $(PRIVATE_UV); fi

PRIVATE_UV = "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null \
	|| { echo 'Python has no venv module: apt install python3-venv, or put uv on the PATH' >&2; exit 1; }; \
	"$(PYTHON)" -m venv --clear $(@D)/venv \
	&& $(@D)/venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv~=$(UV_VERSION)' \
	&& ln -sf venv/bin/uv $@

$(CLIENTS): tests/clients/package-lock.json
	npm ci --prefix tests/clients --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@
