/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How many ICMP errors a host may be sent: the limits that the kernel has by default (icmp_ratelimit
 * and its burst, icmp_msgs_per_sec and its burst).  "Too big" is not limited, as with the kernel:
 * without it nothing larger would ever arrive.
 */
#ifndef SHRIKE_ICMP_LIMIT_H
#define SHRIKE_ICMP_LIMIT_H

#include "abi.h"

#define ERROR_OF_PEER_NS NS_PER_S /* one for each, after a burst */
#define ERRORS_OF_PEER	 6
#define ERROR_NS	 (NS_PER_S / 1000) /* one for all together */
#define ERRORS		 50

#endif /* SHRIKE_ICMP_LIMIT_H */
