#!/bin/sh
# Unpacks Prometheus (with promtool) and Alertmanager (with amtool) of both majors from Debian's own packages.
#
#   .ci/prometheus.sh CACHE_DIR      -> CACHE_DIR/prometheus-2/usr/bin, CACHE_DIR/prometheus-3/usr/bin (paths on stdout)
#
# Nothing is installed and no root is needed: apt works in directories of its own inside the cache, on the mirror that the
# machine's sources already name; only the suite differs. A major that is there already is left alone.
set -eu

cache=$(mkdir -p "${1:?usage: prometheus.sh CACHE_DIR}" && cd "$1" && pwd)

echo "*" > "$cache/.gitignore"

mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -n -E 's/^(URIs:|deb +(\[[^]]*\] +)?) *([a-z]+:[^ ]*[^ s]*\/debian\/?)( .*)?$/\3/p' | head -n 1
}

unpack() {  # major, suite, packages...
    major=$1 suite=$2
    shift 2
    root=$cache/prometheus-$major
    if [ ! -x "$root/usr/bin/promtool" ] || [ ! -x "$root/usr/bin/amtool" ]; then
        state=$cache/apt-$major
        rm -rf "$root" "$state"
        mkdir -p "$root" "$state/lists/partial" "$state/archives/partial" "$state/debs"
        echo "deb $uri $suite main" > "$state/sources.list"
        apt() {
            apt-get -q -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=- \
                -o Dir::State::lists="$state/lists" -o Dir::Cache="$state" -o Acquire::Languages=none \
                -o APT::Sandbox::User="$(id -un)" "$@" >&2
        }
        apt update
        (cd "$state/debs" && apt download "$@")
        for deb in "$state"/debs/*.deb; do dpkg -x "$deb" "$root"; done
        rm -rf "$state"
    fi
    echo "$root/usr/bin"
}

uri=$(mirror)
if [ -z "$uri" ]; then
    echo "prometheus.sh: no Debian mirror found in /etc/apt" >&2
    exit 1
fi
templates=/usr/share/prometheus/alertmanager  # Debian's Alertmanager does not start without its default template there
unpack 2 bookworm prometheus prometheus-alertmanager
unpack 3 forky prometheus promtool prometheus-alertmanager
if [ ! -e "$templates" ] && mkdir -p "${templates%/*}" 2>/dev/null; then
    cp -r "$cache/prometheus-3$templates" "$templates"
fi
