/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/change.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "dataplane/attached.h"
#include "kernel/notice.h"
#include "maps.h"

/**
 * change_read() - Why a generation is in force
 * @maps: of the generation
 * @change: is filled
 *
 * Return: 0; -ENOENT: another version has built it, or there is none.
 */
int change_read(const struct map_set *maps, struct change *change)
{
	const struct map_entry *map = map_set_find(maps, MAP_CHANGE);
	struct change found;
	uint32_t zero = 0;

	if (!map || map->value_size != sizeof(found) || bpf_map_lookup_elem(map->fd, &zero, &found))
		return -ENOENT;
	found.cause[sizeof(found.cause) - 1] = '\0';
	found.failed_cause[sizeof(found.failed_cause) - 1] = '\0';
	found.failure[sizeof(found.failure) - 1] = '\0';
	*change = found;
	return 0;
}

/**
 * change_write() - Replace what change_read() reads
 * @maps: of the generation
 * @change: what it becomes
 * @error: set on failure
 *
 * Return: 0, also where another version has built the generation, or -errno.
 */
int change_write(const struct map_set *maps, const struct change *change, struct error *error)
{
	const struct map_entry *map = map_set_find(maps, MAP_CHANGE);
	uint32_t zero = 0;

	if (!map || map->value_size != sizeof(*change) ||
	    !bpf_map_update_elem(map->fd, &zero, change, BPF_ANY))
		return 0;
	return error_set(error, errno, "cannot fill BPF map %s: %s", MAP_CHANGE, strerror(errno));
}

/* Whether a request is to put what a file says into force, which cures and may fail anew. */
static bool is_from_file(const struct dataplane_request *request)
{
	return !request->edit && !request->revert;
}

/**
 * change_begin() - Note in a generation that is not in force yet why it will be
 * @request: that leads to it
 * @previous: maps of the generation in force, NULL: there is none
 * @generation: the new one
 * @error: set on failure
 *
 * What has failed before stays noted until a policy is read from a file again.
 *
 * Return: 0 or -errno.
 */
int change_begin(const struct dataplane_request *request, const struct map_set *previous,
		 const struct generation *generation, struct error *error)
{
	struct change change = {}, before;

	if (previous && !is_from_file(request) && !change_read(previous, &before)) {
		change = before;
		memset(change.cause, 0, sizeof(change.cause));
	}
	change.state = request->counts ? CHANGE_COUNTING : CHANGE_UNCOUNTED;
	change.cut = CHANGE_NO_COUNT;
	change.uid = request->uid;
	snprintf(change.cause, sizeof(change.cause), "%s", request->cause ? request->cause : "");
	return change_write(&generation->maps, &change, error);
}

/**
 * change_failed() - Note in the generation in force that it could not be replaced
 * @request: that failed
 * @why: the reason
 *
 * Only where a file was to be put into force: those who ask for other changes hear of it.
 */
void change_failed(const struct dataplane_request *request, const char *why)
{
	struct attached attached;
	struct link_info link;
	struct error ignored;
	struct change change;

	if (!is_from_file(request) || netlink_link_by_name(request->ifname, &link, &ignored) ||
	    attached_open(link.ifindex, &attached, &ignored))
		return;
	if (!change_read(&attached.maps, &change)) {
		memset(change.failure, 0, sizeof(change.failure));
		memset(change.failed_cause, 0, sizeof(change.failed_cause));
		change.failed_ns = clock_ns(CLOCK_REALTIME);
		change.failed_uid = request->uid;
		snprintf(change.failed_cause, sizeof(change.failed_cause), "%s",
			 request->cause ? request->cause : "");
		snprintf(change.failure, sizeof(change.failure), "%s", why);
		change_write(&attached.maps, &change, &ignored);
		notice_send(request->ifname);
	}
	attached_close(&attached);
}

/**
 * change_who() - Why and on whose behalf something was done
 * @cause: why
 * @uid: who, or CHANGE_NO_UID
 * @text: set to "cause, uid N", or the cause alone
 */
void change_who(const char *cause, uint32_t uid, char text[CHANGE_TEXT_MAX])
{
	if (uid == CHANGE_NO_UID)
		snprintf(text, CHANGE_TEXT_MAX, "%s", cause);
	else
		snprintf(text, CHANGE_TEXT_MAX, "%s, uid %u", cause, uid);
}

/**
 * change_text() - Why a generation is in force, and what that has changed
 * @change: what is known of it
 * @text: set to "(policy apply, uid 0): +1 -0 rules, 2 connections cut", as far as it is known
 */
void change_text(const struct change *change, char text[CHANGE_TEXT_MAX])
{
	char who[CHANGE_TEXT_MAX];
	int len;

	change_who(change->cause, change->uid, who);
	len = snprintf(text, CHANGE_TEXT_MAX, "(%.60s)", who);
	if (change->state == CHANGE_COUNTED)
		len += snprintf(text + len, CHANGE_TEXT_MAX - len, ": +%u -%u rules",
				change->rules_added, change->rules_removed);
	if (change->state == CHANGE_COUNTED && change->cut != CHANGE_NO_COUNT)
		snprintf(text + len, CHANGE_TEXT_MAX - len, ", %u connection%s cut", change->cut,
			 change->cut == 1 ? "" : "s");
}
