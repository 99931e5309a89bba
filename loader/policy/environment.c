/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/environment.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Fractions of a duration beyond this many digits change nothing: 1e-18 h is below 1 ns. */
#define FRACTION_DIGITS_MAX 18

enum value_kind {
	VALUE_SWITCH,
	VALUE_COUNT,
	VALUE_DURATION,
};

struct variable {
	const char *name;
	size_t offset; /* of the field in struct environment */
	enum value_kind kind;
};

static const struct variable variables[] = {
#define VARIABLE(name, field, kind)                                                                \
	{                                                                                          \
		name, offsetof(struct environment, field), kind                                    \
	}
	VARIABLE("NB_DISABLE_USERSPACE_ROUTING", disable_userspace_routing, VALUE_SWITCH),
	VARIABLE("NB_FORCE_NATIVE_ROUTER", force_native_router, VALUE_SWITCH),
	VARIABLE("NB_FORCE_USERSPACE_ROUTER", force_userspace_router, VALUE_SWITCH),
	VARIABLE("NB_DISABLE_CONNTRACK", disable_conntrack, VALUE_SWITCH),
	VARIABLE("NB_DISABLE_MSS_CLAMPING", disable_mss_clamping, VALUE_SWITCH),
	VARIABLE("NB_ENABLE_LOCAL_FORWARDING", enable_local_forwarding, VALUE_SWITCH),
	VARIABLE("NB_ENABLE_NETSTACK_LOCAL_FORWARDING", enable_netstack_local_forwarding,
		 VALUE_SWITCH),
	VARIABLE("NB_CONNTRACK_TCP_MAX", limits.tcp, VALUE_COUNT),
	VARIABLE("NB_CONNTRACK_UDP_MAX", limits.udp, VALUE_COUNT),
	VARIABLE("NB_CONNTRACK_ICMP_MAX", limits.icmp, VALUE_COUNT),
	VARIABLE("NB_FRAGMENT_MAX_ENTRIES", limits.fragments, VALUE_COUNT),
	VARIABLE("NB_CONNTRACK_TCP_FIN_WAIT_TIMEOUT", timeouts.tcp_fin_wait, VALUE_DURATION),
	VARIABLE("NB_CONNTRACK_TCP_CLOSE_WAIT_TIMEOUT", timeouts.tcp_close_wait, VALUE_DURATION),
	VARIABLE("NB_CONNTRACK_TCP_LAST_ACK_TIMEOUT", timeouts.tcp_last_ack, VALUE_DURATION),
#undef VARIABLE
};

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(word, *words))
			return true;
	return false;
}

/* The words of Go's strconv.ParseBool, and no others. */
static bool parse_switch(const char *text, bool *value)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True", NULL};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False", NULL};

	*value = is_one_of(text, yes);
	return *value || is_one_of(text, no);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* As strconv.Atoi, but from 1 to what a table's size can be. */
static bool parse_count(const char *text, uint32_t *value)
{
	uint64_t sum = 0;

	if (*text == '+')
		text++;
	do {
		if (!is_digit(*text))
			return false;
		sum = sum * 10 + (*text - '0');
		if (sum > UINT32_MAX)
			return false;
	} while (*++text);
	if (!sum)
		return false;
	*value = sum;
	return true;
}

/* The unit at *@text in nanoseconds, 0 for none; moves *@text behind it. */
static uint64_t parse_unit(const char **text)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		/* "ms" before "m"; the two micro signs of Unicode, U+00B5 and U+03BC */
		{"ns", 1},	   {"us", 1000},    {"\xc2\xb5s", 1000},  {"\xce\xbcs", 1000},
		{"ms", NS_PER_MS}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S},
	};
	size_t i, len;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		len = strlen(units[i].name);
		if (strncmp(*text, units[i].name, len))
			continue;
		*text += len;
		return units[i].ns;
	}
	return 0;
}

/* One number with its unit, such as "1.5h", added to *@ns. */
static bool parse_duration_term(const char **text, uint64_t *ns)
{
	uint64_t whole = 0, fraction = 0, scale = 1, unit;
	unsigned int digits = 0, places = 0;
	__uint128_t sum;

	for (; is_digit(**text); (*text)++, digits++) {
		whole = whole * 10 + (**text - '0');
		if (whole > INT64_MAX / 10)
			return false;
	}
	if (**text == '.') {
		for ((*text)++; is_digit(**text); (*text)++, digits++) {
			if (places == FRACTION_DIGITS_MAX)
				continue;
			fraction = fraction * 10 + (**text - '0');
			scale *= 10;
			places++;
		}
	}
	unit = parse_unit(text);
	if (!digits || !unit)
		return false;
	sum = (__uint128_t)whole * unit + (__uint128_t)fraction * unit / scale + *ns;
	if (sum > INT64_MAX)
		return false;
	*ns = sum;
	return true;
}

/* The form of Go's time.ParseDuration, such as "1m30s"; above 0 and below 292 years. */
static bool parse_duration(const char *text, uint64_t *value)
{
	uint64_t ns = 0;

	if (*text == '+')
		text++;
	do {
		if (!parse_duration_term(&text, &ns))
			return false;
	} while (*text);
	if (!ns)
		return false;
	*value = ns;
	return true;
}

static bool parse_value(const struct variable *variable, const char *text, void *field)
{
	switch (variable->kind) {
	case VALUE_SWITCH:
		return parse_switch(text, field);
	case VALUE_COUNT:
		return parse_count(text, field);
	case VALUE_DURATION:
		return parse_duration(text, field);
	}
	return false;
}

static void warn_about(const struct variable *variable, const char *text, warn_fn warn, void *arg)
{
	static const char *const complaint[] = {
		[VALUE_SWITCH] = "is neither true nor false, taken as false",
		[VALUE_COUNT] = "is not a number from 1 to 4294967295, ignored",
		[VALUE_DURATION] = "is not a duration above zero such as 60s or 1m30s, ignored",
	};
	char sentence[256];

	snprintf(sentence, sizeof(sentence), "%s: '%.64s' %s", variable->name, text,
		 complaint[variable->kind]);
	warn(sentence, arg);
}

/**
 * environment_read() - Read NetBird's variables
 * @environment: is filled, wholly
 * @get: returns the value of a variable, NULL where it is not set, like getenv()
 * @get_arg: for @get
 * @warn: called for each value that makes no sense
 * @warn_arg: for @warn
 *
 * A switch that is no word of Go's strconv.ParseBool counts as false; a bad number or duration as
 * not set.
 */
void environment_read(struct environment *environment,
		      const char *(*get)(const char *name, void *arg), void *get_arg, warn_fn warn,
		      void *warn_arg)
{
	const struct variable *variable;
	const char *text;
	size_t i;

	memset(environment, 0, sizeof(*environment));
	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		variable = &variables[i];
		text = get(variable->name, get_arg);
		if (!text || !*text)
			continue;
		if (!parse_value(variable, text, (char *)environment + variable->offset))
			warn_about(variable, text, warn, warn_arg);
	}
}

/**
 * environment_apply() - Let NetBird's variables overrule a policy
 * @environment: filled by environment_read()
 * @policy: is changed where a variable speaks
 *
 * The routing variables are not applied here: they need facts about the host, see mode_decide().
 * NB_ENABLE_NETSTACK_LOCAL_FORWARDING speaks where the policy has netstack.
 */
void environment_apply(const struct environment *environment, struct policy *policy)
{
	if (environment->disable_conntrack)
		policy->mode.stateful = false;
	if (environment->disable_mss_clamping)
		policy->mss_clamp = false;
	if (environment->enable_local_forwarding ||
	    (environment->enable_netstack_local_forwarding && policy->mode.netstack))
		policy->mode.local_forwarding = true;
#define LIMIT(name, entries)                                                                       \
	if (environment->limits.name)                                                              \
		policy->limits.name = environment->limits.name;
	POLICY_LIMITS(LIMIT)
#undef LIMIT
#define TIMEOUT(name, seconds, what)                                                               \
	if (environment->timeouts.name)                                                            \
		policy->timeouts.name = environment->timeouts.name;
	POLICY_TIMEOUTS(TIMEOUT)
#undef TIMEOUT
}
