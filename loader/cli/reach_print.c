/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Text is made from the JSON values, so that the two cannot differ.
 */
#include "cli/reach_print.h"

#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "policy/icmp_type.h"

#define RANGE_TEXT_MAX (2 * PREFIX_TEXT_MAX)

static bool is_ipv4(point value)
{
	struct range family = box_family(IP_VERSION_4, 0);

	return family.first <= value && value <= family.last;
}

/* A range of addresses: a prefix if it is one, else its ends. */
static json_t *range_json(const struct range *range)
{
	uint8_t ip_version = is_ipv4(range->first) ? IP_VERSION_4 : IP_VERSION_6;
	struct prefix prefix = {.ip_version = ip_version, .len = prefix_bits(ip_version)};
	char first[PREFIX_TEXT_MAX], last[ADDR_TEXT_MAX];
	point size = range->last - range->first;
	union addr addr;

	point_to_addr(range->first, &prefix.addr);
	if (!(size & (size + 1)) && !(range->first & size)) {
		for (; size; size >>= 1)
			prefix.len--;
		return json_string(prefix_format(&prefix, first, sizeof(first)));
	}
	point_to_addr(range->last, &addr);
	return json_sprintf("%s-%s", addr_format(&prefix.addr, ip_version, first, sizeof(first)),
			    addr_format(&addr, ip_version, last, sizeof(last)));
}

/* What of a list is of a family, behind what is in @part; which has room for all of it. */
static void of_family(const struct ranges *list, uint8_t ip_version, struct ranges *part)
{
	struct range parts[2] = {box_family(ip_version, 1), box_family(ip_version, 0)};
	bool ipv6 = ip_version == IP_VERSION_6;

	ranges_intersect(list, &(struct ranges){ipv6 ? parts : parts + 1, ipv6 ? 2 : 1, true},
			 part);
}

static bool is_whole(const struct ranges *list, uint8_t ip_version)
{
	struct range parts[2] = {box_family(ip_version, 1), box_family(ip_version, 0)};
	bool ipv6 = ip_version == IP_VERSION_6;

	return ranges_contain(list, &(struct ranges){ipv6 ? parts : parts + 1, ipv6 ? 2 : 1, true});
}

/* Append the addresses of a family. */
static void append_family(json_t *to, const struct ranges *list, uint8_t ip_version)
{
	struct range *room;
	struct ranges part = {};

	if (is_whole(list, ip_version)) {
		json_array_append_new(
			to, json_string(ip_version == IP_VERSION_4 ? "0.0.0.0/0" : "::/0"));
		return;
	}
	room = calloc(list->n + 3, sizeof(*room));
	if (!room)
		return;
	part.list = room;
	of_family(list, ip_version, &part);
	for (size_t i = 0; i < part.n; i++)
		json_array_append_new(to, range_json(&part.list[i]));
	free(room);
}

static json_t *addresses_json(const struct ranges *list, uint8_t families)
{
	json_t *array = json_array();

	if (families == FAMILY_BOTH && is_whole(list, IP_VERSION_4) &&
	    is_whole(list, IP_VERSION_6)) {
		json_array_append_new(array, json_string("any"));
		return array;
	}
	if (families & FAMILY_4)
		append_family(array, list, IP_VERSION_4);
	if (families & FAMILY_6)
		append_family(array, list, IP_VERSION_6);
	return array;
}

/* Set the addresses of an end: as they are or, if that is shorter, as named but for some. */
static void set_addresses(json_t *json, const char *key, const struct reach_box *box, int side)
{
	const struct ranges *list = &box->product.dim[BOX_SOURCE + side];
	const struct ranges *named = &box->named[side];
	struct product_pool pool = {};
	struct ranges left = {};
	char but_key[32];
	bool shorter;

	product_pool_reset(&pool, UINT64_MAX);
	shorter = pool_ranges_subtract(&pool, named, list, &left) && named->n + left.n <= list->n;
	json_object_set_new(json, key, addresses_json(shorter ? named : list, box->families));
	snprintf(but_key, sizeof(but_key), "%s_except", key);
	if (shorter)
		json_object_set_new(json, but_key, addresses_json(&left, box->families));
	product_pool_free(&pool);
}

static json_t *ports_json(const struct ranges *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->n; i++) {
		unsigned int first = (uint16_t)list->list[i].first,
			     last = (uint16_t)list->list[i].last;

		json_array_append_new(array, first == last ? json_sprintf("%u", first)
							   : json_sprintf("%u-%u", first, last));
	}
	return array;
}

/* ICMP types of a family that are there with all their codes. */
struct types {
	bool whole[256];
};

/* Append one type, or one code of it. */
static void append_type(json_t *to, struct icmp_type type)
{
	char text[ICMP_TYPE_TEXT_MAX];
	bool one = type.families != FAMILY_BOTH;

	icmp_type_format(&type, text, sizeof(text));
	json_array_append_new(
		to,
		one && text[0] <= '9'
			? json_sprintf("%s (%s)", text, type.families == FAMILY_4 ? "IPv4" : "IPv6")
			: json_string(text));
}

/* Note whole types of a family, and append single codes. */
static void split_types(const struct ranges *list, uint8_t ip_version, struct types *types,
			json_t *to)
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
static void append_pairs(json_t *to, struct types *v4, struct types *v6, bool named)
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

static json_t *types_json(const struct ranges *list)
{
	struct types types[2] = {};
	json_t *array = json_array();

	split_types(list, IP_VERSION_4, &types[0], array);
	split_types(list, IP_VERSION_6, &types[1], array);
	append_pairs(array, &types[0], &types[1], true);
	append_pairs(array, &types[0], &types[1], false);
	for (int family = 0; family < 2; family++)
		for (int i = 0; i < 256; i++)
			if (types[family].whole[i])
				append_type(array,
					    (struct icmp_type){
						    family ? FAMILY_6 : FAMILY_4, {i, i}, true, 0});
	return array;
}

/* Set the ICMP types of a box: as they are, or all but some. */
static void set_types(json_t *json, const struct reach_box *box)
{
	struct range every[2] = {box_dports(IP_VERSION_4, l4_icmp_of(IP_VERSION_4)),
				 box_dports(IP_VERSION_6, l4_icmp_of(IP_VERSION_6))};
	const struct ranges *list = &box->product.dim[BOX_DPORT];
	struct ranges all = {every + (box->families == FAMILY_6),
			     box->families == FAMILY_BOTH ? 2 : 1, true};
	struct product_pool pool = {};
	struct ranges left = {};
	json_t *types = types_json(list), *others;

	product_pool_reset(&pool, UINT64_MAX);
	pool_ranges_subtract(&pool, &all, list, &left);
	others = types_json(&left);
	if (json_array_size(others) < json_array_size(types))
		json_object_set(json, "icmp_types_except", others);
	else
		json_object_set(json, "icmp_types", types);
	json_decref(types);
	json_decref(others);
	product_pool_free(&pool);
}

/* Set the protocols of a box: those there are, or all but some. */
static void set_protocols(json_t *json, const struct reach_box *box)
{
	uint8_t ip_version = box->families == FAMILY_6 ? IP_VERSION_6 : IP_VERSION_4;
	json_t *lists[2] = {json_array(), json_array()};
	bool most;

	for (int p = 0; p < INQUIRY_PROTOCOLS; p++) {
		char number[FLOW_PROTOCOL_NUMBER];
		bool has = p == l4_icmp_of(ip_version) ? box->icmp
						       : protocols_have(&box->protocols, p);

		if (protocol_can_arrive(p, ip_version))
			json_array_append_new(lists[!has], json_string(flow_protocol_name(
								   p, ip_version, number)));
	}
	most = box->everything || json_array_size(lists[1]) < json_array_size(lists[0]);
	json_object_set_new(json, "protocols",
			    most ? json_pack("[s]", "all") : json_incref(lists[0]));
	if (most && !box->everything)
		json_object_set(json, "protocols_except", lists[1]);
	json_decref(lists[0]);
	json_decref(lists[1]);
}

static json_t *box_json(const struct inquiry *inquiry, const struct reach_box *box, enum acl acl)
{
	const struct ranges *to = &box->product.dim[BOX_DESTINATION];
	const struct ranges *sports = &box->product.dim[BOX_SPORT];
	json_t *json = json_object();

	set_addresses(json, "from", box, 0);
	set_addresses(json, "to", box, 1);
	set_protocols(json, box);
	if (acl == ACL_PEER && inquiry_is_host(inquiry, to, box->families))
		json_object_set_new(json, "to_this_host", json_true());
	if (box->has_ports && box->icmp)
		set_types(json, box);
	if (!box->has_ports || box->icmp)
		return json;
	if (sports->list[0].first || sports->list[0].last != UINT16_MAX)
		json_object_set_new(json, "source_ports", ports_json(sports));
	json_object_set_new(json, "destination_ports", ports_json(&box->product.dim[BOX_DPORT]));
	return json;
}

/**
 * reach_rule_json() - What a rule lets in
 * @inquiry: about the policy
 * @rule: the rule and its boxes
 */
json_t *reach_rule_json(const struct inquiry *inquiry, const struct reach_rule *rule)
{
	json_t *boxes = json_array();

	for (size_t i = 0; i < rule->n; i++)
		json_array_append_new(boxes, box_json(inquiry, &rule->boxes[i], rule->acl));
	return json_pack("{s:s?,s:s,s:b,s:o}", "rule", rule->rule ? rule->rule->id : NULL, "acl",
			 acl_name(rule->acl), "at_most", rule->at_most, "boxes", boxes);
}

static void print_list(const json_t *list, FILE *file)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		fprintf(file, "%s%s", i ? "," : "", json_string_value(item));
}

/* Print a list, and what is not of it. */
static void print_but(const json_t *box, const char *key, FILE *file)
{
	const json_t *but;
	char but_key[32];

	snprintf(but_key, sizeof(but_key), "%s_except", key);
	but = json_object_get(box, but_key);
	print_list(json_object_get(box, key), file);
	if (but)
		fputs(" but ", file);
	print_list(but, file);
}

static void print_ports(const json_t *box, FILE *file)
{
	const json_t *types = json_object_get(box, "icmp_types");
	const json_t *except = json_object_get(box, "icmp_types_except");
	const json_t *ports = json_object_get(box, "destination_ports");
	const json_t *sports = json_object_get(box, "source_ports");

	if (types || ports || except)
		putc('/', file);
	print_list(types ? types : ports, file);
	if (except)
		fputs("all but ", file);
	print_list(except, file);
	if (sports)
		fputs(" from port ", file);
	print_list(sports, file);
}

/**
 * reach_rule_print() - Print what a rule lets in, a line for each box
 * @rule: of reach_rule_json()
 * @file: where
 */
void reach_rule_print(const json_t *rule, FILE *file)
{
	const char *id = json_string_value(json_object_get(rule, "rule"));
	const json_t *box;
	size_t i;

	json_array_foreach (json_object_get(rule, "boxes"), i, box) {
		fprintf(file,
			"%s%s: ", json_is_true(json_object_get(rule, "at_most")) ? "at most " : "",
			id ? id : "(kernel's router)");
		print_but(box, "from", file);
		fputs(" -> ", file);
		if (json_object_get(box, "to_this_host"))
			fputs("this host", file);
		else
			print_but(box, "to", file);
		putc(' ', file);
		print_but(box, "protocols", file);
		print_ports(box, file);
		putc('\n', file);
	}
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
