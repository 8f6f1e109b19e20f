// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/tcptrail. Every open file is a reader with cursors of its own; the
 * contract is in linux/tcptrail.h.
 *
 * What makes the stream exact although nothing is stopped: the heads of all
 * rings are noted first, the rings are delivered up to there, and only then
 * the trails are copied. A step that is missing from the copy of its trail
 * was published after that copy, hence behind the heads; a connection that
 * was gone before its bucket was visited has its END behind the heads. Both
 * are delivered or counted as lost in what follows.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <linux/utsname.h>

#include "ring.h"
#include "trail.h"

enum reader_phase {
	READER_HISTORY,		/* the rings up to the heads at open */
	READER_TRAILS,		/* bucket by bucket */
	READER_CATCH_UP,	/* the rings up to the heads at the walk's end */
	READER_SYNC,		/* one SYNC record */
	READER_LIVE,
};

/**
 * struct ring_cursor - where a reader is in one ring
 * @next: position to read next
 * @until: where the present round ends
 */
struct ring_cursor {
	u64 next;
	u64 until;
};

/**
 * struct reader - an open file
 * @lock: guards everything here; reads of one file take turns
 * @phase: what is delivered now
 * @redact: may not see live sequence numbers
 * @cpu: ring that the present round is at
 * @bucket: bucket to copy next
 * @trails: copies of one bucket
 * @room: how many fit there
 * @copied: how many are there
 * @given: how many of them have been delivered
 * @delivered: records, of all kinds that come from a ring
 * @lost: records that were overwritten before they were read
 * @at: one cursor per possible CPU
 */
struct reader {
	struct mutex lock;	/* see above */
	enum reader_phase phase;
	bool redact;
	unsigned int cpu;
	unsigned int bucket;
	struct tcptrail_trail *trails;
	unsigned int room;
	unsigned int copied;
	unsigned int given;
	u64 delivered;
	u64 lost;
	struct ring_cursor at[];
};

union record {
	u64 word[RING_SLOT_WORDS];
	struct tcptrail_hdr hdr;
	struct tcptrail_step step;
	struct tcptrail_trail trail;
	struct tcptrail_lost lost;
};

static_assert(sizeof(union record) == TCPTRAIL_RECORD_MAX);
static_assert(sizeof(struct tcptrail_trail) <= TCPTRAIL_RECORD_MAX);

/* ---- rings ---- */

/* Start a round: everything that has been published by now. */
static void reader_mark(struct reader *rd)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct ring *r = ring_of(cpu);

		rd->at[cpu].until = r ? ring_head(r) : 0;
	}
	rd->cpu = 0;
}

/* Go behind the newest record. */
static void reader_skip(struct reader *rd)
{
	unsigned int cpu;

	reader_mark(rd);
	for_each_possible_cpu(cpu)
		WRITE_ONCE(rd->at[cpu].next, rd->at[cpu].until);
	WRITE_ONCE(rd->phase, READER_LIVE);
	rd->copied = 0;
	rd->given = 0;
}

/*
 * Go back to the oldest records. What has been overwritten before it was read
 * is still to be told as lost; for a new file that is nothing.
 */
static void reader_restart(struct reader *rd, bool new)
{
	unsigned int cpu;

	reader_mark(rd);
	for_each_possible_cpu(cpu) {
		const struct ring *r = ring_of(cpu);
		struct ring_cursor *at = &rd->at[cpu];
		u64 oldest = r ? ring_oldest(r, at->until) : 0;

		WRITE_ONCE(at->next, new ? oldest : min(at->next, oldest));
	}
	WRITE_ONCE(rd->phase, READER_HISTORY);
	rd->bucket = 0;
	rd->copied = 0;
	rd->given = 0;
}

static void reader_tell_lost(struct reader *rd, union record *rec,
			     unsigned int cpu, u64 first, u64 lost)
{
	memset(&rec->lost, 0, sizeof(rec->lost));
	rec->hdr.size = sizeof(rec->lost);
	rec->hdr.type = TCPTRAIL_LOST;
	rec->hdr.cpu = cpu;
	rec->hdr.ts_ns = ktime_get_boottime_ns();
	rec->lost.lost = lost;
	rec->lost.first_seq = first + 1;
	rd->lost += lost;
}

/*
 * The next record of one ring in this round; or, where records have been
 * overwritten, one LOST for all of them. False: the round is through here.
 */
static bool reader_from_ring(struct reader *rd, unsigned int cpu,
			     const struct ring *r, union record *rec)
{
	struct ring_cursor *at = &rd->at[cpu];
	u64 first = at->next;

	while (at->next < at->until) {
		u64 oldest = ring_oldest(r, ring_head(r));

		if (at->next < oldest) {
			WRITE_ONCE(at->next, oldest);
			continue;
		}
		if (!ring_get(r, at->next, rec->word)) {
			WRITE_ONCE(at->next, at->next + 1);
			continue;
		}
		break;
	}
	if (at->next != first) {
		reader_tell_lost(rd, rec, cpu, first, at->next - first);
		return true;
	}
	if (at->next >= at->until)
		return false;
	WRITE_ONCE(at->next, at->next + 1);
	rd->delivered++;
	return true;
}

static bool reader_from_rings(struct reader *rd, union record *rec)
{
	for (; rd->cpu < nr_cpu_ids; rd->cpu++) {
		const struct ring *r = cpu_possible(rd->cpu) ?
					       ring_of(rd->cpu) : NULL;

		if (r && reader_from_ring(rd, rd->cpu, r, rec))
			return true;
	}
	return false;
}

static bool rings_have_more(const struct reader *rd)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct ring *r = ring_of(cpu);

		if (r && ring_head(r) != READ_ONCE(rd->at[cpu].next))
			return true;
	}
	return false;
}

/* ---- trails ---- */

/* Copy the next bucket that is not empty. 0: no more; or -ENOMEM. */
static int reader_fill_trails(struct reader *rd)
{
	while (rd->bucket < trail_buckets()) {
		unsigned int n;

		cond_resched();
		n = trail_copy_bucket(rd->bucket, rd->trails, rd->room);
		if (n > rd->room) {
			struct tcptrail_trail *more;

			/* It may grow meanwhile, so look again. */
			more = kvcalloc(n + 8, sizeof(*more),
					GFP_KERNEL_ACCOUNT);
			if (!more)
				return -ENOMEM;
			kvfree(rd->trails);
			rd->trails = more;
			rd->room = n + 8;
			continue;
		}
		rd->bucket++;
		rd->copied = n;
		rd->given = 0;
		if (n)
			return n;
	}
	return 0;
}

static int reader_from_trails(struct reader *rd, union record *rec)
{
	if (rd->given == rd->copied) {
		int ret = reader_fill_trails(rd);

		if (ret <= 0)
			return ret;
	}
	rec->trail = rd->trails[rd->given++];
	return 1;
}

/* ---- the stream ---- */

/*
 * Live sequence numbers would let a reader without CAP_NET_ADMIN forge
 * segments. See RFC 5961.
 */
static void record_redact(union record *rec)
{
	switch (rec->hdr.type) {
	case TCPTRAIL_STEP:
	case TCPTRAIL_EVENT:
		rec->step.conn.flags |= TCPTRAIL_F_REDACTED;
		rec->step.iss = 0;
		rec->step.irs = 0;
		if (rec->hdr.size >= TRAIL_SIZE_FULL) {
			rec->step.snd_una = 0;
			rec->step.snd_nxt = 0;
			rec->step.rcv_nxt = 0;
		}
		break;
	case TCPTRAIL_END:
	case TCPTRAIL_TRAIL:
		rec->trail.conn.flags |= TCPTRAIL_F_REDACTED;
		rec->trail.iss = 0;
		rec->trail.irs = 0;
		break;
	}
}

static void record_sync(union record *rec)
{
	memset(&rec->hdr, 0, sizeof(rec->hdr));
	rec->hdr.size = sizeof(rec->hdr);
	rec->hdr.type = TCPTRAIL_SYNC;
	rec->hdr.ts_ns = ktime_get_boottime_ns();
}

/* 1 and a record; 0: nothing now; or a negative errno, nothing moved. */
static int reader_next(struct reader *rd, union record *rec)
{
	int ret;

	switch (rd->phase) {
	case READER_HISTORY:
		if (reader_from_rings(rd, rec))
			return 1;
		WRITE_ONCE(rd->phase, READER_TRAILS);
		fallthrough;
	case READER_TRAILS:
		ret = reader_from_trails(rd, rec);
		if (ret)
			return ret;
		reader_mark(rd);
		WRITE_ONCE(rd->phase, READER_CATCH_UP);
		fallthrough;
	case READER_CATCH_UP:
		if (reader_from_rings(rd, rec))
			return 1;
		WRITE_ONCE(rd->phase, READER_SYNC);
		fallthrough;
	case READER_SYNC:
		record_sync(rec);
		WRITE_ONCE(rd->phase, READER_LIVE);
		return 1;
	case READER_LIVE:
		if (reader_from_rings(rd, rec))
			return 1;
		reader_mark(rd);
		return reader_from_rings(rd, rec);
	}
	return 0;
}

/* Records until the buffer has no room for the largest one. */
static ssize_t reader_copy(struct reader *rd, char __user *buf, size_t len)
{
	union record rec;
	size_t done = 0;

	while (len - done >= sizeof(rec)) {
		int ret = reader_next(rd, &rec);

		if (ret <= 0)
			return done ?: ret;
		if (rd->redact)
			record_redact(&rec);
		/* Bytes behind an unreadable address are gone, as with pipes. */
		if (copy_to_user(buf + done, &rec, rec.hdr.size))
			return done ?: -EFAULT;
		done += rec.hdr.size;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}

/* ---- file operations ---- */

/*
 * Would read() return something? From here on the next record wakes those who
 * wait, whatever the answer. Only a hint unless rd->lock is held.
 */
static bool reader_ready(struct reader *rd)
{
	ring_ask_wake();
	return READ_ONCE(rd->phase) != READER_LIVE || rings_have_more(rd);
}

static ssize_t tt_read(struct file *file, char __user *buf, size_t len,
		       loff_t *pos)
{
	struct reader *rd = file->private_data;
	ssize_t ret;

	if (len < TCPTRAIL_RECORD_MAX)
		return -EINVAL;
	for (;;) {
		if (mutex_lock_interruptible(&rd->lock))
			return -ERESTARTSYS;
		ret = reader_copy(rd, buf, len);
		mutex_unlock(&rd->lock);
		if (ret)
			return ret;
		if (file->f_flags & O_NONBLOCK) {
			/* Edge-triggered epoll wants to be woken after this. */
			if (!reader_ready(rd))
				return -EAGAIN;
			continue;
		}
		ret = wait_event_interruptible(*ring_wait_queue(),
					       reader_ready(rd));
		if (ret)
			return ret;
	}
}

static __poll_t tt_poll(struct file *file, poll_table *wait)
{
	struct reader *rd = file->private_data;
	__poll_t mask = 0;
	unsigned int cpu;

	poll_wait(file, ring_wait_queue(), wait);
	if (reader_ready(rd))
		mask = EPOLLIN | EPOLLRDNORM;
	for_each_possible_cpu(cpu) {
		const struct ring *r = ring_of(cpu);

		if (r && READ_ONCE(rd->at[cpu].next) <
			 ring_oldest(r, ring_head(r)))
			mask |= EPOLLPRI;
	}
	return mask;
}

static loff_t tt_llseek(struct file *file, loff_t offset, int whence)
{
	struct reader *rd = file->private_data;

	if (offset || (whence != SEEK_SET && whence != SEEK_END))
		return -EINVAL;
	if (mutex_lock_interruptible(&rd->lock))
		return -ERESTARTSYS;
	if (whence == SEEK_SET)
		reader_restart(rd, false);
	else
		reader_skip(rd);
	mutex_unlock(&rd->lock);
	return 0;
}

static void info_fill(struct tcptrail_info *info)
{
	ktime_t now = ktime_get();

	info->size = sizeof(*info);
	info->magic = TCPTRAIL_MAGIC;
	info->abi = TCPTRAIL_ABI;
	info->features = TCPTRAIL_FEAT_TRAIL;
	info->user_hz = USER_HZ;
	info->loaded_ns = loaded_ns;
	info->boot_ns = ktime_to_ns(ktime_mono_to_any(now, TK_OFFS_BOOT));
	info->real_ns = ktime_to_ns(ktime_mono_to_real(now));
	strscpy(info->version, TCPTRAIL_VERSION, sizeof(info->version));
	strscpy(info->release, init_uts_ns.name.release, sizeof(info->release));
	ring_fill_info(info);
	trail_fill_info(info);
	hooks_fill_info(info);
}

/* As copy_struct_from_user() and its opposite; the latter is not in 6.12. */
static long ioctl_info(struct reader *rd, struct tcptrail_info __user *arg)
{
	struct tcptrail_info info;
	u32 size;

	if (get_user(size, &arg->size))
		return -EFAULT;
	if (size < 16 || size > PAGE_SIZE)
		return -EINVAL;
	switch (check_zeroed_user((char __user *)arg + sizeof(size),
				  size - sizeof(size))) {
	case 1:
		break;
	case 0:
		return -EINVAL;
	default:
		return -EFAULT;
	}
	memset(&info, 0, sizeof(info));
	info_fill(&info);
	mutex_lock(&rd->lock);
	info.delivered = rd->delivered;
	info.lost = rd->lost;
	mutex_unlock(&rd->lock);
	/* What the caller knows beyond us is zero already, as checked. */
	if (copy_to_user(arg, &info, min_t(size_t, size, sizeof(info))))
		return -EFAULT;
	return 0;
}

static long tt_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct reader *rd = file->private_data;

	switch (cmd) {
	case TCPTRAIL_IOC_INFO:
		return ioctl_info(rd, (struct tcptrail_info __user *)arg);
	case TCPTRAIL_IOC_RESYNC:
		return tt_llseek(file, 0, SEEK_SET);
	}
	return -ENOTTY;
}

/*
 * The stream shows every namespace of the host. A container that can make
 * device nodes must not read it.
 */
static bool in_initial_namespaces(void)
{
	return current_user_ns() == &init_user_ns &&
	       task_active_pid_ns(current) == &init_pid_ns;
}

static int tt_open(struct inode *inode, struct file *file)
{
	bool admin = capable(CAP_NET_ADMIN);
	struct reader *rd;

	if (file->f_mode & FMODE_WRITE)
		return -EACCES;
	if (!admin && !in_initial_namespaces())
		return -EPERM;
	rd = kvzalloc(struct_size(rd, at, nr_cpu_ids), GFP_KERNEL_ACCOUNT);
	if (!rd)
		return -ENOMEM;
	mutex_init(&rd->lock);
	rd->redact = !admin;
	reader_restart(rd, true);
	file->private_data = rd;
	return 0;
}

static int tt_release(struct inode *inode, struct file *file)
{
	struct reader *rd = file->private_data;

	kvfree(rd->trails);
	kvfree(rd);
	return 0;
}

static const struct file_operations tt_fops = {
	.owner = THIS_MODULE,
	.open = tt_open,
	.release = tt_release,
	.read = tt_read,
	.poll = tt_poll,
	.llseek = tt_llseek,
	.unlocked_ioctl = tt_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice tt_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "tcptrail",
	.fops = &tt_fops,
	.mode = 0600,
};

int device_init(void)
{
	return misc_register(&tt_device);
}

void device_exit(void)
{
	misc_deregister(&tt_device);
}
