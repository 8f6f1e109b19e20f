#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tests that need no kernel of their own, in less than a minute.
#
# usage: selftests/native.sh RESULTS
set -u

cd "$(dirname "$0")/.." || exit 1
. selftests/env.sh
. selftests/tap.sh
results=$1
start_results

kernel=$cache/kernels/own/build
scratch=$top/build/native
sources=$cache/linux-source

# Anything a compiler or checker has to say about our files fails the test.
silent() {
	local log
	log=$(mktemp)
	"$@" > "$log" 2>&1
	local status=$?
	cat "$log"
	grep -qE '(warning|error):' "$log" && status=1
	rm -f "$log"
	return $status
}

# Built from nothing, since an object that is up to date warns of nothing.
module() {
	rm -rf "$scratch/module-build"
	mkdir -p "$scratch/module-build/module"
	ln -s "$top/Kbuild" "$top/VERSION" "$scratch/module-build/"
	cp -rs "$top/module/." "$scratch/module-build/module/"
	silent make -s -j2 -C "$kernel" M="$scratch/module-build" W=1 \
		CONFIG_DEBUG_INFO_BTF_MODULES= modules
}

# The kernel's own headers are not ours to mend. C=2 checks every file, also
# those that need no compiling.
sparse() {
	make -s -j2 -C "$kernel" M="$scratch/module-build" C=2 \
		CONFIG_DEBUG_INFO_BTF_MODULES= modules > "$scratch/sparse.log" 2>&1 ||
		{ cat "$scratch/sparse.log"; return 1; }
	! grep -E "$scratch/module-build/.*(warning|error):" "$scratch/sparse.log"
}

# Its lines about patches and about a kernel tree have no meaning here; the one
# place for kernel version tests is module/compat.h, see versions(), and it takes
# the two sides of such a test for swapped.
checkpatch() {
	find module -name '*.[ch]' -print0 |
		xargs -0 perl "$sources/scripts/checkpatch.pl" --no-tree --strict \
			--terse --no-summary --show-types --color=never \
			--ignore FILE_PATH_CHANGES,LINUX_VERSION_CODE,CONSTANT_COMPARISON -f
}

# Programs include the ABI header without anything of ours around it.
abi_header() {
	local flags="-pedantic -Wall -Wextra -Werror -fsyntax-only"
	# shellcheck disable=SC2086 # a list of words
	gcc -std=c90 $flags -x c module/uapi/linux/tcptrail.h &&
	gcc -std=c11 $flags -x c module/uapi/linux/tcptrail.h &&
	g++ -std=c++17 $flags -x c++ module/uapi/linux/tcptrail.h
}

abi_text() {
	scripts/check-abi.sh
}

# With the address and undefined behaviour sanitizers.
tool() {
	silent make -s -j2 -C tools O="$scratch/tool" SAN=1
}

tool_tests() {
	make -s -j2 -C tools O="$scratch/tool" SAN=1 check-output
}

tool_memory() {
	make -s -j2 -C tools O="$scratch/tool" SAN=1 check-memory
}

ring() {
	make -s -C selftests/ring check
}

# The judge of the scenarios must find what is wrong.
judge() {
	selftests/scenarios/run.py --selfcheck
}

# The model of the differential run agrees with a recorded round, and the
# comparison finds what is wrong in it.
diff_model() {
	rm -rf "$scratch/differential"
	mkdir -p "$scratch/differential"
	tar -xJf selftests/differential/round.tar.xz -C "$scratch/differential" &&
	selftests/differential/compare.py --tool "$scratch/tool/san/tcptrail" \
		"$scratch/differential/round-0" &&
	selftests/differential/bend.py --tool "$scratch/tool/san/tcptrail" \
		"$scratch/differential/round-0"
}

versions() {
	! grep -rnE 'LINUX_VERSION_CODE|KERNEL_VERSION\(' module tools selftests \
		--include='*.[ch]' --exclude=compat.h
}

# A test that sleeps is slow or flaky: it has to wait for something. Only the
# library that does the waiting may.
no_sleep() {
	! grep -rnE '(^|[;&|({]|do|then)[[:space:]]*sleep[[:space:]]' selftests \
		--include='*.sh' --exclude=lib.sh
}

shell() {
	local file status=0
	while IFS= read -r file; do
		bash -n "$file" || status=1
	done < <(find . -path ./build -prune -o -name '*.sh' -print -o -path ./.ci/run -print)
	return $status
}

licences() {
	! find Kbuild Makefile module tools selftests scripts bench -type f \
		\( -name '*.[chS]' -o -name '*.sh' -o -name '*.py' -o -name Makefile -o -name Kbuild \) \
		-exec grep -L 'SPDX-License-Identifier' {} + 2>/dev/null | grep .
}

# One version, told in VERSION; and in a changelog where Debian looks for it.
version() {
	local version
	version=$(cat VERSION)
	grep -qx '[0-9]*\.[0-9]*\.[0-9]*' VERSION || { echo "VERSION: $version"; return 1; }
	head -n 1 debian/changelog CHANGELOG
	head -n 1 debian/changelog | grep -q "^tcptrail ($version) " &&
		head -n 1 CHANGELOG | grep -qx "tcptrail $version"
}

# The same commit, the same bytes: twice from here, and from a clone.
dist() {
	local clone=$scratch/clone file
	git rev-parse -q --verify HEAD > /dev/null ||
		{ echo "SKIP this is no git repository"; return 4; }
	file=build/tcptrail-$(cat VERSION).tar.gz
	rm -rf "$clone"
	git clone -q . "$clone" || return 1
	{
		make -s --no-print-directory dist 2>/dev/null && sha256sum < "$file" &&
		make -s --no-print-directory dist 2>/dev/null && sha256sum < "$file" &&
		(umask 077 && make -s --no-print-directory -C "$clone" dist) && sha256sum < "$clone/$file"
	} | grep -v packed > "$scratch/sums"
	cat "$scratch/sums"
	[ "$(wc -l < "$scratch/sums")" = 3 ] && [ "$(sort -u "$scratch/sums" | wc -l)" = 1 ] &&
		tar -tzf "$file" | grep -qx "tcptrail-$(cat VERSION)/module/main.c"
}

# What breaks the module on purpose still finds what it breaks.
defects() {
	selftests/defects.sh seeds
}

mkdir -p "$scratch"
# Most of them use one processor, so two rows of them side by side.
row() {
	local test
	for test; do
		run_test "$test" "$test"
	done
}
row tool tool_tests diff_model &
row module sparse checkpatch abi_header abi_text ring judge defects versions no_sleep shell \
	licences version dist tool_memory
wait
! grep -q '^not ok' "$results/results.tap"
