# What the tests need beside Go modules is installed into ignored folders of this
# tree: a Python environment in .venv, Node packages in test/js/node_modules.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

GO          ?= go
PYTHON      ?= python3
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 5s

# Folders with a go.mod of their own, beside the server's. Those below test hold
# what others wrote and are built without the workspace.
ADAPTERS := $(patsubst %/go.mod,%,$(wildcard hold/*/go.mod))
FOREIGN  := $(patsubst %/go.mod,%,$(wildcard test/*/go.mod))

# The packages of the server and of package hold.
ALL := ./... ./hold/...

# Under make a missing client is a failure; under plain go test, a skip.
export LEASEHOLD_TEST_STRICT := 1

# Debian's promtool, unpacked and not installed.
PROMTOOL := $(shell command -v promtool || echo .build/prometheus/usr/bin/promtool)

.build/prometheus/usr/bin/promtool:
	mkdir -p .build/prometheus
	cd .build/prometheus && apt-get download prometheus && dpkg-deb -x prometheus_*.deb .

## alerts: the alert rules against their tests
alerts: $(PROMTOOL)
	$(PROMTOOL) check rules contrib/prometheus/alerts.yml
	$(PROMTOOL) test rules contrib/prometheus/alerts_test.yml

.PHONY: alerts dist build test test-all unit adapters hold-live judges python js console shots tools race lint tidy cross fuzz bench bench-growth bench-sdk clean help

help:
	@sed -n 's/^## //p' Makefile

## build: the server and command-line tool, bin/leasehold, one static file
build:
	CGO_ENABLED=0 $(GO) build -o bin/leasehold ./cmd/leasehold

## test: everything that needs no minutes
test: build python js console
	$(GO) test $(ALL)

## test-all: also the long suites, the race detector, lint, and short fuzzing
test-all: build python js console tools
	LEASEHOLD_TEST=long $(GO) test -timeout 90m $(ALL)
	$(MAKE) adapters race lint cross fuzz alerts

# What is released is made twice: the same tree gives the same bytes.
VERSION ?= 0.0.0
DIST    := .build/dist-tool

## dist: what is released, in the folder dist: binaries, packages, an image, checksums
dist:
	cd tools/dist && GOWORK=off $(GO) build -o ../../$(DIST) . && GOWORK=off $(GO) test .
	rm -rf dist .build/dist-again
	$(DIST) -version $(VERSION) -out dist
	$(DIST) -version $(VERSION) -out .build/dist-again
	diff -r dist .build/dist-again && rm -r .build/dist-again
	systemd-analyze security --offline=true --threshold=20 contrib/systemd/leasehold.service >/dev/null

# The packages of the main module whose tests need no outside client.
PLAIN = $$($(GO) list $(ALL) | grep -vE '/test/(clients|credentials|console)$$')

## unit: the tests of the main module that need no outside client
unit:
	$(GO) test $(PLAIN)

## adapters: the tests of the modules beside package hold
adapters:
	@for m in $(ADAPTERS); do echo "go test $$m"; (cd $$m && $(GO) test ./...) || exit 1; done

## hold-live: package hold against this server, and against Azurite
hold-live: .build/peer/node_modules/azurite/package.json
	$(GO) test -count=1 -v ./test/hold

.build/peer/node_modules/azurite/package.json: bench/run.sh
	npm install --silent --no-audit --no-fund --prefix .build/peer azurite@$$(sed -n 's/^azurite=//p' $<)
	touch $@

## judges: the suites of other projects, each also with the server killed in the middle
judges: tools
	LEASEHOLD_TEST=long $(GO) test -count=1 -timeout 60m ./test/judges

## python, js: install the SDKs that the tests use
python: .venv/installed
js: test/js/node_modules/.package-lock.json

.venv/installed: test/python/requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --requirement $<
	touch $@

test/js/node_modules/.package-lock.json: test/js/package-lock.json
	cd test/js && npm ci --no-audit --no-fund --loglevel=error
	touch $@

## console: install what the browser tests of the console use
console: test/console/node_modules/.package-lock.json
	@if ! command -v chromium >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; \
	fi

test/console/node_modules/.package-lock.json: test/console/package-lock.json
	cd test/console && npm ci --no-audit --no-fund --loglevel=error
	touch $@

# The pictures that docs/console.md shows.
SHOTS := leases-light leases-dark leases-phone lease-light break-dark contention-light

## shots: take the pictures of docs/console.md anew
shots: build console
	cd test/console && node shots.js ../../.build/shots
	cp $(SHOTS:%=.build/shots/%.png) docs/console/

# The command-line clients, Java and Rust come from the system's packages.
tools:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		! (command -v az && command -v rclone && command -v restic && command -v mvn && command -v javac && command -v cargo) >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq azure-cli rclone restic maven default-jdk-headless \
			$$(command -v cargo >/dev/null || echo cargo); \
	fi

## race: the same under the race detector
race:
	$(GO) test -race $(PLAIN)

## lint: formatting, go vet, staticcheck
lint:
	@files=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$files" ]; then echo "not formatted: $$files"; exit 1; fi
	$(GO) vet $(ALL)
	$(GO) run $(STATICCHECK) $(ALL)
	@for m in $(ADAPTERS); do echo "go vet $$m"; (cd $$m && $(GO) vet ./...); done
	@for m in $(FOREIGN); do echo "go vet $$m"; (cd $$m && GOWORK=off $(GO) vet ./...); done

## tidy: go mod tidy, also while the version of hold that is required is not published
tidy:
	@for m in . hold $(ADAPTERS); do echo "go mod tidy: $$m"; ( cd $$m && \
		hold=$$(realpath --relative-to=. $(CURDIR)/hold) && \
		$(GO) mod edit -replace=github.com/leasehold/leasehold/hold=./$$hold && GOWORK=off $(GO) mod tidy && \
		$(GO) mod edit -dropreplace=github.com/leasehold/leasehold/hold ) || exit 1; done

# The systems that releases are built for.
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

## cross: compile and vet for every system that releases are built for
cross:
	@for p in $(PLATFORMS); do \
		echo "go vet $$p"; \
		GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/leasehold || exit 1; \
		GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 $(GO) vet ./cmd/... ./internal/... ./hold/... || exit 1; \
	done

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

## bench-sdk: whole flows of three SDKs, beside the peer (ten minutes)
bench-sdk: python js
	@bench/run.sh sdk -rounds 3

clean:
	rm -rf bin .build .venv test/js/node_modules test/console/node_modules test/java/target
