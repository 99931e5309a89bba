/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/following.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dataplane/change.h"
#include "kernel/board.h"
#include "kernel/netlink.h"
#include "policy/parse.h"
#include "policy/policy.h"

#define FOLLOW_KEY  "follow"
#define APPLY_CAUSE "policy apply" /* of a change by that command, by which units reload */
#define EMPTY_PART  "{}" /* until a map has come: names that are not there may be NetBird's */

static void clear(struct part_text *text)
{
	free(text->text);
	*text = (struct part_text){};
}

/**
 * following_init() - Prepare; nothing is followed yet
 * @following: all zero; it must not be moved later
 * @user: who follows; without a socket and an interval
 * @options: what the command line says
 * @error: set on failure; following_free() is to be called all the same
 *
 * Return: 0 or -errno.
 */
int following_init(struct following *following, const struct follow_user *user,
		   const struct following_options *options, struct error *error)
{
	following->user = *user;
	following->options = *options;
	following->board_fd = -1;
	following->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (following->epoll_fd < 0)
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return 0;
}

static void stop(struct following *following)
{
	domains_free(following->domains);
	following->domains = NULL;
	following->tap_ifindex = 0;
	follow_free(following->follow);
	following->follow = NULL;
	mirror_free(following->mirror);
	following->mirror = NULL;
	if (following->board_fd >= 0)
		close(following->board_fd);
	following->board_fd = -1;
	following->status = (struct follow_status){};
	following->is_on = false;
}

static int watch(const struct following *following, int fd, struct error *error)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (epoll_ctl(following->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return 0;
}

/* Follow the daemon, or its tables. */
static int start_source(struct following *following, struct error *error)
{
	const struct follow_user *user = &following->user;
	int err;

	if (following->options.from_nftables) {
		err = mirror_new(user, &following->mirror, error);
		return err ? err : watch(following, mirror_fd(following->mirror), error);
	}
	err = follow_new(user, &following->follow, error);
	return err ? err : watch(following, follow_fd(following->follow), error);
}

/* Follow the daemon at that socket. */
static int start(struct following *following, const char *socket, struct error *error)
{
	int err;

	snprintf(following->socket, sizeof(following->socket), "%s", socket);
	following->user.socket = following->socket;
	following->user.interval_ns = following->options.interval_ns;
	err = board_open(FOLLOW_RECORD, following->user.ifname, sizeof(struct follow_status),
			 &following->board_fd, error);
	if (!err)
		err = domains_new(following->options.hold_ns, following->user.on_line,
				  following->user.arg, &following->domains, error);
	if (!err)
		err = watch(following, domains_fd(following->domains), error);
	if (!err)
		err = start_source(following, error);
	if (err)
		stop(following);
	else
		following->is_on = true;
	return err;
}

/* The user has had the policy read anew: what was held back until then is not any more. */
static void forget(struct following *following)
{
	if (following->follow)
		follow_forget(following->follow);
	else
		mirror_forget(following->mirror);
}

/* Follow what is to be followed, NULL: nothing; what is followed already goes on. */
static int switch_to(struct following *following, const char *socket, struct error *error)
{
	if (following->is_on && socket && !strcmp(socket, following->socket)) {
		forget(following);
		return 0;
	}
	stop(following);
	if (socket)
		return start(following, socket, error);
	clear(&following->part);
	return 0;
}

/* The part in force, as an earlier process has left it; without a generation there is none. */
static int recover(struct following *following, struct error *error)
{
	struct part_text whole = {}, own = {};
	struct attached attached;
	struct link_info link;
	struct error ignored;
	int err;

	if (netlink_link_by_name(following->user.ifname, &link, &ignored) ||
	    attached_open(link.ifindex, &attached, &ignored))
		return 0;
	err = attached_policy_text(&attached, &whole.text, &whole.len, error);
	if (!err)
		err = part_split(FOLLOW_RECORD, &whole, &own, &following->part, error);
	if (!err)
		domains_recover(following->domains, &following->part);
	free(own.text);
	free(whole.text);
	attached_close(&attached);
	return err;
}

/* The socket that the policy names, if it does; a large policy is read once more only if it may. */
static int read_socket(const char *path, const struct part_text *own, char **socket,
		       struct error *error)
{
	struct policy *policy;
	int err;

	*socket = NULL;
	if (!strstr(own->text, FOLLOW_KEY))
		return 0;
	err = policy_parse(path, own->text, own->len, &policy, error);
	if (err)
		return err;
	*socket = policy->follow_netbird;
	policy->follow_netbird = NULL;
	policy_free(policy);
	return 0;
}

/* Add NetBird's part to the user's policy, its domain sets filled. */
static int join(struct following *following, const char *path, const struct part_text *own,
		struct part_text *whole, struct error *error)
{
	const struct part_text *part = &following->part;
	struct part_text filled = {};
	int err = domains_fill(following->domains, part, &filled, error);

	if (!err)
		err = part_join(path, own, filled.text ? &filled : part, whole, error);
	free(filled.text);
	return err;
}

/**
 * following_read() - Read the user's policy, follow what it says, and add NetBird's part
 * @following: what is followed so far
 * @path: of the policy's file, NULL: the default policy
 * @whole: set to the policy to apply; the caller frees its text
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int following_read(struct following *following, const char *path, struct part_text *whole,
		   struct error *error)
{
	struct part_text own = {};
	char *socket = NULL;
	int err = policy_read_text(path, &own.text, &own.len, error);

	if (err && err != -ENOMEM)
		error->invalid_input = true;
	if (!err && !following->options.socket && !following->options.from_nftables)
		err = read_socket(path, &own, &socket, error);
	if (!err)
		err = switch_to(following,
				following->options.from_nftables ? MIRROR_SOCKET
				: socket			 ? socket
								 : following->options.socket,
				error);
	if (!err && !following->is_on && following->options.depends)
		err = error_input(error,
				  "%s: neither --netbird nor the policy says what is followed",
				  following->options.depends);
	following->options.depends = NULL; /* a policy that is read again may say that nothing is */
	if (!err && following->is_on)
		err = part_refuse(path, &own, error);
	if (!err && following->is_on && !following->part.text)
		err = recover(following, error);
	if (!err && following->is_on && !following->part.text)
		err = following_take(following, EMPTY_PART, strlen(EMPTY_PART), error);
	if (!err && following->part.text)
		err = join(following, path, &own, whole, error);
	free(socket);
	if (err || following->part.text)
		free(own.text);
	else
		*whole = own;
	return err;
}

/**
 * following_edit() - The policy in force, with NetBird's part as it is now
 * @attached: the generation in force
 * @text: set to the policy; the caller frees it
 * @len: set to its length
 * @following: a struct following
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int following_edit(const struct attached *attached, char **text, size_t *len, void *following,
		   struct error *error)
{
	const struct part_text *part = &((struct following *)following)->part;
	struct part_text whole = {}, own = {}, old = {};
	const char *path = attached->instance.policy_path;
	int err = attached_policy_text(attached, &whole.text, &whole.len, error);

	if (!err && part->text) {
		err = part_split(path, &whole, &own, &old, error);
		clear(&whole);
		if (!err)
			err = join(following, path, &own, &whole, error);
	}
	if (!err) {
		*text = whole.text;
		*len = whole.len;
	}
	free(own.text);
	free(old.text);
	return err;
}

/**
 * following_is_known() - Whether NetBird's part is what it was
 */
bool following_is_known(const struct following *following, const char *text, size_t len)
{
	return following->part.text && following->part.len == len &&
	       !memcmp(following->part.text, text, len);
}

/**
 * following_take() - Have another part of NetBird's from now on
 * @text: a JSON object
 * @len: in bytes
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int following_take(struct following *following, const char *text, size_t len, struct error *error)
{
	char *copy = strndup(text, len);

	if (!copy)
		return error_no_memory(error);
	clear(&following->part);
	following->part = (struct part_text){copy, len};
	return 0;
}

/* A map brings what its sets hold into force, too. */
static bool is_taking(const struct following *following)
{
	return following->follow && follow_is_taking(following->follow);
}

/**
 * following_ready() - Do what there is to do; when following->epoll_fd is readable
 * @following: what is followed
 * @attached: the generation in force
 *
 * Return: whether the policy in force is to be put into force anew, as domain sets have changed.
 */
bool following_ready(struct following *following, const struct attached *attached)
{
	if (!following->is_on)
		return false;
	if (following->follow)
		follow_ready(following->follow);
	else
		mirror_ready(following->mirror);
	return domains_ready(following->domains, attached, is_taking(following));
}

/* The interface's own IPv4 address, on which the daemon's DNS forwarder listens; 0: none. */
static __be32 own_address(int ifindex)
{
	struct interface_address *addresses;
	struct error ignored;
	__be32 own = 0;
	size_t n;

	if (netlink_read_addresses(&addresses, &n, &ignored))
		return 0;
	for (size_t i = 0; i < n && !own; i++)
		if (addresses[i].ifindex == ifindex && addresses[i].ip_version == IP_VERSION_4)
			own = addresses[i].addr.word[3];
	free(addresses);
	return own;
}

/**
 * following_listen() - Have DNS answers read where they leave, while domain sets are filled from them
 * @following: what is followed
 * @ifindex: of the interface, as it is now
 */
void following_listen(struct following *following, int ifindex)
{
	bool wanted = following->follow && domains_want_answers(following->domains);
	__be32 own = wanted ? own_address(ifindex) : 0;
	struct error error;
	int fd = -1;

	if (!own)
		ifindex = 0;
	if (!following->follow || (ifindex == following->tap_ifindex && own == following->tap_own))
		return;
	if (own && dns_tap_open(ifindex, own, &fd, &error)) {
		following->user.on_line(following->user.arg, error.text);
		ifindex = 0;
	}
	follow_listen(following->follow, fd);
	following->tap_ifindex = ifindex;
	following->tap_own = own;
}

/**
 * following_check() - To be called every second
 * @following, @attached: as for following_ready()
 *
 * Return: as following_ready().
 */
bool following_check(struct following *following, const struct attached *attached)
{
	if (!following->is_on)
		return false;
	if (following->follow)
		follow_check(following->follow);
	return domains_check(following->domains, attached, is_taking(following));
}

/* Let other commands know. */
static void publish(struct following *following)
{
	struct follow_status *status = &following->status;

	status->full_sets = domains_full(following->domains, status->full_set);
	board_write(following->board_fd, status);
}

/**
 * following_settle() - What following_read() or following_edit() has made is in force
 */
void following_settle(struct following *following)
{
	if (!following->is_on)
		return;
	domains_settle(following->domains);
	publish(following);
}

/**
 * following_publish() - Let other commands know
 */
void following_publish(struct following *following, const struct follow_status *status)
{
	char missing[FOLLOW_MISSING_MAX];

	memcpy(missing, following->status.missing, sizeof(missing));
	following->status = *status;
	memcpy(following->status.missing, missing, sizeof(missing));
	publish(following);
}

/* Names with ", " between them, as many as there is room for. */
static void list_missing(const struct policy *policy, char text[FOLLOW_MISSING_MAX])
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < policy->n_missing; i++) {
		const char *name = policy->missing[i].name;

		if (len + strlen(name) + sizeof(", , ...") > FOLLOW_MISSING_MAX) {
			snprintf(text + len, FOLLOW_MISSING_MAX - len, ", ...");
			return;
		}
		len += snprintf(text + len, FOLLOW_MISSING_MAX - len, "%s%s", len ? ", " : "",
				name);
	}
}

/**
 * following_note() - Let it be known which names of the policy in force no map has
 * @following: what is followed, if anything is
 * @policy: in force
 * @attached: its generation
 *
 * Logs them, where they are others than before.
 */
void following_note(struct following *following, const struct policy *policy,
		    const struct attached *attached)
{
	char missing[FOLLOW_MISSING_MAX] = {}, line[FOLLOW_MISSING_MAX + 80];

	following->noted_ns = attached->instance.applied_ns;
	if (following->is_on)
		list_missing(policy, missing);
	if (!strcmp(missing, following->status.missing))
		return;
	memcpy(following->status.missing, missing, sizeof(missing));
	if (following->is_on)
		publish(following);
	if (!missing[0])
		return;
	snprintf(line, sizeof(line), "NetBird's map has no such names, so they match nothing: %s",
		 missing);
	following->user.on_line(following->user.arg, line);
}

/**
 * following_look() - As following_note(), where another process may have applied a policy
 *
 * Units reload by `policy apply`, which therefore asks for as much as a reload of this process does.
 */
void following_look(struct following *following, const struct attached *attached)
{
	const char *path = attached->instance.policy_path;
	struct policy *policy;
	struct change change;
	struct error ignored;
	char *text = NULL;
	size_t len;

	if (!following->is_on || following->noted_ns == attached->instance.applied_ns)
		return;
	if (!change_read(&attached->maps, &change) && !strcmp(change.cause, APPLY_CAUSE))
		forget(following);
	if (!attached_policy_text(attached, &text, &len, &ignored) &&
	    !policy_parse(path[0] ? path : NULL, text, len, &policy, &ignored)) {
		following_note(following, policy, attached);
		policy_free(policy);
	}
	following->noted_ns = attached->instance.applied_ns;
	free(text);
}

/**
 * following_free() - Follow no longer, and release what is held
 */
void following_free(struct following *following)
{
	stop(following);
	clear(&following->part);
	if (following->epoll_fd > 0)
		close(following->epoll_fd);
}
