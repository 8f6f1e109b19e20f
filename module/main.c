// SPDX-License-Identifier: GPL-2.0
/* The order of init and exit, and the module's parameters. */
#include <linux/module.h>
#include <linux/timekeeping.h>

#include "tcptrail.h"

static unsigned int ring_records = 4096;
module_param(ring_records, uint, 0444);
MODULE_PARM_DESC(ring_records, "records per CPU, 256 bytes each; rounded up to a power of two (default 4096)");

static unsigned int max_trails = 131072;
module_param(max_trails, uint, 0444);
MODULE_PARM_DESC(max_trails, "most open connections to remember, 256 bytes each while they are open; 0: none, and no histories (default 131072)");

u64 loaded_ns;

static int __init tcptrail_init(void)
{
	int ret;

	ret = ring_init(ring_records);
	if (ret)
		return ret;
	ret = trail_init(max_trails);
	if (ret)
		goto err_ring;
	ret = hooks_init();
	if (ret)
		goto err_trail;
	loaded_ns = ktime_get_boottime_ns();
	/* From here on a birth is seen. */
	trail_arm(true);
	/* Last: once it is open, nothing may fail any more. */
	ret = device_init();
	if (ret)
		goto err_hooks;
	return 0;

err_hooks:
	trail_arm(false);
	hooks_exit();
err_trail:
	trail_exit();
err_ring:
	ring_exit();
	return ret;
}

static void __exit tcptrail_exit(void)
{
	device_exit();
	trail_arm(false);
	hooks_exit();
	trail_exit();
	ring_exit();
}

module_init(tcptrail_init);
module_exit(tcptrail_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("tcptrail developers");
MODULE_DESCRIPTION("Records every TCP state transition of every connection");
MODULE_VERSION(TCPTRAIL_VERSION);
