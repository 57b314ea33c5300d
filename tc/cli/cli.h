#ifndef TC_CLI_CLI_H
#define TC_CLI_CLI_H

/*
 * The treaty command: what its parts share.
 *
 * Rules
 * -----
 *  - Results go to standard output, complaints to standard error.
 *  - What a server or a database row says never reaches the terminal raw: see
 *    put_safe().
 *  - Nothing is retried here. An answer that did not come is "unknown".
 */

#include "base/arena.h"
#include "base/buf.h"

#define SERVER_DEFAULT "http://127.0.0.1:7091"

/* Part of the interface; also in treaty(1). */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1, /* also: the outcome is not known */
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3,
	EXIT_UNREACHABLE = 4,
	EXIT_REFUSED = 5,
};

struct cli {
	const char *server; /* without a slash at the end */
	bool server_given;
	bool json;
	bool help;
	bool color;
	size_t width; /* columns of the terminal; 0: no limit */
	struct arena arena;
	struct buf out; /* written to standard output at the end */
};

/* ---- options.c ---- */

struct option {
	const char *name;   /* without the dashes */
	char letter;        /* 0: none */
	const char **value; /* one of these two */
	bool *flag;
};

struct args {
	int argc;
	char **argv; /* behind the command's words */
	const struct option *options;
	size_t n_options;
	size_t words_min, words_max;
	const char *words[3]; /* what is no option */
	size_t n_words;
};

/* Take the options apart; the global ones are known everywhere. EXIT_OK, or
 * EXIT_USAGE after saying what is wrong. */
MUST_CHECK int args_parse(struct cli *c, const char *command, struct args *a);

/* Ask there from now on; slashes at the end do no harm. */
void cli_server(struct cli *c, const char *server);

/* ---- say.c ---- */

/* "treaty: …" on standard error. */
void complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Text of somebody else: control and direction characters as \xNN, \uNNNN. */
void put_safe(struct buf *out, struct bytes text);
/* 850 -> "850ms", 192000 -> "3m12s", "2h05m", "3d04h". */
void put_span(struct buf *out, uint64_t ms);
/* The other way round: "500ms", "30s", "5m", "2h", "1d", at most a year. */
bool parse_span(const char *text, uint64_t *ms);
/* How many columns a terminal takes for it. */
size_t text_width(struct bytes text);

enum paint { PAINT_PLAIN, PAINT_BOLD, PAINT_RED, PAINT_YELLOW, PAINT_DIM };
void paint(struct cli *c, enum paint paint); /* PAINT_PLAIN ends it */

/* ---- table.c ---- */

struct table {
	struct cli *cli;
	const char *const *heads;
	size_t columns;
	size_t indent;
	struct bytes *cells; /* row by row */
	enum paint *paints;  /* of a row */
	size_t n_cells;
	size_t cap;
};

void table_init(struct table *t, struct cli *c, const char *const *heads,
		size_t columns);
/* The next cell, safe and copied; rows fill up from left to right. */
void table_cell(struct table *t, struct bytes text);
void table_count(struct table *t, uint64_t n);
/* Of the row whose cell came last. */
void table_row_paint(struct table *t, enum paint paint);
/* Columns as wide as they must be; the last one is cut at the width of the
 * terminal. */
void table_print(struct table *t);

/* ---- commands; argv is what stands behind the command's words ---- */

int command_list(struct cli *c, int argc, char **argv);
int command_show(struct cli *c, int argc, char **argv);
int command_retry(struct cli *c, int argc, char **argv);
int command_resolve(struct cli *c, int argc, char **argv);
int command_saga_list(struct cli *c, int argc, char **argv);
int command_saga_show(struct cli *c, int argc, char **argv);
int command_saga_start(struct cli *c, int argc, char **argv);
int command_saga_forward(struct cli *c, int argc, char **argv);
int command_saga_compensate(struct cli *c, int argc, char **argv);
int command_saga_skip(struct cli *c, int argc, char **argv);
int command_machine_list(struct cli *c, int argc, char **argv);
int command_machine_show(struct cli *c, int argc, char **argv);
int command_machine_put(struct cli *c, int argc, char **argv);
int command_machine_drop(struct cli *c, int argc, char **argv);
int command_message_list(struct cli *c, int argc, char **argv);
int command_message_show(struct cli *c, int argc, char **argv);
int command_message_dead(struct cli *c, int argc, char **argv);
int command_message_replay(struct cli *c, int argc, char **argv);
int command_topic_list(struct cli *c, int argc, char **argv);
int command_topic_subscribe(struct cli *c, int argc, char **argv);
int command_topic_unsubscribe(struct cli *c, int argc, char **argv);
int command_status(struct cli *c, int argc, char **argv);
int command_ping(struct cli *c, int argc, char **argv);
int command_completion(struct cli *c, int argc, char **argv);

/* The help of "tx list", "ping", …; of everything for "". */
void print_help(struct cli *c, const char *command);

/* The whole program. */
int cli_main(int argc, char **argv);

#endif
