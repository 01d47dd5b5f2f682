#!/bin/sh
# Installs what types and draws the dashboards (npm packages, development only) into a cache directory.
#
#   tests/dashboards/typescript/install.sh CACHE_DIR      -> CACHE_DIR/grafana/node_modules
#
# A cache that was made from the same package.json is left alone.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=$(mkdir -p "${1:?usage: install.sh CACHE_DIR}/grafana" && cd "$1/grafana" && pwd)
if ! cmp -s "$here/package.json" "$target/installed.json"; then
    cp "$here/package.json" "$target/package.json"
    (cd "$target" && npm install --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error)
    cp "$here/package.json" "$target/installed.json"
fi
echo "$target/node_modules"
