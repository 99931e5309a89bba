/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/doctor_path.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/output.h"
#include "cli/command.h"
#include "cli/path_stages.h"
#include "cli/trace_ends.h"
#include "kernel/netlink.h"
#include "local.h"
#include "probe/path.h"
#include "review/boxes.h"

#define ICMP_ECHO_REPLY	 0
#define ICMP6_ECHO_REPLY 129

/* What is sent, in this order. */
static const struct kind {
	const char *name;
	const char *check;
	uint8_t l4_proto;
	uint16_t port; /* if none is asked for; 0: it has none */
} kinds[] = {
	{"icmp", "path-icmp", IPPROTO_ICMP, 0},
	{"tcp", "path-tcp", IPPROTO_TCP, PATH_PORT_TCP},
	{"udp", "path-udp", IPPROTO_UDP, PATH_PORT_UDP},
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/*
 * struct journey - what was found out
 * @spec: has the ends
 * @names: of the policy in force
 * @stages: asked where @is_attached
 * @not_attached: else why not
 * @port: that is asked for; 0: that of the kind
 * @answers: by kind
 * @path: by the first kind that arrived, else by the first
 * @probes: JSON of the answers
 */
struct journey {
	struct report *report;
	struct packet_spec spec;
	struct names names;
	struct path_stages stages;
	bool is_attached;
	struct error not_attached;
	struct prober prober;
	uint16_t port;
	uint32_t link_mtu;
	struct probe_answer answers[N_KINDS];
	const struct kind *arrived; /* NULL: none did */
	struct path_hops path;
	struct path_mtu mtu;
	json_t *probes;
};

static const char *addr_text(const struct journey *journey, const union addr *addr,
			     char text[ADDR_TEXT_MAX])
{
	return addr_format(addr, journey->prober.ip_version, text, ADDR_TEXT_MAX);
}

/* "1.2 ms" */
static const char *rtt_text(const struct probe_answer *answer, char text[OUTPUT_DURATION_LEN])
{
	snprintf(text, OUTPUT_DURATION_LEN, "%.1f ms", (double)answer->rtt_ns / NS_PER_MS);
	return text;
}

/* Send to the port that is asked for. */
static void set_port(struct journey *journey, const struct kind *kind)
{
	journey->prober.port = journey->port ? journey->port : kind->port;
}

/* What an ICMP error says, in the words of RFC 792, 1812 and 4443. */
static const char *error_text(uint8_t ip_version, const struct probe_answer *answer)
{
	static const char *const codes4[] = {
		[0] = "network unreachable",  [1] = "host unreachable",
		[2] = "protocol unreachable", [3] = "port unreachable",
		[9] = "network prohibited",   [10] = "host prohibited",
		[13] = "prohibited",
	};
	static const char *const codes6[] = {
		[0] = "no route",	  [1] = "prohibited",	     [3] = "address unreachable",
		[4] = "port unreachable", [5] = "source prohibited", [6] = "route rejected",
	};
	bool is4 = ip_version == IP_VERSION_4;
	const char *const *codes = is4 ? codes4 : codes6;
	size_t n = is4 ? sizeof(codes4) / sizeof(*codes4) : sizeof(codes6) / sizeof(*codes6);

	if (answer->type != (is4 ? 3 : 1) || answer->code >= n || !codes[answer->code])
		return "an ICMP error";
	return codes[answer->code];
}

/* ---- the probes ---- */

/* The answer that a probe should have had. */
static struct packet_spec expected_answer(const struct journey *journey, const struct kind *kind,
					  const struct probe_answer *answer)
{
	struct packet_spec spec = journey->spec;
	bool is4 = spec.ip_version == IP_VERSION_4;

	spec.saddr = journey->prober.addr;
	spec.daddr = answer->source;
	spec.l4_proto = kind->port ? kind->l4_proto : packet_icmp_proto(spec.ip_version);
	spec.sport = journey->prober.port;
	spec.dport = answer->port;
	spec.tcp_flags = PACKET_TCP_SYN | PACKET_TCP_ACK;
	spec.icmp_type = is4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY;
	spec.icmp_id = answer->port;
	return spec;
}

/* Whether this host drops the answer to a probe, or has not sent one; that is a finding. */
static bool check_answer_in(struct journey *journey, const struct kind *kind,
			    const struct probe_answer *answer, struct path_stage *stage)
{
	const struct packet_spec spec = expected_answer(journey, kind, answer);
	struct error ignored;

	if (!journey->is_attached ||
	    path_stages_ask(&journey->stages, &spec, DIR_INGRESS, stage, &ignored) || !stage->drops)
		return false;
	if (stage->no_connection) {
		find(journey->report, FINDING_BAD, kind->check,
		     "no answer, and no connection is known: it has not left %s; is there a "
		     "neighbour that leads there?",
		     journey->prober.ifname);
		return true;
	}
	find(journey->report, FINDING_BAD, kind->check,
	     "no answer: this host drops it at its stage %s: %s (%s%s%s)", stage->title,
	     stage->message, stage->reason, stage->rule[0] ? ", rule " : "", stage->rule);
	return true;
}

/* Report an answer that is not silence. */
static void report_answer(struct journey *journey, const struct kind *kind,
			  const struct probe_answer *answer)
{
	char from[ADDR_TEXT_MAX], rtt[OUTPUT_DURATION_LEN];

	rtt_text(answer, rtt);
	addr_text(journey, &answer->from, from);
	if (answer->end == PROBE_ANSWERED && !kind->port)
		find(journey->report, FINDING_OK, kind->check, "answered after %s", rtt);
	else if (answer->end == PROBE_ANSWERED)
		find(journey->report, FINDING_OK, kind->check, "port %u answers after %s",
		     journey->prober.port, rtt);
	else if (answer->end == PROBE_CLOSED)
		find(journey->report, FINDING_OK, kind->check,
		     "the way is open, port %u is closed: refused after %s", journey->prober.port,
		     rtt);
	else if (answer->end == PROBE_NOT_SENT)
		find(journey->report, FINDING_BAD, kind->check, "this host does not send it: %s",
		     strerror(answer->error));
	else
		find(journey->report, FINDING_BAD, kind->check,
		     "ends at %s%s, which says: %s (%u/%u)", from,
		     memcmp(&answer->from, &answer->source, sizeof(answer->from)) ? ""
										  : ", this host",
		     answer->end == PROBE_EXPIRED ? "it goes round in a loop"
						  : error_text(journey->prober.ip_version, answer),
		     answer->type, answer->code);
}

/* Say where probes of a kind end that nobody answers. */
static int check_silent(struct journey *journey, const struct kind *kind, json_t *json,
			struct error *error)
{
	enum finding finding = journey->arrived ? FINDING_NOTE : FINDING_BAD;
	const struct probe_answer *last;
	struct path_hops path;
	char text[ADDR_TEXT_MAX];
	int err = path_walk(&journey->prober, kind->l4_proto, &path, error);

	if (err)
		return err;
	last = path.last ? &path.hops[path.last - 1] : NULL;
	if (last && last->end == PROBE_REFUSED) {
		report_answer(journey, kind, last);
		return 0;
	}
	if (!journey->path.n)
		journey->path = path;
	json_object_set_new(json, "last_hop", json_integer((json_int_t)path.last));
	if (path.reached)
		find(journey->report, FINDING_NOTE, kind->check,
		     "no answer at first, then one: packets get lost");
	else if (last)
		find(journey->report, finding, kind->check,
		     "no answer; packets come to hop %zu, %s, and end there or behind it",
		     path.last, addr_text(journey, &last->from, text));
	else
		find(journey->report, finding, kind->check,
		     "no answer, and none of a hop either: packets end behind this host");
	return 0;
}

/* JSON of what became of a probe. */
static json_t *answer_json(const struct journey *journey, const struct kind *kind,
			   const struct probe_answer *answer)
{
	static const char *const ends[PROBE_END_MAX] = {
		[PROBE_SILENT] = "silent",     [PROBE_ANSWERED] = "answered",
		[PROBE_CLOSED] = "closed",     [PROBE_EXPIRED] = "expired",
		[PROBE_TOO_BIG] = "too_big",   [PROBE_REFUSED] = "refused",
		[PROBE_NOT_SENT] = "not_sent",
	};
	bool is_icmp = answer->end >= PROBE_EXPIRED && answer->end <= PROBE_REFUSED;
	bool has_from = is_icmp || probe_arrived(answer);
	char from[ADDR_TEXT_MAX];

	return json_pack(
		"{s:s,s:o,s:s,s:o,s:o,s:o,s:o}", "protocol", kind->name, "port",
		kind->port ? json_integer(journey->prober.port) : json_null(), "result",
		ends[answer->end], "from",
		has_from ? json_string(addr_text(journey, &answer->from, from)) : json_null(),
		"rtt_s", has_from ? output_real((double)answer->rtt_ns / NS_PER_S) : json_null(),
		"icmp_type", is_icmp ? json_integer(answer->type) : json_null(), "icmp_code",
		is_icmp ? json_integer(answer->code) : json_null());
}

/* Send one packet of each kind, those without an answer twice. */
static int send_probes(struct journey *journey, struct error *error)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		const struct probe probe = {.l4_proto = kinds[i].l4_proto};
		struct probe_answer *answer = &journey->answers[i];
		int err = 0;

		set_port(journey, &kinds[i]);
		for (int tries = 0; tries < 2 && !err && answer->end == PROBE_SILENT; tries++)
			err = probe_send(&journey->prober, &probe, answer, error);
		if (err)
			return err;
		if (probe_arrived(answer) && !journey->arrived)
			journey->arrived = &kinds[i];
	}
	return 0;
}

/* Report what became of them, and where those without an answer end. */
static int report_probes(struct journey *journey, struct error *error)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		const struct probe_answer *answer = &journey->answers[i];
		struct path_stage stage;
		json_t *json;
		int err = 0;

		set_port(journey, &kinds[i]);
		json = answer_json(journey, &kinds[i], answer);
		json_array_append_new(journey->probes, json);
		if (answer->end != PROBE_SILENT)
			report_answer(journey, &kinds[i], answer);
		else if (check_answer_in(journey, &kinds[i], answer, &stage))
			json_object_set_new(json, "stage", json_string(stage.title));
		else
			err = check_silent(journey, &kinds[i], json, error);
		if (err)
			return err;
	}
	return 0;
}

/* ---- the way ---- */

/* Whether the programs let probes out: one of TCP stands for all. */
static int check_stages(struct journey *journey, struct error *error)
{
	struct packet_spec spec = journey->spec;
	struct path_stage stage;
	int err;

	if (!journey->is_attached) {
		find(journey->report, FINDING_NOTE, "path-out", "stages are not asked: %s",
		     journey->not_attached.text);
		return 0;
	}
	spec.l4_proto = IPPROTO_TCP;
	spec.dport = PATH_PORT_TCP;
	spec.sport = PATH_PORT_UDP;
	err = path_stages_ask(&journey->stages, &spec, DIR_EGRESS, &stage, error);
	if (err)
		return err;
	if (stage.drops)
		find(journey->report, FINDING_BAD, "path-out",
		     "this host drops packets at its stage %s: %s (%s)", stage.title, stage.message,
		     stage.reason);
	else
		find(journey->report, FINDING_OK, "path-out",
		     "the stages of this host let packets out");
	return 0;
}

/* The hops, in one line. */
static int check_hops(struct journey *journey, struct error *error)
{
	char line[1024] = "", text[ADDR_TEXT_MAX], rtt[OUTPUT_DURATION_LEN];
	size_t len = 0;
	int err = 0;

	if (journey->arrived) {
		set_port(journey, journey->arrived);
		err = path_walk(&journey->prober, journey->arrived->l4_proto, &journey->path,
				error);
	}
	for (size_t i = 0; i < journey->path.last && !err && len < sizeof(line); i++) {
		const struct probe_answer *hop = &journey->path.hops[i];

		if (hop->end == PROBE_SILENT)
			len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%zu *",
						i ? ", " : "", i + 1);
		else
			len += (size_t)snprintf(
				line + len, sizeof(line) - len, "%s%zu %s (%s)", i ? ", " : "",
				i + 1, addr_text(journey, &hop->from, text), rtt_text(hop, rtt));
	}
	if (!err && journey->path.last)
		find(journey->report, FINDING_OK, "path-hops", "%s", line);
	return err;
}

/* The largest packet, which takes a destination that answers. */
static int check_mtu(struct journey *journey, struct error *error)
{
	const struct kind *kind = NULL;
	struct path_mtu *mtu = &journey->mtu;
	char from[ADDR_TEXT_MAX];
	int err;

	mtu->end = PATH_MTU_UNKNOWN;
	for (size_t i = 0; i < N_KINDS; i++)
		if (!kind && kinds[i].l4_proto != IPPROTO_TCP &&
		    probe_arrived(&journey->answers[i]))
			kind = &kinds[i];
	if (!kind)
		return 0;
	set_port(journey, kind);
	err = path_find_mtu(&journey->prober, kind->l4_proto, journey->link_mtu, mtu, error);
	if (err)
		return err;
	addr_text(journey, &mtu->from, from);
	if (mtu->end == PATH_MTU_WHOLE)
		find(journey->report, FINDING_OK, "path-mtu", "%u, as of %s", mtu->mtu,
		     journey->prober.ifname);
	else if (mtu->end == PATH_MTU_TOLD)
		find(journey->report, FINDING_NOTE, "path-mtu", "%u of %u: %s says so", mtu->mtu,
		     journey->link_mtu, from);
	else if (mtu->end == PATH_MTU_UNKNOWN)
		find(journey->report, FINDING_NOTE, "path-mtu",
		     "not found: no large packet is answered");
	else
		find(journey->report, FINDING_BAD, "path-mtu",
		     "%u of %u, and nobody says so: larger packets disappear behind %s%s; lower "
		     "the "
		     "MTU of %s, or let ICMP errors through",
		     mtu->mtu, journey->link_mtu, mtu->hop ? "hop " : "this host",
		     mtu->hop ? from : "", journey->prober.ifname);
	return 0;
}

/* ---- the whole ---- */

/* All that was found out. */
static json_t *path_json(const struct journey *journey)
{
	json_t *hops = json_array();
	char text[ADDR_TEXT_MAX];
	static const char *const ends[] = {
		[PATH_MTU_WHOLE] = "whole",
		[PATH_MTU_TOLD] = "told",
		[PATH_MTU_SILENT] = "silent",
		[PATH_MTU_UNKNOWN] = "unknown",
	};
	static const union addr nobody;
	const struct path_mtu *mtu = &journey->mtu;
	bool has_from = memcmp(&mtu->from, &nobody, sizeof(nobody));

	for (size_t i = 0; i < journey->path.last; i++) {
		const struct probe_answer *hop = &journey->path.hops[i];
		bool is_known = hop->end != PROBE_SILENT;

		json_array_append_new(
			hops, json_pack("{s:o,s:o}", "address",
					is_known ? json_string(addr_text(journey, &hop->from, text))
						 : json_null(),
					"rtt_s",
					is_known ? output_real((double)hop->rtt_ns / NS_PER_S)
						 : json_null()));
	}
	return json_pack("{s:s,s:O,s:o,s:b,s:{s:o,s:s,s:o,s:i}}", "address",
			 addr_text(journey, &journey->prober.addr, text), "probes", journey->probes,
			 "hops", hops, "reached", journey->arrived != NULL, "mtu", "bytes",
			 mtu->mtu ? json_integer(mtu->mtu) : json_null(), "result", ends[mtu->end],
			 "from",
			 has_from ? json_string(addr_text(journey, &mtu->from, text)) : json_null(),
			 "interface", (int)journey->link_mtu);
}

/* Go the whole way. */
static int travel(struct journey *journey, struct error *error)
{
	int err = check_stages(journey, error);

	if (!err)
		err = send_probes(journey, error);
	if (!err)
		err = report_probes(journey, error);
	if (!err)
		err = check_hops(journey, error);
	return err ? err : check_mtu(journey, error);
}

/* Whether nobody but this host, or many, would get what is sent to an address. */
static int check_destination(const struct journey *journey, struct error *error)
{
	const union addr *addr = &journey->spec.daddr;
	uint8_t ip_version = journey->spec.ip_version;
	const struct prefix host = {*addr, ip_version, prefix_bits(ip_version)};
	static const union addr nobody6, nobody4 = {.bytes = {[10] = 0xff, [11] = 0xff}};
	struct interface_address *list;
	const char *what = NULL;
	size_t n;
	int err = netlink_read_addresses(&list, &n, error);

	if (err)
		return err;
	if (point_group(prefix_range(&host).first) != LOCAL_NONE)
		what = "many";
	else if (!memcmp(addr, &nobody4, sizeof(*addr)) || !memcmp(addr, &nobody6, sizeof(*addr)))
		what = "nobody";
	for (size_t i = 0; i < n; i++)
		if (list[i].ip_version == ip_version && !memcmp(&list[i].addr, addr, sizeof(*addr)))
			what = "this host";
	free(list);
	return what ? error_input(error, "destination: it is the address of %s", what) : 0;
}

/* Find the ends of the way, and whom to ask. */
static int begin(struct journey *journey, const struct path_question *question, struct error *error)
{
	const struct ends ends = {{"self", question->addr}, &journey->spec};
	struct link_info link;
	struct error ignored;
	int err = netlink_link_by_name(question->ifname, &link, error);

	if (!err)
		err = trace_ends_check(&ends, error);
	if (err)
		return err;
	if (!link.up)
		return error_set(error, ENETDOWN, "%s is down", link.name);
	journey->is_attached = !path_stages_open(&journey->stages, link.ifindex,
						 &journey->not_attached);
	if (journey->is_attached)
		attached_names(&journey->stages.attached, &journey->names, &ignored);
	err = trace_ends_set(&ends, link.ifindex, &journey->names, error);
	if (!err)
		err = check_destination(journey, error);
	if (err)
		return err;
	snprintf(journey->prober.ifname, sizeof(journey->prober.ifname), "%s", link.name);
	journey->prober.addr = journey->spec.daddr;
	journey->prober.ip_version = journey->spec.ip_version;
	journey->link_mtu = link.mtu;
	return 0;
}

/**
 * doctor_check_path() - Send packets to an address, and report where they end
 * @report: gets the findings
 * @question: to which, by which interface
 * @path: set to JSON of all that was found out
 * @error: set on failure
 *
 * Sends at most four packets a second; takes a minute at most where nobody answers.
 *
 * Return: 0 or -errno.
 */
int doctor_check_path(struct report *report, const struct path_question *question, json_t **path,
		      struct error *error)
{
	struct journey journey = {
		.report = report,
		.probes = json_array(),
		.port = question->port,
	};
	int err;

	packet_spec_init(&journey.spec);
	err = begin(&journey, question, error);
	if (!err)
		err = travel(&journey, error);
	if (!err)
		*path = path_json(&journey);
	if (journey.is_attached)
		path_stages_close(&journey.stages);
	names_free(&journey.names);
	json_decref(journey.probes);
	return err;
}
