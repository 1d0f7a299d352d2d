# All that a fresh machine needs is make and Python 3.11 or later with venv:
#
#   make run           serve the demo of etc/demo/ on 8080 and 8443
#   make test          lint, check types, run every test
#   make lint          ruff and mypy alone
#   make venv          set up .venv and nothing else
#   make check-wheel   install as a user would, in a venv of its own, and try what is there
#   make test-compiled run every test on compiled modules, in a copy below build/
#   make guard         count what exchanges cost, beside the base of benchmarks/guard.toml
#   make clean         remove all that the others made
#
# PYTHON=... chooses the interpreter for a new .venv; else it is the first below
# that is new enough. Modules are run with `python -m` and the checkout on
# PYTHONPATH, never through scripts of .venv/bin: so the checkout may be moved,
# its path may have spaces, and twistd finds the plugin in twisted/plugins.

PYTHON =
PYTHONS = python3 python3.14 python3.13 python3.12 python3.11 python

VENV_PYTHON = .venv/bin/python
IN_CHECKOUT = PYTHONPATH=. $(VENV_PYTHON)
NEW_ENOUGH = -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'

# Set up again where the interpreter that .venv was made with is gone.
ifneq ($(wildcard .venv/installed),)
ifneq ($(shell $(VENV_PYTHON) $(NEW_ENOUGH) 2>&1 && echo works),works)
$(shell rm -f .venv/installed)
endif
endif

.PHONY: run test lint venv check-wheel test-compiled guard clean

run: .venv/installed
	@$(IN_CHECKOUT) etc/demo/run.py

test: .venv/installed
	@$(IN_CHECKOUT) -m tests

lint: .venv/installed
	@$(IN_CHECKOUT) -m tests --lint

venv: .venv/installed

.venv/installed: setup.cfg pyproject.toml .ci/requirements.py
	@set -eu; \
	if ! $(VENV_PYTHON) $(NEW_ENOUGH) 2>/dev/null; then \
	    for python in $(if $(PYTHON),"$(PYTHON)",$(PYTHONS)); do \
	        if "$$python" $(NEW_ENOUGH) 2>/dev/null; then break; fi; \
	        python=; \
	    done; \
	    if [ -z "$$python" ]; then \
	        echo "Python 3.11 or later with venv is needed (on Debian: apt install python3-venv)." \
	             "Name one with PYTHON=..." >&2; \
	        exit 1; \
	    fi; \
	    echo "Making .venv with $$python"; \
	    rm -rf .venv; \
	    "$$python" -m venv .venv; \
	fi; \
	echo "Installing what setup.cfg asks for into .venv"; \
	$(VENV_PYTHON) .ci/requirements.py dev > .venv/requirements.txt; \
	$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check \
	    --requirement .venv/requirements.txt; \
	touch .venv/installed

check-wheel: .venv/installed
	@$(IN_CHECKOUT) .ci/check_wheel.py

# TESTS=tests.http1 has it run some of them.
test-compiled: .venv/installed
	@$(VENV_PYTHON) .ci/test_compiled.py $(TESTS)

# SCENARIOS=small-get has it count some of them, BASE=COMMIT compare with another commit.
guard: .venv/installed
	@$(IN_CHECKOUT) -m benchmarks.guard $(SCENARIOS) $(if $(BASE),--base $(BASE))

clean:
	rm -rf .venv build dist *.egg-info _trial_temp* .mypy_cache .ruff_cache .hypothesis
	rm -f twisted/plugins/dropin.cache
	find ingress tests etc benchmarks twisted .ci -name __pycache__ -type d -prune -exec rm -rf {} +
