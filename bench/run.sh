#!/bin/sh
# bench/run.sh [front|iris|mounts|reload] [--quick]: compares bentohost with its peers; see bench/README.md, or
# --help for the options.
# Debian's own Python, because the peers are Debian packages; first in PATH, so that bentohost finds it, too.
export PYTHONPATH="$(cd "$(dirname "$0")" && pwd)" PYTHONDONTWRITEBYTECODE=1
export PATH="/usr/bin:$PATH:/usr/sbin"
exec /usr/bin/python3 -m e2e "$@"
