/* Two rows in a database change in one global transaction, or neither does.
 *
 *   cc transfer.c $(pkg-config --cflags --libs treaty sqlite3) -o transfer
 *   ./transfer tcp://127.0.0.1:7090 bank.db 40
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <treaty/at.h>

int main(int argc, char **argv)
{
	struct treaty_options o;
	struct treaty *t;
	struct treaty_tx *tx;
	struct treaty_at *at;
	struct treaty_value sum =
		treaty_int(argc > 3 ? strtoll(argv[3], NULL, 10) : 0);
	sqlite3 *db;
	int rc;

	treaty_options_init(&o, sizeof o);
	o.address = argv[1];
	o.application = "transfer";
	if (argc < 4 || treaty_open(&t, &o) || sqlite3_open(argv[2], &db) ||
	    treaty_at_wrap_sqlite(t, db, NULL, &at) ||
	    treaty_begin(t, "transfer", 10000, &tx))
		return fprintf(stderr, "%s\n", treaty_last_error()), 1;
	rc = treaty_at_exec(at,
			    "UPDATE account SET balance = balance - ? "
			    "WHERE id = 'alice'",
			    &sum, 1, NULL);
	if (rc == TREATY_OK)
		rc = treaty_at_exec(at,
				    "UPDATE account SET balance = balance"
				    " + ? WHERE id = 'bob'",
				    &sum, 1, NULL);
	rc = rc == TREATY_OK ? treaty_commit(tx) : treaty_rollback(tx, "no");
	printf("%s: %s\n", treaty_xid(tx),
	       rc ? treaty_last_error()
		  : treaty_status_name(treaty_tx_status(tx)));
	treaty_release(tx);
	treaty_at_unwrap(at);
	sqlite3_close(db);
	return treaty_close(t) || rc;
}
