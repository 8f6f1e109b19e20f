#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs one command as root in a virtual machine of another architecture, in the
# system that scripts/kernels.sh unpacked for it.
#
# usage: foreign.sh [--icount | --smp N] [--timeout SECONDS] --kernel NAME
#                   --top DIR --out DIR -- COMMAND [ARGUMENT...]
#
#   --icount, --smp, --timeout   as for vm.sh
#   --kernel    a kernel of scripts/kernels.sh list whose name ends in -arm64
#   --top       a copy of this project with programs of that architecture; in the
#               guest at the same path, read-only, and where COMMAND is run
#   --out       a folder for results, writable in the guest at the same path
#
# Of this machine the guest sees these two. What COMMAND says is passed through in
# the end; the exit status, and what is left in DIR: as with vm.sh.
set -eu

die() { echo "vm: $*" >&2; exit 255; }

# shellcheck source=selftests/vm/complaints.sh
. "$(dirname "$0")/complaints.sh"

usage() {
	sed -n '7,8s/^# //p' "$0" >&2
	exit 2
}

cache=${TCPTRAIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tcptrail}
cpus='-smp 2' icount=0 timeout=300 kernel='' top='' out=''

while [ $# -gt 0 ]; do
	case $1 in
	--icount)  icount=1 cpus='-icount shift=0,sleep=off'; shift ;;
	--smp)     cpus="-smp ${2?}"; shift 2 ;;
	--timeout) timeout=${2?}; shift 2 ;;
	--kernel)  kernel=${2?}; shift 2 ;;
	--top)     top=${2?}; shift 2 ;;
	--out)     out=${2?}; shift 2 ;;
	--)        shift; break ;;
	*)         usage ;;
	esac
done
if [ -z "$kernel" ] || [ -z "$top" ] || [ -z "$out" ] || [ $# = 0 ]; then
	usage
fi
folder=$cache/kernels/$kernel
system=$cache/roots/$kernel
[ -e "$folder/release" ] || die "no kernel \"$kernel\": run scripts/kernels.sh get $kernel"
[ -d "$system" ] || die "no system for it: run scripts/kernels.sh system $kernel"
release=$(cat "$folder/release")
mkdir -p "$out"
out=$(cd "$out" && pwd)
top=$(cd "$top" && pwd)
rm -f "$out/status" "$out/dmesg" "$out/console" "$out/guest.sh"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# ---- what the guest starts with: a busybox, and how to get at files ----

root=$tmp/root
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/modules"
cp "$folder/busybox" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
needed=$(for module in virtio_pci 9pnet_virtio 9p overlay; do
	PATH=$PATH:/sbin:/usr/sbin modprobe -d "$folder" -S "$release" --show-depends "$module"
done | sed -n 's/^insmod \([^ ]*\) *$/\1/p' | awk '!seen[$0]++')
for file in $needed; do
	cp "$file" "$root/modules/"
	basename "$file" >> "$root/modules/order"
done
printf 'release=%q top=%q out=%q\n' "$release" "$top" "$out" > "$root/env"

cat > "$root/init" <<'EOF'
#!/bin/sh
b=/bin/busybox
# share TAG FOLDER OPTIONS
share() {
	$b mkdir -p "$2"
	$b mount -t 9p -o "trans=virtio,version=9p2000.L,$3" "$1" "$2"
}
# Nothing here changes under the guest, so it may remember.
kept=ro,msize=512000,cache=loose
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in $($b cat /modules/order); do
	$b insmod "/modules/$module"
done
. /env
share system /system $kept
$b mkdir -p /written /new
$b mount -t tmpfs written /written
$b mkdir /written/upper /written/work
$b mount -t overlay -o lowerdir=/system,upperdir=/written/upper,workdir=/written/work system /new
for folder in proc sys dev; do
	$b mkdir -p /new/$folder
	$b mount --move /$folder /new/$folder
done
$b mkdir -p /new/dev/pts /new/dev/shm /new/root
$b ln -s /proc/self/fd /new/dev/fd
$b mount -t devpts devpts /new/dev/pts
for folder in dev/shm run tmp var/tmp; do
	$b mount -t tmpfs -o mode=1777 tmp /new/$folder
done
share top "/new/$top" $kept
share out "/new/$out" rw
share modules "/new/lib/modules/$release" $kept
$b mount -t cgroup2 cgroup /new/sys/fs/cgroup
$b mount -t debugfs debug /new/sys/kernel/debug
$b cp $b /new/bin/
# Who is in a chroot may have no user namespace of its own.
exec $b switch_root /new /bin/bash "$out/guest.sh"
EOF
chmod +x "$root/init"
(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) > "$tmp/initrd"

# ---- what the guest runs ----

{
	printf 'out=%q\ncd %q\nexport TCPTRAIL_CACHE=%q\n' "$out" "$top" "$top/build/cache"
	[ $icount = 0 ] || echo 'export TEST_TIMEOUT=0'
	cat <<'EOF'
export HOME=/root LANG=C.UTF-8 TERM=linux PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec > /dev/ttyS0 2>&1 < /dev/null
ip link set lo up
EOF
	printf '%q ' "$@"
	cat <<'EOF'

status=$?
dmesg > "$out/dmesg"
echo $status > "$out/status"
sync
exec busybox poweroff -f
EOF
} > "$out/guest.sh"

# ---- the virtual machine ----

# share TAG FOLDER [OPTION]
share() {
	args+=(-fsdev "local,id=$1,path=$2,security_model=none,multidevs=remap${3:-}"
	       -device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}

args=()
share system "$system" ,readonly=on
share top "$top" ,readonly=on
share out "$out"
share modules "$folder/lib/modules/$release" ,readonly=on
status=0
# shellcheck disable=SC2086 # words
timeout -k 5 "$timeout" qemu-system-aarch64 -machine virt -cpu max,pauth-impdef=on \
	$cpus -m 2G -display none -net none -no-reboot -monitor none \
	-serial "file:$out/console" -chardev "file,id=said,path=$tmp/said" \
	-device pci-serial,chardev=said "${args[@]}" \
	-kernel "$folder/vmlinuz" -initrd "$tmp/initrd" \
	-append "console=ttyAMA0 loglevel=3 panic_on_warn=1 oops=panic panic=-1 log_buf_len=4M" \
	< /dev/null 2> "$tmp/errors" || status=$?
tr -d '\r' < "$tmp/said"

# ---- what became of it ----

case $status in
0)       ;;
124|137) die "the guest did not finish within $timeout s" ;;
*)       cat "$tmp/errors" >&2; die "qemu failed ($status)" ;;
esac
[ -s "$out/status" ] ||
	die "the guest died before the command ended; its last words are in $out/console"
rm -f "$out/guest.sh"
complained
exit "$(cat "$out/status")"
