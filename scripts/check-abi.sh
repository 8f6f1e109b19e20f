#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Compares the layout of the ABI's structs with scripts/abi/abi.txt. A field
# that moves breaks readers and recordings: append instead, and write the table
# anew with "scripts/check-abi.sh update".
set -eu

cd "$(dirname "$0")/.."
mkdir -p build
gcc -Wall -Wextra -Werror -Imodule/uapi -o build/abi scripts/abi/abi.c
if [ "${1:-}" = update ]; then
	build/abi > scripts/abi/abi.txt
	exit
fi
# Every field of the header is in the table.
fields=$(grep -cE '^	(struct [a-z_]+|__[us][0-9]+|char) [a-z_]+(\[.*\])?;' \
	module/uapi/linux/tcptrail.h)
listed=$(grep -c ' offset ' scripts/abi/abi.txt)
[ "$fields" = "$listed" ] || {
	echo "The header has $fields fields, scripts/abi/abi.c names $listed." >&2
	exit 1
}
build/abi | diff -u scripts/abi/abi.txt -
