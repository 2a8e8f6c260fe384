# Two commands: `make demo` shows the program at work, `make test` checks all of it. Each installs what is
# missing first (scripts/setup.sh says what). The rest are the parts they are made of.
.PHONY: demo test setup build lint unit fuzz bench docs tiny

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

# The checkpoint inside the program, from nothing: eyes, lessons, words. About two hours on two cores; what was
# interrupted goes on where it stopped.
tiny: build
	mkdir -p target/tiny crates/firsthand/tiny
	cd target/tiny && ../release/firsthand train sft ../../recipes/tiny/1-see.toml
	cd target/tiny && ../release/firsthand world lessons --seeds 1000..2500 --clips 16 --out worlds/train
	cd target/tiny && ../release/firsthand train sft ../../recipes/tiny/2-speak.toml
	cd target/tiny/runs/tiny-speak/final && cp chat_template.jinja config.json generation_config.json model.safetensors \
		preprocessor_config.json tokenizer.json tokenizer_config.json video_preprocessor_config.json \
		../../../../../crates/firsthand/tiny/
