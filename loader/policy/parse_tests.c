/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tests of a policy: who is to reach what.
 */
#include "policy/parse_tests.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy/claim.h"
#include "policy/icmp_type.h"
#include "policy/parse_match.h"
#include "policy/parse_names.h"

/* Read who sends or gets packets; @to is a struct policy_test_end. */
static int parse_end(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	int missing, err = yaml_expect(in->doc, node, YAML_SCALAR,
				       "self, an address, a prefix or any", in->error);
	const struct parse *parse = in->context;
	struct policy_test_end *end = to;
	size_t n;

	if (err)
		return err;
	end->is_netbirds = parse_is_netbirds(in, parse_named(in, node, &n));
	err = claim_read_end(&parse->policy->names, node->text, end, in->error);
	if (err != -EINVAL)
		return err;
	/* it may be a name of NetBird's */
	end->is_netbirds = true;
	missing = parse_missing(in, node, node->text, node->text);
	return missing == -ENOENT ? yaml_locate(in->doc, node->position, in->error) : missing;
}

/* Whether one of several words with commas between them may be known to NetBird's next map. */
static bool is_missing(const struct yaml_reader *in, const struct yaml_node *node, char *list)
{
	const struct parse *parse = in->context;
	bool found = false;
	char *word;
	size_t n;

	while ((word = strsep(&list, ","))) {
		const char *name = strncmp(word, "set:", 4) ? word : word + 4;

		if (!names_find(&parse->policy->names, word, &n))
			found |= !parse_missing(in, node, word, name);
	}
	return found;
}

/* The same of who sends and who gets the packets of a sentence, its first word and its fourth one. */
static bool ends_are_missing(const struct yaml_reader *in, const struct yaml_node *node)
{
	char *copy = strdup(node->text), *rest = NULL;
	char *word = copy ? strtok_r(copy, " \t\n", &rest) : NULL;
	bool found = false;

	for (int i = 0; word; word = strtok_r(NULL, " \t\n", &rest), i++)
		if (i == 0 || i == 3)
			found |= is_missing(in, node, word);
	free(copy);
	return found;
}

/* Read a sentence; @to is the claim of a struct policy_test, which stays NULL where nothing is to judge. */
static int parse_assert(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct policy_test *test =
		(struct policy_test *)((char *)to - offsetof(struct policy_test, claim));
	const struct parse *parse = in->context;
	int err = yaml_expect(in->doc, node, YAML_SCALAR, "a sentence", in->error);

	if (err)
		return err;
	test->text = strdup(node->text);
	test->claim = calloc(1, sizeof(*test->claim));
	if (!test->text || !test->claim)
		return parse_no_memory(in->error);
	err = claim_parse(parse->policy, node->text, test->claim, in->error);
	if (!err)
		return 0;
	if (err == -ENOMEM || !ends_are_missing(in, node))
		return yaml_locate(in->doc, node->position, in->error);
	free(test->claim);
	test->claim = NULL;
	return 0;
}

static int parse_port(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct port_range range;
	uint16_t *port = to;
	int err = yaml_expect(in->doc, node, YAML_SCALAR, "a port", in->error);

	if (err)
		return err;
	if (port_range_parse(node->text, &range, in->error))
		return yaml_locate(in->doc, node->position, in->error);
	if (!range.first || range.first != range.last)
		return yaml_error(in->doc, node->position, in->error,
				  "a test has one port, from 1 to 65535");
	*port = range.first;
	return 0;
}

static int parse_icmp_type(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct icmp_type *type = to;
	int err = yaml_expect(in->doc, node, YAML_SCALAR, "an ICMP type", in->error);

	if (!err && icmp_type_parse(node->text, type, in->error))
		err = yaml_locate(in->doc, node->position, in->error);
	return err;
}

static int parse_expect(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const char *const names[] = {"denied", "allowed", NULL};
	bool *allowed = to;
	unsigned int choice;
	int err = yaml_read_choice(in->doc, node, names, &choice, in->error);

	if (!err)
		*allowed = choice;
	return err;
}

static int parse_rule_id(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	int err = yaml_expect(in->doc, node, YAML_SCALAR, "the id of a rule", in->error);

	return err ? err : parse_name(in, node->position, "id", node->text, to);
}

static unsigned int families_of(const struct policy_test_end *end)
{
	unsigned int families = end->is_self ? FAMILY_BOTH : 0;

	for (size_t i = 0; i < end->n_prefixes; i++)
		families |= end->prefixes[i].ip_version == IP_VERSION_4 ? FAMILY_4 : FAMILY_6;
	return families;
}

/* What the keys of a test have to do with each other. */
static int check_test(const struct yaml_reader *in, const struct yaml_node *node,
		      const struct policy_test *test)
{
	const struct yaml_node *type = yaml_get(node, "icmp_type");

	if (test->from.is_self && test->to.is_self)
		return yaml_error(in->doc, node->position, in->error,
				  "from this host to itself nothing passes the interface");
	if (!test->from.is_netbirds && !test->to.is_netbirds &&
	    !(families_of(&test->from) & families_of(&test->to)))
		return yaml_error(in->doc, node->position, in->error,
				  "mixed families: from and to have none in common");
	if (test->protocol == PROTOCOL_ALL)
		return yaml_error(in->doc, yaml_get(node, "protocol")->position, in->error,
				  "a test has one protocol");
	if (type && test->protocol != PROTOCOL_ICMP && test->protocol != IPPROTO_ICMP &&
	    test->protocol != IPPROTO_ICMPV6)
		return yaml_error(in->doc, type->key_position, in->error,
				  "icmp_type with a protocol that is not ICMP");
	if (l4_has_ports(test->protocol) && !test->dport)
		return yaml_error(in->doc, node->position, in->error, "key 'dport' is missing");
	if ((test->sport || test->dport) && !l4_has_ports(test->protocol))
		return yaml_error(in->doc, node->position, in->error,
				  "ports with a protocol that has none");
	return 0;
}

static const struct yaml_field test_fields[] = {
	{"from", parse_end, offsetof(struct policy_test, from)},
	{"to", parse_end, offsetof(struct policy_test, to)},
	{"protocol", parse_protocol, offsetof(struct policy_test, protocol)},
	{"sport", parse_port, offsetof(struct policy_test, sport)},
	{"dport", parse_port, offsetof(struct policy_test, dport)},
	{"icmp_type", parse_icmp_type, offsetof(struct policy_test, icmp_type)},
	{"expect", parse_expect, offsetof(struct policy_test, allowed)},
	{"assert", parse_assert, offsetof(struct policy_test, claim)},
	{"rule", parse_rule_id, offsetof(struct policy_test, rule)},
};

static int parse_test(const struct yaml_reader *in, const struct yaml_node *node,
		      struct policy_test *test)
{
	static const char *const required[] = {"from", "to", "protocol", "expect"};
	const struct yaml_node *assertion = yaml_get(node, "assert");
	size_t n_errors = yaml_n_errors(in->doc);
	int err;

	test->position = node->position;
	if (assertion && node->n_children > 1)
		return yaml_error(in->doc, assertion->key_position, in->error,
				  "assert stands alone");
	err = yaml_read_fields(in, node, test_fields, sizeof(test_fields) / sizeof(test_fields[0]),
			       test);
	for (size_t i = 0; !err && !assertion && i < sizeof(required) / sizeof(required[0]); i++)
		err = yaml_go_on(in->doc, in->error,
				 yaml_require(in->doc, node, required[i], in->error));
	if (err || assertion || yaml_n_errors(in->doc) != n_errors)
		return err;
	return check_test(in, node, test);
}

/**
 * parse_tests() - Read the value of tests; the context is a struct parse
 */
int parse_tests(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct policy *policy = ((struct parse *)in->context)->policy;
	const struct yaml_node *child;
	int err = yaml_expect(in->doc, node, YAML_SEQUENCE, NULL, in->error);

	(void)to;
	if (err || !node->n_children)
		return err;
	policy->tests = calloc(node->n_children, sizeof(*policy->tests));
	if (!policy->tests)
		return parse_no_memory(in->error);
	for (child = node->first; child; child = child->next) {
		err = parse_test(in, child, &policy->tests[policy->n_tests++]);
		err = yaml_go_on(in->doc, in->error, err);
		if (err)
			return err;
	}
	return 0;
}
