/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/status_check.h"

#include <stdarg.h>
#include <stdio.h>

/* A value of an object in the status; NULL where there is none. */
static const json_t *value_of(const json_t *status, const char *object, const char *key)
{
	return json_object_get(json_object_get(status, object), key);
}

static const char *text_of(const json_t *status, const char *object, const char *key)
{
	return json_string_value(value_of(status, object, key));
}

static long long number_of(const json_t *status, const char *object, const char *key)
{
	return json_integer_value(value_of(status, object, key));
}

/* Packets that came and have no fate. */
static long long residue_of(const json_t *status)
{
	const json_t *counters = json_object_get(status, "counters");
	long long sum = 0;
	const char *way;
	json_t *one;

	json_object_foreach ((json_t *)counters, way, one) {
		long long residue = json_integer_value(json_object_get(one, "residue"));

		sum += residue < 0 ? -residue : residue;
	}
	return sum + number_of(status, "forwarder", "unreceived") +
	       number_of(status, "forwarder", "unrelayed") + number_of(status, "nat", "unsent");
}

/**
 * status_has_residue() - Whether packets are not accounted for, or are on their way just now
 * @status: of an interface, as `status -j` prints it
 */
bool status_has_residue(const json_t *status)
{
	return residue_of(status) != 0;
}

static void add(json_t *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Add a problem to the list. */
static void add(json_t *problems, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(problems, json_string(text));
}

/* What is wrong with the process that should be in charge. */
static void check_run(const json_t *status, json_t *problems)
{
	long long pid = number_of(status, "run", "pid");

	if (!json_is_true(json_object_get(status, "running")))
		add(problems, "shrike run is not active");
	else if (json_is_true(value_of(status, "run", "waiting")))
		add(problems, "shrike run (pid %lld) waits for the interface", pid);
	else if (json_is_true(value_of(status, "run", "hung")))
		add(problems, "shrike run (pid %lld) hangs, silent for %lld s", pid,
		    number_of(status, "run", "silent_s"));
}

/**
 * status_check() - What is wrong with the protection of an interface
 * @status: of the interface, as `status -j` prints it
 *
 * Return: an object with interface, healthy and problems, a list of texts; NULL: out of memory.
 */
json_t *status_check(const json_t *status)
{
	bool attached = json_is_true(json_object_get(status, "attached"));
	json_t *problems = json_array();

	if (!attached)
		add(problems, "shrike is not attached");
	check_run(status, problems);
	if (json_is_object(json_object_get(status, "forwarder")) &&
	    !number_of(status, "forwarder", "pid"))
		add(problems, "the forwarder is needed and not running");
	if (json_is_object(json_object_get(status, "last_failure")))
		add(problems, "the last reload failed: %s", text_of(status, "last_failure", "why"));
	if (status_has_residue(status))
		add(problems, "residue %lld", residue_of(status));
	if (json_is_true(value_of(status, "netbird", "stale")))
		add(problems, "NetBird's map is stale: %s", text_of(status, "netbird", "why"));
	else if (json_is_object(json_object_get(status, "netbird")) &&
		 json_is_null(value_of(status, "netbird", "serial")))
		add(problems, "no map of NetBird's has come yet");
	return json_pack("{s:O,s:b,s:o}", "interface", json_object_get(status, "interface"),
			 "healthy", !json_array_size(problems), "problems", problems);
}

/**
 * status_check_print() - Print one line
 * @status: of the interface
 * @check: of status_check()
 */
void status_check_print(const json_t *status, const json_t *check)
{
	const json_t *problems = json_object_get(check, "problems"), *rules;
	const char *separator = ": ";
	json_t *problem;
	size_t i;

	printf("%s: %s", json_string_value(json_object_get(check, "interface")),
	       json_array_size(problems) ? "not healthy" : "ok");
	json_array_foreach ((json_t *)problems, i, problem) {
		printf("%s%s", separator, json_string_value(problem));
		separator = "; ";
	}
	rules = json_object_get(status, "rules");
	if (!json_array_size(problems))
		printf(": generation %lld, %lld rule%s, routing %s, shrike run pid %lld",
		       json_integer_value(json_object_get(status, "generation")),
		       json_integer_value(rules), json_integer_value(rules) == 1 ? "" : "s",
		       json_string_value(json_object_get(status, "routing")),
		       number_of(status, "run", "pid"));
	putchar('\n');
}
