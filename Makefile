# SPDX-License-Identifier: GPL-2.0
#
# make            the module for the running kernel, and the tool
# make load       build, then load the module (unload: remove it)
# make install    module and tool (PREFIX, DESTDIR); make uninstall
# make deb        Debian packages, in build/deb
# make dist       what is committed, as build/tcptrail-VERSION.tar.gz
# make demo       see it work in a virtual machine; nothing is installed here
# make check      every test; make check-native: those without a machine
# make check-kernels   the tests on other kernels (KERNELS="NAME...")
# make check-poison    is every byte of every record filled
# make fuzz            random input for the tool, guided by coverage
# make check-packages  install, upgrade and remove the packages, in a chroot
# make check-debug     every test on kernels that look for mistakes
# make torture         loads, unloads, faults, hotplug ... (KERNELS="own debug")
# make check-defects   seed ten defects; every one must be caught
# make bench           what it costs, beside other tools
# make differential    random connections against an independent model
#                      (CONNECTIONS=100000 SEED=1)
# make doc-pictures    the pictures of Documentation/tcp.rst (RECORD=1: of a new run)
# make check-pictures  the pages of export in a browser (installs chromium)
# make clean
#
# V=1 shows every command. KDIR=... builds for another kernel.

PREFIX ?= /usr/local
KDIR   ?= /lib/modules/$(shell uname -r)/build
CACHE  := $(or $(TCPTRAIL_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tcptrail)

# Everything that is built for a kernel lands in build/RELEASE/, never beside
# the sources: those appear there as links.
release = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h 2>/dev/null)
out     = $(CURDIR)/build/$(release)
sudo    = $(if $(filter 0,$(shell id -u)),,sudo)

ifeq ($(V),1)
Q :=
kbuild = $(MAKE) -C $(KDIR) M=$(out) CONFIG_DEBUG_INFO_BTF_MODULES=
else
Q := @
MAKEFLAGS += --no-print-directory
kbuild = $(MAKE) -s -C $(KDIR) M=$(out) CONFIG_DEBUG_INFO_BTF_MODULES=
endif

all: tool
	$(Q)if [ -e $(KDIR)/Makefile ]; then \
		$(MAKE) module; \
	else \
		echo "No headers of this kernel in $(KDIR), so only the tool was built (scripts/deps.sh build may help)."; \
	fi

module:
	$(Q)[ -n "$(release)" ] || { \
		echo "make: no kernel headers in $(KDIR): run scripts/deps.sh build, or give KDIR=" >&2; exit 1; }
	$(Q)mkdir -p $(out)/module
	$(Q)find $(out) -xtype l -delete
	$(Q)ln -sf $(CURDIR)/Kbuild $(CURDIR)/VERSION $(out)/
	$(Q)cp -rsf $(CURDIR)/module/. $(out)/module/
	$(Q)$(kbuild) modules
	@echo "  built   build/$(release)/tcptrail.ko"

tool:
	$(Q)$(MAKE) -C tools

load: module
	$(Q)$(sudo) insmod $(out)/tcptrail.ko
	@echo "  loaded; read it with: $(sudo) build/tools/tcptrail"

unload:
	$(Q)$(sudo) rmmod tcptrail

install: all
	$(Q)$(MAKE) -C tools install PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)
	$(Q)if [ -e $(out)/tcptrail.ko ]; then \
		install -D -m 644 $(out)/tcptrail.ko \
			$(DESTDIR)/lib/modules/$(release)/updates/tcptrail.ko && \
		{ [ -n "$(DESTDIR)" ] || /sbin/depmod $(release); }; \
	fi

uninstall:
	$(Q)$(MAKE) -C tools uninstall PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)
	$(Q)rm -f $(DESTDIR)/lib/modules/$(release)/updates/tcptrail.ko
	$(Q)[ -n "$(DESTDIR)$(if $(release),,none)" ] || /sbin/depmod $(release)

version := $(shell cat VERSION)
deb     := build/deb/tcptrail-$(version)

# Built from a copy, so that nothing is left in this folder. The version of a
# package stands in its changelog: it has to be the one of VERSION.
deb:
	$(Q)scripts/deps.sh deb
	$(Q)[ "$$(dpkg-parsechangelog -S Version)" = $(version) ] || { \
		echo "make: debian/changelog is not about version $(version)" >&2; exit 1; }
	$(Q)rm -rf build/deb
	$(Q)mkdir -p $(deb)
	$(Q)tar -c --exclude=./build --exclude=./.git . | tar -x -C $(deb)
	$(Q)(cd $(deb) && DEB_BUILD_OPTIONS="nocheck $$DEB_BUILD_OPTIONS" dpkg-buildpackage -b -us -uc) > build/deb/log 2>&1 < /dev/null || { \
		tail -n 30 build/deb/log >&2; exit 1; }
	$(Q)rm -rf $(deb)
	$(Q)ls build/deb/*.deb | sed 's/^/  built   /'

# The same commit makes the same file, byte for byte, wherever it is made.
dist:
	$(Q)git rev-parse --verify -q HEAD > /dev/null || { \
		echo "make: this is no git repository, so there is no commit to pack" >&2; exit 1; }
	$(Q)[ -z "$$(git status --porcelain)" ] || \
		echo "make: what is not committed is not in the tarball" >&2
	$(Q)mkdir -p build
	$(Q)git -c tar.umask=0022 archive --format=tar --prefix=tcptrail-$(version)/ HEAD | \
		gzip -9n > build/tcptrail-$(version).tar.gz
	$(Q)echo "  packed  build/tcptrail-$(version).tar.gz"

# The kernel for demo and check is an unpacked one, see scripts/deps.sh.
cached = KDIR=$(CACHE)/kernels/own/build

demo:
	$(Q)scripts/deps.sh demo
	$(Q)$(MAKE) tool
	$(Q)$(MAKE) module $(cached)
	@echo "A virtual machine starts, with its own kernel (about half a minute)."
	$(Q)selftests/vm/vm.sh --icount --out build/results/demo -- \
		bash -c '. selftests/env.sh && exec selftests/demo.sh'

check:
	$(Q)scripts/deps.sh check
	$(Q)selftests/check.sh native vm

check-native:
	$(Q)scripts/deps.sh check
	$(Q)selftests/check.sh native

check-kernels:
	$(Q)scripts/deps.sh check
	$(Q)scripts/deps.sh cross
	$(Q)selftests/kernels.sh $(KERNELS)

# Modules that fill memory before they use it, for selftests/poison.sh.
check-poison:
	$(Q)scripts/deps.sh check
	$(Q)$(MAKE) tool
	$(Q)for byte in 0xf1 0xf7; do \
		$(MAKE) module $(cached) out=$(CURDIR)/build/poison-$$byte \
			TCPTRAIL_POISON=$$byte || exit 1; done
	$(Q)$(MAKE) -C selftests
	$(Q)for byte in 0xf1 0xf7; do \
		results=$(CURDIR)/build/results/poison-$$byte; \
		selftests/vm/vm.sh --icount --timeout 1800 --out $$results -- \
			env TT_POISON=$$byte selftests/run.sh $$results poison.sh || exit 1; \
	done

# FUZZ_SECONDS for each target, see tools/tests/fuzz/fuzz.sh
fuzz:
	$(Q)scripts/deps.sh fuzz
	$(Q)tools/tests/fuzz/fuzz.sh build/tools

check-packages:
	$(Q)scripts/deps.sh check
	$(Q)scripts/deps.sh deb
	$(Q)selftests/packages.sh

check-debug:
	$(Q)scripts/deps.sh debug
	$(Q)selftests/debug.sh

torture:
	$(Q)scripts/deps.sh $(if $(filter debug kcsan,$(KERNELS)),debug,check)
	$(Q)for kernel in $(or $(KERNELS),own); do \
		selftests/torture.sh --kernel $$kernel || exit 1; \
	done

check-defects:
	$(Q)scripts/deps.sh debug
	$(Q)selftests/defects.sh

bench:
	$(Q)scripts/deps.sh check
	$(Q)bench/run.sh

differential:
	$(Q)scripts/deps.sh check
	$(Q)$(MAKE) tool
	$(Q)$(MAKE) module $(cached)
	$(Q)$(MAKE) -s -C selftests
	$(Q)selftests/differential/run.sh $(or $(CONNECTIONS),100000) $(or $(SEED),1)

doc-pictures: tool
	$(Q)[ "$(or $(RECORD),0)" = 0 ] || { scripts/deps.sh check && \
		$(MAKE) module $(cached) && $(MAKE) -s -C selftests; }
	$(Q)scripts/doc-pictures.sh

check-pictures: tool
	$(Q)scripts/deps.sh pictures
	$(Q)$(MAKE) -C tools mkrec
	$(Q)tools/tests/pictures/browser.sh build/tools

clean:
	$(Q)rm -rf build

.PHONY: all module tool load unload install uninstall demo check check-native \
	check-kernels check-poison check-packages check-pictures check-debug torture check-defects \
	deb dist differential fuzz bench doc-pictures clean
