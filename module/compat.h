/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the supported kernels. No other file knows versions;
 * the rest is written against the newest.
 */
#ifndef _TCPTRAIL_COMPAT_H
#define _TCPTRAIL_COMPAT_H

#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/version.h>
#include <net/sock.h>
#include <net/tcp.h>
#ifdef CONFIG_ARM64
#include <asm/insn.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 10, 0)
#error "Linux before 5.10 was never checked: tcptrail needs 5.10 to 7.3"
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(7, 4, 0)
#error "Linux after 7.3 is unchecked: take a newer tcptrail, see Documentation/kernels.rst"
#endif

/*
 * Argument @n of a function whose entry ftrace caught. Before
 * ftrace_regs_get_argument(), x86's ftrace_regs was a pt_regs with the argument
 * registers filled in; before ftrace_regs, there was only a whole pt_regs.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
#define ftrace_regs	pt_regs
#define compat_ftrace_arg(fregs, n)	regs_get_kernel_argument((fregs), (n))
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define compat_ftrace_arg(fregs, n) \
	regs_get_kernel_argument(&(fregs)->regs, (n))
#else
#define compat_ftrace_arg(fregs, n)	ftrace_regs_get_argument((fregs), (n))
#endif

/*
 * The address that ftrace gives to a callback, of a function that a kprobe has
 * found at @addr. On x86 the kprobe is there already, behind ENDBR. On arm64 a
 * function starts with two NOPs, behind a landing pad if it has one, and the
 * second is the one that becomes the call.
 */
static inline unsigned long compat_ftrace_ip(unsigned long addr)
{
#ifdef CONFIG_ARM64
	const u32 bti_c = 0xd503245f;

	if (le32_to_cpup((__le32 *)addr) == bti_c)
		addr += AARCH64_INSN_SIZE;
	return addr + AARCH64_INSN_SIZE;
#else
	return addr;
#endif
}

/*
 * Flags of an ops whose callback wants the arguments and nobody to guard it
 * against recursion. Where ftrace cannot give only the arguments it must save
 * all registers. Older kernels guard unless told otherwise, newer ones only if
 * asked to.
 */
#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
#define COMPAT_FTRACE_ARGS	0
#else
#define COMPAT_FTRACE_ARGS	FTRACE_OPS_FL_SAVE_REGS
#endif
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
#define COMPAT_FTRACE_FLAGS	(COMPAT_FTRACE_ARGS | \
				 FTRACE_OPS_FL_RECURSION_SAFE)
#else
#define COMPAT_FTRACE_FLAGS	COMPAT_FTRACE_ARGS
#endif

/*
 * Free the filter of an ops that is not registered. ftrace_free_filter() was
 * not always for modules; an empty filter takes no memory.
 */
static inline void compat_ftrace_free_filter(struct ftrace_ops *ops)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
	ftrace_set_filter(ops, NULL, 0, 1);
#else
	ftrace_free_filter(ops);
#endif
}

/*
 * Was tcp_reset() called for a RST? Newer kernels pass it the segment. In older
 * ones the caller tells: tcp_rcv_state_process() calls it when data comes after
 * close() and, with tcp_rcv_synsent_state_process() inlined, for the RST that
 * answers a SYN; everybody else, for a RST.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
#define COMPAT_TCP_RESET	void (*)(struct sock *)
static inline bool compat_reset_by_rst(struct ftrace_regs *fregs)
{
	const struct sock *sk = (void *)compat_ftrace_arg(fregs, 0);
	char caller[KSYM_SYMBOL_LEN];

	if (sk->sk_state == TCP_SYN_SENT || !(sk->sk_shutdown & RCV_SHUTDOWN))
		return true;
	sprint_symbol_no_offset(caller, regs_get_kernel_stack_nth(fregs, 0));
	return strcmp(caller, "tcp_rcv_state_process");
}
#else
#define COMPAT_TCP_RESET	void (*)(struct sock *, struct sk_buff *)
static inline bool compat_reset_by_rst(struct ftrace_regs *fregs)
{
	const struct sk_buff *skb = (void *)compat_ftrace_arg(fregs, 1);

	return !skb || tcp_hdr(skb)->rst;
}
#endif

/* What minisockets of TCP, and of no other protocol, have as their tw_dr. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 18, 0) && \
	LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#define compat_tcp_death_row(net)	((net)->ipv4.tcp_death_row)
#else
#define compat_tcp_death_row(net)	(&(net)->ipv4.tcp_death_row)
#endif

/*
 * The cookie of a network namespace. Older kernels make one only for the first
 * namespace and where a BPF program asks for it: 0 is none.
 */
static inline u64 compat_netns_cookie(const struct net *net)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 12, 0)
	return atomic64_read(&net->net_cookie);
#else
	return net->net_cookie;
#endif
}

/*
 * The inode number of a socket, 0 if it has no file. Under the socket's lock,
 * which sock_graft() and sock_orphan() take, too, and with interrupts off, which
 * is as good as rcu_read_lock(). From 7.2 it has a copy in
 * struct sock.
 */
static inline u64 compat_sock_inode(const struct sock *sk)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
	return READ_ONCE(sk->sk_ino);
#else
	/* The inode, with the socket in it, is freed by RCU. */
	struct socket *so = READ_ONCE(sk->sk_socket);

	return so ? SOCK_INODE(so)->i_ino : 0;
#endif
}

/*
 * The head of a probe on tcp_send_reset. Newer kernels give a reason, and
 * there sk may be NULL or a minisocket.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define COMPAT_HAS_RST_REASON	0
#define compat_rst_reason	0
#define COMPAT_SEND_RESET(probe) \
	void probe(void *data, const struct sock *sk, const struct sk_buff *skb)
#else
#include <net/rstreason.h>
#define COMPAT_HAS_RST_REASON	1
#define COMPAT_SEND_RESET(probe) \
	void probe(void *data, const struct sock *sk, \
		   const struct sk_buff *skb, \
		   const enum sk_rst_reason compat_rst_reason)
#endif

#endif /* _TCPTRAIL_COMPAT_H */
