/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Questions about a policy at a host, and the programs' word on a packet that answers one.
 */
#ifndef SHRIKE_SIMULATE_QUESTION_H
#define SHRIKE_SIMULATE_QUESTION_H

#include "packet/build.h"
#include "review/ask.h"
#include "simulate/simulate.h"

/*
 * struct question - a policy that is asked about
 * @scenario: its policy is the caller's
 * @environment: NetBird's variables, which have been applied to the policy
 */
struct question {
	struct scenario scenario;
	struct environment environment;
	struct inquiry inquiry;
};

int question_open(struct question *question, const char *ifname, warn_fn warn, struct error *error);
int question_judge(struct simulation *simulation, const struct packet_spec *spec,
		   enum direction direction, struct simulation_result *result, struct error *error);
int question_step(const struct question *question, const struct witness *witness,
		  struct simulation *simulation, struct simulation_result *result,
		  struct error *error);
int question_trace(const struct question *question, const struct witness *witness,
		   struct simulation **simulation, struct simulation_result *result,
		   struct error *error);
void question_close(struct question *question);

#endif /* SHRIKE_SIMULATE_QUESTION_H */
