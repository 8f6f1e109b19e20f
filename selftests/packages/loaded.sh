# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The module that dkms has built, the tool and the udev rule of the packages, in
# a virtual machine. TAP.
#
# usage: loaded.sh FOLDER     what the packages have installed
set -u

installed=$1
tool=$installed/usr/sbin/tcptrail
n=0

check() {
	local text=$1
	shift
	n=$((n + 1))
	if "$@" > /tmp/said 2>&1; then
		echo "ok $n - $text"
	else
		echo "not ok $n - $text"
		sed 's/^/# /' /tmp/said
	fi
}

doctor() {
	"$tool" doctor > /tmp/doctor
	local status=$?
	cat /tmp/doctor
	[ $status = 0 ] && grep -q '^All is well' /tmp/doctor
}

node() {
	udevadm settle
	stat -c '%G %a' /dev/tcptrail
	[ "$(stat -c '%G %a' /dev/tcptrail)" = 'tcptrail 640' ]
}

# A member of the group, and nobody else but root.
as() {
	setpriv --reuid=65534 --regid=65534 --groups="$1" "$tool" doctor
}

stranger() {
	! as 65534
}

# The daemon of these machines has been told to look up no names of groups.
udev_rule() {
	mkdir -p /run/udev/rules.d &&
		cp "$installed"/lib/udev/rules.d/*tcptrail.rules /run/udev/rules.d/ &&
		udevadm control --exit &&
		/lib/systemd/systemd-udevd --daemon --resolve-names=early
}

group() {
	groupadd --system "$(sed -n 's/^g \([a-z]*\) .*/\1/p' \
		"$installed/usr/lib/sysusers.d/tcptrail.conf")"
}

check "the group, named by the sysusers entry" group
check "udev takes the rule" udev_rule
check "modprobe loads the packaged module" modprobe -d "$installed" tcptrail
check "doctor: all is well" doctor
check "the device belongs to the group" node
check "a member of the group may read it" as "$(getent group tcptrail | cut -d : -f 3)"
check "others may not" stranger
check "the module is unloaded" rmmod tcptrail
echo "1..$n"
