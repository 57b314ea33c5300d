#ifndef RM_AGENT_AT_MYSQL_SHAPE_H
#define RM_AGENT_AT_MYSQL_SHAPE_H

/*
 * What mysql.c and mysql_stmt.c share.
 */

#include "rm-agent/at/shape.h"

#include <treaty/mysql.h>

/* Of the last protected call on a connection. */
struct mysql_shape {
	bool aside; /* what follows counts, and not the native state */
	MYSQL_RES *result;
	unsigned field_count;
	uint64_t affected;
	uint64_t insert_id;
	unsigned number; /* error, 0: none */
};

/* NULL: no memory. */
struct mysql_shape *mysql_shape_of(struct treaty_at *at);
/* Note a failure: of the server (native) or ours. */
void mysql_shape_failed(struct treaty_at *at, struct mysql_shape *s, int rc,
			bool native, unsigned number, const char *message);
/* "Rows matched: 3  Changed: 2": rows that the condition met. */
uint64_t mysql_shape_matched(MYSQL *mysql, uint64_t affected);
/* INSERT … RETURNING is known there: MariaDB from 10.5. */
bool mysql_shape_returns(const MYSQL *native);

#endif
