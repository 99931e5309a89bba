/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether this host's own programs let a probe out, and its answer in.
 */
#ifndef SHRIKE_CLI_PATH_STAGES_H
#define SHRIKE_CLI_PATH_STAGES_H

#include "dataplane/clone.h"
#include "packet/build.h"

/* A clone of the generation in force, to be asked. */
struct path_stages {
	struct attached attached;
	struct testrun testrun;
	struct clone clone;
};

/*
 * struct path_stage - what became of a packet
 * @drops: whether it ends here
 * @no_connection: because it belongs to none that is known
 * @title, @message: of the stage that decided
 * @rule: id of the rule, empty: none
 */
struct path_stage {
	bool drops;
	bool no_connection;
	const char *title;
	const char *reason;
	char message[256];
	char rule[RULE_ID_MAX];
};

int path_stages_open(struct path_stages *stages, int ifindex, struct error *error);
int path_stages_ask(struct path_stages *stages, const struct packet_spec *spec,
		    enum direction direction, struct path_stage *stage, struct error *error);
void path_stages_close(struct path_stages *stages);

#endif /* SHRIKE_CLI_PATH_STAGES_H */
