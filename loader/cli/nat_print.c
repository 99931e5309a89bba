/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/nat_print.h"

#include <net/if.h>
#include <stdio.h>

#include "base/address.h"
#include "base/output.h"
#include "dataplane/masquerading.h"
#include "kernel/bypassed.h"
#include "kernel/hooks.h"
#include "kernel/map_batch.h"
#include "maps.h"

#define COUNT_BATCH 4096

/* Its addresses: one of each family at most. */
static json_t *addresses_json(const struct uplink *uplink)
{
	static const __u8 versions[] = {IP_VERSION_4, IP_VERSION_6};
	json_t *list = json_array();
	char text[ADDR_TEXT_MAX];

	for (int i = 0; i < 2; i++) {
		const union addr *addr = uplink_addr(uplink, versions[i]);

		if (addr->half[0] || addr->half[1])
			json_array_append_new(list, json_string(addr_format(addr, versions[i], text,
									    sizeof(text))));
	}
	return list;
}

static json_t *uplink_json(const struct uplink *uplink, const struct hook_maps *maps)
{
	struct hook_state state;
	struct error error;
	bool is_attached = !hook_query_uplink(uplink->ifindex, maps, &state, &error) &&
			   state.prog_id;

	return json_pack("{s:o,s:i,s:o,s:i,s:s,s:b}", "name", output_json_text(uplink->name),
			 "ifindex", uplink->ifindex, "addresses", addresses_json(uplink), "mtu",
			 uplink->mtu, "link", uplink->l2_len ? "ethernet" : "l3", "attached",
			 is_attached);
}

static json_t *uplinks_json(const struct masquerade *masquerade, const struct map_set *maps)
{
	const struct hook_maps ids = masquerading_hook_maps(maps);
	json_t *list = json_array();

	for (__u8 i = 0; i < UPLINKS_MAX; i++) {
		const struct uplink *uplink = masquerade_uplink(masquerade, i);

		if (uplink)
			json_array_append_new(list, uplink_json(uplink, &ids));
	}
	return list;
}

/* The ports that flows may take, as ranges, and how many they are. */
static json_t *ports_json(const struct masquerade *masquerade)
{
	json_t *ranges = json_array();
	uint32_t count = 0;

	for (int i = 0; i < 2; i++) {
		const struct masquerade_ports *ports = &masquerade->ports[i];
		char text[16];

		if (ports->first > ports->last)
			continue;
		snprintf(text, sizeof(text), "%u-%u", ports->first, ports->last);
		json_array_append_new(ranges, json_string(text));
		count += ports->last - ports->first + 1;
	}
	return json_pack("{s:o,s:i}", "ranges", ranges, "count", count);
}

/* How many entries a map has, as far as it can be read, and how many are of one owner. */
static uint64_t count_entries(const struct map_entry *map, uint8_t owner, uint64_t *own)
{
	struct map_batch batch;
	struct error error;
	uint64_t n = 0;

	*own = 0;
	if (map->value_size != sizeof(struct snat_in) ||
	    map_batch_init(&batch, COUNT_BATCH, &error))
		return 0;
	map_batch_rewind(&batch, map->fd, map->key_size, map->value_size);
	while (!batch.done && !map_batch_next(&batch, COUNT_BATCH, &error)) {
		const struct snat_in *entries = (const struct snat_in *)batch.values;

		n += batch.count;
		for (uint32_t i = 0; i < batch.count; i++)
			*own += entries[i].owner == owner;
	}
	map_batch_free(&batch);
	return n;
}

/* The maps of answers; interfaces share them. */
static json_t *answers_json(const struct map_set *maps, uint8_t owner)
{
	static const char *const names[] = {MAP_SNAT_IN4, MAP_SNAT_IN6};
	json_t *object = json_object();

	for (int i = 0; i < 2; i++) {
		const struct map_entry *map = map_set_find(maps, names[i]);
		uint64_t n, own;

		if (!map)
			continue;
		n = count_entries(map, owner, &own);
		json_object_set_new(object, names[i],
				    json_pack("{s:I,s:I,s:I}", "own", (json_int_t)own, "entries",
					      (json_int_t)n, "max_entries",
					      (json_int_t)map->max_entries));
	}
	return object;
}

/* Where IPsec policies lead to that packets are sent past; null: there are none. */
static json_t *ipsec_json(void)
{
	struct error ignored;
	char names[512];

	if (bypassed_list(BYPASSED_POLICIES, names, sizeof(names), &ignored) || !names[0])
		return json_null();
	return output_json_text(names);
}

/**
 * nat_json() - Uplinks, ports and connections of routing by NAT
 * @attached: the generation in force
 * @counters: of its directions, read at once
 *
 * Return: a new value; null where the routing is another; NULL without memory.
 */
json_t *nat_json(const struct attached *attached, const struct counters counters[DIR_MAX])
{
	struct masquerade masquerade;
	char device[IF_NAMESIZE];

	if (attached->instance.config.routing != ROUTING_NAT ||
	    !masquerading_read(&attached->maps, &masquerade))
		return json_null();
	return json_pack("{s:o,s:o,s:o,s:o,s:s?,s:I,s:I,s:I}", "uplinks",
			 uplinks_json(&masquerade, &attached->maps), "ports",
			 ports_json(&masquerade), "answers",
			 answers_json(&attached->maps, attached->instance.config.nat_owner),
			 "ipsec_bypassed", ipsec_json(), "route_device",
			 if_indextoname(masquerade.route_ifindex, device), "sent",
			 (json_int_t)counters[DIR_INGRESS].translated.packets, "no_port",
			 (json_int_t)counters[DIR_INGRESS].reason[REASON_NO_PORT].packets, "unsent",
			 (json_int_t)(counters[DIR_UPLINK].translated.packets -
				      counters[DIR_EGRESS].translated.packets));
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_uplink(const json_t *uplink)
{
	const json_t *addresses = json_object_get(uplink, "addresses");
	const char *comma = "";

	printf("    uplink %s: ", json_string_value(json_object_get(uplink, "name")));
	for (size_t i = 0; i < json_array_size(addresses); i++, comma = ", ")
		printf("%s%s", comma, json_string_value(json_array_get(addresses, i)));
	printf("%s, mtu %lld, link %s%s\n", *comma ? "" : "no address", number_of(uplink, "mtu"),
	       json_string_value(json_object_get(uplink, "link")),
	       json_is_true(json_object_get(uplink, "attached"))
		       ? ""
		       : ", no program of ours: its answers are this host's");
}

/**
 * nat_print() - The same as text
 * @nat: of nat_json()
 */
void nat_print(const json_t *nat)
{
	const json_t *uplinks = json_object_get(nat, "uplinks");
	const json_t *ports = json_object_get(nat, "ports");
	const json_t *ranges = json_object_get(ports, "ranges");
	const char *name;
	json_t *answers;

	if (!json_is_object(nat))
		return;
	printf("  nat: %lld packets sent, ports", number_of(nat, "sent"));
	for (size_t i = 0; i < json_array_size(ranges); i++)
		printf(" %s", json_string_value(json_array_get(ranges, i)));
	printf(" (%lld for each remote end)\n", number_of(ports, "count"));
	if (!json_array_size(uplinks))
		printf("    no uplink: no route leads anywhere\n");
	for (size_t i = 0; i < json_array_size(uplinks); i++)
		print_uplink(json_array_get(uplinks, i));
	if (json_is_string(json_object_get(nat, "ipsec_bypassed")))
		printf("    IPsec policies (to %s) are bypassed: what peers send there leaves in "
		       "clear text\n",
		       json_string_value(json_object_get(nat, "ipsec_bypassed")));
	printf("    translated connections:");
	json_object_foreach (json_object_get(nat, "answers"), name, answers)
		printf(" %s %lld of %lld/%lld", name, number_of(answers, "own"),
		       number_of(answers, "entries"), number_of(answers, "max_entries"));
	printf("\n");
	if (number_of(nat, "no_port"))
		printf("    %lld packets found no free port\n", number_of(nat, "no_port"));
	if (number_of(nat, "unsent"))
		printf("    %lld answers were lost between their uplink and the interface\n",
		       number_of(nat, "unsent"));
}
