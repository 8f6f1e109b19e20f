// SPDX-License-Identifier: GPL-2.0
/* The rings' memory, one per CPU, and the wake-up of sleeping readers. */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/irq_work.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

#include "ring_cpu.h"

#define RING_SLOTS_MIN	64U
#define RING_SLOTS_MAX	BIT(20)
/* The rings of the CPUs that are online take at most this part of memory. */
#define RING_MEMORY_PART	32

/*
 * A CPU that has no ring (yet) writes to a single slot that nobody reads, so
 * the writer need not ask: mask is 0 there, and head counts what was missed.
 */
DEFINE_PER_CPU_ALIGNED(struct ring, cpu_ring);
static DEFINE_PER_CPU(struct ring_slot, cpu_no_ring);
static unsigned int ring_slots;
static int ring_hotplug_state;
/* Missed by CPUs that have got a ring since */
static u64 ring_missed;

static DECLARE_WAIT_QUEUE_HEAD(ring_wait);
int ring_wake_wanted;
static struct irq_work ring_wake_work;

static void ring_do_wake(struct irq_work *work)
{
	wake_up_interruptible_poll(&ring_wait,
				   EPOLLIN | EPOLLRDNORM | EPOLLPRI);
}

/* Somebody sleeps; from any context. */
void ring_wake(void)
{
	irq_work_queue(&ring_wake_work);
}

wait_queue_head_t *ring_wait_queue(void)
{
	return &ring_wait;
}

/**
 * ring_of - ring of a CPU
 * @cpu: number of a possible CPU
 *
 * Return: NULL if that CPU has never been online. A ring once returned stays
 * until ring_exit().
 */
const struct ring *ring_of(unsigned int cpu)
{
	const struct ring *r = &per_cpu(cpu_ring, cpu);

	/* pairs with the release in ring_cpu_prepare() */
	return smp_load_acquire(&r->mask) ? r : NULL;
}

/* What all records of a CPU have in common is there from the beginning. */
static void ring_slots_init(struct ring_slot *slot, unsigned int n,
			    unsigned int cpu)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		((struct tcptrail_hdr *)slot[i].word)->cpu = cpu;
}

/* Before a CPU comes online, on another one, allowed to sleep. */
static int ring_cpu_prepare(unsigned int cpu)
{
	struct ring *r = &per_cpu(cpu_ring, cpu);
	struct ring_slot *slot;

	if (r->mask)
		return 0;
	slot = vzalloc_node(array_size(ring_slots, sizeof(*slot)),
			    cpu_to_node(cpu));
	/* A CPU must come online even so: its records count as missed. */
	if (!slot) {
		pr_warn("no memory for the ring of CPU %u\n", cpu);
		return 0;
	}
	ring_slots_init(slot, ring_slots, cpu);
	ring_missed += r->head;
	r->head = 0;
	r->slot = slot;
	/* pairs with the acquire in ring_of() */
	smp_store_release(&r->mask, ring_slots - 1);
	return 0;
}

static unsigned int ring_slots_fitting(unsigned int wanted)
{
	u64 most = ((u64)totalram_pages() << PAGE_SHIFT) / RING_MEMORY_PART;
	unsigned int slots;

	slots = clamp_t(unsigned int, wanted, RING_SLOTS_MIN, RING_SLOTS_MAX);
	slots = roundup_pow_of_two(slots);
	while (slots > RING_SLOTS_MIN &&
	       (u64)slots * sizeof(struct ring_slot) * num_online_cpus() > most)
		slots /= 2;
	return slots;
}

/**
 * ring_init - make the rings of the CPUs that are online
 * @slots: records per ring; rounded up to a power of two, and limited to
 *	1/32 of the memory for all rings
 *
 * Return: 0 or a negative errno.
 */
int ring_init(unsigned int slots)
{
	unsigned int cpu;
	int ret;

	BUILD_BUG_ON(sizeof(struct ring_slot) != TCPTRAIL_RECORD_MAX);
	ring_slots = ring_slots_fitting(slots);
	if (ring_slots < slots)
		pr_notice("%u records per CPU instead of %u: memory\n",
			  ring_slots, slots);
	init_irq_work(&ring_wake_work, ring_do_wake);
	for_each_possible_cpu(cpu)
		per_cpu(cpu_ring, cpu).slot = per_cpu_ptr(&cpu_no_ring, cpu);
	ret = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN,
					"net/tcptrail:prepare",
					ring_cpu_prepare, NULL);
	if (ret < 0)
		return ret;
	ring_hotplug_state = ret;
	/* Not left to cpuhp_setup_state(), which in 5.10 does it only for
	 * CPUHP_AP_ONLINE_DYN.
	 */
	cpus_read_lock();
	for_each_online_cpu(cpu)
		ring_cpu_prepare(cpu);
	cpus_read_unlock();
	return 0;
}

/* Nobody publishes or reads any more. */
void ring_exit(void)
{
	unsigned int cpu;

	irq_work_sync(&ring_wake_work);
	cpuhp_remove_state_nocalls(ring_hotplug_state);
	for_each_possible_cpu(cpu)
		if (ring_of(cpu))
			vfree(ring_of(cpu)->slot);
}

/* The rings' part of struct tcptrail_info. */
void ring_fill_info(struct tcptrail_info *info)
{
	unsigned int cpu;

	info->slots = ring_slots;
	info->missed = READ_ONCE(ring_missed);
	for_each_possible_cpu(cpu) {
		const struct ring *r = ring_of(cpu);

		if (!r) {
			info->missed += ring_head(&per_cpu(cpu_ring, cpu));
			continue;
		}
		info->cpus++;
		info->written += ring_head(r);
	}
}
