#!/bin/sh
# Builds a real OpenTelemetry Collector with the components of manifest.yaml, and compose-go, which reads compose files.
#
#   .ci/collector/build.sh CACHE_DIR      -> CACHE_DIR/collector/otelcol and CACHE_DIR/collector/compose (paths on stdout)
#
# Needs Go 1.25 or later with a module proxy; about three minutes of processor time once. What is there already and was made from
# the same files is left alone. The builder writes the sources only: its own `go mod tidy` wants modules that only the
# tests of the components import, so that versions and checksums come from go.mod and go.sum beside this script.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=$(mkdir -p "${1:?usage: build.sh CACHE_DIR}" && cd "$1" && pwd)
out=$cache/collector
builder=go.opentelemetry.io/collector/cmd/builder@v0.155.0
compose=github.com/compose-spec/compose-go/v2/cmd@v2.16.2

echo "*" > "$cache/.gitignore"
made_from=$( (cat "$here/manifest.yaml" "$here/go.mod" "$here/go.sum"; echo "$builder $compose") | cksum)

if [ ! -x "$out/otelcol" ] || [ ! -x "$out/compose" ] || [ "$(cat "$out/made-from" 2>/dev/null)" != "$made_from" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    GOBIN=$work/bin go install "$builder" >&2
    sed "s#^dist:#dist:\n  output_path: $work/src\n  module: streamgauge/collector#" "$here/manifest.yaml" > "$work/manifest.yaml"
    "$work/bin/builder" --skip-strict-versioning --skip-get-modules --skip-compilation --config "$work/manifest.yaml" >&2
    cp "$here/go.mod" "$here/go.sum" "$work/src"
    mkdir -p "$out"
    (cd "$work/src" && nice -n 10 go build -mod=readonly -trimpath -ldflags "-s -w" -o "$out/otelcol" .) >&2
    GOBIN=$work/bin go install "$compose" >&2
    mv "$work/bin/cmd" "$out/compose"
    echo "$made_from" > "$out/made-from"
fi
echo "$out/otelcol"
echo "$out/compose"
