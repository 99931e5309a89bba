/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "samples.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/**
 * die() - End with a sentence
 */
void die(const char *format, ...)
{
	va_list args;

	fputs("bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static double clock_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

/**
 * cpu_time_ns() - CPU time of this thread: what else runs on the machine is not in it
 */
double cpu_time_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/**
 * wall_time_ns() - A clock on the wall
 */
double wall_time_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/**
 * samples_add() - Add a sample that nothing is subtracted from
 */
void samples_add(struct samples *samples, double value)
{
	if (samples->n < SAMPLES_MAX)
		samples->measured[samples->n++] = value;
}

static void print_list(const char *name, const double *list, unsigned int n)
{
	printf(",\"%s\":[", name);
	for (unsigned int i = 0; i < n; i++)
		printf("%s%.3f", i ? "," : "", list[i]);
	putchar(']');
}

/**
 * samples_report() - Write the line of a case
 * @samples: of the case
 * @labels: what tells it apart from others, members of a JSON object
 */
void samples_report(const struct samples *samples, const char *labels, ...)
{
	va_list args;

	putchar('{');
	va_start(args, labels);
	vprintf(labels, args);
	va_end(args);
	print_list("samples", samples->measured, samples->n);
	if (samples->has_empty)
		print_list("empty", samples->empty, samples->n);
	puts("}");
	fflush(stdout);
}
