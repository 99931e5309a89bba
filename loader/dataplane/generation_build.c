/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/generation_build.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "classify/classifier.h"
#include "classify/install.h"
#include "conntrack/tables.h"
#include "dataplane/generation_config.h"
#include "dataplane/generation_fill.h"
#include "dataplane/generation_state.h"
#include "dataplane/recording.h"
#include "dataplane/set_deadlines.h"
#include "fragment.h"
#include "maps.h"
#include "masquerade.h"
#include "policy/block_list.h"
#include "shrike.skel.h"
#include "version.h"

#define VERIFIER_LOG (16 << 20)
#define PROGRAMS     4 /* that judge or carry packets */

/* Each map of the programs is in one of the lists, and each of these is a map of the programs. */
#define SIZE(name)	 sizeof(((struct shrike_bpf *)NULL)->maps.name)
#define MAP(id, name)	 +SIZE(name)
#define TABLE(name, ...) +SIZE(name)
_Static_assert(sizeof(((struct shrike_bpf *)NULL)->maps) ==
		       SIZE(rodata) + SIZE(bss) MAPS(MAP) FLOW_TABLES(TABLE),
	       "a map is missing in maps.h or in FLOW_TABLES");
#undef TABLE
#undef MAP
#undef SIZE

/* Half-open and unanswered flows wait in a table of their own; a small limit needs all of it. */
static uint32_t unconfirmed_entries(uint32_t limit)
{
	if (limit <= 4096)
		return limit;
	return limit / 4 > 4096 ? limit / 4 : 4096;
}

static uint32_t conntrack_entries(const struct policy_limits *limits,
				  const struct conntrack_map *map)
{
	uint32_t limit = limits->icmp;

#define PROTOCOL(id, name, number)                                                                 \
	if (map->l4_proto == number)                                                               \
		limit = limits->name;
	PORT_PROTOCOLS(PROTOCOL)
#undef PROTOCOL
	if (map->l4_proto == CONNTRACK_OTHER)
		limit = limits->other;
	return map->confirmed ? limit : unconfirmed_entries(limit);
}

/* As many as there may be flows; without `routing: nat` there are none. */
static uint32_t snat_entries(const struct generation_spec *spec)
{
	const struct policy_limits *limits = &spec->policy->limits;

	if (spec->mode->routing != ROUTING_NAT)
		return 1;
	return limits->tcp + limits->udp + limits->icmp + unconfirmed_entries(limits->tcp) +
	       unconfirmed_entries(limits->udp) + unconfirmed_entries(limits->icmp);
}

/* Share a map of state with the generation in force, or make it anew in the size asked for. */
static int share_map(struct bpf_object *object, const struct map_set *previous, const char *name,
		     uint32_t entries, struct error *error)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);
	const struct map_entry *shared = previous ? map_set_find(previous, name) : NULL;
	int err;

	if (!map)
		return error_set(error, ENOENT, "no BPF map %s in this program", name);
	if (!entries)
		entries = bpf_map__max_entries(map);
	if (shared && shared->max_entries == entries &&
	    shared->key_size == bpf_map__key_size(map) &&
	    shared->value_size == bpf_map__value_size(map))
		err = bpf_map__reuse_fd(map, shared->fd);
	else
		err = bpf_map__set_max_entries(map, entries);
	if (err)
		return error_set(error, -err, "BPF map %s: %s", name, strerror(-err));
	return 0;
}

/*
 * Share what leads answers to peers: with other interfaces, in the size that the first of them has
 * made it, else with the generation in force.
 */
static int share_answers(struct bpf_object *object, const struct generation_spec *spec,
			 const char *name, struct error *error)
{
	const struct map_entry *others = spec->answers ? map_set_find(spec->answers, name) : NULL;

	if (others)
		return share_map(object, spec->answers, name, others->max_entries, error);
	return share_map(object, spec->previous, name, snat_entries(spec), error);
}

/* Whether the generation in force waits to be confirmed, and what for: still so after this one. */
static int share_undo(struct bpf_object *object, const struct map_set *previous,
		      struct error *error)
{
	const struct map_entry *text = map_set_find(previous, MAP_UNDO_TEXT);
	int err = share_map(object, previous, MAP_UNDO, 0, error);

	if (!err && text)
		err = share_map(object, previous, text->name, text->max_entries, error);
	return err;
}

/*
 * The forwarder's sockets take packets of the device that they are bound to alone.  What is redirected
 * to one of another device is lost, and nobody counts it.  An empty slot says that there is no
 * forwarder.
 */
static int share_queues(struct bpf_object *object, const struct generation_spec *spec,
			struct error *error)
{
	const struct instance *previous = spec->instance_previous;
	bool is_same_device = previous && previous->config.ifindex == spec->ifindex;

	return share_map(object, is_same_device ? spec->previous : NULL, MAP_XSKS, 0, error);
}

/*
 * Records are laid out by the reasons that there are, and have their numbers, so those of a version with
 * other reasons are not taken over.  The counters, one for each reason, tell.
 */
static int share_records(struct bpf_object *object, const struct generation_spec *spec,
			 struct error *error)
{
	const struct map_entry *counters = spec->previous
						   ? map_set_find(spec->previous, MAP_COUNTERS)
						   : NULL;
	bool has_same_reasons = counters && counters->value_size == sizeof(struct counters);

	return share_map(object, has_same_reasons ? spec->previous : NULL, MAP_RECORDER,
			 recording_entries(spec), error);
}

/* Use the state maps of the generation in force, as far as they fit. */
static int share_state(struct bpf_object *object, const struct generation_spec *spec,
		       struct error *error)
{
	static const char *const addresses[] = {MAP_LOCAL_FILTER, MAP_LOCAL_ADDR, MAP_LOCAL_PREFIX,
						MAP_CT_EPOCH};
	static const char *const others[] = {MAP_CT_SERVED, MAP_CT_PRESSURE, MAP_NUMBERS,
					     MAP_COUNTERS,  MAP_FORWARDER,   MAP_FORWARD_TUN,
					     MAP_FLOW_GATE, MAP_FLOW_RINGS};
	static const char *const answers[] = {MAP_SNAT_IN4, MAP_SNAT_IN6};
	const struct policy_limits *limits = &spec->policy->limits;
	int err = 0;

	for (size_t i = 0; i < CONNTRACK_TABLES && !err; i++)
		err = share_map(object, spec->previous, conntrack_maps[i].name,
				conntrack_entries(limits, &conntrack_maps[i]), error);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses) && !err; i++)
		err = share_map(object, spec->own_addresses ? NULL : spec->previous, addresses[i],
				0, error);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others) && !err; i++)
		err = share_map(object, spec->previous, others[i], 0, error);
	if (!err)
		err = share_records(object, spec, error);
	if (!err)
		err = share_queues(object, spec, error);
	if (!err)
		err = share_map(object, spec->previous, MAP_FRAGMENTS, limits->fragments, error);
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers) && !err; i++)
		err = share_answers(object, spec, answers[i], error);
	if (!err && spec->keep_undo)
		err = share_undo(object, spec->previous, error);
	return err;
}

/* Describe the generation for later commands. */
static void set_instance(const struct generation_spec *spec, const struct config *config,
			 struct instance *instance)
{
	const struct policy *policy = spec->policy;

	instance->applied_ns = clock_ns(CLOCK_REALTIME);
	instance->config = *config;
	instance->policy_len = policy->text_len;
	instance->rules = policy->acl[ACL_PEER].n_rules + policy->acl[ACL_ROUTE].n_rules;
	instance->mtu = spec->mtu;
	snprintf(instance->version, sizeof(instance->version), "%s", SHRIKE_VERSION);
	snprintf(instance->policy_path, sizeof(instance->policy_path), "%s",
		 policy->path ? policy->path : "");
	snprintf(instance->routing_why, sizeof(instance->routing_why), "%s",
		 spec->mode->routing_why);
	snprintf(instance->hook_why, sizeof(instance->hook_why), "%s", spec->mode->hook_why);
	snprintf(instance->environment, sizeof(instance->environment), "%s",
		 spec->environment_text ? spec->environment_text : "");
}

static size_t text_chunks(size_t len)
{
	return (len + POLICY_CHUNK - 1) / POLICY_CHUNK;
}

/* Set the sizes of maps that depend on the policy. */
static int set_sizes(struct bpf_object *object, const struct generation_spec *spec, size_t n_rules,
		     struct error *error)
{
	const struct policy *policy = spec->policy;
	const struct {
		const char *name;
		size_t entries;
	} sizes[] = {
		{MAP_RULES, n_rules},
		{MAP_RULE_HITS, n_rules},
		{MAP_NAT_PORT, policy->n_nat_port},
		{MAP_NAT_ORIG, policy->n_one_to_one},
		{MAP_NAT_TRANS, policy->n_one_to_one},
		{MAP_POLICY_TEXT, text_chunks(policy->text_len)},
		{MAP_SET_DEADLINE, set_deadlines_count(policy)},
		{spec->undo ? MAP_UNDO_TEXT : NULL,
		 spec->undo ? text_chunks(spec->undo->policy_len) : 0},
	};
	int err;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct bpf_map *map;

		if (!sizes[i].name)
			continue;
		map = bpf_object__find_map_by_name(object, sizes[i].name);
		err = bpf_map__set_max_entries(map, sizes[i].entries ? sizes[i].entries : 1);
		if (err)
			return error_set(error, -err, "BPF map %s: %s", sizes[i].name,
					 strerror(-err));
	}
	return 0;
}

/* The verifier's last words, without its statistics. */
static void last_words(const char *log, char *words, size_t size)
{
	const char *end = log + strlen(log);

	words[0] = '\0';
	while (end > log) {
		const char *start = end;

		while (start > log && start[-1] != '\n')
			start--;
		if (start < end && strncmp(start, "verification time", 17) &&
		    strncmp(start, "stack depth", 11) && strncmp(start, "processed ", 10)) {
			snprintf(words, size, "%.*s", (int)(end - start), start);
			return;
		}
		end = start > log ? start - 1 : log;
	}
}

/* Load the programs of the hook that the mode names. */
static int load_programs(struct generation *generation, const struct generation_spec *spec,
			 struct error *error)
{
	enum hook hook = generation->instance.config.hook;
	struct shrike_bpf *skeleton = generation->skeleton;
	struct bpf_program *ingress = hook == HOOK_XDP ? skeleton->progs.shrike_xdp
						       : skeleton->progs.shrike_ingress;
	struct bpf_program *programs[PROGRAMS] = {ingress, skeleton->progs.shrike_egress,
						  skeleton->progs.shrike_uplink,
						  skeleton->progs.shrike_uplinkl3};
	bool has_uplinks = generation->instance.config.routing == ROUTING_NAT &&
			   (!spec->clone || spec->virtual_clock || !spec->dry_run);
	char *log = mmap(NULL, PROGRAMS * VERIFIER_LOG, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char words[256] = "";
	int err;

	if (log == MAP_FAILED)
		return error_set(error, errno, "verifier log: %s", strerror(errno));
	bpf_program__set_autoload(skeleton->progs.shrike_xdp, hook == HOOK_XDP);
	bpf_program__set_autoload(skeleton->progs.shrike_ingress, hook == HOOK_TC);
	bpf_program__set_autoload(skeleton->progs.shrike_egress, !spec->rules_only);
	bpf_program__set_autoload(skeleton->progs.shrike_event, !spec->clone);
	bpf_program__set_autoload(skeleton->progs.shrike_uplink, has_uplinks);
	bpf_program__set_autoload(skeleton->progs.shrike_uplinkl3, has_uplinks);
	for (int i = 0; i < PROGRAMS; i++)
		bpf_program__set_log_buf(programs[i], log + i * VERIFIER_LOG, VERIFIER_LOG);
	err = shrike_bpf__load(skeleton);
	if (err) {
		for (int i = 0; i < PROGRAMS && !words[0]; i++)
			last_words(log + i * VERIFIER_LOG, words, sizeof(words));
		error_set(error, -err, "cannot load the BPF programs: %s%s%s", strerror(-err),
			  words[0] ? ": " : "", words);
	}
	munmap(log, PROGRAMS * VERIFIER_LOG);
	if (err)
		return -error->code;
	generation->ingress_fd = bpf_program__fd(ingress);
	generation->egress_fd = spec->rules_only ? -1
						 : bpf_program__fd(skeleton->progs.shrike_egress);
	generation->uplink_fds[0] = has_uplinks ? bpf_program__fd(programs[2]) : -1;
	generation->uplink_fds[1] = has_uplinks ? bpf_program__fd(programs[3]) : -1;
	generation->event_fd = spec->clone ? -1 : bpf_program__fd(skeleton->progs.shrike_event);
	return 0;
}

/* Collect the maps, and bind those that no program reads to the ingress program's life. */
static int collect_maps(struct generation *generation, struct error *error)
{
	struct bpf_object *object = generation->skeleton->obj;
	struct bpf_map *map;
	int err;

	bpf_object__for_each_map(map, object)
	{
		int fd = fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			return error_set(error, errno, "cannot duplicate a map: %s",
					 strerror(errno));
		err = map_set_add(&generation->maps, fd, error);
		if (err)
			return err;
		err = bpf_prog_bind_map(generation->ingress_fd, bpf_map__fd(map), NULL);
		if (err && err != -EEXIST)
			return error_set(error, -err, "cannot bind BPF map %s: %s",
					 bpf_map__name(map), strerror(-err));
	}
	return 0;
}

/* Everything before the programs are loaded: sizes, shared maps, read-only data. */
static int prepare(struct generation *generation, const struct generation_spec *spec,
		   struct error *error)
{
	struct bpf_object *object;
	struct next_numbers numbers;
	struct config *config;
	int err;

	err = generation_next_numbers(spec, &numbers, error);
	if (err)
		return err;
	err = classifier_compile(spec->policy, spec->overlay, spec->n_overlay,
				 CLASSIFIER_BUDGET_BYTES, &generation->classifier, error);
	if (err)
		return err;
	generation->skeleton = shrike_bpf__open();
	if (!generation->skeleton)
		return error_set(error, errno, "cannot open the BPF object: %s", strerror(errno));
	object = generation->skeleton->obj;
	config = (struct config *)&generation->skeleton->rodata->config;
	generation_config(spec, numbers.generation, config);
	config->peer_groups = classifier_config(generation->classifier)->groups;
	set_instance(spec, config, &generation->instance);
	generation->instance.next_rule_number = numbers.rule;
	memcpy((void *)&generation->skeleton->rodata->classify_config,
	       classifier_config(generation->classifier), sizeof(struct classify_config));
	recording_layout(spec, (struct recorder_layout *)&generation->skeleton->rodata->recorder);
	err = block_list_compile(spec->policy,
				 (struct blocked_table *)&generation->skeleton->rodata->blocked,
				 error);
	if (!err)
		err = share_state(object, spec, error);
	if (!err)
		err = set_sizes(object, spec, classifier_n_rules(generation->classifier), error);
	if (!err)
		err = classifier_configure(generation->classifier, object, error);
	return err;
}

/* The read-only data of the generation in force, and its settings that a clone may change. */
static int copy_rodata(struct generation *generation, const struct generation_spec *spec,
		       struct error *error)
{
	struct shrike_bpf *skeleton = generation->skeleton;
	const char *name = bpf_map__name(skeleton->maps.rodata);
	const struct map_entry *from = map_set_find(spec->previous, name);
	struct config *config = (struct config *)&skeleton->rodata->config;
	uint32_t zero = 0;

	if (!from || from->value_size != bpf_map__value_size(skeleton->maps.rodata))
		return error_set(error, EPROTO,
				 "the programs in force belong to another version of shrike");
	if (bpf_map_lookup_elem(from->fd, &zero, (void *)skeleton->rodata))
		return error_set(error, errno, "cannot read BPF map %s: %s", name, strerror(errno));
	config->dry_run = spec->dry_run;
	config->trace = spec->trace;
	config->snap_len = spec->snap_len;
	config->virtual_clock = spec->virtual_clock;
	if (spec->rules_only) {
		config->stateful = false;
		/* who asks has headers alone, and cannot write this variable */
		skeleton->bss->virtual_frame_len = UINT16_MAX;
	}
	generation->instance = *spec->instance_previous;
	generation->instance.config = *config;
	return 0;
}

/* A clone's part of prepare(). */
static int prepare_clone(struct generation *generation, const struct generation_spec *spec,
			 struct error *error)
{
	const struct map_entry *shared;
	struct bpf_map *map;
	int err;

	generation->skeleton = shrike_bpf__open();
	if (!generation->skeleton)
		return error_set(error, errno, "cannot open the BPF object: %s", strerror(errno));
	bpf_object__for_each_map(map, generation->skeleton->obj)
	{
		/* a clone that is attached learns of changes of the host with the original */
		bool is_variables = map == generation->skeleton->maps.bss && !spec->dry_run;

		if ((bpf_map__is_internal(map) && !is_variables) ||
		    (spec->own_records && !strncmp(bpf_map__name(map), "trace_", 6)))
			continue;
		shared = map_set_require(spec->previous, bpf_map__name(map), 0, error);
		if (!shared)
			return -EPROTO;
		err = bpf_map__reuse_fd(map, shared->fd);
		if (err)
			return error_set(error, -err, "BPF map %s: %s", bpf_map__name(map),
					 strerror(-err));
	}
	return copy_rodata(generation, spec, error);
}

/**
 * generation_build() - Load the programs and tables of a policy, without attaching them
 * @spec: what for
 * @generation: set to the generation; the caller frees it with generation_free()
 * @error: set on failure
 *
 * Nothing that is in force is changed.
 *
 * Return: 0 or -errno.
 */
int generation_build(const struct generation_spec *spec, struct generation **generation,
		     struct error *error)
{
	struct generation *built = calloc(1, sizeof(*built));
	int err;

	if (!built)
		return error_no_memory(error);
	map_set_init(&built->maps);
	err = spec->clone ? prepare_clone(built, spec, error) : prepare(built, spec, error);
	if (!err)
		err = load_programs(built, spec, error);
	if (!err)
		err = collect_maps(built, error);
	if (!err && !spec->clone)
		err = generation_fill(spec, built, error);
	if (err) {
		generation_free(built);
		return err;
	}
	*generation = built;
	return 0;
}
