#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs one static program as root in a virtual machine that has nothing but a
# kernel, a loopback interface and busybox. For kernels that cannot mount this
# machine's files, as the cloud flavours; otherwise vm.sh does more.
#
# usage: bare.sh --kernel NAME [--timeout SECONDS] --out DIR -- PROGRAM MODULE
#
#   --kernel    a folder of CACHE/kernels, see selftests/vm/kernels; if it has a
#               busybox of its own, the machine is one for that: amd64 or arm64
#   --timeout   longest time to wait, on this machine's clock (default: 300)
#   --out       a folder for results
#   PROGRAM     gets the path of MODULE, a file, in TCPTRAIL_KO
#
# One CPU, whose clock counts instructions. What the program says is passed
# through, and its exit status is returned; 255: the guest died, hung or its
# kernel complained. The kernel log is left in DIR/dmesg.
set -eu

die() { echo "bare: $*" >&2; exit 255; }

usage() {
	sed -n '8s/^# //p' "$0" >&2
	exit 2
}

cache=${TCPTRAIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tcptrail}
kernel='' timeout=300 out=''

while [ $# -gt 0 ]; do
	case $1 in
	--kernel)  kernel=${2?}; shift 2 ;;
	--timeout) timeout=${2?}; shift 2 ;;
	--out)     out=${2?}; shift 2 ;;
	--)        shift; break ;;
	*)         usage ;;
	esac
done
if [ -z "$out" ] || [ -z "$kernel" ] || [ $# != 2 ]; then
	usage
fi
program=$1 module=$2
folder=$cache/kernels/$kernel
[ -e "$folder/release" ] || die "no kernel \"$kernel\": run scripts/kernels.sh get $kernel"
modules=$folder/lib/modules/$(cat "$folder/release")/kernel
busybox=$folder/busybox
[ -e "$busybox" ] || busybox=$(command -v busybox) || die "no busybox: run scripts/deps.sh demo"

mkdir -p "$out"
rm -f "$out/dmesg" "$out/said"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# ---- its files ----

root=$tmp/root
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev"
cp "$busybox" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
cp "$program" "$root/program"
cp "$module" "$root/tcptrail.ko"

# SOCK_DESTROY needs these two, packed or not.
for name in inet_diag tcp_diag; do
	for file in "$modules"/net/ipv4/$name.ko*; do
		case $file in
		*.xz)  xz -dc "$file" ;;
		*.zst) zstd -qdc "$file" ;;
		*)     cat "$file" ;;
		esac > "$root/$name.ko"
	done
done

# The kernel log is on the first serial port, what the program says on the
# second.
case $(file -bL "$busybox") in
*aarch64*)
	qemu='qemu-system-aarch64 -machine virt -cpu max,pauth-impdef=on -device pci-serial,chardev=said'
	log=ttyAMA0 said=ttyS0 ;;
*)
	qemu='qemu-system-x86_64 -machine q35 -cpu max -vga none -serial chardev:said'
	log=ttyS0 said=ttyS1 ;;
esac
echo "said=$said" > "$root/env"

cat > "$root/init" <<'EOF2'
#!/bin/sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
. /env
exec > "/dev/$said" 2>&1
$b ip link set lo up
$b insmod /inet_diag.ko
$b insmod /tcp_diag.ko
TCPTRAIL_KO=/tcptrail.ko HOME=/ /program
echo "exit status $?"
$b poweroff -f
EOF2
chmod +x "$root/init"
(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) > "$tmp/initrd"

# ---- the machine ----

kopts="console=$log loglevel=7 panic_on_warn=1 oops=panic panic=-1 log_buf_len=4M"
status=0
# The first serial port is given first.
# shellcheck disable=SC2086 # words
timeout -k 5 "$timeout" ${qemu%% *} -serial "file:$out/dmesg" \
	-chardev "file,id=said,path=$tmp/said" ${qemu#* } -m 1G \
	-display none -net none -no-reboot -monitor none \
	-icount shift=0,sleep=off \
	-kernel "$folder/vmlinuz" -initrd "$tmp/initrd" -append "$kopts" \
	< /dev/null 2> "$tmp/errors" || status=$?
tr -d '\r' < "$tmp/said" | grep -v '^exit status ' || true

# ---- what became of it ----

case $status in
0)       ;;
124|137) die "the guest did not finish within $timeout s" ;;
*)       cat "$tmp/errors" >&2; die "qemu failed ($status)" ;;
esac
splat='WARNING:|BUG:|Oops|Call Trace|general protection|UBSAN:|refcount_t|Kernel panic'
if grep -aE "$splat" "$out/dmesg" | head -n 5 >&2 && grep -qaE "$splat" "$out/dmesg"; then
	die "the kernel complained; its log is $out/dmesg"
fi
status=$(tr -d '\r' < "$tmp/said" | sed -n 's/^exit status //p')
[ -n "$status" ] || die "the guest died before the program ended; its log is $out/dmesg"
exit "$status"
