/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the module offer one another. */
#ifndef _TCPTRAIL_H
#define _TCPTRAIL_H

#include <linux/kernel.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/tcptrail.h>

struct ring;

/* ring.c */
int ring_init(unsigned int slots);
void ring_exit(void);
struct tcptrail_hdr *ring_record(void);
void ring_publish(void);
const struct ring *ring_of(unsigned int cpu);
void ring_ask_wake(void);
wait_queue_head_t *ring_wait_queue(void);
void ring_fill_info(struct tcptrail_info *info);

/* hooks.c */
int hooks_init(void);
void hooks_exit(void);
bool hooks_active(unsigned int bit);
u16 hooks_unseen(void);
void hooks_fill_info(struct tcptrail_info *info);

/* device.c */
int device_init(void);
void device_exit(void);

/* main.c */
extern u64 loaded_ns;

#endif /* _TCPTRAIL_H */
