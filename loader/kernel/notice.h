/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How `run` hears at once that another process has put a policy into force: by an empty datagram to
 * an abstract socket of its network namespace.
 *
 * Anybody there may send one, so it says nothing but "look", and whoever hears it looks now and
 * then anyway.
 */
#ifndef SHRIKE_KERNEL_NOTICE_H
#define SHRIKE_KERNEL_NOTICE_H

int notice_open(const char *ifname);
void notice_take(int fd);
void notice_send(const char *ifname);

#endif /* SHRIKE_KERNEL_NOTICE_H */
