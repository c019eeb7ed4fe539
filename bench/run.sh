#!/bin/sh
# bench/run.sh [front|iris|reload] [--quick]: compares bentohost with its peers; see bench/README.md, or
# --help for the options.
# Debian's own Python, because the peers are Debian packages.
export PYTHONPATH="$(cd "$(dirname "$0")" && pwd)" PYTHONDONTWRITEBYTECODE=1
export PATH="$PATH:/usr/sbin"
exec /usr/bin/python3 -m e2e "$@"
