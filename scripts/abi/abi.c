// SPDX-License-Identifier: GPL-2.0
/* Prints where everything lies in the structs of the ABI; see check-abi.sh. */
#include <stddef.h>
#include <stdio.h>
#include <linux/tcptrail.h>

#define SIZE(s)		printf("%s size %zu\n", #s, sizeof(struct s))
#define FIELD(s, f)	printf("%s.%s offset %zu size %zu\n", #s, #f, \
			       offsetof(struct s, f), \
			       sizeof(((struct s *)0)->f))
#define VALUE(v)	printf("%s %lu\n", #v, (unsigned long)(v))

int main(void)
{
	VALUE(TCPTRAIL_ABI);
	VALUE(TCPTRAIL_RECORD_MAX);
	VALUE(TCPTRAIL_STEPS);
	VALUE(TCPTRAIL_IOC_INFO);
	VALUE(TCPTRAIL_IOC_RESYNC);
	SIZE(tcptrail_hdr);
	FIELD(tcptrail_hdr, seq);
	FIELD(tcptrail_hdr, size);
	FIELD(tcptrail_hdr, type);
	FIELD(tcptrail_hdr, pad);
	FIELD(tcptrail_hdr, cpu);
	FIELD(tcptrail_hdr, ts_ns);
	SIZE(tcptrail_task);
	FIELD(tcptrail_task, tgid);
	FIELD(tcptrail_task, start_ticks);
	FIELD(tcptrail_task, comm);
	SIZE(tcptrail_conn);
	FIELD(tcptrail_conn, cookie);
	FIELD(tcptrail_conn, birth_ns);
	FIELD(tcptrail_conn, saddr);
	FIELD(tcptrail_conn, daddr);
	FIELD(tcptrail_conn, netns_cookie);
	FIELD(tcptrail_conn, netns_ino);
	FIELD(tcptrail_conn, ifindex);
	FIELD(tcptrail_conn, sport);
	FIELD(tcptrail_conn, dport);
	FIELD(tcptrail_conn, flags);
	FIELD(tcptrail_conn, err);
	SIZE(tcptrail_step);
	FIELD(tcptrail_step, hdr);
	FIELD(tcptrail_step, conn);
	FIELD(tcptrail_step, step);
	FIELD(tcptrail_step, old_state);
	FIELD(tcptrail_step, new_state);
	FIELD(tcptrail_step, cause);
	FIELD(tcptrail_step, reason);
	FIELD(tcptrail_step, count);
	FIELD(tcptrail_step, iss);
	FIELD(tcptrail_step, irs);
	FIELD(tcptrail_step, listener);
	FIELD(tcptrail_step, inode);
	FIELD(tcptrail_step, cgroup);
	FIELD(tcptrail_step, uid);
	FIELD(tcptrail_step, mark);
	FIELD(tcptrail_step, snd_una);
	FIELD(tcptrail_step, snd_nxt);
	FIELD(tcptrail_step, rcv_nxt);
	FIELD(tcptrail_step, snd_wnd);
	FIELD(tcptrail_step, rcv_wnd);
	FIELD(tcptrail_step, unread);
	FIELD(tcptrail_step, unsent);
	FIELD(tcptrail_step, srtt_us);
	FIELD(tcptrail_step, retrans);
	FIELD(tcptrail_step, total_retrans);
	FIELD(tcptrail_step, bytes_in);
	FIELD(tcptrail_step, bytes_out);
	FIELD(tcptrail_step, task);
	SIZE(tcptrail_trail);
	FIELD(tcptrail_trail, hdr);
	FIELD(tcptrail_trail, conn);
	FIELD(tcptrail_trail, nsteps);
	FIELD(tcptrail_trail, first_old);
	FIELD(tcptrail_trail, objects);
	FIELD(tcptrail_trail, synack_rtx);
	FIELD(tcptrail_trail, tw_restarts);
	FIELD(tcptrail_trail, pad);
	FIELD(tcptrail_trail, iss);
	FIELD(tcptrail_trail, irs);
	FIELD(tcptrail_trail, opener);
	FIELD(tcptrail_trail, closer);
	FIELD(tcptrail_trail, steps);
	SIZE(tcptrail_lost);
	FIELD(tcptrail_lost, hdr);
	FIELD(tcptrail_lost, lost);
	FIELD(tcptrail_lost, first_seq);
	SIZE(tcptrail_info);
	FIELD(tcptrail_info, size);
	FIELD(tcptrail_info, magic);
	FIELD(tcptrail_info, abi);
	FIELD(tcptrail_info, cpus);
	FIELD(tcptrail_info, features);
	FIELD(tcptrail_info, hooks);
	FIELD(tcptrail_info, hooks_known);
	FIELD(tcptrail_info, slots);
	FIELD(tcptrail_info, user_hz);
	FIELD(tcptrail_info, loaded_ns);
	FIELD(tcptrail_info, boot_ns);
	FIELD(tcptrail_info, real_ns);
	FIELD(tcptrail_info, written);
	FIELD(tcptrail_info, max_trails);
	FIELD(tcptrail_info, trails);
	FIELD(tcptrail_info, requests);
	FIELD(tcptrail_info, no_trail);
	FIELD(tcptrail_info, missed);
	FIELD(tcptrail_info, delivered);
	FIELD(tcptrail_info, lost);
	FIELD(tcptrail_info, reserved);
	FIELD(tcptrail_info, version);
	FIELD(tcptrail_info, release);
	return 0;
}
