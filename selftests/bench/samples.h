/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Samples of one case, as the line of JSON that selftests/bench/run reads, and clocks.
 */
#ifndef SHRIKE_BENCH_SAMPLES_H
#define SHRIKE_BENCH_SAMPLES_H

#include <stdint.h>

#define SAMPLES_MAX 101

/*
 * struct samples - what was measured
 * @empty: beside each sample what is to be subtracted from it; @has_empty
 */
struct samples {
	double measured[SAMPLES_MAX];
	double empty[SAMPLES_MAX];
	unsigned int n;
	unsigned int has_empty;
};

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
double cpu_time_ns(void);
double wall_time_ns(void);
void samples_add(struct samples *samples, double value);
void samples_report(const struct samples *samples, const char *labels, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* SHRIKE_BENCH_SAMPLES_H */
