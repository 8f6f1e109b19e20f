# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Where tests find things. To be sourced with the top folder as the current one.

top=$PWD
cache=${TCPTRAIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tcptrail}

TCPTRAIL_KO=$top/build/$(uname -r)/tcptrail.ko
export TCPTRAIL_KO
export TCPTRAIL=$top/build/tools/tcptrail
export KSELFTEST=$cache/linux-source/tools/testing/selftests
export PATH=$top/build/tools:$cache/programs:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PYTHONDONTWRITEBYTECODE=1
