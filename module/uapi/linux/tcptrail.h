/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/tcptrail: what happened to every TCP connection of this machine.
 *
 * This header is the whole contract between the module and its readers, and
 * the format of recorded files.
 *
 * Reading
 * -------
 * The device is a stream of records. read() returns whole records, as many as
 * fit; a buffer smaller than TCPTRAIL_RECORD_MAX is refused with EINVAL and
 * moves nothing. Every record starts with struct tcptrail_hdr. Advance by
 * hdr.size, never by sizeof; skip a type you do not know; treat a field that
 * lies beyond hdr.size as absent. Fields are only ever appended.
 *
 * A freshly opened file delivers, in this order:
 *
 *   1. history: what the rings held when the file was opened (STEP, EVENT,
 *      END records, per CPU in the order they were written);
 *   2. a TRAIL record for every connection that is open, with all its steps,
 *      also those the rings have long since overwritten;
 *   3. what was recorded meanwhile, then one SYNC record: everything that was
 *      published before the walk of (2) ended has now been delivered. A
 *      reader that only wants to know how things stand stops here;
 *   4. live records, as they come.
 *
 * The same step can therefore arrive as a STEP, in a TRAIL and in an END:
 * drop repeats by (cookie, birth_ns, step). Records of one CPU are delivered
 * in the order they were written; between CPUs the order is best effort. The
 * order within one connection is that of the step number, always.
 *
 * Loss
 * ----
 * Each CPU has its own ring, which overwrites its oldest records. A reader
 * that was too slow gets a LOST record in the place of what it missed, with
 * the exact count for that ring. hdr.seq numbers the records of one ring
 * without holes, starting with 1, so for every reader and every ring:
 * delivered + lost = last seq - first seq + 1. Open files do not disturb one
 * another, nor the writer. After a loss TCPTRAIL_IOC_RESYNC repeats steps
 * (1) to (3), so the history of all open connections is recovered.
 *
 * Identity
 * --------
 * A connection is (cookie, birth_ns). The cookie is the kernel's socket
 * cookie (SO_COOKIE, "sk:" in ss -e, printed there in hexadecimal); it stays
 * the same from the request to the end of TIME_WAIT, and the same socket may
 * carry several connections one after the other (disconnect, connect again),
 * hence the birth.
 *
 * Units
 * -----
 * Times are nanoseconds of CLOCK_BOOTTIME. Ports and sequence numbers are in
 * host byte order. Addresses are 16 bytes in network byte order; IPv4 is
 * written as an IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2). All padding is
 * zero.
 */
#ifndef _UAPI_LINUX_TCPTRAIL_H
#define _UAPI_LINUX_TCPTRAIL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define TCPTRAIL_DEVICE		"/dev/tcptrail"
#define TCPTRAIL_MAGIC		0x4c525454	/* "TTRL", little endian */
/* Raised when a field changes its meaning; additions do not raise it. */
#define TCPTRAIL_ABI		1
/* No record is larger; the least buffer for read(). Bytes. */
#define TCPTRAIL_RECORD_MAX	256
/* Steps that a trail keeps. Later ones are only in the ring. */
#define TCPTRAIL_STEPS		12

/* hdr.type */
#define TCPTRAIL_STEP		1	/* struct tcptrail_step: a transition */
#define TCPTRAIL_EVENT		2	/* struct tcptrail_step: no transition */
#define TCPTRAIL_END		3	/* struct tcptrail_trail: it is over */
#define TCPTRAIL_TRAIL		4	/* struct tcptrail_trail: it is open */
#define TCPTRAIL_LOST		5	/* struct tcptrail_lost */
#define TCPTRAIL_SYNC		6	/* struct tcptrail_hdr only */

/**
 * struct tcptrail_hdr - start of every record
 * @seq: number of the record in the ring of @cpu, from 1 without holes;
 *	0 for records that come from no ring (TRAIL, LOST, SYNC)
 * @size: bytes of this record, this header included; a multiple of 8
 * @type: TCPTRAIL_STEP ...
 * @pad: 0
 * @cpu: number of the CPU whose ring held it (for LOST: which lost)
 * @ts_ns: CLOCK_BOOTTIME when it happened. Within a ring it only goes back for
 *	the step to SYN_SENT, which is told when the SYN goes out, a moment
 *	later, with port and ISN
 */
struct tcptrail_hdr {
	__u64 seq;
	__u16 size;
	__u8 type;
	__u8 pad;
	__u32 cpu;
	__u64 ts_ns;
};

/*
 * States. 1 to 12 are those of the kernel's net/tcp_states.h (RFC 9293, 3.3.2
 * and 12 for a request socket, which ss calls SYN-RECV). A FIN_WAIT2 or
 * TIME_WAIT in a minisocket has the same number as in a full socket.
 */
#define TCPTRAIL_ESTABLISHED	1
#define TCPTRAIL_SYN_SENT	2
#define TCPTRAIL_SYN_RECV	3
#define TCPTRAIL_FIN_WAIT1	4
#define TCPTRAIL_FIN_WAIT2	5
#define TCPTRAIL_TIME_WAIT	6
#define TCPTRAIL_CLOSE		7
#define TCPTRAIL_CLOSE_WAIT	8
#define TCPTRAIL_LAST_ACK	9
#define TCPTRAIL_LISTEN		10
#define TCPTRAIL_CLOSING	11
#define TCPTRAIL_NEW_SYN_RECV	12

/*
 * Causes: what made the transition. The module only names a cause it has
 * evidence for; everything else is UNKNOWN.
 */
#define TCPTRAIL_C_UNKNOWN		0
#define TCPTRAIL_C_CONNECT		1	/* connect() */
#define TCPTRAIL_C_LISTEN		2	/* listen() */
#define TCPTRAIL_C_SYN_IN		3	/* SYN received */
#define TCPTRAIL_C_SYNACK_IN		4	/* SYN+ACK received */
#define TCPTRAIL_C_ACK_IN		5	/* last ACK of the handshake */
#define TCPTRAIL_C_ACCEPT		6	/* accept(); state unchanged */
#define TCPTRAIL_C_FIN_IN		7	/* FIN received */
#define TCPTRAIL_C_CLOSE		8	/* close() of the last reference */
#define TCPTRAIL_C_SHUTDOWN		9	/* shutdown(SHUT_WR or RDWR) */
#define TCPTRAIL_C_EXIT			10	/* the process exited */
#define TCPTRAIL_C_ACK_OF_FIN		11	/* our FIN was acknowledged */
#define TCPTRAIL_C_FIN_ACK_IN		12	/* one segment: ACK of FIN, FIN */
#define TCPTRAIL_C_RST_IN		13	/* RST received */
#define TCPTRAIL_C_LINGER0		14	/* close() with SO_LINGER 0: RST */
#define TCPTRAIL_C_UNREAD		15	/* close() with unread data: RST */
#define TCPTRAIL_C_DATA_AFTER_CLOSE	16	/* data came after close(): RST */
#define TCPTRAIL_C_RTX_TIMEOUT		17	/* retransmissions exhausted */
#define TCPTRAIL_C_KEEPALIVE		18	/* keepalive probes unanswered */
#define TCPTRAIL_C_USER_TIMEOUT		19	/* TCP_USER_TIMEOUT (RFC 5482) */
#define TCPTRAIL_C_FIN_WAIT2_TIMEOUT	20	/* tcp_fin_timeout, TCP_LINGER2 */
#define TCPTRAIL_C_TW_EXPIRED		21	/* TIME_WAIT lasted its time */
#define TCPTRAIL_C_TW_NEW_SYN		22	/* ended by a new SYN */
#define TCPTRAIL_C_TW_REUSED		23	/* ended by connect(), tw_reuse */
#define TCPTRAIL_C_TW_RST		24	/* ended by a RST received */
#define TCPTRAIL_C_TW_LIMIT		25	/* tcp_max_tw_buckets, no memory */
#define TCPTRAIL_C_REFUSED		26	/* RST answered our SYN */
#define TCPTRAIL_C_UNREACHABLE		27	/* ICMP error; see err */
#define TCPTRAIL_C_DESTROYED		28	/* SOCK_DESTROY (ss -K) */
#define TCPTRAIL_C_DISCONNECT		29	/* connect(AF_UNSPEC), shutdown() */
#define TCPTRAIL_C_REPAIR		30	/* close() in TCP_REPAIR: silent */
#define TCPTRAIL_C_LISTENER_CLOSED	31	/* torn down with its listener */
#define TCPTRAIL_C_NETNS_EXIT		32	/* its network namespace went */
#define TCPTRAIL_C_LOST_RACE		33	/* spare child of two ACKs */
#define TCPTRAIL_C_NO_MEMORY		34	/* out of socket memory */
#define TCPTRAIL_C_SYNACK_TIMEOUT	35	/* last ACK never came */
#define TCPTRAIL_C_REQ_RESET		36	/* request: RST, or SYN in window */
#define TCPTRAIL_C_SYNCOOKIE		37	/* born from a valid SYN cookie */
#define TCPTRAIL_C_FASTOPEN		38	/* born from a SYN with TFO cookie */
#define TCPTRAIL_C_CONNECT_FAILED	39	/* connect() failed before a SYN */
#define TCPTRAIL_C_ACCEPTQ_FULL		40	/* last ACK dropped: queue full */
/* Only in EVENT records: */
#define TCPTRAIL_C_SYN_OUT		41	/* SYN out, later than SYN_SENT was
						 * told (TCP_FASTOPEN_CONNECT)
						 */
#define TCPTRAIL_C_SYNACK_RTX		42	/* SYN+ACK sent again; see count */
#define TCPTRAIL_C_RST_OUT		43	/* RST sent; see reason */
#define TCPTRAIL_C_TW_RESTART		44	/* 2MSL starts again */
#define TCPTRAIL_C_LISTEN_FAILED	45	/* listen() failed: port in use */
#define TCPTRAIL_C_MAX			45

/* Flags of a connection, in steps and trails. */
#define TCPTRAIL_F_LATE		0x0001	/* birth not seen: it is older than the
					 * module, or found no room then
					 * (info.no_trail)
					 */
#define TCPTRAIL_F_IPV6		0x0002	/* the socket is AF_INET6 */
#define TCPTRAIL_F_PASSIVE	0x0004	/* opened by the peer */
#define TCPTRAIL_F_ACCEPTED	0x0008	/* accept() has returned it */
#define TCPTRAIL_F_ISS		0x0010	/* iss is known */
#define TCPTRAIL_F_IRS		0x0020	/* irs is known */
#define TCPTRAIL_F_MINI		0x0040	/* a minisocket holds it by now */
#define TCPTRAIL_F_SYNCOOKIE	0x0080	/* request was a SYN cookie */
#define TCPTRAIL_F_FASTOPEN	0x0100	/* request was TCP Fast Open */
#define TCPTRAIL_F_MPTCP	0x0200	/* an MPTCP subflow */
#define TCPTRAIL_F_REQ_ACKED	0x0400	/* last ACK came, child not made */
#define TCPTRAIL_F_DEFER	0x0800	/* listener has TCP_DEFER_ACCEPT */
#define TCPTRAIL_F_NO_TRAIL	0x1000	/* table full, or there is none
					 * (max_trails=0): only in the ring
					 */
#define TCPTRAIL_F_REDACTED	0x2000	/* reader may not see numbers */
#define TCPTRAIL_F_UNSEEN	0x4000	/* a hook it needs is not active */

/**
 * struct tcptrail_task - a process that caused a step by a system call
 * @tgid: process id in the initial pid namespace; 0: no process is known
 * @start_ticks: start of the process in USER_HZ ticks since boot, modulo
 *	2^32: field 22 of /proc/pid/stat, so that a reused pid is recognised
 * @comm: its name, NUL-terminated; may hold any bytes
 */
struct tcptrail_task {
	__u32 tgid;
	__u32 start_ticks;
	char comm[16];
};

/**
 * struct tcptrail_conn - who talks to whom
 * @cookie: socket cookie
 * @birth_ns: CLOCK_BOOTTIME of step 0 or, with TCPTRAIL_F_LATE, of when it was
 *	first seen; with @cookie it names a connection;
 *	0 if unknown: with TCPTRAIL_F_NO_TRAIL, and in an EVENT after the end,
 *	which belongs to the last connection of that cookie
 * @saddr: local address
 * @daddr: remote address; all zero for a listener
 * @netns_cookie: SO_NETNS_COOKIE of its network namespace, never reused
 * @netns_ino: inode of the namespace (/proc/pid/ns/net), reusable
 * @ifindex: interface it is bound to or, for a link-local peer, its scope;
 *	0: none
 * @sport: local port, 0 if not yet chosen
 * @dport: remote port, 0 for a listener
 * @flags: TCPTRAIL_F_*
 * @err: positive errno that ended it (sk_err), 0: none
 */
struct tcptrail_conn {
	__u64 cookie;
	__u64 birth_ns;
	__u8 saddr[16];
	__u8 daddr[16];
	__u64 netns_cookie;
	__u32 netns_ino;
	__u32 ifindex;
	__u16 sport;
	__u16 dport;
	__u16 flags;
	__u16 err;
};

#define TCPTRAIL_NO_STEP	255

/**
 * struct tcptrail_step - STEP and EVENT records
 * @hdr: header
 * @conn: the connection
 * @step: number of this step, from 0; TCPTRAIL_NO_STEP in an EVENT
 * @old_state: state before
 * @new_state: state after; the same as @old_state in an EVENT, for accept(),
 *	and for close() after shutdown()
 * @cause: TCPTRAIL_C_*
 * @reason: enum sk_rst_reason for RST_OUT, else 0
 * @count: how often so far, for SYNACK_RTX and TW_RESTART
 * @iss: our initial sequence number (RFC 9293, 3.4.1), if TCPTRAIL_F_ISS
 * @irs: the peer's, if TCPTRAIL_F_IRS
 * @listener: cookie of the listener, for the birth of a request; else 0
 *
 * Here a record about a request or a minisocket ends. Of a full socket, before
 * the step; sequence numbers and windows are 0 up to SYN_SENT:
 *
 * @inode: of the socket (/proc/pid/fd), 0: no file descriptor (yet, any more)
 * @cgroup: id of the cgroup it was created in
 * @uid: of the socket, in the initial user namespace
 * @mark: SO_MARK
 * @snd_una: oldest unacknowledged sequence number
 * @snd_nxt: next to be sent
 * @rcv_nxt: next expected
 * @snd_wnd: the peer's window, bytes
 * @rcv_wnd: our window, bytes
 * @unread: bytes received that the program has not read; for a listener:
 *	connections that wait for accept()
 * @unsent: bytes written that were never sent; for a listener: its backlog
 * @srtt_us: smoothed round trip time in microseconds, 0: unknown
 * @retrans: retransmissions of the oldest segment, now
 * @total_retrans: all retransmissions
 * @bytes_in: payload bytes received in order
 * @bytes_out: payload bytes sent and acknowledged; with TCPTRAIL_F_LATE
 *	possibly one more, for the SYN
 * @task: the process whose system call it was; absent (hdr.size) or all zero
 *	if no system call caused it
 */
struct tcptrail_step {
	struct tcptrail_hdr hdr;
	struct tcptrail_conn conn;
	__u8 step;
	__u8 old_state;
	__u8 new_state;
	__u8 cause;
	__u16 reason;
	__u16 count;
	__u32 iss;
	__u32 irs;
	__u64 listener;
	__u64 inode;
	__u64 cgroup;
	__u32 uid;
	__u32 mark;
	__u32 snd_una;
	__u32 snd_nxt;
	__u32 rcv_nxt;
	__u32 snd_wnd;
	__u32 rcv_wnd;
	__u32 unread;
	__u32 unsent;
	__u32 srtt_us;
	__u32 retrans;
	__u32 total_retrans;
	__u64 bytes_in;
	__u64 bytes_out;
	struct tcptrail_task task;
};

/*
 * A packed step: bits 0-3 the new state, bits 4-9 the cause, bits 10-63 the
 * nanoseconds since birth_ns (208 days; larger ones are all ones there).
 */
#define TCPTRAIL_PACK_STATE(p)	((__u8)((p) & 0xf))
#define TCPTRAIL_PACK_CAUSE(p)	((__u8)(((p) >> 4) & 0x3f))
#define TCPTRAIL_PACK_NS(p)	((__u64)(p) >> 10)
#define TCPTRAIL_PACK_NS_MAX	((1ULL << 54) - 1)

/* Bits of tcptrail_trail.objects: what the kernel still holds of it. */
#define TCPTRAIL_O_REQUEST	0x01	/* request socket */
#define TCPTRAIL_O_FULL		0x02	/* full socket */
#define TCPTRAIL_O_MINI		0x04	/* TIME_WAIT or FIN_WAIT2 minisocket */

/**
 * struct tcptrail_trail - TRAIL and END records: a whole connection
 * @hdr: header
 * @conn: the connection
 * @nsteps: steps that happened; if more than TCPTRAIL_STEPS, only the first
 *	ones are in @steps
 * @first_old: state before step 0
 * @objects: TCPTRAIL_O_*; 0 in an END
 * @synack_rtx: SYN+ACKs sent again, 255: as many or more
 * @tw_restarts: times that the 2MSL timer was restarted, 255: or more
 * @pad: 0
 * @iss: our initial sequence number, if TCPTRAIL_F_ISS
 * @irs: the peer's, if TCPTRAIL_F_IRS
 * @opener: the process that called connect(), listen() or accept()
 * @closer: the process that closed it or shut it down first
 * @steps: packed steps, in order; zero behind the last one
 */
struct tcptrail_trail {
	struct tcptrail_hdr hdr;
	struct tcptrail_conn conn;
	__u8 nsteps;
	__u8 first_old;
	__u8 objects;
	__u8 synack_rtx;
	__u8 tw_restarts;
	__u8 pad[3];
	__u32 iss;
	__u32 irs;
	struct tcptrail_task opener;
	struct tcptrail_task closer;
	__u64 steps[TCPTRAIL_STEPS];
};

/**
 * struct tcptrail_lost - LOST: records were overwritten before they were read
 * @hdr: header; hdr.cpu says which ring
 * @lost: how many records, exactly
 * @first_seq: seq of the first of them
 */
struct tcptrail_lost {
	struct tcptrail_hdr hdr;
	__u64 lost;
	__u64 first_seq;
};

/* info.hooks and info.hooks_known: one bit per hook. */
#define TCPTRAIL_H_SET_STATE	0	/* every full-socket transition */
#define TCPTRAIL_H_REQ_NEW	1	/* request made: SYN arrived */
#define TCPTRAIL_H_REQ_COOKIE	2	/* request revived from a SYN cookie */
#define TCPTRAIL_H_CHILD	3	/* child made */
#define TCPTRAIL_H_REQ_DROP	4	/* why a request went */
#define TCPTRAIL_H_REQ_FREE4	5	/* that an IPv4 request went */
#define TCPTRAIL_H_REQ_FREE6	6	/* that an IPv6 request went */
#define TCPTRAIL_H_REQ_ICMP	7	/* ICMP error for a request */
#define TCPTRAIL_H_SYN_OUT	8	/* local port and ISN of connect() */
#define TCPTRAIL_H_ACCEPT	9	/* accept() and by whom */
#define TCPTRAIL_H_TW_MAKE	10	/* full socket turns into a minisocket */
#define TCPTRAIL_H_TW_NEW	11	/* minisocket exists */
#define TCPTRAIL_H_TW_RESCHED	12	/* FIN in FIN_WAIT2, 2MSL restarted */
#define TCPTRAIL_H_TW_SEGMENT	13	/* segment for a minisocket */
#define TCPTRAIL_H_TW_REUSE	14	/* connect() looks at a TIME_WAIT */
#define TCPTRAIL_H_TW_EXPIRE	15	/* minisocket timer fired */
#define TCPTRAIL_H_TW_KILL	16	/* minisocket gone */
#define TCPTRAIL_H_ABORT	17	/* SOCK_DESTROY */
#define TCPTRAIL_H_RST_IN	18	/* RST received */
#define TCPTRAIL_H_RST_OUT	19	/* RST sent, and why */
#define TCPTRAIL_H_SYNACK_RTX	20	/* SYN+ACK sent again */
#define TCPTRAIL_H_COUNT	21

/* info.features */
#define TCPTRAIL_FEAT_TRAIL	0x1	/* TRAIL and END records; not set with
					 * max_trails=0: then every connection
					 * has TCPTRAIL_F_NO_TRAIL
					 */
#define TCPTRAIL_FEAT_RST_REASON 0x2	/* reason in RST_OUT is filled */

/**
 * struct tcptrail_info - TCPTRAIL_IOC_INFO, and the head of a recorded file
 * @size: in: bytes of the caller's struct; out: bytes the module knows. What
 *	the module knows and the caller does not is left out; what the caller
 *	knows and the module does not is zeroed
 * @magic: TCPTRAIL_MAGIC
 * @abi: TCPTRAIL_ABI
 * @cpus: rings that exist
 * @features: TCPTRAIL_FEAT_*
 * @hooks: active hooks, one bit per TCPTRAIL_H_*
 * @hooks_known: hooks that this module has
 * @slots: records per ring
 * @user_hz: USER_HZ, the unit of start_ticks
 * @loaded_ns: CLOCK_BOOTTIME when recording began
 * @boot_ns: CLOCK_BOOTTIME now
 * @real_ns: CLOCK_REALTIME at the same moment; the difference makes dates
 * @written: records written to all rings
 * @max_trails: most trails that are kept; 0: none, see TCPTRAIL_FEAT_TRAIL
 * @trails: trails now
 * @requests: trails now that are only a request
 * @no_trail: connections that found no room for a trail
 * @missed: records that found no ring (no memory when a CPU came online)
 * @delivered: records this file has been given, of those that come from a ring
 * @lost: records this file has lost
 * @reserved: 0
 * @version: of the module
 * @release: of the kernel, as uname -r
 *
 * A recorded file is this struct, then the bytes of the device, unchanged.
 */
struct tcptrail_info {
	__u32 size;
	__u32 magic;
	__u32 abi;
	__u32 cpus;
	__u64 features;
	__u64 hooks;
	__u64 hooks_known;
	__u32 slots;
	__u32 user_hz;
	__u64 loaded_ns;
	__u64 boot_ns;
	__u64 real_ns;
	__u64 written;
	__u64 max_trails;
	__u64 trails;
	__u64 requests;
	__u64 no_trail;
	__u64 missed;
	__u64 delivered;
	__u64 lost;
	__u64 reserved[3];
	char version[16];
	char release[64];
};

/*
 * TCPTRAIL_IOC_INFO: fill a struct tcptrail_info. info.size must be at least
 * 16; the other fields must be zero on input, else EINVAL.
 *
 * TCPTRAIL_IOC_RESYNC: start over: history, trails, SYNC, live. The loss
 * count goes on.
 *
 * Any other request: ENOTTY.
 *
 * lseek(fd, 0, SEEK_END): skip to live records, no history, no trails, no
 * SYNC. lseek(fd, 0, SEEK_SET): as TCPTRAIL_IOC_RESYNC. Anything else: EINVAL.
 *
 * poll(): EPOLLIN | EPOLLRDNORM when read() would not block, also EPOLLPRI
 * when records have been lost that no LOST record has told of yet. A reader
 * that uses EPOLLET must read until EAGAIN.
 *
 * open() for reading only: EACCES otherwise; EPERM without CAP_NET_ADMIN in
 * the initial user namespace unless the caller is in the initial user and pid
 * namespaces. Without CAP_NET_ADMIN iss, irs, snd_una, snd_nxt and rcv_nxt are
 * zero and TCPTRAIL_F_REDACTED is set.
 */
/* The number names only the first field: the struct may grow. */
#define TCPTRAIL_IOC_INFO	_IOWR(0xbe, 0, __u32)
#define TCPTRAIL_IOC_RESYNC	_IO(0xbe, 1)

#endif /* _UAPI_LINUX_TCPTRAIL_H */
