#!/usr/bin/env bash
# build_page.sh: builds web/ into build/web/dist where that is older than its sources. All presets share the
# result, so only one at a time works here, and the second finds it done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
dist=build/web/dist
mkdir -p build/web
exec 9>build/web/lock
flock 9

# `npm ci` empties node_modules first: only where the list of packages has changed.
if [[ ! -f web/node_modules/.package-lock.json || web/package-lock.json -nt web/node_modules/.package-lock.json ]]; then
  (cd web && npm ci --no-audit --no-fund --loglevel=error)
  touch web/node_modules/.package-lock.json
fi
newer=$([[ -f build/web/built ]] && find web proto/parley/v1 \( -name node_modules -o -path web/src/gen -o -path web/e2e -o -path web/e2e-node -o -path web/test \) -prune \
  -o -type f -newer build/web/built -print -quit || echo all)
[[ -n $newer || ! -f $dist/index.html ]] || exit 0
touch build/web/building # what is changed from here on is newer than the result
(cd web && npm run --silent build) >build/web/build.log 2>&1 || { cat build/web/build.log; exit 1; }
mv build/web/building build/web/built
