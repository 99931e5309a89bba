/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/nft_sets.h"

#include <errno.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netbird/nft_elements.h"

/* A listing that nftables change beneath is begun again, but not for ever. */
#define TRIES_MAX 20

/* What a set of plain addresses may have; NFT_SET_EVAL says that rules could add to it. */
#define FLAGS_KNOWN (NFT_SET_CONSTANT | NFT_SET_INTERVAL | NFT_SET_EVAL)

/*
 * struct nft_set - one set, of one family
 * @is_interval, @is_understood: as it was made
 * @is_dirty: to be listed
 * @is_gone: it was deleted; goes as soon as that is passed on
 * @is_another: one of the same name was deleted, which is still to be passed on
 * @is_seen: by the listing of all sets that is under way
 */
struct nft_set {
	char name[DOMAIN_SET_NAME_SIZE];
	uint8_t ip_version;
	bool is_interval;
	bool is_understood;
	bool is_dirty;
	bool is_gone;
	bool is_another;
	bool is_seen;
};

/*
 * struct nft_sets - those of the table
 * @events: hears of changes
 * @is_behind: events were lost, or have not been heard yet: all are to be listed
 */
struct nft_sets {
	struct domain_sets *to;
	nft_sets_warn_fn warn;
	void *arg;
	struct nftables *events;
	struct nft_set *sets;
	size_t n;
	size_t room;
	bool is_behind;
};

/* ---- which sets there are ---- */

static struct nft_set *find(struct nft_sets *sets, const char *name, uint8_t ip_version)
{
	for (size_t i = 0; i < sets->n; i++)
		if (sets->sets[i].ip_version == ip_version && !strcmp(sets->sets[i].name, name))
			return &sets->sets[i];
	return NULL;
}

static struct nft_set *add(struct nft_sets *sets, const char *name, uint8_t ip_version)
{
	struct nft_set *larger;

	if (sets->n == sets->room) {
		size_t more = sets->room * 2 + 64;

		larger = more > 4 * DOMAIN_SETS_MAX ? NULL
						    : realloc(sets->sets, more * sizeof(*larger));
		if (!larger)
			return NULL;
		sets->sets = larger;
		sets->room = more;
	}
	sets->sets[sets->n] = (struct nft_set){.ip_version = ip_version};
	memcpy(sets->sets[sets->n].name, name, DOMAIN_SET_NAME_SIZE);
	return &sets->sets[sets->n++];
}

/* Of the family: 0 for one that NetBird has no table of. */
static uint8_t ip_version_of(uint8_t family)
{
	return family == AF_INET ? IP_VERSION_4 : family == AF_INET6 ? IP_VERSION_6 : 0;
}

static void warn_set(const struct nft_sets *sets, const struct nft_set *set, const char *why)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "nftables: set %s of table %s %s %s: its addresses are not taken over", set->name,
		 set->ip_version == IP_VERSION_4 ? "ip" : "ip6", NETBIRD_TABLE, why);
	sets->warn(sets->arg, text);
}

/* Note a set that there is, as the message describes it. */
static void note_set(struct nft_sets *sets, uint8_t ip_version, struct nlattr *const *attributes)
{
	const char *name = nftables_text(attributes[NFTA_SET_NAME]);
	uint32_t flags = nftables_number(attributes[NFTA_SET_FLAGS], 0);
	struct nft_set *set = find(sets, name, ip_version);
	bool is_new = !set || set->is_gone;

	if (!set)
		set = add(sets, name, ip_version);
	if (!set) {
		sets->is_behind = true;
		return;
	}
	set->is_seen = set->is_dirty = true;
	set->is_another |= set->is_gone;
	set->is_gone = false;
	set->is_interval = flags & NFT_SET_INTERVAL;
	set->is_understood = !(flags & ~FLAGS_KNOWN) && !attributes[NFTA_SET_TIMEOUT] &&
			     nftables_number(attributes[NFTA_SET_KEY_LEN], 0) * 8 ==
				     prefix_bits(ip_version);
	if (is_new && !set->is_understood)
		warn_set(sets, set, "holds other things than plain addresses");
}

static void note_gone(struct nft_sets *sets, const char *name, uint8_t ip_version)
{
	struct nft_set *set = find(sets, name, ip_version);

	if (set)
		set->is_gone = set->is_dirty = true;
}

static void note_table_gone(struct nft_sets *sets, uint8_t ip_version)
{
	for (size_t i = 0; i < sets->n; i++)
		if (sets->sets[i].ip_version == ip_version)
			sets->sets[i].is_gone = sets->sets[i].is_dirty = true;
}

/**
 * nft_sets_note() - Note what a message says, for nft_sets_read()
 * @sets: the sets
 * @message: an event, or of a listing
 */
void nft_sets_note(struct nft_sets *sets, const struct nftables_message *message)
{
	struct nlattr *attributes[NFTA_SET_MAX + 1];
	uint8_t ip_version = ip_version_of(message->family);
	struct nft_set *set;
	const char *name;

	/* table and name are the same attributes of sets and of their elements */
	_Static_assert((int)NFTA_SET_NAME == (int)NFTA_SET_ELEM_LIST_SET, "the name is one");
	if (!ip_version || nftables_attributes(message, attributes, NFTA_SET_MAX) ||
	    strcmp(nftables_text(attributes[NFTA_SET_TABLE]), NETBIRD_TABLE))
		return;
	name = nftables_text(attributes[NFTA_SET_NAME]);
	if (message->message == NFT_MSG_DELTABLE)
		note_table_gone(sets, ip_version);
	else if (!domain_set_is_name(name))
		return;
	else if (message->message == NFT_MSG_NEWSET)
		note_set(sets, ip_version, attributes);
	else if (message->message == NFT_MSG_DELSET)
		note_gone(sets, name, ip_version);
	else if (message->message == NFT_MSG_NEWSETELEM || message->message == NFT_MSG_DELSETELEM) {
		set = find(sets, name, ip_version);
		if (set)
			set->is_dirty = true;
	}
}

static int on_object(void *arg, const struct nftables_message *message)
{
	nft_sets_note(arg, message);
	return 0;
}

/* ---- what is in them ---- */

static int on_elements(void *arg, const struct nftables_message *message)
{
	return message->message == NFT_MSG_NEWSETELEM ? nft_elements_read(arg, message) : 0;
}

/* List the elements of a set, over a socket of its own: what is left of a listing goes with it. */
static int list_elements(const struct nft_set *set, struct nft_elements *elements,
			 struct error *error)
{
	struct nftables_request request = {
		.message = NFT_MSG_GETSETELEM,
		.family = set->ip_version == IP_VERSION_4 ? AF_INET : AF_INET6,
		.table = NETBIRD_TABLE,
		.set = set->name,
	};
	struct nftables *nftables;
	int err = -EAGAIN;

	for (int i = 0; i < TRIES_MAX && err == -EAGAIN; i++) {
		free(elements->bounds);
		*elements = (struct nft_elements){.ip_version = set->ip_version,
						  .is_interval = set->is_interval};
		err = nftables_open(false, &nftables, error);
		if (err)
			return err;
		err = nftables_list(nftables, &request, on_elements, elements, error);
		nftables_close(nftables);
	}
	return err;
}

/* Pass on what a set holds. */
static int take_set(struct nft_sets *sets, struct nft_set *set, uint64_t now_ns,
		    struct error *error)
{
	struct nft_elements elements = {0};
	struct prefix *prefixes;
	size_t n;
	int err = 0;

	if (!set->is_gone && set->is_understood)
		err = list_elements(set, &elements, error);
	if (err == -EOPNOTSUPP || err == -E2BIG) {
		set->is_understood = false;
		warn_set(sets, set, "holds other things than plain addresses");
	}
	if (err == -ENOENT) /* an event that says so is on its way */
		set->is_gone = true, err = 0;
	if (set->is_gone || set->is_another || !set->is_understood) {
		domain_sets_unlist(sets->to, set->name, set->ip_version, now_ns);
		set->is_another = false;
	}
	if (set->is_gone || !set->is_understood) {
		err = 0;
	} else if (!err) {
		err = nft_elements_prefixes(&elements, &prefixes, &n);
		if (!err)
			err = domain_sets_list(sets->to, set->name, set->ip_version, prefixes, n);
		if (err)
			error_no_memory_for(error, "nftables");
	}
	free(elements.bounds);
	return err;
}

static int list_sets(struct nft_sets *sets, uint8_t family, struct error *error)
{
	struct nftables_request request = {
		.message = NFT_MSG_GETSET,
		.family = family,
		.table = NETBIRD_TABLE,
	};
	struct nftables *nftables;
	int err = -EAGAIN;

	for (int i = 0; i < TRIES_MAX && err == -EAGAIN; i++) {
		err = nftables_open(false, &nftables, error);
		if (err)
			return err;
		err = nftables_list(nftables, &request, on_object, sets, error);
		nftables_close(nftables);
	}
	return err == -ENOENT ? 0 : err; /* no such table */
}

/* Look at everything anew. */
static int catch_up(struct nft_sets *sets, struct error *error)
{
	int err;

	for (size_t i = 0; i < sets->n; i++)
		sets->sets[i].is_seen = false;
	err = list_sets(sets, AF_INET, error);
	if (!err)
		err = list_sets(sets, AF_INET6, error);
	for (size_t i = 0; i < sets->n && !err; i++)
		if (!sets->sets[i].is_seen)
			sets->sets[i].is_gone = sets->sets[i].is_dirty = true;
	return err;
}

static void forget_gone(struct nft_sets *sets)
{
	size_t kept = 0;

	for (size_t i = 0; i < sets->n; i++)
		if (!sets->sets[i].is_gone || sets->sets[i].is_dirty)
			sets->sets[kept++] = sets->sets[i];
	sets->n = kept;
}

/* Pass on what has changed; what fails stays to be done. */
static int pass_on(struct nft_sets *sets, uint64_t now_ns, struct error *error)
{
	int err = 0;

	if (sets->is_behind)
		err = catch_up(sets, error);
	if (!err)
		sets->is_behind = false;
	for (size_t i = 0; i < sets->n && !err; i++) {
		if (!sets->sets[i].is_dirty)
			continue;
		err = take_set(sets, &sets->sets[i], now_ns, error);
		sets->sets[i].is_dirty = err != 0;
	}
	forget_gone(sets);
	return err;
}

/**
 * nft_sets_new() - Begin without any set
 * @to: what they hold is noted there
 * @warn: is called about sets that are not understood
 * @arg: for @warn
 *
 * Return: for nft_sets_close(), or NULL without memory.
 */
struct nft_sets *nft_sets_new(struct domain_sets *to, nft_sets_warn_fn warn, void *arg)
{
	struct nft_sets *sets = calloc(1, sizeof(*sets));

	if (sets) {
		sets->to = to;
		sets->warn = warn;
		sets->arg = arg;
		sets->is_behind = true;
	}
	return sets;
}

/**
 * nft_sets_follow() - Follow the sets of the caller's network namespace
 * @sets: new ones
 * @error: set on failure
 *
 * nft_sets_read() is to be called once, then whenever nft_sets_fd() is ready.
 *
 * Return: 0 or -errno; -EPROTONOSUPPORT where the kernel has no nftables.
 */
int nft_sets_follow(struct nft_sets *sets, struct error *error)
{
	return nftables_open(true, &sets->events, error);
}

/**
 * nft_sets_fd() - The descriptor to poll, level-triggered
 */
int nft_sets_fd(const struct nft_sets *sets)
{
	return nftables_fd(sets->events);
}

/**
 * nft_sets_read() - Bring the sets up to date
 * @sets: what follows
 * @now_ns: the time
 * @error: set on failure
 *
 * Return: 0; -errno: some are as they were before, and the next call tries again.
 */
int nft_sets_read(struct nft_sets *sets, uint64_t now_ns, struct error *error)
{
	bool lost;
	int err = nftables_read(sets->events, on_object, sets, &lost, error);

	if (err)
		return err;
	sets->is_behind |= lost;
	return pass_on(sets, now_ns, error);
}

/**
 * nft_sets_are_there() - Whether NetBird has any set in nftables, as far as is known
 */
bool nft_sets_are_there(const struct nft_sets *sets)
{
	return sets->n > 0;
}

/**
 * nft_sets_close() - Follow no more; NULL is nothing and fine
 */
void nft_sets_close(struct nft_sets *sets)
{
	if (!sets)
		return;
	nftables_close(sets->events);
	free(sets->sets);
	free(sets);
}
