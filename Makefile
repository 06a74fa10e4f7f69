# make run: install and serve the demo site.  make test: everything the tests need, then all checks and tests.
SHELL := /bin/bash
# The distribution's Python, if it is fit: built with profiles, it is a fifth faster than one that pyenv builds as it does by itself.
FIT := import os, sys, sysconfig, venv, ensurepip; sys.exit(sys.version_info < (3, 11) or not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))
PYTHON ?= $(shell /usr/bin/python3 -c '$(FIT)' 2>/dev/null && echo /usr/bin/python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
SITE ?= config/sites/travel.yaml
RUNS ?= 1000000
TEST_PACKAGES := baresip-core libopus0 sip-tester chromium chromium-driver postgresql espeak-ng iproute2 sipvicious fail2ban tshark kamailio linphone-cli rtpengine-daemon
WEBPHONES := tests/wire/webphones
APT := $(shell [ "$$(id -u)" = 0 ] || echo sudo) env DEBIAN_FRONTEND=noninteractive apt-get

.PHONY: run install install-test test lint fuzz fuzz-media demo bench soak pure prompts clean packages

run: install
	$(BIN)/plateau serve $(SITE)

install: $(VENV)/.installed

NATIVE := pyproject.toml setup.py $(wildcard media/worker/*.pyx media/worker/*.pxi pbx/sip/*.py pbx/sdp/*.py pbx/call/*.py acd/*.py)
COMPILE = @echo "installing into $(VENV); compiling takes some minutes"; $(BIN)/pip install --quiet --editable

$(VENV)/.installed: $(NATIVE) | $(VENV)/.made
	$(COMPILE) .
	@touch $@

$(VENV)/.installed-softphone: $(NATIVE) | $(VENV)/.made
	$(COMPILE) '.[softphone]'
	@touch $@ $(VENV)/.installed

install-test: $(VENV)/.installed-test

$(VENV)/.installed-test: $(NATIVE) | $(VENV)/.made
	$(COMPILE) '.[dev,softphone]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-softphone

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "plateau needs Python 3.11 or later; this is $$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	@command -v gcc >/dev/null || command -v cc >/dev/null || { echo "a C compiler is missing: apt-get install gcc" >&2; exit 1; }
	@$(PYTHON) -c 'import sysconfig, os, sys; sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' || { echo "Python's headers are missing: apt-get install python3-dev" >&2; exit 1; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@touch $@

packages:
	@missing=$$(dpkg-query -W -f '$${Package} $${db:Status-Status}\n' $(TEST_PACKAGES) 2>/dev/null | awk '$$2=="installed"{print $$1}' | sort | comm -13 - <(printf '%s\n' $(TEST_PACKAGES) | sort)); \
	if [ -n "$$missing" ]; then echo "installing Debian packages:" $$missing; $(APT) update -qq && $(APT) install -y -qq $$missing >/dev/null; fi

# JsSIP and SIP.js, the browser's phones; npm comes with Debian's package of that name or with NodeSource's nodejs.
$(WEBPHONES)/node_modules/.package-lock.json: $(WEBPHONES)/package.json $(WEBPHONES)/package-lock.json
	@command -v npm >/dev/null || { echo "installing Debian packages: nodejs npm"; $(APT) update -qq && $(APT) install -y -qq nodejs npm >/dev/null; }
	cd $(WEBPHONES) && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

test: packages install-test $(WEBPHONES)/node_modules/.package-lock.json lint
	$(BIN)/python -m pytest

lint: install-test
	$(BIN)/ruff check .
	$(BIN)/mypy

fuzz: install-test
	$(BIN)/python -m tests.fuzz message --runs $(RUNS)
	$(BIN)/python -m tests.fuzz readers --runs $(RUNS)
	$(BIN)/python -m tests.fuzz flows --runs $$(( $(RUNS) / 1000 ))

fuzz-media: install-test  # the media loop with sanitizers: RUNS packets and orders
	$(BIN)/python -m tests.fuzz.fuzz_media $$(( $(RUNS) / 20000 ))

demo: $(VENV)/.installed-softphone
	$(BIN)/plateau demo

bench: packages install-test
	$(BIN)/python -m bench

soak: packages install-test
	$(BIN)/python -m bench.soak

pure:  # without compiled modules: while you change them
	rm -f *__mypyc*.so pbx/*/*.so acd/*.so

prompts: install
	$(BIN)/python -m config.make_prompts

clean:
	rm -rf $(VENV) build *.egg-info media/worker/*.so media/worker/loop.c pbx/*/*.so acd/*.so *__mypyc*.so
