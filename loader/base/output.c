/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/screen.h"

/**
 * put_u64() - Write a number in decimal
 * @to: room for 20 bytes
 * @value: the number
 *
 * Return: the end of what was written.
 */
char *put_u64(char *to, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = '0' + value % 10;
		value /= 10;
	} while (value);
	memcpy(to, digits + at, sizeof(digits) - at);
	return to + sizeof(digits) - at;
}

/* Write an IPv4 address with dots; returns the end. */
static char *put_addr4(char *to, const uint8_t *bytes)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		unsigned int byte = bytes[i];

		if (i)
			*to++ = '.';
		if (byte >= 100)
			*to++ = '0' + byte / 100;
		if (byte >= 10)
			*to++ = '0' + byte / 10 % 10;
		*to++ = '0' + byte % 10;
	}
	return to;
}

static char *put_hex16(char *to, unsigned int group)
{
	int shift = group >= 0x1000 ? 12 : group >= 0x100 ? 8 : group >= 0x10 ? 4 : 0;

	for (; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[group >> shift & 0xf];
	return to;
}

/* The first longest run of two or more zero groups; its length, 0: none (RFC 5952, 4.2). */
static unsigned int zero_run(const unsigned int *group, unsigned int *start)
{
	unsigned int longest = 1, len = 0, i;

	for (i = 0; i < 8; i++) {
		len = group[i] ? 0 : len + 1;
		if (len > longest) {
			longest = len;
			*start = i + 1 - len;
		}
	}
	return longest > 1 ? longest : 0;
}

/* addr_format() is inet_ntop(), a printf per group: a microsecond per flow. */
static char *put_addr6(char *to, const uint8_t *bytes)
{
	unsigned int group[8], start = 8, len, i;

	for (i = 0; i < 8; i++)
		group[i] = bytes[2 * i] << 8 | bytes[2 * i + 1];
	len = zero_run(group, &start);
	for (i = 0; i < 8; i++) {
		if (len && i == start) {
			*to++ = ':';
			*to++ = ':';
			i += len - 1;
			continue;
		}
		if (i && to[-1] != ':')
			*to++ = ':';
		to = put_hex16(to, group[i]);
	}
	return to;
}

/**
 * put_addr() - Write an address, IPv6 as RFC 5952 says
 * @to: room for ADDR_TEXT_MAX bytes
 * @addr: the address, IPv4 v4-mapped
 * @ip_version: 4, else IPv6; then a v4-mapped address is written in hexadecimal
 *
 * Return: the end of what was written.
 */
char *put_addr(char *to, const union addr *addr, uint8_t ip_version)
{
	if (ip_version == IP_VERSION_4)
		return put_addr4(to, addr->bytes + 12);
	return put_addr6(to, addr->bytes);
}

/**
 * output_duration() - A duration as people read it: 3h0m, 4m10s, 30s, 12.345s, 250ms
 * @text: where to write it
 * @duration_ns: the duration; what is below a millisecond is cut off
 *
 * Return: @text.
 */
const char *output_duration(char text[OUTPUT_DURATION_LEN], uint64_t duration_ns)
{
	uint64_t seconds = duration_ns / NS_PER_S;
	unsigned int ms = duration_ns % NS_PER_S / NS_PER_MS;
	unsigned int minutes = seconds / 60 % 60;

	if (seconds >= 24 * 3600)
		snprintf(text, OUTPUT_DURATION_LEN, "%llud%uh",
			 (unsigned long long)(seconds / (24 * 3600)),
			 (unsigned int)(seconds / 3600 % 24));
	else if (seconds >= 3600)
		snprintf(text, OUTPUT_DURATION_LEN, "%uh%um", (unsigned int)(seconds / 3600),
			 minutes);
	else if (seconds >= 60)
		snprintf(text, OUTPUT_DURATION_LEN, "%um%us", minutes,
			 (unsigned int)(seconds % 60));
	else if (seconds && ms)
		snprintf(text, OUTPUT_DURATION_LEN, "%u.%03us", (unsigned int)seconds, ms);
	else if (seconds || !ms)
		snprintf(text, OUTPUT_DURATION_LEN, "%us", (unsigned int)seconds);
	else
		snprintf(text, OUTPUT_DURATION_LEN, "%ums", ms);
	return text;
}

/**
 * output_human() - A number as people read it: 999, 1.5k, 20M; of bytes 1.5Ki, 20Mi
 * @text: where to write it
 * @value: the number, 0 or more
 * @unit: UNIT_PACKETS for powers of 1000, UNIT_BYTES for powers of 1024
 *
 * Return: @text.
 */
const char *output_human(char text[OUTPUT_HUMAN_LEN], double value, unsigned int unit)
{
	static const char prefixes[] = "kMGTPE";
	int step = -1;

	/* 999.95 would be written as 1000.0 */
	for (; value >= (step < 0 ? unit : unit - 0.05) && prefixes[step + 1]; step++)
		value /= unit;
	if (step < 0)
		snprintf(text, OUTPUT_HUMAN_LEN, "%.0f", value);
	else
		snprintf(text, OUTPUT_HUMAN_LEN, "%.*f%c%s", value < 9.95, value,
			 unit == UNIT_BYTES && !step ? 'K' : prefixes[step],
			 unit == UNIT_BYTES ? "i" : "");
	return text;
}

/**
 * output_count() - A counter's value
 * @text: where to write it
 * @count: the value
 * @unit: for output_human()
 * @human: rounded, with a unit
 *
 * Return: @text.
 */
const char *output_count(char text[OUTPUT_COUNT_LEN], uint64_t count, unsigned int unit, bool human)
{
	if (human)
		return output_human(text, count, unit);
	*put_u64(text, count) = '\0';
	return text;
}

/* Write a number with @digits digits, and what separates it from the next one. */
static char *put_part(char *to, unsigned int value, unsigned int digits, char separator)
{
	for (unsigned int at = digits; at--; value /= 10)
		to[at] = '0' + value % 10;
	to[digits] = separator;
	return to + digits + 1;
}

/**
 * put_time() - Write a point in time as RFC 3339 does, UTC, to the millisecond
 * @to: room for OUTPUT_TIME_LEN bytes
 * @realtime_ns: CLOCK_REALTIME, before the year 10000
 *
 * Return: the end of what was written.
 */
char *put_time(char *to, uint64_t realtime_ns)
{
	time_t seconds = realtime_ns / NS_PER_S;
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	to = put_part(to, tm.tm_year + 1900, 4, '-');
	to = put_part(to, tm.tm_mon + 1, 2, '-');
	to = put_part(to, tm.tm_mday, 2, 'T');
	to = put_part(to, tm.tm_hour, 2, ':');
	to = put_part(to, tm.tm_min, 2, ':');
	to = put_part(to, tm.tm_sec, 2, '.');
	return put_part(to, realtime_ns % NS_PER_S / NS_PER_MS, 3, 'Z');
}

/**
 * output_time() - A point in time as put_time() writes it
 * @text: where to write it
 * @realtime_ns: CLOCK_REALTIME
 *
 * Return: @text.
 */
const char *output_time(char text[OUTPUT_TIME_LEN], uint64_t realtime_ns)
{
	*put_time(text, realtime_ns) = '\0';
	return text;
}

/**
 * output_wants_colour() - Whether to colour what is written to a stream
 * @file: the stream
 *
 * Return: true for a terminal, unless NO_COLOR is set to anything (https://no-color.org).
 */
bool output_wants_colour(FILE *file)
{
	const char *no_color = getenv("NO_COLOR");

	return !(no_color && *no_color) && screen_is_terminal(file);
}

/**
 * output_colour_on() - What to write before coloured text
 * @wanted: the answer of output_wants_colour()
 * @colour: the colour
 *
 * Return: a constant string, empty where no colour is wanted.
 */
const char *output_colour_on(bool wanted, enum output_colour colour)
{
	static const char *const codes[] = {
		[OUTPUT_PLAIN] = "",	      [OUTPUT_BOLD] = "\033[1m",
		[OUTPUT_RED] = "\033[31m",    [OUTPUT_GREEN] = "\033[32m",
		[OUTPUT_YELLOW] = "\033[33m",
	};

	return wanted ? codes[colour] : "";
}

/**
 * output_colour_off() - What to write after coloured text
 * @wanted: the answer of output_wants_colour()
 *
 * Return: a constant string, empty where no colour is wanted.
 */
const char *output_colour_off(bool wanted)
{
	return wanted ? "\033[0m" : "";
}

static output_form old_form; /* NULL: the present one */

/**
 * output_set_form() - Write all JSON in an older form
 * @form: makes it of the present one; takes its argument's reference, gives NULL without memory
 */
void output_set_form(output_form form)
{
	old_form = form;
}

/**
 * output_has_old_form() - Whether output_set_form() has asked for an older form
 */
bool output_has_old_form(void)
{
	return old_form;
}

/* An object with the version of the form before its own keys. */
static json_t *stamped(json_t *object)
{
	json_t *whole = json_pack("{s:i}", "schema", OUTPUT_JSON_SCHEMA);

	if (!whole || json_object_update(whole, object)) {
		json_decref(whole);
		whole = NULL;
	}
	json_decref(object);
	return whole;
}

/**
 * output_formed() - A value as it is to be written
 * @value: of a command: an object, or an array of objects; its reference is taken
 *
 * Each object says which form it has, unless an older form was asked for, which does not know that.
 *
 * Return: a new value, NULL without memory or for NULL.
 */
json_t *output_formed(json_t *value)
{
	size_t i;

	if (!value)
		return NULL;
	if (old_form)
		return old_form(value);
	if (json_is_object(value))
		return stamped(value);
	for (i = 0; i < json_array_size(value); i++)
		if (json_array_set_new(value, i, stamped(json_incref(json_array_get(value, i))))) {
			json_decref(value);
			return NULL;
		}
	return value;
}

/**
 * output_part() - A part of a value that is written by itself, as it is to be written
 * @part: an object; its reference is taken
 *
 * Return: a new value, NULL without memory or for NULL.
 */
json_t *output_part(json_t *part)
{
	return part && old_form ? old_form(part) : part;
}

/**
 * output_json_line() - Write one JSON value on a line of its own, of many that follow each other
 * @value: for output_formed(), whose reference is taken; NULL is what jansson gives without memory
 * @file: where to; a failure to write stays in its own error flag
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int output_json_line(json_t *value, FILE *file, struct error *error)
{
	bool failed;

	screen_keep_lines();
	value = output_formed(value);
	failed = !value || (json_dumpf(value, file, OUTPUT_JSON_FLAGS) && !ferror(file));
	json_decref(value);
	if (failed)
		return error_set(error, ENOMEM, "writing JSON: %s", strerror(ENOMEM));
	fputc('\n', file);
	return 0;
}

/**
 * output_json() - Write one JSON value on a line of its own, and hand it over
 * @value: as for output_json_line()
 * @file: where to
 * @error: set on failure
 *
 * Return: 0, -ENOMEM, or -errno of the stream.
 */
int output_json(json_t *value, FILE *file, struct error *error)
{
	int err = output_json_line(value, file, error);

	return err ? err : output_flush(file, error);
}

/**
 * output_real() - A JSON number with six decimals at most, if it is written with OUTPUT_JSON_FLAGS
 * @value: below 10^9, or it is rounded to 15 digits
 *
 * Return: a new number, NULL without memory.
 */
json_t *output_real(double value)
{
	long long millionths = value * 1e6 + (value < 0 ? -0.5 : 0.5);

	return json_real(value > -1e12 && value < 1e12 ? millionths / 1e6 : value);
}

/**
 * output_json_text() - A JSON string of text that may hold anything, as names and paths do
 * @text: where it is not UTF-8, its bytes above 0x7f are replaced by U+FFFD
 *
 * Return: a new string, NULL without memory.
 */
json_t *output_json_text(const char *text)
{
	json_t *string = json_string(text);
	char *valid, *to;

	if (string)
		return string;
	valid = to = malloc(3 * strlen(text) + 1);
	if (!valid)
		return NULL;
	for (; *text; text++) {
		if (*text & 0x80) {
			memcpy(to, "\xef\xbf\xbd", 3);
			to += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
	string = json_string(valid);
	free(valid);
	return string;
}

/**
 * output_flush() - Hand over what was written and learn whether all of it arrived
 * @file: the stream
 * @error: set on failure
 *
 * Return: 0 or -errno of the stream.
 */
int output_flush(FILE *file, struct error *error)
{
	errno = 0;
	if (fflush(file) || ferror(file)) {
		int code = errno ? errno : EIO;

		return error_set(error, code, "writing output: %s", strerror(code));
	}
	return 0;
}
