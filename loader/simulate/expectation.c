/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "simulate/expectation.h"

#include <stdio.h>
#include <string.h>

#include "base/names.h"
#include "conntrack/tables.h"
#include "flow.h"
#include "reason.h"
#include "trace/record_print.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Read the expected verdict. */
static int read_verdict(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const char *const names[] = {
#define VERDICT(id, name) [VERDICT_##id] = name,
		VERDICTS(VERDICT)
#undef VERDICT
			[VERDICT_MAX] = NULL,
	};
	struct expectation *expect = to;
	int err = yaml_read_choice(in->doc, node, names, &expect->verdict, in->error);

	expect->has_verdict = !err;
	return err;
}

/* One of the names of an enum whose list is too long to be quoted in a message. */
static int read_name(const struct yaml_reader *in, const struct yaml_node *node,
		     const struct name_list *names, unsigned int *id)
{
	unsigned int i;
	int err;

	err = yaml_expect(in->doc, node, YAML_SCALAR, names->what, in->error);
	if (err)
		return err;
	for (i = 0; i < names->n; i++) {
		if (!strcmp(node->text, names->name(i))) {
			*id = i;
			return 0;
		}
	}
	return yaml_error(in->doc, node->position, in->error, "'%.80s' is not %s", node->text,
			  names->what);
}

static int read_reason(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct expectation *expect = to;
	int err;

	err = read_name(in, node,
			&(struct name_list){"the name of a reason", reason_name, REASON_MAX},
			&expect->reason);
	expect->has_reason = !err;
	return err;
}

/* Read the expected connection state, or null for none. */
static int read_state(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct expectation *expect = to;
	int err = 0;

	if (yaml_is_null(node))
		expect->state = FLOW_STATE_NONE;
	else
		err = read_name(in, node,
				&(struct name_list){"the name of a connection state or null",
						    flow_state_name, FLOW_STATE_MAX},
				&expect->state);
	expect->has_state = !err;
	return err;
}

/* Read the id of the expected rule, or null for none. */
static int read_rule(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct expectation *expect = to;
	int err;

	expect->has_rule = true;
	expect->rule[0] = '\0';
	if (yaml_is_null(node))
		return 0;
	err = yaml_expect(in->doc, node, YAML_SCALAR, "a rule id or null", in->error);
	if (err)
		return err;
	if (!node->text[0] || strlen(node->text) >= sizeof(expect->rule))
		return yaml_error(in->doc, node->position, in->error,
				  "'%.80s' is not a rule id (1-%d bytes)", node->text,
				  RULE_ID_MAX - 1);
	strcpy(expect->rule, node->text);
	return 0;
}

/**
 * expectation_read() - Read the key "expect" of a scenario, as a yaml_read_fn
 * @in: the document, and where errors go
 * @node: a mapping of verdict, rule, reason and state, each of which may be left out
 * @to: struct expectation, empty so far
 *
 * Return: 0 or -EINVAL.
 */
int expectation_read(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const struct yaml_field fields[] = {
		{"verdict", read_verdict, 0},
		{"rule", read_rule, 0},
		{"reason", read_reason, 0},
		{"state", read_state, 0},
	};

	return yaml_read_fields(in, node, fields, ARRAY_SIZE(fields), to);
}

/**
 * expectation_given() - Whether anything at all is expected
 * @expect: what a scenario says about a packet
 */
bool expectation_given(const struct expectation *expect)
{
	return expect->has_verdict || expect->has_rule || expect->has_reason || expect->has_state;
}

/* Adds "KEY GOT, expected WANTED" unless the two are the same; NULL is "none". */
static void compare(char why[EXPECTATION_WHY_MAX], const char *key, const char *got,
		    const char *wanted)
{
	size_t len = strlen(why);
	bool same = got && wanted ? !strcmp(got, wanted) : got == wanted;

	if (!same)
		snprintf(why + len, EXPECTATION_WHY_MAX - len, "%s%s %s, expected %s",
			 len ? "; " : "", key, got ? got : "none", wanted ? wanted : "none");
}

/* A connection that is over and one that never was look the same from outside. */
static const char *state_word(unsigned int state)
{
	return flow_state_name(state == FLOW_STATE_CLOSED ? FLOW_STATE_NONE : state);
}

/**
 * expectation_holds() - Whether a packet came as expected
 * @expect: what the scenario says
 * @event: what the dataplane says
 * @rule_id: id of the rule with the number event->rule, NULL: none
 * @why: set to everything that differs, "verdict drop, expected pass; ...", or to ""
 *
 * Return: true if nothing differs.
 */
bool expectation_holds(const struct expectation *expect, const struct trace_event *event,
		       const char *rule_id, char why[EXPECTATION_WHY_MAX])
{
	why[0] = '\0';
	if (expect->has_verdict)
		compare(why, "verdict", verdict_name(event->verdict),
			verdict_name(expect->verdict));
	if (expect->has_rule)
		compare(why, "rule", rule_id, expect->rule[0] ? expect->rule : NULL);
	if (expect->has_reason)
		compare(why, "reason", reason_name(event->reason), reason_name(expect->reason));
	/* a connection that is over counts as none, too: its entry only stays for what is late */
	if (expect->has_state &&
	    !(expect->state == FLOW_STATE_NONE && event->flow_state == FLOW_STATE_CLOSED))
		compare(why, "state", state_word(event->flow_state), state_word(expect->state));
	return !why[0];
}
