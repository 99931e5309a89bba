/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/print.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/output.h"
#include "base/screen.h"
#include "conntrack/event_print.h"
#include "conntrack/flow_id.h"
#include "conntrack/flow_rows.h"
#include "rule.h"

#define BUFFER_LEN   (256 * 1024)
#define FLOW_LEN_MAX 2048 /* bytes of one flow: 600 without its rule, whose id may take 400 */
#define RULE_SLOTS   1024
#define RULE_LEN_MAX (6 * (RULE_ID_MAX - 1) + 2) /* every byte as \u00XX, and the quotes */

#define NAME_LEN_MAX (6 * 15 + 2) /* likewise, of a device */

#define WIDTH_PROTOCOL 4
#define WIDTH_STATE    12
#define WIDTH_TIMEOUT  5

/* What to write for a rule number: the id, quoted where the format needs it; or nothing. */
struct rule_slot {
	uint32_t number; /* RULE_NONE: the slot is free */
	uint16_t len;
	char text[RULE_LEN_MAX];
};

struct flow_printer {
	FILE *file;
	char interface[NAME_LEN_MAX + 1]; /* quoted */
	uint64_t offset_ns;		  /* from the kernel's clock to CLOCK_REALTIME */
	bool json;
	bool has_rows; /* the flows are a table */
	bool any;      /* a flow has been printed */
	flow_rule_id rule_id;
	void *arg;
	struct flow_rows rows;			     /* and of lines: names, uplinks and units */
	struct error error;			     /* of rows; its code is 0: none */
	char uplinks[UPLINKS_MAX][NAME_LEN_MAX + 1]; /* names, quoted */
	char *at;				     /* in buffer */
	struct rule_slot rules[RULE_SLOTS]; /* by number modulo RULE_SLOTS, the last one wins */
	char buffer[BUFFER_LEN];
};

/*
 * Ids are the user's own text: JSON escapes them, and in lines an id with anything but
 * printable ASCII (blanks, quotes and control characters) is written the way JSON writes it.
 */
static bool is_plain(const char *id)
{
	for (; *id; id++)
		if (!isgraph((unsigned char)*id) || *id == '"' || *id == '\\')
			return false;
	return true;
}

/* Write text, quoted as the format needs; returns its length, 0: it does not fit. */
static size_t quote(const char *from, bool json, char *text, size_t size)
{
	json_t *string;
	size_t len;

	if (!json && is_plain(from)) {
		len = strlen(from);
		if (len >= size)
			return 0;
		memcpy(text, from, len);
		return len;
	}
	string = output_json_text(from);
	len = json_dumpb(string, text, size, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	json_decref(string);
	return len <= size ? len : 0;
}

/**
 * flow_printer_new() - Begin a list of flows
 * @file: where it goes
 * @json: one JSON array instead of lines, or of the table that a terminal gets
 * @interface: whose flows they are
 * @rule_id: names rules
 * @arg: for @rule_id
 *
 * Return: the printer, or NULL without memory.
 */
struct flow_printer *flow_printer_new(FILE *file, bool json, const char *interface,
				      flow_rule_id rule_id, void *arg)
{
	struct flow_printer *printer = calloc(1, sizeof(*printer));

	if (!printer)
		return NULL;
	printer->file = file;
	printer->json = json;
	printer->has_rows = !json && screen_is_terminal(file);
	printer->rows.file = file;
	printer->interface[quote(interface, true, printer->interface, NAME_LEN_MAX)] = '\0';
	printer->offset_ns = flow_clock_offset_ns();
	printer->rule_id = rule_id;
	printer->arg = arg;
	printer->at = printer->buffer;
	return printer;
}

/**
 * flow_printer_set_names() - Have a list show addresses by their names
 * @printer: the printer
 * @names: outlive the printer
 */
void flow_printer_set_names(struct flow_printer *printer, const struct names *names)
{
	printer->rows.names = names;
}

/**
 * flow_printer_set_human() - Have text show counts with units
 * @printer: the printer
 */
void flow_printer_set_human(struct flow_printer *printer)
{
	printer->rows.human = true;
}

static inline void put(struct flow_printer *printer, const char *text)
{
	size_t len = strlen(text);

	memcpy(printer->at, text, len);
	printer->at += len;
}

static inline void put_key(struct flow_printer *printer, const char *key)
{
	put(printer, printer->json ? ",\"" : " ");
	put(printer, key);
	put(printer, printer->json ? "\":" : "=");
}

static inline void put_number(struct flow_printer *printer, const char *key, uint64_t value)
{
	put_key(printer, key);
	printer->at = put_u64(printer->at, value);
}

static inline void put_word(struct flow_printer *printer, const char *key, const char *word)
{
	const char *quote = printer->json ? "\"" : "";

	put_key(printer, key);
	put(printer, quote);
	put(printer, word);
	put(printer, quote);
}

static const char *name_of(const struct flow_printer *printer, const union addr *addr,
			   uint8_t ip_version)
{
	return printer->rows.names ? names_of(printer->rows.names, addr, ip_version) : NULL;
}

/* Print an address: by its name where it has one, in JSON beside it. */
static void put_address(struct flow_printer *printer, const char *key, const union addr *addr,
			uint8_t ip_version)
{
	const char *quote = printer->json ? "\"" : "";
	const char *name = name_of(printer, addr, ip_version);

	put_key(printer, key);
	put(printer, quote);
	if (name && !printer->json)
		put(printer, name);
	else
		printer->at = put_addr(printer->at, addr, ip_version);
	put(printer, quote);
	if (name && printer->json) {
		put(printer, ",\"");
		put(printer, key);
		put(printer, "_name\":\"");
		put(printer, name); /* letters and the like, see names_is_valid() */
		put(printer, quote);
	}
}

static const struct uplink *uplink_of(const struct flow_printer *printer,
				      const struct flow_view *view)
{
	return flow_rows_uplink(printer->rows.masquerade, view->flow);
}

/* A column of the text format; no value is longer than its column but a huge timeout. */
static void put_padded(struct flow_printer *printer, const char *text, size_t len, size_t width)
{
	memcpy(printer->at, text, len);
	printer->at += len;
	for (; len < width; len++)
		*printer->at++ = ' ';
}

/* Set the text of a rule's id, quoted as the format needs. */
static void name_rule(struct rule_slot *slot, const char *id, bool json)
{
	slot->len = id ? quote(id, json, slot->text, sizeof(slot->text)) : 0;
}

/**
 * flow_printer_set_uplinks() - Have a list show how flows are translated
 * @printer: the printer
 * @masquerade: what the programs know of the host; outlives the printer
 */
void flow_printer_set_uplinks(struct flow_printer *printer, const struct masquerade *masquerade)
{
	printer->rows.masquerade = masquerade;
	for (int i = 0; i < UPLINKS_MAX; i++) {
		char *name = printer->uplinks[i];

		name[quote(masquerade->uplinks[i].name, printer->json, name, NAME_LEN_MAX)] = '\0';
	}
}

/* Print the id of a rule, which is kept for the next flow of the rule. */
static void put_rule(struct flow_printer *printer, uint32_t number)
{
	struct rule_slot *slot = &printer->rules[number % RULE_SLOTS];

	if (number != RULE_NONE && slot->number != number) {
		name_rule(slot, printer->rule_id(printer->arg, number), printer->json);
		slot->number = number;
	}
	if (number != RULE_NONE && slot->len) {
		put_key(printer, "rule");
		put_padded(printer, slot->text, slot->len, 0);
	} else if (printer->json) {
		put_key(printer, "rule");
		put(printer, "null");
	}
}

/*
 * One end's way: its packets go from @end to the other one.  Of a flow that leaves by an uplink the
 * answers are shown as they come in there.
 */
static void put_way(struct flow_printer *printer, const struct flow_view *view, unsigned int end)
{
	const struct uplink *uplink = end ? uplink_of(printer, view) : NULL;
	uint16_t snat_port = ntohs(view->flow->snat_port);

	put_address(printer, "src", &view->addr[end], view->ip_version);
	put_address(printer, "dst",
		    uplink ? uplink_addr(uplink, view->ip_version) : &view->addr[!end],
		    view->ip_version);
	if (l4_has_ports(view->l4_proto)) {
		put_number(printer, "sport", view->port[end]);
		put_number(printer, "dport", uplink ? snat_port : view->port[!end]);
	} else if (view->state == FLOW_STATE_ICMP) {
		put_number(printer, printer->json ? "icmp_id" : "id",
			   uplink ? snat_port : view->icmp_id);
	}
}

static void put_counts(struct flow_printer *printer, const struct flow_view *view, unsigned int end)
{
	char text[OUTPUT_COUNT_LEN];
	bool human = printer->rows.human;

	put_word(printer, "packets",
		 output_count(text, view->flow->packets[end], UNIT_PACKETS, human));
	put_word(printer, "bytes", output_count(text, view->flow->bytes[end], UNIT_BYTES, human));
}

/* What one end has sent, as a JSON object. */
static void put_counter(struct flow_printer *printer, const char *key, const struct flow_view *view,
			unsigned int end)
{
	put_key(printer, key);
	put(printer, "{\"packets\":");
	printer->at = put_u64(printer->at, view->flow->packets[end]);
	put_number(printer, "bytes", view->flow->bytes[end]);
	put(printer, "}");
}

static const struct {
	uint8_t flag;
	const char *name;
} flag_names[] = {
	{FLOW_FORWARD, "forward"},
	{FLOW_HAIRPIN, "hairpin"},
	{FLOW_LOCAL, "local"},
	{FLOW_REVOKED, "revoked"},
};

/* Print the flags of a flow as a JSON list. */
static void put_flags(struct flow_printer *printer, const struct flow_view *view)
{
	bool any = false;
	size_t i;

	put_key(printer, "flags");
	put(printer, "[");
	for (i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++) {
		if (!(view->flow->flags & flag_names[i].flag))
			continue;
		put(printer, any ? ",\"" : "\"");
		put(printer, flag_names[i].name);
		put(printer, "\"");
		any = true;
	}
	if (view->confirmed)
		put(printer, any ? ",\"confirmed\"" : "\"confirmed\"");
	put(printer, "]");
}

/* What a flow becomes on its uplink; nothing of one that leaves by none. */
static void put_translation(struct flow_printer *printer, const struct flow_view *view)
{
	const struct uplink *uplink = uplink_of(printer, view);

	if (!uplink)
		return;
	put(printer, ",\"nat\":{\"uplink\":");
	put(printer, printer->uplinks[view->flow->uplink % UPLINKS_MAX]);
	put_address(printer, "src", uplink_addr(uplink, view->ip_version), view->ip_version);
	if (l4_has_ports(view->l4_proto) || view->state == FLOW_STATE_ICMP)
		put_number(printer, l4_has_ports(view->l4_proto) ? "sport" : "icmp_id",
			   ntohs(view->flow->snat_port));
	put(printer, "}");
}

/* Rewrite the object at @start, the last that was written, in the older form that is asked for. */
static void put_old_form(struct flow_printer *printer, char *start)
{
	json_t *flow = output_part(json_loadb(start, printer->at - start, 0, NULL));
	size_t len = json_dumpb(flow, start, printer->buffer + BUFFER_LEN - start,
				OUTPUT_JSON_FLAGS | JSON_ENSURE_ASCII);

	printer->at = start + len;
	json_decref(flow);
}

/* Print a flow as a JSON object. */
static void put_json(struct flow_printer *printer, const struct flow_view *view)
{
	char number[FLOW_PROTOCOL_NUMBER], id[FLOW_ID_LEN], time[OUTPUT_TIME_LEN], *start;
	uint64_t started_ns = view->flow->created_ns + printer->offset_ns;

	put(printer, printer->any ? ",\n" : "[\n");
	start = printer->at;
	put(printer, "{\"schema\":");
	printer->at = put_u64(printer->at, OUTPUT_JSON_SCHEMA);
	put_key(printer, "interface");
	put(printer, printer->interface);
	put_word(printer, "flow", flow_id_text(flow_view_id(view), id));
	put_word(printer, "started", output_time(time, started_ns));
	put_word(printer, "protocol", flow_protocol_name(view->l4_proto, view->ip_version, number));
	put_word(printer, "family", view->ip_version == IP_VERSION_4 ? "ipv4" : "ipv6");
	put_word(printer, "state", flow_state_name(view->state));
	put_word(printer, "direction",
		 direction_name(view->flow->flags & FLOW_BY_PEER ? DIR_INGRESS : DIR_EGRESS));
	put_way(printer, view, 0);
	put_counter(printer, "opener", view, 0);
	put_counter(printer, "answerer", view, 1);
	put_number(printer, "timeout_s", view->remaining_ns / NS_PER_S);
	put_rule(printer, view->rule);
	put_number(printer, "generation", view->flow->generation);
	put_flags(printer, view);
	if (flow_nat_port(view->flow))
		put_number(printer, "nat_port", ntohs(flow_nat_port(view->flow)));
	put_translation(printer, view);
	put(printer, "}");
	if (output_has_old_form())
		put_old_form(printer, start);
}

/* Print a flow as a line of text. */
static void put_line(struct flow_printer *printer, const struct flow_view *view)
{
	char number[FLOW_PROTOCOL_NUMBER];
	const char *protocol = flow_protocol_name(view->l4_proto, view->ip_version, number);
	const char *state = flow_state_name(view->state);
	char timeout[20];

	put_padded(printer, protocol, strlen(protocol), WIDTH_PROTOCOL);
	put(printer, " ");
	put_padded(printer, state, strlen(state), WIDTH_STATE);
	put(printer, " ");
	put_padded(printer, timeout, put_u64(timeout, view->remaining_ns / NS_PER_S) - timeout,
		   WIDTH_TIMEOUT);
	for (unsigned int end = 0; end < 2; end++) {
		put_way(printer, view, end);
		put_counts(printer, view, end);
	}
	if (flow_nat_port(view->flow))
		put_number(printer, "nat_port", ntohs(flow_nat_port(view->flow)));
	if (uplink_of(printer, view)) {
		put_key(printer, "uplink");
		put(printer, printer->uplinks[view->flow->uplink % UPLINKS_MAX]);
	}
	put_word(printer, "opened", view->flow->flags & FLOW_BY_PEER ? "peer" : "host");
	put_rule(printer, view->rule);
	if (view->flow->flags & FLOW_FORWARD)
		put(printer, " [forward]");
	if (!view->confirmed)
		put(printer, " [unconfirmed]");
	put(printer, "\n");
}

/* Errors stay in the stream until flow_printer_end(). */
static void drain(struct flow_printer *printer)
{
	fwrite(printer->buffer, 1, printer->at - printer->buffer, printer->file);
	printer->at = printer->buffer;
}

/* Print a flow as a row of a table. */
static int put_row(struct flow_printer *printer, const struct flow_view *view)
{
	const char *rule = view->rule == RULE_NONE ? NULL
						   : printer->rule_id(printer->arg, view->rule);

	return flow_rows_add(&printer->rows, view, rule, &printer->error) ? 1 : 0;
}

/**
 * flow_printer_visit() - Print one flow; fits conntrack_walk()
 * @printer: struct flow_printer
 * @view: the flow
 *
 * Return: 0, or 1 where there is no use in going on; flow_printer_end() knows why.
 */
int flow_printer_visit(void *printer, const struct flow_view *view)
{
	struct flow_printer *p = printer;

	if (p->has_rows)
		return put_row(p, view);
	if (p->json)
		put_json(p, view);
	else
		put_line(p, view);
	p->any = true;
	if (p->at - p->buffer > BUFFER_LEN - FLOW_LEN_MAX) {
		drain(p);
		if (ferror(p->file))
			return 1;
	}
	return 0;
}

/**
 * flow_printer_end() - Close the list and hand it over
 * @printer: the printer
 * @error: set on failure
 *
 * Return: 0; -ENOMEM, or -errno of the stream.
 */
int flow_printer_end(struct flow_printer *printer, struct error *error)
{
	if (printer->error.code) {
		*error = printer->error;
		return -error->code;
	}
	if (printer->has_rows)
		return flow_rows_end(&printer->rows, error);
	if (printer->json)
		put(printer, printer->any ? "\n]\n" : "[]\n");
	drain(printer);
	return output_flush(printer->file, error);
}

/**
 * flow_printer_free() - Release a printer; what it holds back is lost without flow_printer_end()
 * @printer: the printer, or NULL
 */
void flow_printer_free(struct flow_printer *printer)
{
	if (printer)
		flow_rows_free(&printer->rows);
	free(printer);
}
