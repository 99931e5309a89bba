/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What packets cost when two CPUs work at once on the same tables, and whether any count is lost.
 *
 *	cpus [ROUNDS]
 *
 * With one CPU nothing is reported.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conntrack/tables.h"
#include "samples.h"
#include "stand.h"

#define SAMPLE 131072 /* packets of a CPU: each of the flows as often as any other */
#define FLOWS  65536

struct worker {
	pthread_t thread;
	struct stand *stand;
	const struct traffic *traffic;
	double ns;
	int cpu;
	bool empty;
};

static unsigned int rounds = 9;
static pthread_barrier_t start;

/* On one CPU, and before all others there: the CPUs have to work at the same time. */
static void pin(int cpu)
{
	const struct sched_param first = {.sched_priority = 1};
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot stay on CPU %d: %s", cpu, strerror(errno));
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		die("cannot go before others: %s", strerror(errno));
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	pin(worker->cpu);
	pthread_barrier_wait(&start);
	worker->ns = stand_run_blind(worker->stand, worker->traffic, SAMPLE, worker->empty);
	return NULL;
}

/* The mean of the CPUs' costs of a packet. */
static double run_on(struct worker *workers, unsigned int n, bool empty)
{
	double sum = 0;

	pthread_barrier_init(&start, NULL, n);
	for (unsigned int i = 0; i < n; i++) {
		workers[i].empty = empty;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("cannot start a thread");
	}
	for (unsigned int i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		sum += workers[i].ns;
	}
	pthread_barrier_destroy(&start);
	return sum / n;
}

/* Packets that all flows together have counted. */
static uint64_t counted(const struct stand *stand)
{
	int fd = stand_map_fd(stand, "ct_tcp4_v2");
	struct flow_key4 key, *previous = NULL;
	struct flow flow;
	uint64_t sum = 0;

	while (!bpf_map_get_next_key(fd, previous, &key)) {
		if (!bpf_map_lookup_elem(fd, &key, &flow))
			sum += flow.packets[0] + flow.packets[1];
		previous = &key;
	}
	return sum;
}

static void measure(struct worker *workers, unsigned int n, uint32_t flows)
{
	struct traffic traffic = {
		.path = PATH_XDP_IN,
		.flows = flows,
		.reason = REASON_ESTABLISHED,
		.service = STAND_PORT,
		.ip_version = IP_VERSION_4,
		.l4_proto = IPPROTO_TCP,
		.tcp_flags = PACKET_TCP_ACK,
	};
	const struct stand *stand = workers[0].stand;
	uint64_t before_flows = counted(stand),
		 before = stand_count(stand, DIR_INGRESS, REASON_ESTABLISHED);
	struct samples samples = {.has_empty = true}, lost = {};
	double packets = (double)rounds * n * SAMPLE;

	for (unsigned int i = 0; i < n; i++)
		workers[i].traffic = &traffic;
	for (samples.n = 0; samples.n < rounds; samples.n++) {
		samples.empty[samples.n] = run_on(workers, n, true);
		samples.measured[samples.n] = run_on(workers, n, false);
	}
	samples_add(&lost, packets - (counted(stand) - before_flows));
	samples_add(&lost,
		    packets - (stand_count(stand, DIR_INGRESS, REASON_ESTABLISHED) - before));
	samples_report(&samples,
		       "\"part\":\"cpus\",\"case\":\"established, the same flows on all\","
		       "\"flows\":%u,\"cpus\":%u,\"unit\":\"ns\"",
		       flows, n);
	samples_report(&lost,
		       "\"part\":\"cpus\",\"case\":\"packets not counted, by flow and by "
		       "interface\",\"flows\":%u,\"cpus\":%u,\"unit\":\"packets\",\"goal\":0",
		       flows, n);
}

int main(int argc, char **argv)
{
	struct stand stand = {}, clone;
	struct worker workers[2] = {{.stand = &stand}, {.stand = &clone}};
	cpu_set_t allowed;
	int n = 0;

	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 10);
	if (argc > 2 || !rounds || rounds > SAMPLES_MAX)
		die("usage: cpus [ROUNDS], at most %d", SAMPLES_MAX);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			workers[n++].cpu = cpu;
	if (n < 2)
		return 0;
	generation_verbose(false);
	stand_open(&stand, STAND_POLICY);
	stand_open_clone(&clone, &stand);
	stand_establish(&stand, IP_VERSION_4, IPPROTO_TCP, 0, FLOWS);
	for (n = 1; n <= 2; n++)
		measure(workers, n, 1);
	for (n = 1; n <= 2; n++)
		measure(workers, n, FLOWS);
	stand_close_clone(&clone);
	stand_close(&stand);
	return 0;
}
