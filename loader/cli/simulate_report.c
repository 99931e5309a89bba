/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/simulate_report.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "cli/command.h"
#include "trace/record_json.h"
#include "trace/record_print.h"

#define NEEDED "needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"

/* Text in XML; what XML has no characters for has been kept out of YAML, too. */
static void write_xml(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else if ((unsigned char)*text < ' ')
			fputc(' ', out);
		else
			fputc(*text, out);
	}
}

/* One test case; @kind: "failure" or "error" with why, "skipped", or NULL: it has passed. */
static void write_case(struct simulate_report *report, const char *name, const char *kind,
		       const char *why)
{
	if (!report->cases)
		return;
	fputs("    <testcase classname=\"", report->cases);
	write_xml(report->cases, report->path);
	fputs("\" name=\"", report->cases);
	write_xml(report->cases, name);
	if (kind) {
		fprintf(report->cases, "\"><%s message=\"", kind);
		write_xml(report->cases, why);
		fputs("\"/></testcase>\n", report->cases);
	} else {
		fputs("\"/>\n", report->cases);
	}
}

static void write_tap(struct simulate_report *report, const char *name, const char *why)
{
	report->n_tests++;
	if (report->format != REPORT_TAP)
		return;
	printf("%sok %zu - %s: ", why[0] ? "not " : "", report->n_tests, report->path);
	for (; *name; name++) /* a directive begins with it */
		printf(*name == '#' ? "\\#" : "%c", *name);
	putchar('\n');
	if (why[0])
		printf("# %s\n", why);
}

/* What became of an expectation. */
static void note(struct simulate_report *report, const struct scenario_step *step, const char *line,
		 const char *why)
{
	char name[512];

	snprintf(name, sizeof(name), "line %u: %s", step->position.line, line);
	if (why[0])
		report->file.failed++;
	else
		report->file.passed++;
	write_tap(report, name, why);
	write_case(report, name, why[0] ? "failure" : NULL, why);
}

static int print_json(const struct simulate_report *report, const struct scenario_step *step,
		      const struct record_result *result, const char *why, struct error *error)
{
	json_t *json = record_result_json(result);

	if (json && report->several)
		json_object_set_new(json, "file", json_string(report->path));
	if (json && why[0])
		json_object_update_new(json, json_pack("{s:s,s:i}", "failed", why, "line",
						       (int)step->position.line));
	return output_json_line(json, stdout, error);
}

/* Print a packet of the scenario, and whether it met the expectation. */
static void print_text(const struct simulate_report *report, const struct scenario_step *step,
		       const struct record_result *result, const char *line, const char *why)
{
	fputs(line, stdout);
	if (why[0])
		printf("\n    %sFAILED%s %s:%u: %s", output_colour_on(report->colour, OUTPUT_RED),
		       output_colour_off(report->colour), report->path, step->position.line, why);
	else if (expectation_given(&step->expect))
		printf(" %sok%s", output_colour_on(report->colour, OUTPUT_GREEN),
		       output_colour_off(report->colour));
	putchar('\n');
	if (report->verbose)
		record_write_stages(result->event,
				    &(struct record_names){.rule_id = result->rule_id}, "    ",
				    stdout);
}

/**
 * report_begin() - Write what stands before all files
 *
 * Return: 0 or -ENOMEM.
 */
int report_begin(struct simulate_report *report, struct error *error)
{
	if (report->format == REPORT_TAP)
		puts("TAP version 13");
	if (!report->junit)
		return 0;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"shrike simulate\">\n",
	      report->junit);
	return ferror(report->junit) ? error_set(error, errno, "cannot write: %s", strerror(errno))
				     : 0;
}

/**
 * report_file() - A file comes next
 * @path: of the scenario or capture; outlives report_file_end()
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int report_file(struct simulate_report *report, const char *path, struct error *error)
{
	report->path = path;
	report->n = 0;
	report->file = (struct report_sums){};
	if (!report->junit)
		return 0;
	report->cases = open_memstream(&report->cases_text, &report->cases_len);
	return report->cases ? 0 : error_no_memory(error);
}

/**
 * report_step() - A packet has been judged: was it as expected?
 * @step: the packet
 * @result: what became of it
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int report_step(struct simulate_report *report, const struct scenario_step *step,
		const struct simulation_result *result, struct error *error)
{
	const struct record_result record = {
		.event = &result->event,
		.rule_id = result->rule_id,
		.packet = result->packet,
		.packet_len = result->len,
		.n = report->n++,
		.at_ns = step->at_ns,
	};
	char why[EXPECTATION_WHY_MAX] = "";
	char *line = record_result_line(&record);
	int err = 0;

	if (!record.n && report->several && report->format == REPORT_TEXT)
		printf("%s:\n", report->path);

	if (!line)
		return error_no_memory(error);
	if (expectation_given(&step->expect)) {
		expectation_holds(&step->expect, record.event, record.rule_id, why);
		note(report, step, line, why);
	}
	if (report->format == REPORT_JSON)
		err = print_json(report, step, &record, why, error);
	else if (report->format == REPORT_TEXT)
		print_text(report, step, &record, line, why);
	free(line);
	return err;
}

/**
 * report_error() - The file cannot be judged, or not to its end
 */
void report_error(struct simulate_report *report, const struct error *error)
{
	report->file.errors++;
	report->invalid |= command_fail(error) == EXIT_INVALID;
	write_tap(report, "read and judged", error->text);
	write_case(report, "read and judged", "error", error->text);
}

/**
 * report_not_run() - The file is a scenario, but the rights to judge it are missing
 * @packets: of it
 */
void report_not_run(struct simulate_report *report, size_t packets)
{
	report->file.not_run++;
	fprintf(stderr, "shrike: %s: checked, but %zu packets not judged: %s\n", report->path,
		packets, NEEDED);
	write_tap(report, "judged", NEEDED);
	write_case(report, "judged", "skipped", NEEDED);
}

/**
 * report_file_end() - That was the file
 */
void report_file_end(struct simulate_report *report)
{
	const struct report_sums *file = &report->file;

	report->all.passed += file->passed;
	report->all.failed += file->failed;
	report->all.errors += file->errors;
	report->all.not_run += file->not_run;
	if (!report->cases)
		return;
	fclose(report->cases);
	report->cases = NULL;
	fputs("  <testsuite name=\"", report->junit);
	write_xml(report->junit, report->path);
	fprintf(report->junit,
		"\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n%s"
		"  </testsuite>\n",
		file->passed + file->failed + file->errors + file->not_run, file->failed,
		file->errors, file->not_run, report->cases_text);
	free(report->cases_text);
}

/**
 * report_end() - That was all
 *
 * Return: 0, or -errno where JUnit's XML could not be written.
 */
int report_end(struct simulate_report *report, struct error *error)
{
	int failed = 0;

	if (report->format == REPORT_TAP)
		printf("1..%zu\n", report->n_tests);
	else if (report->format == REPORT_TEXT && report->judged)
		printf("%zu passed, %zu failed\n", report->all.passed, report->all.failed);
	if (report->junit) {
		fputs("</testsuites>\n", report->junit);
		failed = ferror(report->junit);
		failed |= fclose(report->junit);
	}
	return failed ? error_set(error, EIO, "cannot write JUnit's XML: %s", strerror(errno)) : 0;
}
