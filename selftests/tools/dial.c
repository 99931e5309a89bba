/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Many TCP connections, for what is measured about opening and keeping them.
 *
 *	dial serve ADDR PORT			echo until killed; "ready" on stdout
 *	dial rate ADDR PORT MS CONCURRENT	connect, exchange a byte, reset, and again; prints
 *						connections per second and how many failed
 *	dial trips ADDR PORT MS			exchange bytes on one connection, one at a time; prints
 *						how many per second
 *	dial hold ADDR PORT COUNT		COUNT connections after an exchange on each; "open"
 *						on stdout; they stay until stdin ends
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS	   256
#define IN_FLIGHT  64 /* while opening the connections that stay */
#define PATIENCE_S 60

static struct sockaddr_in addr;
static int epoll_fd;

static void die(const char *what)
{
	fprintf(stderr, "dial: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

static void watch(int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
		die("epoll");
}

static void serve(void)
{
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct epoll_event events[EVENTS];

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 4096))
		die("listen");
	watch(listener, EPOLLIN);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			char byte;

			if (fd == listener) {
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
					watch(fd, EPOLLIN);
			} else if (recv(fd, &byte, 1, 0) != 1 ||
				   send(fd, &byte, 1, MSG_NOSIGNAL) != 1) {
				close(fd);
			}
		}
	}
}

/* Begin a connection; its byte follows when it is writable. */
static void begin(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) && errno != EINPROGRESS)
		die("connect");
	watch(fd, EPOLLOUT);
}

/* Go on with a connection: 1 it has had its exchange, -1 it has failed, 0 not yet. */
static int advance(int fd, uint32_t events)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	char byte = 1;

	if (events & (EPOLLERR | EPOLLHUP))
		return -1;
	if (events & EPOLLIN)
		return recv(fd, &byte, 1, 0) == 1 ? 1 : -1;
	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
		return -1;
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event);
	return 0;
}

static void reset(int fd)
{
	struct linger at_once = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static void rate(double seconds, int concurrent)
{
	double start = now_s(), end = start + seconds;
	struct epoll_event events[EVENTS];
	long done = 0, failed = 0;

	for (int i = 0; i < concurrent; i++)
		begin();
	while (now_s() < end) {
		int n = epoll_wait(epoll_fd, events, EVENTS, 100);

		for (int i = 0; i < n; i++) {
			int outcome = advance(events[i].data.fd, events[i].events);

			if (!outcome)
				continue;
			done += outcome > 0;
			failed += outcome < 0;
			reset(events[i].data.fd);
			begin();
		}
	}
	printf("%.0f %ld\n", done / (now_s() - start), failed);
}

static void trips(double seconds)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	double start, end;
	long done = 0;
	char byte = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("connect");
	start = now_s();
	for (end = start + seconds; now_s() < end; done++)
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
			die("an exchange");
	printf("%.0f\n", done / (now_s() - start));
}

static void hold(int count)
{
	struct epoll_event events[EVENTS];
	int begun = 0, done = 0;
	double end = now_s() + PATIENCE_S;

	while (done < count) {
		int n;

		while (begun < count && begun - done < IN_FLIGHT) {
			begin();
			begun++;
		}
		n = epoll_wait(epoll_fd, events, EVENTS, 1000);
		for (int i = 0; i < n; i++) {
			int outcome = advance(events[i].data.fd, events[i].events);

			if (outcome < 0 || now_s() > end) {
				errno = ECONNABORTED;
				die("a connection failed");
			}
			if (outcome)
				epoll_ctl(epoll_fd, EPOLL_CTL_DEL, events[i].data.fd, NULL);
			done += outcome;
		}
	}
	puts("open");
	fflush(stdout);
	while (getchar() != EOF)
		;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (argc < 4 || inet_pton(AF_INET, argv[2], &addr.sin_addr) != 1) {
		fputs("usage: dial serve|rate|trips|hold ADDR PORT ...\n", stderr);
		return 2;
	}
	addr.sin_family = AF_INET;
	addr.sin_port = htons(atoi(argv[3]));
	if (!strcmp(argv[1], "serve"))
		serve();
	else if (!strcmp(argv[1], "rate") && argc == 6)
		rate(atof(argv[4]) / 1000, atoi(argv[5]));
	else if (!strcmp(argv[1], "trips") && argc == 5)
		trips(atof(argv[4]) / 1000);
	else if (!strcmp(argv[1], "hold") && argc == 5)
		hold(atoi(argv[4]));
	else
		return 2;
	return 0;
}
