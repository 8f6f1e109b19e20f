#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Draws the pictures of Documentation/tcp.rst from a recording of the scenarios.
#
# usage: scripts/doc-pictures.sh [FOLDER]     (default: Documentation/pictures)
#
#   RECORD=1   make the recording anew first, in a virtual machine
set -eu

cd "$(dirname "$0")/.."
folder=${1:-Documentation/pictures}
kept=tools/tests/pictures/scenarios
tool=${TOOL:-build/tools/tcptrail}
. tools/tests/pictures/cookie.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

record() {
	out=$PWD/build/results/pictures
	mkdir -p "$out"
	selftests/vm/vm.sh --icount --timeout 1500 --out "$out" -- \
		selftests/run.sh "$out" scenarios/run.py scenarios/rings.py
	selftests/scenarios/cut.py "$out/scenarios/run.py" "$tmp/cut"
	xz -9ec "$tmp/cut" > $kept.rec.xz
	cp "$tmp/cut.names" $kept.names
	tar -C "$out/scenarios/rings.py" -c --xform 's|$|.rec|' --owner=0 --group=0 \
		row16 row17-fast row17-slow row17-late row18 | xz -9ec > $kept-rings.tar.xz
}

[ "${RECORD:-0}" = 0 ] || record
xz -dc $kept.rec.xz > "$tmp/recording"
mkdir -p "$folder"
sed 's/#.*//' Documentation/pictures/list | while read -r name what; do
	[ -n "$name" ] || continue
	cookie=$(cookie_of $kept.names "$what")
	TZ=UTC "$tool" export -q -i "$tmp/recording" --svg "$tmp/picture" "sk:$cookie"
	cat "$tmp/picture" > "$folder/$name.svg"
done
