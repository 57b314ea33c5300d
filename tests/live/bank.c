#include "tests/live/bank.h"

#include "base/buf.h"
#include "rm-agent/db/db.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- databases, past Treaty ---- */

static const char *dsn_of(const struct bank *b, int side)
{
	return side == 0   ? b->sqlite
	       : side == 1 ? b->servers.postgresql
			   : b->servers.mariadb;
}

static struct db *open_side(const struct bank *b, int side)
{
	struct db_error error = { 0 };
	struct db *db;

	if (db_open(&db, &mem_heap, dsn_of(b, side), &error) != OK)
		fail_msg("%s: %s", dsn_of(b, side), error.message);
	return db;
}

static int64_t run(struct db *db, const char *sql)
{
	struct db_stmt stmt = { .sql = bytes_of(sql) };
	struct db_result r;
	struct arena arena;
	int64_t n = 0;

	arena_init(&arena, &mem_heap, 0);
	if (db_exec(db, &stmt, &arena, &r) != OK)
		fail_msg("%s: %s", sql, db_error(db)->message);
	if (r.n_rows > 0 && db_value(&r, 0, 0).type != VALUE_NULL)
		n = strtoll((const char *)db_value(&r, 0, 0).data.data, NULL,
			    10);
	arena_fini(&arena);
	return n;
}

int64_t bank_ask(struct bank *b, int side, const char *sql)
{
	struct db *db = open_side(b, side);
	int64_t n = run(db, sql);

	db_free(db);
	return n;
}

void bank_sql(struct bank *b, int side, const char *sql)
{
	(void)bank_ask(b, side, sql);
}

/* ---- opening ---- */

static void put_text(char *to, size_t size, const char *fmt, const char *dir)
{
	struct buf text;

	buf_init(&text, &mem_heap);
	buf_printf(&text, "%s%s", fmt, dir);
	REQUIRE(text.len < size);
	memcpy(to, buf_text(&text), text.len + 1);
	buf_fini(&text);
}

static void make_paths(struct bank *b)
{
	char dsn[200];

	put_text(dsn, sizeof dsn, "sqlite:", b->servers.dir);
	put_text(b->sqlite, sizeof b->sqlite, dsn, "/bank.db?create=1");
	put_text(b->book, sizeof b->book, b->servers.dir, "/book");
}

static void make_side(struct bank *b, int side)
{
	struct db *db = open_side(b, side);

	run(db, "CREATE TABLE account (id int PRIMARY KEY,"
		" balance int NOT NULL)");
	run(db, "CREATE TABLE line (id bigint PRIMARY KEY,"
		" amount int NOT NULL)");
	run(db, "CREATE TABLE gate (shut int NOT NULL)");
	run(db, "INSERT INTO gate VALUES (0)");
	for (int i = 0; i < BANK_ACCOUNTS; i++) {
		struct buf sql;

		buf_init(&sql, &mem_heap);
		buf_printf(&sql, "INSERT INTO account VALUES (%d, %d)", i,
			   BANK_BALANCE);
		run(db, buf_text(&sql));
		buf_fini(&sql);
	}
	db_free(db);
}

void bank_start_treatyd(struct bank *b)
{
	assert_true(treatyd_start(&b->d, "--command-timeout=2s",
				  "--retry-first=20ms", "--retry-max=200ms",
				  "--attempts-max=0", NULL));
}

void bank_open(struct bank *b)
{
	*b = (struct bank){ 0 };
	assert_int_equal(servers_start(&b->servers,
				       SERVERS_POSTGRESQL | SERVERS_MARIADB),
			 0);
	make_paths(b);
	for (int side = 0; side < BANK_SIDES; side++)
		make_side(b, side);
	/* Not made in a hurry: SQLite's file knows no other writers then. */
	bank_sql(b, 0, "PRAGMA journal_mode = WAL");
	*strrchr(b->sqlite, '?') = '\0';
	bank_start_treatyd(b);
}

void bank_close(struct bank *b)
{
	treatyd_remove(&b->d);
	servers_stop(&b->servers);
}

/* ---- tellers ---- */

static void become_teller(const struct bank *b, const struct teller_job *job)
{
	const char *args[13] = { "/proc/self/exe", "teller" };
	struct buf text[5];
	int numbers[5] = { b->tellers,
			   (int)job->moment * (job->sleeps ? -1 : 1),
			   job->transfers, job->rollbacks, job->timeout_ms };
	size_t n = 2;

	args[n++] = job->agents ? job->agents : b->d.agents;
	for (int side = 0; side < BANK_SIDES; side++)
		args[n++] = dsn_of(b, side);
	args[n++] = b->book;
	for (int i = 0; i < 5; i++) {
		buf_init(&text[i], &mem_heap);
		buf_printf(&text[i], "%d", numbers[i]);
		args[n++] = buf_text(&text[i]);
	}
	args[n] = NULL;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)execv(args[0], (char *const *)(void *)args);
	_exit(127);
}

pid_t bank_hire(struct bank *b, const struct teller_job *job)
{
	pid_t pid;

	b->tellers++;
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		become_teller(b, job);
	return pid;
}

int bank_wait(pid_t teller)
{
	int status = 0;

	for (int ms = 0; ms < 20000; ms += 5) {
		pid_t got = waitpid(teller, &status, WNOHANG);

		if (got == teller)
			return WIFSIGNALED(status) ? -WTERMSIG(status)
						   : WEXITSTATUS(status);
		live_nap(5);
	}
	bank_fire(teller);
	fail_msg("a teller did not end");
	return 0;
}

void bank_fire(pid_t teller)
{
	(void)kill(teller, SIGKILL);
	(void)waitpid(teller, NULL, 0);
}

/* ---- the gate ---- */

static void make_gate(struct bank *b)
{
	bank_sql(b, 1,
		 "CREATE FUNCTION wait_at_gate() RETURNS trigger AS $$ BEGIN"
		 " IF (SELECT shut FROM gate) = 1 THEN PERFORM pg_sleep(60);"
		 " END IF; RETURN OLD; END $$ LANGUAGE plpgsql");
	bank_sql(b, 1,
		 "CREATE TRIGGER gate BEFORE DELETE ON undo_log"
		 " FOR EACH ROW EXECUTE FUNCTION wait_at_gate()");
	bank_sql(b, 2,
		 "CREATE TRIGGER gate BEFORE DELETE ON undo_log"
		 " FOR EACH ROW SET @gate ="
		 " IF((SELECT shut FROM gate) = 1, SLEEP(60), 0)");
}

#define PG_SLEEPERS "FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
#define MY_SLEEPERS                                                            \
	"FROM information_schema.PROCESSLIST"                                  \
	" WHERE STATE LIKE '%sleep%' AND COMMAND <> 'Sleep'"

/* A server notices only later that a client is gone; here it does so now. Who
 * woke up by itself meanwhile is not there to be killed. */
static void wake_sleepers(struct bank *b)
{
	bank_sql(b, 1, "SELECT pg_terminate_backend(pid) " PG_SLEEPERS);
	bank_sql(b, 2,
		 "BEGIN NOT ATOMIC DECLARE who BIGINT;"
		 " DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;"
		 " WHILE EXISTS (SELECT 1 " MY_SLEEPERS ") DO"
		 " SET who = (SELECT max(ID) " MY_SLEEPERS ");"
		 " KILL who; DO SLEEP(0.02); END WHILE; END");
}

void bank_gate(struct bank *b, bool shut)
{
	if (bank_ask(b, 1,
		     "SELECT count(*) FROM pg_trigger"
		     " WHERE tgname = 'gate'") == 0)
		make_gate(b);
	if (!shut) /* who sleeps has read the gate, and holds it */
		wake_sleepers(b);
	for (int side = 1; side < BANK_SIDES; side++)
		bank_sql(b, side,
			 shut ? "UPDATE gate SET shut = 1"
			      : "UPDATE gate SET shut = 0");
}

void bank_await_sleeper(struct bank *b, int side)
{
	const char *sql = side == 1 ? "SELECT count(*) " PG_SLEEPERS
				    : "SELECT count(*) " MY_SLEEPERS;

	for (int ms = 0; ms < 15000; ms += 20) {
		if (bank_ask(b, side, sql) > 0)
			return;
		live_nap(20);
	}
	fail_msg("nobody came to the gate");
}

/* ---- audit ---- */

static bool has_line(struct db *db, unsigned long long id)
{
	struct buf sql;
	bool has;

	buf_init(&sql, &mem_heap);
	buf_printf(&sql, "SELECT count(*) FROM line WHERE id = %llu", id);
	has = run(db, buf_text(&sql)) == 1;
	buf_fini(&sql);
	return has;
}

static void audit_transfer(struct db **dbs, char told, unsigned long long id)
{
	int sides = 0;

	for (int side = 0; side < BANK_SIDES; side++)
		sides += has_line(dbs[side], id);
	if (told == 'C' && sides != 2)
		fail_msg("transfer %llu was told committed, and is on %d sides",
			 id, sides);
	if (told == 'R' && sides != 0)
		fail_msg("transfer %llu was told rolled back, and is on %d "
			 "sides",
			 id, sides);
	if (sides != 0 && sides != 2)
		fail_msg("transfer %llu is on %d sides", id, sides);
}

static void audit_book(const struct bank *b, struct db **dbs)
{
	FILE *book = fopen(b->book, "re");
	unsigned long long id;
	char told;

	while (book && fscanf(book, " %c %llu", &told, &id) == 2)
		audit_transfer(dbs, told, id);
	if (book)
		(void)fclose(book);
}

size_t bank_committed(const struct bank *b)
{
	FILE *book = fopen(b->book, "re");
	unsigned long long id;
	size_t n = 0;
	char told;

	while (book && fscanf(book, " %c %llu", &told, &id) == 2)
		n += told == 'C';
	if (book)
		(void)fclose(book);
	return n;
}

static void audit(struct bank *b)
{
	int64_t money = 0, lines = 0, amounts = 0;
	struct db *dbs[BANK_SIDES];

	for (int side = 0; side < BANK_SIDES; side++) {
		dbs[side] = open_side(b, side);
		money += run(dbs[side], "SELECT sum(balance) FROM account");
		lines += run(dbs[side], "SELECT count(*) FROM line");
		amounts += run(dbs[side], "SELECT sum(amount) FROM line");
		/* account and line of a side went together */
		assert_int_equal(run(dbs[side],
				     "SELECT (SELECT sum(balance) FROM "
				     "account) - coalesce((SELECT "
				     "sum(amount) FROM line), 0)"),
				 BANK_ACCOUNTS * BANK_BALANCE);
	}
	audit_book(b, dbs);
	for (int side = 0; side < BANK_SIDES; side++)
		db_free(dbs[side]);
	print_message("%d tellers, %zu transfers told committed, %lld there\n",
		      b->tellers, bank_committed(b), (long long)lines / 2);
	assert_int_equal(money, BANK_SIDES * BANK_ACCOUNTS * BANK_BALANCE);
	assert_int_equal(amounts, 0);
	assert_int_equal(lines % 2, 0);
}

void bank_heal(struct bank *b, uint64_t ms)
{
	const struct teller_job job = { .transfers = 0 };
	pid_t healer = bank_hire(b, &job);
	bool quiet = live_quiet(&b->d, ms);
	char *list = quiet ? NULL
			   : live_http(&b->d, "GET /api/v1/transactions", NULL);

	bank_fire(healer);
	if (!quiet)
		fail_msg("unfinished after %llu ms: %s", (unsigned long long)ms,
			 list ? list : "");
	audit(b);
}
