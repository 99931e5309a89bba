/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who routes, where the ingress program sits, how the forwarder is reached; a row is settings given and mode expected. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/names.h"
#include "dataplane/mode.h"

/* Facts of a TUN device that carries GSO packets, and of a veth whose driver takes XDP. */
#define GSO_TUN                                                                                    \
	{                                                                                          \
		.vnet_hdr = true, .mtu = 1420                                                      \
	}
#define NATIVE_VETH                                                                                \
	{                                                                                          \
		.native_xdp = true, .merges = true, .l2_len = 14, .mtu = 1420                      \
	}

struct row {
	const char *name;
	struct policy policy;
	struct environment environment;
	struct mode_facts facts;
	struct mode mode;
	int warnings;
};

static void count_warning(const char *text, void *arg)
{
	assert_non_null(strstr(text, "NB_FORCE_"));
	++*(int *)arg;
}

static const struct row rows[] = {
	{
		.name = "DISABLE wins over both FORCE and the policy",
		.policy.mode.routing = POLICY_ROUTING_USERSPACE,
		.environment = {.disable_userspace_routing = true,
				.force_userspace_router = true,
				.force_native_router = true},
		.mode = {ROUTING_DISABLED, HOOK_TC, false, FORWARDER_INPUT_NONE,
			 "NB_DISABLE_USERSPACE_ROUTING is set",
			 "generic XDP would switch GRO off (TC by clsact)"},
	},
	{
		.name = "both FORCE mean userspace, with a warning",
		.policy.mode = {.routing = POLICY_ROUTING_NATIVE, .netstack = true},
		.environment = {.force_userspace_router = true, .force_native_router = true},
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, FORWARDER_INPUT_AF_XDP,
			 "NB_FORCE_USERSPACE_ROUTER is set",
			 "only XDP can hand packets to AF_XDP sockets"},
		.warnings = 1,
	},
	{
		.name = "FORCE_USERSPACE wins over the policy and a kernel that forwards",
		.policy.mode.routing = POLICY_ROUTING_NATIVE,
		.environment.force_userspace_router = true,
		.facts.ip_forward4 = true,
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, FORWARDER_INPUT_AF_XDP,
			 "NB_FORCE_USERSPACE_ROUTER is set",
			 "only XDP can hand packets to AF_XDP sockets"},
	},
	{
		.name = "FORCE_NATIVE wins over the policy and a kernel that does not forward",
		.policy.mode.routing = POLICY_ROUTING_USERSPACE,
		.environment.force_native_router = true,
		.facts.tcx = true,
		.mode = {ROUTING_NATIVE, HOOK_TC, false, FORWARDER_INPUT_NONE,
			 "NB_FORCE_NATIVE_ROUTER is set",
			 "generic XDP would switch GRO off (TC by TCX)"},
	},
	{
		.name = "the policy wins over a kernel that forwards",
		.policy.mode.routing = POLICY_ROUTING_USERSPACE,
		.facts.ip_forward4 = true,
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, FORWARDER_INPUT_AF_XDP, "policy file",
			 "only XDP can hand packets to AF_XDP sockets"},
	},
	{
		.name = "the policy wins over a kernel that does not forward",
		.policy.mode.routing = POLICY_ROUTING_NATIVE,
		.mode = {ROUTING_NATIVE, HOOK_TC, false, FORWARDER_INPUT_NONE, "policy file",
			 "generic XDP would switch GRO off (TC by clsact)"},
	},
	{
		.name = "the policy can switch routing off",
		.policy.mode.routing = POLICY_ROUTING_DISABLED,
		.facts.ip_forward4 = true,
		.mode = {ROUTING_DISABLED, HOOK_TC, false, FORWARDER_INPUT_NONE, "policy file",
			 "generic XDP would switch GRO off (TC by clsact)"},
	},
	{
		.name = "auto is native where the kernel forwards IPv4",
		.facts.ip_forward4 = true,
		.mode = {ROUTING_NATIVE, HOOK_TC, false, FORWARDER_INPUT_NONE,
			 "the kernel forwards (net.ipv4.ip_forward = 1)",
			 "generic XDP would switch GRO off (TC by clsact)"},
	},
	{
		.name = "auto is native where the kernel forwards IPv6 alone",
		.facts.ip_forward6 = true,
		.mode = {ROUTING_NATIVE, HOOK_TC, false, FORWARDER_INPUT_NONE,
			 "the kernel forwards (net.ipv6.conf.all.forwarding = 1)",
			 "generic XDP would switch GRO off (TC by clsact)"},
	},
	{
		.name = "auto is userspace where the kernel does not forward",
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, FORWARDER_INPUT_AF_XDP,
			 "the kernel does not forward",
			 "only XDP can hand packets to AF_XDP sockets"},
	},
	{
		.name = "auto is userspace with netstack even where the kernel forwards",
		.policy.mode.netstack = true,
		.facts = {.ip_forward4 = true, .ip_forward6 = true},
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, FORWARDER_INPUT_AF_XDP,
			 "netstack is on", "only XDP can hand packets to AF_XDP sockets"},
	},
	{
		.name = "a driver with native XDP gets it whatever routes",
		.facts = {.ip_forward4 = true, .native_xdp = true, .l2_len = 14, .tcx = true},
		.mode = {ROUTING_NATIVE, HOOK_XDP, false, FORWARDER_INPUT_NONE,
			 "the kernel forwards (net.ipv4.ip_forward = 1)",
			 "the driver supports native XDP"},
	},
	{
		.name = "netstack with local forwarding needs XDP though routing is off",
		.policy.mode = {.routing = POLICY_ROUTING_DISABLED,
				.netstack = true,
				.local_forwarding = true},
		.mode = {ROUTING_DISABLED, HOOK_XDP, true, FORWARDER_INPUT_AF_XDP, "policy file",
			 "only XDP can hand packets to AF_XDP sockets"},
	},
	{
		.name = "netstack without local forwarding needs no forwarder",
		.policy.mode = {.routing = POLICY_ROUTING_DISABLED, .netstack = true},
		.mode = {ROUTING_DISABLED, HOOK_TC, false, FORWARDER_INPUT_NONE, "policy file",
			 "generic XDP would switch GRO off (TC by clsact)"},
	},
	{
		.name = "the policy may ask for generic XDP",
		.policy.mode = {.routing = POLICY_ROUTING_NATIVE, .hook = POLICY_HOOK_XDP},
		.mode = {ROUTING_NATIVE, HOOK_XDP, true, FORWARDER_INPUT_NONE, "policy file",
			 "policy file"},
	},
	{
		.name = "the policy may ask for TC on a driver with native XDP",
		.policy.mode = {.routing = POLICY_ROUTING_NATIVE, .hook = POLICY_HOOK_TC},
		.facts = {.native_xdp = true, .l2_len = 14},
		.mode = {ROUTING_NATIVE, HOOK_TC, false, FORWARDER_INPUT_NONE, "policy file",
			 "policy file"},
	},
	{
		.name = "automatic routing is userspace where the policy asks for TC",
		.policy.mode.hook = POLICY_HOOK_TC,
		.mode = {ROUTING_USERSPACE, HOOK_TC, false, FORWARDER_INPUT_TUN,
			 "the kernel does not forward", "policy file", "mode.hook is tc"},
	},
	{
		.name = "a TUN device that carries GSO packets needs the forwarder's TUN",
		.facts = GSO_TUN,
		.mode = {ROUTING_USERSPACE, HOOK_TC, false, FORWARDER_INPUT_TUN,
			 "the kernel does not forward",
			 "forwarder_input tun: the device brings GSO packets (IFF_VNET_HDR)",
			 "the device brings GSO packets (IFF_VNET_HDR)"},
	},
	{
		.name = "so it does not where the kernel routes",
		.facts = {.ip_forward4 = true, .vnet_hdr = true, .mtu = 1420},
		.mode = {ROUTING_NATIVE, HOOK_TC, false, FORWARDER_INPUT_NONE,
			 "the kernel forwards (net.ipv4.ip_forward = 1)",
			 "generic XDP would switch GRO off (TC by clsact)"},
	},
	{
		.name = "netstack with local forwarding takes the TUN as well",
		.policy.mode = {.routing = POLICY_ROUTING_NATIVE,
				.netstack = true,
				.local_forwarding = true},
		.facts = GSO_TUN,
		.mode = {ROUTING_NATIVE, HOOK_TC, false, FORWARDER_INPUT_TUN, "policy file",
			 "forwarder_input tun: the device brings GSO packets (IFF_VNET_HDR)",
			 "the device brings GSO packets (IFF_VNET_HDR)"},
	},
	{
		.name = "the largest MTU that a chunk of AF_XDP takes",
		.facts = {.mtu = 3840},
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, FORWARDER_INPUT_AF_XDP,
			 "the kernel does not forward",
			 "only XDP can hand packets to AF_XDP sockets",
			 "every frame is a single packet"},
	},
	{
		.name = "one more needs the TUN",
		.facts = {.mtu = 3841},
		.mode = {ROUTING_USERSPACE, HOOK_TC, false, FORWARDER_INPUT_TUN,
			 "the kernel does not forward",
			 "forwarder_input tun: packets of its MTU exceed what AF_XDP carries",
			 "packets of its MTU exceed what AF_XDP carries"},
	},
	{
		.name = "a veth whose driver takes XDP brings single packets",
		.facts = NATIVE_VETH,
		.mode = {ROUTING_USERSPACE, HOOK_XDP, false, FORWARDER_INPUT_AF_XDP,
			 "the kernel does not forward", "the driver supports native XDP",
			 "every frame is a single packet"},
	},
	{
		.name = "one whose driver does not brings GSO packets",
		.facts = {.merges = true, .l2_len = 14, .mtu = 3600},
		.mode = {ROUTING_USERSPACE, HOOK_TC, false, FORWARDER_INPUT_TUN,
			 "the kernel does not forward",
			 "forwarder_input tun: generic XDP sees GSO packets there",
			 "generic XDP sees GSO packets there"},
	},
	{
		.name = "the policy may ask for the TUN where AF_XDP would do",
		.policy.mode.forwarder_input = POLICY_FORWARDER_INPUT_TUN,
		.facts = NATIVE_VETH,
		.mode = {ROUTING_USERSPACE, HOOK_TC, false, FORWARDER_INPUT_TUN,
			 "the kernel does not forward", "forwarder_input tun: policy file",
			 "policy file"},
	},
	{
		.name = "the policy may ask for AF_XDP, and hears what that lacks",
		.policy.mode.forwarder_input = POLICY_FORWARDER_INPUT_AF_XDP,
		.facts = GSO_TUN,
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, FORWARDER_INPUT_AF_XDP,
			 "the kernel does not forward",
			 "only XDP can hand packets to AF_XDP sockets", "policy file",
			 "the device brings GSO packets (IFF_VNET_HDR)"},
	},
	{
		.name = "XDP that the policy asks for means AF_XDP",
		.policy.mode.hook = POLICY_HOOK_XDP,
		.facts = GSO_TUN,
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, FORWARDER_INPUT_AF_XDP,
			 "the kernel does not forward", "policy file", "mode.hook is xdp",
			 "the device brings GSO packets (IFF_VNET_HDR)"},
	},
	{
		.name = "1:1 NAT on an L3 link takes the TUN, as it needs TC",
		.policy = {.mode.routing = POLICY_ROUTING_USERSPACE, .n_one_to_one = 1},
		.facts.mtu = 1420,
		.mode = {ROUTING_USERSPACE, HOOK_TC, false, FORWARDER_INPUT_TUN, "policy file",
			 "forwarder_input tun: nat.one_to_one needs TC on a link without Ethernet "
			 "header",
			 "nat.one_to_one needs TC on a link without Ethernet header"},
	},
	{
		.name = "ports are translated in TC although the driver runs XDP",
		.policy = {.mode.routing = POLICY_ROUTING_NATIVE, .n_nat_port = 1},
		.facts = {.native_xdp = true, .l2_len = 14},
		.mode = {ROUTING_NATIVE, HOOK_TC, false, FORWARDER_INPUT_NONE, "policy file",
			 "translation needs the kernel's checksum helpers"},
	},
	{
		.name = "1:1 NAT works in TC on an L3 link",
		.policy = {.mode.routing = POLICY_ROUTING_NATIVE, .n_one_to_one = 1},
		.mode = {ROUTING_NATIVE, HOOK_TC, false, FORWARDER_INPUT_NONE, "policy file",
			 "translation needs the kernel's checksum helpers"},
	},
	{
		.name = "translation on Ethernet takes the TUN, as it needs TC",
		.policy = {.mode.routing = POLICY_ROUTING_USERSPACE, .n_nat_port = 1},
		.facts = NATIVE_VETH,
		.mode = {ROUTING_USERSPACE, HOOK_TC, false, FORWARDER_INPUT_TUN, "policy file",
			 "forwarder_input tun: XDP translates unfinished checksums of local "
			 "senders wrongly",
			 "XDP translates unfinished checksums of local senders wrongly"},
	},
	{
		.name = "translation in XDP on Ethernet is to be had, and heard of",
		.policy = {.mode = {.routing = POLICY_ROUTING_USERSPACE, .hook = POLICY_HOOK_XDP},
			   .n_one_to_one = 1},
		.facts = NATIVE_VETH,
		.mode = {ROUTING_USERSPACE, HOOK_XDP, false, FORWARDER_INPUT_AF_XDP, "policy file",
			 "policy file", "mode.hook is xdp",
			 "XDP translates unfinished checksums of local senders wrongly"},
	},
	{
		.name = "simulate runs userspace routing in TC",
		.policy.mode = {.routing = POLICY_ROUTING_USERSPACE, .hook = POLICY_HOOK_TC},
		.facts.simulate = true,
		.mode = {ROUTING_USERSPACE, HOOK_TC, false, FORWARDER_INPUT_TUN, "policy file",
			 "policy file"},
	},
	{
		.name = "simulate runs 1:1 NAT in XDP on an L3 link",
		.policy = {.mode.hook = POLICY_HOOK_XDP, .n_one_to_one = 1},
		.facts.simulate = true,
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, FORWARDER_INPUT_AF_XDP,
			 "the kernel does not forward", "policy file"},
	},
};

static void settings_and_facts_decide_the_mode(void **state)
{
	struct error error = {};
	struct mode mode;
	int warnings;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		warnings = 0;
		if (mode_decide(&(struct mode_question){&rows[i].policy, &rows[i].environment,
							&rows[i].facts, count_warning, &warnings},
				&mode, &error))
			fail_msg("%s: %s", rows[i].name, error.text);
		if (mode.routing != rows[i].mode.routing || mode.hook != rows[i].mode.hook ||
		    mode.xdp_generic != rows[i].mode.xdp_generic ||
		    mode.forwarder_input != rows[i].mode.forwarder_input ||
		    warnings != rows[i].warnings)
			fail_msg("%s: routing %d (%s), hook %d (%s), generic %d, input %s (%s), "
				 "%d warnings",
				 rows[i].name, mode.routing, mode.routing_why, mode.hook,
				 mode.hook_why, mode.xdp_generic,
				 forwarder_input_name(mode.forwarder_input), mode.input_why,
				 warnings);
		assert_string_equal(mode.routing_why, rows[i].mode.routing_why);
		assert_string_equal(mode.hook_why, rows[i].mode.hook_why);
		if (rows[i].mode.input_why[0])
			assert_string_equal(mode.input_why, rows[i].mode.input_why);
		assert_string_equal(mode.input_lack, rows[i].mode.input_lack);
	}
}

/* Asserts that the settings are refused as invalid input, in words that include @advice. */
static void assert_refused(const struct policy *policy, const struct environment *environment,
			   const struct mode_facts *facts, const char *advice)
{
	struct mode mode = {.routing_why = "untouched"};
	struct error error = {};
	int warnings = 0;

	assert_int_equal(mode_decide(&(struct mode_question){policy, environment, facts,
							     count_warning, &warnings},
				     &mode, &error),
			 -EINVAL);
	assert_true(error.invalid_input);
	if (!strstr(error.text, advice))
		fail_msg("'%s' does not say '%s'", error.text, advice);
	assert_string_equal(mode.routing_why, "untouched");
}

static void force_native_is_refused_with_netstack(void **state)
{
	struct environment environment = {.force_native_router = true};
	struct policy policy = {.mode.netstack = true};
	struct mode_facts facts = {.ip_forward4 = true};

	(void)state;
	assert_refused(&policy, &environment, &facts, "NB_FORCE_NATIVE_ROUTER");
}

static void tc_is_refused_where_packets_go_to_af_xdp_sockets(void **state)
{
	struct policy local = {.mode = {.routing = POLICY_ROUTING_NATIVE,
					.hook = POLICY_HOOK_TC,
					.forwarder_input = POLICY_FORWARDER_INPUT_AF_XDP,
					.netstack = true,
					.local_forwarding = true}};
	struct policy routed = {.mode = {.routing = POLICY_ROUTING_USERSPACE,
					 .hook = POLICY_HOOK_TC,
					 .forwarder_input = POLICY_FORWARDER_INPUT_AF_XDP}};
	struct environment environment = {};
	struct mode_facts facts = {};

	(void)state;
	assert_refused(&routed, &environment, &facts, "mode.forwarder_input: af_xdp");
	assert_refused(&local, &environment, &facts, "set one of them to auto");
}

static void one_to_one_nat_is_refused_in_xdp_on_l3_links(void **state)
{
	struct policy asked = {.mode = {.routing = POLICY_ROUTING_NATIVE, .hook = POLICY_HOOK_XDP},
			       .n_one_to_one = 1};
	struct policy needed = {.mode = {.routing = POLICY_ROUTING_USERSPACE,
					 .forwarder_input = POLICY_FORWARDER_INPUT_AF_XDP},
				.n_one_to_one = 1};
	struct environment environment = {};
	struct mode_facts facts = {};

	(void)state;
	assert_refused(&asked, &environment, &facts, "set mode.hook to tc");
	assert_refused(&needed, &environment, &facts, "mode.forwarder_input to auto");
}

static void write_sysctl(const char *path, const char *value)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(value, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void facts_are_those_of_the_network_namespace(void **state)
{
	struct mode_facts facts = {.l2_len = 14, .native_xdp = true};
	struct error error = {};

	(void)state;
	if (unshare(CLONE_NEWNET)) {
		print_message("needs root: a network namespace cannot be made\n");
		skip();
	}
	write_sysctl("/proc/sys/net/ipv4/ip_forward", "1");
	write_sysctl("/proc/sys/net/ipv6/conf/all/forwarding", "0");
	assert_int_equal(mode_read_facts(&facts, &error), 0);
	assert_true(facts.ip_forward4);
	assert_false(facts.ip_forward6);
	write_sysctl("/proc/sys/net/ipv4/ip_forward", "0");
	write_sysctl("/proc/sys/net/ipv6/conf/all/forwarding", "1");
	assert_int_equal(mode_read_facts(&facts, &error), 0);
	assert_false(facts.ip_forward4);
	assert_true(facts.ip_forward6);
	assert_int_equal(facts.l2_len, 14);
	assert_true(facts.native_xdp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_and_facts_decide_the_mode),
		cmocka_unit_test(force_native_is_refused_with_netstack),
		cmocka_unit_test(tc_is_refused_where_packets_go_to_af_xdp_sockets),
		cmocka_unit_test(one_to_one_nat_is_refused_in_xdp_on_l3_links),
		cmocka_unit_test(facts_are_those_of_the_network_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
