/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP exchanges from several sockets at once, each numbered, until SIGTERM.
 *
 *	storm ADDR PORT SOCKETS [LOST_MS]
 *
 * Prints "ready" once all sockets have an answer, and in the end "sent=N answered=N lost=N
 * wrong=N". A socket sends its next datagram when the last one has come back, so nothing is ever
 * lost in a queue: what does not come back within LOST_MS (5000) was dropped on the way.  Wrong is
 * an answer that was not asked for: doubled, altered or late.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS_MAX 256

static uint64_t lost_ms = 5000;

struct exchange {
	uint64_t number; /* of the datagram that is on its way, or was the last one */
	uint64_t sent_ms;
	bool waiting;
	bool answered; /* ever */
};

static struct pollfd polled[SOCKETS_MAX];
static struct exchange exchanges[SOCKETS_MAX];
static uint64_t sent, answered, lost, wrong;
static volatile sig_atomic_t over;

static void on_signal(int signal)
{
	(void)signal;
	over = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "storm: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

static void dial(const char *host, const char *port, int n)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				 .ai_socktype = SOCK_DGRAM};
	struct addrinfo *found;

	if (getaddrinfo(host, port, &hints, &found)) {
		fprintf(stderr, "storm: not an address and a port: %s %s\n", host, port);
		exit(2);
	}
	for (int i = 0; i < n; i++) {
		polled[i].fd = socket(found->ai_family, SOCK_DGRAM, 0);
		polled[i].events = POLLIN;
		if (polled[i].fd < 0 || connect(polled[i].fd, found->ai_addr, found->ai_addrlen))
			die("connect");
	}
	freeaddrinfo(found);
}

static void send_next(int i)
{
	struct exchange *e = &exchanges[i];

	e->number++;
	e->sent_ms = now_ms();
	e->waiting = true;
	if (send(polled[i].fd, &e->number, sizeof(e->number), 0) != sizeof(e->number))
		die("send");
	sent++;
}

static void receive(int i)
{
	struct exchange *e = &exchanges[i];
	uint64_t number;
	ssize_t n;

	while ((n = recv(polled[i].fd, &number, sizeof(number), MSG_DONTWAIT)) >= 0) {
		if (!e->waiting || n != sizeof(number) || number != e->number) {
			wrong++;
			continue;
		}
		e->waiting = false;
		e->answered = true;
		answered++;
	}
}

/* Returns how many sockets wait for an answer. */
static int turn(int n, bool *all_answered)
{
	uint64_t now = now_ms();
	int waiting = 0;

	*all_answered = true;
	for (int i = 0; i < n; i++) {
		receive(i);
		if (exchanges[i].waiting && now > exchanges[i].sent_ms + lost_ms) {
			exchanges[i].waiting = false;
			lost++;
		}
		if (!exchanges[i].waiting && !over)
			send_next(i);
		waiting += exchanges[i].waiting;
		*all_answered &= exchanges[i].answered;
	}
	return waiting;
}

int main(int argc, char **argv)
{
	int n = argc == 4 || argc == 5 ? atoi(argv[3]) : 0;
	bool ready = false, all_answered;

	if (n < 1 || n > SOCKETS_MAX) {
		fputs("usage: storm ADDR PORT SOCKETS [LOST_MS]\n", stderr);
		return 2;
	}
	if (argc == 5)
		lost_ms = strtoull(argv[4], NULL, 10);
	signal(SIGTERM, on_signal);
	dial(argv[1], argv[2], n);
	while (turn(n, &all_answered)) {
		if (all_answered && !ready) {
			puts("ready");
			fflush(stdout);
			ready = true;
		}
		poll(polled, n, 100);
	}
	printf("sent=%llu answered=%llu lost=%llu wrong=%llu\n", (unsigned long long)sent,
	       (unsigned long long)answered, (unsigned long long)lost, (unsigned long long)wrong);
	return lost || wrong;
}
