/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrike report: what other commands say of an interface, in one file that can be given away.
 *
 * Each part is what `shrike COMMAND -j` prints, run as a process of its own: a part that fails, or
 * does not end, is noted and takes nothing else with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/output.h"
#include "cli/command.h"
#include "incident/anonymise.h"
#include "incident/archive.h"
#include "incident/past_file.h"
#include "incident/past_hide.h"
#include "version.h"

#define WORDS_MAX    8
#define PART_SECONDS 120 /* a part that takes longer is given up */

enum { OPTION_ANONYMISE = OPTION_COMMAND };

static int run_report(const struct command *command, int argc, char **argv);

/* clang-format off */
static const char details[] =
	"      --anonymise       other addresses, prefixes kept, and digests for names\n"
	"                        and ids; by a key that is not kept\n"
	"\n"
	"Status, policy, connections, rates, doctor and versions as JSON, what the\n"
	"recorder holds and the policies of the past in FILE, a new one that ends in\n"
	".tar.zst and only its owner can read. What could not be had is warned of, and\n"
	"noted in its manifest.json. 'shrike why --from' and 'simulate --pcap' read it\n"
	"elsewhere.\n";
/* clang-format on */

const struct command command_report = {
	.name = "report",
	.arguments = "[IFACE] FILE.tar.zst [--anonymise] [-j]",
	.summary = "write what helps to explain an incident to a file",
	.details = details,
	.run = run_report,
};

/*
 * struct part - one file of the report
 * @words: the command; "IFACE" stands for the interface
 * @ok: exit status beside 0 that is no failure
 */
struct part {
	const char *name;
	const char *words[WORDS_MAX];
	int ok;
};

static const struct part parts[] = {
	{"version.json", {"version", "-j"}, 0},
	{"status.json", {"status", "IFACE", "-j"}, 0},
	{"status-check.json", {"status", "IFACE", "--check", "-j"}, EXIT_UNHEALTHY},
	{"policy.json", {"policy", "show", "IFACE", "-j"}, 0},
	{"unused.json", {"policy", "unused", "IFACE", "-j"}, 0},
	{"history.json", {"policy", "history", "IFACE", "-j"}, 0},
	{"conntrack.json", {"conntrack", "list", "IFACE", "-j"}, 0},
	{"doctor.json", {"doctor", "IFACE", "-j"}, EXIT_FAILED},
	{"stats.json", {"stats", "IFACE", "-n", "1", "-j"}, 0},
};

#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

/*
 * struct report - one that is being written
 * @anonymiser: NULL: all is as it is
 * @files: what is in it, for the manifest
 * @past: what recorder.json and the files beside it are made of
 */
struct report {
	const char *ifname;
	struct incident_archive *archive;
	struct anonymiser *anonymiser;
	json_t *files;
	struct incident_past past;
};

/* What a command has printed. */
struct printed {
	char *text;
	size_t len;
};

/* ---- running commands ---- */

/* Become a command; does not return. */
static void become(const struct part *part, const char *ifname, const int fds[2])
{
	char *argv[WORDS_MAX + 2] = {"shrike"};

	for (int i = 0; i < WORDS_MAX && part->words[i]; i++)
		argv[i + 1] = (char *)(strcmp(part->words[i], "IFACE") ? part->words[i] : ifname);
	if (dup2(fds[0], STDOUT_FILENO) >= 0 && dup2(fds[1], STDERR_FILENO) >= 0) {
		alarm(PART_SECONDS);
		execv("/proc/self/exe", argv);
	}
	_exit(EXIT_FAILED);
}

/* Read what a command has written to a file. */
static int read_back(int fd, struct printed *printed)
{
	struct stat status;
	size_t got = 0;

	if (fstat(fd, &status))
		return -errno;
	printed->text = calloc(1, (size_t)status.st_size + 1);
	if (!printed->text)
		return -ENOMEM;
	while (got < (size_t)status.st_size) {
		ssize_t n = pread(fd, printed->text + got, (size_t)status.st_size - got,
				  (off_t)got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	printed->len = got;
	return 0;
}

/* Run a command: its exit status, or 128 and the signal that has ended it. */
static int run_part(const char *ifname, const struct part *part, struct printed printed[2],
		    int *status, struct error *error)
{
	int fds[2] = {memfd_create("stdout", MFD_CLOEXEC), memfd_create("stderr", MFD_CLOEXEC)};
	pid_t pid = fds[0] < 0 || fds[1] < 0 ? -1 : fork();
	int err = 0, ended;

	if (!pid)
		become(part, ifname, fds);
	if (pid < 0)
		err = -errno;
	while (!err && waitpid(pid, &ended, 0) < 0)
		err = errno == EINTR ? 0 : -errno;
	for (int i = 0; i < 2 && !err; i++)
		err = read_back(fds[i], &printed[i]);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (err)
		return error_set(error, -err, "cannot run 'shrike %s': %s", part->words[0],
				 strerror(-err));
	*status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
	return 0;
}

/* ---- files of the report ---- */

/* Add a document, anonymised where that is asked for. */
static int add_json(struct report *report, const char *name, const json_t *value,
		    struct error *error)
{
	json_t *other = report->anonymiser ? anonymiser_json(report->anonymiser, value) : NULL;
	char *text = json_dumps(other ?: value, OUTPUT_JSON_FLAGS | JSON_ENCODE_ANY);
	int err = text ? archive_add(report->archive, name, text, strlen(text), error)
		       : error_no_memory(error);

	free(text);
	json_decref(other);
	return err;
}

/* Note a file in the manifest. */
static void note_file(struct report *report, const char *name, int status, const char *errors)
{
	json_t *said = report->anonymiser ? anonymiser_string(report->anonymiser, errors)
					  : output_json_text(errors);

	json_array_append_new(report->files, json_pack("{s:s,s:i,s:o}", "name", name, "status",
						       status, "errors", said));
}

/* Run a command, note how it ended, and add what it has printed. */
static int add_part(struct report *report, const struct part *part, struct error *error)
{
	struct printed printed[2] = {};
	const char *errors;
	json_t *value;
	int status = 0, err = run_part(report->ifname, part, printed, &status, error);

	if (err)
		return err;
	printed[1].text[strcspn(printed[1].text, "\n")] = '\0';
	errors = printed[1].text;
	if (!strncmp(errors, "shrike: ", strlen("shrike: ")))
		errors += strlen("shrike: ");
	note_file(report, part->name, status, errors);
	if (status && status != part->ok)
		fprintf(stderr, "shrike: warning: %s: %s\n", part->name,
			errors[0] ? errors : "the command failed");
	value = json_loadb(printed[0].text, printed[0].len,
			   JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, NULL);
	if (value)
		err = add_json(report, part->name, value, error);
	json_decref(value);
	free(printed[0].text);
	free(printed[1].text);
	return err;
}

/* ---- the past ---- */

/* Take what is known of the past, and have its names hidden; nothing attached is no failure. */
static int take_past(struct report *report, struct error *error)
{
	struct attached attached, *found = NULL;
	char name[IF_NAMESIZE], host[256] = "";
	int ifindex, err;

	if (report->anonymiser && !gethostname(host, sizeof(host) - 1) && strcmp(host, "localhost"))
		anonymiser_hide(report->anonymiser, host);
	if (!command_interface(report->ifname, name, &ifindex, error) &&
	    !attached_open(ifindex, &attached, error))
		found = &attached;
	note_file(report, "recorder.json", found ? 0 : EXIT_FAILED, found ? "" : error->text);
	if (!found)
		fprintf(stderr, "shrike: warning: recorder.json: %s\n", error->text);
	err = incident_past_take(&report->past, report->ifname, found, error);
	if (found)
		attached_close(found);
	if (!err && report->anonymiser)
		past_hide_names(&report->past, report->anonymiser);
	return err;
}

/* Write what is known of the past. */
static int add_past(struct report *report, struct error *error)
{
	size_t n = report->past.n_policies;
	int err = 0;

	if (report->anonymiser)
		err = past_hide(&report->past, report->anonymiser, error);
	if (!err && report->past.n_policies < n)
		fprintf(stderr,
			"shrike: warning: %zu of %zu policies cannot be anonymised and are "
			"left out\n",
			n - report->past.n_policies, n);
	return err ? err : past_file_write(&report->past, report->archive, error);
}

/* ---- the whole ---- */

/* Add what the report is, and how its parts came about. */
static int add_manifest(struct report *report, struct error *error)
{
	char time[OUTPUT_TIME_LEN], *text;
	json_t *manifest = json_pack("{s:i,s:s,s:s,s:o,s:b,s:O}", "schema", OUTPUT_JSON_SCHEMA,
				     "created", output_time(time, clock_ns(CLOCK_REALTIME)),
				     "version", SHRIKE_VERSION, "interface",
				     output_json_text(report->ifname), "anonymised",
				     report->anonymiser != NULL, "files", report->files);
	int err;

	text = manifest ? json_dumps(manifest, OUTPUT_JSON_FLAGS) : NULL;
	err = text ? archive_add(report->archive, "manifest.json", text, strlen(text), error)
		   : error_no_memory(error);
	free(text);
	json_decref(manifest);
	return err;
}

static int fill(struct report *report, struct error *error)
{
	int err = take_past(report, error);

	for (size_t i = 0; i < N_PARTS && !err; i++)
		err = add_part(report, &parts[i], error);
	if (!err)
		err = add_past(report, error);
	return err ? err : add_manifest(report, error);
}

static const char
	*volatile unfinished; /* the file that is to go if a signal ends the command; NULL: none */

static void on_signal(int number)
{
	if (unfinished)
		unlink(unfinished);
	raise(number); /* which ends it, as SA_RESETHAND says */
}

/* Have no half of a report stay behind. */
static void remove_on_signals(void)
{
	static const int numbers[] = {SIGHUP, SIGINT, SIGTERM};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND}, old;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!sigaction(numbers[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
}

/* Write a report. */
static int write_report(struct report *report, const char *path, bool anonymise,
			struct error *error)
{
	int err = anonymise ? anonymiser_new(&report->anonymiser, error) : 0;

	if (err)
		return err;
	err = archive_create(path, &report->archive, error);
	if (!err) {
		unfinished = path;
		remove_on_signals();
		err = fill(report, error);
		if (err)
			archive_discard(report->archive);
		else
			err = archive_finish(report->archive, error);
		unfinished = NULL;
	}
	incident_past_free(&report->past);
	anonymiser_free(report->anonymiser);
	return err;
}

static int print(const struct report *report, const char *path, bool json, struct error *error)
{
	if (json)
		return output_json(json_pack("{s:o,s:o,s:O}", "interface",
					     output_json_text(report->ifname), "file",
					     output_json_text(path), "files", report->files),
				   stdout, error);
	printf("%s\n", path);
	return output_flush(stdout, error);
}

/* The command `shrike report`. */
static int run_report(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"anonymise", no_argument, NULL, OPTION_ANONYMISE},
		COMMON_LONG_OPTIONS,
		{},
	};
	bool json = false, anonymise = false;
	char name[IF_NAMESIZE];
	struct report report = {.ifname = name};
	struct error error, ignored;
	int option, ifindex, n, err;

	while ((option = command_option(argc, argv, "jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		json |= option == 'j';
		anonymise |= option == OPTION_ANONYMISE;
	}
	n = argc - optind;
	if (n < 1 || n > 2)
		return command_usage(command, "a file to write is needed");
	if (!archive_has_suffix(argv[argc - 1]))
		return command_usage(command, "'%s' does not end in .tar.zst", argv[argc - 1]);
	if (command_interface(n == 2 ? argv[optind] : NULL, name, &ifindex, &ignored))
		snprintf(name, sizeof(name), "%s", n == 2 ? argv[optind] : "wt0");
	report.files = json_array();
	err = report.files ? write_report(&report, argv[argc - 1], anonymise, &error)
			   : error_no_memory(&error);
	if (!err)
		err = print(&report, argv[argc - 1], json, &error);
	json_decref(report.files);
	return err ? command_fail(&error) : EXIT_DONE;
}
