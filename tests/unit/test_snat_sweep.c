/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Removing what leads from an uplink to flows that have ended, on real maps. */
#include "unit/flow_fixture.h"

#include "conntrack/snat_sweep.h"
#include "masquerade.h"

#define ENTRIES 8192

static const struct flow_spec tcp = {
	.l4_proto = IPPROTO_TCP,
	.src = "100.64.0.2",
	.dst = "192.0.2.1",
	.sport = 40000,
	.dport = 443,
	.flow.flags = FLOW_BY_PEER | FLOW_FORWARD | FLOW_MASQUERADED,
};
static const struct flow_spec echo6 = {
	.l4_proto = IPPROTO_ICMPV6,
	.unconfirmed = true,
	.src = "fd64::2",
	.dst = "2001:db8::1",
	.sport = 7,
	.flow.flags = FLOW_BY_PEER | FLOW_FORWARD | FLOW_MASQUERADED,
};

static const struct flow_spec gre = {
	.l4_proto = IPPROTO_GRE,
	.src = "100.64.0.2",
	.dst = "192.0.2.1",
	.flow.flags = FLOW_BY_PEER | FLOW_FORWARD | FLOW_MASQUERADED,
};

static int map_new(const char *name, uint32_t key_size)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, name, key_size, sizeof(struct snat_in), ENTRIES,
				NULL);

	assert_true(fd >= 0);
	return fd;
}

/* What a flow's answers are found by, on this port of ours. */
static void lead_to(const struct snat_sweep *sweep, const struct flow_spec *spec, uint16_t port)
{
	bool is_6 = strchr(spec->src, ':');
	struct snat_in in = {.port = htons(spec->sport), .owner = sweep->owner};
	struct flow_key6 key6 = {.l4_proto = spec->l4_proto,
				 .port = {htons(spec->dport), htons(port)}};
	struct flow_key4 key4 = {.l4_proto = spec->l4_proto,
				 .port = {htons(spec->dport), htons(port)}};

	if (is_6) {
		assert_int_equal(inet_pton(AF_INET6, spec->src, &in.peer), 1);
		assert_int_equal(inet_pton(AF_INET6, spec->dst, &key6.addr[0]), 1);
	} else {
		in.peer.bytes[10] = in.peer.bytes[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, spec->src, &in.peer.word[3]), 1);
		assert_int_equal(inet_pton(AF_INET, spec->dst, &key4.addr[0]), 1);
	}
	assert_int_equal(bpf_map_update_elem(sweep->fds[is_6], is_6 ? (void *)&key6 : (void *)&key4,
					     &in, BPF_NOEXIST),
			 0);
}

/* A flow that leaves from this port of ours. */
static void add_flow(struct fixture *f, const struct flow_spec *spec, uint16_t port)
{
	struct flow_spec flow = *spec;

	flow.flow.snat_port = htons(port);
	fixture_add(f, &flow);
}

static struct snat_sweep *sweep_new(void)
{
	struct snat_sweep *sweep = malloc(sizeof(*sweep));
	struct error error;

	assert_non_null(sweep);
	assert_int_equal(snat_sweep_init(sweep, &error), 0);
	sweep->fds[0] = map_new("snat_in4_v1", sizeof(struct flow_key4));
	sweep->fds[1] = map_new("snat_in6_v1", sizeof(struct flow_key6));
	return sweep;
}

static void sweep_delete(struct snat_sweep *sweep)
{
	close(sweep->fds[0]);
	close(sweep->fds[1]);
	snat_sweep_free(sweep);
	free(sweep);
}

static void sweep_steps(struct snat_sweep *sweep, const struct fixture *f, unsigned int n)
{
	struct error error;

	while (n--)
		assert_int_equal(snat_sweep_step(sweep, &f->conntrack, &error), 0);
}

static void what_leads_to_a_flow_stays_in_whichever_tier_it_is(void **state)
{
	struct snat_sweep *sweep = sweep_new();
	struct fixture *f = fixture_new(1024);

	(void)state;
	add_flow(f, &tcp, 61000);
	add_flow(f, &echo6, 62000);
	add_flow(f, &gre, 0); /* in a table of many protocols */
	lead_to(sweep, &tcp, 61000);
	lead_to(sweep, &echo6, 62000);
	lead_to(sweep, &gre, 0);
	sweep_steps(sweep, f, 4);
	assert_int_equal(sweep->removed, 0);
	fixture_free(f);
	sweep_delete(sweep);
}

static void what_leads_nowhere_goes_after_both_maps_were_walked(void **state)
{
	struct snat_sweep *sweep = sweep_new();
	struct fixture *f = fixture_new(1024);
	struct flow_spec other = tcp;

	(void)state;
	add_flow(f, &tcp, 61000);
	lead_to(sweep, &tcp, 61000);
	lead_to(sweep, &echo6, 62000);
	for (uint16_t port = 1; port <= 5000; port++) {
		other.sport = port;
		lead_to(sweep, &other, port);
	}
	sweep_steps(sweep, f, 8);
	assert_int_equal(sweep->removed, 5001);
	sweep_steps(sweep, f, 8);
	assert_int_equal(sweep->removed, 5001);
	fixture_free(f);
	sweep_delete(sweep);
}

static void what_leads_to_a_flow_from_another_port_goes(void **state)
{
	struct snat_sweep *sweep = sweep_new();
	struct fixture *f = fixture_new(1024);

	(void)state;
	add_flow(f, &tcp, 61000);
	lead_to(sweep, &tcp, 61000);
	lead_to(sweep, &tcp, 61001); /* before it was displaced, and opened again */
	sweep_steps(sweep, f, 4);
	assert_int_equal(sweep->removed, 1);
	fixture_free(f);
	sweep_delete(sweep);
}

static void what_leads_to_another_interfaces_peers_stays(void **state)
{
	struct snat_sweep *sweep = sweep_new();
	struct fixture *f = fixture_new(1024);

	(void)state;
	sweep->owner = 1;
	lead_to(sweep, &tcp, 61000);
	lead_to(sweep, &echo6, 62000);
	sweep->owner = 0;
	lead_to(sweep, &tcp, 61001);
	sweep_steps(sweep, f, 8);
	assert_int_equal(sweep->removed, 1);
	sweep->owner = 1;
	sweep_steps(sweep, f, 8);
	assert_int_equal(sweep->removed, 3);
	fixture_free(f);
	sweep_delete(sweep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_leads_to_a_flow_stays_in_whichever_tier_it_is),
		cmocka_unit_test(what_leads_nowhere_goes_after_both_maps_were_walked),
		cmocka_unit_test(what_leads_to_a_flow_from_another_port_goes),
		cmocka_unit_test(what_leads_to_another_interfaces_peers_stays),
	};

	return cmocka_run_group_tests_name("snat_sweep", tests, NULL, NULL);
}
