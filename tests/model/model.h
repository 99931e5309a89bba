/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A reference model: what becomes of each packet of a scenario, by the specification alone.
 *
 * It is written to be read, shares nothing with the programs but the headers of the ABI, keeps
 * flows and fragments in plain lists of any length, and takes its time.  What it shares with the
 * loader is the parsed policy as its input.
 */
#ifndef SHRIKE_TESTS_MODEL_MODEL_H
#define SHRIKE_TESTS_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"
#include "model/packet.h"
#include "reason.h"
#include "simulate/scenario.h"

struct model;

/*
 * struct model_result - what became of a packet
 * @rule_id: of the rule that decided, empty: none
 * @state: of its connection after it, FLOW_STATE_NONE: it has none
 * @out_of_window: it is a TCP segment that did not fit its connection
 * @packet: as it left, for model_bytes_same(); its bytes are valid until the next step
 */
struct model_result {
	enum verdict verdict;
	enum reason reason;
	char rule_id[RULE_ID_MAX];
	enum flow_state state;
	bool out_of_window;
	struct model_packet packet;
};

struct model *model_new(const struct scenario *scenario);
void model_step(struct model *model, const struct scenario_step *step, struct model_result *result);
void model_free(struct model *model);

#endif /* SHRIKE_TESTS_MODEL_MODEL_H */
