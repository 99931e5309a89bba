/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/cmd_metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/output.h"
#include "cli/command.h"
#include "cli/status_json.h"
#include "kernel/pin_path.h"
#include "metrics/exposition.h"
#include "metrics/families.h"

#define FILE_MODE 0644 /* whoever collects such files is another user */

static int run_metrics(const struct command *command, int argc, char **argv);

const struct command command_metrics = {
	.name = "metrics",
	.arguments = "[IFACE] [--openmetrics] [-w FILE] [-j]",
	.summary = "counters and state as Prometheus reads them",
	/* clang-format off */
	.details =
		"      --openmetrics     OpenMetrics 1.0 instead of the text format 0.0.4\n"
		"  -w, --write FILE      put them into FILE, whole at any time, for the textfile\n"
		"                        collector of node_exporter\n"
		"\n"
		"Without IFACE: every attached interface. One that is not attached, or not there,\n"
		"has shrike_attached 0. 'shrike run --metrics' serves the same over HTTP.\n",
	/* clang-format on */
	.run = run_metrics,
};

/* What the command is to do. */
struct metrics_options {
	const char *interface; /* NULL: all that are attached */
	const char *path;      /* NULL: standard output */
	enum metrics_format format;
	bool json;
};

/* Add the status of an interface by its name, also where there is none. */
static int add_status(json_t *all, const char *ifname, struct error *error)
{
	struct link_info link = {};
	int err = netlink_link_by_name(ifname, &link, error);
	json_t *status;

	if (err && err != -ENODEV)
		return err;
	if (err) {
		snprintf(link.name, sizeof(link.name), "%s", ifname);
		status = status_unattached_json(&link);
	} else {
		status = status_json(&link, true, error);
		if (!status)
			return -error->code;
	}
	return json_array_append_new(all, status) ? error_no_memory(error) : 0;
}

/* The status of all interfaces that are attached, or of wt0. */
static int status_of_all(json_t *all, struct error *error)
{
	char name[IF_NAMESIZE];
	int *ifindexes, err;
	size_t n;

	err = command_attached(&ifindexes, &n, error);
	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++)
		if (if_indextoname(ifindexes[i], name)) /* or it has gone meanwhile */
			err = add_status(all, name, error);
	free(ifindexes);
	return err || n ? err : add_status(all, "wt0", error);
}

/* The families of an interface, or of all that are attached. */
static int read_families(const char *given, json_t **families, struct error *error)
{
	json_t *all = json_array();
	int err = given ? add_status(all, given, error) : status_of_all(all, error);

	if (err) {
		json_decref(all);
		return err;
	}
	*families = metrics_families(all);
	json_decref(all);
	return *families ? 0 : error_no_memory(error);
}

/**
 * metrics_command_collect() - Make the texts of an interface in all formats; a metrics_collect
 * @ifname: the interface
 * @texts: are set, for the caller to free
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int metrics_command_collect(const char *ifname, struct metrics_texts *texts, struct error *error)
{
	struct metrics_texts made = {};
	json_t *families;
	int err = read_families(ifname, &families, error);

	if (err)
		return err;
	for (int format = 0; format < METRICS_FORMAT_MAX && !err; format++)
		err = exposition_write(families, format, &made.text[format], &made.len[format],
				       error);
	json_decref(families);
	if (!err) {
		*texts = made;
		return 0;
	}
	for (int format = 0; format < METRICS_FORMAT_MAX; format++)
		free(made.text[format]);
	return err;
}

/* Put the text where it is to go. */
static int put(const struct metrics_options *options, const char *text, size_t len,
	       struct error *error)
{
	if (options->path)
		return file_replace(options->path, FILE_MODE, text, len, error);
	fwrite(text, 1, len, stdout);
	return output_flush(stdout, error);
}

/* Print the metrics, or write them to a file. */
static int metrics(const struct metrics_options *options, struct error *error)
{
	json_t *families;
	char *text;
	size_t len;
	int err;

	err = options->interface ? path_check_name(options->interface, error) : 0;
	if (!err)
		err = read_families(options->interface, &families, error);
	if (err)
		return err;
	if (options->json)
		return output_json(families, stdout, error);
	err = exposition_write(families, options->format, &text, &len, error);
	json_decref(families);
	if (err)
		return err;
	err = put(options, text, len, error);
	free(text);
	return err;
}

/* The command `shrike metrics`. */
static int run_metrics(const struct command *command, int argc, char **argv)
{
	enum { OPTION_OPENMETRICS = OPTION_COMMAND };
	static const struct option names[] = {
		{"openmetrics", no_argument, NULL, OPTION_OPENMETRICS},
		{"write", required_argument, NULL, 'w'},
		COMMON_LONG_OPTIONS,
		{},
	};
	struct metrics_options options = {.format = METRICS_TEXT};
	struct error error;
	int option;

	while ((option = command_option(argc, argv, "w:jv", names)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (option == OPTION_OPENMETRICS)
			options.format = METRICS_OPENMETRICS;
		else if (option == 'w')
			options.path = optarg;
		options.json |= option == 'j';
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	if (options.json && (options.path || options.format != METRICS_TEXT))
		return command_usage(command, "-j prints a form of its own: not with --write or "
					      "--openmetrics");
	options.interface = argv[optind];
	return metrics(&options, &error) ? command_fail(&error) : EXIT_DONE;
}
