#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the Debian packages, checks them with lintian, and installs, upgrades,
# breaks and removes them in a root of their own; nothing is installed on this
# machine. "make check-packages" calls it.
#
# usage: selftests/packages.sh
#
# The root has this machine's suite with dkms and the headers of the kernel that
# the tests use. It is made once, in CACHE/packages-root, and used through an
# overlay in private namespaces (packages/inside.sh). Then the module that dkms
# has built there is loaded in a virtual machine (packages/loaded.sh).
#
# The last line of the output is "N passed, N failed, N skipped". What was said
# is in build/results-packages.
set -u

cd "$(dirname "$0")/.." || exit 1
. selftests/env.sh
. selftests/tap.sh
. scripts/apt.sh
unset MAKEFLAGS MFLAGS MAKELEVEL
results=$top/build/results-packages
base=$cache/packages-root
started=$SECONDS
release=$(cat "$cache/kernels/own/release" 2>/dev/null)
version=$(cat VERSION)
depends=systemd-standalone-sysusers,passwd,libcairo2,libjson-c5,libmnl0,libncursesw6

# What both packages depend on; another flavour's headers, to be installed later
# as a new kernel is.
make_base() {
	local suite mirror security flavour=${release##*-} new
	# shellcheck disable=SC1091
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	mirror=$(own_mirror)
	security=$(own_mirror -security)
	[ -n "$mirror" ] || { echo "found no Debian mirror in this machine's apt sources"; return 1; }
	new=$cache/packages-root.new
	rm -rf "$new"
	mmdebstrap --mode=auto --variant=apt \
		--include="dkms,linux-headers-$release,$depends" \
		--customize-hook="mkdir \"\$1/packages\" && chroot \"\$1\" sh -c 'cd /packages && apt-get download -q linux-headers-${release%"$flavour"}cloud-$flavour'" \
		"$suite" "$new" "deb $mirror $suite main" \
		${security:+"deb $security $suite-security main"} || return 1
	echo "$release" > "$new/packages/release"
	echo "$depends" > "$new/packages/depends"
	rm -rf "$base"
	mv "$new" "$base"
}

# A root of its own, as in_chroot makes it: not every container may.
can_chroot() {
	local why
	# shellcheck disable=SC2016 # for the inner shell
	if [ "$(id -u)" != 0 ]; then
		why="a chroot needs root: sudo make check-packages"
	elif ! why=$(unshare --mount --pid --fork --uts --ipc bash -euc '
		mount --make-rprivate /
		mount -t tmpfs work /mnt
		mkdir /mnt/lower /mnt/upper /mnt/work /mnt/root
		mount -t overlay overlay /mnt/root \
			-o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work
		mount -t proc proc /mnt/root' 2>&1); then
		why="no mounts in a namespace of its own here: ${why##*$'\n'}"
	else
		return 0
	fi
	echo "# SKIP $why"
	return 4
}

base_is_there() {
	can_chroot || return
	[ "$(cat "$base/packages/release" "$base/packages/depends" 2>/dev/null)" = "$release
$depends" ] || make_base
}

# The packages of another version, to upgrade from: the same source.
build_older() {
	local older=build/results-packages/old
	rm -rf "$older"
	mkdir -p "$older/source"
	tar -c --exclude=./build --exclude=./.git . | tar -x -C "$older/source"
	echo 0.0.9 > "$older/source/VERSION"
	sed -i '1s/(.*)/(0.0.9)/' "$older/source/debian/changelog"
	(cd "$older/source" && DEB_BUILD_OPTIONS='nocheck noautodbgsym' dpkg-buildpackage -b -us -uc)
}

build_packages() {
	make -s --no-print-directory deb DEPS=skip
}

# As any reader of a bug report would see it: no tag at all above "info".
lint() {
	lintian --fail-on error,warning --display-level '>=warning' --tag-display-limit 0 \
		--allow-root build/deb/*.changes
}

# The span of kernels is told twice: to the compiler, and to dkms.
span() {
	local bounds first next pattern status=0 word
	bounds=$(grep -oP 'LINUX_VERSION_CODE (<|>=) KERNEL_VERSION\(\K[0-9]+, [0-9]+' \
		module/compat.h | head -n 2 | sed 's/, /./')
	first=${bounds%%$'\n'*} next=${bounds##*$'\n'}
	pattern=$(sed -n 's/^BUILD_EXCLUSIVE_KERNEL="\(.*\)"/\1/p' debian/tcptrail-dkms.dkms)
	echo "# from $first to before $next: $pattern"
	for word in "$first" "${next%.*}.$((${next#*.} - 1))"; do
		grep -qE "$pattern" <<< "$word.1-1-amd64" || { echo "dkms passes over $word"; status=1; }
	done
	for word in "${first%.*}.$((${first#*.} - 1))" "$next" "${next%.*}0.1"; do
		! grep -qE "$pattern" <<< "$word.1-1-amd64" || { echo "dkms would build for $word"; status=1; }
	done
	return $status
}

# Mounts and processes are those of a namespace, and go with it.
in_chroot() {
	can_chroot || return
	local out=$results/chroot
	mkdir -p "$out/installed"
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount --pid --fork --uts --ipc bash -euc '
		base=$1 out=$2 top=$3
		mount --make-rprivate /
		work=$(mktemp -d /tmp/tcptrail-packages.XXXXXX)
		mount -t tmpfs -o size=4G work "$work"
		mkdir "$work/upper" "$work/work" "$work/root"
		mount -t overlay overlay "$work/root" \
			-o "lowerdir=$base,upperdir=$work/upper,workdir=$work/work"
		mkdir -p "$work/root/packages/out" "$work/root/packages/tests"
		mount --bind "$out" "$work/root/packages/out"
		mount --bind "$top/selftests/packages" "$work/root/packages/tests"
		mount -t proc proc "$work/root/proc"
		mount --rbind /dev "$work/root/dev"
		mkdir "$work/root/packages/new" "$work/root/packages/old"
		cp "$top"/build/deb/*.deb "$work/root/packages/new/"
		cp "$top"/build/results-packages/old/*.deb "$work/root/packages/old/"
		status=0
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root \
			DEBIAN_FRONTEND=noninteractive TERM=dumb \
			chroot "$work/root" bash /packages/tests/inside.sh "$4" || status=$?
		umount -l "$work"
		rmdir "$work"
		exit $status' bash "$base" "$out" "$top" "$version"
}

in_machine() {
	can_chroot || return
	local installed=$results/chroot/installed
	[ -d "$installed/lib/modules/$release" ] || { echo "nothing was installed"; return 1; }
	selftests/vm/vm.sh --smp 2 --timeout 600 --out "$results/machine" -- \
		bash selftests/packages/loaded.sh "$installed"
}

rm -rf "$results"
start_results
[ -n "$release" ] || { echo "packages: no kernel in $cache: run scripts/deps.sh check" >&2; exit 1; }
run_test base base_is_there
run_test build build_packages
run_test lintian lint
run_test span span
run_test older build_older
if ! grep -q '^not ok' "$results/results.tap"; then
	run_test chroot in_chroot
	run_test machine in_machine
fi
failed=$(count '^not ok' "$results/results.tap")
skipped=$(count '^ok.*# *SKIP' "$results/results.tap")
passed=$(($(count '^ok' "$results/results.tap") - skipped))
grep -E '^ok.*# *SKIP' "$results/results.tap" | sed 's/^ok /skipped: /; s,# *SKIP,-,'
echo "Everything that was said is in build/results-packages ($((SECONDS - started)) s)."
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
