/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `shrike simulate` says of packets: text, JSON, TAP, and JUnit's XML beside one of these.
 */
#ifndef SHRIKE_CLI_SIMULATE_REPORT_H
#define SHRIKE_CLI_SIMULATE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "simulate/simulate.h"

enum report_format {
	REPORT_TEXT,
	REPORT_JSON, /* an object for each packet and line */
	REPORT_TAP,  /* version 13; a test is an expectation */
};

/* Numbers of expectations, and of files that could not be judged. */
struct report_sums {
	size_t passed;
	size_t failed;
	size_t errors;
	size_t not_run;
};

/*
 * struct simulate_report - what has been said so far
 * @format, @verbose, @colour, @several: how; @several: files, which are named then
 * @junit: where JUnit's XML goes; NULL: nowhere
 * @judged, @invalid, @all: what has come of it
 */
struct simulate_report {
	enum report_format format;
	bool verbose;
	bool colour;
	bool several;
	FILE *junit;
	bool judged;  /* at least one file was, to its end */
	bool invalid; /* a file is no scenario, or cannot be read */
	struct report_sums all;

	/* private to simulate_report.c */
	const char *path;
	size_t n; /* packets of the file */
	size_t n_tests;
	struct report_sums file;
	FILE *cases; /* those of the file, as XML */
	char *cases_text;
	size_t cases_len;
};

int report_begin(struct simulate_report *report, struct error *error);
int report_file(struct simulate_report *report, const char *path, struct error *error);
int report_step(struct simulate_report *report, const struct scenario_step *step,
		const struct simulation_result *result, struct error *error);
void report_error(struct simulate_report *report, const struct error *error);
void report_not_run(struct simulate_report *report, size_t packets);
void report_file_end(struct simulate_report *report);
int report_end(struct simulate_report *report, struct error *error);

#endif /* SHRIKE_CLI_SIMULATE_REPORT_H */
