/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The service manager, as systemd is one: it hears the state of this process, and keeps a descriptor
 * from one process of a service to the next (FileDescriptorStoreMax=, sd_notify(3),
 * sd_listen_fds(3)).
 */
#ifndef SHRIKE_DAEMON_SERVICE_H
#define SHRIKE_DAEMON_SERVICE_H

struct error;

void service_notify(const char *message);
int service_store(int fd, struct error *error);
int service_take(void);

#endif /* SHRIKE_DAEMON_SERVICE_H */
