/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/command.h"
#include "cli/trace_ends.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/address.h"
#include "base/output.h"
#include "base/value.h"
#include "dataplane/clone.h"
#include "kernel/netlink.h"
#include "packet/build.h"
#include "packet/capture.h"
#include "trace/explain.h"
#include "trace/options.h"
#include "trace/record_json.h"
#include "trace/record_print.h"

#define TRACE_ARGUMENTS                                                                            \
	"SRC DST [-p PROTOCOL] [--sport PORT] [--dport PORT] [-i IFACE] [--numeric] [-j] [-v] | "  \
	"--pcap FILE"

#define TRACE_DETAILS                                                                              \
	"  SRC, DST              addresses, names, or 'self' for the interface's own\n"            \
	"  -p, --protocol NAME   tcp (the default), udp, icmp, 0-255, a name such as gre\n"        \
	"      --sport PORT      source port, else random from 49152-65535\n"                      \
	"      --dport PORT      destination port, likewise\n"                                     \
	"      --icmp-type N     else an echo request\n"                                           \
	"      --icmp-code N     else 0\n"                                                         \
	"      --icmp-id N       identifier of an echo, else 1\n"                                  \
	"      --syn --ack --fin --rst --psh --urg   TCP flags; none given: SYN\n"                 \
	"  -e, --expect WHAT     allowed or denied: exit status 1 if that is not so\n"             \
	"      --pcap FILE       instead of SRC and DST: each packet of a capture\n"               \
	"  -i, --interface IFACE the interface; else the only attached one, else wt0\n"            \
	"  -j, --json            one object per packet and line\n" NUMERIC_HELP                    \
	"  -v, --verbose         for a denial, the nearest rules, and where they differ\n"         \
	"\n"                                                                                       \
	"The programs in force judge the packet in the kernel; nothing is sent, counted\n"         \
	"or remembered.\n"

#define LIVE_DETAILS                                                                               \
	"  -w, --write FILE      a capture (pcapng), verdicts as comments; '-': stdout\n"          \
	"  -n, --count COUNT     end after so many packets\n"                                      \
	"      --duration TIME   end after so long, such as 90s or 5m\n"                           \
	"      --every N         only one in so many of those that match, on each CPU\n"           \
	"      --snaplen BYTES   of each packet, at most (256)\n"                                  \
	"  -j, --json            one object per packet and line\n" NUMERIC_HELP                    \
	"  -v, --verbose         below each packet, its stages\n"                                  \
	"\n" TRACE_FILTER_HELP "\n"                                                                \
	"The filter works in the kernel: packets that do not match cost next to nothing.\n"        \
	"Packets that were lost are counted and reported on stderr.\n"

static int run_trace(const struct command *command, int argc, char **argv);

static const struct command family[] = {
	{
		.name = "in",
		.arguments = TRACE_ARGUMENTS,
		.summary = "what would become of a packet that arrives on the interface",
		.details = TRACE_DETAILS,
		.run = run_trace,
	},
	{
		.name = "out",
		.arguments = TRACE_ARGUMENTS,
		.summary = "what would become of a packet that leaves by the interface",
		.details = TRACE_DETAILS,
		.run = run_trace,
	},
	{
		.name = "live",
		.arguments = "[IFACE] [FILTER] [-w FILE] [-n COUNT] [--duration TIME] "
			     "[--numeric] [-j]"
			     " [-v]",
		.summary = "the packets that come and go, a line each",
		.details = LIVE_DETAILS,
		.run = command_run_trace_live,
	},
	{.name = NULL},
};

const struct command command_trace = {
	.name = "trace",
	.summary = "show the way of a packet through the stages",
	.family = family,
};

enum trace_option {
	OPTION_SPORT = 0x200,
	OPTION_DPORT,
	OPTION_ICMP_TYPE,
	OPTION_ICMP_CODE,
	OPTION_ICMP_ID,
	OPTION_PCAP,
	OPTION_FLAG, /* and the bit of the flag */
};

struct request {
	struct packet_spec spec;
	uint8_t direction;
	uint16_t protocol; /* 0-255 or PROTOCOL_ICMP */
	const char *pcap;
	const char *interface;
	const char *end[2]; /* SRC, DST */
	bool has_sport;
	bool has_dport;
	bool has_icmp;
	bool has_flags;
	bool json;
	bool numeric;
	bool verbose;
	const char *expected; /* disposition, NULL: any */
};

static int parse_number(const char *what, const char *text, unsigned int max, unsigned int *value,
			struct error *error)
{
	uint64_t number;
	int err = number_parse(text, 0, max, &number, error);

	if (err)
		return error_prefix(error, "%s", what);
	*value = number;
	return 0;
}

static int parse_disposition(const char *text, const char **disposition, struct error *error)
{
	if (!strcasecmp(text, "allowed"))
		*disposition = "ALLOWED";
	else if (!strcasecmp(text, "denied"))
		*disposition = "DENIED";
	else
		return error_input(error, "--expect %.32s: not allowed or denied", text);
	return 0;
}

static int set_option(struct request *request, int option, const char *argument,
		      struct error *error)
{
	struct packet_spec *spec = &request->spec;
	unsigned int value = 0;
	int err = 0;

	switch (option) {
	case 'p':
		err = filter_protocol(argument, &request->protocol, error);
		break;
	case 'i':
		request->interface = argument;
		break;
	case OPTION_PCAP:
		request->pcap = argument;
		break;
	case 'e':
		err = parse_disposition(argument, &request->expected, error);
		break;
	case OPTION_SPORT:
		err = port_parse(argument, &spec->sport, error);
		request->has_sport = true;
		break;
	case OPTION_DPORT:
		err = port_parse(argument, &spec->dport, error);
		request->has_dport = true;
		break;
	case OPTION_ICMP_TYPE:
		err = parse_number("ICMP type", argument, UINT8_MAX, &value, error);
		spec->icmp_type = value;
		request->has_icmp = true;
		break;
	case OPTION_ICMP_CODE:
		err = parse_number("ICMP code", argument, UINT8_MAX, &value, error);
		spec->icmp_code = value;
		request->has_icmp = true;
		break;
	case OPTION_ICMP_ID:
		err = parse_number("ICMP identifier", argument, UINT16_MAX, &value, error);
		spec->icmp_id = value;
		request->has_icmp = true;
		break;
	default:
		if (!request->has_flags)
			spec->tcp_flags = 0;
		spec->tcp_flags |= 1 << (option - OPTION_FLAG);
		request->has_flags = true;
	}
	return err;
}

_Static_assert(PORT_PROTOCOL_MAX == 2, "sentences below name the protocols with ports");

/* What does not fit together; returns an exit status, or -1 to go on. */
static int check(const struct command *command, const struct request *request)
{
	bool is_icmp = request->protocol == PROTOCOL_ICMP;
	bool has_ports = l4_has_ports(request->protocol);

	if (request->pcap && (request->end[0] || request->has_sport || request->has_dport ||
			      request->has_icmp || request->has_flags))
		return command_usage(command, "--pcap brings its own packets");
	if (!request->pcap && !request->end[1])
		return command_usage(command, "a source and a destination are needed");
	if ((request->has_sport || request->has_dport) && !has_ports)
		return command_usage(command, "only tcp and udp have ports");
	if (request->has_icmp && !is_icmp)
		return command_usage(command, "only icmp has an ICMP type, code and identifier");
	if (request->has_flags && request->protocol != IPPROTO_TCP)
		return command_usage(command, "only tcp has flags");
	return -1;
}

/* Returns an exit status, or -1 to go on. */
static int parse(const struct command *command, int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		{"protocol", required_argument, NULL, 'p'},
		{"interface", required_argument, NULL, 'i'},
		{"sport", required_argument, NULL, OPTION_SPORT},
		{"dport", required_argument, NULL, OPTION_DPORT},
		{"icmp-type", required_argument, NULL, OPTION_ICMP_TYPE},
		{"icmp-code", required_argument, NULL, OPTION_ICMP_CODE},
		{"icmp-id", required_argument, NULL, OPTION_ICMP_ID},
		{"expect", required_argument, NULL, 'e'},
		{"pcap", required_argument, NULL, OPTION_PCAP},
		{"fin", no_argument, NULL, OPTION_FLAG + 0},
		{"syn", no_argument, NULL, OPTION_FLAG + 1},
		{"rst", no_argument, NULL, OPTION_FLAG + 2},
		{"psh", no_argument, NULL, OPTION_FLAG + 3},
		{"ack", no_argument, NULL, OPTION_FLAG + 4},
		{"urg", no_argument, NULL, OPTION_FLAG + 5},
		NUMERIC_LONG_OPTION,
		COMMON_LONG_OPTIONS,
		{},
	};
	struct error error;
	int option;

	while ((option = command_option(argc, argv, "e:p:i:jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (option == 'j')
			request->json = true;
		else if (option == 'v')
			request->verbose = true;
		else if (option == OPTION_NUMERIC)
			request->numeric = true;
		else if (set_option(request, option, optarg, &error))
			return command_fail(&error);
	}
	if (argc - optind > 2)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 2]);
	for (int i = 0; i < argc - optind; i++)
		request->end[i] = argv[optind + i];
	return check(command, request);
}

static uint16_t random_port(void)
{
	uint16_t value = 0;

	if (getrandom(&value, sizeof(value), 0) != sizeof(value))
		value = 0;
	return 49152 + value % (UINT16_MAX - 49152 + 1);
}

static void set_protocol(struct request *request)
{
	struct packet_spec *spec = &request->spec;

	spec->l4_proto = request->protocol == PROTOCOL_ICMP ? packet_icmp_proto(spec->ip_version)
							    : request->protocol;
	if (!request->has_sport)
		spec->sport = random_port();
	if (!request->has_dport)
		spec->dport = random_port();
}

/* Who is asked, and what the answers are printed with. */
struct printer {
	const struct request *request;
	const char *interface;
	struct attached attached;
	struct testrun testrun;
	struct clone clone;
	struct policy *policy; /* with -v */
	struct names names;
	size_t n_packets;
	size_t n_unexpected; /* with another disposition than the expected one */
};

/* What the record of the last packet refers to. */
static struct record_names names_of_record(const struct printer *printer)
{
	const struct rule_view *rule = clone_rule(&printer->clone, printer->testrun.event.rule);

	return (struct record_names){
		.rule_id = rule ? rule->rule.id : NULL,
		.names = printer->request->numeric ? NULL : &printer->names,
		.interface = printer->interface,
		.maps = &printer->attached.maps,
	};
}

static int print_json(const struct printer *printer, struct error *error)
{
	const struct trace_event *event = &printer->testrun.event;
	const struct record_names names = names_of_record(printer);
	json_t *json = record_json(event, &names);

	if (json && printer->policy)
		json_object_update_new(
			json,
			json_pack("{s:o,s:o*}", "nearest", trace_explain(printer->policy, event),
				  "not_routed", trace_explain_not_routed(printer->policy, event)));
	return output_json(json, stdout, error);
}

/* Print what became of a packet; on a terminal its end in colour. */
static void print_record(const char *text)
{
	bool colour = output_wants_colour(stdout);
	const char *end = strstr(text, RECORD_END);

	if (!colour || !end) {
		fputs(text, stdout);
		return;
	}
	end += strlen(RECORD_END);
	printf("%.*s%s%.*s%s%s", (int)(end - text), text,
	       output_colour_on(colour, *end == 'D' ? OUTPUT_RED : OUTPUT_GREEN),
	       (int)strcspn(end, "\n"), end, output_colour_off(colour), end + strcspn(end, "\n"));
}

/* Print the record and, with -v, the rules that come nearest. */
static int print_text(const struct printer *printer, struct error *error)
{
	const struct trace_event *event = &printer->testrun.event;
	const struct record_names names = names_of_record(printer);
	char *text = record_text(event, &names), *more = NULL;

	if (text && printer->policy)
		more = trace_explain_text(printer->policy, event, names.rule_id);
	if (text)
		print_record(text);
	if (more && *more)
		printf("\n%s", more);
	if (!text || (printer->policy && !more)) {
		free(text);
		return error_no_memory(error);
	}
	free(text);
	free(more);
	return 0;
}

static int trace_one(struct printer *printer, const struct testrun_packet *packet,
		     struct error *error)
{
	int err = clone_ask(&printer->clone, &printer->testrun, packet, error);

	if (err)
		return err;
	printer->n_packets++;
	if (printer->request->expected)
		printer->n_unexpected += strcmp(record_disposition(&printer->testrun.event),
						printer->request->expected) != 0;
	return printer->request->json ? print_json(printer, error) : print_text(printer, error);
}

/* Whether every packet became of what was expected. */
static int check_expectation(const struct printer *printer, struct error *error)
{
	if (!printer->n_unexpected)
		return 0;
	return error_set(error, ERANGE, "%zu of %zu packet%s not %s", printer->n_unexpected,
			 printer->n_packets, printer->n_packets == 1 ? " is" : "s are",
			 printer->request->expected);
}

/* Trace each packet of a capture. */
static int trace_capture(struct printer *printer, struct error *error)
{
	struct capture_packet packet;
	struct capture *capture;
	int err = capture_open(printer->request->pcap, &capture, error);

	if (err)
		return err;
	while ((err = capture_next(capture, &packet, error)) == 1) {
		struct testrun_packet given = {
			.bytes = packet.bytes,
			.len = packet.len,
			.captured = packet.captured,
			.ethertype = packet.ethertype,
			.direction = printer->request->direction,
		};

		err = trace_one(printer, &given, error);
		if (err)
			break;
	}
	capture_close(capture);
	return err;
}

/* Trace the packet that the options describe. */
static int trace_spec(struct printer *printer, struct error *error)
{
	const struct packet_spec *spec = &printer->request->spec;
	uint8_t bytes[TESTRUN_FRAME_MAX];
	struct testrun_packet packet = {
		.bytes = bytes,
		.ethertype = spec->ip_version == IP_VERSION_4 ? ETH_P_IP : ETH_P_IPV6,
		.direction = printer->request->direction,
	};
	size_t len;
	int err = packet_build(spec, bytes, sizeof(bytes), &len, error);

	if (err)
		return err;
	packet.len = packet.captured = len;
	return trace_one(printer, &packet, error);
}

static int open_printer(struct printer *printer, int ifindex, struct error *error)
{
	struct error ignored;
	int err = attached_open(ifindex, &printer->attached, error);

	if (!err)
		attached_names(&printer->attached, &printer->names, &ignored);
	if (!err)
		err = testrun_begin(&printer->testrun, error);
	if (!err)
		err = clone_open_attached(&printer->attached, &printer->testrun, &printer->clone,
					  error);
	return err;
}

static void close_printer(struct printer *printer)
{
	policy_free(printer->policy);
	clone_close(&printer->clone);
	testrun_end(&printer->testrun);
	names_free(&printer->names);
	attached_close(&printer->attached);
}

/* Open what is attached, and trace what was asked for. */
static int trace(struct request *request, struct error *error)
{
	struct printer printer = {.request = request};
	const struct ends ends = {{request->end[0], request->end[1]}, &request->spec};
	char name[IF_NAMESIZE];
	int ifindex, err;

	printer.interface = name;
	err = command_interface(request->interface, name, &ifindex, error);
	if (!err && !request->pcap)
		err = trace_ends_check(&ends, error); /* before anything is opened */
	if (err)
		return err;
	err = open_printer(&printer, ifindex, error);
	if (err)
		error_prefix(error, "%s", name);
	if (!err && !request->pcap) {
		err = trace_ends_set(&ends, ifindex, &printer.names, error);
		set_protocol(request);
	}
	if (!err && request->verbose)
		err = attached_policy(&printer.attached, &printer.policy, error);
	if (!err)
		err = request->pcap ? trace_capture(&printer, error) : trace_spec(&printer, error);
	if (!err)
		err = check_expectation(&printer, error);
	close_printer(&printer);
	return err;
}

/* The command `shrike trace in, shrike trace out`. */
static int run_trace(const struct command *command, int argc, char **argv)
{
	struct request request = {
		.direction = !strcmp(command->name, "out") ? DIR_EGRESS : DIR_INGRESS,
		.protocol = IPPROTO_TCP,
	};
	struct error error;
	int status;

	packet_spec_init(&request.spec);
	status = parse(command, argc, argv, &request);
	if (status >= 0)
		return status;
	return trace(&request, &error) ? command_fail(&error) : EXIT_DONE;
}
