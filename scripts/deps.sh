#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Installs what tcptrail needs, and only what is missing.
#
# usage: scripts/deps.sh [build|demo|check|deb|fuzz|cross|debug|pictures]
#   build   the tool, and headers of the running kernel for the module
#   demo    build, and a kernel in a virtual machine
#   check   demo, and everything the tests use (the default)
#   fuzz    the tool, and a compiler with libFuzzer
#   pictures   the tool, and a browser (300 MB)
#   deb     build, and what makes and checks Debian packages
#   cross   build, and what the tests on another architecture need
#   debug   check, and the source of kernels that scripts/debug-kernel.sh builds
#
# Packages are installed with apt-get, as root or through sudo. What must not
# touch this machine (the kernel to test, its headers, programs of a newer
# Debian suite) is only downloaded and unpacked in a cache folder.
#
#   DEPS=skip        do nothing
#   TCPTRAIL_CACHE   the cache folder (default: $XDG_CACHE_HOME/tcptrail)
#
# In the cache folder:
#   kernels/SUITE/           one kernel, unpacked: vmlinuz, modules, headers
#   kernels/SUITE/build      what the module is built against
#   kernels/SUITE/release    its name, as uname -r says it
#   linux-source/            kselftest, checkpatch and the memory model
#   linux-tree/              all of the same source
#   virtme-ng/, herd/        programs this machine's suite does not have
#   programs/                programs whose packages would start a daemon here
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/scripts/apt.sh"
cache=${TCPTRAIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tcptrail}
group=${1:-check}

# Virtual machines need virtme-ng 1.25 for separate stdout and stderr.
min_virtme=1.25
# A newer suite that has it, for machines whose own suite does not.
virtme_suite=trixie
herd_suite=sid
# Any kernel from 6.12 on has the selftest library that the tests use.
source_suite=trixie
source_package=linux-source-6.12

build_packages="gcc make libc6-dev libmnl-dev libjson-c-dev libncurses-dev
	libcairo2-dev pkg-config"

vm_packages="qemu-system-x86 busybox-static file kmod udev iproute2 xz-utils zstd
	python3 python3-argcomplete python3-requests libelf-dev
	mount nftables tcpdump ethtool iputils-ping procps"

test_packages="python3-scapy lksctp-tools libsctp-dev sparse perl bc flex bison
	bash coreutils util-linux g++ git zsh tmux libpcre2-8-0 libssl3"

deb_packages="build-essential debhelper dh-dkms dpkg-dev libncurses-dev lintian mmdebstrap"

cross_packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-system-arm file"

fuzz_packages="clang libclang-rt-dev python3"

tree_packages="rsync cpio"

die() { echo "deps: $*" >&2; exit 1; }

# The package database is asked once for all.
not_installed() {
	# shellcheck disable=SC2086 # a list of words
	printf '%s\n' $1 | sort -u > "$tmp/wanted"
	# shellcheck disable=SC2086
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' $1 2>/dev/null |
		sed -n 's/^installed //p' | sort -u > "$tmp/have"
	comm -23 "$tmp/wanted" "$tmp/have" | tr '\n' ' ' | sed 's/ $//'
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "not root and no sudo here; as root, type: $*"
	fi
}

# Long output goes to a log; it is shown only when the command fails.
logged() {
	if ! "$@" > "$tmp/log" 2>&1 < /dev/null; then
		tail -n 20 "$tmp/log" >&2
		die "failed: $*"
	fi
}

# ---- apt, for this machine's suite and for others ----

# A suite that is not this machine's gets an apt directory of its own: sources,
# lists and cache are private, so the machine's configuration stays as it is.
# Mirror, proxy and keyrings are the machine's. A mirror that lags or is frozen
# will do: its signature is checked, its age is not.
suite_options() {
	[ "$1" != own ] || return 0
	dir=$cache/apt/$1
	echo "-o Dir::Etc::SourceList=$dir/sources.list
		-o Dir::Etc::SourceParts=/dev/null
		-o Dir::Etc::Preferences=/dev/null
		-o Dir::Etc::PreferencesParts=/dev/null
		-o Dir::State::Lists=$dir/lists
		-o Dir::Cache=$dir/cache
		-o Dir::State::status=$dir/status
		-o Acquire::Languages=none
		-o Acquire::Check-Valid-Until=false
		-o APT::Default-Release="
}

update_suite() {
	suite=$1
	[ ! -e "$tmp/updated-$suite" ] || return 0
	if [ "$suite" = own ]; then
		if [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; then
			echo "  apt-get update"
			logged as_root apt-get update -q
		fi
	else
		[ "$ID" = debian ] ||
			die "this is $ID, and $2 comes from Debian $suite: install it by hand, then use DEPS=skip"
		mirror=$(own_mirror)
		[ -n "$mirror" ] || die "found no Debian mirror in this machine's apt sources"
		dir=$cache/apt/$suite
		mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
		: > "$dir/status"
		key=/usr/share/keyrings/debian-archive-keyring.gpg
		[ -r "$key" ] && signed="[signed-by=$key] " || signed=
		echo "deb $signed$mirror $suite main" > "$dir/sources.list"
		echo "  list of packages of Debian $suite"
		# shellcheck disable=SC2046 # a list of options
		logged apt-get $(suite_options "$suite") -o APT::Sandbox::User="$(id -un)" \
			update -q
	fi
	: > "$tmp/updated-$suite"
}

# fetch SUITE FOLDER PACKAGE...: unpack packages without installing them
fetch() {
	suite=$1 folder=$2
	shift 2
	update_suite "$suite" "$*"
	rm -rf "$tmp/debs"
	mkdir -p "$tmp/debs" "$folder"
	(
		cd "$tmp/debs"
		# shellcheck disable=SC2046
		logged apt-get $(suite_options "$suite") -o APT::Sandbox::User="$(id -un)" \
			download -q "$@"
	) || exit 1
	for deb in "$tmp"/debs/*.deb; do
		dpkg-deb -x "$deb" "$folder"
	done
	rm -rf "$tmp/debs"
}

# Folders appear under their name only when they are complete.
finish() {
	rm -rf "$2"
	mv "$1" "$2"
}

# ---- the kernels to test ----

# Only that of this machine's suite; scripts/kernels.sh gets the others.
each_kernel() {
	sed 's/#.*//' "$top/selftests/vm/kernels" | while read -r suite package; do
		[ "$suite" != own ] || echo "$suite $package"
	done
}

# The packages that hold the newest kernel of a suite and its headers.
kernel_packages() {
	headers=$(echo "$2" | sed 's/linux-image/linux-headers/')
	# shellcheck disable=SC2046
	apt-cache $(suite_options "$1") depends -i --recurse "$2" "$headers" 2>/dev/null |
		grep -E '^linux-(image|binary|modules|base|headers|kbuild)-[0-9]' |
		grep -v -e '-unsigned$' | sort -u
}

# Nothing to ask apt as long as its lists did not change since the last time.
kernel_missing() {
	stamp=$cache/kernels/$1/release
	[ -e "$stamp" ] || return 0
	[ "$1" = own ] && [ -n "$(find /var/lib/apt/lists -maxdepth 0 -newer "$stamp")" ] || return 1
	newest=$(kernel_packages "$1" "$2" | sed -n 's/^linux-image-//p')
	[ -n "$newest" ] && [ "$newest" != "$(cat "$stamp")" ] && return 0
	touch "$stamp"
	return 1
}

get_kernel() {
	suite=$1
	update_suite "$suite" "$2"
	packages=$(kernel_packages "$suite" "$2")
	release=$(echo "$packages" | sed -n 's/^linux-image-//p')
	[ -n "$release" ] || die "no package $2 in suite $suite: the tests need a Debian kernel"
	echo "  kernel $release"
	new=$cache/kernels/.new
	rm -rf "$new"
	# shellcheck disable=SC2086
	fetch "$suite" "$new" $packages
	[ -d "$new/lib/modules" ] || ln -s usr/lib "$new/lib"

	# Header packages expect to live in /usr/src. All their other links
	# are relative and hold here too.
	rm -f "$new/lib/modules/$release/build" "$new/lib/modules/$release/source"
	sed -i "s,/usr/src/,$cache/kernels/$suite/usr/src/,g" \
		"$new/usr/src/linux-headers-$release/Makefile"
	ln -s "usr/src/linux-headers-$release" "$new/build"
	for image in "boot/vmlinuz-$release" "lib/modules/$release/vmlinuz"; do
		[ ! -e "$new/$image" ] || ln "$new/$image" "$new/vmlinuz"
	done
	/sbin/depmod -b "$new" "$release"
	echo "$release" > "$new/release"
	finish "$new" "$cache/kernels/$suite"
}

# ---- files of the kernel's source that no other package has ----

# unpack_source FOLDER [OPTION OF tar...]
unpack_source() {
	new=$1
	shift
	suite=own
	apt-cache show "$source_package" >/dev/null 2>&1 || suite=$source_suite
	rm -rf "$new" "$new.deb"
	mkdir -p "$new"
	fetch "$suite" "$new.deb" "$source_package"
	tar -xJf "$new.deb/usr/src/$source_package.tar.xz" -C "$new" --strip-components=1 "$@"
	rm -rf "$new.deb"
}

get_tree() {
	echo "  $source_package, to build kernels from"
	unpack_source "$cache/.linux-tree"
	finish "$cache/.linux-tree" "$cache/linux-tree"
}

get_source() {
	echo "  $source_package: kselftest, checkpatch and the memory model"
	unpack_source "$cache/.linux-source" --wildcards \
		'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
		'*/scripts/const_structs.checkpatch' '*/tools/memory-model' \
		'*/tools/testing/selftests/lib.mk' \
		'*/tools/testing/selftests/kselftest.h' \
		'*/tools/testing/selftests/kselftest_harness.h' \
		'*/tools/testing/selftests/kselftest' \
		'*/tools/testing/selftests/net/lib' \
		'*/tools/testing/selftests/net/lib.sh' \
		'*/tools/scripts' '*/tools/build/Build.include' \
		'*/tools/include/uapi' '*/COPYING' '*/LICENSES'
	finish "$cache/.linux-source" "$cache/linux-source"
}

# ---- programs of newer suites ----

own_virtme() {
	command -v virtme-run >/dev/null &&
		dpkg --compare-versions "$(dpkg-query -W -f '${Version}' virtme-ng)" ge $min_virtme
}

get_virtme() {
	candidate=$(apt-cache policy virtme-ng | sed -n 's/^ *Candidate: //p')
	if dpkg --compare-versions "${candidate:-0}" ge $min_virtme; then
		echo "  virtme-ng (a package of this suite)"
		install_packages virtme-ng
		return
	fi
	echo "  virtme-ng of Debian $virtme_suite"
	rm -rf "$cache/.virtme-ng"
	fetch $virtme_suite "$cache/.virtme-ng" virtme-ng
	finish "$cache/.virtme-ng" "$cache/virtme-ng"
}

# herd7 is a plain program of a suite with a newer C library: it runs with that
# library, through that library's loader.
get_herd() {
	echo "  herdtools7 of Debian $herd_suite"
	new=$cache/.herd
	rm -rf "$new"
	fetch $herd_suite "$new" herdtools7 libc6 libgmp10
	cat > "$new/herd7" <<'EOF'
#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
here=$(dirname "$(readlink -f "$0")")
libs=$(dirname "$(find "$here" -name 'libc.so.6' | head -n 1)")
gmp=$(dirname "$(find "$here" -name 'libgmp.so.10' | head -n 1)")
exec "$libs/ld-linux-x86-64.so.2" --library-path "$libs:$gmp" \
	"$here/usr/bin/herd7" -set-libdir "$here/usr/share/herdtools7/herd" "$@"
EOF
	chmod +x "$new/herd7"
	find "$new/usr/bin" -type f ! -name herd7 -delete
	rm -rf "$new/usr/share/doc"
	finish "$new" "$cache/herd"
}

# A web server and a checker of metrics, as files: to install them would start
# what they serve.
get_programs() {
	echo "  nginx and promtool"
	new=$cache/.programs
	rm -rf "$new" "$new.deb"
	mkdir -p "$new"
	fetch own "$new.deb" nginx prometheus
	mv "$new.deb/usr/sbin/nginx" "$new.deb/usr/bin/promtool" "$new/"
	rm -rf "$new.deb"
	finish "$new" "$cache/programs"
}

install_packages() {
	update_suite own
	# shellcheck disable=SC2086
	logged as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
		--no-install-recommends -o Dpkg::Use-Pty=0 "$@"
}

# ---- what is missing; say it; get it ----

main() {
	case $group in
	build) packages=$build_packages ;;
	demo)  packages="$build_packages $vm_packages" ;;
	check) packages="$build_packages $vm_packages $test_packages" ;;
	deb)   packages="$build_packages $deb_packages" ;;
	cross) packages="$build_packages $cross_packages" ;;
	fuzz)  packages="$build_packages $fuzz_packages" ;;
	debug) packages="$build_packages $vm_packages $test_packages $tree_packages" ;;
	pictures) packages="$build_packages chromium chromium-driver fonts-dejavu-core python3 xz-utils" ;;
	*)     die "usage: scripts/deps.sh [build|demo|check|deb|fuzz|cross|debug|pictures]" ;;
	esac
	[ "${DEPS:-}" != skip ] || return 0
	command -v apt-get >/dev/null ||
		die "no apt-get here; install these by hand, then use DEPS=skip: $packages"
	# shellcheck disable=SC1091
	ID=$(. /etc/os-release && echo "$ID")

	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/tmp.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	exec 9> "$cache/lock"
	flock 9

	missing=$(not_installed "$packages")
	headers=linux-headers-$(uname -r)
	if [ "$group" = build ] && [ ! -e "/lib/modules/$(uname -r)/build" ] &&
	   apt-cache show "$headers" >/dev/null 2>&1; then
		missing="$missing $headers"
	fi
	kernels='' source='' tree='' virtme='' herd='' programs=''
	if [ "$group" = demo ] || [ "$group" = check ] || [ "$group" = debug ]; then
		kernels=$(each_kernel | while read -r suite package; do
			! kernel_missing "$suite" "$package" || echo "$suite $package"
		done)
		[ -d "$cache/virtme-ng" ] || own_virtme || virtme=1
	fi
	[ "$group" != debug ] || [ -d "$cache/linux-tree" ] || tree=1
	if [ "$group" = check ] || [ "$group" = debug ]; then
		[ -d "$cache/linux-source" ] || source=1
		[ -d "$cache/herd" ] || herd=1
		[ -d "$cache/programs" ] || programs=1
	fi
	[ -n "$missing$kernels$source$tree$virtme$herd$programs" ] || return 0

	echo "tcptrail needs for \"make $group\" (to skip this: DEPS=skip):"
	[ -z "$missing" ] || echo "  installed with apt-get: $missing" | fmt -w 78
	[ -z "$kernels$source$tree$virtme$herd$programs" ] ||
		echo "  downloaded and unpacked in $cache, not installed:"
	[ -z "$kernels" ] || echo "$kernels" | while read -r suite package; do
		echo "    $package of suite \"$suite\" and its headers (85 MB)"
	done
	[ -z "$source" ] || echo "    $source_package (150 MB, of which 5 MB are kept)"
	[ -z "$tree" ] || echo "    $source_package, all of it (150 MB, 1.5 GB unpacked)"
	[ -z "$virtme" ] || echo "    virtme-ng $min_virtme or later"
	[ -z "$herd" ] || echo "    herdtools7 of Debian $herd_suite (45 MB, of which 20 MB are kept)"
	[ -z "$programs" ] || echo "    nginx and prometheus (20 MB, of which nginx and promtool are kept)"

	# shellcheck disable=SC2086 # a list of words
	[ -z "$missing" ] || install_packages $missing
	[ -z "$virtme" ] || get_virtme
	[ -z "$kernels" ] || echo "$kernels" | while read -r suite package; do
		get_kernel "$suite" "$package"
	done
	[ -z "$source" ] || get_source
	[ -z "$tree" ] || get_tree
	[ -z "$herd" ] || (get_herd) ||
		echo "  herdtools7 cannot be had: tests of the memory model will be skipped"
	[ -z "$programs" ] || get_programs
	rm -rf "$cache/apt"
	echo "  done"
}

main
