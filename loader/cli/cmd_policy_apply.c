/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrike policy apply, with and without --confirm, and shrike policy confirm.
 *
 * A command that waits to be confirmed stays in the foreground and takes the policy back at the
 * deadline, and when a signal ends it or its terminal goes: a session that the policy has cut off
 * takes it back sooner.  If it is killed, `run` or the next command does so after the deadline.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/output.h"
#include "base/value.h"
#include "change_record.h"
#include "cli/change_print.h"
#include "cli/cmd_policy.h"
#include "cli/policy_source.h"
#include "daemon/beat.h"
#include "dataplane/apply.h"
#include "dataplane/confirm.h"
#include "dataplane/set_deadlines.h"
#include "follow/follow_status.h"
#include "simulate/policy_tests.h"

#define LOOK_NS 100000000 /* how often a waiting command looks whether it is confirmed */

/* A policy that waits to be confirmed, as its command sees it. */
struct waiting {
	const char *ifname;
	uint32_t seconds;
	bool json;
	const struct map_set *maps;
	sigset_t signals;
};

static const char *name_of(const struct undo *undo)
{
	return undo->policy_path[0] ? undo->policy_path : "the default policy";
}

/* Let the earlier policy return. */
static int take_back(const char *ifname, uint32_t id, struct error *error)
{
	struct dataplane_request request = {
		.ifname = ifname,
		.revert = true,
		.revert_id = id,
		.caller = DATAPLANE_APPLY,
		.cause = "not confirmed",
		.uid = getuid(),
		.warn = command_warn,
	};
	struct dataplane *dataplane;
	int err = dataplane_apply(&request, &dataplane, error);

	if (!err)
		dataplane_free(dataplane);
	return err;
}

/* Take back what nobody confirmed, if whoever should have done so is gone. */
static int settle(const char *ifname, int ifindex, struct error *error)
{
	struct undo undo;
	struct attached attached;
	uint32_t id;
	int err = attached_open(ifindex, &attached, error);

	if (err)
		return error_prefix(error, "%s", ifname);
	id = confirm_id(&attached.maps);
	if (confirm_is_due(&attached.maps))
		err = confirm_read(&attached.maps, &undo, error);
	else
		id = 0;
	attached_close(&attached);
	if (err || !id)
		return err;
	err = take_back(ifname, id, error);
	if (!err)
		fprintf(stderr,
			"shrike: warning: %s: nobody confirmed the policy in time: back to %s\n",
			ifname, name_of(&undo));
	return err == -EALREADY ? 0 : err;
}

/* Take elements out of sets whose time is over, if nobody is there who does. */
static void expire(const char *ifname, int ifindex)
{
	struct set_expiry expiry = {.n = 0};
	struct dataplane_request request = {
		.ifname = ifname,
		.edit = set_deadlines_expire,
		.edit_arg = &expiry,
		.caller = DATAPLANE_APPLY,
		.cause = SET_TIMEOUT_CAUSE,
		.subject = expiry.subject,
		.uid = CHANGE_NO_UID,
		.warn = command_warn,
	};
	struct dataplane *dataplane;
	struct attached attached;
	struct error error;
	uint64_t next_ns;
	int err = attached_open(ifindex, &attached, &error);

	if (err)
		return;
	next_ns = set_deadlines_next(&attached.maps);
	attached_close(&attached);
	if (set_deadlines_now_ns() < next_ns || beat_is_there(ifname))
		return;
	err = dataplane_apply(&request, &dataplane, &error);
	if (!err)
		dataplane_free(dataplane);
	if (err && err != -ECANCELED)
		fprintf(stderr,
			"shrike: warning: %s: elements of sets stay though their time is over: "
			"%s\n",
			ifname, error.text);
	else if (!err)
		fprintf(stderr,
			"shrike: warning: %s: %zu element%s of sets had stayed beyond the time, as "
			"'shrike run' is not there\n",
			ifname, expiry.n, expiry.n == 1 ? "" : "s");
}

/**
 * policy_command_interface() - The interface whose policy is meant, attached and settled
 * @given: as for command_interface()
 * @name: set to its name
 * @ifindex: set to its index
 * @error: set on failure
 *
 * A policy that waited in vain to be confirmed is taken back first, and elements of sets whose time is over
 * are taken out.
 *
 * Return: 0 or -errno.
 */
int policy_command_interface(const char *given, char name[IF_NAMESIZE], int *ifindex,
			     struct error *error)
{
	int err = command_interface(given, name, ifindex, error);

	if (!err)
		err = settle(name, *ifindex, error);
	if (!err)
		expire(name, *ifindex);
	return err;
}

/* Whether the wait is over; @undo shows how.  A signal is the same as the end of the time. */
static bool is_over(const struct waiting *waiting, struct undo *undo, const char **why)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	int signal = sigtimedwait(&waiting->signals, NULL, &pause);
	struct error ignored;

	if (confirm_read(waiting->maps, undo, &ignored))
		undo->state = UNDO_NONE;
	if (undo->state != UNDO_PENDING)
		return true;
	*why = signal == SIGINT		       ? "interrupted"
	       : signal == SIGTERM	       ? "told to end"
	       : signal == SIGHUP	       ? "the terminal has gone"
	       : confirm_is_due(waiting->maps) ? "not confirmed in time"
					       : NULL;
	return *why;
}

/* Wait until the policy is confirmed; else take it back. */
static int wait_for_confirmation(const struct waiting *waiting, struct error *error)
{
	const char *why = "not confirmed in time";
	struct undo undo = {.state = UNDO_PENDING};
	int err = 0;

	confirm_read(waiting->maps, &undo, error);
	if (!waiting->json)
		printf("%s: applied; to keep it: shrike policy confirm %s\n"
		       "%s: without that, back to %s in %u s\n",
		       waiting->ifname, waiting->ifname, waiting->ifname, name_of(&undo),
		       waiting->seconds);
	fflush(stdout);
	while (!is_over(waiting, &undo, &why))
		;
	if (undo.state == UNDO_CONFIRMED) {
		if (waiting->json)
			return output_json(json_pack("{s:o,s:b}", "interface",
						     output_json_text(waiting->ifname), "confirmed",
						     1),
					   stdout, error);
		printf("%s: confirmed\n", waiting->ifname);
		return 0;
	}
	if (undo.state == UNDO_PENDING)
		err = take_back(waiting->ifname, confirm_id(waiting->maps), error);
	if (err && err != -EALREADY)
		return error_prefix(error, "%s: %s, and cannot go back", waiting->ifname, why);
	if (undo.state == UNDO_CONFIRMED) /* in the last moment */
		return 0;
	return error_set(error, ETIME, "%s: %s: back to %s", waiting->ifname, why, name_of(&undo));
}

/* What the map that is followed may have, and does not have now. */
static void warn_of_missing(const struct policy *policy)
{
	char text[256];

	for (size_t i = 0; i < policy->n_missing; i++) {
		snprintf(text, sizeof(text),
			 "unknown name '%.80s': it matches nothing until NetBird's map has it",
			 policy->missing[i].name);
		command_warn(text, NULL);
	}
}

/* Put a policy into force, and wait for its confirmation if one was asked for. */
static int apply(struct dataplane_request *request, bool json, struct error *error)
{
	struct waiting waiting = {
		.ifname = request->ifname,
		.seconds = request->confirm_s,
		.json = json,
	};
	struct dataplane *dataplane;
	int err;

	if (request->confirm_s) {
		sigemptyset(&waiting.signals);
		sigaddset(&waiting.signals, SIGINT);
		sigaddset(&waiting.signals, SIGTERM);
		sigaddset(&waiting.signals, SIGHUP);
		sigprocmask(SIG_BLOCK, &waiting.signals, NULL);
		signal(SIGPIPE, SIG_IGN);
	}
	err = change_apply(request, json, &dataplane, error);
	if (err)
		return err;
	waiting.maps = &dataplane->generation->maps;
	warn_of_missing(dataplane->policy);
	if (request->confirm_s)
		err = wait_for_confirmation(&waiting, error);
	dataplane_free(dataplane);
	return err;
}

/* "60" and "60s" are the same here; durations of the policy file are understood too. */
static int parse_seconds(const char *text, uint32_t *seconds, struct error *error)
{
	uint64_t value;

	if (!number_parse(text, 1, CONFIRM_SECONDS_MAX, &value, error)) {
		*seconds = value;
		return 0;
	}
	if (!duration_parse(text, &value, error) && value >= NS_PER_S &&
	    value <= CONFIRM_SECONDS_MAX * NS_PER_S) {
		*seconds = value / NS_PER_S;
		return 0;
	}
	return error_input(error, "--confirm %.32s: not a number of seconds from 1 to %d", text,
			   CONFIRM_SECONDS_MAX);
}

/**
 * policy_command_apply() - shrike policy apply
 */
int policy_command_apply(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"confirm", required_argument, NULL, 'c'},
		COMMON_LONG_OPTIONS,
		{},
	};
	struct dataplane_request request = {
		.caller = DATAPLANE_APPLY,
		.verify = policy_tests_verify,
		.cause = "policy apply",
		.warn = command_warn,
	};
	struct follow_status followed;
	char name[IF_NAMESIZE], path[PATH_MAX];
	struct error error;
	bool json = false;
	int option, err = 0, ifindex;

	while ((option = command_option(argc, argv, "jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == 'c')
			err = parse_seconds(optarg, &request.confirm_s, &error);
		else if (option == 'j')
			json = true;
		else if (option == 'v')
			generation_verbose(true);
		else
			return command_unknown_option(command, argv);
		if (err)
			return command_fail(&error);
	}
	if (argc - optind < 1 || argc - optind > 2)
		return command_usage(command, "a policy file is needed");
	request.ifname = name;
	request.policy_path = path;
	err = policy_source_path(argv[argc - 1], path, &error);
	if (!err)
		err = policy_command_interface(argc - optind == 2 ? argv[optind] : NULL, name,
					       &ifindex, &error);
	request.keeps_part = !err && follow_status_read(name, &followed);
	if (!err)
		err = apply(&request, json, &error);
	return err ? command_fail(&error) : EXIT_DONE;
}

/**
 * policy_command_confirm() - shrike policy confirm
 */
int policy_command_confirm(const struct command *command, int argc, char **argv)
{
	char name[IF_NAMESIZE];
	struct error error;
	bool json = false;
	int err, ifindex, status = command_parse_json(command, argc, argv, 1, &json);

	if (status >= 0)
		return status;
	err = policy_command_interface(argv[optind], name, &ifindex, &error);
	if (!err)
		err = confirm_accept(name, ifindex, &error);
	if (!err && json)
		err = output_json(
			json_pack("{s:o,s:b}", "interface", output_json_text(name), "confirmed", 1),
			stdout, &error);
	else if (!err)
		printf("%s: the policy stays\n", name);
	return err ? command_fail(&error) : EXIT_DONE;
}
