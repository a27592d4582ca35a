#!/usr/bin/env bash
# usage: bench/run.sh [table|growth|sdk] [flags]
# Installs the peer into an ignored folder when npm is there, then measures. See docs/performance.md.
set -eu
cd "$(dirname "$0")/.."
peer=.build/peer
azurite=3.37.0
if [ ! -e "$peer/node_modules/azurite/package.json" ] && command -v npm >/dev/null; then
	mkdir -p "$peer"
	npm install --silent --no-audit --no-fund --prefix "$peer" "azurite@$azurite" || echo "bench: no peer: npm could not install it" >&2
fi
# What is measured is what "make build" builds. With cgo the key-value store would take its memory from C.
CGO_ENABLED=0 exec go run ./bench "$@"
