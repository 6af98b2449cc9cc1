#!/bin/sh
# Install Understudy twice: with its data path compiled by mypyc (.venv-fast), and as plain Python
# (.venv-plain). Both on Debian's own interpreter where there is one (it is built with profile-guided
# optimisation, which a plain ./configure is not), else on python3; the page says which.
# The sources are copied first: a compiled module beside its source would shadow it.
set -eu
cd "$(dirname "$0")/.."
stamp=.venv-fast/.sources
sum=$(find src pyproject.toml -name '*.py' -o -name '*.html' -o -name pyproject.toml | sort | xargs cat | sha256sum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; then exit 0; fi
command -v cc >/dev/null || command -v gcc >/dev/null || {
  if [ "$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq gcc libc6-dev python3-dev
  else echo "bench: a C compiler is needed to compile the data path (apt-get install gcc python3-dev)" >&2; exit 1; fi
}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cp -r src pyproject.toml README.md LICENSE "$build"
find "$build" -name '*.so' -delete
python=python3
if /usr/bin/python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  python=/usr/bin/python3
fi
for venv in .venv-fast .venv-plain; do
  [ -x $venv/bin/python ] || $python -m venv $venv
done
.venv-plain/bin/python -m pip install -q --disable-pip-version-check --force-reinstall "$build"
echo "bench: compiling the data path (about two minutes)"
HATCH_BUILD_HOOKS_ENABLE=1 .venv-fast/bin/python -m pip install -q --disable-pip-version-check --force-reinstall "$build"
.venv-fast/bin/python -c "import understudy.app"
printf "%s" "$sum" > "$stamp"
