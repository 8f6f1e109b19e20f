// SPDX-License-Identifier: GPL-2.0
/* Who made a full socket's transition, and why. */
#include <linux/file.h>
#include <linux/sched.h>
#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/net_namespace.h>
#include <net/tcp.h>
#include <net/tcp_states.h>

#include "hooks.h"
#include "sock.h"

/* ---- who ---- */

/**
 * sock_in_syscall - does a system call of the current task work on a socket?
 * @sk: the socket
 *
 * The lock is owned only by a process, and only the owner gets here while it
 * is: timers and packets wait for it (sk_backlog, tcp_release_cb). But the
 * owner also carries those out when it lets go of the lock, so the caller must
 * know, too, that the transition is one that only a system call makes.
 * Threaded NAPI, tun writers and the like run in a task without owning the
 * lock.
 */
static __always_inline bool sock_in_syscall(const struct sock *sk)
{
	return in_task() && sk->sk_lock.owned && !(current->flags & PF_KTHREAD);
}

/**
 * task_fill - describe the process of the current task
 * @task: to be filled, all of it
 */
static __always_inline void task_fill(struct tcptrail_task *task)
{
	const struct task_struct *leader = current->group_leader;

	task->tgid = task_tgid_nr(current);
	task->start_ticks = div_u64(leader->start_boottime,
				    NSEC_PER_SEC / USER_HZ);
	memcpy(task->comm, leader->comm, sizeof(task->comm));
	task->comm[sizeof(task->comm) - 1] = '\0';
}

/* ---- why ---- */

/* A segment, a timer, or nothing that is known */
static struct cause cause_by_nobody(u8 why)
{
	return (struct cause){ why, false };
}

/* Is it the close() of the last reference, before the socket is orphaned? */
static bool sock_in_close(const struct sock *sk)
{
	const struct socket *so = READ_ONCE(sk->sk_socket);

	if (sk->sk_shutdown != SHUTDOWN_MASK || sock_flag(sk, SOCK_DEAD) || !so)
		return false;
	/* A kernel socket has no file. */
	return !so->file || !file_count(so->file);
}

static u8 cause_close(void)
{
	return current->flags & PF_EXITING ? TCPTRAIL_C_EXIT :
					     TCPTRAIL_C_CLOSE;
}

/*
 * FIN_WAIT1, LAST_ACK, and close() after shutdown(): RFC 9293, 3.10.4. A
 * kernel thread may do it for somebody (a deferred fput), and shutdown() during
 * a simultaneous open is carried out later.
 */
static struct cause cause_fin_out(const struct sock *sk)
{
	return (struct cause){
		sock_in_close(sk) ? cause_close() : TCPTRAIL_C_SHUTDOWN,
		sock_in_syscall(sk)
	};
}

/*
 * Some functions go on at once to the transition whose reason they are:
 * tcp_reset() and tcp_time_wait() to X->CLOSE, tw_timer_handler() to
 * inet_twsk_kill(). Where softirqs are off that is on the same CPU with no
 * other segment or timer between, so the reason waits there and need not be
 * looked up in the trail. By cookie, so that nothing is ever mistaken for
 * another.
 */
struct cpu_hint {
	u64 cookie;
	u8 hint;
};

static DEFINE_PER_CPU(struct cpu_hint, cpu_hint);

/* Leave word for the transition. False: it has to be left in the trail. */
static __always_inline bool hint_leave(u64 cookie, u8 hint)
{
	if (!in_softirq())
		return false;
	this_cpu_write(cpu_hint.cookie, cookie);
	this_cpu_write(cpu_hint.hint, hint);
	return true;
}

/* Take it, with interrupts off. 0: no word was left. */
static __always_inline u8 hint_take(u64 cookie)
{
	if (__this_cpu_read(cpu_hint.cookie) != cookie)
		return 0;
	__this_cpu_write(cpu_hint.cookie, 0);
	return __this_cpu_read(cpu_hint.hint);
}

/* tcp_write_err(): which timer gave up? */
static u8 cause_timeout(const struct sock *sk, int old)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);

	u8 retries = READ_ONCE(icsk->icsk_syn_retries) ?:
		     READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_syn_retries);

	/* tcp_fastopen_synack_timer() knows no user timeout. */
	if (old == TCP_SYN_RECV)
		return TCPTRAIL_C_RTX_TIMEOUT;
	if (icsk->icsk_user_timeout &&
	    (old != TCP_SYN_SENT || icsk->icsk_retransmits < retries))
		return TCPTRAIL_C_USER_TIMEOUT;
	/*
	 * The keepalive timer waits while anything is to be sent. The queues
	 * have been purged by now, but not these two.
	 */
	if (sock_flag(sk, SOCK_KEEPOPEN) && icsk->icsk_probes_out &&
	    tcp_sk(sk)->snd_una == tcp_sk(sk)->write_seq)
		return TCPTRAIL_C_KEEPALIVE;
	return TCPTRAIL_C_RTX_TIMEOUT;
}

/* tcp_write_err() gives the ICMP error that came meanwhile, or ETIMEDOUT. */
static bool err_of_timer(const struct sock *sk, int err)
{
	return err == ETIMEDOUT || err == READ_ONCE(sk->sk_err_soft);
}

/* X->CLOSE with sk_err set: tcp_done_with_error() */
static u8 cause_error(const struct sock *sk, int old, int err)
{
	/* What a RST leaves behind is told by the hook on tcp_reset(). */
	if (!hooks_active(TCPTRAIL_H_RST_IN) &&
	    (err == ECONNREFUSED || err == ECONNRESET || err == EPIPE))
		return TCPTRAIL_C_UNKNOWN;
	/* ICMP ends only a handshake: tcp_v4_err(), tcp_v6_err(). */
	if (err != ETIMEDOUT && (old == TCP_SYN_SENT || old == TCP_SYN_RECV))
		return TCPTRAIL_C_UNREACHABLE;
	return err_of_timer(sk, err) ? cause_timeout(sk, old) :
				       TCPTRAIL_C_UNKNOWN;
}

/* X->CLOSE by the close() of a socket that had not sent its FIN. */
static u8 cause_close_hard(const struct sock *sk, int old)
{
	if (old == TCP_LISTEN || old == TCP_SYN_SENT)
		return cause_close();
	if (tcp_sk(sk)->repair)
		return TCPTRAIL_C_REPAIR;
	if (sock_unread(sk))
		return TCPTRAIL_C_UNREAD;
	if (sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime)
		return TCPTRAIL_C_LINGER0;
	return TCPTRAIL_C_UNKNOWN;
}

/*
 * Without its hook, tcp_abort() is told from other system calls by the error
 * that it sets; it sets none for a listener.
 */
static bool sock_may_be_destroyed(const struct sock *sk, int old, int err)
{
	return !hooks_active(TCPTRAIL_H_ABORT) && sock_in_syscall(sk) &&
	       (err == ECONNABORTED ||
		(old == TCP_LISTEN && !sock_in_close(sk)));
}

/* X->CLOSE by a system call that is not close(). */
static u8 cause_disconnect(const struct sock *sk, const struct trail *t,
			   int old)
{
	const struct socket *so = READ_ONCE(sk->sk_socket);

	if (t && t->hint == TCPTRAIL_C_DESTROYED)
		return TCPTRAIL_C_DESTROYED;
	/* __inet_stream_connect() goes to SS_CONNECTING only behind a SYN. */
	if (old == TCP_SYN_SENT && so && so->state == SS_UNCONNECTED)
		return TCPTRAIL_C_CONNECT_FAILED;
	/* inet_csk_listen_start(): hashed, and so flagged, with a port only */
	if (old == TCP_LISTEN && !sock_flag(sk, SOCK_RCU_FREE))
		return TCPTRAIL_C_LISTEN_FAILED;
	return TCPTRAIL_C_DISCONNECT;
}

/* inet_child_forget(): the listener's close() finds a child in its queue. */
static bool sock_is_forgotten(const struct sock *sk, const struct trail *t,
			      int old)
{
	return t && (t->conn.flags & TCPTRAIL_F_PASSIVE) &&
	       !(t->conn.flags & TCPTRAIL_F_ACCEPTED) &&
	       hooks_active(TCPTRAIL_H_ACCEPT) && in_task() && !sk->sk_socket &&
	       (old != TCP_SYN_RECV || (t->conn.flags & TCPTRAIL_F_FASTOPEN));
}

/* X->CLOSE without an error, nobody's system call: tcp_done(). */
static u8 cause_done(const struct sock *sk, const struct trail *t, int old)
{
	if (!check_net(sock_net(sk)))
		return TCPTRAIL_C_NETNS_EXIT;
	if (!sock_flag(sk, SOCK_DEAD))
		return sock_is_forgotten(sk, t, old) ?
			       TCPTRAIL_C_LISTENER_CLOSED : TCPTRAIL_C_UNKNOWN;
	if (old == TCP_SYN_RECV)
		return TCPTRAIL_C_UNKNOWN;
	if (old != TCP_FIN_WAIT2)
		return TCPTRAIL_C_NO_MEMORY;
	/* The timer resets the peer first, tcp_rcv_state_process() after. */
	if (tcp_sk(sk)->linger2 < 0 || (t && t->hint == TCPTRAIL_C_RST_OUT))
		return TCPTRAIL_C_FIN_WAIT2_TIMEOUT;
	/* Has that reset been seen, had it come? */
	if (!t || !t->nsteps || !hooks_active(TCPTRAIL_H_RST_OUT))
		return TCPTRAIL_C_UNKNOWN;
	return TCPTRAIL_C_DATA_AFTER_CLOSE;
}

/* X->CLOSE by a system call of the current task. */
static u8 cause_of_task(const struct sock *sk, const struct trail *t, int old)
{
	return sock_in_close(sk) ? cause_close_hard(sk, old) :
				   cause_disconnect(sk, t, old);
}

static struct cause cause_of_end(const struct sock *sk, const struct trail *t,
				 int old, u8 word)
{
	u8 hint = word || !t ? word : t->hint;
	const struct tcp_sock *tp = tcp_sk(sk);
	int err = READ_ONCE(sk->sk_err);

	if (hint == TCPTRAIL_C_RST_IN)
		return cause_by_nobody(old == TCP_SYN_SENT ? TCPTRAIL_C_REFUSED :
							     TCPTRAIL_C_RST_IN);
	if (hint == TCPTRAIL_C_DATA_AFTER_CLOSE)
		return cause_by_nobody(hint);
	/* tcp_time_wait(), and no minisocket appeared */
	if (hint == TRAIL_HINT_TIME_WAIT)
		return cause_by_nobody(hooks_active(TCPTRAIL_H_TW_NEW) ?
				       TCPTRAIL_C_TW_LIMIT :
				       TCPTRAIL_C_UNKNOWN);
	if ((old == TCP_FIN_WAIT2 || old == TCP_CLOSING) &&
	    (!t || !hooks_active(TCPTRAIL_H_TW_MAKE)))
		return cause_by_nobody(TCPTRAIL_C_UNKNOWN);
	if (err == ECONNABORTED && hint == TCPTRAIL_C_DESTROYED)
		return (struct cause){ TCPTRAIL_C_DESTROYED,
				       sock_in_syscall(sk) };
	if (sock_may_be_destroyed(sk, old, err))
		return cause_by_nobody(TCPTRAIL_C_UNKNOWN);
	if (old == TCP_LAST_ACK && tp->snd_una == tp->write_seq)
		return cause_by_nobody(TCPTRAIL_C_ACK_OF_FIN);
	/*
	 * Timers that the owner carries out set an error, and RSTs have a hint.
	 * Any other error is an old one that nobody has fetched.
	 */
	if (sock_in_syscall(sk) && !sock_flag(sk, SOCK_DEAD) &&
	    !sk_is_mptcp(sk) &&
	    (!err || (!err_of_timer(sk, err) &&
		      hooks_active(TCPTRAIL_H_RST_IN))))
		return (struct cause){ cause_of_task(sk, t, old), true };
	return cause_by_nobody(err ? cause_error(sk, old, err) :
				     cause_done(sk, t, old));
}

/**
 * cause_of - why a full socket goes to another state
 * @sk: the socket, locked, still in its old state
 * @t: its trail, or NULL
 * @old: the old state
 * @new: the new state
 * @word: what hint_take() returned
 *
 * Return: the cause, and whether a system call of the current task is behind
 * it.
 */
static struct cause cause_of(const struct sock *sk, const struct trail *t,
			     int old, int new, u8 word)
{
	switch (new) {
	case TCP_ESTABLISHED:
		if (tcp_sk(sk)->repair)
			return cause_by_nobody(TCPTRAIL_C_REPAIR);
		return cause_by_nobody(old == TCP_SYN_SENT ?
				       TCPTRAIL_C_SYNACK_IN :
				       TCPTRAIL_C_ACK_IN);
	case TCP_CLOSE:
		return cause_of_end(sk, t, old, word);
	case TCP_SYN_SENT:
		return (struct cause){ TCPTRAIL_C_CONNECT,
				       sock_in_syscall(sk) };
	case TCP_LISTEN:
		return (struct cause){ TCPTRAIL_C_LISTEN,
				       sock_in_syscall(sk) };
	case TCP_SYN_RECV:
		return cause_by_nobody(TCPTRAIL_C_SYN_IN);
	case TCP_FIN_WAIT2:
		if (old == TCP_FIN_WAIT1)
			return cause_by_nobody(TCPTRAIL_C_ACK_OF_FIN);
		return cause_fin_out(sk);
	case TCP_CLOSING:
		if (old == TCP_FIN_WAIT1)
			return cause_by_nobody(TCPTRAIL_C_FIN_IN);
		return cause_fin_out(sk);
	case TCP_CLOSE_WAIT:
		return cause_by_nobody(TCPTRAIL_C_FIN_IN);
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		return cause_fin_out(sk);
	}
	return cause_by_nobody(TCPTRAIL_C_UNKNOWN);
}
