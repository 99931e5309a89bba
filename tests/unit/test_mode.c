/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who routes and where the ingress program sits; a row is settings given and mode expected. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/mode.h"

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
		.mode = {ROUTING_DISABLED, HOOK_TC, false, "NB_DISABLE_USERSPACE_ROUTING is set",
			 "generic XDP would switch GRO off (TC by clsact)"},
	},
	{
		.name = "both FORCE mean userspace, with a warning",
		.policy.mode = {.routing = POLICY_ROUTING_NATIVE, .netstack = true},
		.environment = {.force_userspace_router = true, .force_native_router = true},
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, "NB_FORCE_USERSPACE_ROUTER is set",
			 "only XDP can hand packets to the forwarder"},
		.warnings = 1,
	},
	{
		.name = "FORCE_USERSPACE wins over the policy and a kernel that forwards",
		.policy.mode.routing = POLICY_ROUTING_NATIVE,
		.environment.force_userspace_router = true,
		.facts.ip_forward4 = true,
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, "NB_FORCE_USERSPACE_ROUTER is set",
			 "only XDP can hand packets to the forwarder"},
	},
	{
		.name = "FORCE_NATIVE wins over the policy and a kernel that does not forward",
		.policy.mode.routing = POLICY_ROUTING_USERSPACE,
		.environment.force_native_router = true,
		.facts.tcx = true,
		.mode = {ROUTING_NATIVE, HOOK_TC, false, "NB_FORCE_NATIVE_ROUTER is set",
			 "generic XDP would switch GRO off (TC by TCX)"},
	},
	{
		.name = "the policy wins over a kernel that forwards",
		.policy.mode.routing = POLICY_ROUTING_USERSPACE,
		.facts.ip_forward4 = true,
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, "policy file",
			 "only XDP can hand packets to the forwarder"},
	},
	{
		.name = "the policy wins over a kernel that does not forward",
		.policy.mode.routing = POLICY_ROUTING_NATIVE,
		.mode = {ROUTING_NATIVE, HOOK_TC, false, "policy file",
			 "generic XDP would switch GRO off (TC by clsact)"},
	},
	{
		.name = "the policy can switch routing off",
		.policy.mode.routing = POLICY_ROUTING_DISABLED,
		.facts.ip_forward4 = true,
		.mode = {ROUTING_DISABLED, HOOK_TC, false, "policy file",
			 "generic XDP would switch GRO off (TC by clsact)"},
	},
	{
		.name = "auto is native where the kernel forwards IPv4",
		.facts.ip_forward4 = true,
		.mode = {ROUTING_NATIVE, HOOK_TC, false,
			 "the kernel forwards (net.ipv4.ip_forward = 1)",
			 "generic XDP would switch GRO off (TC by clsact)"},
	},
	{
		.name = "auto is native where the kernel forwards IPv6 alone",
		.facts.ip_forward6 = true,
		.mode = {ROUTING_NATIVE, HOOK_TC, false,
			 "the kernel forwards (net.ipv6.conf.all.forwarding = 1)",
			 "generic XDP would switch GRO off (TC by clsact)"},
	},
	{
		.name = "auto is userspace where the kernel does not forward",
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, "the kernel does not forward",
			 "only XDP can hand packets to the forwarder"},
	},
	{
		.name = "auto is userspace with netstack even where the kernel forwards",
		.policy.mode.netstack = true,
		.facts = {.ip_forward4 = true, .ip_forward6 = true},
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, "netstack is on",
			 "only XDP can hand packets to the forwarder"},
	},
	{
		.name = "a driver with native XDP gets it whatever routes",
		.facts = {.ip_forward4 = true, .native_xdp = true, .l2_len = 14, .tcx = true},
		.mode = {ROUTING_NATIVE, HOOK_XDP, false,
			 "the kernel forwards (net.ipv4.ip_forward = 1)",
			 "the driver supports native XDP"},
	},
	{
		.name = "netstack with local forwarding needs XDP though routing is off",
		.policy.mode = {.routing = POLICY_ROUTING_DISABLED,
				.netstack = true,
				.local_forwarding = true},
		.mode = {ROUTING_DISABLED, HOOK_XDP, true, "policy file",
			 "only XDP can hand packets to the forwarder"},
	},
	{
		.name = "netstack without local forwarding needs no forwarder",
		.policy.mode = {.routing = POLICY_ROUTING_DISABLED, .netstack = true},
		.mode = {ROUTING_DISABLED, HOOK_TC, false, "policy file",
			 "generic XDP would switch GRO off (TC by clsact)"},
	},
	{
		.name = "the policy may ask for generic XDP",
		.policy.mode = {.routing = POLICY_ROUTING_NATIVE, .hook = POLICY_HOOK_XDP},
		.mode = {ROUTING_NATIVE, HOOK_XDP, true, "policy file", "policy file"},
	},
	{
		.name = "the policy may ask for TC on a driver with native XDP",
		.policy.mode = {.routing = POLICY_ROUTING_NATIVE, .hook = POLICY_HOOK_TC},
		.facts = {.native_xdp = true, .l2_len = 14},
		.mode = {ROUTING_NATIVE, HOOK_TC, false, "policy file", "policy file"},
	},
	{
		.name = "automatic routing is disabled where the policy asks for TC",
		.policy.mode.hook = POLICY_HOOK_TC,
		.mode = {ROUTING_DISABLED, HOOK_TC, false,
			 "the kernel does not forward, and hook tc cannot reach a forwarder",
			 "policy file"},
	},
	{
		.name = "ports are translated in TC although the driver runs XDP",
		.policy = {.mode.routing = POLICY_ROUTING_NATIVE, .n_nat_port = 1},
		.facts = {.native_xdp = true, .l2_len = 14},
		.mode = {ROUTING_NATIVE, HOOK_TC, false, "policy file",
			 "translation needs the kernel's checksum helpers"},
	},
	{
		.name = "1:1 NAT works in TC on an L3 link",
		.policy = {.mode.routing = POLICY_ROUTING_NATIVE, .n_one_to_one = 1},
		.mode = {ROUTING_NATIVE, HOOK_TC, false, "policy file",
			 "translation needs the kernel's checksum helpers"},
	},
	{
		.name = "1:1 NAT works in XDP on Ethernet",
		.policy = {.mode.routing = POLICY_ROUTING_USERSPACE, .n_one_to_one = 1},
		.facts.l2_len = 14,
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, "policy file",
			 "only XDP can hand packets to the forwarder"},
	},
	{
		.name = "simulate runs userspace routing in TC",
		.policy.mode = {.routing = POLICY_ROUTING_USERSPACE, .hook = POLICY_HOOK_TC},
		.facts.simulate = true,
		.mode = {ROUTING_USERSPACE, HOOK_TC, false, "policy file", "policy file"},
	},
	{
		.name = "simulate runs 1:1 NAT in XDP on an L3 link",
		.policy = {.mode.hook = POLICY_HOOK_XDP, .n_one_to_one = 1},
		.facts.simulate = true,
		.mode = {ROUTING_USERSPACE, HOOK_XDP, true, "the kernel does not forward",
			 "policy file"},
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
		    mode.xdp_generic != rows[i].mode.xdp_generic || warnings != rows[i].warnings)
			fail_msg("%s: routing %d (%s), hook %d (%s), generic %d, %d warnings",
				 rows[i].name, mode.routing, mode.routing_why, mode.hook,
				 mode.hook_why, mode.xdp_generic, warnings);
		assert_string_equal(mode.routing_why, rows[i].mode.routing_why);
		assert_string_equal(mode.hook_why, rows[i].mode.hook_why);
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

static void tc_is_refused_where_packets_go_to_the_forwarder(void **state)
{
	struct policy local = {.mode = {.routing = POLICY_ROUTING_NATIVE,
					.hook = POLICY_HOOK_TC,
					.netstack = true,
					.local_forwarding = true}};
	struct policy routed = {
		.mode = {.routing = POLICY_ROUTING_USERSPACE, .hook = POLICY_HOOK_TC}};
	struct environment environment = {};
	struct mode_facts facts = {};

	(void)state;
	assert_refused(&routed, &environment, &facts, "(policy file)");
	assert_refused(&routed, &environment, &facts, "mode.hook to auto or xdp");
	assert_refused(&local, &environment, &facts, "mode.local_forwarding to false");
}

static void one_to_one_nat_is_refused_in_xdp_on_l3_links(void **state)
{
	struct policy asked = {.mode = {.routing = POLICY_ROUTING_NATIVE, .hook = POLICY_HOOK_XDP},
			       .n_one_to_one = 1};
	struct policy needed = {.mode.routing = POLICY_ROUTING_USERSPACE, .n_one_to_one = 1};
	struct environment environment = {};
	struct mode_facts facts = {};

	(void)state;
	assert_refused(&asked, &environment, &facts, "set mode.hook to tc");
	assert_refused(&needed, &environment, &facts, "without the userspace forwarder");
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
		cmocka_unit_test(tc_is_refused_where_packets_go_to_the_forwarder),
		cmocka_unit_test(one_to_one_nat_is_refused_in_xdp_on_l3_links),
		cmocka_unit_test(facts_are_those_of_the_network_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
