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

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "tcptrail supports Linux 6.1 and later"
#endif

/*
 * Argument @n of a function whose entry ftrace caught, without saving all
 * registers. Before ftrace_regs_get_argument(), x86's ftrace_regs was a pt_regs
 * with the argument registers filled in.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define compat_ftrace_arg(fregs, n) \
	regs_get_kernel_argument(&(fregs)->regs, (n))
#else
#define compat_ftrace_arg(fregs, n)	ftrace_regs_get_argument((fregs), (n))
#endif

/*
 * The inode number of a socket, 0 if it has no file. Under the socket's lock,
 * which sock_graft() and sock_orphan() take, too. From 7.2 it has a copy in
 * struct sock.
 */
static inline u64 compat_sock_inode(const struct sock *sk)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
	return READ_ONCE(sk->sk_ino);
#else
	struct socket *so;
	u64 ino;

	/* The inode, and the socket in it, is freed by RCU. */
	rcu_read_lock();
	so = READ_ONCE(sk->sk_socket);
	ino = so ? SOCK_INODE(so)->i_ino : 0;
	rcu_read_unlock();
	return ino;
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
