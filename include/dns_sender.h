/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who has sent an answer of NetBird's DNS forwarder.
 *
 * A packet socket sees clones of what leaves, and these have no sender.  The egress program sees the
 * packet itself: where this host's root has sent it, the program says so in a field that clones have,
 * too, and that nothing else reads (skb->tc_index).
 */
#ifndef SHRIKE_DNS_SENDER_H
#define SHRIKE_DNS_SENDER_H

#define NETBIRD_DNS_PORT 22054	/* that the forwarder is bound to */
#define DNS_SENDER_ROOT	 0x6e62 /* skb->tc_index */

#endif /* SHRIKE_DNS_SENDER_H */
