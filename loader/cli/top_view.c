/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/top_view.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/names.h"
#include "base/output.h"
#include "cli/counters_print.h"

#define END_MAX	      (NAME_MAX_BYTES + 9) /* "[ADDRESS]:65535" */
#define NUMBER_MAX    24
#define LABEL_MIN     12 /* columns of the first column */
#define LABEL_COLUMNS 44 /* where as many columns as needed are there */

/* What a column behind the first one shows. */
enum figure {
	FIGURE_RX,
	FIGURE_TX,
	FIGURE_RX_PACKETS,
	FIGURE_TX_PACKETS,
	FIGURE_CONNECTIONS,
	FIGURE_OPENED,
	FIGURE_DROPS,
	FIGURE_REASON,
	FIGURE_STATE,
	FIGURE_RULE,
};

/*
 * struct column - a column behind the first one
 * @title: its title
 * @figure: what it shows
 * @width: with the blank before it, where numbers have units; negative: text, to the left
 * @from: columns that a terminal needs for it
 */
struct column {
	const char *title;
	enum figure figure;
	int width;
	unsigned int from;
};

static const struct column sum_columns[] = {
	{"RX/S", FIGURE_RX, 8, 0},
	{"TX/S", FIGURE_TX, 8, 0},
	{"RXP/S", FIGURE_RX_PACKETS, 7, 0},
	{"TXP/S", FIGURE_TX_PACKETS, 7, 0},
	{"CONNS", FIGURE_CONNECTIONS, 7, 0},
	{"NEW/S", FIGURE_OPENED, 7, 0},
	{"DROP/S", FIGURE_DROPS, 7, 0},
	{"REASON", FIGURE_REASON, -22, 104},
	{},
};

static const struct column flow_columns[] = {
	{"RX/S", FIGURE_RX, 8, 0},
	{"TX/S", FIGURE_TX, 8, 0},
	{"RXP/S", FIGURE_RX_PACKETS, 7, 110},
	{"TXP/S", FIGURE_TX_PACKETS, 7, 110},
	{"DROP/S", FIGURE_DROPS, 7, 0},
	{"STATE", FIGURE_STATE, -19, 0},
	{"RULE", FIGURE_RULE, -32, 140},
	{},
};

static const struct column *columns_of(const struct top_view *view)
{
	return view->question->by == TOP_BY_FLOW ? flow_columns : sum_columns;
}

static bool is_shown(const struct top_view *view, const struct column *column)
{
	return !view->columns || view->columns >= column->from;
}

/* Numbers without units need more room. */
static int width_of(const struct top_view *view, const struct column *column)
{
	return column->width > 0 && !view->human ? 14 : column->width;
}

/* How wide the first column is. */
static int label_width(const struct top_view *view)
{
	int left = view->columns;

	if (!left)
		return LABEL_COLUMNS;
	for (const struct column *column = columns_of(view); column->title; column++)
		if (is_shown(view, column))
			left -= abs(width_of(view, column));
	return left < LABEL_MIN ? LABEL_MIN : left;
}

/* Write a number, which is no negative one. */
static const char *number(const struct top_view *view, double value, unsigned int unit,
			  char text[NUMBER_MAX])
{
	if (!view->human)
		snprintf(text, NUMBER_MAX, "%.1f", value);
	else if (unit == 1000 && value > 0 && value < 9.95)
		snprintf(text, NUMBER_MAX, "%.1f", value);
	else
		output_human(text, value, unit);
	return text;
}

static const char *addr_text(const struct top_view *view, const union addr *addr,
			     uint8_t ip_version, char text[ADDR_TEXT_MAX])
{
	const char *name = view->numeric ? NULL
					 : names_of(&view->top->context.names, addr, ip_version);

	return name ? name : addr_format(addr, ip_version, text, ADDR_TEXT_MAX);
}

/* An end of a connection: name or address, and port. */
static void end_text(const struct top_view *view, const struct top_key *key, int end,
		     char text[END_MAX])
{
	char digits[ADDR_TEXT_MAX];
	const char *addr = addr_text(view, &key->addr[end], key->ip_version, digits);
	bool brackets = addr == digits && key->ip_version == IP_VERSION_6;

	if (!l4_has_ports(key->l4_proto) || !key->port[end])
		snprintf(text, END_MAX, "%s", addr);
	else
		snprintf(text, END_MAX, brackets ? "[%s]:%u" : "%s:%u", addr,
			 be16toh(key->port[end]));
}

/**
 * top_view_label() - What a row stands for
 * @view: where it is shown
 * @row: the row
 * @label: set to that
 */
void top_view_label(const struct top_view *view, const struct top_row *row,
		    char label[TOP_LABEL_MAX])
{
	const struct top_key *key = &row->key;
	char digits[ADDR_TEXT_MAX], protocol[FLOW_PROTOCOL_NUMBER], from[END_MAX], to[END_MAX];
	const char *id;

	if (view->question->by == TOP_BY_RULE) {
		id = rule_names_find(&view->top->context.rules, key->rule);
		snprintf(label, TOP_LABEL_MAX, "%s", id ? id : "(no rule)");
	} else if (!key->ip_version) {
		snprintf(label, TOP_LABEL_MAX, "(no IP packet)");
	} else if (view->question->by == TOP_BY_PEER) {
		snprintf(label, TOP_LABEL_MAX, "%s",
			 addr_text(view, &key->addr[0], key->ip_version, digits));
	} else {
		end_text(view, key, 0, from);
		end_text(view, key, 1, to);
		snprintf(label, TOP_LABEL_MAX, "%s%s%s %s",
			 view->question->by == TOP_BY_FLOW ? from : "",
			 view->question->by == TOP_BY_FLOW ? ">" : "", to,
			 flow_protocol_name(key->l4_proto, key->ip_version, protocol));
	}
}

/* Write what is in a column of a row. */
static void put_figure(const struct top_view *view, const struct top_row *row, enum figure figure,
		       char text[TOP_LABEL_MAX])
{
	double seconds = top_seconds(view->top);
	const char *id;

	switch (figure) {
	case FIGURE_RX:
	case FIGURE_TX:
		number(view, row->bytes[figure - FIGURE_RX] / seconds, 1024, text);
		break;
	case FIGURE_RX_PACKETS:
	case FIGURE_TX_PACKETS:
		number(view, row->packets[figure - FIGURE_RX_PACKETS] / seconds, 1000, text);
		break;
	case FIGURE_CONNECTIONS:
		if (view->human)
			output_human(text, row->connections, 1000);
		else
			snprintf(text, NUMBER_MAX, "%llu", (unsigned long long)row->connections);
		break;
	case FIGURE_OPENED:
		number(view, row->opened / seconds, 1000, text);
		break;
	case FIGURE_DROPS:
		number(view, row->drops / seconds, 1000, text);
		break;
	case FIGURE_REASON:
		snprintf(text, TOP_LABEL_MAX, "%s", top_row_reason(row));
		break;
	case FIGURE_STATE:
		snprintf(text, TOP_LABEL_MAX, "%s",
			 row->key.is_drop		   ? reason_name(row->key.reason)
			 : row->connections || !row->ended ? flow_state_name(row->state)
							   : "ended");
		break;
	case FIGURE_RULE:
		id = rule_names_find(&view->top->context.rules, row->rule);
		snprintf(text, TOP_LABEL_MAX, "%s", id ? id : "");
	}
}

/* Add text to a line, in so many columns: cut where it is longer, unless the line has no end. */
static size_t put_cell(const struct top_view *view, char line[TOP_LINE_MAX], size_t len,
		       const char *text, int width)
{
	size_t text_len = strlen(text), room = abs(width) - (width < 0 || len ? 1 : 0);
	int n;

	if (!view->columns || text_len <= room)
		n = snprintf(line + len, TOP_LINE_MAX - len, width < 0 ? "%s%-*s" : "%s%*s",
			     len ? " " : "", (int)room, text);
	else
		n = snprintf(line + len, TOP_LINE_MAX - len, "%s%.*s~", len ? " " : "",
			     (int)room - 1, text);
	return len + n < TOP_LINE_MAX ? len + n : TOP_LINE_MAX - 1;
}

/* Blanks behind the last column are for nothing. */
static void trim(char *line)
{
	size_t len = strlen(line);

	while (len && line[len - 1] == ' ')
		line[--len] = '\0';
}

/**
 * top_view_titles() - The titles of the columns
 * @view: what is shown
 * @line: set to them
 */
void top_view_titles(const struct top_view *view, char line[TOP_LINE_MAX])
{
	size_t len = put_cell(view, line, 0, top_by_title(view->question->by), -label_width(view));

	for (const struct column *column = columns_of(view); column->title; column++)
		if (is_shown(view, column))
			len = put_cell(view, line, len, column->title, width_of(view, column));
	trim(line);
}

/**
 * top_view_row() - A row as a line
 * @view: where it is shown
 * @row: the row
 * @label: its first column
 * @line: set to it
 */
void top_view_row(const struct top_view *view, const struct top_row *row, const char *label,
		  char line[TOP_LINE_MAX])
{
	size_t len = put_cell(view, line, 0, label, -label_width(view));
	char text[TOP_LABEL_MAX];

	for (const struct column *column = columns_of(view); column->title; column++) {
		if (!is_shown(view, column))
			continue;
		put_figure(view, row, column->figure, text);
		len = put_cell(view, line, len, text, width_of(view, column));
	}
	trim(line);
}

/* What a direction has seen. */
static void put_direction(const struct top_view *view, int direction, const char *what,
			  char line[TOP_LINE_MAX])
{
	double seconds = top_seconds(view->top);
	char packets[NUMBER_MAX], bytes[NUMBER_MAX], verdict[VERDICT_MAX][NUMBER_MAX];
	int width = view->human ? 6 : 11;
	struct counters growth;

	counters_since(&view->top->before.counters[direction], &view->top->now.counters[direction],
		       &growth);
	for (int i = 0; i < VERDICT_MAX; i++)
		number(view, growth.verdict[i].packets / seconds, 1000, verdict[i]);
	snprintf(line, TOP_LINE_MAX, "%-4s %*s p/s %*s B/s   pass %*s  forward %*s  drop %*s", what,
		 width, number(view, growth.seen.packets / seconds, 1000, packets), width,
		 number(view, growth.seen.bytes / seconds, 1024, bytes), width,
		 verdict[VERDICT_PASS], width, verdict[VERDICT_FORWARD], width,
		 verdict[VERDICT_DROP]);
}

/* Connections in all, and what is missing in these figures. */
static void put_connections(const struct top_view *view, char line[TOP_LINE_MAX])
{
	const struct top *top = view->top;
	double seconds = top_seconds(top);
	char opened[NUMBER_MAX], ended[NUMBER_MAX];
	uint64_t lost = top->now.lost - top->before.lost;
	struct top_row sum;
	int len;

	if (!top->context.attached.instance.config.stateful) {
		snprintf(line, TOP_LINE_MAX, "stateless: only drops are known");
		return;
	}
	top_row_sum(view->rows, 0, &sum);
	len = snprintf(line, TOP_LINE_MAX, "%llu connections, %s/s new, %s/s ended",
		       (unsigned long long)sum.connections,
		       number(view, sum.opened / seconds, 1000, opened),
		       number(view, sum.ended / seconds, 1000, ended));
	if (top->ledger.flows_beyond)
		len += snprintf(line + len, TOP_LINE_MAX - len, "; %llu more not followed",
				(unsigned long long)top->ledger.flows_beyond);
	if (top->ledger.drops_beyond)
		len += snprintf(line + len, TOP_LINE_MAX - len, "; %llu drops in no row",
				(unsigned long long)top->ledger.drops_beyond);
	if (lost)
		len += snprintf(line + len, TOP_LINE_MAX - len, "; %llu events lost",
				(unsigned long long)lost);
	if (top->now.missed_ns != top->before.missed_ns)
		snprintf(line + len, TOP_LINE_MAX - len, "; no events for %.1f s",
			 (top->now.missed_ns - top->before.missed_ns) / (double)NS_PER_S);
}

/* The reasons why packets were dropped, the most frequent first. */
static void put_reasons(const struct top_view *view, char line[TOP_LINE_MAX])
{
	uint64_t drops[REASON_MAX] = {};
	char text[NUMBER_MAX];
	struct counters growth;
	size_t len;

	for (int direction = 0; direction < DIR_MAX; direction++) {
		counters_since(&view->top->before.counters[direction],
			       &view->top->now.counters[direction], &growth);
		for (unsigned int i = 0; i < REASON_MAX; i++)
			drops[i] += reason_is_drop(i) ? growth.reason[i].packets : 0;
	}
	len = snprintf(line, TOP_LINE_MAX, "drop/s:");
	for (unsigned int shown = 0; shown < REASON_MAX; shown++) {
		unsigned int most = 0;

		for (unsigned int i = 1; i < REASON_MAX; i++)
			if (drops[i] > drops[most])
				most = i;
		if (!drops[most] || len + 64 > TOP_LINE_MAX)
			break;
		len += snprintf(line + len, TOP_LINE_MAX - len, "%s %s %s", shown ? "," : "",
				reason_name(most),
				number(view, drops[most] / top_seconds(view->top), 1000, text));
		drops[most] = 0;
	}
	if (line[len - 1] == ':')
		snprintf(line + len, TOP_LINE_MAX - len, " none");
}

/* What is shown, and of when. */
static void put_title(const struct top_view *view, char line[TOP_LINE_MAX])
{
	const struct top *top = view->top;
	const struct top_question *question = view->question;
	char time[OUTPUT_TIME_LEN];
	int len;

	output_time(time, top->now.realtime_ns);
	len = snprintf(line, TOP_LINE_MAX, "%s  by %s, most %s first", top->name,
		       top_by_name(question->by), top_order_name(question->order));
	if (view->within[0])
		len += snprintf(line + len, TOP_LINE_MAX - len, ", of %.100s", view->within);
	if (view->search[0])
		len += snprintf(line + len, TOP_LINE_MAX - len, ", with '%s'", view->search);
	snprintf(line + len, TOP_LINE_MAX - len, "  %.19sZ  %.1f s  generation %u", time,
		 top_seconds(top), top->context.attached.instance.config.generation);
}

/**
 * top_view_header() - What stands above the rows
 * @view: what is shown
 * @lines: set to it
 *
 * Return: how many lines there are.
 */
size_t top_view_header(const struct top_view *view, char lines[TOP_HEADER_LINES][TOP_LINE_MAX])
{
	size_t n = 0;

	put_title(view, lines[n++]);
	put_direction(view, DIR_INGRESS, "in", lines[n++]);
	put_direction(view, DIR_EGRESS, "out", lines[n++]);
	if (view->top->context.attached.instance.config.routing == ROUTING_NAT)
		put_direction(view, DIR_UPLINK, "up", lines[n++]);
	put_connections(view, lines[n++]);
	put_reasons(view, lines[n++]);
	return n;
}
