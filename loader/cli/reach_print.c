/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ten thousand rules may have a hundred thousand boxes, so that JSON is written as text is: by the same
 * functions, in the same order, with quotes and keys where text has blanks and arrows.
 */
#include "cli/reach_print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/output.h"
#include "base/screen.h"
#include "policy/icmp_type.h"

#define RANGE_TEXT_MAX (2 * PREFIX_TEXT_MAX)

/*
 * struct reach_printer - what is printed, and how
 * @out: text goes there at once; JSON is kept in @kept until it is known what comes before it
 * @pool: of one box
 * @keys, @items: whether there is one before, in the object and in the list that are written
 */
struct reach_printer {
	FILE *file;
	FILE *out;
	char *kept;
	size_t kept_len;
	const struct inquiry *inquiry;
	struct product_pool pool;
	bool json;
	bool keys;
	bool items;
	bool at_most;
	size_t n_rules;
};

/* ---- text and JSON ---- */

/* Write what only text has: what stands between lists. */
static void put_plain(struct reach_printer *printer, const char *text)
{
	if (!printer->json)
		fputs(text, printer->out);
}

/* Write a key, of which text has nothing. */
static void put_key(struct reach_printer *printer, const char *key)
{
	if (printer->json)
		fprintf(printer->out, "%s\"%s\":", printer->keys ? "," : "", key);
	printer->keys = true;
}

static void begin_list(struct reach_printer *printer, const char *key)
{
	put_key(printer, key);
	if (printer->json)
		putc('[', printer->out);
	printer->items = false;
}

/* Write an item of a list; it has no characters that JSON escapes. */
static void put_item(struct reach_printer *printer, const char *text, size_t len)
{
	if (printer->items)
		putc(',', printer->out);
	if (printer->json)
		putc('"', printer->out);
	fwrite(text, 1, len, printer->out);
	if (printer->json)
		putc('"', printer->out);
	printer->items = true;
}

static void put_word(struct reach_printer *printer, const char *text)
{
	put_item(printer, text, strlen(text));
}

static void end_list(struct reach_printer *printer)
{
	if (printer->json)
		putc(']', printer->out);
}

/* Write the key of what is not of a list. */
static void begin_except(struct reach_printer *printer, const char *key)
{
	char except[32];

	snprintf(except, sizeof(except), "%s_except", key);
	begin_list(printer, except);
}

/* ---- addresses ---- */

static bool is_ipv4(point value)
{
	struct range family = box_family(IP_VERSION_4, 0);

	return family.first <= value && value <= family.last;
}

/* Write a range of addresses: a prefix if it is one, else its ends. */
static void put_range(struct reach_printer *printer, const struct range *range)
{
	uint8_t ip_version = is_ipv4(range->first) ? IP_VERSION_4 : IP_VERSION_6;
	unsigned int len = prefix_bits(ip_version);
	point size = range->last - range->first;
	char text[RANGE_TEXT_MAX], *to;
	union addr addr;

	point_to_addr(range->first, &addr);
	to = put_addr(text, &addr, ip_version);
	if (size & (size + 1) || range->first & size) {
		*to++ = '-';
		point_to_addr(range->last, &addr);
		to = put_addr(to, &addr, ip_version);
	} else if (size) {
		for (; size; size >>= 1)
			len--;
		*to++ = '/';
		to = put_u64(to, len);
	}
	put_item(printer, text, to - text);
}

/* The addresses of a family: one range or two, of which @parts has room. */
static struct ranges family_of(uint8_t ip_version, struct range parts[2])
{
	bool ipv6 = ip_version == IP_VERSION_6;

	parts[0] = box_family(ip_version, 1);
	parts[1] = box_family(ip_version, 0);
	return (struct ranges){ipv6 ? parts : parts + 1, ipv6 ? 2 : 1, true};
}

static bool is_whole(const struct ranges *list, uint8_t ip_version)
{
	struct range parts[2];
	const struct ranges family = family_of(ip_version, parts);

	return ranges_contain(list, &family);
}

/* Write the addresses of a family. */
static void put_family(struct reach_printer *printer, const struct ranges *list, uint8_t ip_version)
{
	struct range parts[2];
	const struct ranges family = family_of(ip_version, parts);
	struct ranges part = {};

	if (ranges_contain(list, &family)) {
		put_word(printer, ip_version == IP_VERSION_4 ? "0.0.0.0/0" : "::/0");
		return;
	}
	pool_ranges_intersect(&printer->pool, list, &family, &part);
	for (size_t i = 0; i < part.n; i++)
		put_range(printer, &part.list[i]);
}

static void put_addresses(struct reach_printer *printer, const struct ranges *list,
			  uint8_t families)
{
	if (families == FAMILY_BOTH && is_whole(list, IP_VERSION_4) &&
	    is_whole(list, IP_VERSION_6)) {
		put_word(printer, "any");
		return;
	}
	if (families & FAMILY_4)
		put_family(printer, list, IP_VERSION_4);
	if (families & FAMILY_6)
		put_family(printer, list, IP_VERSION_6);
}

/* Write the addresses of an end: as they are or, if that is shorter, as named but for some. */
static void put_end(struct reach_printer *printer, const char *key, const struct reach_box *box,
		    int side)
{
	const struct ranges *list = &box->product.dim[BOX_SOURCE + side];
	const struct ranges *named = &box->named[side];
	struct ranges left = {};
	bool shorter = pool_ranges_subtract(&printer->pool, named, list, &left) &&
		       named->n + left.n <= list->n;

	begin_list(printer, key);
	put_addresses(printer, shorter ? named : list, box->families);
	end_list(printer);
	if (!shorter)
		return;
	put_plain(printer, " but ");
	begin_except(printer, key);
	put_addresses(printer, &left, box->families);
	end_list(printer);
}

/* Write where packets go: text has a word for this host. */
static void put_destination(struct reach_printer *printer, const struct reach_box *box,
			    bool is_host)
{
	if (is_host && !printer->json)
		put_plain(printer, "this host");
	else
		put_end(printer, "to", box, 1);
}

/* ---- ports and ICMP types ---- */

static void put_ports(struct reach_printer *printer, const char *key, const struct ranges *list)
{
	begin_list(printer, key);
	for (size_t i = 0; i < list->n; i++) {
		uint16_t first = list->list[i].first, last = list->list[i].last;
		char text[16], *to = put_u64(text, first);

		if (first != last) {
			*to++ = '-';
			to = put_u64(to, last);
		}
		put_item(printer, text, to - text);
	}
	end_list(printer);
}

/* ICMP types to be written. */
struct type_list {
	struct icmp_type *list;
	size_t n, room;
	bool failed; /* no memory */
};

/* ICMP types of a family that are there with all their codes. */
struct types {
	bool whole[256];
};

static void append_type(struct type_list *to, struct icmp_type type)
{
	if (to->n == to->room) {
		size_t room = 2 * to->room + 16;
		struct icmp_type *list = realloc(to->list, room * sizeof(*list));

		to->failed |= !list;
		if (!list)
			return;
		to->list = list;
		to->room = room;
	}
	to->list[to->n++] = type;
}

/* Note whole types of a family, and append single codes. */
static void split_types(const struct ranges *list, uint8_t ip_version, struct types *types,
			struct type_list *to)
{
	struct range every = box_dports(ip_version, l4_icmp_of(ip_version));

	for (size_t i = 0; i < list->n; i++) {
		struct range range = list->list[i];

		if (range.first < every.first)
			range.first = every.first;
		if (range.last > every.last)
			range.last = every.last;
		for (; range.first <= range.last; range.first++) {
			struct icmp_type type = {.families = ip_version == IP_VERSION_4 ? FAMILY_4
											: FAMILY_6};

			type.number[0] = type.number[1] = (uint16_t)range.first >> 8;
			type.code = range.first;
			if (!type.code && range.last - range.first >= UINT8_MAX) {
				types->whole[type.number[0]] = true;
				range.first += UINT8_MAX;
			} else {
				append_type(to, type);
			}
		}
	}
}

/* Append the pairs of types that have a name, or else those that have the same number. */
static void append_pairs(struct type_list *to, struct types *v4, struct types *v6, bool named)
{
	for (int i = 0; i < 256; i++)
		for (int j = named ? 0 : i; v4->whole[i] && j <= (named ? 255 : i); j++) {
			struct icmp_type type = {FAMILY_BOTH, {i, j}, true, 0};
			char text[ICMP_TYPE_TEXT_MAX];

			icmp_type_format(&type, text, sizeof(text));
			if (!v6->whole[j] || (named && text[0] <= '9'))
				continue;
			append_type(to, type);
			v4->whole[i] = v6->whole[j] = false;
		}
}

/* The types of a list, to be freed. */
static struct type_list types_of(const struct ranges *list)
{
	struct types types[2] = {};
	struct type_list to = {};

	split_types(list, IP_VERSION_4, &types[0], &to);
	split_types(list, IP_VERSION_6, &types[1], &to);
	append_pairs(&to, &types[0], &types[1], true);
	append_pairs(&to, &types[0], &types[1], false);
	for (int family = 0; family < 2; family++)
		for (int i = 0; i < 256; i++)
			if (types[family].whole[i])
				append_type(&to,
					    (struct icmp_type){
						    family ? FAMILY_6 : FAMILY_4, {i, i}, true, 0});
	return to;
}

/* Write types by name, those of one family without a name with the family. */
static void put_types(struct reach_printer *printer, const struct type_list *types)
{
	for (size_t i = 0; i < types->n; i++) {
		const struct icmp_type *type = &types->list[i];
		char text[ICMP_TYPE_TEXT_MAX + sizeof(" (IPv4)")];

		icmp_type_format(type, text, ICMP_TYPE_TEXT_MAX);
		if (type->families != FAMILY_BOTH && text[0] <= '9')
			strcat(text, type->families == FAMILY_4 ? " (IPv4)" : " (IPv6)");
		put_word(printer, text);
	}
}

/* Write the ICMP types of a box: as they are, or all but some. */
static int put_icmp(struct reach_printer *printer, const struct reach_box *box)
{
	struct range every[2] = {box_dports(IP_VERSION_4, l4_icmp_of(IP_VERSION_4)),
				 box_dports(IP_VERSION_6, l4_icmp_of(IP_VERSION_6))};
	const struct ranges *list = &box->product.dim[BOX_DPORT];
	struct ranges all = {every + (box->families == FAMILY_6),
			     box->families == FAMILY_BOTH ? 2 : 1, true};
	struct type_list types = types_of(list), others;
	struct ranges left = {};
	bool except, failed;

	pool_ranges_subtract(&printer->pool, &all, list, &left);
	others = types_of(&left);
	failed = types.failed || others.failed;
	except = others.n < types.n;
	put_plain(printer, except ? "/all but " : "/");
	if (except)
		begin_except(printer, "icmp_types");
	else
		begin_list(printer, "icmp_types");
	put_types(printer, except ? &others : &types);
	end_list(printer);
	free(types.list);
	free(others.list);
	return failed ? -ENOMEM : 0;
}

/* ---- protocols ---- */

/* Which protocols that can arrive are in a box, or are not. */
static void put_protocols_of(struct reach_printer *printer, const struct protocols *set,
			     uint8_t ip_version)
{
	for (int p = 0; p < INQUIRY_PROTOCOLS; p++) {
		char number[FLOW_PROTOCOL_NUMBER];

		if (protocols_have(set, p))
			put_word(printer, flow_protocol_name(p, ip_version, number));
	}
	end_list(printer);
}

/* Write the protocols of a box: those there are, or all but some. */
static void put_protocols(struct reach_printer *printer, const struct reach_box *box)
{
	uint8_t ip_version = box->families == FAMILY_6 ? IP_VERSION_6 : IP_VERSION_4;
	struct protocols sets[2] = {};
	size_t n[2] = {};
	bool most;

	for (int p = 0; p < INQUIRY_PROTOCOLS; p++) {
		bool has = p == l4_icmp_of(ip_version) ? box->icmp
						       : protocols_have(&box->protocols, p);

		if (protocol_can_arrive(p, ip_version)) {
			protocols_add(&sets[!has], p);
			n[!has]++;
		}
	}
	most = box->everything || n[1] < n[0];
	begin_list(printer, "protocols");
	if (!most) {
		put_protocols_of(printer, &sets[0], ip_version);
		return;
	}
	put_word(printer, "all");
	end_list(printer);
	if (box->everything)
		return;
	put_plain(printer, " but ");
	begin_except(printer, "protocols");
	put_protocols_of(printer, &sets[1], ip_version);
}

/* ---- boxes and rules ---- */

/* Write the ports or types of a box that has not all of them. */
static int put_narrow(struct reach_printer *printer, const struct reach_box *box)
{
	const struct ranges *sports = &box->product.dim[BOX_SPORT];

	if (!box->has_ports)
		return 0;
	if (box->icmp)
		return put_icmp(printer, box);
	put_plain(printer, "/");
	put_ports(printer, "destination_ports", &box->product.dim[BOX_DPORT]);
	if (!sports->list[0].first && sports->list[0].last == UINT16_MAX)
		return 0;
	put_plain(printer, " from port ");
	put_ports(printer, "source_ports", sports);
	return 0;
}

static int put_box(struct reach_printer *printer, const struct reach_box *box, enum acl acl)
{
	const struct ranges *to = &box->product.dim[BOX_DESTINATION];
	bool is_host = acl == ACL_PEER && inquiry_is_host(printer->inquiry, to, box->families);
	int err;

	product_pool_reset(&printer->pool, UINT64_MAX);
	if (printer->json)
		putc('{', printer->out);
	printer->keys = false;
	put_end(printer, "from", box, 0);
	put_plain(printer, " -> ");
	put_destination(printer, box, is_host);
	put_plain(printer, " ");
	put_protocols(printer, box);
	if (is_host && printer->json) {
		put_key(printer, "to_this_host");
		fputs("true", printer->out);
	}
	err = put_narrow(printer, box);
	putc(printer->json ? '}' : '\n', printer->out);
	return err ? err : printer->pool.error;
}

/* Write what a JSON object of a rule begins with. */
static int begin_rule(struct reach_printer *printer, const struct reach_rule *rule)
{
	json_t *head = json_pack("{s:o?,s:s,s:b}", "rule",
				 rule->rule ? output_json_text(rule->rule->id) : NULL, "acl",
				 acl_name(rule->acl), "at_most", rule->at_most);
	char *text = head ? json_dumps(head, OUTPUT_JSON_FLAGS) : NULL;

	json_decref(head);
	if (!text)
		return -ENOMEM;
	fprintf(printer->out, "%s%.*s,\"boxes\":[", printer->n_rules ? "," : "",
		(int)strlen(text) - 1, text);
	free(text);
	return 0;
}

/**
 * reach_printer_rule() - Print what a rule lets in: as text a line for each box
 * @arg: the printer
 * @rule: the rule and its boxes
 *
 * Return: 0 or -ENOMEM.
 */
int reach_printer_rule(void *arg, const struct reach_rule *rule)
{
	struct reach_printer *printer = arg;
	int err = printer->json ? begin_rule(printer, rule) : 0;

	for (size_t i = 0; i < rule->n && !err; i++) {
		if (!printer->json)
			fprintf(printer->out, "%s%s: ", rule->at_most ? "at most " : "",
				rule->rule ? rule->rule->id : "(kernel's router)");
		else if (i)
			putc(',', printer->out);
		err = put_box(printer, &rule->boxes[i], rule->acl);
	}
	if (printer->json)
		fputs("]}", printer->out);
	printer->at_most |= rule->at_most;
	printer->n_rules++;
	return err;
}

/**
 * reach_printer_new() - Begin an answer
 * @file: where it goes
 * @json: one JSON object instead of lines
 * @inquiry: about the policy; outlives the printer
 *
 * Return: the printer, or NULL without memory.
 */
struct reach_printer *reach_printer_new(FILE *file, bool json, const struct inquiry *inquiry)
{
	struct reach_printer *printer = calloc(1, sizeof(*printer));

	if (!printer)
		return NULL;
	printer->file = file;
	printer->json = json;
	printer->inquiry = inquiry;
	printer->out = json ? open_memstream(&printer->kept, &printer->kept_len) : file;
	if (printer->out)
		return printer;
	free(printer);
	return NULL;
}

/* Write the JSON object whose rules have been kept. */
static int print_json(struct reach_printer *printer)
{
	if (fflush(printer->out))
		return -ENOMEM;
	screen_keep_lines();
	putc('{', printer->file);
	if (!output_has_old_form())
		fprintf(printer->file, "\"schema\":%d,", OUTPUT_JSON_SCHEMA);
	fprintf(printer->file, "\"at_most\":%s,\"rules\":[", printer->at_most ? "true" : "false");
	fwrite(printer->kept, 1, printer->kept_len, printer->file);
	fputs("]}\n", printer->file);
	return 0;
}

/**
 * reach_printer_end() - Print what there is no more to than this, and hand it over
 * @printer: has printed every rule
 * @error: set on failure
 *
 * Return: 0, -ENOMEM, or -errno of the stream.
 */
int reach_printer_end(struct reach_printer *printer, struct error *error)
{
	if (printer->json && print_json(printer))
		return error_no_memory(error);
	if (!printer->json && !printer->n_rules)
		fputs("nothing\n", printer->file);
	if (!printer->json && printer->at_most)
		fputs("shrike: warning: many rules overlap: what is said to be at most reachable "
		      "may be less\n",
		      stderr);
	return output_flush(printer->file, error);
}

/**
 * reach_printer_free() - Release a printer; NULL is allowed
 */
void reach_printer_free(struct reach_printer *printer)
{
	if (!printer)
		return;
	if (printer->json)
		fclose(printer->out);
	free(printer->kept);
	product_pool_free(&printer->pool);
	free(printer);
}

/**
 * witness_json() - A packet, and what becomes of it
 */
json_t *witness_json(const struct witness *witness)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], number[FLOW_PROTOCOL_NUMBER];
	json_t *json = json_pack(
		"{s:s,s:s,s:s}", "src",
		addr_format(&witness->source, witness->ip_version, from, sizeof(from)), "dst",
		addr_format(&witness->destination, witness->ip_version, to, sizeof(to)), "protocol",
		flow_protocol_name(witness->l4_proto, witness->ip_version, number));

	if (l4_has_ports(witness->l4_proto)) {
		json_object_set_new(json, "sport", json_integer(witness->sport));
		json_object_set_new(json, "dport", json_integer(witness->dport));
	} else if (l4_is_icmp(witness->l4_proto, witness->ip_version)) {
		json_object_set_new(json, "icmp_type", json_integer(witness->icmp_type));
		json_object_set_new(json, "icmp_code", json_integer(witness->icmp_code));
	}
	json_object_set_new(json, "allowed", json_boolean(witness->allowed));
	json_object_set_new(json, "rule",
			    witness->rule ? json_string(witness->rule->id) : json_null());
	json_object_set_new(json, "reason", json_string(reason_name(witness->reason)));
	return json;
}
