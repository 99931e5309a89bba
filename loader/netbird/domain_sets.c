/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/domain_sets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/sets.h"

#define FAMILIES 2

/* An address is in force for so long at least: TCP sends a SYN again after one and three seconds. */
#define FORCE_NS ((uint64_t)4 * NS_PER_S)

/* An address that is due has another look at whether it is used so much later. */
#define USED_NS ((uint64_t)60 * NS_PER_S)

/* What nftables hold of one family. */
struct listing {
	bool is_listed;
	struct prefix *prefixes; /* sorted */
	size_t n;
};

/*
 * struct held - an address for a time
 * @is_new: it is not in force yet, nor due before it is
 * @is_used: by a connection, while there is made room
 */
struct held {
	struct prefix prefix;
	uint64_t until_ns;
	bool is_new;
	bool is_used;
};

/*
 * struct domain_set - one set
 * @listings: by index_of()
 * @held: in no order
 * @has_changed: what is in force is another content, even without the addresses that are new
 * @content: all of it, sorted; made when it is asked for, if @is_stale
 * @is_known: what it holds has been said
 * @is_wanted: a policy has it
 */
struct domain_set {
	char name[DOMAIN_SET_NAME_SIZE];
	struct listing listings[FAMILIES];
	struct held *held;
	size_t n_held;
	struct prefix *content;
	size_t n_content;
	bool has_changed;
	bool is_stale;
	bool is_known;
	bool is_wanted;
};

/*
 * struct domain_sets - all sets
 * @sets: by name
 * @due_ns: no address is due before; UINT64_MAX: none is
 * @is_over: a set may hold too many
 */
struct domain_sets {
	struct domain_set **sets;
	size_t n;
	size_t n_held;
	uint64_t hold_ns;
	uint64_t due_ns;
	bool has_changed;
	bool is_over;
};

static size_t index_of(uint8_t ip_version)
{
	return ip_version == IP_VERSION_6;
}

/**
 * domain_set_is_name() - Whether NetBird could have named a set so
 */
bool domain_set_is_name(const char *name)
{
	return !strncmp(name, "nb-", 3) && strlen(name) == DOMAIN_SET_NAME_SIZE - 1 &&
	       strspn(name + 3, "0123456789abcdef") == DOMAIN_SET_NAME_SIZE - 4;
}

/**
 * domain_sets_new() - Begin without any address
 * @hold_ns: how long addresses are held
 *
 * Return: for domain_sets_free(), or NULL without memory.
 */
struct domain_sets *domain_sets_new(uint64_t hold_ns)
{
	struct domain_sets *sets = calloc(1, sizeof(*sets));

	if (sets) {
		sets->hold_ns = hold_ns;
		sets->due_ns = UINT64_MAX;
	}
	return sets;
}

static void set_free(struct domain_set *set)
{
	for (size_t i = 0; i < FAMILIES; i++)
		free(set->listings[i].prefixes);
	free(set->held);
	free(set->content);
	free(set);
}

/**
 * domain_sets_free() - Forget all; NULL is nothing and fine
 */
void domain_sets_free(struct domain_sets *sets)
{
	if (!sets)
		return;
	for (size_t i = 0; i < sets->n; i++)
		set_free(sets->sets[i]);
	free(sets->sets);
	free(sets);
}

/* The place of a set, or where it would be. */
static size_t place_of(const struct domain_sets *sets, const char *name)
{
	size_t low = 0, high = sets->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(sets->sets[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct domain_set *find(const struct domain_sets *sets, const char *name)
{
	size_t at = place_of(sets, name);

	return at < sets->n && !strcmp(sets->sets[at]->name, name) ? sets->sets[at] : NULL;
}

/* The set of that name, made if need be; NULL without memory, or where it is one too many. */
static struct domain_set *find_or_make(struct domain_sets *sets, const char *name)
{
	struct domain_set *set = find(sets, name), **larger;
	size_t at = place_of(sets, name);

	if (set || !domain_set_is_name(name) || sets->n == DOMAIN_SETS_MAX)
		return set;
	larger = realloc(sets->sets, (sets->n + 1) * sizeof(*larger));
	if (!larger)
		return NULL;
	sets->sets = larger;
	set = calloc(1, sizeof(*set));
	if (!set)
		return NULL;
	memcpy(set->name, name, DOMAIN_SET_NAME_SIZE);
	memmove(&larger[at + 1], &larger[at], (sets->n - at) * sizeof(*larger));
	larger[at] = set;
	sets->n++;
	return set;
}

/* An address that is new may go before it comes into force. */
static void note_new(struct domain_sets *sets, struct domain_set *set)
{
	set->is_stale = set->is_known = true;
	sets->has_changed |= set->is_wanted;
}

static void note_change(struct domain_sets *sets, struct domain_set *set)
{
	set->has_changed = true;
	note_new(sets, set);
}

/* ---- what nftables hold ---- */

static bool are_equal(const struct listing *listing, const struct prefix *prefixes, size_t n)
{
	size_t i = 0;

	while (i < n && n == listing->n && prefix_equal(&listing->prefixes[i], &prefixes[i]))
		i++;
	return i == n && n == listing->n;
}

/**
 * domain_sets_list() - Note what nftables hold of a set
 * @sets: the sets
 * @name: of the set
 * @ip_version: enum ip_version: of the table that it is in
 * @prefixes: what it holds, in any order; is freed here, on failure too
 * @n: how many
 *
 * Return: 0; -EINVAL: no such name; -ENOMEM, also for one set too many.
 */
int domain_sets_list(struct domain_sets *sets, const char *name, uint8_t ip_version,
		     struct prefix *prefixes, size_t n)
{
	struct domain_set *set = find_or_make(sets, name);
	struct listing *listing = set ? &set->listings[index_of(ip_version)] : NULL;
	bool is_same;

	if (!set) {
		free(prefixes);
		return domain_set_is_name(name) ? -ENOMEM : -EINVAL;
	}
	n = sets_sort(prefixes, n);
	is_same = listing->is_listed && are_equal(listing, prefixes, n);
	listing->is_listed = true;
	if (is_same) {
		free(prefixes);
		return 0;
	}
	free(listing->prefixes);
	listing->prefixes = prefixes;
	listing->n = n;
	note_change(sets, set);
	return 0;
}

/* ---- what is held ---- */

static struct held *find_held(const struct domain_set *set, const struct prefix *prefix)
{
	for (size_t i = 0; i < set->n_held; i++)
		if (prefix_equal(&set->held[i].prefix, prefix))
			return &set->held[i];
	return NULL;
}

static bool is_listed(const struct domain_set *set, const struct prefix *prefix)
{
	for (size_t f = 0; f < FAMILIES; f++)
		for (size_t i = 0; i < set->listings[f].n; i++)
			if (prefix_equal(&set->listings[f].prefixes[i], prefix))
				return true;
	return false;
}

/* A place for another address; NULL: there is none. */
static struct held *make_place(struct domain_sets *sets, struct domain_set *set, size_t max)
{
	struct held *larger;

	if (set->n_held >= max)
		return NULL;
	larger = realloc(set->held, (set->n_held + 1) * sizeof(*larger));
	if (!larger)
		return NULL;
	set->held = larger;
	sets->n_held++;
	sets->is_over |= set->n_held >= DOMAIN_HELD_MAX; /* with this one */
	return &larger[set->n_held++];
}

/**
 * domain_sets_hold() - Have an address in a set for some time
 * @sets: the sets
 * @name: of the set
 * @prefix: the address
 * @until_ns: it never is held shorter than it was to be already
 *
 * Return: 0; -EINVAL: no such name; -ENOMEM, also where there is no room.
 */
int domain_sets_hold(struct domain_sets *sets, const char *name, const struct prefix *prefix,
		     uint64_t until_ns)
{
	struct domain_set *set = find_or_make(sets, name);
	struct held *held;

	if (!set)
		return domain_set_is_name(name) ? -ENOMEM : -EINVAL;
	held = find_held(set, prefix);
	if (held) {
		if (held->until_ns < until_ns)
			held->until_ns = until_ns;
		return 0;
	}
	if (sets->n_held >= DOMAIN_HELD_ALL)
		return -ENOMEM;
	held = make_place(sets, set, DOMAIN_HELD_MAX + DOMAIN_HELD_NEW);
	if (!held)
		return -ENOMEM;
	*held = (struct held){*prefix, until_ns, .is_new = !is_listed(set, prefix)};
	if (held->is_new)
		note_new(sets, set);
	else if (until_ns < sets->due_ns)
		sets->due_ns = until_ns;
	return 0;
}

/* Hold what is listed, however much it is; returns whether there was memory. */
static bool hold_listing(struct domain_sets *sets, struct domain_set *set,
			 const struct listing *listing, uint64_t until_ns)
{
	bool *is_held = calloc(listing->n + 1, sizeof(*is_held));
	bool has_memory = true;

	if (!is_held)
		return false;
	for (size_t i = 0; i < set->n_held; i++) {
		struct held *held = &set->held[i];
		const struct prefix *same = bsearch(&held->prefix, listing->prefixes, listing->n,
						    sizeof(*same), prefix_compare);

		if (same)
			is_held[same - listing->prefixes] = true;
		if (same && held->until_ns < until_ns)
			held->until_ns = until_ns;
	}
	for (size_t i = 0; i < listing->n && has_memory; i++) {
		struct held *held = is_held[i] ? NULL : make_place(sets, set, SIZE_MAX);

		if (held)
			*held = (struct held){.prefix = listing->prefixes[i], .until_ns = until_ns};
		has_memory = held || is_held[i];
	}
	free(is_held);
	if (until_ns < sets->due_ns)
		sets->due_ns = until_ns;
	return has_memory;
}

/**
 * domain_sets_unlist() - Note that nftables have a set no more
 * @sets: the sets
 * @name: of the set; may be unknown
 * @ip_version: of the table that it was in
 * @now_ns: what it held is held from now on
 */
void domain_sets_unlist(struct domain_sets *sets, const char *name, uint8_t ip_version,
			uint64_t now_ns)
{
	struct domain_set *set = find(sets, name);
	struct listing *listing = set ? &set->listings[index_of(ip_version)] : NULL;

	if (!set || !listing->is_listed)
		return;
	if (!hold_listing(sets, set, listing, now_ns + sets->hold_ns))
		note_change(sets, set);
	free(listing->prefixes);
	*listing = (struct listing){.is_listed = false};
}

/**
 * domain_sets_answer() - Note that a name of a set's domains was resolved
 * @sets: the sets
 * @name: of the set
 * @prefix: the address
 * @ttl_s: how long the answer may be kept, negative: it was to be forgotten before; the address is
 *	held longer, by hold_ns
 * @now_ns: when
 *
 * Does nothing where nftables hold the set: NetBird has put the address there, or had a reason not to.
 *
 * Return: as domain_sets_hold().
 */
int domain_sets_answer(struct domain_sets *sets, const char *name, const struct prefix *prefix,
		       int32_t ttl_s, uint64_t now_ns)
{
	const struct domain_set *set = find(sets, name);
	int64_t left_ns = ttl_s * NS_PER_S + (int64_t)sets->hold_ns;

	for (size_t i = 0; set && i < FAMILIES; i++)
		if (set->listings[i].is_listed)
			return 0;
	/* what is due is let go by domain_sets_expire(), unless a connection uses it */
	return domain_sets_hold(sets, name, prefix, now_ns + (left_ns > 0 ? left_ns : 0));
}

static void expire_set(struct domain_sets *sets, struct domain_set *set, uint64_t now_ns,
		       domain_in_use_fn in_use, void *arg)
{
	for (size_t i = set->n_held; i-- > 0;) {
		struct held *held = &set->held[i];

		if (held->is_new)
			continue;
		if (held->until_ns <= now_ns && in_use(arg, &held->prefix))
			held->until_ns = now_ns + USED_NS;
		if (held->until_ns <= now_ns) {
			*held = set->held[--set->n_held];
			sets->n_held--;
			note_change(sets, set);
		} else if (held->until_ns < sets->due_ns) {
			sets->due_ns = held->until_ns;
		}
	}
}

/**
 * domain_sets_expire() - Let addresses go that are due, unless a connection uses them
 * @sets: the sets
 * @now_ns: when
 * @in_use: is asked about those that are due
 * @arg: for @in_use
 */
void domain_sets_expire(struct domain_sets *sets, uint64_t now_ns, domain_in_use_fn in_use,
			void *arg)
{
	sets->due_ns = UINT64_MAX;
	for (size_t i = 0; i < sets->n; i++)
		expire_set(sets, sets->sets[i], now_ns, in_use, arg);
}

/**
 * domain_sets_due_ns() - When domain_sets_expire() is to be called
 *
 * Return: the time, which may be too early; UINT64_MAX: not at all.
 */
uint64_t domain_sets_due_ns(const struct domain_sets *sets)
{
	return sets->due_ns;
}

/* ---- what is too much ---- */

/**
 * domain_sets_are_over() - Whether domain_sets_make_room() is to be called before sets are asked for
 */
bool domain_sets_are_over(const struct domain_sets *sets)
{
	return sets->is_over;
}

/* Those that no connection uses first, of these the one that is due first; then those that are new. */
static int by_use(const void *a, const void *b)
{
	const struct held *first = a, *second = b;

	if (first->is_used != second->is_used)
		return first->is_used ? 1 : -1;
	if (first->is_used && first->is_new != second->is_new)
		return first->is_new ? -1 : 1;
	return (first->until_ns > second->until_ns) - (first->until_ns < second->until_ns);
}

/* Have as many addresses go as are too many, but none that is in force and used. */
static void make_room_in(struct domain_sets *sets, struct domain_set *set, domain_in_use_fn in_use,
			 void *arg)
{
	size_t n = 0, over = set->n_held - DOMAIN_HELD_MAX;

	for (size_t i = 0; i < set->n_held; i++)
		set->held[i].is_used = in_use(arg, &set->held[i].prefix);
	qsort(set->held, set->n_held, sizeof(*set->held), by_use);
	while (n < over && (!set->held[n].is_used || set->held[n].is_new)) {
		set->has_changed |= !set->held[n].is_new;
		n++;
	}
	set->n_held -= n;
	sets->n_held -= n;
	memmove(set->held, &set->held[n], set->n_held * sizeof(*set->held));
	set->is_stale = true;
}

static bool differs(const struct domain_set *set)
{
	bool found = set->has_changed;

	for (size_t i = 0; i < set->n_held && !found; i++)
		found = set->held[i].is_new;
	return found;
}

/**
 * domain_sets_make_room() - Have addresses go of sets that hold too many
 * @sets: the sets; it is seen anew whether they have changed
 * @in_use: is asked about all addresses of such a set
 * @arg: for @in_use
 */
void domain_sets_make_room(struct domain_sets *sets, domain_in_use_fn in_use, void *arg)
{
	sets->is_over = sets->has_changed = false;
	for (size_t i = 0; i < sets->n; i++) {
		struct domain_set *set = sets->sets[i];

		if (set->n_held > DOMAIN_HELD_MAX)
			make_room_in(sets, set, in_use, arg);
		sets->has_changed |= set->is_wanted && differs(set);
	}
}

/**
 * domain_sets_full() - Whether sets are full
 * @sets: the sets
 * @name: set to the name of the first one, if there is any
 *
 * Return: how many are.
 */
size_t domain_sets_full(const struct domain_sets *sets, char name[DOMAIN_SET_NAME_SIZE])
{
	size_t n = 0;

	for (size_t i = 0; i < sets->n; i++) {
		if (!sets->sets[i]->is_wanted || sets->sets[i]->n_held < DOMAIN_HELD_MAX)
			continue;
		if (!n++)
			memcpy(name, sets->sets[i]->name, DOMAIN_SET_NAME_SIZE);
	}
	return n;
}

/* ---- what there is ---- */

/**
 * domain_sets_has_changed() - Whether a set that was asked for has, since domain_sets_taken()
 */
bool domain_sets_has_changed(const struct domain_sets *sets)
{
	return sets->has_changed;
}

/* From now on, an address may be due. */
static void take(struct domain_sets *sets, struct held *held, uint64_t now_ns)
{
	if (!held->is_new)
		return;
	held->is_new = false;
	if (held->until_ns < now_ns + FORCE_NS)
		held->until_ns = now_ns + FORCE_NS;
	if (held->until_ns < sets->due_ns)
		sets->due_ns = held->until_ns;
}

/**
 * domain_sets_taken() - What there is now is in force
 * @sets: the sets
 * @now_ns: when
 */
void domain_sets_taken(struct domain_sets *sets, uint64_t now_ns)
{
	sets->has_changed = false;
	for (size_t i = 0; i < sets->n; i++) {
		struct domain_set *set = sets->sets[i];

		for (size_t h = 0; h < set->n_held; h++)
			take(sets, &set->held[h], now_ns);
		set->has_changed = false;
	}
}

/* Put the content together; without memory it stays as it was. */
static void make_content(struct domain_set *set)
{
	size_t n = set->n_held;
	struct prefix *content;

	for (size_t f = 0; f < FAMILIES; f++)
		n += set->listings[f].n;
	content = calloc(n + 1, sizeof(*content));
	if (!content)
		return;
	n = 0;
	for (size_t f = 0; f < FAMILIES; f++)
		for (size_t i = 0; i < set->listings[f].n; i++)
			content[n++] = set->listings[f].prefixes[i];
	for (size_t i = 0; i < set->n_held; i++)
		content[n++] = set->held[i].prefix;
	free(set->content);
	set->content = content;
	set->n_content = sets_sort(content, n);
	set->is_stale = false;
}

/**
 * domain_sets_find() - What a set holds; of struct sets_source
 * @sets: the sets
 * @name: of any set of a policy
 * @prefixes: set to its content, until the sets change
 * @n: set to how many
 *
 * Return: whether it is known.
 */
bool domain_sets_find(void *sets, const char *name, const struct prefix **prefixes, size_t *n)
{
	struct domain_set *set = find_or_make(sets, name);

	if (set)
		set->is_wanted = true;
	if (!set || !set->is_known)
		return false;
	if (set->is_stale)
		make_content(set);
	*prefixes = set->content;
	*n = set->n_content;
	return true;
}
