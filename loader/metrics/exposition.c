/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "metrics/exposition.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPENMETRICS_TYPE    "application/openmetrics-text"
#define OPENMETRICS_VERSION "1.0.0"

/* What a sample's name has behind that of its family, in OpenMetrics. */
static const struct {
	const char *type;
	const char *suffix;
	const char *text_type; /* the type in the older format */
} types[] = {
	{"counter", "_total", "counter"},
	{"info", "_info", "gauge"},
	{"gauge", "", "gauge"},
};

/* Bases of units by which a family's name may end. */
static const char *const units[] = {"seconds", "bytes", "packets"};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static size_t type_of(const json_t *family)
{
	const char *name = text_of(family, "type");
	size_t i = 0;

	while (i < sizeof(types) / sizeof(*types) - 1 && strcmp(name, types[i].type))
		i++;
	return i;
}

/* Write a text with a backslash before what would end it; quotes end values, and help in OpenMetrics. */
static void write_escaped(const char *text, bool is_quoted, FILE *file)
{
	for (; *text; text++) {
		if (*text == '\n') {
			fputs("\\n", file);
			continue;
		}
		if (*text == '\\' || (is_quoted && *text == '"'))
			fputc('\\', file);
		fputc(*text, file);
	}
}

static void write_sample(const char *name, const json_t *sample, FILE *file)
{
	const char *label, *separator = "{";
	json_t *value;

	fputs(name, file);
	json_object_foreach (json_object_get(sample, "labels"), label, value) {
		fprintf(file, "%s%s=\"", separator, label);
		write_escaped(json_string_value(value), true, file);
		fputc('"', file);
		separator = ",";
	}
	fprintf(file, "%s %lld\n", *separator == ',' ? "}" : "",
		(long long)json_integer_value(json_object_get(sample, "value")));
}

/* Write the unit of a family, which is the last word of its name, if that is one. */
static void write_unit(const char *family, size_t len, FILE *file)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		size_t n = strlen(units[i]);

		if (len > n && family[len - n - 1] == '_' && !memcmp(family + len - n, units[i], n))
			fprintf(file, "# UNIT %.*s %s\n", (int)len, family, units[i]);
	}
}

/* Write a family: what it is, then its samples. */
static void write_family(const json_t *family, enum metrics_format format, FILE *file)
{
	bool is_open = format == METRICS_OPENMETRICS;
	const char *name = text_of(family, "name");
	size_t type = type_of(family), index;
	/* in OpenMetrics a family's name lacks what its type adds */
	int len = strlen(name) - (is_open ? strlen(types[type].suffix) : 0);
	json_t *sample;

	if (!json_array_size(json_object_get(family, "samples")))
		return;
	fprintf(file, "# HELP %.*s ", len, name);
	write_escaped(text_of(family, "help"), is_open, file);
	fprintf(file, "\n# TYPE %.*s %s\n", len, name,
		is_open ? types[type].type : types[type].text_type);
	if (is_open)
		write_unit(name, len, file);
	json_array_foreach (json_object_get(family, "samples"), index, sample)
		write_sample(name, sample, file);
}

/**
 * exposition_write() - Write families as text
 * @families: an array
 * @format: in which format
 * @text: set to the text, which the caller frees
 * @len: set to its bytes
 * @error: set on failure
 *
 * Prometheus, "Exposition formats"; OpenMetrics 1.0, section "Text format".
 *
 * Return: 0 or -ENOMEM.
 */
int exposition_write(const json_t *families, enum metrics_format format, char **text, size_t *len,
		     struct error *error)
{
	FILE *file = open_memstream(text, len);
	const json_t *family;
	bool is_whole;
	size_t i;

	if (!file)
		return error_no_memory(error);
	json_array_foreach (families, i, family)
		write_family(family, format, file);
	if (format == METRICS_OPENMETRICS)
		fputs("# EOF\n", file);
	is_whole = !ferror(file);
	if (!fclose(file) && is_whole)
		return 0;
	free(*text);
	return error_no_memory(error);
}

/* The length of what stands before the next of @ends, without the space around it; *text is moved on. */
static size_t next_part(const char **text, const char *ends)
{
	size_t len;

	*text += strspn(*text, " \t");
	len = strcspn(*text, ends);
	while (len && isblank((unsigned char)(*text)[len - 1]))
		len--;
	return len;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && !strncasecmp(text, word, len);
}

/* Thousandths of a quality, RFC 9110, section 12.4.2. */
static int quality_of(const char *text)
{
	double value = strtod(text, NULL);

	return value > 0 && value <= 1 ? (int)(value * 1000) : 0;
}

/* One range of an Accept header: raises @best of the formats that it names. */
static void take_range(const char *range, size_t len, int best[METRICS_FORMAT_MAX])
{
	const char *end = range + len, *at = range;
	size_t n = next_part(&at, ";,");
	int format = is_word(at, n, OPENMETRICS_TYPE) ? METRICS_OPENMETRICS
		     : is_word(at, n, "text/plain") || is_word(at, n, "text/*") ||
				     is_word(at, n, "*/*")
			     ? METRICS_TEXT
			     : METRICS_FORMAT_MAX;
	int quality = 1000;

	for (at += strcspn(at, ";,"); at < end && *at == ';'; at += strcspn(at, ";,")) {
		at++;
		n = next_part(&at, ";,");
		if (n > 2 && !strncasecmp(at, "q=", 2))
			quality = quality_of(at + 2);
		else if (format == METRICS_OPENMETRICS && n > 8 &&
			 !strncasecmp(at, "version=", 8) &&
			 !is_word(at + 8, n - 8, OPENMETRICS_VERSION))
			format = METRICS_FORMAT_MAX;
	}
	if (format < METRICS_FORMAT_MAX && quality > best[format])
		best[format] = quality;
}

/**
 * exposition_choose() - The format that a client prefers
 * @accept: the value of its Accept header (RFC 9110, section 12.5.1); NULL: it has none
 *
 * OpenMetrics only where that is asked for by name, and at least as much as text.  Who accepts
 * neither gets text, as any other answer would be of no more use.
 */
enum metrics_format exposition_choose(const char *accept)
{
	int best[METRICS_FORMAT_MAX] = {};

	while (accept && *accept) {
		size_t len = strcspn(accept, ",");

		take_range(accept, len, best);
		accept += len + (accept[len] == ',');
	}
	return best[METRICS_OPENMETRICS] && best[METRICS_OPENMETRICS] >= best[METRICS_TEXT]
		       ? METRICS_OPENMETRICS
		       : METRICS_TEXT;
}
