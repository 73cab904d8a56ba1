# Two commands on a fresh Debian machine with Python 3.11: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What the tests and the benchmark run against; installed only where something of it is missing.
DEBIAN_PACKAGES := bind9 bind9-utils knot knot-dnssecutils rsync telnet netcat-openbsd \
  postgresql mariadb-server strace systemd citadel-client libnet-citadel-perl \
  nsd pdns-server pdns-backend-sqlite3 pdns-backend-pgsql pdns-backend-mysql dnsmasq-base
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= protocol_server protocol_client msgpack zstd blocks lists zone patch answer transfer texts
# More have the simulation wait for the others, beyond its time.
WORKERS ?= 2
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help compiled demo test check lint types layers unit readme fuzz simulate bench packages clean

help:  ## say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(BIN)/syncd: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/dev-installed: pyproject.toml $(BIN)/syncd
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# An editable installation is not compiled, and where PYTHONDONTWRITEBYTECODE is set every start of a
# command would compile all of it again: that is half of what a short command takes.
compiled: $(BIN)/syncd
	@$(BIN)/python -m compileall -q syncd syncclient tests bench

demo: compiled  ## show the main job end to end in a temporary folder
	$(BIN)/syncd demo

packages:  ## install the name servers that tests and benchmark use
	@missing=; for package in $(DEBIAN_PACKAGES); do \
	  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) sh -c "printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d" && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	  status=$$?; $(SUDO) rm -f /usr/sbin/policy-rc.d; exit $$status; \
	fi

lint: $(VENV)/dev-installed  ## style
	$(BIN)/ruff check syncd syncclient tests bench
	$(BIN)/ruff format --check syncd syncclient tests bench

types: $(VENV)/dev-installed  ## types
	$(BIN)/mypy

layers: $(VENV)/dev-installed  ## imports only point down
	$(BIN)/lint-imports

unit: $(VENV)/dev-installed compiled packages  ## all tests, transcripts and README commands among them
	PATH="$(CURDIR)/$(BIN):/usr/sbin:$$PATH" $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: lint types layers  ## everything but the tests

test: check unit  ## everything

fuzz: $(VENV)/dev-installed compiled  ## look for inputs that break something: FUZZ_SECONDS a target, FUZZ_TARGETS
	@status=0; for target in $(FUZZ_TARGETS); do \
	  echo "fuzzing $$target for $(FUZZ_SECONDS) s"; \
	  $(BIN)/python -m tests.fuzz.run $$target $(FUZZ_SECONDS) || status=1; \
	done; exit $$status

bench: $(VENV)/dev-installed compiled packages  ## measure beside Knot, BIND and rsync
	PATH="/usr/sbin:$$PATH" $(BIN)/python -m bench.run $(BENCH)

simulate: $(VENV)/dev-installed compiled  ## run seeds until interrupted (SECONDS=n), or one again (SEED=n)
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS))

clean:  ## remove what the above made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .fuzz bench/data
