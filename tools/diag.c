// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diag.h"
#include "util.h"

#define ALL_STATES	0xffe
#define EXT(attr)	(1 << ((attr) - 1))
/* Tables that change under the dump are read once more, so often. */
#define MAX_TRIES	3

/* ---- messages ---- */

static void set_addr(uint8_t *to, const uint32_t *from, bool v6)
{
	if (v6) {
		memcpy(to, from, 16);
		return;
	}
	memset(to, 0, 16);
	memset(to + 10, 0xff, 2);
	memcpy(to + 12, from, 4);
}

static void set_who(struct tcptrail_conn *who, const struct inet_diag_msg *m)
{
	bool v6 = m->idiag_family == AF_INET6;

	who->cookie = (uint64_t)m->id.idiag_cookie[1] << 32 |
		      m->id.idiag_cookie[0];
	set_addr(who->saddr, m->id.idiag_src, v6);
	set_addr(who->daddr, m->id.idiag_dst, v6);
	who->sport = ntohs(m->id.idiag_sport);
	who->dport = ntohs(m->id.idiag_dport);
	who->ifindex = m->id.idiag_if;
	if (v6)
		who->flags |= TCPTRAIL_F_IPV6;
}

/* Older kernels know a shorter struct. */
static void set_info(struct diag_sock *s, const struct nlattr *attr)
{
	size_t len = mnl_attr_get_payload_len(attr);
	struct tcp_info ti;

	len = min(len, sizeof(ti));
	memcpy(&ti, mnl_attr_get_payload(attr), len);
	if (len < sizeof(ti))
		memset((char *)&ti + len, 0, sizeof(ti) - len);
	s->info = (struct diag_info) {
		.data_sent_ms = ti.tcpi_last_data_sent,
		.data_recv_ms = ti.tcpi_last_data_recv,
		.ack_recv_ms = ti.tcpi_last_ack_recv,
		.rto_us = ti.tcpi_rto,
		.unacked = ti.tcpi_unacked,
		.notsent = ti.tcpi_notsent_bytes,
		.total_retrans = ti.tcpi_total_retrans,
		.snd_wnd = ti.tcpi_snd_wnd,
		.bytes_acked = ti.tcpi_bytes_acked,
		.bytes_received = ti.tcpi_bytes_received,
		.retransmits = ti.tcpi_retransmits,
		.backoff = ti.tcpi_backoff,
		.probes = ti.tcpi_probes,
		.has_snd_wnd = len >= offsetof(struct tcp_info, tcpi_snd_wnd) +
				      sizeof(ti.tcpi_snd_wnd),
	};
	s->has_info = s->state != TCPTRAIL_LISTEN;
}

static void set_ulp(struct diag_sock *s, const struct nlattr *nest)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == INET_ULP_INFO_MPTCP)
			s->mptcp = true;
}

static int set_attr(const struct nlattr *attr, void *data)
{
	struct diag_sock *s = data;

	switch (mnl_attr_get_type(attr)) {
	case INET_DIAG_INFO:
		set_info(s, attr);
		break;
	case INET_DIAG_CGROUP_ID:
		if (mnl_attr_validate(attr, MNL_TYPE_U64) >= 0)
			s->cgroup = mnl_attr_get_u64(attr);
		break;
	case INET_DIAG_SKV6ONLY:
		if (mnl_attr_validate(attr, MNL_TYPE_U8) >= 0)
			s->v6only = mnl_attr_get_u8(attr);
		break;
	case INET_DIAG_ULP_INFO:
		set_ulp(s, attr);
		break;
	}
	return MNL_CB_OK;
}

/* What sort of socket it is follows from what is said of it. */
static void set_sort(struct diag_sock *s)
{
	s->mini = s->timer == DIAG_TIMER_TIMEWAIT;
	s->request = s->state == TCPTRAIL_SYN_RECV && !s->has_info;
	if (s->mini)
		s->who.flags |= TCPTRAIL_F_MINI;
}

void diag_add(struct diag *d, const struct nlmsghdr *nlh, uint32_t net,
	      uint32_t netns_ino)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
	struct diag_sock *s;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) ||
	    (m->idiag_family != AF_INET && m->idiag_family != AF_INET6) ||
	    !m->idiag_state || m->idiag_state > TCPTRAIL_CLOSING) {
		d->damaged++;
		return;
	}
	make_raw_room(&d->sock, &d->room, d->n, sizeof(*d->sock));
	s = &d->sock[d->n++];
	memset(s, 0, sizeof(*s));
	set_who(&s->who, m);
	s->who.netns_ino = netns_ino;
	s->net = net;
	s->state = m->idiag_state;
	s->timer = m->idiag_timer;
	s->retrans = m->idiag_retrans;
	s->expires_ms = m->idiag_expires;
	s->rqueue = m->idiag_rqueue;
	s->wqueue = m->idiag_wqueue;
	s->uid = m->idiag_uid;
	s->inode = m->idiag_inode;
	mnl_attr_parse(nlh, sizeof(*m), set_attr, s);
	set_sort(s);
}

/* ---- the kernel ---- */

struct dump {
	struct diag *d;
	uint32_t net, netns_ino;
};

static int on_message(const struct nlmsghdr *nlh, void *data)
{
	struct dump *dump = data;

	diag_add(dump->d, nlh, dump->net, dump->netns_ino);
	return MNL_CB_OK;
}

static bool send_request(struct mnl_socket *nl, unsigned int family)
{
	char buf[MNL_NLMSG_HDRLEN + 128] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req;

	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = family;
	req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
	req->sdiag_family = family;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_ext = EXT(INET_DIAG_INFO);
	req->idiag_states = ALL_STATES;
	return mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0;
}

static int receive_all(struct mnl_socket *nl, unsigned int family,
		       struct dump *dump)
{
	static char buf[32768];
	ssize_t len;
	int ret = MNL_CB_OK;

	while (ret > MNL_CB_STOP) {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return len;
		ret = mnl_cb_run(buf, len, family, mnl_socket_get_portid(nl),
				 on_message, dump);
	}
	return ret;
}

/* EINTR is libmnl's word for a table that changed. */
static bool dump_family(unsigned int family, struct dump *dump)
{
	size_t before = dump->d->n;
	struct mnl_socket *nl;
	int ret = -1, tries = 0;

	do {
		dump->d->n = before;
		nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
		if (!nl)
			return false;
		if (!mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) &&
		    send_request(nl, family))
			ret = receive_all(nl, family, dump);
		else
			errno = EPERM;
		mnl_socket_close(nl);
	} while (ret < 0 && errno == EINTR && ++tries < MAX_TRIES);
	if (ret < 0 && errno == EINTR)
		dump->d->interrupted = true;
	return ret >= 0 || errno == EINTR;
}

bool diag_dump(struct diag *d, uint32_t net, uint32_t netns_ino)
{
	struct dump dump = { d, net, netns_ino };

	return dump_family(AF_INET, &dump) && dump_family(AF_INET6, &dump);
}

/*
 * One question about the socket @req->id, and its answer; what mnl_cb_run()
 * makes of that, with errno.
 */
static int ask_one(unsigned int type, const struct inet_diag_req_v2 *req,
		   mnl_cb_t on_answer, void *data)
{
	char buf[MNL_NLMSG_HDRLEN + 128] = { 0 }, answer[8192];
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int ret = -1;
	ssize_t len;

	if (!nl)
		return -1;
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(*req)), req, sizeof(*req));
	if (!mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) &&
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0) {
		len = mnl_socket_recvfrom(nl, answer, sizeof(answer));
		if (len > 0)
			ret = mnl_cb_run(answer, len, 0, 0, on_answer, data);
	}
	mnl_socket_close(nl);
	return ret;
}

static void set_id(struct inet_diag_req_v2 *req, const struct tcptrail_conn *who)
{
	bool v6 = who->flags & TCPTRAIL_F_IPV6;

	*req = (struct inet_diag_req_v2){
		.sdiag_family = v6 ? AF_INET6 : AF_INET,
		.sdiag_protocol = IPPROTO_TCP,
		.id.idiag_sport = htons(who->sport),
		.id.idiag_dport = htons(who->dport),
		.id.idiag_if = who->ifindex,
		.id.idiag_cookie = { who->cookie, who->cookie >> 32 },
	};
	memcpy(req->id.idiag_src, who->saddr + (v6 ? 0 : 12), v6 ? 16 : 4);
	memcpy(req->id.idiag_dst, who->daddr + (v6 ? 0 : 12), v6 ? 16 : 4);
}

static int on_still(const struct nlmsghdr *nlh, void *data)
{
	diag_add(data, nlh, 0, 0);
	return MNL_CB_STOP;
}

bool diag_still(const struct diag_sock *s)
{
	struct inet_diag_req_v2 req;
	struct diag d = { 0 };
	bool still;

	set_id(&req, &s->who);
	ask_one(SOCK_DIAG_BY_FAMILY, &req, on_still, &d);
	still = d.n && d.sock[0].who.cookie == s->who.cookie &&
		d.sock[0].state == s->state && d.sock[0].inode == s->inode;
	diag_free(&d);
	return still;
}

/* A socket that can't exist is to be destroyed: who says ENOENT would do it. */
bool diag_can_destroy(void)
{
	struct inet_diag_req_v2 req = {
		.sdiag_family = AF_INET,
		.sdiag_protocol = IPPROTO_TCP,
		.id.idiag_cookie = { 0xfffffffe, 0xfffffffe },
	};

	return ask_one(SOCK_DESTROY, &req, NULL, NULL) < 0 && errno == ENOENT;
}

bool diag_ends_orphans(const char *release, const char *version)
{
	/* Debian's release has no third number, but its version has. */
	const char *debian = strstr(version, " Debian ");
	unsigned int major, minor, patch;

	if (debian)
		release = debian + strlen(" Debian ");
	if (sscanf(release, "%u.%u.%u", &major, &minor, &patch) != 3)
		return false;
	if (major != 6)
		return major > 6;
	switch (minor) {
	case 1:
		return patch >= 132;
	case 6:
		return patch >= 85;
	case 10:
		return patch >= 8;
	default:
		return minor >= 11;
	}
}

/* ---- recorded messages ---- */

static char *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *buf;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st)) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	buf = xzalloc(st.st_size + 1);
	n = read(fd, buf, st.st_size);
	close(fd);
	*size = max(n, 0);
	return buf;
}

bool diag_read(struct diag *d, const char *path, uint32_t net,
	       uint32_t netns_ino)
{
	size_t size;
	char *buf = read_file(path, &size);
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
	int left = size;

	if (!buf)
		return false;
	/* libmnl takes a length that is no int for a small one. */
	for (; left > 0 && mnl_nlmsg_ok(nlh, left) &&
	       nlh->nlmsg_len <= (uint32_t)left;
	     nlh = mnl_nlmsg_next(nlh, &left))
		if (nlh->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			diag_add(d, nlh, net, netns_ino);
	free(buf);
	return true;
}

void diag_free(struct diag *d)
{
	free(d->sock);
	memset(d, 0, sizeof(*d));
}
