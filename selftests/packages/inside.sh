# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The life of the packages, in the chroot that packages.sh has made: installed,
# upgraded, built for a new kernel, broken, mended, removed, purged. TAP.
#
# usage: inside.sh VERSION
#
# Leaves what was installed in /packages/out/installed, and the lists of files
# before and after in /packages/out.
set -u

version=$1
out=/packages/out
release=$(cat /packages/release)
n=0

# check TEXT COMMAND...: what it says is shown if it fails
check() {
	local text=$1
	shift
	n=$((n + 1))
	if "$@" > /tmp/said 2>&1; then
		echo "ok $n - $text"
	else
		echo "not ok $n - $text"
		tail -n 40 /tmp/said | sed 's/^/# /'
	fi
	rm -f /tmp/said
}

apt() {
	apt-get -q -y -o Dpkg::Use-Pty=0 -o APT::Sandbox::User=root "$@" < /dev/null
}

not() {
	! "$@"
}

# Everything that could be left behind: names, kinds, owners, modes, and what
# stands in the files that configure something.
list_files() {
	{
		find / -xdev \( -path /packages -o -path /tmp -o -path /proc -o -path /dev \
			-o -path /sys -o -path /run -o -path /var/cache -o -path /var/log \) -prune \
			-o -path '/var/lib/dpkg/*' ! -path '/var/lib/dpkg/info/*' \
			-o -path '/var/lib/apt/*' \
			-o -printf '%p %y %M %U:%G %l\n'
		find /etc -type f ! -name '*-' ! -name ld.so.cache -exec sha256sum {} +
		find /var/lib/dkms -type f -exec sha256sum {} +
	} | sort
}

# built_for RELEASE VERSION: by dkms, and fit to be loaded there
built_for() {
	local ko
	dkms status -m tcptrail
	dkms status -m tcptrail -v "$2" -k "$1" | grep -q installed || return 1
	ko=$(find "/lib/modules/$1/updates/dkms" -name 'tcptrail.ko*')
	[ -n "$ko" ] || return 1
	[ "$(modinfo -F version "$ko")" = "$2" ] || return 1
	modinfo -F vermagic "$ko" | grep -q "^$1 " &&
		grep -q '^updates/dkms/tcptrail.ko' "/lib/modules/$1/modules.dep"
}

not_built_for() {
	not test -e "/lib/modules/$1/updates/dkms/tcptrail.ko"
}

# Exit status 1, and one sentence that says what to type.
doctor_without_module() {
	local status=0
	tcptrail doctor > /tmp/doctor 2>&1 || status=$?
	cat /tmp/doctor
	[ $status = 1 ] && [ "$(wc -l < /tmp/doctor)" = 1 ] &&
		grep -q 'not loaded.*sudo modprobe tcptrail' /tmp/doctor
}

# image_installed RELEASE, image_purged RELEASE: the files in /lib/modules that the
# package of a kernel brings, and those that it removes at last. There are only
# headers here, and the folder of a kernel belongs to its image.
image_installed() {
	mkdir -p "/lib/modules/$1"
	touch "/lib/modules/$1/modules.order" "/lib/modules/$1/modules.builtin"
	depmod "$1"
}

image_purged() {
	local name
	for name in order builtin dep alias symbols softdep devname '*.bin'; do
		# shellcheck disable=SC2086 # a pattern
		rm -f "/lib/modules/$1"/modules.$name
	done
	rmdir "/lib/modules/$1"
}

# passed_over RELEASE [OPTION]: as after the installation of a new kernel, whose
# package calls this with its release and fails if this does. Nothing is built.
passed_over() {
	local status=0 build=/lib/modules/$1/build
	mkdir -p "$build"
	ln -s "/usr/src/linux-headers-$release/include" "$build/include"
	{ cat "/usr/src/linux-headers-$release/.config"; echo "${2:-}"; } > "$build/.config"
	/etc/kernel/header_postinst.d/dkms "$1" || status=$?
	dkms status -m tcptrail
	find /var/lib/dkms/tcptrail -name "$1*" | grep . && status=1
	not_built_for "$1" || status=1
	rm -rf "/lib/modules/$1"
	return $status
}

# The same version, whose source does not compile.
make_broken() {
	dpkg-deb -R "/packages/new/tcptrail-dkms_${version}_all.deb" /tmp/broken &&
		echo '#error this was to be expected' >> "/tmp/broken/usr/src/tcptrail-$version/module/main.c" &&
		dpkg-deb -b /tmp/broken /packages/broken.deb
	rm -rf /tmp/broken
}

# Neither a module of before nor half of one; and it is said.
install_broken() {
	apt install --reinstall --allow-downgrades /packages/broken.deb > /tmp/apt 2>&1
	cat /tmp/apt
	grep -qi 'error\|bad exit' /tmp/apt && not_built_for "$release" && not_built_for "$cloud" &&
		not grep -q tcptrail "/lib/modules/$release/modules.dep"
}

files_of() {
	diff <(dpkg -L tcptrail tcptrail-dkms | sort -u | while read -r path; do
		case $path in
		''|/usr/share/doc/*|/usr/src/*/module/*) ;;
		*) [ -d "$path" ] || echo "$path" ;;
		esac
	done) <(sed '/^#/d' /packages/tests/files | sed "s/VERSION/$version/" | sort)
}

# What the virtual machine will use.
keep_installed() {
	(cd / && tar -c lib/modules/"$release"/modules.* lib/modules/"$release"/updates \
		$(dpkg -L tcptrail | while read -r path; do
			[ -d "$path" ] || echo "${path#/}"
		done)) | tar -x -C $out/installed
}

nothing_left() {
	diff $out/before $out/after
}

cloud=$(basename /packages/linux-headers-*.deb); cloud=${cloud#linux-headers-}; cloud=${cloud%%_*}
image_installed "$release"
# As on any machine that ever had a group more: a copy of each file from before.
groupadd --system passing && groupdel passing
list_files > $out/before

check "the version before is installed" apt install /packages/old/*.deb
check "its module is built at installation" built_for "$release" 0.0.9
check "upgrade" apt install /packages/new/tcptrail_*.deb /packages/new/tcptrail-dkms_*.deb
check "the module is that of the new version" built_for "$release" "$version"
check "nothing is left of the version before" not find /usr/src/tcptrail-0.0.9 /var/lib/dkms/tcptrail/0.0.9
check "the packages hold what they should" files_of
check "the group tcptrail is there" getent group tcptrail
check "tcptrail doctor says how to load the module" doctor_without_module
check "keep what is installed" keep_installed

check "a new kernel" image_installed "$cloud"
check "and its headers" apt install /packages/linux-headers-*.deb
check "the module is built for it at once" built_for "$cloud" "$version"
check "and still there for the other" built_for "$release" "$version"
check "a kernel after the span is passed over" passed_over 7.99.0-1-amd64
check "one before it, too" passed_over 5.9.0-1-amd64
check "and one with PREEMPT_RT" passed_over 6.1.0-99-rt-amd64 CONFIG_PREEMPT_RT=y

check "a package that does not compile" make_broken
check "a failed build leaves no module" install_broken
# Not with apt, which finds no file for a version that is half configured already.
check "and is mended by the next installation" dpkg -i "/packages/new/tcptrail-dkms_${version}_all.deb"
check "the module is there again" built_for "$release" "$version"
check "for both kernels" built_for "$cloud" "$version"

check "the module's package is removed" apt remove tcptrail-dkms
check "no module is left" not_built_for "$release"
check "for the other kernel neither" not_built_for "$cloud"
check "the broken one is installed again" install_broken
check "both are purged" apt purge tcptrail tcptrail-dkms
check "the new kernel's headers are purged" apt purge "linux-headers-$cloud"
check "and it, whose folder is empty then" image_purged "$cloud"
list_files > $out/after
check "purge leaves nothing behind" nothing_left
echo "1..$n"
