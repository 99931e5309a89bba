/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Signals are read from a descriptor, as keys are, so none comes while the screen is drawn.  What
 * stops the process gives the terminal back first, and what continues it takes it again.
 */
#include "cli/top_screen.h"

#include <errno.h>
#include <limits.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/top_list.h"
#include "cli/top_terminal.h"
#include "cli/top_trace.h"

#define ESCAPE		  27
#define CONTROL_L	  12
#define FIRST_INTERVAL_NS (NS_PER_S / 2)

enum page {
	PAGE_LIST,
	PAGE_TEXT, /* a trace, or the help */
};

struct screen {
	struct top *top;
	struct top_list list;
	enum page page;
	char *text;	  /* of PAGE_TEXT */
	size_t text_line; /* that stands at the top */
	int64_t interval_ns;
	int64_t look_ns; /* when to look again */
	int signal_fd;
	struct top_terminal terminal;
	bool stopped; /* figures are to stay as they are */
	bool prompts; /* for a text to search for */
	bool over;
	const char *notice;   /* NULL: none */
	struct error failure; /* that it may be */
};

static const char help[] =
	"Up Down PgUp PgDn Home End   select a row (j k g G)\n"
	"Enter  open it: the connections of a peer, rule or destination,\n"
	"       and what trace says of the next packet of a connection\n"
	"Esc    back (Backspace, Left)\n"
	"p r d f  by peer, rule, destination or connection\n"
	"< >    sort by something else: bytes, rx, tx, packets, connections, new, drops\n"
	"/      only rows with a text\n"
	"n      names or addresses\n"
	"Space  stop, and go on\n"
	"Ctrl-L draw the screen anew\n"
	"q      quit\n"
	"\n"
	"RX and TX: bytes per second that came in from the peer and went out to it; RXP, TXP:\n"
	"packets. CONNS: connections now. NEW: connections begun. DROP: packets dropped.\n"
	"Connections that began and ended between two looks are counted.\n";

/* Receive what a terminal sends besides keys, and what ends the command. */
static int open_signals(int *fd, struct error *error)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};
	sigset_t signals;

	sigemptyset(&signals);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaddset(&signals, numbers[i]);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	*fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return *fd < 0 ? error_set(error, errno, "cannot wait for signals: %s", strerror(errno))
		       : 0;
}

/* Write a line, as far as there is room: no character takes more columns than it has bytes. */
static void put(const struct screen *screen, int y, const char *text, size_t len)
{
	char line[TOP_LINE_MAX];
	size_t n = 0;

	for (size_t i = 0; i < len && n < sizeof(line) && n < (size_t)COLS; i++) {
		unsigned char byte = text[i];

		if (byte >= ' ' && (byte < 0x7f || screen->terminal.is_utf8))
			line[n++] = byte;
		else if (byte < ' ' || byte >= 0xc0) /* the first byte of a character */
			line[n++] = '?';
	}
	mvaddnstr(y, 0, line, n);
}

static void put_line(const struct screen *screen, int y, const char *text, attr_t attributes)
{
	attrset(attributes);
	put(screen, y, text, strlen(text));
	attrset(A_NORMAL);
}

/* The whole line, also where there is no text. */
static void put_bar(const struct screen *screen, int y, const char *text, attr_t attributes)
{
	put_line(screen, y, text, attributes);
	mvchgat(y, 0, -1, attributes, PAIR_NUMBER(attributes), NULL);
}

/* The rows that there is room for, between the titles and the last line. */
static void draw_rows(struct screen *screen, int y)
{
	struct top_list *list = &screen->list;
	size_t height = LINES - 1 > y ? LINES - 1 - y : 0;
	char label[TOP_LABEL_MAX], line[TOP_LINE_MAX];

	top_list_scroll(list, height);
	for (size_t i = 0; i < height && list->first + i < list->n; i++) {
		const struct top_row *row = top_list_row(list, list->first + i);
		attr_t attributes = row->drops ? top_terminal_colour(&screen->terminal,
								     TOP_COLOUR_DROP, A_NORMAL)
					       : A_NORMAL;

		top_view_label(&list->view, row, label);
		top_view_row(&list->view, row, label, line);
		if (list->first + i == list->selected)
			put_bar(screen, y + i, line, attributes | A_REVERSE);
		else
			put_line(screen, y + i, line, attributes);
	}
	if (!list->n)
		put_line(screen, y, list->view.search[0] ? "no row with that text" : "nothing yet",
			 A_NORMAL);
}

static void draw_list(struct screen *screen)
{
	struct top_view *view = &screen->list.view;
	char header[TOP_HEADER_LINES][TOP_LINE_MAX], titles[TOP_LINE_MAX];
	size_t n;

	view->columns = COLS;
	n = top_view_header(view, header);
	for (size_t i = 0; i < n; i++)
		put_line(screen, i, header[i], i ? A_NORMAL : A_BOLD);
	top_view_titles(view, titles);
	put_bar(screen, n, titles,
		top_terminal_colour(&screen->terminal, TOP_COLOUR_TITLE, A_REVERSE));
	draw_rows(screen, n + 1);
}

/* As many bytes of a line as fit the screen, none of whose characters is cut. */
static size_t fitting(const char *line)
{
	size_t len = strcspn(line, "\n");

	if (len > (size_t)COLS)
		for (len = COLS; len > 1 && ((unsigned char)line[len] & 0xc0) == 0x80;)
			len--;
	return len;
}

/* A text of lines, from the one that stands at the top; long ones go on in the next line. */
static void draw_text(struct screen *screen)
{
	const char *line = screen->text;

	for (size_t skipped = 0; skipped < screen->text_line && *line; skipped++)
		line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n');
	for (int y = 0; y < LINES - 1 && *line; y++) {
		size_t len = fitting(line);

		put(screen, y, line, len);
		line += len + (line[len] == '\n');
	}
}

static void draw_last_line(struct screen *screen)
{
	char line[TOP_LINE_MAX];

	if (screen->prompts)
		snprintf(line, sizeof(line), "only rows with: %s_   (Enter: done, Esc: all)",
			 screen->list.view.search);
	else if (screen->notice)
		snprintf(line, sizeof(line), "%s", screen->notice);
	else if (screen->page == PAGE_TEXT)
		snprintf(line, sizeof(line), "Esc back   Up Down PgUp PgDn   q quit");
	else
		snprintf(
			line, sizeof(line),
			"%sq quit  Enter open  Esc back  p r d f by  < > order  / find  n names  ? "
			"help",
			screen->stopped ? "STOPPED  " : "");
	put_line(screen, LINES - 1, line, A_DIM);
}

static void draw(struct screen *screen)
{
	erase();
	if (screen->page == PAGE_TEXT)
		draw_text(screen);
	else
		draw_list(screen);
	draw_last_line(screen);
	refresh();
}

static void show_text(struct screen *screen, char *text)
{
	free(screen->text);
	screen->text = text;
	screen->text_line = 0;
	screen->page = PAGE_TEXT;
}

/* Open the selected row: its connections, or the trace of a connection. */
static int open_row(struct screen *screen, struct error *error)
{
	struct top_list *list = &screen->list;
	char *text;

	if (top_list_open(list))
		return top_list_make(list, error);
	if (!list->n || !top_list_row(list, list->selected)->key.ip_version)
		return 0;
	screen->notice = "tracing ...";
	draw(screen);
	screen->notice = NULL;
	text = top_trace(screen->top->name, top_list_row(list, list->selected), list->view.numeric,
			 &screen->failure);
	if (text)
		show_text(screen, text);
	else
		screen->notice = screen->failure.text;
	return 0;
}

/* Whether a key chooses what rows stand for. */
static bool choose_by(struct screen *screen, int key)
{
	static const char keys[TOP_BY_MAX] = {
		[TOP_BY_PEER] = 'p', [TOP_BY_RULE] = 'r', [TOP_BY_DEST] = 'd', [TOP_BY_FLOW] = 'f'};

	for (int by = 0; by < TOP_BY_MAX; by++)
		if (keys[by] == key) {
			top_list_set_by(&screen->list, by);
			return true;
		}
	return false;
}

/* Whether a key moves in what is shown, by how far. */
static bool moves(int key, long *by)
{
	long page = LINES > 12 ? LINES - 10 : 2;

	switch (key) {
	case KEY_UP:
	case 'k':
		*by = -1;
		return true;
	case KEY_DOWN:
	case 'j':
		*by = 1;
		return true;
	case KEY_PPAGE:
		*by = -page;
		return true;
	case KEY_NPAGE:
		*by = page;
		return true;
	case KEY_HOME:
	case 'g':
		*by = -LONG_MAX / 2;
		return true;
	case KEY_END:
	case 'G':
		*by = LONG_MAX / 2;
		return true;
	default:
		return false;
	}
}

/* A key while a text is asked for: the list follows each letter. */
static int take_letter(struct screen *screen, int key, struct error *error)
{
	char *search = screen->list.view.search;
	size_t len = strlen(search);

	if (key == '\n' || key == '\r' || key == KEY_ENTER || key == ESCAPE)
		screen->prompts = false;
	if (key == ESCAPE)
		search[0] = '\0';
	else if ((key == KEY_BACKSPACE || key == '\b' || key == 0x7f) && len)
		search[len - 1] = '\0';
	else if (key > ' ' && key < 0x7f && len + 1 < TOP_SEARCH_MAX)
		memcpy(search + len, (char[]){key, '\0'}, 2);
	return top_list_make(&screen->list, error);
}

/* A key while a text is shown. */
static void take_text_key(struct screen *screen, int key)
{
	size_t lines = 0;
	long by;

	for (const char *at = screen->text; (at = strchr(at, '\n')); at++)
		lines++;
	if (moves(key, &by)) {
		long line = (long)screen->text_line + by;

		if (line > (long)lines - 1)
			line = (long)lines - 1;
		screen->text_line = line < 0 ? 0 : line;
	} else if (key == ESCAPE || key == KEY_BACKSPACE || key == 0x7f || key == '\b' ||
		   key == KEY_LEFT || key == '\n' || key == '\r' || key == KEY_ENTER) {
		screen->page = PAGE_LIST;
	}
}

/* A key while the list is shown. */
static int take_list_key(struct screen *screen, int key, struct error *error)
{
	struct top_list *list = &screen->list;
	struct top_question *question = list->question;
	long by;

	if (moves(key, &by)) {
		top_list_move(list, by);
		return 0;
	}
	switch (key) {
	case '\n':
	case '\r':
	case KEY_ENTER:
	case KEY_RIGHT:
		return open_row(screen, error);
	case ESCAPE:
	case KEY_BACKSPACE:
	case KEY_LEFT:
	case '\b':
	case 0x7f:
		return top_list_back(list) ? top_list_make(list, error) : 0;
	case '<':
	case '>':
		question->order += key == '>' ? 1 : TOP_ORDER_MAX - 1;
		question->order %= TOP_ORDER_MAX;
		return top_list_make(list, error);
	case '/':
		screen->prompts = true;
		return 0;
	case 'n':
		list->view.numeric = !list->view.numeric;
		return top_list_make(list, error);
	case ' ':
		screen->stopped = !screen->stopped;
		return 0;
	default:
		return choose_by(screen, key) ? top_list_make(list, error) : 0;
	}
}

/* Act on a key. */
static int take_key(struct screen *screen, int key, struct error *error)
{
	char *text;

	screen->notice = NULL;
	if (screen->prompts)
		return take_letter(screen, key, error);
	if (key == 'q') {
		screen->over = true;
	} else if (key == CONTROL_L) {
		clearok(stdscr, TRUE);
	} else if (key == '?' || key == 'h') {
		text = strdup(help);
		if (text)
			show_text(screen, text);
	} else if (screen->page == PAGE_TEXT) {
		take_text_key(screen, key);
	} else {
		return take_list_key(screen, key, error);
	}
	return 0;
}

/* Give the terminal back, stop as the signal would have, and take it again afterwards. */
static void stop(void)
{
	sigset_t signal_set;

	top_terminal_release();
	signal(SIGTSTP, SIG_DFL);
	sigemptyset(&signal_set);
	sigaddset(&signal_set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &signal_set, NULL); /* it stops here */
	sigprocmask(SIG_BLOCK, &signal_set, NULL);
}

/* The terminal has another size. */
static void resize(void)
{
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
}

/* Act on the signals that have come. */
static void take_signals(struct screen *screen)
{
	struct signalfd_siginfo signal;

	while (read(screen->signal_fd, &signal, sizeof(signal)) == sizeof(signal)) {
		switch (signal.ssi_signo) {
		case SIGWINCH:
			resize();
			break;
		case SIGTSTP:
			stop();
			resize();
			clearok(stdscr, TRUE);
			break;
		case SIGCONT:		 /* after a stop that could not be seen */
			if (!isendwin()) /* a second time would move the cursor of others */
				endwin();
			resize();
			clearok(stdscr, TRUE);
			break;
		default:
			screen->over = true;
		}
	}
}

/* Look again, unless the user wants the figures to stay. */
static int look(struct screen *screen, struct error *error)
{
	int err;

	screen->look_ns = clock_ns(CLOCK_MONOTONIC) + screen->interval_ns;
	if (screen->stopped)
		return 0;
	err = top_look(screen->top, error);
	return err ? err : top_list_make(&screen->list, error);
}

/* Draw, and do what signals, keys and the time ask for, until one of them says that it is over. */
static int loop(struct screen *screen, struct error *error)
{
	struct pollfd fds[] = {
		{.fd = screen->signal_fd, .events = POLLIN},
		{.fd = STDIN_FILENO, .events = POLLIN},
	};
	int err = look(screen, error), key;

	/* the first look has nothing to compare with */
	if (screen->interval_ns > FIRST_INTERVAL_NS)
		screen->look_ns += FIRST_INTERVAL_NS - screen->interval_ns;
	while (!err && !screen->over) {
		draw(screen);
		err = top_wait(screen->top, fds, 2, screen->look_ns, error);
		if (!err)
			err = look(screen, error);
		else if (err > 0)
			err = 0;
		if (fds[0].revents)
			take_signals(screen);
		while (!err && (key = getch()) != ERR)
			err = take_key(screen, key, error);
		if (fds[1].revents & (POLLHUP | POLLERR | POLLNVAL))
			screen->over = true;
	}
	return err;
}

/**
 * top_screen_run() - Show an interface on the terminal, until a key or a signal ends it
 * @top: the interface, opened
 * @question: the rows to begin with
 * @settings: how to look
 * @error: set on failure
 *
 * Return: 0 or -errno; the terminal is as it was.
 */
int top_screen_run(struct top *top, struct top_question *question,
		   const struct top_settings *settings, struct error *error)
{
	struct screen screen = {.top = top, .interval_ns = settings->interval_ns, .signal_fd = -1};
	int err = open_signals(&screen.signal_fd, error);

	if (!err)
		err = top_terminal_open(&screen.terminal, error);
	if (!err) {
		top_list_init(&screen.list, top, question, settings->numeric);
		err = loop(&screen, error);
		top_list_free(&screen.list);
		free(screen.text);
	}
	top_terminal_close(&screen.terminal);
	if (screen.signal_fd >= 0)
		close(screen.signal_fd);
	return err;
}
