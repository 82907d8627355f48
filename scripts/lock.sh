#!/usr/bin/env bash
# Renews both lock files: names, versions and hashes, without download addresses.
# Needs `uv` on the PATH. The development lock is made first, so that both agree on every version.
set -euo pipefail
cd "$(dirname "$0")/.."
common=(--python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet)
uv pip compile pyproject.toml --extra studio --extra oss --group build --group dev "${common[@]}" -o requirements-dev.lock "$@"
uv pip compile pyproject.toml --group build -c requirements-dev.lock "${common[@]}" -o requirements.lock "$@"
