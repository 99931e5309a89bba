/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "metrics/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "metrics/calls.h"
#include "metrics/report.h"
#include "process/inherit.h"
#include "process/pass.h"

#define CLIENTS_MAX	 64
#define CLIENTS_PER_ADDR 16
#define CLIENT_BYTES	 (16 << 10) /* for a request and the head of its answer */
#define CLIENT_NS	 (10 * NS_PER_S)
#define ANSWER_NS	 (8 * NS_PER_S) /* how long clients wait for new texts */
#define TICK_MS		 500		/* how often times are looked at while there are clients */

#define PATH "/metrics"

static const char *const content_types[] = {
#define FORMAT(id, type) [METRICS_##id] = type,
	METRICS_FORMATS(FORMAT)
#undef FORMAT
};

/* A client, in the order in which they came. */
struct client {
	struct client *next, *previous;
	struct MHD_Connection *connection;
	int fd;
	uint64_t since_ns;
	bool is_waiting; /* for texts: then its connection is suspended */
	bool has_waited;
};

struct server {
	struct server_start start;
	struct MHD_Daemon *daemon;
	struct client clients; /* head of the list */
	unsigned int n_clients;
	int epoll_fd;
	uint64_t now_ns;
	struct MHD_Response *answer[METRICS_FORMAT_MAX]; /* NULL: there is none yet */
	struct MHD_Response *failure;
	uint64_t serve_until_ns; /* no newer texts are asked for */
	uint64_t asked_ns;	 /* when they were, 0: they were not, or have come */
	bool over;
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status,
			      struct MHD_Response *response)
{
	return response ? MHD_queue_response(connection, status, response) : MHD_NO;
}

/* An answer that ends its connection; takes over @text, NULL without memory. */
static struct MHD_Response *make_answer(char *text, size_t len, const char *type)
{
	struct MHD_Response *response =
		text ? MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE) : NULL;

	if (!response)
		return NULL;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT);
	return response;
}

static struct MHD_Response *make_text_answer(const char *text)
{
	return make_answer(strdup(text), strlen(text), "text/plain; charset=utf-8");
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned int status,
				   const char *text)
{
	struct MHD_Response *response = make_text_answer(text);
	enum MHD_Result result;

	if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = answer(connection, status, response);
	if (response)
		MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_metrics(struct server *server, struct MHD_Connection *connection)
{
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_ACCEPT);
	struct MHD_Response *response = server->answer[exposition_choose(accept)];

	if (response)
		return answer(connection, MHD_HTTP_OK, response);
	if (server->failure)
		return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, server->failure);
	return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no metrics yet\n");
}

/* Ask for texts, unless that has been done. */
static void ask(struct server *server)
{
	const char request = REPORT_REQUEST;

	if (!server->asked_ns)
		pass_send(server->start.control_fd, &request, sizeof(request), NULL, 0);
	server->asked_ns = server->now_ns;
}

static struct client *client_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* Answer a request, or have its client wait for texts. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *body,
				  size_t *body_len, void **state)
{
	struct client *client = client_of(connection);
	struct server *server = arg;

	(void)version;
	(void)body;
	if (!client)
		return MHD_NO;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET " PATH "\n");
	if (!*state ||
	    *body_len) { /* its head alone is here, or part of a body that says nothing */
		*state = client;
		*body_len = 0;
		return MHD_YES;
	}
	if (!strcmp(url, "/"))
		return answer_text(connection, MHD_HTTP_OK, "shrike: metrics are at " PATH "\n");
	if (strcmp(url, PATH))
		return answer_text(connection, MHD_HTTP_NOT_FOUND, "metrics are at " PATH "\n");
	if (client->has_waited || server->now_ns < server->serve_until_ns)
		return answer_metrics(server, connection);
	ask(server);
	client->is_waiting = client->has_waited = true;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

/* Have those go on that wait. */
static void resume_clients(struct server *server)
{
	for (struct client *client = server->clients.next; client != &server->clients;
	     client = client->next) {
		if (client->is_waiting)
			MHD_resume_connection(client->connection);
		client->is_waiting = false;
	}
}

/* End a connection: the library hears of it as if the client had gone. */
static void cut(struct client *client)
{
	shutdown(client->fd, SHUT_RDWR);
}

static void add_client(struct server *server, struct MHD_Connection *connection, void **context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct client *client = calloc(1, sizeof(*client)), *head = &server->clients;

	*context = client;
	if (!client || !info) /* the first request ends it */
		return;
	client->connection = connection;
	client->fd = info->connect_fd;
	client->since_ns = server->now_ns;
	client->next = head;
	client->previous = head->previous;
	client->previous->next = client;
	head->previous = client;
	/* one place stays free, or nobody would be let in to displace others */
	if (++server->n_clients >= CLIENTS_MAX - 1)
		cut(head->next);
}

static void remove_client(struct server *server, void **context)
{
	struct client *client = *context;

	*context = NULL;
	if (client && client->next) {
		client->previous->next = client->next;
		client->next->previous = client->previous;
		server->n_clients--;
	}
	free(client);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		add_client(arg, connection, context);
	else
		remove_client(arg, context);
}

static void replace(struct MHD_Response **old, struct MHD_Response *new)
{
	if (*old)
		MHD_destroy_response(*old); /* when its last client has it */
	*old = new;
}

/* Read a text out of the memory file; NULL where that cannot be done. */
static char *read_text(int fd, size_t off, size_t len)
{
	char *text = len <= REPORT_LEN_MAX ? malloc(len + 1) : NULL;

	if (text && pread(fd, text, len, off) == (ssize_t)len)
		return text;
	free(text);
	return NULL;
}

static void take_texts(struct server *server, const struct metrics_report *report, int fd)
{
	size_t off = 0;

	for (int format = 0; format < METRICS_FORMAT_MAX; format++) {
		size_t len = report->len[format];

		replace(&server->answer[format],
			make_answer(read_text(fd, off, len), len, content_types[format]));
		off += len;
	}
}

/* No texts, and no old ones either: who scrapes is to see that. */
static void take_failure(struct server *server, const char *why)
{
	for (int format = 0; format < METRICS_FORMAT_MAX; format++)
		replace(&server->answer[format], NULL);
	replace(&server->failure, make_text_answer(why));
}

static void on_report(struct server *server)
{
	struct metrics_report report;
	int fd = -1, n = 1;
	ssize_t len = pass_receive(server->start.control_fd, &report, sizeof(report), &fd, &n);

	if (!len)
		server->over = true; /* the parent has gone */
	if (len != sizeof(report))
		goto out;
	report.failure[sizeof(report.failure) - 1] = '\0';
	if (n)
		take_texts(server, &report, fd);
	else
		take_failure(server, report.failure);
	server->serve_until_ns = server->now_ns + report.serve_ns;
	server->asked_ns = 0;
	resume_clients(server);
out:
	if (n)
		close(fd);
}

/* Clients do not stay, and do not wait for ever. */
static void look_at_times(struct server *server)
{
	if (server->asked_ns && server->now_ns - server->asked_ns > ANSWER_NS) {
		server->asked_ns = 0;
		take_failure(server, "metrics could not be collected in time\n");
		resume_clients(server);
	}
	for (struct client *client = server->clients.next;
	     client != &server->clients && server->now_ns - client->since_ns > CLIENT_NS;
	     client = client->next)
		cut(client);
}

static int watch(struct server *server, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* Start the library on the socket that listens; it makes no thread and waits for nothing. */
static int open_all(struct server *server)
{
	const union MHD_DaemonInfo *info;

	server->clients.next = server->clients.previous = &server->clients;
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, server,
		MHD_OPTION_LISTEN_SOCKET, server->start.listen_fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)CLIENTS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
		(unsigned int)CLIENTS_PER_ADDR, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CLIENT_BYTES, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_END);
	if (server->epoll_fd < 0 || !server->daemon)
		return -ENOMEM;
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || watch(server, info->epoll_fd))
		return -EINVAL;
	return watch(server, server->start.control_fd);
}

/* How long there is nothing to do at most, -1: until something comes. */
static int sleep_ms(const struct server *server)
{
	MHD_UNSIGNED_LONG_LONG library_ms;
	int ms = server->n_clients || server->asked_ns ? TICK_MS : -1;

	if (MHD_get_timeout(server->daemon, &library_ms) == MHD_YES &&
	    (ms < 0 || library_ms < TICK_MS))
		ms = library_ms < TICK_MS ? (int)library_ms : TICK_MS;
	return ms;
}

/* Wait for something to do, and do it. */
static void turn(struct server *server)
{
	int timeout_ms = sleep_ms(server), n;
	struct epoll_event events[2];

	heartbeat_sleep(server->start.heartbeat,
			timeout_ms < 0 ? UINT64_MAX : server->now_ns + timeout_ms * NS_PER_MS);
	n = epoll_wait(server->epoll_fd, events, 2, timeout_ms);
	heartbeat_wake(server->start.heartbeat);
	server->now_ns = clock_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < n; i++)
		if (events[i].data.fd == server->start.control_fd)
			on_report(server);
	look_at_times(server);
	MHD_run(server->daemon);
}

/**
 * server_begin() - Be the server, until the parent leaves
 * @start: what it needs, and keeps: nothing else of the parent's stays open
 * @parent: whose end is its end
 */
void server_begin(struct server_start *start, pid_t parent)
{
	int *const inherited[] = {&start->listen_fd, &start->control_fd};
	struct server server = {};
	struct error error;

	inherit_only(parent, inherited, 2, 2);
	prctl(PR_SET_NAME, "shrike-metrics");
	server.start = *start;
	server.now_ns = clock_ns(CLOCK_MONOTONIC);
	if (open_all(&server) || privileges_drop(&metrics_calls, &error))
		_exit(1);
	heartbeat_wake(start->heartbeat);
	while (!server.over)
		turn(&server);
	_exit(0);
}
