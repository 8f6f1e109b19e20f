# SPDX-License-Identifier: GPL-2.0
"""Network namespaces, their links and addresses, and the capture on each.

A Net is one namespace with one link. Nets come as sets: a pair joined by veth
("main-a" the clients, "main-b" the servers) and one where both ends sit on
loopback ("main-l"). Sets differ in sysctls and queueing disciplines.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import time

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

COMMON = {
    "ipv4/tcp_syn_retries": 2, "ipv4/tcp_synack_retries": 2,
    "ipv4/tcp_retries2": 5, "ipv4/tcp_fastopen": 3, "ipv4/tcp_no_metrics_save": 1,
    "ipv6/conf/all/accept_dad": 0, "ipv6/conf/default/accept_dad": 0,
    "ipv6/conf/all/autoconf": 0, "ipv6/conf/default/router_solicitations": 0,
}
SETS = {
    "main": {},
    "slow": {"ipv4/tcp_fin_timeout": 7, "ipv4/tcp_syncookies": 0},
    "odd": {"ipv4/tcp_syncookies": 2, "ipv4/tcp_max_tw_buckets": 0},
    # The copy of a segment, late, may be answered by a RST, which ends TIME_WAIT.
    "dup": {"ipv4/tcp_rfc1337": 1},
    "few": {"ipv4/ip_local_port_range": "40000 40000", "ipv4/tcp_tw_reuse": 1},
    "gone": {},
}
QDISC = {"slow": "delay 40ms", "dup": "duplicate 100%"}


def boot_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def real_offset():
    """Nanoseconds to add to CLOCK_REALTIME for CLOCK_BOOTTIME."""
    best = None
    for _ in range(20):
        a = boot_ns()
        r = time.time_ns()
        b = boot_ns()
        if best is None or b - a < best[0]:
            best = (b - a, (a + b) // 2 - r)
    return best[1]


class Stage:
    """Programs on tmpfs. The root of the guest is a slow network file system,
    and while the guest waits for it the clock runs ahead by seconds."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        self.argv = {}

    def add(self, name, path=None):
        path = path or shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if not path:
            return False
        out = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
        target = os.path.join(self.directory, name)
        shutil.copy(path, target)
        os.chmod(target, 0o755)
        loader = None
        for word in out.split():
            if word.startswith("/"):
                lib = os.path.join(self.directory, os.path.basename(word))
                if not os.path.exists(lib):
                    shutil.copy(word, lib)
                    os.chmod(lib, 0o755)
                if "/ld-linux" in word or os.path.basename(word).startswith("ld-"):
                    loader = lib
        self.argv[name] = [loader, "--argv0", name, "--library-path", self.directory,
                           target] if loader else [target]
        return True

    def __call__(self, name, *args):
        return self.argv[name] + list(args)


def run(argv, check=True, timeout=3600, **kw):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, **kw)
    if check and done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(argv[-6:]), done.stderr.strip()))
    return done.stdout


@contextlib.contextmanager
def inside(name):
    """This thread is in the network namespace for a while."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/" + name, os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns " + name)
        yield
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)


class Net:
    """One namespace, one link: what it is called and which addresses it has."""

    def __init__(self, name, dev, addr4, addr6, raw4=None, raw6=None):
        self.name, self.dev = name, dev
        self.addr = {4: addr4, 6: addr6}
        self.raw = {4: raw4, 6: raw6}     # addresses nobody answers for
        self.pcap = None
        self.ino = 0
        self.tun = None

    def opened(self):
        self.ino = os.stat("/run/netns/" + self.name).st_ino


def sysctl(net, values):
    with inside(net.name):
        for key, value in values.items():
            with open("/proc/sys/net/" + key, "w") as f:
                f.write(str(value))


class Topology:
    def __init__(self, stage, directory):
        self.stage, self.directory = stage, directory
        self.nets, self.dumps = {}, []

    def build(self):
        lines = []
        for i, name in enumerate(SETS):
            a, b, l = name + "-a", name + "-b", name + "-l"
            for n in (a, b, l):
                lines.append("netns add " + n)
            lines.append("link add va netns %s type veth peer name vb netns %s" % (a, b))
            v4, v6 = "10.%d.0." % (70 + i), "fd%d::" % (70 + i)
            self.nets[a] = Net(a, "va", v4 + "1", v6 + "1", v4 + "9", v6 + "9")
            self.nets[b] = Net(b, "vb", v4 + "2", v6 + "2")
            self.nets[l] = Net(l, "lo", "127.0.0.1", "::1", "127.0.0.9", "fd99::9")
        for n in ("tun-a", "napi-a", "napi-b"):
            lines.append("netns add " + n)
        lines.append("link add va netns napi-a type veth peer name vb netns napi-b")
        self.nets["napi-a"] = Net("napi-a", "va", "10.80.0.1", "fd80::1")
        self.nets["napi-b"] = Net("napi-b", "vb", "10.80.0.2", "fd80::2")
        self.nets["tun-a"] = Net("tun-a", "tun0", "10.81.0.2", "fd81::2",
                                 "10.81.0.9", "fd81::9")
        run(self.stage("ip", "-batch", "-"), input="\n".join(lines))
        for net in self.nets.values():
            net.opened()
            self.configure(net)
        self.threaded_napi()

    def configure(self, net):
        values = dict(COMMON)
        values.update(SETS.get(net.name[:-2], {}))
        sysctl(net, values)
        if net.name == "tun-a":
            net.tun = self.make_tun(net)
        lines = ["link set lo up", "link set %s up" % net.dev]
        extra = [(net.raw[4], net.raw[6])] if net.raw[4] and not net.tun else []
        own = [(net.addr[4], net.addr[6])] if net.dev != "lo" else []
        for v4, v6 in own + extra:
            if net.dev != "lo" or not v4.startswith("127."):
                lines.append("addr add %s/24 dev %s" % (v4, net.dev))
            # Deprecated: not to be chosen as the source of other connections.
            lines.append("addr add %s/64 dev %s nodad%s" % (
                v6, net.dev, " preferred_lft 0" if v6 == net.raw[6] else ""))
        run(self.stage("ip", "-n", net.name, "-batch", "-"), input="\n".join(lines))
        lines = []
        kind = net.name[:-2]
        if kind in QDISC:
            lines.append("qdisc add dev %s root netem limit 100000 %s" %
                         (net.dev, QDISC[kind]))
        if extra:
            # Nobody answers for the raw addresses but the raw peers.
            lines.append("qdisc add dev %s clsact" % net.dev)
            lines.append("filter add dev %s ingress protocol ip prio 1 u32 match ip dst "
                         "%s/32 action drop" % (net.dev, net.raw[4]))
            lines.append("filter add dev %s ingress protocol ipv6 prio 2 u32 match ip6 dst "
                         "%s/128 action drop" % (net.dev, net.raw[6]))
        if lines:
            run(self.stage("tc", "-n", net.name, "-batch", "-"), input="\n".join(lines))

    def make_tun(self, net):
        with inside(net.name):
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            # IFF_TUN | IFF_NO_PI
            fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))
        return fd

    def threaded_napi(self):
        """veth has NAPI only with generic receive offload switched on."""
        for name in ("napi-a", "napi-b"):
            net = self.nets[name]
            with inside(name):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    value = ctypes.create_string_buffer(struct.pack("II", 0x2C, 1))
                    req = struct.pack("16sQ16x", net.dev.encode(), ctypes.addressof(value))
                    fcntl.ioctl(s, 0x8946, req)
                # A sysfs shows the devices of the namespace it was mounted from.
                where = os.path.join(self.directory, "sys-" + name)
                os.makedirs(where, exist_ok=True)
                if libc.mount(b"sysfs", where.encode(), b"sysfs", 0, None):
                    raise OSError(ctypes.get_errno(), "mount sysfs")
            # Linux 5.10 has no threaded NAPI; packets then come by softirq.
            threaded = "%s/class/net/%s/threaded" % (where, net.dev)
            if os.path.exists(threaded):
                with open(threaded, "w") as f:
                    f.write("1")
            libc.umount2(where.encode(), 2)

    # ---- capture ----

    def capture(self, out, timeout=200):
        """One tcpdump per link, for the whole run."""
        for net in self.nets.values():
            net.pcap = os.path.join(out, net.name + ".pcap")
            err = open(net.pcap + ".err", "w")
            with inside(net.name):
                self.dumps.append(subprocess.Popen(
                    self.stage("tcpdump", "-Z", "root", "-U", "-n", "-s", "128",
                               "-B", "8192", "--time-stamp-precision=nano",
                               "-i", net.dev, "-w", net.pcap, "tcp or sctp or icmp or icmp6"),
                    stderr=err, stdin=subprocess.DEVNULL))
            err.close()
        for net in self.nets.values():
            for _ in range(timeout * 20):
                with open(net.pcap + ".err") as f:
                    if "listening on" in f.read():
                        break
                time.sleep(0.05)
            else:
                raise RuntimeError("tcpdump on %s does not start" % net.name)

    def stop_capture(self):
        for p in self.dumps:
            p.terminate()
        for p in self.dumps:
            try:
                p.wait(30)
            except subprocess.TimeoutExpired:
                p.kill()
        self.dumps = []
