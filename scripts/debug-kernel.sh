#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Builds kernels that look for mistakes, from Debian's kernel source.
#
# usage: scripts/debug-kernel.sh NAME...
#   debug   KASAN, lockdep, kmemleak, UBSAN, fault injection
#   kcsan   KCSAN: data races
#
# A kernel is tinyconfig, base.config and NAME.config of selftests/vm/kconfig, and
# for "debug" scenarios.config. It is built when it is not there yet, or when its
# configuration, its source or the compiler has changed: ten to fifteen minutes
# on two processors. Run scripts/deps.sh debug before, which gets the source.
#
# Nothing is installed. In the cache folder:
#   linux-tree/      the source
#   objects/NAME/    what the module is built against (kernels/NAME/build)
#   kernels/NAME/    the kernel, laid out as selftests/vm/vm.sh wants it
#
#   TCPTRAIL_CACHE   the cache folder (default: $XDG_CACHE_HOME/tcptrail)
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
cache=${TCPTRAIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tcptrail}
source=$cache/linux-tree
fragments=$top/selftests/vm/kconfig

die() { echo "debug-kernel: $*" >&2; exit 1; }

usage() {
	sed -n '6s/^# //p' "$0" >&2
	exit 2
}

fragments_of() {
	echo "$fragments/base.config"
	[ "$1" = kcsan ] || echo "$fragments/scenarios.config"
	echo "$fragments/$1.config"
}

# What the result depends on, in one line.
stamp_of() {
	printf '%s gcc-%s %s\n' "$(make -s -C "$source" kernelversion)" \
		"$(gcc -dumpfullversion)" \
		"$(fragments_of "$1" | xargs cat | sha256sum | cut -c 1-16)"
}

# An option that another one rules out is dropped without a word.
check_config() {
	lost=$(fragments_of "$1" | xargs cat | grep '^CONFIG_' |
		while IFS= read -r line; do
			want=$line
			case $line in
			*=n) want="# ${line%=n} is not set" ;;
			esac
			grep -qxF "$want" "$2" && continue
			case $line in
			*=n) grep -q "^${line%=n}=" "$2" || continue ;;
			esac
			echo "  $line"
		done)
	[ -z "$lost" ] || die "this source does not know or does not allow:
$lost"
}

configure() {
	make -s -C "$source" O="$objects" tinyconfig
	(cd "$source" && fragments_of "$1" |
		xargs scripts/kconfig/merge_config.sh -m -O "$objects" "$objects/.config")
	make -s -C "$source" O="$objects" olddefconfig
}

logged() {
	if ! "$@" > "$objects/log" 2>&1 < /dev/null; then
		tail -n 30 "$objects/log" >&2
		die "failed: $*; its log is $objects/log"
	fi
}

build() {
	name=$1
	[ -e "$fragments/$name.config" ] && [ "$name" != base ] || usage
	stamp=$(stamp_of "$name")
	[ "$(cat "$cache/kernels/$name/stamp" 2>/dev/null)" != "$stamp" ] || return 0

	objects=$cache/objects/$name
	mkdir -p "$objects" "$cache/kernels"
	logged configure "$name"
	check_config "$name" "$objects/.config"
	echo "Kernel \"$name\" is built, $(grep -c '=[ym]$' "$objects/.config") options (ten to fifteen minutes)."
	logged make -s -j"$(nproc)" -C "$objects" bzImage modules
	new=$cache/kernels/.new-$name
	rm -rf "$new"
	mkdir -p "$new"
	logged make -s -C "$objects" INSTALL_MOD_PATH="$new" modules_install
	release=$(cat "$objects/include/config/kernel.release")
	rm -f "$new/lib/modules/$release/build" "$new/lib/modules/$release/source"
	cp "$objects/arch/x86/boot/bzImage" "$new/vmlinuz"
	ln -s "$objects" "$new/build"
	# KCSAN reports the rest of the kernel's races as well; see vm.sh.
	[ "$name" != kcsan ] || echo panic_on_warn=0 > "$new/options"
	echo "$release" > "$new/release"
	echo "$stamp" > "$new/stamp"
	rm -rf "$cache/kernels/$name"
	mv "$new" "$cache/kernels/$name"
}

[ $# -gt 0 ] || usage
[ -e "$source/Makefile" ] || die "no kernel source in $source: run scripts/deps.sh debug"
unset MAKEFLAGS MFLAGS MAKELEVEL
for name; do
	(
		flock 9
		build "$name"
	) 9> "$cache/debug-kernel-$name.lock"
done
