# Two commands: `make demo` shows the program at work, `make test` checks all of it. Each installs what is
# missing first (scripts/setup.sh says what). The rest are the parts they are made of.
.PHONY: demo test setup build lint unit fuzz bench docs

CARGO ?= cargo
FUZZ_SECONDS ?= 20

demo: build
	@scripts/demo.sh

test: setup lint unit fuzz

setup:
	@scripts/setup.sh

build: setup
	$(CARGO) build --release --package firsthand

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

unit:
	$(CARGO) test --workspace

# Coverage-guided where the toolchain allows, time-bounded always: FUZZ_SECONDS for each target.
fuzz:
	$(CARGO) xtask fuzz --seconds $(FUZZ_SECONDS)

# Every measured figure of the README. Makes a Python environment for the reference side in target/bench.
bench: build
	$(CARGO) run --release --package firsthand-bench -- all

# The pages under docs/cli, written from the program's own definitions.
docs:
	$(CARGO) run --quiet --package firsthand -- docs docs/cli
