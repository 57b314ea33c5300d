#include "tests/live/bank.h"

#include "base/buf.h"
#include "base/hash.h"
#include "rm-agent/db/my.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libpq-fe.h>
#include <mysql.h>
#include <sqlite3.h>
#include <treaty/mysql.h>
#include <treaty/pq.h>
#include <treaty/sqlite.h>

/* The program of a teller: no test in it, it only works and dies. Whatever it
 * cannot do it tries again; what it cannot understand ends it with a word. */

struct side {
	const char *dsn;
	void *native;
	struct treaty_at *at;
};

struct teller {
	struct treaty *t;
	struct side sides[BANK_SIDES];
	const char *book;
	uint64_t serial, random;
	int transfers, rollbacks, timeout_ms;
};

/* Where to die, and how often to pass there before. */
static enum moment fatal;
static int signal_there = SIGKILL;
static _Atomic int passes = 3;

const char *moment_name(enum moment moment)
{
	static const char *const names[MOMENTS] = {
		"never",        "begun",           "registering",
		"registered",   "one side done",   "committing",
		"committed",    "rolling back",    "rolled back",
		"p2 commit",    "p2 commit done",  "p2 undo",
		"p2 undo done", "p2 undo written",
	};

	return names[moment];
}

static void pass(enum moment here)
{
	if (here == fatal && atomic_fetch_sub(&passes, 1) == 1)
		(void)kill(getpid(), signal_there);
}

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "teller: %s: %s\n", what, treaty_last_error());
	_exit(3);
}

/* ---- moments ---- */

static int on_step(void *ctx, const struct treaty_hook_event *e)
{
	static const enum moment moments[][2] = {
		[TREATY_STEP_BEGIN] = { MOMENT_NEVER, MOMENT_BEGUN },
		[TREATY_STEP_COMMIT] = { MOMENT_COMMITTING, MOMENT_COMMITTED },
		[TREATY_STEP_ROLLBACK] = { MOMENT_ROLLING_BACK,
					   MOMENT_ROLLED_BACK },
		[TREATY_STEP_REGISTER] = { MOMENT_REGISTERING,
					   MOMENT_REGISTERED },
		[TREATY_STEP_PHASE_TWO_COMMIT] = { MOMENT_P2_COMMIT,
						   MOMENT_P2_COMMIT_DONE },
		[TREATY_STEP_PHASE_TWO_ROLLBACK] = { MOMENT_P2_UNDO,
						     MOMENT_P2_UNDO_DONE },
	};
	enum moment here = moments[e->step][e->after];

	(void)ctx;
	if (here != MOMENT_NEVER)
		pass(here);
	return 0;
}

static void undo_written(sqlite3_context *ctx, int n, sqlite3_value **args)
{
	(void)n;
	(void)args;
	pass(MOMENT_P2_UNDO_WRITTEN);
	sqlite3_result_int(ctx, 0);
}

/* Called for each connection of the process, also the agent's own. */
static int add_function(sqlite3 *db, char **error, const void *api)
{
	(void)error;
	(void)api;
	return sqlite3_create_function(db, "undo_written", 0,
				       SQLITE_UTF8 | SQLITE_INNOCUOUS, NULL,
				       undo_written, NULL, NULL);
}

/* ---- connections ---- */

static bool open_sqlite(struct teller *t, struct side *s)
{
	sqlite3 *db;

	if (sqlite3_open_v2(s->dsn + strlen("sqlite:"), &db,
			    SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		give_up(sqlite3_errmsg(db));
	sqlite3_busy_timeout(db, 5000);
	s->native = db;
	return treaty_at_wrap_sqlite(t->t, db, NULL, &s->at) == TREATY_OK;
}

static bool open_pg(struct teller *t, struct side *s)
{
	PGconn *conn = PQconnectdb(s->dsn);

	if (PQstatus(conn) == CONNECTION_OK &&
	    treaty_at_wrap_pg(t->t, conn, NULL, &s->at) == TREATY_OK) {
		s->native = conn;
		return true;
	}
	PQfinish(conn);
	return false;
}

static bool open_mysql(struct teller *t, struct side *s)
{
	MYSQL *conn = mysql_init(NULL);
	struct arena arena;
	struct my_dsn d;
	bool open;

	arena_init(&arena, &mem_heap, 0);
	if (my_dsn_parse(&arena, s->dsn, &d) != OK)
		give_up(s->dsn);
	open = mysql_real_connect(conn, d.host, d.user, d.password, d.database,
				  d.port, d.socket, 0) != NULL &&
	       treaty_at_wrap_mysql(t->t, conn, NULL, &s->at) == TREATY_OK;
	arena_fini(&arena);
	if (open)
		s->native = conn;
	else
		mysql_close(conn);
	return open;
}

static bool open_side(struct teller *t, int side)
{
	struct side *s = &t->sides[side];

	return side == 0   ? open_sqlite(t, s)
	       : side == 1 ? open_pg(t, s)
			   : open_mysql(t, s);
}

static void close_side(struct teller *t, int side)
{
	struct side *s = &t->sides[side];

	treaty_at_unwrap(s->at);
	s->at = NULL;
	if (side == 0)
		(void)sqlite3_close(s->native);
	else if (side == 1)
		PQfinish(s->native);
	else
		mysql_close(s->native);
}

static void open_again(struct teller *t, int side)
{
	for (int i = 0; i < 1500; i++) {
		if (open_side(t, side))
			return;
		live_nap(20);
	}
	give_up(t->sides[side].dsn);
}

/* ---- a transfer ---- */

static void note(const struct teller *t, char told, uint64_t id)
{
	int fd = open(t->book, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct buf line;

	buf_init(&line, &mem_heap);
	buf_printf(&line, "%c %llu\n", told, (unsigned long long)id);
	if (fd < 0 || write(fd, line.data, line.len) != (ssize_t)line.len)
		give_up("the book");
	buf_fini(&line);
	(void)close(fd);
}

static int exec(struct treaty_at *at, const char *fmt, long long a, long long b)
{
	struct buf sql;
	int rc;

	buf_init(&sql, &mem_heap);
	/* fmt is one of the two in move() */
	buf_printf(&sql, "%s", "");
	for (; *fmt; fmt++) {
		if (*fmt == 'A')
			buf_printf(&sql, "%lld", a);
		else if (*fmt == 'B')
			buf_printf(&sql, "%lld", b);
		else
			buf_put_char(&sql, *fmt);
	}
	rc = treaty_at_exec(at, buf_text(&sql), NULL, 0, NULL);
	buf_fini(&sql);
	return rc;
}

/* Account and line in one local transaction, or as two branches. */
static int move(struct teller *t, int side, long long amount, uint64_t id)
{
	struct treaty_at *at = t->sides[side].at;
	long long account =
		(long long)(random_next(&t->random) % BANK_ACCOUNTS);
	bool together = random_next(&t->random) % 2;
	int rc = together ? treaty_at_begin(at) : TREATY_OK;

	if (rc == TREATY_OK)
		rc = exec(at,
			  "update account set balance = balance + A "
			  "where id = B",
			  amount, account);
	if (rc == TREATY_OK)
		rc = exec(at, "insert into line (id, amount) values (A, B)",
			  (long long)id, amount);
	if (together && rc == TREATY_OK)
		rc = treaty_at_commit(at);
	else if (together)
		(void)treaty_at_rollback(at);
	if (rc == TREATY_E_CLOSED || rc == TREATY_E_IO ||
	    rc == TREATY_E_UNKNOWN) {
		close_side(t, side);
		open_again(t, side);
	}
	return rc;
}

static int decide(struct treaty_tx *tx, bool commit)
{
	int rc = TREATY_E_UNKNOWN;

	for (int i = 0; i < 100; i++) {
		rc = commit ? treaty_commit(tx)
			    : treaty_rollback(tx, "the customer left");
		if (rc != TREATY_E_UNKNOWN && rc != TREATY_E_TIMEOUT)
			break;
	}
	return rc;
}

static void transfer(struct teller *t, uint64_t id)
{
	int from = (int)(random_next(&t->random) % BANK_SIDES);
	int to = (from + 1 + (int)(random_next(&t->random) % 2)) % BANK_SIDES;
	long long amount = 1 + (long long)(random_next(&t->random) % 20);
	bool commit = random_next(&t->random) % 100 >= (uint64_t)t->rollbacks;
	struct treaty_tx *tx;
	int rc;

	if (treaty_begin(t->t, "transfer", (uint32_t)t->timeout_ms, &tx) !=
	    TREATY_OK)
		return;
	rc = move(t, from, -amount, id);
	pass(MOMENT_ONE_SIDE_DONE);
	if (rc == TREATY_OK)
		rc = move(t, to, amount, id);
	commit = commit && rc == TREATY_OK;
	rc = decide(tx, commit);
	if (rc == TREATY_OK)
		note(t, commit ? 'C' : 'R', id);
	else if (rc == TREATY_E_ROLLED_BACK || rc == TREATY_E_NOTFOUND)
		note(t, 'R', id);
	(void)treaty_release(tx);
}

/* ---- a working day ---- */

static void quiet(void *ctx, const char *line, size_t len)
{
	(void)ctx;
	(void)line;
	(void)len;
}

static void come_in(struct teller *t, char **args)
{
	struct treaty_options o;

	if (!getenv("LOUD"))
		treaty_set_log(quiet, NULL, TREATY_LOG_ERROR);
	treaty_options_init(&o, sizeof o);
	o.address = args[0];
	o.application = "bank";
	o.request_timeout_ms = 5000;
	o.lock_wait_ms = 500;
	o.rollback_wait_ms = 200;
	for (int side = 0; side < BANK_SIDES; side++)
		t->sides[side].dsn = args[1 + side];
	t->book = args[4];
	t->serial = strtoull(args[5], NULL, 10);
	fatal = (enum moment)labs(strtol(args[6], NULL, 10));
	if (args[6][0] == '-')
		signal_there = SIGSTOP;
	t->transfers = (int)strtol(args[7], NULL, 10);
	t->rollbacks = (int)strtol(args[8], NULL, 10);
	t->timeout_ms = (int)strtol(args[9], NULL, 10);
	t->random = t->serial * 7919 + 1;
	(void)sqlite3_auto_extension((void (*)(void))(uintptr_t)add_function);
	if (treaty_open(&t->t, &o) != TREATY_OK ||
	    treaty_hook_add(t->t, on_step, NULL) != TREATY_OK)
		give_up("treaty_open");
	for (int side = 0; side < BANK_SIDES; side++)
		open_again(t, side);
}

void bank_teller(int argc, char **argv)
{
	struct teller t = { 0 };

	if (argc != 12 || strcmp(argv[1], "teller") != 0)
		return;
	come_in(&t, argv + 2);
	for (int i = 0; i != t.transfers || t.transfers == 0; i++) {
		if (t.transfers == 0)
			live_nap(1000);
		else
			transfer(&t, t.serial * 1000000 + (uint64_t)i);
	}
	for (int side = 0; side < BANK_SIDES; side++)
		close_side(&t, side);
	_exit(treaty_close(t.t) == TREATY_OK ? 0 : 4);
}
