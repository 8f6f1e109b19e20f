# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Runs tests in virtual machines and adds them up. To be sourced after env.sh
# and tap.sh; the variable "all" names the folder of all results.

unset MAKEFLAGS MFLAGS MAKELEVEL
started=$SECONDS

# Who says it, and when: the lines of several machines arrive mixed.
label() {
	while IFS= read -r line; do
		printf '[%-6s %3d s] %s\n' "$1" $((SECONDS - started)) "$line"
	done
}

# The tests of a list in selftests/Makefile.
list_tests() {
	make -s --no-print-directory -C selftests "list-$1"
}

# build_for KERNEL: everything that runs in its machine.
build_for() {
	make -s --no-print-directory tool &&
	make -s --no-print-directory module KDIR="$cache/kernels/$1/build" &&
	make -s --no-print-directory -C selftests
}

# boot NAME [OPTION OF vm.sh...] -- [VARIABLE=VALUE...] TEST...
#
# Whatever goes wrong with the machine itself is a result as well.
boot() {
	local name=$1 options=() variables=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	while [[ "${1:-}" == *=* ]]; do
		variables+=("$1")
		shift
	done
	results=$all/$name
	start_results
	if [ $# = 0 ]; then
		add_result "not ok $name: selftests/Makefile lists no test"
		return
	fi
	selftests/vm/vm.sh "${options[@]}" --out "$results" -- \
		env "${variables[@]}" selftests/run.sh "$results" "$@" 2>&1 |
		tee "$results/log" | label "$name"
	if ! grep -q '^# complete' "$results/results.tap"; then
		add_result "not ok $name: the machine ended before the tests did"
	elif grep -q '^vm: ' "$results/log"; then
		add_result "not ok $name: $(grep -m 1 '^vm: ' "$results/log")"
	fi
}

# The last lines of the output, and the exit status.
sum_up() {
	local passed failed skipped
	cat "$all"/*/results.tap > "$all/results.tap"
	failed=$(count '^not ok' "$all/results.tap")
	skipped=$(count '^ok.*# *SKIP' "$all/results.tap")
	passed=$(($(count '^ok' "$all/results.tap") - skipped))
	grep -E '^ok.*# *SKIP' "$all/results.tap" | sed 's/^ok /skipped: /; s/# *SKIP/-/'
	grep '^not ok' "$all/results.tap" | sed 's/^not ok /FAILED: /'
	echo "Everything that was said is in ${all#"$top"/} ($((SECONDS - started)) s)."
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
