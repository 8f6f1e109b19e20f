#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the tests and adds them up; "make check" calls it.
#
# usage: selftests/check.sh [native] [vm]
#   native   what needs no kernel of its own: selftests/native.sh
#   vm       two virtual machines side by side, see selftests/Makefile
#
# The last line of the output is "N passed, N failed, N skipped". Everything
# that was said is kept in build/results.
set -u

cd "$(dirname "$0")/.." || exit 1
. selftests/env.sh
. selftests/tap.sh
# Called by make or not, with -j or not, the makes below are all the same.
unset MAKEFLAGS MFLAGS MAKELEVEL
all=$top/build/results
kernel=own
started=$SECONDS

# Who says it, and when: the lines of several machines arrive mixed.
label() {
	while IFS= read -r line; do
		printf '[%-6s %3d s] %s\n' "$1" $((SECONDS - started)) "$line"
	done
}

native() {
	results=$all/native
	start_results
	selftests/native.sh "$results" 2>&1 | label native
}

# Whatever goes wrong with the machine itself is a result as well.
boot() {
	local name=$1 tests
	shift
	results=$all/$name
	start_results
	tests=$(make -s --no-print-directory -C selftests "list-$name")
	if [ -z "$tests" ]; then
		add_result "not ok $name: selftests/Makefile lists no test"
		return
	fi
	# shellcheck disable=SC2086 # a list of words
	selftests/vm/vm.sh "$@" --kernel "$kernel" --timeout 1500 --out "$results" -- \
		selftests/run.sh "$results" $tests 2>&1 | tee "$results/log" | label "$name"
	if ! grep -q '^# complete' "$results/results.tap"; then
		add_result "not ok $name: the machine ended before the tests did"
	elif grep -q '^vm: ' "$results/log"; then
		add_result "not ok $name: $(grep -m 1 '^vm: ' "$results/log")"
	fi
}

build() {
	make -s --no-print-directory tool &&
	make -s --no-print-directory module KDIR="$cache/kernels/$kernel/build" &&
	make -s --no-print-directory -C selftests
}

machines() {
	results=$all/build
	start_results
	run_test build build | label build
	if grep -q '^not ok' "$results/results.tap"; then
		add_result "ok virtual machines: # SKIP the build failed"
		return
	fi
	run_test install selftests/install.sh "$cache/kernels/$kernel/build" | label build
	echo "Two virtual machines start, each with $(cat "$cache/kernels/$kernel/release") (about a minute)."
	boot icount --icount &
	boot smp --smp 2 &
	wait
}

rm -rf "$all"
for part in "$@"; do
	case $part in
	native) native ;;
	vm)     machines ;;
	*)      sed -n '6s/^# //p' "$0" >&2; exit 2 ;;
	esac
done

cat "$all"/*/results.tap > "$all/results.tap"
failed=$(count '^not ok' "$all/results.tap")
skipped=$(count '^ok.*# *SKIP' "$all/results.tap")
passed=$(($(count '^ok' "$all/results.tap") - skipped))
grep -E '^ok.*# *SKIP' "$all/results.tap" | sed 's/^ok /skipped: /; s/# *SKIP/-/'
grep '^not ok' "$all/results.tap" | sed 's/^not ok /FAILED: /'
echo "Everything that was said is in build/results ($((SECONDS - started)) s)."
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
