#include "tests/fakes/store_v1.h"

#include "base/base.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

void store_v1_make(const char *path, const char *vfs)
{
	FILE *f = fopen(STORE_V1_SQL, "rb");
	char *sql = calloc(1, 1 << 16);
	sqlite3 *db;
	size_t n;

	REQUIRE(f && sql);
	n = fread(sql, 1, (1 << 16) - 1, f);
	REQUIRE(n > 0 && n < (1 << 16) - 1);
	fclose(f);
	REQUIRE(sqlite3_open_v2(path, &db,
				SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
				vfs) == SQLITE_OK);
	REQUIRE(sqlite3_exec(db,
			     "PRAGMA locking_mode=EXCLUSIVE;"
			     "PRAGMA journal_mode=WAL;",
			     NULL, NULL, NULL) == SQLITE_OK);
	REQUIRE(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
	REQUIRE(sqlite3_close(db) == SQLITE_OK);
	free(sql);
}
