#include "tests/fakes/store_old.h"

#include "base/base.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

void store_old_make(int format, const char *path, const char *vfs)
{
	static const char *const files[] = {
		NULL,
		STORE_OLD_DIR "/store_v1.sql",
		STORE_OLD_DIR "/store_v2.sql",
	};
	FILE *f = fopen(files[format], "rb");
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
