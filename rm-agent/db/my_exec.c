#include "rm-agent/db/my.h"

#define BINARY_CHARSET 63

/* One column being fetched: fixed-size values land in .fixed; others are
 * fetched again when their length is known. */
struct slot {
	union {
		long long i;
		float f;
		double d;
		MYSQL_TIME t;
	} fixed;
	unsigned long len;
	my_bool null;
	my_bool error;
	bool is_fixed;
};

static const char *type_name(const MYSQL_FIELD *f)
{
	switch (f->type) {
	case MYSQL_TYPE_TINY:
		return "tinyint";
	case MYSQL_TYPE_SHORT:
		return "smallint";
	case MYSQL_TYPE_INT24:
		return "mediumint";
	case MYSQL_TYPE_LONG:
		return "int";
	case MYSQL_TYPE_LONGLONG:
		return "bigint";
	case MYSQL_TYPE_YEAR:
		return "year";
	case MYSQL_TYPE_FLOAT:
		return "float";
	case MYSQL_TYPE_DOUBLE:
		return "double";
	case MYSQL_TYPE_DECIMAL:
	case MYSQL_TYPE_NEWDECIMAL:
		return "decimal";
	case MYSQL_TYPE_BIT:
		return "bit";
	case MYSQL_TYPE_DATE:
	case MYSQL_TYPE_NEWDATE:
		return "date";
	case MYSQL_TYPE_TIME:
		return "time";
	case MYSQL_TYPE_DATETIME:
		return "datetime";
	case MYSQL_TYPE_TIMESTAMP:
		return "timestamp";
	case MYSQL_TYPE_JSON:
		return "json";
	case MYSQL_TYPE_GEOMETRY:
		return "geometry";
	case MYSQL_TYPE_NULL:
		return "null";
	default:
		break;
	}
	if (f->flags & ENUM_FLAG)
		return "enum";
	if (f->flags & SET_FLAG)
		return "set";
	if (f->type == MYSQL_TYPE_STRING)
		return f->charsetnr == BINARY_CHARSET ? "binary" : "char";
	if (f->type == MYSQL_TYPE_VAR_STRING || f->type == MYSQL_TYPE_VARCHAR)
		return f->charsetnr == BINARY_CHARSET ? "varbinary" : "varchar";
	return f->charsetnr == BINARY_CHARSET ? "blob" : "text";
}

static enum value_type class_of(const MYSQL_FIELD *f)
{
	switch (f->type) {
	case MYSQL_TYPE_TINY:
	case MYSQL_TYPE_SHORT:
	case MYSQL_TYPE_INT24:
	case MYSQL_TYPE_LONG:
	case MYSQL_TYPE_LONGLONG:
	case MYSQL_TYPE_YEAR:
		return VALUE_INT;
	case MYSQL_TYPE_FLOAT:
	case MYSQL_TYPE_DOUBLE:
		return VALUE_FLOAT;
	case MYSQL_TYPE_DECIMAL:
	case MYSQL_TYPE_NEWDECIMAL:
		return VALUE_NUMBER;
	case MYSQL_TYPE_BIT:
		return VALUE_BIT;
	case MYSQL_TYPE_DATE:
	case MYSQL_TYPE_NEWDATE:
		return VALUE_DATE;
	case MYSQL_TYPE_TIME:
		return VALUE_TIME;
	case MYSQL_TYPE_DATETIME:
	case MYSQL_TYPE_TIMESTAMP: /* of the session's zone */
		return VALUE_TIMESTAMP;
	case MYSQL_TYPE_JSON:
		return VALUE_JSON;
	case MYSQL_TYPE_GEOMETRY:
		return VALUE_BYTES;
	default:
		return f->charsetnr == BINARY_CHARSET ? VALUE_BYTES
						      : VALUE_TEXT;
	}
}

static void bind_slot(const MYSQL_FIELD *f, struct slot *s, MYSQL_BIND *b)
{
	b->buffer = &s->fixed;
	b->buffer_length = sizeof(s->fixed);
	b->length = &s->len;
	b->is_null = &s->null;
	b->error = &s->error;
	s->is_fixed = true;
	switch (class_of(f)) {
	case VALUE_INT:
		b->buffer_type = MYSQL_TYPE_LONGLONG;
		b->is_unsigned = (f->flags & UNSIGNED_FLAG) != 0;
		break;
	case VALUE_FLOAT:
		b->buffer_type = f->type == MYSQL_TYPE_FLOAT
					 ? MYSQL_TYPE_FLOAT
					 : MYSQL_TYPE_DOUBLE;
		break;
	case VALUE_DATE:
		b->buffer_type = MYSQL_TYPE_DATE;
		break;
	case VALUE_TIME:
		b->buffer_type = MYSQL_TYPE_TIME;
		break;
	case VALUE_TIMESTAMP:
		b->buffer_type = MYSQL_TYPE_DATETIME;
		break;
	default:
		b->buffer_type = MYSQL_TYPE_BLOB;
		b->buffer_length = 0;
		s->is_fixed = false;
	}
}

static void put_fraction(struct buf *out, unsigned long us, unsigned decimals)
{
	unsigned long unit = 100000;

	if (decimals == 0 || decimals > 6)
		return;
	buf_put_char(out, '.');
	for (; decimals > 0; decimals--, unit /= 10)
		buf_put_char(out, (char)('0' + us / unit % 10));
}

static void put_fixed(struct buf *out, const MYSQL_FIELD *f,
		      const struct slot *s)
{
	const MYSQL_TIME *t = &s->fixed.t;

	switch (class_of(f)) {
	case VALUE_INT:
		if (f->flags & UNSIGNED_FLAG)
			buf_printf(out, "%llu", (unsigned long long)s->fixed.i);
		else
			buf_printf(out, "%lld", s->fixed.i);
		return;
	case VALUE_FLOAT:
		if (f->type == MYSQL_TYPE_FLOAT)
			put_float(out, s->fixed.f);
		else
			put_double(out, s->fixed.d);
		return;
	case VALUE_TIME:
		buf_printf(out, "%s%02u:%02u:%02u", t->neg ? "-" : "",
			   t->day * 24 + t->hour, t->minute, t->second);
		break;
	default:
		buf_printf(out, "%04u-%02u-%02u", t->year, t->month, t->day);
		if (class_of(f) == VALUE_DATE)
			return;
		buf_printf(out, " %02u:%02u:%02u", t->hour, t->minute,
			   t->second);
	}
	put_fraction(out, t->second_part, f->decimals);
}

static void put_bits(struct buf *out, struct bytes raw, unsigned long bits)
{
	for (unsigned long i = bits; i > 0; i--) {
		size_t from_end = (i - 1) / 8;
		uint8_t byte = from_end < raw.len
				       ? raw.data[raw.len - 1 - from_end]
				       : 0;

		buf_put_char(out, byte >> ((i - 1) % 8) & 1 ? '1' : '0');
	}
}

static int stmt_fail(struct my_db *m, MYSQL_STMT *stmt)
{
	return my_fail(m, mysql_stmt_errno(stmt), mysql_stmt_sqlstate(stmt),
		       mysql_stmt_error(stmt));
}

/* A value whose length is known only now. */
static int fetch_long(struct my_db *m, MYSQL_STMT *stmt, const MYSQL_FIELD *f,
		      unsigned column, struct slot *s, struct arena *arena,
		      struct value *out)
{
	uint8_t *room = arena_alloc(arena, s->len + 1);
	MYSQL_BIND b = { .buffer_type = MYSQL_TYPE_BLOB,
			 .buffer = room,
			 .buffer_length = s->len,
			 .length = &s->len,
			 .is_null = &s->null,
			 .error = &s->error };
	struct buf bits;
	int rc = OK;

	if (!room)
		return driver_nomem(&m->db);
	if (s->len > 0 && mysql_stmt_fetch_column(stmt, &b, column, 0))
		return stmt_fail(m, stmt);
	out->type = class_of(f);
	out->data = (struct bytes){ room, s->len };
	if (out->type == VALUE_BIT) {
		buf_init(&bits, &arena->as_mem);
		put_bits(&bits, out->data, f->length);
		rc = buf_error(&bits);
		out->data = buf_bytes(&bits);
	} else if (out->type != VALUE_BYTES) {
		rc = charset_to_utf8(&m->results, arena, out->data, &out->data);
	}
	if (rc == E_INVALID)
		return driver_fail(&m->db, E_UNSUPPORTED, DB_DATA, "", 0,
				   "a text cannot be turned into UTF-8");
	return rc == OK ? OK : driver_nomem(&m->db);
}

static int copy_row(struct my_db *m, MYSQL_STMT *stmt, const MYSQL_FIELD *f,
		    struct slot *slots, struct arena *arena,
		    struct db_result *out, size_t row)
{
	for (unsigned c = 0; c < out->n_columns; c++) {
		struct value *v = &out->values[row * out->n_columns + c];
		struct slot *s = &slots[c];
		struct buf text;
		int rc;

		if (s->null)
			continue;
		if (!s->is_fixed) {
			rc = fetch_long(m, stmt, &f[c], c, s, arena, v);
			if (rc != OK)
				return rc;
			continue;
		}
		buf_init(&text, &arena->as_mem);
		put_fixed(&text, &f[c], s);
		if (buf_error(&text) != OK)
			return driver_nomem(&m->db);
		v->type = class_of(&f[c]);
		v->data = buf_bytes(&text);
	}
	return OK;
}

static int copy_columns(struct my_db *m, const MYSQL_FIELD *f,
			struct arena *arena, struct db_result *out)
{
	for (size_t c = 0; c < out->n_columns; c++) {
		struct bytes name = { (uint8_t *)f[c].name, f[c].name_length };

		if (charset_to_utf8(&m->results, arena, name, &name) == E_NOMEM)
			return driver_nomem(&m->db);
		out->columns[c] = (struct db_column){
			.name = arena_bytes(arena, name),
			.db_type = bytes_of(type_name(&f[c])),
			.type = class_of(&f[c]),
		};
		if (!out->columns[c].name.data)
			return driver_nomem(&m->db);
	}
	return OK;
}

static int fetch_rows(struct my_db *m, MYSQL_STMT *stmt, const MYSQL_FIELD *f,
		      unsigned columns, struct arena *arena,
		      struct db_result *out)
{
	struct slot *slots = arena_array(arena, columns, sizeof(*slots));
	MYSQL_BIND *binds = arena_array(arena, columns, sizeof(*binds));
	int rc = slots && binds ? OK : driver_nomem(&m->db);

	for (unsigned c = 0; c < columns && rc == OK; c++)
		bind_slot(&f[c], &slots[c], &binds[c]);
	if (rc == OK && (mysql_stmt_bind_result(stmt, binds) ||
			 mysql_stmt_store_result(stmt)))
		return stmt_fail(m, stmt);
	if (rc == OK && driver_result(out, arena, columns,
				      (size_t)mysql_stmt_num_rows(stmt)) != OK)
		rc = driver_nomem(&m->db);
	if (rc == OK)
		rc = copy_columns(m, f, arena, out);
	for (size_t row = 0; rc == OK && row < out->n_rows; row++) {
		int got = mysql_stmt_fetch(stmt);

		if (got != 0 && got != MYSQL_DATA_TRUNCATED)
			return stmt_fail(m, stmt);
		rc = copy_row(m, stmt, f, slots, arena, out, row);
	}
	return rc;
}

/* From "Rows matched: 3  Changed: 2  Warnings: 0", if the server said so. */
static uint64_t matched_rows(MYSQL *conn, uint64_t affected)
{
	static const char words[] = "Rows matched: ";
	const char *info = mysql_info(conn);
	uint64_t n = 0;

	if (!info || strncmp(info, words, sizeof(words) - 1) != 0)
		return affected;
	for (info += sizeof(words) - 1; *info >= '0' && *info <= '9'; info++)
		n = n * 10 + (uint64_t)(*info - '0');
	return n;
}

static int fetch(struct my_db *m, MYSQL_STMT *stmt, struct arena *arena,
		 struct db_result *out)
{
	MYSQL_RES *meta = mysql_stmt_result_metadata(stmt);
	int rc = OK;

	out->last_insert_id = mysql_stmt_insert_id(stmt);
	out->warnings = (unsigned)mysql_stmt_warning_count(stmt);
	if (meta)
		rc = fetch_rows(m, stmt, mysql_fetch_fields(meta),
				mysql_num_fields(meta), arena, out);
	out->affected = meta ? out->n_rows : mysql_stmt_affected_rows(stmt);
	out->matched =
		meta ? out->affected : matched_rows(m->conn, out->affected);
	if (meta)
		mysql_free_result(meta);
	(void)mysql_stmt_free_result(stmt);
	/* CALL: a status follows its rows. */
	while (mysql_stmt_more_results(stmt) &&
	       mysql_stmt_next_result(stmt) == 0)
		(void)mysql_stmt_free_result(stmt);
	return rc;
}

/* ---- statements ---- */

void my_drop(struct db *db, struct kept_stmt *stmt)
{
	(void)db;
	/* Sends a message that has no answer; harmless on a lost or reset
	 * connection, and before pending results it is only queued. */
	(void)mysql_stmt_close(stmt->handle);
}

static int prepare(struct my_db *m, struct bytes sql, struct arena *arena,
		   MYSQL_STMT **out)
{
	MYSQL_STMT *stmt;
	struct bytes text;
	int rc = charset_from_utf8(&m->db.charset, arena, sql, &text);

	if (rc == E_INVALID)
		return driver_fail(&m->db, rc, DB_DATA, "", 0,
				   "the statement cannot be written in the "
				   "session's character_set_client");
	stmt = rc == OK ? mysql_stmt_init(m->conn) : NULL;
	if (!stmt)
		return driver_nomem(&m->db);
	if (mysql_stmt_prepare(stmt, (const char *)text.data, text.len)) {
		rc = stmt_fail(m, stmt);
		(void)mysql_stmt_close(stmt);
		return rc;
	}
	*out = stmt;
	return OK;
}

static int keep(struct my_db *m, struct bytes sql, MYSQL_STMT *stmt)
{
	struct kept_stmt *s = kept_victim(&m->db.kept);

	if (s) {
		my_drop(&m->db, s);
		kept_remove(&m->db.kept, s);
	}
	return kept_add(&m->db.kept, sql, stmt, &s);
}

/* *kept: it must not be closed. */
static int statement(struct my_db *m, const struct db_stmt *stmt,
		     struct arena *arena, MYSQL_STMT **out, bool *kept)
{
	struct kept_stmt *s = NULL;
	int rc;

	*kept = stmt->keep;
	if (stmt->keep)
		s = kept_find(&m->db.kept, stmt->sql);
	if (s && ((MYSQL_STMT *)s->handle)->mysql) {
		*out = s->handle;
		return OK;
	}
	if (s) {
		/* The client library cut it off when the session was reset. */
		my_drop(&m->db, s);
		kept_remove(&m->db.kept, s);
	}
	rc = prepare(m, stmt->sql, arena, out);
	if (rc == OK && stmt->keep && keep(m, stmt->sql, *out) != OK)
		*kept = false;
	return rc;
}

static int run(struct my_db *m, const struct db_stmt *stmt, struct arena *arena,
	       MYSQL_STMT *handle, struct db_result *out)
{
	MYSQL_BIND *binds;
	int rc;

	if (mysql_stmt_param_count(handle) != stmt->n_params)
		return driver_fail(&m->db, E_INVALID, DB_SYNTAX, "", 0,
				   "the number of parameters is not that of "
				   "the placeholders");
	rc = my_bind_params(m, stmt, arena, &binds);
	if (rc != OK)
		return rc;
	if (stmt->n_params > 0 && mysql_stmt_bind_param(handle, binds))
		return stmt_fail(m, handle);
	if (mysql_stmt_execute(handle))
		return stmt_fail(m, handle);
	return fetch(m, handle, arena, out);
}

static int exec_once(struct my_db *m, const struct db_stmt *stmt,
		     struct arena *arena, struct db_result *out)
{
	MYSQL_STMT *handle = NULL;
	bool kept;
	int rc = statement(m, stmt, arena, &handle, &kept);

	if (rc != OK)
		return rc;
	rc = run(m, stmt, arena, handle, out);
	if (!kept)
		(void)mysql_stmt_close(handle);
	return rc;
}

int my_exec(struct db *db, const struct db_stmt *stmt, struct arena *arena,
	    struct db_result *out)
{
	struct my_db *m = my_of(db);
	int rc = exec_once(m, stmt, arena, out);

	/* Not known to the server: it has not begun, so again is safe, also in
	 * a transaction, which such an error does not break. */
	if (rc == E_AGAIN && db->error.class == DB_STALE) {
		db_forget_kept(db);
		rc = exec_once(m, stmt, arena, out);
	}
	if (rc == E_UNSUPPORTED && db->error.native == 1295 &&
	    stmt->n_params == 0) {
		char *sql = arena_text(arena, stmt->sql);

		return sql ? my_command(db, sql) : driver_nomem(db);
	}
	return rc;
}

int my_command(struct db *db, const char *sql)
{
	struct my_db *m = my_of(db);
	MYSQL_RES *rows;

	if (mysql_real_query(m->conn, sql, (unsigned long)strlen(sql)))
		return my_fail(m, mysql_errno(m->conn), mysql_sqlstate(m->conn),
			       mysql_error(m->conn));
	do {
		rows = mysql_store_result(m->conn);
		if (rows)
			mysql_free_result(rows);
	} while (mysql_more_results(m->conn) &&
		 mysql_next_result(m->conn) == 0);
	return OK;
}
