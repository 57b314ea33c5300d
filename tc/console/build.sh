#!/bin/sh
# build.sh OUT: build the console into OUT/dist, once for all presets and only
# if a source changed. npm is asked again only if the lock file changed. What
# is built from is a copy in OUT, so that the source tree stays clean.
set -eu
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"
exec 9>"$out/lock"
flock 9 # two presets may build at the same time

sum()
{
	# names and contents, in one order
	find "$@" -type f | LC_ALL=C sort | xargs sha256sum | sha256sum
}

packages=$(sum package.json package-lock.json .npmrc)
sources="$(sum src public index.html vite.config.ts tsconfig.json build.sh)
$packages"

if [ "$(cat "$out/packages.done" 2>/dev/null)" != "$packages" ]; then
	rm -f "$out/packages.done" "$out/sources.done"
	cp package.json package-lock.json .npmrc "$out/"
	command -v npm >/dev/null || {
		echo "console: npm is needed (scripts/packages), or" \
			"cmake -DTREATY_CONSOLE=OFF for a treatyd without" >&2
		exit 1
	}
	(cd "$out" && npm ci --ignore-scripts --no-audit --no-fund \
		--loglevel=error)
	printf '%s\n' "$packages" >"$out/packages.done"
fi
if [ "$(cat "$out/sources.done" 2>/dev/null)" != "$sources" ]; then
	rm -rf "$out/sources.done" "$out/src" "$out/public"
	cp -R src public index.html vite.config.ts tsconfig.json "$out/"
	(cd "$out" && npm run --silent build)
	printf '%s\n' "$sources" >"$out/sources.done"
fi
