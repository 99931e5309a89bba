/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/attached.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "forwarder.h"
#include "maps.h"
#include "policy/parse.h"
#include "policy/parse_names.h"

/* How often attached_open() looks again where the generation is replaced while it looks. */
#define OPEN_ATTEMPTS 16

/**
 * attached_is_ours() - Whether an ingress program of ours runs
 * @hooks: as hooks_query() filled them
 */
bool attached_is_ours(const struct hook_state hooks[HOOK_POINTS])
{
	return hooks[HOOK_POINT_XDP].prog_id || hooks[HOOK_POINT_TC_INGRESS].prog_id;
}

/* Add the maps that a program uses. */
static int add_maps(struct attached *attached, uint32_t prog_id, struct error *error)
{
	int fd, err;

	if (!prog_id)
		return 0;
	fd = bpf_prog_get_fd_by_id(prog_id);
	if (fd < 0)
		return error_set(error, errno == ENOENT ? ESTALE : errno,
				 "cannot open program %u: %s", prog_id, strerror(errno));
	err = map_set_add_of_prog(&attached->maps, fd, error);
	close(fd);
	return err;
}

/* What the generation says of itself. */
static int read_instance(struct attached *attached, struct error *error)
{
	const struct map_entry *map = map_set_find(&attached->maps, MAP_INSTANCE);
	uint32_t zero = 0;

	if (!map || map->value_size != sizeof(attached->instance))
		return error_set(error, EPROTO,
				 "the programs on it belong to another version of shrike; "
				 "detach them with: shrike detach --force");
	if (bpf_map_lookup_elem(map->fd, &zero, &attached->instance))
		return error_set(error, errno, "cannot read BPF map instance_v2: %s",
				 strerror(errno));
	return 0;
}

/**
 * attached_none() - Say that nothing is attached to an interface, and what would be done about it
 * @ifname: the interface
 * @error: is set
 *
 * Return: -ENOENT.
 */
int attached_none(const char *ifname, struct error *error)
{
	return error_set(error, ENOENT,
			 "shrike is not attached; 'shrike run %s -c POLICY' attaches and stays",
			 ifname);
}

/* -ESTALE: what was found has been replaced before it could be opened. */
static int open_once(int ifindex, struct attached *attached, struct error *error)
{
	struct attached found = {.ifindex = ifindex};
	char name[IF_NAMESIZE];
	int err;

	map_set_init(&found.maps);
	err = hooks_query(ifindex, found.hooks, error);
	if (err)
		return err;
	if (!attached_is_ours(found.hooks))
		return attached_none(if_indextoname(ifindex, name) ?: "IFACE", error);
	found.ingress = found.hooks[HOOK_POINT_XDP].prog_id ? HOOK_POINT_XDP
							    : HOOK_POINT_TC_INGRESS;
	err = add_maps(&found, found.hooks[found.ingress].prog_id, error);
	if (!err)
		err = add_maps(&found, found.hooks[HOOK_POINT_TC_EGRESS].prog_id, error);
	if (!err)
		err = read_instance(&found, error);
	if (err) {
		attached_close(&found);
		return err;
	}
	*attached = found;
	return 0;
}

/**
 * attached_open() - Find the generation in force on an interface
 * @ifindex: the interface
 * @attached: is filled; to be closed with attached_close()
 * @error: set on failure
 *
 * Return: 0; -ENOENT: none is attached; or another -errno.
 */
int attached_open(int ifindex, struct attached *attached, struct error *error)
{
	int err = -ESTALE;

	for (int attempt = 0; attempt < OPEN_ATTEMPTS && err == -ESTALE; attempt++)
		err = open_once(ifindex, attached, error);
	return err;
}

/**
 * attached_forwarder_device() - The device by which TC hands packets to the forwarder
 * @device: is filled
 *
 * Return: whether there is one.
 */
bool attached_forwarder_device(const struct attached *attached, struct link_info *device)
{
	int fd = map_set_fd(&attached->maps, MAP_FORWARD_TUN);
	struct forward_tun tun;
	struct error ignored;
	uint32_t zero = 0;

	return fd >= 0 && !bpf_map_lookup_elem(fd, &zero, &tun) && tun.ifindex &&
	       !netlink_link_by_index(tun.ifindex, device, &ignored);
}

/**
 * attached_close() - Close the maps of a generation in force
 */
void attached_close(struct attached *attached)
{
	map_set_free(&attached->maps);
}

/**
 * attached_read_text() - A policy's text in one of the maps that hold such
 * @maps: of the generation
 * @name: policy_text_v1 or undo_text_v1
 * @want: its length
 * @text: set to the text, NUL-terminated; the caller frees it
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int attached_read_text(const struct map_set *maps, const char *name, size_t want, char **text,
		       struct error *error)
{
	const struct map_entry *map = map_set_find(maps, name);
	struct policy_chunk chunk;
	char *all;

	if (!map || map->value_size != sizeof(chunk) ||
	    want > (size_t)map->max_entries * POLICY_CHUNK)
		return error_set(error, ENOENT, "the generation in force has no policy text");
	all = malloc(want + 1);
	if (!all)
		return error_no_memory(error);
	for (uint32_t key = 0; key * (size_t)POLICY_CHUNK < want; key++) {
		size_t off = key * (size_t)POLICY_CHUNK, left = want - off;

		if (bpf_map_lookup_elem(map->fd, &key, &chunk)) {
			free(all);
			return error_set(error, errno, "cannot read BPF map %s: %s", name,
					 strerror(errno));
		}
		memcpy(all + off, chunk.text, left < POLICY_CHUNK ? left : POLICY_CHUNK);
	}
	all[want] = '\0';
	*text = all;
	return 0;
}

/**
 * attached_policy_text() - The policy in force as it was read
 * @attached: the generation
 * @text: set to the text, NUL-terminated; the caller frees it
 * @len: set to its length
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int attached_policy_text(const struct attached *attached, char **text, size_t *len,
			 struct error *error)
{
	size_t want = attached->instance.policy_len;
	int err = attached_read_text(&attached->maps, MAP_POLICY_TEXT, want, text, error);

	if (!err)
		*len = want;
	return err;
}

/**
 * attached_policy() - The policy in force
 * @attached: the generation
 * @policy: set to it; to be freed with policy_free()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int attached_policy(const struct attached *attached, struct policy **policy, struct error *error)
{
	const char *path = attached->instance.policy_path;
	char *text;
	size_t len;
	int err = attached_policy_text(attached, &text, &len, error);

	if (err)
		return err;
	err = policy_parse(path[0] ? path : NULL, text, len, policy, error);
	free(text);
	return err;
}

/**
 * attached_names() - The names of the policy in force
 * @attached: the generation
 * @names: is filled; to be freed with names_free(); there are none on failure, which who only shows
 *	   addresses need not mind: the text may be of another version of shrike
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int attached_names(const struct attached *attached, struct names *names, struct error *error)
{
	char *text;
	size_t len;
	int err = attached_policy_text(attached, &text, &len, error);

	*names = (struct names){0};
	if (err)
		return err;
	err = names_read(text, len, names, error);
	free(text);
	return err;
}

static void add_counter(struct counter *to, const struct counter *from)
{
	to->packets += from->packets;
	to->bytes += from->bytes;
}

/**
 * attached_counters_read() - The counters, summed over all CPUs
 * @map_fd: counters_v3, of this version's layout
 * @totals: by enum direction
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int attached_counters_read(int map_fd, struct counters totals[DIR_MAX], struct error *error)
{
	int n_cpus = libbpf_num_possible_cpus();
	struct counters *cpus;

	if (n_cpus < 0)
		return error_set(error, -n_cpus, "cannot count the CPUs: %s", strerror(-n_cpus));
	cpus = calloc(n_cpus, sizeof(*cpus));
	if (!cpus)
		return error_no_memory(error);
	memset(totals, 0, DIR_MAX * sizeof(*totals));
	for (uint32_t direction = 0; direction < DIR_MAX; direction++) {
		struct counters *total = &totals[direction];

		if (bpf_map_lookup_elem(map_fd, &direction, cpus)) {
			free(cpus);
			return error_set(error, errno, "cannot read BPF map counters_v3: %s",
					 strerror(errno));
		}
		for (int cpu = 0; cpu < n_cpus; cpu++) {
			add_counter(&total->seen, &cpus[cpu].seen);
			add_counter(&total->tcp_out_of_window, &cpus[cpu].tcp_out_of_window);
			add_counter(&total->translated, &cpus[cpu].translated);
			for (int i = 0; i < VERDICT_MAX; i++)
				add_counter(&total->verdict[i], &cpus[cpu].verdict[i]);
			for (int i = 0; i < REASON_MAX; i++)
				add_counter(&total->reason[i], &cpus[cpu].reason[i]);
		}
	}
	free(cpus);
	return 0;
}

/**
 * attached_counters() - attached_counters_read() of a generation
 * @maps: of the generation
 * @totals: by enum direction
 * @error: why not
 *
 * Return: 0 or -errno.
 */
int attached_counters(const struct map_set *maps, struct counters totals[DIR_MAX],
		      struct error *error)
{
	/* a version with another number of reasons has other counters */
	const struct map_entry *map = map_set_require(maps, MAP_COUNTERS, sizeof(*totals), error);

	if (!map)
		return -error->code;
	return attached_counters_read(map->fd, totals, error);
}
