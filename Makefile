# All that a fresh machine needs is make and Python 3.11 or later with venv:
#
#   make run            serve the demo of etc/demo/ on 8080 and 8443
#   make unit           run the tests without sockets and processes, in half a minute
#   make test           lint, check types, run every test
#   make lint           ruff and mypy alone
#   make coverage       run the unit tests, and hold the coverage of the core to a floor
#   make test-compiled  run every test on compiled modules; TESTS=tests.http1 runs some
#   make check-wheel    install as a user would and as the Containerfile does, and try that
#   make container      carry out the Containerfile in a chroot of Debian, as root, in ten minutes
#   make ci             what continuous integration runs
#   make guard          count what exchanges cost; SCENARIOS=small-get BASE=COMMIT choose, CACHES=1
#                       counts misses of caches
#   make explained      ask a process 20,000 requests, and compare with their explanations
#   make dashboards     have a real Prometheus answer what the dashboards ask
#   make prometheus     unpack Debian's Prometheus into build/, if there is none
#   make migration      the move of docs/migration.md, command by command, with kubectl and an API server
#   make other-proxies  use HAProxy, nginx and OpenSSL on both sides, as Debian has them
#   make proxy-programs unpack these into build/, if they are not there
#   make page           use the page in Chromium; SHOTS=FOLDER keeps screenshots
#   make overload       give a Service more than it can answer, with load shedding and without it
#   make autobahn       run the Autobahn test suite for WebSockets with WSTEST=PATH, CASES='12.1.1 13.1.1' of it
#   make screenshot     take the picture of the page in README.md, in twelve minutes
#   make fuzz           fuzz HTTP/2 for SECONDS=900 with each of five fuzzers, TESTS=downgrade with one
#   make grpc-js        install @grpc/grpc-js with npm into build/, and run its cases through the proxy
#   make real-servers   ask servers of Debian through TCP and UDP services; .ci/install_servers gets them
#   make real-cluster   install the chart in a real control plane, whose programs setup-envtest gets
#   make docs           write the tables and the man page that come from the code
#   make site           build the documentation as a site in build/site, and follow each link of it
#   make venv           set up .venv with the developers' tools and nothing else
#   make clean          remove all that the others made
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

.PHONY: help docs run unit test lint coverage venv ci check-wheel container test-compiled guard explained overload autobahn migration dashboards prometheus page other-proxies proxy-programs screenshot real-servers real-cluster fuzz grpc-js site clean

help:
	@sed -n 's/^#   make/make/p' Makefile

run: .venv/installed
	@$(IN_CHECKOUT) etc/demo/run.py

unit: .venv/developer
	@$(IN_CHECKOUT) -m tests --unit

test: .venv/developer
	@$(IN_CHECKOUT) -m tests

ci: .venv/developer
	@$(IN_CHECKOUT) -m tests --ci

lint: .venv/developer
	@$(IN_CHECKOUT) -m tests --lint

coverage: .venv/developer
	@$(IN_CHECKOUT) .ci/coverage_floor.py

docs: .venv/developer
	@$(IN_CHECKOUT) .ci/tables.py

venv: .venv/developer

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
	echo "Installing what the proxy needs into .venv"; \
	$(VENV_PYTHON) .ci/requirements.py > .venv/requirements.txt; \
	$(VENV_PYTHON) -m pip install --disable-pip-version-check \
	    --requirement .venv/requirements.txt; \
	touch .venv/installed

# Not needed to run the proxy: ruff, mypy and what the tests need.
.venv/developer: .venv/installed
	@set -eu; \
	echo "Installing the developers' tools into .venv"; \
	$(VENV_PYTHON) .ci/requirements.py dev compression > .venv/requirements-developer.txt; \
	$(VENV_PYTHON) -m pip install --disable-pip-version-check \
	    --requirement .venv/requirements-developer.txt; \
	touch .venv/developer

site: .venv/documentation
	@$(IN_CHECKOUT) .ci/site.py build/site
	@TXINGRESS_TEST_SITE=build/site $(IN_CHECKOUT) -m twisted.trial tests.test_site

# Not needed by the tests: Sphinx.
.venv/documentation: .venv/developer
	@set -eu; \
	echo "Installing what the site is made with into .venv"; \
	$(VENV_PYTHON) .ci/requirements.py docs > .venv/requirements-documentation.txt; \
	$(VENV_PYTHON) -m pip install --disable-pip-version-check \
	    --requirement .venv/requirements-documentation.txt; \
	touch .venv/documentation

dashboards: .venv/developer prometheus
	@TXINGRESS_TEST_DASHBOARDS=1 $(IN_CHECKOUT) -m twisted.trial tests.e2e.test_dashboards tests.chart.test_alerts

# Nothing is installed, so that no service of the system begins to run.
prometheus:
	@set -eu; \
	if ! command -v prometheus >/dev/null && ! test -x build/prometheus/usr/bin/prometheus; then \
	    mkdir -p build/prometheus; cd build/prometheus; \
	    apt-get download prometheus; \
	    dpkg --extract prometheus_*.deb .; \
	fi

# Debian's, unpacked and not installed, so that no service of the system begins to run.
OTHER_PROXIES = haproxy liblua5.3-0 nginx libnginx-mod-stream

other-proxies: .venv/developer proxy-programs
	@TXINGRESS_TEST_OTHER_PROXIES=1 $(IN_CHECKOUT) -m tests --no-lint tests.e2e.test_other_proxies tests.e2e.test_other_proxies_page

proxy-programs:
	@set -eu; \
	if ! test -x build/other-proxies/usr/sbin/nginx; then \
	    mkdir -p build/other-proxies; cd build/other-proxies; \
	    apt-get download $(OTHER_PROXIES); \
	    for package in *.deb; do dpkg --extract "$$package" .; done; \
	fi

page: .venv/developer
	@TXINGRESS_TEST_PAGE=1 TXINGRESS_SCREENSHOTS="$(SHOTS)" $(IN_CHECKOUT) -m tests --no-lint tests.e2e.test_page

screenshot: .venv/developer
	@$(IN_CHECKOUT) .ci/screenshot.py

check-wheel: .venv/developer
	@$(IN_CHECKOUT) .ci/check_wheel.py
	@TXINGRESS_TEST_CONTAINER=1 $(IN_CHECKOUT) -m twisted.trial tests.test_container

container: .venv/developer build/chroot/usr/bin/python3
	@TXINGRESS_TEST_CHROOT=build/chroot $(IN_CHECKOUT) -m twisted.trial tests.test_container.ChrootTests

build/chroot/usr/bin/python3:
	@command -v debootstrap >/dev/null || apt-get install --yes debootstrap
	@debootstrap --variant=minbase --include=python3-dev,python3-venv,ca-certificates bookworm build/chroot

# TESTS=tests.http1 has it run some of them.
test-compiled: .venv/developer
	@$(VENV_PYTHON) .ci/test_compiled.py $(TESTS)

# SCENARIOS=small-get has it count some of them, BASE=COMMIT compare with another commit.
guard: .venv/developer
	@$(IN_CHECKOUT) -m benchmarks.guard $(SCENARIOS) $(if $(BASE),--base $(BASE)) $(if $(CACHES),--caches)

explained: .venv/developer
	@TXINGRESS_EXPLAINED=20000 $(IN_CHECKOUT) -m twisted.trial tests.e2e.test_explained

migration: .venv/developer
	@TXINGRESS_TEST_MIGRATION=1 $(IN_CHECKOUT) -m twisted.trial tests.test_documentation.MigrationPageTests

real-servers: .venv/developer
	@TXINGRESS_REAL_SERVERS=1 $(IN_CHECKOUT) -m twisted.trial tests.e2e.test_real_servers

# KUBEBUILDER_ASSETS names the folder of etcd, kube-apiserver and kube-controller-manager;
# TESTS=tests.real_cluster.test_outage runs some.
real-cluster: .venv/developer
	@TXINGRESS_TEST_CLUSTER=1 $(IN_CHECKOUT) -m twisted.trial $(or $(TESTS),tests.real_cluster)

overload: .venv/developer
	@TXINGRESS_TEST_OVERLOAD=1 $(IN_CHECKOUT) -m twisted.trial tests.e2e.test_load_shedding
	@$(IN_CHECKOUT) -m benchmarks.shedding

WSTEST = wstest
CASES =

autobahn: .venv/developer
	@$(IN_CHECKOUT) -m benchmarks.autobahn --wstest $(WSTEST) $(patsubst %,--cases '%',$(CASES))

FUZZERS = http2_frames hpack_blocks http2_connections downgrade endpoint_frames
SECONDS = 900

fuzz: .venv/developer
	@for fuzzer in $(or $(TESTS),$(FUZZERS)); do \
	    $(IN_CHECKOUT) -m tests.fuzz.$$fuzzer --seconds $(SECONDS) || exit 1; \
	done

grpc-js: .venv/developer
	@mkdir -p build/grpc-js
	@cp tests/support/grpc_js/package.json tests/support/grpc_js/package-lock.json build/grpc-js
	@cd build/grpc-js && npm ci --ignore-scripts --no-audit --no-fund
	@$(IN_CHECKOUT) -m twisted.trial tests.e2e.test_grpc_js

clean:
	rm -rf .venv build dist *.egg-info _trial_temp* .mypy_cache .ruff_cache .hypothesis
	rm -f twisted/plugins/dropin.cache
	find ingress tests etc benchmarks twisted .ci -name __pycache__ -type d -prune -exec rm -rf {} +
