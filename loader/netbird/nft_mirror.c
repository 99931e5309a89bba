/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/nft_mirror.h"

#include <errno.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/digest.h"
#include "netbird/domain_sets.h"
#include "netbird/nft_elements.h"
#include "netbird/nft_rule.h"
#include "netbird/nft_sets.h"
#include "netbird/nft_whole.h"
#include "netbird/write.h"

#define POLICY_ID  "nft"
#define TRIES_MAX  20
#define RULES_MAX  200000
#define SET_FLAGS  (NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL | NFT_SET_EVAL)
#define REDIRECTED 0x1bd20 /* NetBird's mark of what Docker, say, sends elsewhere */
#define CT_ANSWERS 6	   /* established and related, as nftables have these bits */

/* What NetBird calls its chains. */
enum chain {
	CHAIN_INPUT,	   /* of what comes to this host */
	CHAIN_INPUT_RULES, /* asked by that */
	CHAIN_FORWARD,	   /* of what is routed */
	CHAIN_FORWARD_RULES,
	CHAIN_REDIRECT, /* ports of this host that are translated */
	CHAIN_MAX,
};

static const char *const chain_names[CHAIN_MAX] = {
	[CHAIN_INPUT] = "netbird-acl-input-filter",	[CHAIN_INPUT_RULES] = NFT_INPUT_RULES,
	[CHAIN_FORWARD] = "netbird-acl-forward-filter", [CHAIN_FORWARD_RULES] = NFT_FORWARD_RULES,
	[CHAIN_REDIRECT] = "netbird-rt-redirect",
};

/* Which of them an ACL becomes. */
static const enum chain rules_of[ACL_MAX] = {
	[ACL_PEER] = CHAIN_INPUT_RULES,
	[ACL_ROUTE] = CHAIN_FORWARD_RULES,
};

/* Chains that translate, mark or clamp, and let everything pass. */
static const char *const other_chains[] = {
	"netbird-rt-postrouting",    "netbird-nat-output",
	"netbird-mangle-prerouting", "netbird-mangle-postrouting",
	"netbird-mangle-forward",    "netbird-raw-out",
	"netbird-raw-pre",
};

/* A set of the table. */
struct mirrored_set {
	char name[NFT_NAME_SIZE];
	bool is_interval;
	bool is_understood; /* plain addresses */
};

/*
 * struct mirror - one table on its way to a policy
 * @chains: those that are there, and their rules
 * @sets: those that are there
 */
struct mirror {
	const char *ifname;
	uint8_t ip_version;
	struct netbird_draft_policy *out;
	struct nft_rule *rules;
	size_t n_rules;
	size_t room;
	struct mirrored_set *sets;
	size_t n_sets;
	size_t sets_room;
	bool has_chain[CHAIN_MAX];
	bool has_table;
	uint32_t has; /* NFT_HAS_* of this table */
	struct error *error;
};

static uint8_t family_of(const struct mirror *mirror)
{
	return mirror->ip_version == IP_VERSION_4 ? AF_INET : AF_INET6;
}

/* Why the tables cannot be mirrored. */
static int refuse(const struct mirror *mirror, const char *chain, const char *why)
{
	return error_set(mirror->error, EOPNOTSUPP,
			 "nftables: %s of table %s %s: %s is not understood", chain,
			 nft_family_name(mirror->ip_version), NETBIRD_TABLE, why);
}

static int find_chain(const char *name)
{
	for (int i = 0; i < CHAIN_MAX; i++)
		if (!strcmp(chain_names[i], name))
			return i;
	return -1;
}

static bool is_other(const char *name)
{
	for (size_t i = 0; i < sizeof(other_chains) / sizeof(other_chains[0]); i++)
		if (!strcmp(other_chains[i], name))
			return true;
	return false;
}

/* ---- reading ---- */

/* Whether it hangs where it has to: in that hook, letting through what no rule decides. */
static bool is_hooked(struct nlattr *const *attributes, uint32_t hook)
{
	struct nlattr *parts[NFTA_HOOK_MAX + 1];

	return attributes[NFTA_CHAIN_HOOK] &&
	       nla_parse_nested(parts, NFTA_HOOK_MAX, attributes[NFTA_CHAIN_HOOK], NULL) >= 0 &&
	       nftables_number(parts[NFTA_HOOK_HOOKNUM], UINT32_MAX) == hook &&
	       nftables_number(attributes[NFTA_CHAIN_POLICY], UINT32_MAX) == 1; /* NF_ACCEPT */
}

static int on_chain(void *arg, const struct nftables_message *message)
{
	struct nlattr *attributes[NFTA_CHAIN_MAX + 1];
	struct mirror *mirror = arg;
	const char *name;
	int chain;

	if (message->message != NFT_MSG_NEWCHAIN ||
	    nftables_attributes(message, attributes, NFTA_CHAIN_MAX) ||
	    strcmp(nftables_text(attributes[NFTA_CHAIN_TABLE]), NETBIRD_TABLE))
		return 0;
	mirror->has_table = true;
	name = nftables_text(attributes[NFTA_CHAIN_NAME]);
	chain = find_chain(name);
	if (chain < 0)
		return is_other(name) ? 0 : refuse(mirror, name, "the chain");
	mirror->has_chain[chain] = true;
	if ((chain == CHAIN_INPUT && !is_hooked(attributes, 1)) || /* NF_INET_LOCAL_IN */
	    (chain == CHAIN_FORWARD && !is_hooked(attributes, 2))) /* NF_INET_FORWARD */
		return refuse(mirror, name, "its hook or policy");
	return 0;
}

static int on_rule(void *arg, const struct nftables_message *message)
{
	struct mirror *mirror = arg;
	char why[NFT_WHY_SIZE];

	if (message->message != NFT_MSG_NEWRULE || find_chain(nft_rule_chain(message)) < 0)
		return 0;
	if (mirror->n_rules == RULES_MAX)
		return error_set(mirror->error, E2BIG, "nftables: more than %d rules", RULES_MAX);
	if (mirror->n_rules == mirror->room) {
		size_t more = mirror->room * 2 + 64;
		struct nft_rule *larger = realloc(mirror->rules, more * sizeof(*larger));

		if (!larger)
			return error_no_memory(mirror->error);
		mirror->rules = larger;
		mirror->room = more;
	}
	if (nft_rule_read(message, mirror->ip_version, &mirror->rules[mirror->n_rules], why))
		return refuse(mirror, nft_rule_chain(message), why);
	mirror->n_rules++;
	return 0;
}

static int on_set(void *arg, const struct nftables_message *message)
{
	struct nlattr *attributes[NFTA_SET_MAX + 1];
	struct mirror *mirror = arg;
	struct mirrored_set *set;
	const char *name;
	uint32_t flags;

	if (message->message != NFT_MSG_NEWSET ||
	    nftables_attributes(message, attributes, NFTA_SET_MAX))
		return 0;
	name = nftables_text(attributes[NFTA_SET_NAME]);
	if (strlen(name) >= NFT_NAME_SIZE)
		return refuse(mirror, name, "its name");
	if (mirror->n_sets == mirror->sets_room) {
		size_t more = mirror->sets_room * 2 + 64;

		set = realloc(mirror->sets, more * sizeof(*set));
		if (!set)
			return error_no_memory(mirror->error);
		mirror->sets = set;
		mirror->sets_room = more;
	}
	set = &mirror->sets[mirror->n_sets++];
	strcpy(set->name, name);
	flags = nftables_number(attributes[NFTA_SET_FLAGS], 0);
	set->is_interval = flags & NFT_SET_INTERVAL;
	set->is_understood = !(flags & ~SET_FLAGS) && !attributes[NFTA_SET_TIMEOUT] &&
			     nftables_number(attributes[NFTA_SET_KEY_LEN], 0) * 8 ==
				     prefix_bits(mirror->ip_version);
	return 0;
}

static const struct mirrored_set *find_set(const struct mirror *mirror, const char *name)
{
	for (size_t i = 0; i < mirror->n_sets; i++)
		if (!strcmp(mirror->sets[i].name, name))
			return mirror->sets[i].is_understood ? &mirror->sets[i] : NULL;
	return NULL;
}

static int on_element(void *arg, const struct nftables_message *message)
{
	return message->message == NFT_MSG_NEWSETELEM ? nft_elements_read(arg, message) : 0;
}

/* List objects over a socket of its own, as what is left of a listing stays in it. */
static int list(const struct mirror *mirror, const struct nftables_request *request,
		nftables_fn on_object, void *arg)
{
	struct nftables *nftables;
	int err = nftables_open(false, &nftables, mirror->error);

	if (err)
		return err;
	err = nftables_list(nftables, request, on_object, arg, mirror->error);
	nftables_close(nftables);
	return err;
}

static int list_all(struct mirror *mirror)
{
	struct nftables_request request = {
		.message = NFT_MSG_GETCHAIN,
		.family = family_of(mirror),
	};
	int err = list(mirror, &request, on_chain, mirror);

	if (err || !mirror->has_table)
		return err;
	request.table = NETBIRD_TABLE;
	request.message = NFT_MSG_GETSET;
	err = list(mirror, &request, on_set, mirror);
	request.message = NFT_MSG_GETRULE;
	return err ? err : list(mirror, &request, on_rule, mirror);
}

/* ---- rules to rules ---- */

/* The sources of a set: the elements that it has now. */
static int add_set(const struct mirror *mirror, const char *name, struct netbird_rule *rule)
{
	const struct mirrored_set *set = find_set(mirror, name);
	struct nft_elements elements = {.ip_version = mirror->ip_version};
	struct nftables_request request = {
		.message = NFT_MSG_GETSETELEM,
		.family = family_of(mirror),
		.table = NETBIRD_TABLE,
		.set = name,
	};
	struct prefix *prefixes = NULL;
	size_t n = 0;
	int err;

	if (!set)
		return refuse(mirror, name, "the set");
	elements.is_interval = set->is_interval;
	err = list(mirror, &request, on_element, &elements);
	if (err == -EOPNOTSUPP)
		err = refuse(mirror, name, "an element of the set");
	if (!err && nft_elements_prefixes(&elements, &prefixes, &n))
		err = error_no_memory(mirror->error);
	for (size_t i = 0; i < n && !err; i++)
		if (rule_add_source(rule, &prefixes[i]))
			err = error_no_memory(mirror->error);
	free(prefixes);
	free(elements.bounds);
	return err;
}

/* Sources are always named: a rule of one table is not for the other family. */
static int add_sources(const struct mirror *mirror, const struct nft_side *side,
		       struct netbird_rule *rule)
{
	const struct prefix any = {
		.addr.bytes = {[10] = mirror->ip_version == IP_VERSION_4 ? 0xff : 0,
			       [11] = mirror->ip_version == IP_VERSION_4 ? 0xff : 0},
		.ip_version = mirror->ip_version,
	};

	if (side->is_set)
		return add_set(mirror, side->set, rule);
	return rule_add_source(rule, side->is_prefix ? &side->prefix : &any)
		       ? error_no_memory(mirror->error)
		       : 0;
}

static int add_destination(const struct mirror *mirror, const struct nft_rule *from,
			   struct netbird_rule *rule)
{
	const struct nft_side *side = &from->destination;
	json_t *sets = mirror->out->drafts.sets;

	rule->kind = DESTINATION_ANY;
	if (side->is_prefix) {
		rule->kind = DESTINATION_PREFIX;
		rule->to = side->prefix;
	}
	if (!side->is_set)
		return 0;
	if (!domain_set_is_name(side->set) || !find_set(mirror, side->set))
		return refuse(mirror, from->chain, "a set of destinations");
	if (!json_object_get(sets, side->set) && json_object_set_new(sets, side->set, json_array()))
		return error_no_memory(mirror->error);
	rule->kind = DESTINATION_SET;
	rule->set = json_object_iter_key(json_object_iter_at(sets, side->set));
	return 0;
}

/* The protocol, which a policy has for both families; -1: a policy cannot say it. */
static int protocol_of(const struct mirror *mirror, const struct nft_rule *rule)
{
	bool is_4 = mirror->ip_version == IP_VERSION_4;

	if (rule->protocol < 0)
		return rule->ports.first ? -1 : PROTOCOL_ALL;
	if (rule->ports.first && !l4_has_ports(rule->protocol))
		return -1;
	if (rule->protocol == IPPROTO_ICMP)
		return is_4 ? PROTOCOL_ICMP : -1;
	if (rule->protocol == IPPROTO_ICMPV6)
		return is_4 ? -1 : PROTOCOL_ICMP;
	return rule->protocol;
}

static int add_rule(struct mirror *mirror, const struct nft_rule *from, enum acl acl)
{
	struct netbird_rule rule = {
		.policy = POLICY_ID,
		.policy_digest = digest_number(POLICY_ID, strlen(POLICY_ID)),
		.acl = acl,
		.deny = from->action == NFT_ACTION_DROP,
		.ports = from->ports,
	};
	int protocol = protocol_of(mirror, from), err;

	if (protocol < 0)
		return refuse(mirror, from->chain, "a protocol with these ports");
	rule.protocol = protocol;
	if (acl == ACL_PEER && (from->destination.is_set || from->destination.is_prefix))
		return refuse(mirror, from->chain, "a destination");
	err = acl == ACL_ROUTE ? add_destination(mirror, from, &rule) : 0;
	if (!err)
		err = add_sources(mirror, &from->source, &rule);
	/* of a set without elements: it matches nothing */
	if (!err && rule.n_source && rules_add(&mirror->out->drafts.rules, &rule))
		return error_no_memory(mirror->error);
	if (err || !rule.n_source)
		free(rule.source);
	return err;
}

static bool is_plain(const struct nft_rule *rule)
{
	return !rule->has_iif && !rule->is_iif_other && !rule->has_mark && !rule->ct_states &&
	       (rule->action == NFT_ACTION_ACCEPT || rule->action == NFT_ACTION_DROP);
}

static bool is_for_answers(const struct nft_rule *rule)
{
	return rule->ct_states == CT_ANSWERS && rule->action == NFT_ACTION_ACCEPT &&
	       !rule->has_iif && !rule->is_iif_other && !rule->has_mark && rule->protocol < 0 &&
	       !rule->ports.first && !rule->source.is_set && !rule->source.is_prefix &&
	       !rule->destination.is_set && !rule->destination.is_prefix;
}

/* Rules that deny come first, as they are asked first in a policy. */
static int add_acl(struct mirror *mirror, enum acl acl)
{
	bool allows = false;
	int err = 0;

	for (size_t i = 0; i < mirror->n_rules && !err; i++) {
		const struct nft_rule *rule = &mirror->rules[i];

		if (find_chain(rule->chain) != (int)rules_of[acl])
			continue;
		if (is_for_answers(rule)) {
			mirror->has |= NFT_HAS_ANSWERS(acl);
			continue;
		}
		if (!is_plain(rule))
			return refuse(mirror, rule->chain,
				      "a rule that is none of addresses and ports");
		if (allows && rule->action == NFT_ACTION_DROP)
			return refuse(mirror, rule->chain,
				      "a rule that denies behind one that allows");
		allows |= rule->action == NFT_ACTION_ACCEPT;
		err = add_rule(mirror, rule, acl);
	}
	return err;
}

/* ---- what leads to the rules ---- */

static bool is_of_device(const struct mirror *mirror, const struct nft_rule *rule)
{
	return rule->has_iif && !strcmp(rule->iif, mirror->ifname) && !rule->has_mark &&
	       !rule->ct_states && rule->protocol < 0 && !rule->ports.first &&
	       !rule->source.is_set && !rule->source.is_prefix && !rule->destination.is_set &&
	       !rule->destination.is_prefix;
}

/* Packets of the device ask the rules, and are dropped if these do not decide. */
static int check_filter(struct mirror *mirror, enum chain chain, enum chain rules)
{
	int step = 0;

	for (size_t i = 0; i < mirror->n_rules; i++) {
		const struct nft_rule *rule = &mirror->rules[i];

		if (find_chain(rule->chain) != (int)chain)
			continue;
		/* what the rules of what comes in have let pass */
		if (step == 0 && chain == CHAIN_FORWARD && rule->has_mark &&
		    rule->mark == REDIRECTED && !rule->has_iif && rule->protocol < 0 &&
		    rule->action == NFT_ACTION_ACCEPT)
			continue;
		if (!is_of_device(mirror, rule) ||
		    !(step == 0 ? rule->action == NFT_ACTION_JUMP &&
					  !strcmp(rule->jump, chain_names[rules])
				: step == 1 && rule->action == NFT_ACTION_DROP))
			return refuse(mirror, rule->chain, "the way to its rules");
		step++;
	}
	return step == 2 ? 0 : refuse(mirror, chain_names[chain], "the way to its rules");
}

/* A port of this host that is translated to another one of the same address. */
static int add_translation(struct mirror *mirror, const struct nft_rule *rule)
{
	char address[PREFIX_TEXT_MAX];
	json_t *entry;

	if (rule->is_iif_other) /* what peers send is not for it */
		return 0;
	if (rule->action != NFT_ACTION_DNAT || !rule->has_iif ||
	    strcmp(rule->iif, mirror->ifname) || rule->has_mark || rule->ct_states ||
	    rule->protocol < 0 || !l4_has_ports(rule->protocol) || !rule->ports.first ||
	    rule->ports.first != rule->ports.last || rule->source.is_set ||
	    rule->source.is_prefix || !rule->destination.is_prefix ||
	    !prefix_equal(&rule->destination.prefix, &rule->to))
		return refuse(mirror, rule->chain, "a translation to another host");
	entry = json_pack("{s:s,s:i,s:i,s:s}", "protocol",
			  rule->protocol == IPPROTO_TCP ? "tcp" : "udp", "port", rule->ports.first,
			  "to", rule->to_port, "address",
			  prefix_format(&rule->to, address, sizeof(address)));
	return json_array_append_new(mirror->out->nat, entry) ? error_no_memory(mirror->error) : 0;
}

static int add_translations(struct mirror *mirror)
{
	int err = 0;

	for (size_t i = 0; i < mirror->n_rules && !err; i++)
		if (find_chain(mirror->rules[i].chain) == CHAIN_REDIRECT)
			err = add_translation(mirror, &mirror->rules[i]);
	return err;
}

static int check_chains(struct mirror *mirror)
{
	for (int i = 0; i < CHAIN_REDIRECT; i++)
		if (!mirror->has_chain[i])
			return error_set(mirror->error, ENOENT, "nftables: chain %s is not there",
					 chain_names[i]);
	return 0;
}

/* Add the rules of one table; there may be none. */
static int read_table(struct mirror *mirror)
{
	int err = list_all(mirror);

	if (err || !mirror->has_table)
		return err;
	mirror->has = NFT_HAS_TABLE;
	err = check_chains(mirror);
	if (!err)
		err = check_filter(mirror, CHAIN_INPUT, CHAIN_INPUT_RULES);
	if (!err)
		err = check_filter(mirror, CHAIN_FORWARD, CHAIN_FORWARD_RULES);
	if (!err)
		err = add_acl(mirror, ACL_PEER);
	if (!err)
		err = add_acl(mirror, ACL_ROUTE);
	if (!err)
		err = add_translations(mirror);
	return err;
}

static int read_tables(const char *ifname, uint32_t expected, struct nft_mirrored *mirrored,
		       struct netbird_draft_policy *out, struct error *error)
{
	static const uint8_t versions[] = {IP_VERSION_4, IP_VERSION_6};
	int err = 0;

	mirrored->has = 0;
	for (int i = 0; i < 2 && !err; i++) {
		struct mirror mirror = {
			.ifname = ifname,
			.ip_version = versions[i],
			.out = out,
			.error = error,
		};

		err = read_table(&mirror);
		mirrored->has |= NFT_HAS_OF(i, mirror.has);
		free(mirror.rules);
		free(mirror.sets);
	}
	if (!err && !mirrored->has)
		err = error_set(error, ENOENT,
				"nftables: there is no table %s: is NetBird running, "
				"with its firewall?",
				NETBIRD_TABLE);
	return err ? err : nft_whole_check(mirrored->has, expected, error);
}

/* One try, which nftables that change beneath spoil. */
static int read_once(const char *ifname, uint32_t expected, struct nft_mirrored *made,
		     struct error *error)
{
	struct netbird_draft_policy out = {.nat = json_array()};
	int err = drafts_init(&out.drafts) || !out.nat
			  ? error_no_memory(error)
			  : read_tables(ifname, expected, made, &out, error);

	if (!err &&
	    (rules_finish(&out.drafts.rules) || netbird_write(&out, true, &made->text, &made->len)))
		err = error_no_memory(error);
	json_decref(out.nat);
	drafts_free(&out.drafts);
	return err;
}

/**
 * nft_mirror_read() - Make NetBird's part of a policy of its tables
 * @ifname: the interface, which they have to be for
 * @expected: what was there when it was read last, 0: that is not known
 * @mirrored: is filled; its text is for the caller to free
 * @error: what is not understood
 *
 * All of it is of one time: where nftables change beneath, reading begins anew.
 *
 * Return: 0; -EOPNOTSUPP: what is there is not understood; -ENOENT: there is nothing; -ENODATA: it is
 * not whole; -EAGAIN: it changes too fast; -errno.
 */
int nft_mirror_read(const char *ifname, uint32_t expected, struct nft_mirrored *mirrored,
		    struct error *error)
{
	uint32_t before = 0, after = 0;
	struct nft_mirrored made = {};
	int err = -EAGAIN;

	for (int i = 0; i < TRIES_MAX && err == -EAGAIN; i++) {
		err = nftables_generation(&before, error);
		if (!err)
			err = read_once(ifname, expected, &made, error);
		if (!err)
			err = nftables_generation(&after, error);
		if (!err && before != after)
			err = error_set(error, EAGAIN, "nftables: they change too fast");
		if (err) {
			free(made.text);
			made.text = NULL;
		}
	}
	if (err)
		return err;
	made.generation = before;
	*mirrored = made;
	return 0;
}
