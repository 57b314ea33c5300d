#ifndef RM_AGENT_DB_CATALOG_MY_H
#define RM_AGENT_DB_CATALOG_MY_H

/*
 * MySQL and MariaDB: what changes rows that images cannot see, and whether
 * this user would see that it is there.
 *
 * Rules
 * -----
 *  - information_schema shows a foreign key only to users with some right on
 *    the table that it is of. InnoDB's own list is complete, but asks for
 *    PROCESS. An empty answer is believed only if it could not be otherwise;
 *    else what may do harm is refused with the GRANT that helps.
 */

#include "rm-agent/db/catalog_build.h"

enum my_sight {
	MY_BLIND = 0,  /* a foreign key may be there and not be shown */
	MY_LISTED = 1, /* information_schema shows all of them, slowly */
	MY_INNODB = 2, /* InnoDB's list can be read */
};

/* Append SQL with %1 and %2 replaced by schema and table, both SQL already. */
void my_put_sql(struct buf *out, const char *sql, const char *schema,
		const char *name);
/* A text as SQL, whatever sql_mode and character set are. In the arena. */
const char *my_literal(struct build *b, struct bytes text);

/* Where the foreign keys that refer to the table can be read. `engine` is the
 * table's. Codes as db_exec(). */
MUST_CHECK int my_look(struct build *b, struct value engine,
		       enum my_sight *out);

/* An expression for the probe that changes with those foreign keys. */
const char *my_foreign_probe(const struct build *b, enum my_sight sight);

/* Columns beside the key have an index: a foreign key can refer to them.
 * Codes as db_exec(). */
MUST_CHECK int my_judge_foreign_keys(struct build *b, enum my_sight sight,
				     bool more_indexed);

/* Codes as db_exec(). */
MUST_CHECK int my_judge_triggers(struct build *b);

/* True in *may if the right TRIGGER on the table is this user's own (not by a
 * role). Codes as db_exec(). */
MUST_CHECK int my_may_trigger(struct build *b, bool *may);

#endif
