/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the module offer one another. */
#ifndef _TCPTRAIL_H
#define _TCPTRAIL_H

#include <linux/kernel.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/tcptrail.h>

struct ring;

/* ring.c; the writer's side is in ring_cpu.h */
int ring_init(unsigned int slots);
void ring_exit(void);
const struct ring *ring_of(unsigned int cpu);
wait_queue_head_t *ring_wait_queue(void);
void ring_fill_info(struct tcptrail_info *info);

/* trail.c */
int trail_init(unsigned int max_trails);
void trail_exit(void);
void trail_arm(bool on);
void trail_fill_info(struct tcptrail_info *info);
unsigned int trail_buckets(void);
int trail_copy_bucket(unsigned int bucket, struct tcptrail_trail *to,
		      unsigned int room);

/* hooks.c */
int hooks_init(void);
void hooks_exit(void);
void hooks_fill_info(struct tcptrail_info *info);

/* device.c */
int device_init(void);
void device_exit(void);

/* main.c */
extern u64 loaded_ns;

#endif /* _TCPTRAIL_H */
