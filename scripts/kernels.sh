#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Other kernels: fetches them and builds the module for them.
#
# usage: scripts/kernels.sh list
#        scripts/kernels.sh get [NAME...]     what is not there yet
#        scripts/kernels.sh update [NAME...]  what has become newer, too
#        scripts/kernels.sh build [NAME...]   the module, with W=1
#        scripts/kernels.sh system NAME       for tests on another architecture
#
# A NAME is one of "list": the Debian suite, with "-cloud" for that flavour; all
# of selftests/vm/kernels if none is given ("own" is the business of deps.sh).
#
# Nothing is installed. Packages are downloaded and unpacked in the cache:
#
#   kernels/NAME/       a kernel: vmlinuz, lib/modules, release (as uname -r); of
#                       another architecture with headers, build and busybox, too
#   roots/SUITE/        its headers, with the compiler and the tools of that
#                       suite around them: a place to build in with chroot
#   roots/NAME/         what a machine of another architecture starts in, and
#                       what programs for it are linked with
#
# "build" leaves build/RELEASE/tcptrail.ko. It fails if the compiler or the
# kernel's build system has anything to say.
#
#   TCPTRAIL_CACHE   the cache folder (default: $XDG_CACHE_HOME/tcptrail)
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/scripts/apt.sh"
cache=${TCPTRAIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tcptrail}

# The architecture that apt is asked about.
own_arch=$(dpkg --print-architecture)
arch=$own_arch

# What a build calls, besides what the headers themselves depend on.
tools="gcc make perl python3 bash dash coreutils sed grep mawk findutils
	diffutils gzip kmod"

# What tests call on another architecture, and what they and the tool are linked
# with; the last two without what they depend on, which is for who starts them.
system="base-files base-passwd bash coreutils dash diffutils ethtool file findutils
	grep gzip hostname iproute2 iputils-ping kmod libc-bin libjson-c-dev libmnl-dev
	libncurses-dev libpcre2-8-0 libsctp-dev libssl3 lksctp-tools login mawk mount
	ncurses-base ncurses-bin nftables perl-base procps python3 python3-scapy sed tar
	tcpdump tmux util-linux util-linux-extra xz-utils zstd"
daemons="nginx prometheus"

die() { echo "kernels: $*" >&2; exit 1; }

usage() {
	sed -n '5,9s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

# Long output goes to a log; it is shown only when the command fails.
logged() {
	if ! "$@" > "$tmp/log" 2>&1 < /dev/null; then
		tail -n 20 "$tmp/log" >&2
		die "failed: $*"
	fi
}

# Folders appear under their name only when they are complete.
finish() {
	rm -rf "$2"
	mv "$1" "$2"
}

# ---- the list: NAME SUITE FLAVOUR ----

each_kernel() {
	sed 's/#.*//' "$top/selftests/vm/kernels" | while read -r suite package; do
		case $suite in
		own|'') continue ;;
		esac
		flavour=${package#linux-image-}
		case $flavour in
		cloud-*) echo "$suite-cloud $suite $flavour" ;;
		arm64)   echo "$suite-arm64 $suite $flavour" ;;
		*)       echo "$suite $suite $flavour" ;;
		esac
	done
}

chosen() {
	each_kernel > "$tmp/list"
	[ $# -gt 0 ] || { cat "$tmp/list"; return; }
	for name; do
		grep "^$name " "$tmp/list" ||
			die "no kernel \"$name\": one of" $(cut -d ' ' -f 1 "$tmp/list")
	done
}

# The newest release that is in the cache, or nothing.
release_of() {
	cat "$cache/kernels/$1/release" 2>/dev/null || true
}

# ---- apt, for any suite ----

# A suite gets an apt directory of its own: sources, lists and cache are
# private, so the machine's configuration stays as it is. Mirrors, proxy and
# keyrings are the machine's. A mirror that lags or is frozen will do: its
# signature is checked, its age is not.
suite_apt() {
	command=$1 suite=$2
	shift 2
	dir=$tmp/apt/$suite-$arch
	# Backports have to be asked for.
	default=
	case $suite in *-backports) default=$suite ;; esac
	"$command" \
		-o APT::Architecture="$arch" \
		-o APT::Architectures::="$arch" \
		-o Dir::Etc::SourceList="$dir/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null \
		-o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State::Lists="$dir/lists" \
		-o Dir::Cache="$dir/cache" \
		-o Dir::State::status="$dir/status" \
		-o Acquire::Languages=none \
		-o Acquire::Check-Valid-Until=false \
		-o APT::Sandbox::User="$(id -un)" \
		-o APT::Install-Recommends=false \
		-o APT::Default-Release="$default" \
		"$@"
}

update_suite() {
	suite=$1 dir=$tmp/apt/$1-$arch
	[ ! -d "$dir" ] || return 0
	mirror=$(own_mirror)
	[ -n "$mirror" ] || die "found no Debian mirror in this machine's apt sources"
	security=$(own_mirror -security)
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	: > "$dir/status"
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -r "$key" ] && signed="[signed-by=$key] " || signed=
	{
		echo "deb $signed$mirror ${suite%-backports} main"
		case $suite in
		*-backports)  echo "deb $signed$mirror $suite main" ;;
		esac
		case $suite in
		sid|unstable) ;;
		*) [ -z "$security" ] ||
			echo "deb $signed$security ${suite%-backports}-security main" ;;
		esac
	} > "$dir/sources.list"
	logged suite_apt apt-get "$suite" update -q
}

# unpack SUITE FOLDER PACKAGE...
unpack() {
	suite=$1 folder=$2
	shift 2
	rm -rf "$tmp/debs"
	mkdir -p "$tmp/debs" "$folder"
	(cd "$tmp/debs" && logged suite_apt apt-get "$suite" download -q "$@") || exit 1
	for deb in "$tmp"/debs/*.deb; do
		# Not to be hindered by links of /bin and /lib to /usr.
		dpkg-deb --fsys-tarfile "$deb" |
			tar -x -C "$folder" --keep-directory-symlink --no-same-owner
	done
	rm -rf "$tmp/debs"
}

# ---- get ----

# The packages that hold the newest kernel of a suite, and not what they need.
image_packages() {
	suite_apt apt-cache "$1" depends -i --recurse "linux-image-$2" 2>/dev/null |
		grep -E '^linux-(image|binary|modules|base)-[0-9]' | grep -v -e '-unsigned$' |
		sort -u
}

# Everything that a build in this suite needs, headers of all its flavours too.
root_packages() {
	headers=$(each_kernel | awk -v s="$1" '$2 == s && $1 !~ /-arm64$/ { print "linux-headers-" $3 }')
	# shellcheck disable=SC2086 # lists of words
	suite_apt apt-get "$1" --simulate install $headers $tools |
		sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

# make_root SUITE FOLDER PACKAGE...
make_root() {
	suite=$1 new=$2
	shift 2
	rm -rf "$new"
	mkdir -p "$new/usr/bin" "$new/usr/sbin" "$new/usr/lib" "$new/usr/lib64" \
		"$new/proc" "$new/dev" "$new/tmp" "$new/module"
	for folder in bin sbin lib lib64; do
		ln -s usr/$folder "$new/$folder"
	done
	unpack "$suite" "$new" "$@"
	# What the packages' own scripts would have done.
	[ -e "$new/bin/sh" ] || ln -s dash "$new/bin/sh"
	[ -e "$new/bin/awk" ] || ln -s mawk "$new/bin/awk"
	rm -rf "$new/usr/share/doc" "$new/usr/share/man" "$new/usr/share/locale"
}

get_root() {
	packages=$(root_packages "$1") || die "cannot resolve the packages of $1"
	# shellcheck disable=SC2086 # a list of words
	make_root "$1" "$cache/roots/.new" $packages
	finish "$new" "$cache/roots/$1"
}

# A system that nobody installs: it is only unpacked, and lives in a machine.
get_system() {
	chosen "$@" > "$tmp/chosen"
	read -r name suite arch < "$tmp/chosen"
	[ ! -d "$cache/roots/$name" ] || return 0
	echo "  $name: the programs that tests use, of Debian $suite"
	update_suite "$suite"
	# shellcheck disable=SC2086
	packages=$(suite_apt apt-get "$suite" --simulate install $system |
		sed -n 's/^Inst \([^ ]*\) .*/\1/p')
	[ -n "$packages" ] || die "cannot resolve the packages of $suite"
	# shellcheck disable=SC2086
	make_root "$suite" "$cache/roots/.new" $packages $daemons
	# What the packages' own scripts would have done here.
	for file in passwd group; do
		cp "$new/usr/share/base-passwd/$file.master" "$new/etc/$file"
	done
	cp "$new/usr/share/libc-bin/nsswitch.conf" "$new/etc/"
	finish "$new" "$cache/roots/$name"
}

get_kernel() {
	name=$1 suite=$2 flavour=$3
	update_suite "$suite"
	packages=$(image_packages "$suite" "$flavour")
	release=$(echo "$packages" | sed -n 's/^linux-image-//p')
	[ -n "$release" ] || die "no package linux-image-$flavour in suite $suite"
	root=$cache/roots/$suite
	if [ "$(release_of "$name")" != "$release" ]; then
		echo "  $name: kernel $release"
		new=$cache/kernels/.new-$name
		rm -rf "$new"
		# shellcheck disable=SC2086 # a list of words
		unpack "$suite" "$new" $packages
		[ -d "$new/lib/modules" ] || ln -s usr/lib "$new/lib"
		rm -f "$new/lib/modules/$release/build" "$new/lib/modules/$release/source"
		for image in "boot/vmlinuz-$release" "lib/modules/$release/vmlinuz"; do
			[ ! -e "$new/$image" ] || ln "$new/$image" "$new/vmlinuz"
		done
		PATH=$PATH:/sbin:/usr/sbin depmod -b "$new" "$release"
		echo "$release" > "$new/release"
		finish "$new" "$cache/kernels/$name"
	fi
	if [ ! -d "$root/usr/src/linux-headers-$release" ]; then
		echo "  $name: headers, and the compiler and tools of Debian $suite"
		get_root "$suite"
		[ -d "$root/usr/src/linux-headers-$release" ] ||
			die "the headers of suite $suite are not those of $release"
	fi
}

# Headers of another architecture are files like any other, but for the programs
# that a build calls: those are taken from this machine's, in the same version.
get_foreign() {
	name=$1 suite=$2 flavour=$3
	arch=$flavour
	update_suite "$suite"
	packages=$(image_packages "$suite" "$flavour")
	release=$(echo "$packages" | sed -n 's/^linux-image-//p')
	[ -n "$release" ] || die "no package linux-image-$flavour in suite $suite"
	[ "$(release_of "$name")" != "$release" ] || return 0
	echo "  $name: kernel $release and its headers"
	headers=$(suite_apt apt-cache "$suite" depends -i "linux-headers-$release" |
		sed -n 's/^ *Depends: \(linux-.*\)/\1/p')
	new=$cache/kernels/.new-$name
	rm -rf "$new"
	# shellcheck disable=SC2046,SC2086 # lists of words
	unpack "$suite" "$new" $packages "linux-headers-$release" busybox-static \
		$(echo "$headers" | grep -v kbuild)
	arch=$own_arch
	update_suite "$suite"
	# shellcheck disable=SC2046
	unpack "$suite" "$new" $(echo "$headers" | grep kbuild)
	sed -i "s,/usr/src/,$cache/kernels/$name/usr/src/,g" \
		"$new/usr/src/linux-headers-$release/Makefile"
	ln -s "usr/src/linux-headers-$release" "$new/build"
	ln -s bin/busybox "$new/busybox"
	ln -s "boot/vmlinuz-$release" "$new/vmlinuz"
	PATH=$PATH:/sbin:/usr/sbin depmod -b "$new" "$release"
	echo "$release" > "$new/release"
	finish "$new" "$cache/kernels/$name"
}

get() {
	chosen "$@" > "$tmp/chosen"
	while read -r name suite flavour; do
		release=$(release_of "$name")
		case $name in *-arm64)
			[ "$update" = 0 ] && [ -n "$release" ] ||
				(get_foreign "$name" "$suite" "$flavour")
			continue ;;
		esac
		if [ "$update" = 1 ] || [ -z "$release" ] ||
		   [ ! -d "$cache/roots/$suite/usr/src/linux-headers-$release" ]; then
			get_kernel "$name" "$suite" "$flavour"
		fi
	done < "$tmp/chosen"
}

# ---- build ----

# Mounts are made in a namespace of its own, so nothing is left behind. Without
# root the namespace belongs to the user.
in_root() {
	[ "$(id -u)" = 0 ] && user='' || user=--map-root-user
	# shellcheck disable=SC2016 # for the inner shell
	unshare $user --mount --pid --fork sh -euc '
		root=$1 work=$2
		shift 2
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		mount --bind "$work" "$root/module"
		exec env -i PATH=/usr/bin:/usr/sbin:/bin:/sbin LC_ALL=C HOME=/ \
			chroot "$root" "$@"' sh "$@"
}

# make_module NAME FOLDER: with the compiler of its suite, or a cross compiler
make_module() {
	release=$(release_of "$1")
	case $1 in
	*-arm64)
		make -s -C "$cache/kernels/$1/build" M="$2" W=1 \
			DEB_BUILD_ARCH="$own_arch" DEB_HOST_ARCH=arm64 \
			DEB_HOST_GNU_TYPE=aarch64-linux-gnu \
			CONFIG_DEBUG_INFO_BTF_MODULES= modules ;;
	*)
		in_root "$root" "$2" make -s -C "/usr/src/linux-headers-$release" \
			M=/module W=1 CONFIG_DEBUG_INFO_BTF_MODULES= modules ;;
	esac
}

build_kernel() {
	name=$1 suite=$2
	release=$(release_of "$name")
	root=$cache/roots/$suite
	case $name in *-arm64) root=$cache/kernels/$name ;; esac
	if [ -z "$release" ] || [ ! -d "$root/usr/src/linux-headers-$release" ]; then
		die "kernel \"$name\" is not there: scripts/kernels.sh get $name"
	fi
	# Built from nothing, since an object that is up to date warns of nothing.
	work=$top/build/kernels/$name
	rm -rf "$work"
	mkdir -p "$work" "$top/build/$release"
	cp -r "$top/Kbuild" "$top/VERSION" "$top/module" "$work/"
	status=0
	make_module "$name" "$work" < /dev/null > "$work/log" 2>&1 || status=$?
	if [ $status != 0 ] || [ -s "$work/log" ]; then
		echo "FAILED  $name: $release" >&2
		head -n 40 "$work/log" | sed 's/^/  | /' >&2
		return 1
	fi
	# At once, for whoever is using the one before.
	mv "$work/tcptrail.ko" "$top/build/$release/tcptrail.ko"
	echo "built   $name: build/$release/tcptrail.ko"
}

build() {
	chosen "$@" > "$tmp/chosen"
	failed=0
	while read -r name suite _; do
		(build_kernel "$name" "$suite") || failed=1
	done < "$tmp/chosen"
	return $failed
}

list() {
	each_kernel | while read -r name _; do
		printf '%-24s %s\n' "$name" "$(release_of "$name")"
	done
}

[ $# -gt 0 ] || usage
action=$1
shift
update=0
mkdir -p "$cache/kernels" "$cache/roots"
tmp=$(mktemp -d "$cache/tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
case $action in
get)    exec 9> "$cache/kernels.lock"; flock 9; get "$@" ;;
update) exec 9> "$cache/kernels.lock"; flock 9; update=1; get "$@" ;;
system) exec 9> "$cache/kernels.lock"; flock 9; get_system "${1?}" ;;
build)  build "$@" ;;
list)   list ;;
*)      usage ;;
esac
