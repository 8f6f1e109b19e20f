#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Fuzzes what the tool parses, guided by coverage (libFuzzer, so clang).
#
# usage: fuzz.sh BUILD [TARGET]...     (recording words machine)
#
#   FUZZ_SECONDS   for each target, default 60
#   FUZZ_RUNS      inputs for each target, default as many as the time allows
#   FUZZ_SEED      of the random numbers, default 1
#   FUZZ_MERGE=1   afterwards add to tools/tests/fuzz/corpus what covers more
#
# New inputs are kept in BUILD/fuzz/corpus; one that breaks something is
# written to BUILD/fuzz/TARGET.broken-*, and named.
set -u

here=$(cd "$(dirname "$0")" && pwd)
tools=$here/../..
build=$1
shift
[ $# -gt 0 ] || set -- recording words machine

command -v clang > /dev/null || { echo "fuzz: there is no clang here" >&2; exit 1; }
mkdir -p "$build/fuzz"
build=$(cd "$build" && pwd)
{ make -s -C "$tools" O="$build" FUZZ=1 CC=clang fuzz-targets &&
  make -s -C "$tools" O="$build" mkrec fix; } > "$build/fuzz/build.log" 2>&1 ||
	{ cat "$build/fuzz/build.log"; exit 1; }
"$here/seeds.py" "$build" "$build/fuzz/seeds" || exit 1

status=0
for target; do
	work=$build/fuzz/corpus/$target kept=$here/corpus/$target
	mkdir -p "$work" "$kept"
	log=$build/fuzz/$target.log
	"$build/fuzz/fuzz-$target" -seed="${FUZZ_SEED:-1}" -runs="${FUZZ_RUNS:--1}" \
		-max_total_time="${FUZZ_SECONDS:-60}" -max_len=8192 -timeout=60 \
		-rss_limit_mb=1024 -detect_leaks=0 -print_final_stats=1 \
		-artifact_prefix="$build/fuzz/$target.broken-" \
		"$work" "$kept" "$build/fuzz/seeds/$target" > "$log" 2>&1
	result=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	covered=$(grep -ao ' cov: [0-9]* ft: [0-9]*' "$log" | tail -n 1)
	echo "$target: seed ${FUZZ_SEED:-1}, ${runs:-?} inputs,$covered"
	if [ $result != 0 ]; then
		status=1
		grep -aE '^fuzz: |ERROR: |runtime error: |Test unit written' "$log"
	fi
	if [ "${FUZZ_MERGE:-0}" = 1 ]; then
		"$build/fuzz/fuzz-$target" -merge=1 -detect_leaks=0 -max_len=1024 \
			"$kept" "$work" "$build/fuzz/seeds/$target" > "$log.merge" 2>&1 || status=1
	fi
done
exit $status
