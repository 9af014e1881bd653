# Two commands: make run, make test. Each does its own set-up.

GO ?= go

.PHONY: run test check setup figures bench

# A whole Segue on this machine; ARGS are its flags: make run ARGS="--addr :9000"
run: setup
	@$(GO) run ./emulators $(ARGS)

# Every test, with one set of stores for all packages; PKG names some:
# make test PKG=./shared/cache
test: setup
	@$(GO) run ./emulators exec scripts/test $(PKG)

# Format, linters, generated code.
check: setup
	@scripts/check

# Cold build time, suite time and linked packages, as CONTRIBUTING.md states.
figures: setup
	@scripts/figures

# Figures beside the design's budgets, on stores of their own: make bench ARGS="--long"
bench: setup
	@$(GO) run ./emulators exec $(GO) run ./scripts/bench $(ARGS)

setup:
	@scripts/setup
