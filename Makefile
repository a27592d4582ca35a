# Everything installs what it needs into ignored folders of this tree: Go
# modules, a Python environment in .venv, Node packages in test/js/node_modules.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

GO          ?= go
PYTHON      ?= python3
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 5s

# Folders with a go.mod of their own, whose dependencies never reach users of
# the main module.
MODULES := $(patsubst %/go.mod,%,$(wildcard test/*/go.mod))

.PHONY: build test test-all unit clients race lint fuzz bench bench-growth clean

## build: the server and command-line tool, bin/leasehold
build:
	@if [ -d cmd/leasehold ]; then $(GO) build -o bin/leasehold ./cmd/leasehold; fi

## test: everything that needs no minutes
test: build unit

unit:
	$(GO) test ./...

## test-all: test, the race detector, lint, and a short run of every fuzz target
test-all: test race lint fuzz

## race: the tests of the main module under the race detector
race:
	$(GO) test -race ./...

## lint: formatting, go vet, staticcheck
lint:
	@files=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$files" ]; then echo "not formatted: $$files"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@for m in $(MODULES); do echo "lint $$m"; (cd $$m && $(GO) vet ./...); done

## fuzz: every fuzz target for FUZZTIME (5s)
fuzz:
	@git ls-files '*_test.go' | xargs awk '/^func Fuzz/ { sub(/^func /, ""); sub(/\(.*/, ""); d = FILENAME; sub(/\/[^\/]*$$/, "", d); print d, $$0 }' | \
	while read -r dir target; do \
		echo "fuzz $$dir $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) ./$$dir; \
	done

## bench: speed, side by side with a peer and a ceiling
bench:
	@bench/run.sh table

## bench-growth: the same at growing numbers of blobs, with kills (half an hour)
bench-growth:
	@bench/run.sh growth

clean:
	rm -rf bin .build .venv test/js/node_modules test/java/target
