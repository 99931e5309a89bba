/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A policy as a user wrote it, parsed and checked (the file format is in shrike-policy(5)).
 */
#ifndef SHRIKE_POLICY_H
#define SHRIKE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"
#include "base/value.h"
#include "config.h"
#include "policy/names.h"
#include "policy/settings.h"
#include "rule.h"
#include "yaml/position.h"

#define POLICY_IFNAME_SIZE 16 /* IF_NAMESIZE */
#define POLICY_MISSING_MAX 64 /* names that are noted; of more the rest is not */
#define POLICY_PLACE_LEN   224

/* Families, as bits. */
enum {
	FAMILY_4 = 1 << 0,
	FAMILY_6 = 1 << 1,
	FAMILY_BOTH = FAMILY_4 | FAMILY_6,
};

/* Destinations that stand for no prefix of this host, as bits. */
enum destination_group {
	GROUP_BROADCAST = 1 << 0, /* 255.255.255.255 and what the networks of this host have */
	GROUP_MULTICAST = 1 << 1, /* 224.0.0.0/4 and ff00::/8 */
};

/* One of a rule's ICMP types. */
struct icmp_type {
	uint8_t families;  /* that have it */
	uint8_t number[2]; /* over IPv4, over IPv6 */
	bool any_code;
	uint8_t code;
};

/* How long a prefix is in a set. */
struct set_time {
	uint64_t timeout_ns;  /* from when it comes into force; 0: it stays */
	uint64_t deadline_ns; /* CLOCK_BOOTTIME; dataplane/set_deadlines.h gives it */
};

/* A named set of prefixes. */
struct prefix_set {
	char *name;
	struct prefix *prefixes;
	struct set_time *times; /* of each prefix; NULL: all of them stay */
	size_t n_prefixes;
	struct position position;
};

/* A name or set that may be NetBird's, and is of none of its maps so far: it matches nothing. */
struct missing_name {
	char *name; /* as it is written */
	struct position position;
};

/*
 * Where a rule's addresses come from: listed prefixes and named sets together; a set may be
 * empty, and a match without any prefix matches nothing.  "any" is both families' /0.  In peer_acl
 * these match unicast destinations alone, and groups all others.
 */
struct address_match {
	bool any;
	struct prefix *prefixes;
	size_t n_prefixes;
	size_t *sets; /* indexes into policy.sets */
	size_t n_sets;
	uint8_t groups;	  /* enum destination_group; of peer_acl's destinations */
	bool is_netbirds; /* names of NetBird's are in it, whose addresses each map may change */
};

struct policy_rule {
	char *id;	   /* at most RULE_ID_MAX - 1 bytes, unique in the whole policy */
	char *description; /* for people; NULL: none */
	struct address_match source;
	struct address_match destination;
	struct port_range *source_ports; /* none: any port */
	size_t n_source_ports;
	struct port_range *destination_ports;
	size_t n_destination_ports;
	struct icmp_type *icmp_types; /* none: any type; only with PROTOCOL_ICMP */
	size_t n_icmp_types;
	struct position position;
	uint16_t protocol; /* 0-255, PROTOCOL_ALL or PROTOCOL_ICMP */
	bool allow;
};

struct policy_acl {
	struct policy_rule *rules; /* in the order of the file */
	size_t n_rules;
	size_t n_own; /* of these, with NetBird's part: the user's, which come first */
};

struct nat_one_to_one {
	union addr original;
	union addr translated;
	uint8_t ip_version;
	struct position position;
};

struct nat_port_rule {
	union addr addr;    /* all zero: every local address */
	uint8_t ip_version; /* of addr, 0 where there is none */
	uint8_t l4_proto;   /* 6 or 17 */
	uint16_t port;	    /* host byte order */
	uint16_t to;
	struct position position;
};

/* How routed flows leave with `routing: nat`. */
struct policy_uplinks {
	char (*names)[POLICY_IFNAME_SIZE]; /* none: the devices that routes lead to */
	size_t n_names;
	union addr source[2];	 /* over IPv4 and IPv6; all zero: the uplink's own */
	struct port_range ports; /* first is 0: those that this host does not choose from itself */
};

/* Who sends or gets the packets of a test: this host by the interface's address, or prefixes. */
struct policy_test_end {
	bool is_self;
	bool is_netbirds; /* a name of NetBird's, which may have no address of a family, or none */
	struct prefix *prefixes;
	size_t n_prefixes;
};

/*
 * struct policy_claim - what a user says of all packets from some addresses to others
 * @protocol: as of rules
 * @ports: destination ports of TCP and UDP; none: any port
 * @types: of ICMP; none: any type
 * @can: each is let in; else none is
 * @sets: one of the ends names a set, which may be empty
 */
struct policy_claim {
	struct policy_test_end from;
	struct policy_test_end to;
	struct port_range *ports;
	size_t n_ports;
	struct icmp_type *types;
	size_t n_types;
	uint16_t protocol;
	bool can;
	bool sets;
};

/* What a user expects of the policy, before it comes into force. */
struct policy_test {
	char *text;		    /* a sentence; NULL: the test is about what follows from */
	struct policy_claim *claim; /* of the sentence; NULL: NetBird's map lacks a name of it */
	struct policy_test_end from;
	struct policy_test_end to;
	struct icmp_type icmp_type; /* of ICMP; families 0: echo request */
	struct position position;
	char *rule; /* id of the rule that decides; NULL: any, or none */
	uint16_t protocol;
	uint16_t sport; /* host byte order; 0: any */
	uint16_t dport;
	bool allowed;
};

struct policy {
	char *path; /* as given, "-" for standard input, NULL for the built-in default */
	char *text; /* the source as it was read, NUL-terminated */
	size_t text_len;
	struct place *places; /* lines of the source that are those of included files */
	size_t n_places;
	struct policy_mode mode;
	struct policy_acl acl[ACL_MAX]; /* indexed by enum acl */
	struct prefix_set *sets;
	size_t n_sets;
	struct names names;
	struct missing_name *missing;
	size_t n_missing;
	struct nat_one_to_one *one_to_one;
	size_t n_one_to_one;
	struct nat_port_rule *nat_port;
	size_t n_nat_port;
	struct policy_uplinks uplinks;
	struct policy_test *tests;
	size_t n_tests;
	char *follow_netbird; /* socket of the daemon that `run` is to follow; NULL: none */
	bool has_netbird;     /* NetBird's part, the last rules of acl[] */
	struct policy_limits limits;
	struct policy_timeouts timeouts;
	struct block_list *blocked; /* peers, whatever the file says; NULL: none */
#define SWITCH(name, value) bool name;
	POLICY_SWITCHES(SWITCH)
#undef SWITCH
};

/* Whether a rule is of NetBird's part; its position is then in no file of the user's. */
static inline bool policy_rule_is_netbirds(const struct policy *policy, enum acl acl,
					   const struct policy_rule *rule)
{
	const struct policy_acl *list = &policy->acl[acl];

	return policy->has_netbird && (size_t)(rule - list->rules) >= list->n_own;
}

struct policy *policy_create(const char *path, const char *text, size_t len);
struct policy *policy_default(void);
void policy_free(struct policy *policy);
void policy_claim_free(struct policy_claim *claim);
const char *policy_included(const struct policy *policy, struct position *at);
const char *policy_place_text(const struct policy *policy, struct position at,
			      char text[POLICY_PLACE_LEN]);
const char *policy_place(const struct policy *policy, struct position *at);

#endif /* SHRIKE_POLICY_H */
