#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs one command as root in a virtual machine with another kernel.
#
# usage: vm.sh [--icount | --smp N [--turns]] [--mem SIZE] [--timeout SECONDS]
#              [--kernel NAME] --out DIR -- COMMAND [ARGUMENT...]
#
#   --icount    one CPU whose clock counts instructions: repeatable, and idle
#               time costs nothing (a sleep of 120 s takes about 4 s); it leaps
#               while a file is waited for, so TEST_TIMEOUT=0 is set
#   --smp N     N CPUs that really run side by side (default: 2)
#   --turns     they take turns instead: side by side, QEMU before 8.1 may go on
#               for ever with a breakpoint that another CPU has replaced
#   --mem       memory of the guest (default: 2G)
#   --timeout   longest time to wait, on this machine's clock (default: 300)
#   --kernel    a suite or a release of selftests/vm/kernels, or one that
#               scripts/debug-kernel.sh built (default: own)
#   --out       a folder for results, writable in the guest at the same path
#
# The guest sees this machine's files, read-only; what it writes to /tmp, /var
# and /etc is lost. Standard output and error of COMMAND are passed through,
# and its exit status is returned. 255: the guest died, hung or its kernel
# complained; one sentence on standard error says which.
#
# Left in DIR: dmesg (the kernel log), status (written by the guest: the proof
# that COMMAND ended) and console (what a dying kernel said).
set -eu

die() { echo "vm: $*" >&2; exit 255; }

# shellcheck source=selftests/vm/complaints.sh
. "$(dirname "$0")/complaints.sh"

usage() {
	sed -n '6,7s/^# //p' "$0" >&2
	exit 2
}

cache=${TCPTRAIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tcptrail}
cpus=2 icount=0 turns=0 memory=2G timeout=300 kernel=own out=

while [ $# -gt 0 ]; do
	case $1 in
	--icount)  icount=1 cpus=1; shift ;;
	--smp)     cpus=${2?}; shift 2 ;;
	--turns)   turns=1; shift ;;
	--mem)     memory=${2?}; shift 2 ;;
	--timeout) timeout=${2?}; shift 2 ;;
	--kernel)  kernel=${2?}; shift 2 ;;
	--out)     out=${2?}; shift 2 ;;
	--)        shift; break ;;
	*)         usage ;;
	esac
done
if [ -z "$out" ] || [ $# = 0 ]; then
	usage
fi

# ---- the parts ----

kernel_dir=$cache/kernels/$kernel
if [ ! -e "$kernel_dir/release" ]; then
	kernel_dir=$(grep -lx "$kernel" "$cache"/kernels/*/release 2>/dev/null | head -n 1)
	kernel_dir=${kernel_dir%/release}
fi
[ -n "$kernel_dir" ] || die "no kernel \"$kernel\" in $cache: run scripts/deps.sh demo"
release=$(cat "$kernel_dir/release")

if [ -x "$cache/virtme-ng/usr/bin/virtme-run" ]; then
	virtme=("$cache/virtme-ng/usr/bin/virtme-run")
	export PYTHONPATH=$cache/virtme-ng/usr/lib/python3/dist-packages
else
	virtme=("$(command -v virtme-run)") || die "no virtme-ng: run scripts/deps.sh demo"
fi

# Each name that is looked up, and each file that is read a second time, would
# be asked for on this machine again; and Linux before 5.16 asks in messages of
# 8 KiB, so slowly that udev gives up before the guest is ready. With --icount
# the guest's clock jumps whenever it waits for an answer. Nothing here changes
# under the guest, so it may remember. virtme-run has no option for it.
virtme=(python3 -c '
import sys
from virtme import mkinitramfs
from virtme.commands import run
mkinitramfs._INIT = mkinitramfs._INIT.replace(
    "access=any /dev/root", "access=any,msize=512000,cache=loose /dev/root")
sys.exit(run.main())')

mkdir -p "$out"
out=$(cd "$out" && pwd)
rm -f "$out/status" "$out/dmesg" "$out/console" "$out/guest.sh"

# ---- what the guest runs ----

# The results folder is mounted here rather than by virtme-init, which mounts
# its overlays at the same time and might cover it.
#
# Modules become visible only now, because udev would load a dozen of them for
# devices that nobody uses.
prologue="mount -t 9p -o trans=virtio,version=9p2000.L results '$out' && exec bash '$out/guest.sh'"

{
	printf 'out=%q\nmodules=%q\nrelease=%q\n' \
		"$out" "$kernel_dir/lib/modules/$release" "$release"
	printf 'export HOME=/root LANG=C.UTF-8 TCPTRAIL_CACHE=%q\n' "$cache"
	[ $icount = 0 ] || echo 'export TEST_TIMEOUT=0'
	printf 'cd %q\n' "$PWD"
	cat <<'EOF'
if [ ! -d /lib/modules ]; then
	mkdir /run/lib.upper /run/lib.work
	mount -t overlay -o lowerdir=/usr/lib,upperdir=/run/lib.upper,workdir=/run/lib.work lib /usr/lib
	mkdir /lib/modules
fi
mount -t tmpfs modules /lib/modules
ln -s "$modules" "/lib/modules/$release"
EOF
	printf '%q ' "$@"
	cat <<'EOF'

status=$?
dmesg > "$out/dmesg"
echo $status > "$out/status"
# virtme-init calls poweroff next; without it, init would die in a panic.
command -v poweroff > /dev/null || busybox poweroff -f
exit $status
EOF
} > "$out/guest.sh"

# ---- the virtual machine ----

# shellcheck disable=SC2054 # commas are qemu's
args=(
	# A kernel with 9p built in would do without, but needs a block layer then.
	--kimg "$kernel_dir/vmlinuz" --mods auto --force-initramfs --force-9p
	--cpus "$cpus" --memory "$memory"
	--overlay-rwdir /tmp --overlay-rwdir /var --overlay-rwdir /etc
	--script-sh "$prologue"
	# A machine that has complained is not worth testing on.
	--kopt panic_on_warn=1 --kopt oops=panic --kopt panic=-1
	# A dying kernel repeats its whole log on the second serial port; a
	# living one says nothing there, since slow output delays everything.
	--kopt panic_print=0x20 --kopt log_buf_len=4M
	--kopt earlycon=uart8250,io,0x2f8,115200n8 --kopt keep_bootcon
	# An empty value wins over the one virtme-run sets: see above.
	--kopt virtme_link_mods=
	--qemu-opt=-serial "--qemu-opt=file:$out/console"
	--qemu-opt=-fsdev
	"--qemu-opt=local,id=results,path=$out,security_model=none,multidevs=remap"
	--qemu-opt=-device
	--qemu-opt=virtio-9p-pci,fsdev=results,mount_tag=results
)

# Some kernels want options of their own.
while read -r option; do
	args+=(--kopt "$option")
done < <(cat "$kernel_dir/options" 2>/dev/null)

# /dev/kvm alone proves nothing: it exists, and hangs, in some virtual machines.
if [ $icount = 1 ] || [ $turns = 1 ] || ! grep -qwE 'vmx|svm' /proc/cpuinfo; then
	args+=(--disable-kvm)
fi
# shellcheck disable=SC2054
[ $icount = 0 ] || args+=(--qemu-opt=-icount --qemu-opt=shift=0,sleep=off)

# shellcheck disable=SC2054
[ $turns = 0 ] || args+=(--qemu-opt=-accel --qemu-opt=tcg,thread=single)

# qemu opens its standard output and error by name, so that files would be
# written over from the start: it gets pipes.
exec 3>&1 4>&2
set +e
{
	{
		# virtme-run resolves folders of the guest against its own.
		cd / || exit
		timeout -k 5 "$timeout" "${virtme[@]}" "${args[@]}" < /dev/null &
		pid=$!
		trap 'kill $pid 2>/dev/null' INT TERM
		wait $pid
		echo $? > "$out/virtme"
	} 2>&1 >&5 | grep -av --line-buffered 'icount sleep disabled' >&4
} 5>&1 | cat >&3
set -e
ended=$(cat "$out/virtme")
rm -f "$out/virtme" "$out/guest.sh"

# ---- what became of it ----

if [ "$ended" = 124 ] || [ "$ended" = 137 ]; then
	die "the guest did not finish within $timeout s"
fi
if [ ! -s "$out/status" ]; then
	grep -aE 'Kernel panic|BUG|WARNING|Oops|RIP: 0010' "$out/console" 2>/dev/null |
		head -n 5 >&2 || true
	die "the guest died before the command ended; its last words are in $out/console"
fi

complained
exit "$(cat "$out/status")"
