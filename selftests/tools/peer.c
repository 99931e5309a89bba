/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The talker of the end-to-end tests: echo servers, and clients that say in one word how it went.
 *
 *	peer serve tcp|udp ADDR PORT [-l LOG]		echo until killed; "ready" on stdout
 *	peer ask tcp|udp ADDR PORT [options]		one exchange; prints an outcome
 *	peer hold tcp|udp ADDR PORT [options]		an outcome for connecting, then one exchange
 *							and one outcome for each line on stdin,
 *							which says how many ms to wait for it
 *
 * Options: -n BYTES per exchange (16), -t MS without progress that count as a timeout (5000),
 * -s SOURCE address, -p SOURCE port, -d never fragment.  The log has a line per datagram or
 * connection, "ttl=N len=N from=ADDR"; the TTL is the only proof that a packet was routed.
 *
 * Outcomes: ok, refused, timeout, reset, closed, unreachable, toobig, mismatch, error.  ask exits 0
 * only for ok.  Bytes are a function of their position, so a lost, doubled or altered one shows.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 32
#define CHUNK	    65536

struct options {
	bool tcp;
	bool dont_fragment;
	size_t bytes;
	int timeout_ms;
	const char *source;
	const char *source_port;
	FILE *log;
	struct sockaddr_storage addr;
	socklen_t addr_len;
};

/* A connection of the echo server, or the client's only one. */
struct stream {
	int fd;
	size_t sent;
	size_t received;
	size_t start; /* of what the server still has to echo */
	size_t len;
	char buffer[CHUNK];
};

static void die(const char *what)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
	exit(2);
}

static const char *outcome(int error)
{
	switch (error) {
	case 0:
		return "ok";
	case ECONNREFUSED:
		return "refused";
	case ETIMEDOUT:
		return "timeout";
	case ECONNRESET:
		return "reset";
	case EPIPE:
		return "closed";
	case EHOSTUNREACH:
	case ENETUNREACH:
		return "unreachable";
	case EMSGSIZE:
		return "toobig";
	case EBADMSG:
		return "mismatch";
	default:
		return "error";
	}
}

static char pattern(size_t position)
{
	return (char)((position * 2654435761u) >> 13);
}

static void resolve(const char *host, const char *port, struct options *options)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found;

	if (getaddrinfo(host, port, &hints, &found)) {
		fprintf(stderr, "peer: not an address and a port: %s %s\n", host, port);
		exit(2);
	}
	memcpy(&options->addr, found->ai_addr, found->ai_addrlen);
	options->addr_len = found->ai_addrlen;
	freeaddrinfo(found);
}

static int open_socket(const struct options *options)
{
	int fd = socket(options->addr.ss_family, options->tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	int one = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (options->addr.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	return fd;
}

/* How many hops a datagram had left when it arrived, -1 if the kernel did not say. */
static int received_ttl(struct msghdr *message)
{
	struct cmsghdr *c;
	int ttl;

	for (c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
			memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
			return ttl;
		}
	}
	return -1;
}

static void log_line(const struct options *options, const struct sockaddr *from, socklen_t from_len,
		     int ttl, ssize_t len)
{
	char host[NI_MAXHOST];

	if (!options->log)
		return;
	if (getnameinfo(from, from_len, host, sizeof(host), NULL, 0, NI_NUMERICHOST))
		strcpy(host, "?");
	fprintf(options->log, "ttl=%d len=%zd from=%s\n", ttl, len, host);
	fflush(options->log);
}

/* Of what came with a datagram, keeps only its destination: the answer's source. */
static void keep_pktinfo(struct msghdr *message)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)) {
			memmove(message->msg_control, c, c->cmsg_len);
			message->msg_controllen = c->cmsg_len;
			return;
		}
	}
	message->msg_controllen = 0;
}

static void serve_udp(const struct options *options, int fd)
{
	static char buffer[CHUNK];
	bool v4 = options->addr.ss_family == AF_INET;
	int one = 1;

	setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVTTL : IPV6_RECVHOPLIMIT, &one,
		   sizeof(one));
	setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, &one,
		   sizeof(one));
	for (;;) {
		_Alignas(struct cmsghdr) char control[256];
		struct sockaddr_storage from;
		struct iovec iov = {.iov_base = buffer, .iov_len = sizeof(buffer)};
		struct msghdr message = {.msg_name = &from,
					 .msg_namelen = sizeof(from),
					 .msg_iov = &iov,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof(control)};
		ssize_t len = recvmsg(fd, &message, 0);

		if (len < 0)
			continue; /* an ICMP error for an earlier answer */
		log_line(options, (struct sockaddr *)&from, message.msg_namelen,
			 received_ttl(&message), len);
		iov.iov_len = (size_t)len;
		keep_pktinfo(&message);
		sendmsg(fd, &message, 0);
	}
}

/* Moves what can be moved without blocking; false when the connection is over. */
static bool serve_stream(struct stream *stream, short events)
{
	ssize_t n;

	if ((events & (POLLIN | POLLHUP | POLLERR)) && !stream->len) {
		n = recv(stream->fd, stream->buffer, CHUNK, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		stream->start = 0;
		stream->len = n < 0 ? 0 : (size_t)n;
	}
	if (stream->len) {
		n = send(stream->fd, stream->buffer + stream->start, stream->len,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return false;
		stream->start += n < 0 ? 0 : (size_t)n;
		stream->len -= n < 0 ? 0 : (size_t)n;
	}
	return true;
}

static void accept_stream(const struct options *options, int listener, struct stream **streams,
			  size_t *n)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	int fd = accept(listener, (struct sockaddr *)&from, &from_len);

	if (fd < 0)
		return;
	if (*n == CLIENTS_MAX) {
		close(fd);
		return;
	}
	log_line(options, (struct sockaddr *)&from, from_len, -1, 0);
	streams[*n] = calloc(1, sizeof(**streams));
	if (!streams[*n])
		die("calloc");
	streams[(*n)++]->fd = fd;
}

static void serve_tcp(const struct options *options, int listener)
{
	struct stream *streams[CLIENTS_MAX];
	struct pollfd polled[CLIENTS_MAX + 1];
	size_t n = 0, i;

	for (;;) {
		polled[0] = (struct pollfd){.fd = listener, .events = POLLIN};
		for (i = 0; i < n; i++)
			polled[i + 1] = (struct pollfd){
				.fd = streams[i]->fd, .events = streams[i]->len ? POLLOUT : POLLIN};
		if (poll(polled, n + 1, -1) < 0)
			die("poll");
		/* backwards, so that the last stream can take the place of one that ends */
		for (i = n; i-- > 0;) {
			if (!polled[i + 1].revents ||
			    serve_stream(streams[i], polled[i + 1].revents))
				continue;
			close(streams[i]->fd);
			free(streams[i]);
			streams[i] = streams[--n];
		}
		if (polled[0].revents)
			accept_stream(options, listener, streams, &n);
	}
}

static int serve(const struct options *options)
{
	int fd = open_socket(options);

	if (bind(fd, (const struct sockaddr *)&options->addr, options->addr_len))
		die("bind");
	if (options->tcp && listen(fd, CLIENTS_MAX))
		die("listen");
	puts("ready");
	fflush(stdout);
	if (options->tcp)
		serve_tcp(options, fd);
	else
		serve_udp(options, fd);
	return 0;
}

/* Waits for events; 0 or ETIMEDOUT. */
static int await(int fd, short events, int timeout_ms)
{
	struct pollfd polled = {.fd = fd, .events = events};
	int n;

	do {
		n = poll(&polled, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		die("poll");
	return n ? 0 : ETIMEDOUT;
}

static void bind_source(const struct options *options, int fd)
{
	const char *any = options->addr.ss_family == AF_INET ? "0.0.0.0" : "::";
	struct options source = {0};

	if (!options->source && !strcmp(options->source_port, "0"))
		return;
	resolve(options->source ? options->source : any, options->source_port, &source);
	if (bind(fd, (struct sockaddr *)&source.addr, source.addr_len))
		die("bind");
}

static int dial(const struct options *options, struct stream *stream)
{
	bool v4 = options->addr.ss_family == AF_INET;
	int mtu_discover = options->dont_fragment ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT;
	int error = 0;
	socklen_t error_len = sizeof(error);

	stream->fd = open_socket(options);
	bind_source(options, stream->fd);
	if (!options->tcp)
		setsockopt(stream->fd, v4 ? IPPROTO_IP : IPPROTO_IPV6,
			   v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &mtu_discover,
			   sizeof(mtu_discover));
	else if (fcntl(stream->fd, F_SETFL, O_NONBLOCK))
		die("fcntl");
	if (!connect(stream->fd, (const struct sockaddr *)&options->addr, options->addr_len))
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	error = await(stream->fd, POLLOUT, options->timeout_ms);
	if (!error)
		getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
	return error;
}

/* Sends what fits of the stream's next bytes, up to position @target. */
static int stream_send(struct stream *stream, size_t target)
{
	char chunk[CHUNK];
	size_t len = target - stream->sent < CHUNK ? target - stream->sent : CHUNK;
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		chunk[i] = pattern(stream->sent + i);
	n = send(stream->fd, chunk, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? 0 : errno;
	stream->sent += (size_t)n;
	return 0;
}

static int stream_receive(struct stream *stream)
{
	ssize_t n = recv(stream->fd, stream->buffer, CHUNK, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : errno;
	if (n == 0)
		return EPIPE;
	for (ssize_t i = 0; i < n; i++)
		if (stream->buffer[i] != pattern(stream->received + (size_t)i))
			return EBADMSG;
	stream->received += (size_t)n;
	return 0;
}

static int exchange_tcp(const struct options *options, struct stream *stream)
{
	size_t target = stream->sent + options->bytes;
	int error = 0;

	while (!error && stream->received < target) {
		bool more = stream->sent < target;

		error = await(stream->fd, more ? POLLIN | POLLOUT : POLLIN, options->timeout_ms);
		if (!error && more)
			error = stream_send(stream, target);
		if (!error)
			error = stream_receive(stream);
	}
	return error;
}

static int exchange_udp(const struct options *options, struct stream *stream)
{
	char datagram[CHUNK];
	ssize_t n;
	int error;

	for (size_t i = 0; i < options->bytes; i++)
		datagram[i] = pattern(stream->sent + i);
	stream->sent += options->bytes;
	if (send(stream->fd, datagram, options->bytes, 0) < 0)
		return errno;
	error = await(stream->fd, POLLIN, options->timeout_ms);
	if (error)
		return error;
	n = recv(stream->fd, stream->buffer, CHUNK, 0);
	if (n < 0)
		return errno;
	if ((size_t)n != options->bytes || memcmp(stream->buffer, datagram, (size_t)n))
		return EBADMSG;
	return 0;
}

static int report(int error)
{
	puts(outcome(error));
	fflush(stdout);
	return error ? 1 : 0;
}

static int exchange(const struct options *options, struct stream *stream)
{
	return options->tcp ? exchange_tcp(options, stream) : exchange_udp(options, stream);
}

static int ask(struct options *options, bool hold)
{
	static struct stream stream;
	int error = dial(options, &stream);
	char line[64];

	if (!hold)
		return report(error ? error : exchange(options, &stream));
	if (report(error))
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		options->timeout_ms = atoi(line);
		report(exchange(options, &stream));
	}
	return 0;
}

static void usage(void)
{
	fputs("usage: peer serve|ask|hold tcp|udp ADDR PORT [-n BYTES] [-t MS] [-s SOURCE] "
	      "[-p PORT] [-d] [-l LOG]\n",
	      stderr);
	exit(2);
}

static void parse_options(int argc, char **argv, struct options *options)
{
	int c;

	while ((c = getopt(argc, argv, "n:t:s:p:dl:")) != -1) {
		if (c == 'n')
			options->bytes = strtoul(optarg, NULL, 10);
		else if (c == 't')
			options->timeout_ms = atoi(optarg);
		else if (c == 's')
			options->source = optarg;
		else if (c == 'p')
			options->source_port = optarg;
		else if (c == 'd')
			options->dont_fragment = true;
		else if (c != 'l')
			usage();
		else if (!(options->log = fopen(optarg, "a")))
			die(optarg);
	}
	if (!options->tcp && options->bytes > CHUNK)
		usage();
}

int main(int argc, char **argv)
{
	struct options options = {.bytes = 16, .timeout_ms = 5000, .source_port = "0"};

	if (argc < 5)
		usage();
	options.tcp = !strcmp(argv[2], "tcp");
	if (!options.tcp && strcmp(argv[2], "udp"))
		usage();
	resolve(argv[3], argv[4], &options);
	optind = 5;
	parse_options(argc, argv, &options);
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(argv[1], "serve"))
		return serve(&options);
	if (!strcmp(argv[1], "ask"))
		return ask(&options, false);
	if (!strcmp(argv[1], "hold"))
		return ask(&options, true);
	usage();
	return 2;
}
