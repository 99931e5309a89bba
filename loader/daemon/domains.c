/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/domains.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "conntrack/destinations.h"
#include "netbird/dns_answer.h"
#include "netbird/domain_sets.h"
#include "netbird/nft_sets.h"
#include "policy/sets.h"

#define PATH "NetBird's part" /* for messages */

/*
 * Sets alone bring a policy into force only for a part of the time: whoever has names resolved must not
 * keep others, and maps least of all, from their turn.
 */
#define PAUSE	     3		    /* so many times as long as it took, */
#define PAUSE_MAX_NS (NS_PER_S / 2) /* but no longer: a large policy takes seconds by itself */
#define AHEAD_NS     (2 * NS_PER_S) /* of time that may be spent without pauses, after some rest */
#define FAILED_NS    (2 * NS_PER_S) /* what one counts for that fails */

/*
 * struct domains - the sets and what fills them
 * @attached: the generation in force, for as long as it lasts; NULL: not known yet
 * @begun_ns: when the policy that comes into force was filled; 0: none is
 * @before_ns, @paid_ns: until when the time is spent, before and with that policy
 * @nft: NULL: this kernel has no nftables, so NetBird has no sets there
 * @is_behind: nftables could not be read, and that is logged
 * @n_sets: domain sets of the part that was filled last
 */
struct domains {
	struct domain_sets *sets;
	struct nft_sets *nft;
	domains_log_fn log;
	void *arg;
	int epoll_fd;
	int timer_fd;
	const struct attached *attached;
	uint64_t begun_ns;
	uint64_t before_ns;
	uint64_t paid_ns;
	bool is_behind;
	size_t n_sets;
};

static uint64_t now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static int watch(const struct domains *domains, int fd, struct error *error)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fd < 0 || epoll_ctl(domains->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return 0;
}

/* Count the time for what began then; or, before it has come to its end, that it may fail. */
static void spend(struct domains *domains, uint64_t begun_ns, uint64_t ns)
{
	uint64_t pause_ns = PAUSE * ns < PAUSE_MAX_NS ? PAUSE * ns : PAUSE_MAX_NS;

	domains->paid_ns = domains->before_ns > begun_ns ? domains->before_ns : begun_ns;
	domains->paid_ns += ns + pause_ns;
}

/* From when on sets alone may bring a policy into force. */
static uint64_t may_ns(const struct domains *domains)
{
	return domains->paid_ns > AHEAD_NS ? domains->paid_ns - AHEAD_NS : 0;
}

static bool has_work(const struct domains *domains)
{
	return domain_sets_has_changed(domains->sets) || domain_sets_are_over(domains->sets);
}

/* Wake when an address is due, or a change may come into force; nothing ticks while there is none. */
static void arm(struct domains *domains, bool waits)
{
	uint64_t due_ns = domain_sets_due_ns(domains->sets), at = now();

	if (!waits && has_work(domains) && may_ns(domains) < due_ns)
		due_ns = may_ns(domains);
	if (due_ns == UINT64_MAX)
		timerfd_settime(domains->timer_fd, 0, &(struct itimerspec){}, NULL);
	else
		clock_arm(domains->timer_fd, due_ns > at ? due_ns - at : 1);
}

/* Read nftables; what fails is logged once, and tried again by domains_check(). */
static void read_nftables(struct domains *domains)
{
	struct error error;
	int err = domains->nft ? nft_sets_read(domains->nft, now(), &error) : 0;

	if (err && !domains->is_behind)
		domains->log(domains->arg, error.text);
	domains->is_behind = err != 0;
}

static int open_nftables(struct domains *domains, struct error *error)
{
	int err;

	domains->nft = nft_sets_new(domains->sets, domains->log, domains->arg);
	if (!domains->nft)
		return error_no_memory(error);
	err = nft_sets_follow(domains->nft, error);
	if (err == -EPROTONOSUPPORT) {
		nft_sets_close(domains->nft);
		domains->nft = NULL;
		return 0;
	}
	return err ? err : watch(domains, nft_sets_fd(domains->nft), error);
}

/**
 * domains_new() - Have sets filled from now on
 * @hold_ns: how long addresses are held that NetBird does not keep
 * @log: takes lines about what cannot be read
 * @arg: for @log
 * @domains: set to them, for domains_free()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int domains_new(uint64_t hold_ns, domains_log_fn log, void *arg, struct domains **domains,
		struct error *error)
{
	struct domains *fresh = calloc(1, sizeof(*fresh));
	int err;

	if (!fresh)
		return error_no_memory(error);
	fresh->log = log;
	fresh->arg = arg;
	fresh->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	fresh->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	fresh->sets = domain_sets_new(hold_ns);
	err = fresh->sets ? watch(fresh, fresh->timer_fd, error) : error_no_memory(error);
	if (!err)
		err = open_nftables(fresh, error);
	if (err) {
		domains_free(fresh);
		return err;
	}
	read_nftables(fresh);
	arm(fresh, false);
	*domains = fresh;
	return 0;
}

/**
 * domains_free() - Fill no sets any more; NULL is nothing and fine
 */
void domains_free(struct domains *domains)
{
	if (!domains)
		return;
	nft_sets_close(domains->nft);
	domain_sets_free(domains->sets);
	if (domains->timer_fd >= 0)
		close(domains->timer_fd);
	if (domains->epoll_fd >= 0)
		close(domains->epoll_fd);
	free(domains);
}

/**
 * domains_fd() - Readable when domains_ready() has something to do
 */
int domains_fd(const struct domains *domains)
{
	return domains->epoll_fd;
}

static bool is_used(void *arg, const struct prefix *prefix)
{
	return destinations_have(arg, prefix);
}

/* Where it cannot be seen what connections use, addresses stay until it can. */
static bool is_used_perhaps(void *arg, const struct prefix *prefix)
{
	(void)arg;
	(void)prefix;
	return true;
}

/* A function of domain_sets that asks what connections use. */
typedef void (*ask_fn)(struct domains *domains, domain_in_use_fn in_use, void *arg);

static void expire(struct domains *domains, domain_in_use_fn in_use, void *arg)
{
	domain_sets_expire(domains->sets, now(), in_use, arg);
}

static void make_room(struct domains *domains, domain_in_use_fn in_use, void *arg)
{
	domain_sets_make_room(domains->sets, in_use, arg);
}

static void ask(struct domains *domains, ask_fn function)
{
	const struct attached *attached = domains->attached;
	struct destinations destinations;
	struct error ignored;
	bool known = attached && attached->maps.n &&
		     !destinations_read(&attached->maps, &attached->instance, &destinations,
					&ignored);

	function(domains, known ? is_used : is_used_perhaps, &destinations);
	if (known)
		destinations_free(&destinations);
}

/* Whether sets are to come into force now: not too often, and not ahead of a map that is about to. */
static bool is_due(struct domains *domains, bool waits)
{
	uint64_t begun_ns = now();

	if (waits || !has_work(domains) || begun_ns < may_ns(domains))
		return false;
	if (domain_sets_are_over(domains->sets)) {
		ask(domains, make_room);
		domains->before_ns = domains->paid_ns;
		spend(domains, begun_ns, now() - begun_ns);
	}
	return domain_sets_has_changed(domains->sets);
}

/**
 * domains_ready() - Do what there is to do
 * @domains: the sets
 * @attached: the generation in force, whose connections hold addresses
 * @waits: what brings all into force is about to come
 *
 * Return: whether sets have changed: then a policy filled by domains_fill() is to be put into force.
 */
bool domains_ready(struct domains *domains, const struct attached *attached, bool waits)
{
	uint64_t ticks;
	bool due;

	if (read(domains->timer_fd, &ticks, sizeof(ticks)) < 0)
		ticks = 0; /* nothing is due */
	domains->attached = attached;
	read_nftables(domains);
	if (domain_sets_due_ns(domains->sets) <= now())
		ask(domains, expire);
	due = is_due(domains, waits);
	arm(domains, waits || due);
	return due;
}

static void recover_set(void *arg, const char *name, const struct prefix *prefixes, size_t n)
{
	struct domains *domains = arg;

	for (size_t i = 0; i < n && domain_set_is_name(name); i++)
		domain_sets_answer(domains->sets, name, &prefixes[i], 0, now());
}

/**
 * domains_recover() - Hold what the sets of a part have that was in force before this process
 * @domains: new ones
 * @part: NetBird's part of the policy in force; without a text there is none
 */
void domains_recover(struct domains *domains, const struct part_text *part)
{
	const struct sets_text text = {PATH, part->text, part->len};
	struct error ignored;

	if (part->text)
		sets_visit(&text, recover_set, domains, &ignored);
	domain_sets_taken(domains->sets, now());
	arm(domains, false);
}

/* What is reported by whomever is taken only as a policy could have it. */
static bool is_address(const struct prefix *prefix)
{
	struct prefix same;
	char text[PREFIX_TEXT_MAX];
	struct error ignored;

	if ((prefix->ip_version != IP_VERSION_4 && prefix->ip_version != IP_VERSION_6) ||
	    prefix->len != prefix_bits(prefix->ip_version))
		return false;
	prefix_format(prefix, text, sizeof(text));
	return !prefix_parse(text, &same, &ignored) && prefix_equal(&same, prefix);
}

/**
 * domains_see() - Note an address of a DNS answer
 * @domains: the sets
 * @sighting: as it was reported, by whomever
 *
 * domains_ready() is to be called behind it.
 */
void domains_see(struct domains *domains, const struct dns_sighting *sighting)
{
	size_t size = sizeof(sighting->set);

	if (strnlen(sighting->set, size) == size || !is_address(&sighting->prefix) ||
	    sighting->ttl_s > DNS_TTL_MAX_S || sighting->ttl_s < -DNS_TTL_MAX_S)
		return;
	domain_sets_answer(domains->sets, sighting->set, &sighting->prefix, sighting->ttl_s, now());
}

/**
 * domains_check() - Try again what has failed; to be called every second
 * @domains, @attached, @waits: as for domains_ready()
 *
 * Return: as domains_ready().
 */
bool domains_check(struct domains *domains, const struct attached *attached, bool waits)
{
	domains->attached = attached;
	if (domains->is_behind)
		read_nftables(domains);
	return is_due(domains, waits);
}

static bool find(void *arg, const char *name, const struct prefix **prefixes, size_t *n)
{
	struct domains *domains = arg;

	domains->n_sets += domain_set_is_name(name);
	return domain_sets_find(domains->sets, name, prefixes, n);
}

/**
 * domains_fill() - Fill the domain sets of NetBird's part
 * @domains: what they hold
 * @part: the part
 * @filled: set to the part with it, for the caller to free; without a text where @part is right
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int domains_fill(struct domains *domains, const struct part_text *part, struct part_text *filled,
		 struct error *error)
{
	const struct sets_text from = {PATH, part->text, part->len};
	const struct sets_source source = {find, domains, .one_line = true};
	struct sets_result ignored;
	struct sets_text to;
	int err;

	domains->n_sets = 0;
	domains->begun_ns = now();
	domains->before_ns = domains->paid_ns;
	spend(domains, domains->begun_ns, FAILED_NS);
	if (domain_sets_are_over(domains->sets))
		ask(domains, make_room);
	err = sets_fill(&from, &source, &to, &ignored, error);
	if (!err)
		*filled = (struct part_text){to.text, to.text ? to.len : 0};
	return err;
}

/**
 * domains_settle() - What was filled is in force
 */
void domains_settle(struct domains *domains)
{
	domain_sets_taken(domains->sets, now());
	if (domains->begun_ns)
		spend(domains, domains->begun_ns, now() - domains->begun_ns);
	domains->begun_ns = 0;
	arm(domains, false);
}

/**
 * domains_full() - Whether sets are full
 * @name: as for domain_sets_full()
 *
 * Return: how many are.
 */
size_t domains_full(const struct domains *domains, char name[DOMAIN_SET_NAME_SIZE])
{
	return domain_sets_full(domains->sets, name);
}

/**
 * domains_want_answers() - Whether sets are to be filled from DNS answers: nftables have none
 */
bool domains_want_answers(const struct domains *domains)
{
	return domains->n_sets && !(domains->nft && nft_sets_are_there(domains->nft));
}
