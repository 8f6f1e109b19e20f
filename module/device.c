// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/tcptrail: file operations and rights. The contract is in
 * linux/tcptrail.h, the stream itself in reader.c.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <linux/utsname.h>

#include "reader.h"

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

	poll_wait(file, ring_wait_queue(), wait);
	if (reader_ready(rd))
		mask = EPOLLIN | EPOLLRDNORM;
	if (reader_has_lost(rd))
		mask |= EPOLLPRI;
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
	rd = reader_create(!admin);
	if (!rd)
		return -ENOMEM;
	file->private_data = rd;
	return 0;
}

static int tt_release(struct inode *inode, struct file *file)
{
	reader_destroy(file->private_data);
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
