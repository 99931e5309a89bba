/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/claim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"
#include "policy/icmp_type.h"

#define SELF	     "self"
#define ANY	     "any"
#define SET	     "set:"
#define ENDS_STAND   "self, an address, a prefix or any"
#define FORM	     "FROM can|cannot reach TO [PROTOCOL[/PORTS]]"
#define FAMILIES_MAX 2 /* prefixes that "any" stands for */
#define WORDS_MAX    5

/* Make room for more prefixes. */
static int grow(struct policy_test_end *end, size_t more, struct error *error)
{
	struct prefix *list = realloc(end->prefixes, (end->n_prefixes + more + 1) * sizeof(*list));

	if (!list)
		return error_no_memory(error);
	end->prefixes = list;
	return 0;
}

/**
 * claim_read_end() - Who sends or gets packets
 * @names: of the policy
 * @text: self, an address, a prefix, a name or any
 * @end: gets it, beside what is there; its prefixes are the caller's to free, even on failure
 * @error: what is wrong
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int claim_read_end(const struct names *names, const char *text, struct policy_test_end *end,
		   struct error *error)
{
	size_t n = 0;
	const struct name_address *named = names_find(names, text, &n);
	int err;

	if (!strcmp(text, SELF)) {
		end->is_self = true;
		return 0;
	}
	err = grow(end, n > FAMILIES_MAX ? n : FAMILIES_MAX, error);
	if (err)
		return err;
	for (size_t i = 0; named && i < n; i++)
		end->prefixes[end->n_prefixes++] = names_prefix(&named[i]);
	if (named)
		return 0;
	if (!strcmp(text, ANY)) {
		end->prefixes[end->n_prefixes++] = (struct prefix){
			.addr.bytes = {[10] = 0xff, [11] = 0xff}, .ip_version = IP_VERSION_4};
		end->prefixes[end->n_prefixes++] = (struct prefix){.ip_version = IP_VERSION_6};
		return 0;
	}
	if (!strpbrk(text, ".:/"))
		return error_input(error, "'%.80s' is not " ENDS_STAND, text);
	err = prefix_parse(text, &end->prefixes[end->n_prefixes], error);
	if (!err)
		end->n_prefixes++;
	return err;
}

/* Add the prefixes of a set. */
static int read_set(const struct policy *policy, const char *name, struct policy_test_end *end,
		    struct error *error)
{
	for (size_t i = 0; i < policy->n_sets; i++) {
		const struct prefix_set *set = &policy->sets[i];

		if (strcmp(set->name, name))
			continue;
		if (grow(end, set->n_prefixes, error))
			return -ENOMEM;
		for (size_t j = 0; j < set->n_prefixes; j++)
			end->prefixes[end->n_prefixes++] = set->prefixes[j];
		return 0;
	}
	return error_input(error, "unknown set '%.80s'", name);
}

/* Call a function for each word of a list with commas. */
static int each_word(const char *list,
		     int (*read)(const char *word, void *arg, struct error *error), void *arg,
		     struct error *error)
{
	char *copy = strdup(list), *rest = copy, *word;
	int err = copy ? 0 : error_no_memory(error);

	while (!err && (word = strsep(&rest, ",")))
		err = read(word, arg, error);
	free(copy);
	return err;
}

struct ends_reader {
	const struct policy *policy;
	struct policy_test_end *end;
	bool *sets;
};

static int read_one_end(const char *word, void *arg, struct error *error)
{
	const struct ends_reader *in = arg;

	if (strncmp(word, SET, strlen(SET)))
		return claim_read_end(&in->policy->names, word, in->end, error);
	*in->sets = true;
	return read_set(in->policy, word + strlen(SET), in->end, error);
}

/**
 * claim_read_ends() - Who sends or gets packets, several with commas between them
 * @policy: whose names and sets are meant
 * @text: words as of claim_read_end(), or set:NAME
 * @end: gets them; its prefixes are the caller's to free, even on failure
 * @sets: becomes true where a set is named
 * @error: what is wrong
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int claim_read_ends(const struct policy *policy, const char *text, struct policy_test_end *end,
		    bool *sets, struct error *error)
{
	struct ends_reader in = {policy, end, sets};

	return each_word(text, read_one_end, &in, error);
}

static int read_ports(const char *word, void *arg, struct error *error)
{
	struct policy_claim *claim = arg;
	struct port_range *list = realloc(claim->ports, (claim->n_ports + 1) * sizeof(*list));

	if (!list)
		return error_no_memory(error);
	claim->ports = list;
	return ports_parse(word, &list[claim->n_ports++], error);
}

static int read_type(const char *word, void *arg, struct error *error)
{
	struct policy_claim *claim = arg;
	struct icmp_type *list = realloc(claim->types, (claim->n_types + 1) * sizeof(*list));

	if (!list)
		return error_no_memory(error);
	claim->types = list;
	return icmp_type_parse(word, &list[claim->n_types++], error);
}

/**
 * claim_read_traffic() - Protocol and ports
 * @text: PROTOCOL, PROTOCOL/PORTS or icmp/TYPES, lists with commas
 * @claim: gets them; for policy_claim_free(), even on failure
 * @error: what is wrong
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int claim_read_traffic(const char *text, struct policy_claim *claim, struct error *error)
{
	const char *slash = strchr(text, '/');
	char *protocol = strndup(text, slash ? (size_t)(slash - text) : strlen(text));
	int err = protocol ? protocol_parse(protocol, &claim->protocol, error)
			   : error_no_memory(error);

	free(protocol);
	if (err || !slash)
		return err;
	if (claim->protocol == PROTOCOL_ICMP)
		return each_word(slash + 1, read_type, claim, error);
	if (!l4_has_ports(claim->protocol))
		return error_input(error, "'%.80s': only tcp and udp have ports, and icmp types",
				   text);
	return each_word(slash + 1, read_ports, claim, error);
}

static unsigned int families_of(const struct policy_test_end *end)
{
	unsigned int families = end->is_self ? FAMILY_BOTH : 0;

	for (size_t i = 0; i < end->n_prefixes; i++)
		families |= end->prefixes[i].ip_version == IP_VERSION_4 ? FAMILY_4 : FAMILY_6;
	return families;
}

/**
 * claim_check() - Check that what a claim is about can be judged
 * @claim: complete
 * @error: what is wrong
 *
 * Return: 0 or -EINVAL.
 */
int claim_check(const struct policy_claim *claim, struct error *error)
{
	if (claim->from.is_self)
		return error_input(error, "from self: what this host sends is never judged");
	if (!claim->sets && !(families_of(&claim->from) & families_of(&claim->to)))
		return error_input(error, "mixed families: from and to have none in common");
	return 0;
}

/* The words of a sentence, one behind the other in @text; how many there are, at most WORDS_MAX + 1. */
static int split(char *text, char *words[WORDS_MAX + 1])
{
	char *rest = NULL, *word = strtok_r(text, " \t\n", &rest);
	int n = 0;

	for (; word && n <= WORDS_MAX; word = strtok_r(NULL, " \t\n", &rest))
		words[n++] = word;
	return n;
}

static int read_words(const struct policy *policy, char **words, int n, struct policy_claim *claim,
		      struct error *error)
{
	bool cannot = n > 1 && !strcmp(words[1], "cannot");
	int err;

	if (n < 4 || n > WORDS_MAX || (!cannot && strcmp(words[1], "can")) ||
	    strcmp(words[2], "reach"))
		return error_input(error, "not of the form " FORM);
	claim->can = !cannot;
	claim->protocol = PROTOCOL_ALL;
	err = claim_read_ends(policy, words[0], &claim->from, &claim->sets, error);
	if (!err)
		err = claim_read_ends(policy, words[3], &claim->to, &claim->sets, error);
	if (!err && n == WORDS_MAX)
		err = claim_read_traffic(words[4], claim, error);
	return err ? err : claim_check(claim, error);
}

/**
 * claim_parse() - A claim from its sentence
 * @policy: whose names and sets are meant
 * @text: "FROM can|cannot reach TO [PROTOCOL[/PORTS]]"
 * @claim: result, for policy_claim_free()
 * @error: what is wrong
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int claim_parse(const struct policy *policy, const char *text, struct policy_claim *claim,
		struct error *error)
{
	char *copy = strdup(text), *words[WORDS_MAX + 1];
	struct policy_claim made = {};
	int err;

	if (!copy)
		return error_no_memory(error);
	err = read_words(policy, words, split(copy, words), &made, error);
	free(copy);
	if (err)
		policy_claim_free(&made);
	else
		*claim = made;
	return err;
}
