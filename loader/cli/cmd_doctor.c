/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <jansson.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/names.h"
#include "base/output.h"
#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/doctor_path.h"
#include "cli/stale_print.h"
#include "dataplane/attached.h"
#include "dataplane/dataplane.h"
#include "dataplane/preview.h"
#include "follow/follow_status.h"
#include "forwarder.h"
#include "kernel/netlink.h"
#include "kernel/pin_path.h"

static int run_doctor(const struct command *command, int argc, char **argv);

const struct command command_doctor = {
	.name = "doctor",
	.arguments = "[IFACE] [-c POLICY] [--netbird[=SOCKET]] [--path ADDR [--dport N]] [-j]",
	.summary = "kernel features, limits, and what would be chosen and why",
	/* clang-format off */
	.details =
		"  -c, --config POLICY   choose for this policy instead of the defaults\n"
		"      --netbird[=SOCKET]\n"
		"                        look at NetBird's daemon at this socket, as\n"
		"                        'shrike run --netbird' would follow it\n"
		"\n"
		"      --path ADDR       instead: where packets to an address end that this host\n"
		"                        sends by IFACE: at a stage, a hop, or by their size\n"
		"      --dport N         with --path: the port; else tcp/443 and udp/33434\n"
		"\n"
		"--path sends real packets, four a second, for a minute at most: an echo request,\n"
		"TCP and UDP, by hop and by size. Exit status 1 if something keeps shrike from\n"
		"working here, or packets from arriving.\n",
	/* clang-format on */
	.run = run_doctor,
	.fits = true,
};

static const char *const finding_names[] = {
	[FINDING_OK] = "ok",
	[FINDING_NOTE] = "note",
	[FINDING_BAD] = "bad",
};
_Static_assert(sizeof(finding_names) / sizeof(*finding_names) == FINDING_MAX, "each has a name");

/**
 * find() - Add a finding to a report
 * @report: where it goes
 * @finding: how good it is
 * @what: which check, in words joined by '-'
 * @format: as of printf()
 */
void find(struct report *report, enum finding finding, const char *what, const char *format, ...)
{
	char text[1200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report->bad |= finding == FINDING_BAD;
	json_array_append_new(report->checks,
			      json_pack("{s:s,s:s,s:o}", "check", what, "result",
					finding_names[finding], "detail", output_json_text(text)));
}

static bool read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool done = file && fgets(line, size, file);

	if (file)
		fclose(file);
	if (done)
		line[strcspn(line, "\n")] = '\0';
	return done;
}

/* Is the kernel new enough? */
static void check_kernel(struct report *report)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;
	char line[256];

	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	if (major > 6 || (major == 6 && minor >= 1))
		find(report, FINDING_OK, "kernel", "Linux %s", name.release);
	else
		find(report, FINDING_BAD, "kernel", "Linux %s is older than 6.1", name.release);
	if (!access("/sys/kernel/btf/vmlinux", R_OK))
		find(report, FINDING_OK, "btf", "/sys/kernel/btf/vmlinux");
	else
		find(report, FINDING_NOTE, "btf",
		     "the kernel has no BTF of its own; maps keep theirs for bpftool");
	if (!read_line("/proc/sys/net/core/bpf_jit_enable", line, sizeof(line)))
		return; /* only in the initial network namespace */
	if (strcmp(line, "0"))
		find(report, FINDING_OK, "jit", "net.core.bpf_jit_enable = %s", line);
	else
		find(report, FINDING_NOTE, "jit",
		     "net.core.bpf_jit_enable = 0: programs are interpreted, many times slower");
}

static void check_rights(struct report *report)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "doctor", 4, 4, 1, NULL);

	if (fd < 0) {
		find(report, FINDING_BAD, "rights", "BPF maps cannot be created (%s): be root",
		     strerror(-fd));
		return;
	}
	close(fd);
	find(report, FINDING_OK, "rights", "BPF maps can be created");
}

/* What the forwarder's connections will use: asked for as it does, which loads the module. */
static void check_congestion_control(struct report *report)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[256] = "unknown";

	read_line("/proc/sys/net/ipv4/tcp_congestion_control", line, sizeof(line));
	if (fd >= 0 && !setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", strlen("bbr")))
		find(report, FINDING_OK, "congestion-control", "bbr for forwarded connections");
	else
		find(report, FINDING_NOTE, "congestion-control",
		     "no bbr (tcp_bbr) for forwarded connections: %s, slow where packets get lost",
		     line);
	if (fd >= 0)
		close(fd);
}

/* Does the kernel have what the programs and hooks use? */
static void check_features(struct report *report)
{
	struct rlimit files;

	if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_loop, NULL) == 1)
		find(report, FINDING_OK, "bpf_loop", "available");
	else
		find(report, FINDING_BAD, "bpf_loop", "missing: Linux 5.17 or later is needed");
	if (hooks_have_tcx())
		find(report, FINDING_OK, "tc", "TCX links");
	else
		find(report, FINDING_NOTE, "tc", "no TCX before Linux 6.6: clsact filters instead");
	check_congestion_control(report);
	if (!getrlimit(RLIMIT_NOFILE, &files))
		find(report, FINDING_OK, "open-files", "at most %llu",
		     (unsigned long long)files.rlim_max);
}

static void check_pins(struct report *report, const char *ifname)
{
	char path[PATH_MAX], stale[1024];
	struct error error;

	if (path_pin_dir(ifname, path, &error))
		find(report, FINDING_NOTE, "pins", "%s", error.text);
	else if (path_check_bpffs(&error))
		find(report, FINDING_NOTE, "pins",
		     "the policy would end with its process, and 'attach' fails: %s", error.text);
	else
		find(report, FINDING_OK, "pins", "under %s", path);
	if (stale_describe(stale, sizeof(stale)))
		find(report, FINDING_NOTE, "stale-pins", "%s", stale);
}

/* What is attached, and is it ours? */
static void check_attached(struct report *report, const struct link_info *link)
{
	struct hook_state hooks[HOOK_POINTS];
	struct attached attached;
	struct error error;
	int err = attached_open(link->ifindex, &attached, &error);

	if (!err) {
		find(report, FINDING_OK, "attached", "generation %u by shrike %s, hook %s",
		     attached.instance.config.generation, attached.instance.version,
		     hook_kind_name(attached.hooks[attached.ingress].kind));
		doctor_check_tables(report, &attached);
		attached_close(&attached);
		return;
	}
	if (err == -ENOENT)
		find(report, FINDING_NOTE, "attached", "no: nothing protects %s", link->name);
	else
		find(report, FINDING_NOTE, "attached", "%s", error.text);
	if (hooks_query(link->ifindex, hooks, &error))
		return;
	for (int point = 0; point < HOOK_POINTS; point++)
		if (hooks[point].foreign_id)
			find(report, FINDING_NOTE, "other-programs", "%s has %s (id %u)",
			     hook_point_name(point), hooks[point].foreign_name,
			     hooks[point].foreign_id);
}

/* The hook points that run would take: refused where it would refuse them. */
static void check_free(struct report *report, const struct link_info *link, const struct mode *mode)
{
	enum hook_point ingress = mode->hook == HOOK_XDP ? HOOK_POINT_XDP : HOOK_POINT_TC_INGRESS;
	struct hook_state hooks[HOOK_POINTS];
	struct error error;
	int err = hooks_query(link->ifindex, hooks, &error);

	if (!err)
		err = hook_check_free(&hooks[ingress], ingress, link->name, &error);
	if (!err)
		err = hook_check_free(&hooks[HOOK_POINT_TC_EGRESS], HOOK_POINT_TC_EGRESS,
				      link->name, &error);
	if (err)
		find(report, FINDING_BAD, "hook-points", "%s", error.text);
	else if (mode->hook == HOOK_XDP)
		find(report, FINDING_OK, "hook-points",
		     "free; XDP holds one program, there is no dispatcher for several");
	else
		find(report, FINDING_OK, "hook-points", "free; XDP is left to others");
}

/* How packets would reach the forwarder, and which device it has now. */
static void check_input(struct report *report, const struct link_info *link,
			const struct mode *mode)
{
	struct link_info device = {};
	struct error ignored;
	struct attached live;

	if (mode->forwarder_input == FORWARDER_INPUT_NONE)
		return;
	if (!attached_open(link->ifindex, &live, &ignored)) {
		attached_forwarder_device(&live, &device);
		attached_close(&live);
	}
	find(report, mode->input_lack[0] ? FINDING_NOTE : FINDING_OK, "forwarder-input",
	     "%s: %s%s%s%s%s", forwarder_input_name(mode->forwarder_input), mode->input_why,
	     mode->input_lack[0] ? ", but " : "", mode->input_lack,
	     device.name[0] ? "; device " : "", device.name);
}

/* Can the policy be put into force on this link, and in which mode? */
static void check_link(struct report *report, const char *ifname, const char *policy_path,
		       const char *netbird)
{
	struct follow_status followed;
	struct dataplane_request request = {
		.ifname = ifname,
		.policy_path = policy_path,
		.keeps_part = netbird || follow_status_read(ifname, &followed),
		.caller = DATAPLANE_RUN,
		.warn = command_warn,
	};
	struct policy *policy;
	struct link_info link;
	struct mode mode;
	struct error error;

	if (netlink_link_by_name(ifname, &link, &error)) {
		find(report, FINDING_BAD, "interface", "%s", error.text);
		return;
	}
	find(report, link.up ? FINDING_OK : FINDING_NOTE, "interface",
	     "%s: %s, %s, MTU %u, %u RX queue%s, %s", link.name,
	     link.kind[0] ? link.kind : "hardware",
	     link.l2_len ? "Ethernet header" : "no link header", link.mtu, link.rx_queues,
	     link.rx_queues == 1 ? "" : "s", link.up ? "up" : "down");
	check_attached(report, &link);
	if (dataplane_plan(&request, &link, &mode, &policy, &error)) {
		find(report, FINDING_BAD, "choice", "%s", error.text);
		return;
	}
	find(report, FINDING_OK, "routing", "%s: %s", routing_name(mode.routing), mode.routing_why);
	if (mode.routing == ROUTING_NAT)
		doctor_check_nat(report, &link, &policy->uplinks);
	doctor_check_netbird(report, ifname, policy, netbird);
	policy_free(policy);
	check_input(report, &link, &mode);
	if (mode.forwarder_input == FORWARDER_INPUT_AF_XDP &&
	    link.mtu > forwarder_packet_max(link.l2_len))
		find(report, FINDING_NOTE, "mtu",
		     "%u: datagrams and pings above %u bytes do not reach the forwarder", link.mtu,
		     forwarder_packet_max(link.l2_len));
	find(report, FINDING_OK, "hook", "%s: %s",
	     mode.hook == HOOK_TC ? hook_name(HOOK_TC)
				  : hook_kind_name(mode.xdp_generic ? HOOK_KIND_XDP_GENERIC
								    : HOOK_KIND_XDP_NATIVE),
	     mode.hook_why);
	check_free(report, &link, &mode);
}

/* Print the findings as text. */
static void print(const struct report *report)
{
	static const enum output_colour colours[] = {OUTPUT_GREEN, OUTPUT_YELLOW, OUTPUT_RED};
	bool colour = output_wants_colour(stdout);

	for (size_t i = 0; i < json_array_size(report->checks); i++) {
		const json_t *check = json_array_get(report->checks, i);
		const char *result = json_string_value(json_object_get(check, "result"));
		int finding = !strcmp(result, "ok") ? 0 : !strcmp(result, "note") ? 1 : 2;
		char words[32];

		snprintf(words, sizeof(words), "%s",
			 json_string_value(json_object_get(check, "check")));
		for (char *c = words; *c; c++)
			*c = *c == '-' ? ' ' : *c;
		printf("%s%-4s%s  %-18s  %s\n", output_colour_on(colour, colours[finding]), result,
		       output_colour_off(colour), words,
		       json_string_value(json_object_get(check, "detail")));
	}
}

/* Make and print all checks; without an interface those of the host alone. */
static int diagnose(const char *given, const char *policy_path, const char *netbird, bool json)
{
	struct report report = {.checks = json_array()};
	char name[IF_NAMESIZE];
	struct error error;
	int err = 0;

	check_kernel(&report);
	check_rights(&report);
	check_features(&report);
	err = command_interface(given, name, NULL, &error);
	if (!err) {
		check_pins(&report, name);
		if (given || policy_path || if_nametoindex(name))
			check_link(&report, name, policy_path, netbird);
	}
	if (!err && json)
		err = output_json(json_pack("{s:o,s:b,s:O}", "interface", output_json_text(name),
					    "works", !report.bad, "checks", report.checks),
				  stdout, &error);
	else if (!err)
		print(&report);
	json_decref(report.checks);
	if (err)
		return command_fail(&error);
	return report.bad ? EXIT_FAILED : EXIT_DONE;
}

enum doctor_option {
	OPTION_NETBIRD = OPTION_COMMAND,
	OPTION_PATH,
	OPTION_DPORT,
};

/* Print where packets to an address end. */
static int diagnose_path(const char *given, struct path_question *question, bool json)
{
	struct report report = {.checks = json_array()};
	char name[IF_NAMESIZE];
	struct error error;
	json_t *path;
	int err = command_interface(given, name, NULL, &error);

	question->ifname = name;
	if (!err)
		err = doctor_check_path(&report, question, &path, &error);
	if (!err && json)
		err = output_json(json_pack("{s:o,s:b,s:O,s:o}", "interface",
					    output_json_text(name), "works", !report.bad, "checks",
					    report.checks, "path", path),
				  stdout, &error);
	else if (!err) {
		print(&report);
		json_decref(path);
	}
	json_decref(report.checks);
	if (err)
		return command_fail(&error);
	return report.bad ? EXIT_FAILED : EXIT_DONE;
}

/* The command `shrike doctor`. */
static int run_doctor(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"netbird", optional_argument, NULL, OPTION_NETBIRD},
		{"path", required_argument, NULL, OPTION_PATH},
		{"dport", required_argument, NULL, OPTION_DPORT},
		COMMON_LONG_OPTIONS,
		{},
	};
	const char *policy = NULL, *netbird = NULL;
	struct path_question question = {};
	struct error error;
	bool json = false;
	int option;

	while ((option = command_option(argc, argv, "c:jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (option == 'c')
			policy = optarg;
		if (option == OPTION_PATH)
			question.addr = optarg;
		if ((option == OPTION_NETBIRD && command_netbird(optarg, &netbird, &error)) ||
		    (option == OPTION_DPORT && port_parse(optarg, &question.port, &error)))
			return command_fail(&error);
		json |= option == 'j';
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	if (question.port && !question.addr)
		return command_usage(command, "--dport goes with --path");
	if (question.addr && (policy || netbird))
		return command_usage(command, "--path goes with neither -c nor --netbird");
	if (question.addr)
		return diagnose_path(argv[optind], &question, json);
	return diagnose(argv[optind], policy, netbird, json);
}
