/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The checks of `shrike doctor --path`: where packets to an address end.
 */
#ifndef SHRIKE_CLI_DOCTOR_PATH_H
#define SHRIKE_CLI_DOCTOR_PATH_H

#include "cli/doctor.h"

#define PATH_PORT_TCP 443
#define PATH_PORT_UDP 33434 /* traceroute's first: hardly anybody listens there */

/*
 * struct path_question - what is asked
 * @addr: the destination: an address, or a name of the policy
 * @port: of TCP and UDP, 0: PATH_PORT_TCP and PATH_PORT_UDP
 */
struct path_question {
	const char *ifname;
	const char *addr;
	uint16_t port;
};

int doctor_check_path(struct report *report, const struct path_question *question, json_t **path,
		      struct error *error);

#endif /* SHRIKE_CLI_DOCTOR_PATH_H */
