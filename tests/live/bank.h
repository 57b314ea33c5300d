#ifndef TESTS_LIVE_BANK_H
#define TESTS_LIVE_BANK_H

/*
 * A bank that keeps its accounts in SQLite, PostgreSQL and MariaDB, and tellers
 * who move money between them: processes of their own, made to be killed.
 *
 * Each transfer is one global transaction with a branch in two databases. Each
 * branch changes an account and writes a line with the transfer's number; what
 * the teller was told about the outcome goes into a file, the book. So the
 * audit sees more than the sum: each transfer that was told committed is there
 * on both sides, one that was told rolled back on neither.
 *
 * A test program that hires tellers calls bank_teller() first in main().
 */

#include "tests/live/live.h"
#include "tests/live/servers.h"

#define BANK_SIDES    3
#define BANK_ACCOUNTS 8
#define BANK_BALANCE  1000

/* Where a teller kills itself with SIGKILL. */
enum moment {
	MOMENT_NEVER,
	MOMENT_BEGUN,         /* nothing done yet */
	MOMENT_REGISTERING,   /* first branch: the request not yet sent */
	MOMENT_REGISTERED,    /* … registered, not committed locally */
	MOMENT_ONE_SIDE_DONE, /* … committed locally, the other not begun */
	MOMENT_COMMITTING,    /* both done, commit not yet asked for */
	MOMENT_COMMITTED,     /* answered, not told to anybody */
	MOMENT_ROLLING_BACK,
	MOMENT_ROLLED_BACK,
	MOMENT_P2_COMMIT,      /* the command is here, nothing done */
	MOMENT_P2_COMMIT_DONE, /* done, the answer not sent */
	MOMENT_P2_UNDO,
	MOMENT_P2_UNDO_DONE,
	/* The rows are written back, the undo row is just being deleted
	 * (SQLite; see bank_gate() for the others). */
	MOMENT_P2_UNDO_WRITTEN,
	MOMENTS,
};

const char *moment_name(enum moment moment);

struct bank {
	struct servers servers;
	struct treatyd d;
	char sqlite[200];
	char book[200];
	int tellers; /* hired so far */
};

struct teller_job {
	enum moment moment;
	bool sleeps;        /* there it stops by SIGSTOP, instead of dying */
	int transfers;      /* -1: until killed; 0: only phase two */
	int rollbacks;      /* of 100 */
	int timeout_ms;     /* of a transfer */
	const char *agents; /* NULL: the bank's own treatyd */
};

/* Servers, schema, treatyd. Fails the test. */
void bank_open(struct bank *b);
void bank_close(struct bank *b);
void bank_start_treatyd(struct bank *b);

pid_t bank_hire(struct bank *b, const struct teller_job *job);
/* Wait for its end, up to 20 s. The exit code, or -signal. */
int bank_wait(pid_t teller);
void bank_fire(pid_t teller); /* SIGKILL, and wait */

/* Let a teller finish what the dead left, until nothing is unfinished; then
 * the audit. Fails the test. */
void bank_heal(struct bank *b, uint64_t ms);
/* Transfers that the book calls committed. */
size_t bank_committed(const struct bank *b);

/* With the gate shut, the deletion of an undo row sleeps within its
 * transaction, in PostgreSQL and MariaDB. */
void bank_gate(struct bank *b, bool shut);
/* Wait until somebody sleeps there. `side` is 1 (PostgreSQL) or 2. */
void bank_await_sleeper(struct bank *b, int side);
/* A number from one side's database, past Treaty. */
int64_t bank_ask(struct bank *b, int side, const char *sql);
void bank_sql(struct bank *b, int side, const char *sql);

/* For main(): runs as a teller and does not return if argv says so. */
void bank_teller(int argc, char **argv);

#endif
