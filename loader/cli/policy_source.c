/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/policy_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd_policy.h"
#include "dataplane/attached.h"
#include "policy/parse.h"
#include "yaml/yaml_file.h"

/* What the policy in force has been told to do about routing, whatever it was told by. */
static const enum policy_routing routings[ROUTING_MAX] = {
	[ROUTING_DISABLED] = POLICY_ROUTING_DISABLED,
	[ROUTING_NATIVE] = POLICY_ROUTING_NATIVE,
	[ROUTING_USERSPACE] = POLICY_ROUTING_USERSPACE,
	[ROUTING_NAT] = POLICY_ROUTING_NAT,
};

/**
 * policy_source_is_file() - Whether an argument is a file, not an interface: what looks like one
 */
bool policy_source_is_file(const char *argument)
{
	const char *dot = strrchr(argument, '.');

	return strchr(argument, '/') ||
	       (dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml") || !strcmp(dot, ".json")));
}

/**
 * policy_source_path() - Name the file of a policy that is to come into force
 * @given: as the user has written it
 * @path: set to a name that is the same file wherever it is read again: absolute, but for "-"
 * @error: set on failure
 *
 * Symbolic links stay, as they may lead to another file later.
 *
 * Return: 0 or -errno.
 */
int policy_source_path(const char *given, char path[PATH_MAX], struct error *error)
{
	bool is_relative = *given && *given != '/' && strcmp(given, YAML_STDIN);
	char folder[PATH_MAX] = "";

	if (is_relative && !getcwd(folder, sizeof(folder)))
		return error_set(error, errno, "%.256s: %s", given, strerror(errno));
	while (is_relative && !strncmp(given, "./", 2))
		given += 2 + strspn(given + 2, "/");
	if (snprintf(path, PATH_MAX, "%s%s%s", folder, is_relative ? "/" : "", given) >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "%.256s: %s", given, strerror(ENAMETOOLONG));
	return 0;
}

static const char *get_variable(const char *name, void *unused)
{
	(void)unused;
	return getenv(name);
}

static int read_file(struct policy_source *source, struct error *error)
{
	struct question *question = &source->question;
	int err = policy_load(source->argument, &question->scenario.policy, error);

	if (err)
		return err;
	environment_read(&question->environment, get_variable, NULL, command_warn, NULL);
	environment_apply(&question->environment, question->scenario.policy);
	return 0;
}

/* The policy in force, as what it was built for says. */
static int read_attached(struct policy_source *source, struct error *error)
{
	struct policy **policy = &source->question.scenario.policy;
	struct attached attached;
	size_t len;
	char *text = NULL;
	int ifindex,
		err = policy_command_interface(source->argument, source->ifname, &ifindex, error);

	if (!err)
		err = attached_open(ifindex, &attached, error);
	if (err)
		return error_prefix(error, "%s", source->argument);
	err = attached_policy_text(&attached, &text, &len, error);
	if (!err)
		err = policy_parse(attached.instance.policy_path, text, len, policy, error);
	if (!err) {
		const struct config *config = &attached.instance.config;

		(*policy)->mode.routing = routings[config->routing];
		(*policy)->mode.native_acl = config->native_acl;
		(*policy)->mode.netstack = config->netstack;
		(*policy)->mode.local_forwarding = config->local_forwarding;
		(*policy)->mode.stateful = config->stateful;
	}
	free(text);
	attached_close(&attached);
	return err;
}

/**
 * policy_source_read() - Read the policy that a user has named
 * @source: is filled; for policy_source_close(), even on failure
 * @argument: POLICY or IFACE
 * @ifname: of -i, for a file; NULL: none
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int policy_source_read(struct policy_source *source, const char *argument, const char *ifname,
		       struct error *error)
{
	*source = (struct policy_source){.argument = argument};
	if (ifname)
		snprintf(source->ifname, sizeof(source->ifname), "%s", ifname);
	if (policy_source_is_file(argument) || !strcmp(argument, "-") || !access(argument, F_OK))
		return read_file(source, error);
	return read_attached(source, error);
}

/**
 * policy_source_open() - Prepare for questions about a policy that was read
 * @source: the policy
 * @ifname: the interface that is meant, if it is another one than the policy's; NULL: its own
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int policy_source_open(struct policy_source *source, const char *ifname, struct error *error)
{
	if (!ifname && source->ifname[0])
		ifname = source->ifname;
	return question_open(&source->question, ifname, command_warn, error);
}

/**
 * policy_source_close() - Let go of a policy and of what questions it was asked
 */
void policy_source_close(struct policy_source *source)
{
	struct policy *policy = source->question.scenario.policy;

	question_close(&source->question);
	policy_free(policy);
}
