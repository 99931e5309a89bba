/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How commands write: numbers and addresses into buffers, JSON, colour.
 *
 * Nothing here decides what is said or where to; the caller gives the buffer or the stream.
 * The put_ functions write without a terminating NUL and return the end of what they wrote, for
 * output by the million.
 */
#ifndef SHRIKE_BASE_OUTPUT_H
#define SHRIKE_BASE_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "abi.h"
#include "base/error.h"

/* Digits that a number needs to be read back as the decimal fraction that it was. */
#define OUTPUT_JSON_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

/* The form of what commands print as JSON; shrike-json(5) documents it. */
#define OUTPUT_JSON_SCHEMA 2

typedef json_t *(*output_form)(json_t *value);

#define OUTPUT_DURATION_LEN 32
#define OUTPUT_TIME_LEN	    32
#define OUTPUT_HUMAN_LEN    16
#define OUTPUT_COUNT_LEN    24

/* Units of counters: what 1k and 1Ki are. */
#define UNIT_PACKETS 1000
#define UNIT_BYTES   1024

char *put_u64(char *to, uint64_t value);
char *put_addr(char *to, const union addr *addr, uint8_t ip_version);
char *put_time(char *to, uint64_t realtime_ns);

const char *output_duration(char text[OUTPUT_DURATION_LEN], uint64_t duration_ns);
const char *output_human(char text[OUTPUT_HUMAN_LEN], double value, unsigned int unit);
const char *output_count(char text[OUTPUT_COUNT_LEN], uint64_t count, unsigned int unit,
			 bool human);
const char *output_time(char text[OUTPUT_TIME_LEN], uint64_t realtime_ns);

enum output_colour {
	OUTPUT_PLAIN,
	OUTPUT_BOLD,
	OUTPUT_RED,
	OUTPUT_GREEN,
	OUTPUT_YELLOW,
};

bool output_wants_colour(FILE *file);
const char *output_colour_on(bool wanted, enum output_colour colour);
const char *output_colour_off(bool wanted);

json_t *output_json_text(const char *text);
json_t *output_real(double value);
void output_set_form(output_form form);
bool output_has_old_form(void);
json_t *output_formed(json_t *value);
json_t *output_part(json_t *part);
int output_json_line(json_t *value, FILE *file, struct error *error);
int output_json(json_t *value, FILE *file, struct error *error);
int output_flush(FILE *file, struct error *error);

#endif /* SHRIKE_BASE_OUTPUT_H */
