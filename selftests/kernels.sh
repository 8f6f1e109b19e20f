#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the module for other kernels and tests it on each; "make check-kernels"
# calls it.
#
# usage: selftests/kernels.sh [--core] [NAME...]
#
#   --core   only the core scenarios (core.c), not the other tests
#   NAME     a kernel, see scripts/kernels.sh list (default: all)
#
# A kernel is fetched if it is not there yet, unpacked and never installed. It
# runs every test that selftests/Makefile lists, in two virtual machines; a cloud
# flavour, which cannot mount this machine's files, runs the core scenarios.
#
# At the end a table: whether the module was built and loaded, how many of its
# hooks are active, and what the tests said. The last line of the output is
# "N passed, N failed, N skipped". All of it is kept in build/results-kernels.
set -u

cd "$(dirname "$0")/.." || exit 1
. selftests/env.sh
. selftests/tap.sh
unset MAKEFLAGS MFLAGS MAKELEVEL
all=$top/build/results-kernels
core=$top/build/kernels/core
started=$SECONDS

core_only=0
if [ "${1:-}" = --core ]; then
	core_only=1
	shift
fi
names=$*
[ -n "$names" ] || names=$(scripts/kernels.sh list | cut -d ' ' -f 1)

listed() {
	make -s --no-print-directory -C selftests "list-$1"
}

# Statically, for machines without this one's libraries.
build_core() {
	mkdir -p "${core%/*}"
	"${1}gcc" -O2 -Wall -Werror -static -I"$KSELFTEST" -Imodule/uapi \
		-o "$core$2" selftests/core.c
}

build_tests() {
	make -s --no-print-directory tool &&
	make -s --no-print-directory -C selftests
}

# A copy of all this, with programs of another architecture, for its machine. They
# are made with a cross compiler and that system's libraries.
build_foreign() {
	local name=$1 release=$2 tree=$top/build/kernels/$1-tree system=$cache/roots/$1 cc
	cc="aarch64-linux-gnu-gcc --sysroot=$system"
	scripts/kernels.sh system "$name" &&
	rm -rf "$tree" &&
	mkdir -p "$tree/build/$release" "$tree/build/cache/linux-source/tools" &&
	tar -c --exclude=./build --exclude=./.git . | tar -x -C "$tree" &&
	cp "build/$release/tcptrail.ko" "$tree/build/$release/" &&
	cp -r "$cache/linux-source/tools/testing" "$tree/build/cache/linux-source/tools/" &&
	PKG_CONFIG_SYSROOT_DIR=$system \
	PKG_CONFIG_LIBDIR=$system/usr/lib/aarch64-linux-gnu/pkgconfig \
		make -s --no-print-directory -C "$tree/tools" CC="$cc" CAIRO=0 &&
	make -s --no-print-directory -C "$tree/selftests" \
		CROSS_COMPILE=aarch64-linux-gnu- CC="$cc"
}

# boot NAME KIND TEST...: what vm.sh has to say is a result as well.
boot() {
	local name=$1 kind=$2 option vm=selftests/vm/vm.sh
	shift 2
	results=$all/$name/$kind
	start_results
	[ "$kind" = smp ] && option='--smp 2' || option=--icount
	case $name in
	*-arm64) vm="selftests/vm/foreign.sh --top $top/build/kernels/$name-tree" ;;
	esac
	# shellcheck disable=SC2086 # words
	$vm $option --kernel "$name" --timeout 1200 --out "$results" -- \
		selftests/run.sh "$results" "$@" > "$results/log" 2>&1
	if ! grep -q '^# complete' "$results/results.tap"; then
		add_result "not ok $kind: the machine ended before the tests did"
	elif grep -q '^vm: ' "$results/log"; then
		add_result "not ok $kind: $(grep -m 1 '^vm: ' "$results/log")"
	fi
}

boot_core() {
	local name=$1 release=$2
	results=$all/$name/core
	start_results
	case $name in
	*-cloud)
		run_test core selftests/vm/bare.sh --kernel "$name" --out "$results" -- \
			"$core" "$top/build/$release/tcptrail.ko" ;;
	*-arm64)
		build_core aarch64-linux-gnu- -arm64 &&
		run_test core selftests/vm/bare.sh --kernel "$name" --out "$results" -- \
			"$core-arm64" "$top/build/$release/tcptrail.ko" ;;
	*)
		run_test core selftests/vm/vm.sh --icount --kernel "$name" \
			--timeout 600 --out "$results" -- \
			env TCPTRAIL_KO="$top/build/$release/tcptrail.ko" "$core" ;;
	esac > "$results/log"
}

# The core scenarios first: if they do not pass, the rest tells nothing new.
run_kernel() {
	local name=$1 release=$2 icount smp
	boot_core "$name" "$release"
	if [ $core_only = 1 ] || grep -q '^not ok' "$all/$name/core/results.tap"; then
		return
	fi
	case $name in
	*-cloud) return ;;
	*-arm64)
		results=$all/$name/programs
		start_results
		run_test programs build_foreign "$name" "$release"
		! grep -q '^not ok' "$results/results.tap" || return ;;
	esac
	# shellcheck disable=SC2046 # lists of words
	icount=$(echo $(listed icount) | sed 's/\<core\>//') smp=$(listed smp)
	# shellcheck disable=SC2086 # lists of words
	[ -z "$icount" ] || boot "$name" icount $icount &
	# shellcheck disable=SC2086
	[ -z "$smp" ] || boot "$name" smp $smp &
	wait
}

row() {
	printf '%-24s %-26s %-6s %-7s %-9s %7s %7s %8s\n' "$@"
}

# One line of the table, from what the kernel left in its folder.
tell_kernel() {
	local name=$1 folder=$all/$1 said release built loaded hooks
	local passed failed skipped
	release=$(cat "$cache/kernels/$name/release" 2>/dev/null)
	said=$folder/core/core/output
	cat "$folder"/*/results.tap > "$folder/results.tap" 2>/dev/null
	failed=$(count '^not ok' "$folder/results.tap")
	skipped=$(count '^ok.*# *SKIP' "$folder/results.tap")
	passed=$(($(count '^ok' "$folder/results.tap") - skipped))
	built=yes loaded=no
	[ -e "$said" ] || built=no
	hooks=$(sed -n 's/^# hooks: \([0-9]*\) of \([0-9]*\) .*/\1 of \2/p' "$said" 2>/dev/null)
	[ -z "$hooks" ] || loaded=yes
	row "$name" "${release:--}" "$built" "$loaded" "${hooks:--}" \
		"$passed" "$failed" "$skipped"
}

for name in $names; do
	rm -rf "${all:?}/$name"
done
mkdir -p "$all"
# shellcheck disable=SC2086 # a list of words
scripts/kernels.sh get $names || exit 1
build_core '' '' || exit 1
[ $core_only = 1 ] || build_tests || exit 1

for name in $names; do
	results=$all/$name/build
	start_results
	run_test build scripts/kernels.sh build "$name"
	if grep -q '^not ok' "$results/results.tap"; then
		continue
	fi
	run_kernel "$name" "$(cat "$cache/kernels/$name/release")"
	echo "        $name: $((SECONDS - started)) s"
done

echo
heading=$(row kernel release built loaded hooks passed failed skipped)
for name in $names; do
	{ echo "$heading"; tell_kernel "$name"; } > "$all/$name/table"
done
# One table, also of the kernels that were run before.
cat "$all"/*/table | awk '!seen[$0]++'
for name in $names; do
	cat "$all/$name/results.tap"
done > "$all/results.tap"
for name in $names; do
	sed -n "s/^not ok /FAILED: $name: /p" "$all/$name/results.tap"
done
failed=$(count '^not ok' "$all/results.tap")
skipped=$(count '^ok.*# *SKIP' "$all/results.tap")
passed=$(($(count '^ok' "$all/results.tap") - skipped))
echo "Everything that was said is in build/results-kernels ($((SECONDS - started)) s)."
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
