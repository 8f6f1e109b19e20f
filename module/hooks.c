// SPDX-License-Identifier: GPL-2.0
/*
 * Finds and attaches the hooks: tracepoints by name, because the kernel does
 * not export them to modules, and function entries through one ftrace_ops.
 *
 * The ops has no recursion protection of its own and needs none: no callback
 * calls a hooked function, and a softirq that nests in one is to be recorded.
 */
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/moduleparam.h>
#include <linux/security.h>
#include <linux/tracepoint.h>
#include <net/inet_connection_sock.h>
#include <net/inet_hashtables.h>
#include <net/inet_timewait_sock.h>
#include <net/tcp.h>
#include <trace/events/sock.h>
#include <trace/events/tcp.h>

#include "hooks.h"
#include "trail.h"

/* ---- function entries: arguments to callbacks ---- */

#define ARG(n, type)	((type)compat_ftrace_arg(fregs, (n)))

static void enter_hash_add(struct ftrace_regs *fregs)
{
	request_on_new(ARG(0, struct sock *), ARG(1, struct request_sock *));
}

static void enter_cookie_sock(struct ftrace_regs *fregs)
{
	request_on_cookie(ARG(0, struct sock *), ARG(2, struct request_sock *));
}

static void enter_ehash_nolisten(struct ftrace_regs *fregs)
{
	sock_on_child(ARG(0, struct sock *), ARG(1, struct sock *));
}

static void enter_queue_drop(struct ftrace_regs *fregs)
{
	request_on_drop(ARG(0, struct sock *), ARG(1, struct request_sock *),
			(bool)(ARG(2, unsigned long) & 0xff));
}

static void enter_reqsk_destructor(struct ftrace_regs *fregs)
{
	request_on_free(ARG(0, struct request_sock *));
}

static void enter_req_err(struct ftrace_regs *fregs)
{
	request_on_icmp(ARG(0, struct sock *), (u32)ARG(1, unsigned long),
			(bool)(ARG(2, unsigned long) & 0xff));
}

static void enter_connect(struct ftrace_regs *fregs)
{
	sock_on_connect(ARG(0, struct sock *));
}

static void enter_sock_graft(struct ftrace_regs *fregs)
{
	sock_on_graft(ARG(0, struct sock *));
}

static void enter_time_wait(struct ftrace_regs *fregs)
{
	sock_on_time_wait(ARG(0, struct sock *));
}

static void enter_twsk_hashdance(struct ftrace_regs *fregs)
{
	timewait_on_new(ARG(0, struct inet_timewait_sock *),
			ARG(1, struct sock *));
}

static void enter_twsk_schedule(struct ftrace_regs *fregs)
{
	timewait_on_schedule(ARG(0, struct inet_timewait_sock *),
			     (bool)(ARG(2, unsigned long) & 0xff));
}

static void enter_timewait_state(struct ftrace_regs *fregs)
{
	timewait_on_segment(ARG(0, struct inet_timewait_sock *),
			    ARG(2, struct tcphdr *));
}

static void enter_twsk_unique(struct ftrace_regs *fregs)
{
	timewait_on_reuse(inet_twsk(ARG(1, struct sock *)));
}

static void enter_tw_timer(struct ftrace_regs *fregs)
{
	timewait_on_expire(container_of(ARG(0, struct timer_list *),
					struct inet_timewait_sock, tw_timer));
}

static void enter_twsk_kill(struct ftrace_regs *fregs)
{
	timewait_on_kill(ARG(0, struct inet_timewait_sock *));
}

static void enter_abort(struct ftrace_regs *fregs)
{
	sock_on_abort(ARG(0, struct sock *));
}

static void enter_reset(struct ftrace_regs *fregs)
{
	sock_on_reset(ARG(0, struct sock *), compat_reset_by_rst(fregs));
}

/* The arguments above, checked against the kernel's headers where declared. */
static_assert(__same_type(&tcp_time_wait, (void (*)(struct sock *, int, int))0));
static_assert(__same_type(&tcp_connect, (int (*)(struct sock *))0));
static_assert(__same_type(&tcp_abort, (int (*)(struct sock *, int))0));
static_assert(__same_type(&tcp_reset, (COMPAT_TCP_RESET)0));
static_assert(__same_type(&tcp_req_err, (void (*)(struct sock *, u32, bool))0));
static_assert(__same_type(&tcp_twsk_unique,
			  (int (*)(struct sock *, struct sock *, void *))0));
static_assert(__same_type(&inet_ehash_nolisten,
			  (bool (*)(struct sock *, struct sock *, bool *))0));
static_assert(__same_type(&security_sock_graft,
			  (void (*)(struct sock *, struct socket *))0));
static_assert(__same_type(&__inet_twsk_schedule,
			  (void (*)(struct inet_timewait_sock *, int, bool))0));

/**
 * struct function_hook - the entry of a kernel function
 * @bit: TCPTRAIL_H_*
 * @enter: called with its arguments
 * @name: of the function
 * @other: its name in other kernels, or NULL
 * @lost: what is not known without it
 * @kp: a kprobe that is never enabled, which finds the address
 */
struct function_hook {
	unsigned int bit;
	void (*enter)(struct ftrace_regs *fregs);
	const char *name;
	const char *other;
	const char *lost;
	struct kprobe kp;
};

static struct function_hook functions[] = {
	{ TCPTRAIL_H_REQ_NEW, enter_hash_add, "inet_csk_reqsk_queue_hash_add",
	  NULL, "half-open requests" },
	{ TCPTRAIL_H_REQ_COOKIE, enter_cookie_sock, "tcp_get_cookie_sock",
	  NULL, "whether a SYN cookie was used" },
	{ TCPTRAIL_H_CHILD, enter_ehash_nolisten, "inet_ehash_nolisten",
	  NULL, "the birth of accepted connections" },
	{ TCPTRAIL_H_REQ_DROP, enter_queue_drop, "__inet_csk_reqsk_queue_drop",
	  NULL, "why a request ended" },
	{ TCPTRAIL_H_REQ_FREE4, enter_reqsk_destructor,
	  "tcp_v4_reqsk_destructor", NULL, "the end of IPv4 requests" },
	{ TCPTRAIL_H_REQ_FREE6, enter_reqsk_destructor,
	  "tcp_v6_reqsk_destructor", NULL, "the end of IPv6 requests" },
	{ TCPTRAIL_H_REQ_ICMP, enter_req_err, "tcp_req_err",
	  NULL, "ICMP errors about requests" },
	{ TCPTRAIL_H_SYN_OUT, enter_connect, "tcp_connect",
	  NULL, "the local port during connect(), and our ISN" },
	{ TCPTRAIL_H_ACCEPT, enter_sock_graft, "security_sock_graft",
	  NULL, "accept() and by whom" },
	{ TCPTRAIL_H_TW_MAKE, enter_time_wait, "tcp_time_wait",
	  NULL, "the bucket limit of TIME_WAIT" },
	{ TCPTRAIL_H_TW_NEW, enter_twsk_hashdance,
	  "inet_twsk_hashdance_schedule", "inet_twsk_hashdance",
	  "TIME_WAIT and closed FIN_WAIT2" },
	{ TCPTRAIL_H_TW_RESCHED, enter_twsk_schedule, "__inet_twsk_schedule",
	  NULL, "the FIN that comes in closed FIN_WAIT2" },
	{ TCPTRAIL_H_TW_SEGMENT, enter_timewait_state,
	  "tcp_timewait_state_process", NULL,
	  "which segment ended a TIME_WAIT" },
	{ TCPTRAIL_H_TW_REUSE, enter_twsk_unique, "tcp_twsk_unique",
	  NULL, "that connect() reused a TIME_WAIT" },
	{ TCPTRAIL_H_TW_EXPIRE, enter_tw_timer, "tw_timer_handler",
	  NULL, "that a TIME_WAIT expired" },
	{ TCPTRAIL_H_TW_KILL, enter_twsk_kill, "inet_twsk_kill",
	  NULL, "the end of TIME_WAIT" },
	{ TCPTRAIL_H_ABORT, enter_abort, "tcp_abort",
	  NULL, "that SOCK_DESTROY ended it" },
	{ TCPTRAIL_H_RST_IN, enter_reset, "tcp_reset",
	  NULL, "that a RST ended it" },
};

/**
 * struct tracepoint_hook - a tracepoint of the kernel
 * @bit: TCPTRAIL_H_*
 * @probe: with the prototype that check_trace_callback_type_*() checks
 * @name: of the tracepoint
 * @lost: what is not known without it
 * @tp: where it is, NULL: this kernel has none
 */
struct tracepoint_hook {
	unsigned int bit;
	void *probe;
	const char *name;
	const char *lost;
	struct tracepoint *tp;
};

static struct tracepoint_hook tracepoints[] = {
	{ TCPTRAIL_H_SET_STATE, sock_on_set_state, "inet_sock_set_state",
	  "everything" },
	{ TCPTRAIL_H_RST_OUT, sock_on_send_reset, "tcp_send_reset",
	  "the RSTs we sent, and why" },
	{ TCPTRAIL_H_SYNACK_RTX, request_on_rtx, "tcp_retransmit_synack",
	  "how often a SYN+ACK was repeated" },
};

u64 hooks_attached __ro_after_init;

/* For tests: as if this kernel did not have these hooks. */
static ulong hooks_off;
module_param(hooks_off, ulong, 0444);
MODULE_PARM_DESC(hooks_off, "bit mask of hooks not to use, as in linux/tcptrail.h (default 0)");

/* These only tell a trail something: of no use without (max_trails=0). */
#define HOOKS_OF_TRAILS \
	(BIT_ULL(TCPTRAIL_H_REQ_DROP) | BIT_ULL(TCPTRAIL_H_REQ_FREE4) | \
	 BIT_ULL(TCPTRAIL_H_REQ_FREE6) | BIT_ULL(TCPTRAIL_H_REQ_ICMP) | \
	 BIT_ULL(TCPTRAIL_H_SYN_OUT) | BIT_ULL(TCPTRAIL_H_TW_RESCHED) | \
	 BIT_ULL(TCPTRAIL_H_TW_SEGMENT) | BIT_ULL(TCPTRAIL_H_TW_REUSE) | \
	 BIT_ULL(TCPTRAIL_H_ABORT) | BIT_ULL(TCPTRAIL_H_SYNACK_RTX))

/*
 * No beginning whose end does not show: trails would pile up. No minisocket whose
 * beginning does not: it would be taken for another connection.
 */
static const struct {
	u64 hooks, needs;
} dependent[] = {
	{ BIT_ULL(TCPTRAIL_H_REQ_NEW) | BIT_ULL(TCPTRAIL_H_REQ_COOKIE),
	  BIT_ULL(TCPTRAIL_H_REQ_FREE4) | BIT_ULL(TCPTRAIL_H_REQ_FREE6) |
	  BIT_ULL(TCPTRAIL_H_CHILD) },
	{ BIT_ULL(TCPTRAIL_H_TW_NEW), BIT_ULL(TCPTRAIL_H_TW_KILL) },
	{ BIT_ULL(TCPTRAIL_H_TW_RESCHED) | BIT_ULL(TCPTRAIL_H_TW_SEGMENT) |
	  BIT_ULL(TCPTRAIL_H_TW_REUSE) | BIT_ULL(TCPTRAIL_H_TW_EXPIRE) |
	  BIT_ULL(TCPTRAIL_H_TW_KILL), BIT_ULL(TCPTRAIL_H_TW_NEW) },
};

/* Is this hook to be attached, if the kernel has it? */
static bool hook_wanted(unsigned int bit)
{
	u64 off = hooks_off | (trail_is_kept() ? 0 : HOOKS_OF_TRAILS);

	return !(off & BIT_ULL(bit));
}

void hooks_fill_info(struct tcptrail_info *info)
{
	info->hooks = hooks_attached;
	info->hooks_known = BIT_ULL(TCPTRAIL_H_COUNT) - 1;
	if (COMPAT_HAS_RST_REASON)
		info->features |= TCPTRAIL_FEAT_RST_REASON;
}

/* ---- dispatch: from the address to the hook ---- */

#define DISPATCH_BITS	6

struct dispatch {
	unsigned long ip;
	void (*enter)(struct ftrace_regs *fregs);
};

static struct dispatch dispatch[1 << DISPATCH_BITS];

static_assert(ARRAY_SIZE(functions) <= ARRAY_SIZE(dispatch) / 2);

/* Functions are aligned to 16 bytes. */
static unsigned int dispatch_slot(unsigned long ip)
{
	return (ip >> 4) % ARRAY_SIZE(dispatch);
}

static unsigned long function_ip(const struct function_hook *hook)
{
	return compat_ftrace_ip((unsigned long)hook->kp.addr);
}

static void dispatch_add(const struct function_hook *hook)
{
	unsigned int i = dispatch_slot(function_ip(hook));

	while (dispatch[i].ip)
		i = (i + 1) % ARRAY_SIZE(dispatch);
	dispatch[i].ip = function_ip(hook);
	dispatch[i].enter = hook->enter;
}

/* Not in its own slot, hence in one of the next. */
static noinline notrace void on_function_moved(unsigned long ip,
					       struct ftrace_regs *fregs)
{
	unsigned int i = dispatch_slot(ip);

	do {
		i = (i + 1) % ARRAY_SIZE(dispatch);
		if (dispatch[i].ip == ip) {
			dispatch[i].enter(fregs);
			return;
		}
	} while (dispatch[i].ip);
}

static void notrace on_function(unsigned long ip, unsigned long parent_ip,
				struct ftrace_ops *op,
				struct ftrace_regs *fregs)
{
	const struct dispatch *d = &dispatch[dispatch_slot(ip)];

	if (likely(d->ip == ip))
		d->enter(fregs);
	else
		on_function_moved(ip, fregs);
}

/* PERMANENT: kernel.ftrace_enabled=0 is refused rather than silencing us. */
static struct ftrace_ops ops = {
	.func = on_function,
	.flags = FTRACE_OPS_FL_PERMANENT | COMPAT_FTRACE_FLAGS,
};

/* ---- attaching ---- */

static int kprobe_find(struct function_hook *hook, const char *name)
{
	memset(&hook->kp, 0, sizeof(hook->kp));
	hook->kp.symbol_name = name;
	hook->kp.flags = KPROBE_FLAG_DISABLED;
	return register_kprobe(&hook->kp);
}

/*
 * Find a function. A kprobe that stays disabled gives its address, and on
 * kernels with ENDBR already the address that ftrace uses.
 */
static bool function_find(struct function_hook *hook)
{
	return !kprobe_find(hook, hook->name) ||
	       (hook->other && !kprobe_find(hook, hook->other));
}

static u64 functions_wanted(u64 found)
{
	unsigned int i;

	if (!trail_is_kept())
		return found;
	for (i = 0; i < ARRAY_SIZE(dependent); i++)
		if ((found & dependent[i].needs) != dependent[i].needs)
			found &= ~dependent[i].hooks;
	return found;
}

/* What passes the filter and is not used after all finds nothing in dispatch. */
static void functions_find(void)
{
	struct kprobe *kprobes[ARRAY_SIZE(functions)];
	unsigned int i, n = 0;
	u64 found = 0;

	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		if (!hook_wanted(functions[i].bit) ||
		    !function_find(&functions[i]))
			continue;
		kprobes[n++] = &functions[i].kp;
		if (!ftrace_set_filter_ip(&ops, function_ip(&functions[i]), 0, 0))
			found |= BIT_ULL(functions[i].bit);
	}
	found = functions_wanted(found);
	for (i = 0; i < ARRAY_SIZE(functions); i++)
		if (found & BIT_ULL(functions[i].bit))
			dispatch_add(&functions[i]);
	hooks_attached |= found;
	/* In one go: each unregistering alone waits for RCU. */
	unregister_kprobes(kprobes, n);
}

static void functions_attach(void)
{
	u64 tracepoints_active = hooks_attached;
	int ret;

	functions_find();
	/* An ops without a filter would trace every function there is. */
	if (hooks_attached == tracepoints_active) {
		compat_ftrace_free_filter(&ops);
		return;
	}
	ret = register_ftrace_function(&ops);
	if (ret) {
		pr_warn("ftrace refuses (%d)\n", ret);
		compat_ftrace_free_filter(&ops);
		hooks_attached = tracepoints_active;
	}
}

static void functions_detach(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(functions); i++)
		if (hooks_active(functions[i].bit))
			break;
	if (i == ARRAY_SIZE(functions))
		return;
	/* Waits for callbacks that still run. */
	unregister_ftrace_function(&ops);
	compat_ftrace_free_filter(&ops);
}

static void tracepoint_match(struct tracepoint *tp, void *unused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tracepoints); i++)
		if (!strcmp(tp->name, tracepoints[i].name))
			tracepoints[i].tp = tp;
}

/* Returns why inet_sock_set_state could not be attached, or 0. */
static int tracepoints_attach(void)
{
	int needed = -ENOENT;
	unsigned int i;

	check_trace_callback_type_inet_sock_set_state(sock_on_set_state);
	check_trace_callback_type_tcp_send_reset(sock_on_send_reset);
	check_trace_callback_type_tcp_retransmit_synack(request_on_rtx);

	for_each_kernel_tracepoint(tracepoint_match, NULL);
	for (i = 0; i < ARRAY_SIZE(tracepoints); i++) {
		struct tracepoint_hook *hook = &tracepoints[i];
		int ret;

		if (!hook->tp || !hook_wanted(hook->bit))
			continue;
		ret = tracepoint_probe_register(hook->tp, hook->probe, NULL);
		if (!ret)
			hooks_attached |= BIT_ULL(hook->bit);
		if (hook->bit == TCPTRAIL_H_SET_STATE)
			needed = ret;
	}
	return needed;
}

static void tracepoints_detach(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tracepoints); i++)
		if (hooks_active(tracepoints[i].bit))
			tracepoint_probe_unregister(tracepoints[i].tp,
						    tracepoints[i].probe, NULL);
	tracepoint_synchronize_unregister();
}

static void hooks_tell_missing(void)
{
	unsigned int i;

	if (!trail_is_kept())
		pr_notice("max_trails=0: no histories, and no reasons that they would keep\n");
	for (i = 0; i < ARRAY_SIZE(tracepoints); i++)
		if (!hooks_active(tracepoints[i].bit) &&
		    hook_wanted(tracepoints[i].bit))
			pr_notice("no tracepoint %s here; not known: %s\n",
				  tracepoints[i].name, tracepoints[i].lost);
	for (i = 0; i < ARRAY_SIZE(functions); i++)
		if (!hooks_active(functions[i].bit) &&
		    hook_wanted(functions[i].bit))
			pr_notice("no function %s here; not known: %s\n",
				  functions[i].name, functions[i].lost);
}

/*
 * Attach all hooks. The callbacks run at once, but do nothing before
 * trail_armed is set. Returns 0, also when some are missing; but without the
 * tracepoint inet_sock_set_state, which everything rests on, why it could not
 * be attached: -ENOENT if this kernel has none, -ENOMEM.
 */
int hooks_init(void)
{
	int ret = tracepoints_attach();

	if (ret) {
		pr_err("the tracepoint inet_sock_set_state can't be used (%d)\n", ret);
		tracepoints_detach();
		return ret;
	}
	functions_attach();
	hooks_tell_missing();
	return 0;
}

/* Detach all. After this no callback runs or will run. */
void hooks_exit(void)
{
	functions_detach();
	tracepoints_detach();
}
