#include "rm-agent/at/dsn.h"

#include <libpq-fe.h>
#include <mysql.h>
#include <sqlite3.h>

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

static void put_encoded(struct buf *out, const char *text)
{
	for (; text && *text; text++) {
		if (is_plain(*text))
			buf_put_char(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
	}
}

int dsn_of_pg(struct buf *out, struct pg_conn *conn)
{
	PQconninfoOption *options = PQconninfo(conn);
	char sign = '?';

	if (!options)
		return E_NOMEM;
	buf_put_text(out, "postgresql:///");
	for (PQconninfoOption *o = options; o->keyword; o++) {
		if (!o->val || !o->val[0] ||
		    strcmp(o->keyword, "client_encoding") == 0 ||
		    strcmp(o->keyword, "replication") == 0)
			continue;
		buf_put_char(out, sign);
		buf_put_text(out, o->keyword);
		buf_put_char(out, '=');
		put_encoded(out, o->val);
		sign = '&';
	}
	PQconninfoFree(options);
	return buf_error(out);
}

int dsn_of_mysql(struct buf *out, struct st_mysql *conn)
{
	buf_put_text(out, "mysql://");
	put_encoded(out, conn->user);
	buf_put_char(out, ':');
	put_encoded(out, conn->passwd);
	buf_put_char(out, '@');
	put_encoded(out, conn->host ? conn->host : "localhost");
	if (conn->port)
		buf_printf(out, ":%u", conn->port);
	buf_put_char(out, '/');
	put_encoded(out, conn->db);
	if (conn->unix_socket && conn->unix_socket[0]) {
		buf_put_text(out, "?socket=");
		put_encoded(out, conn->unix_socket);
	}
	return buf_error(out);
}

int dsn_of_sqlite(struct buf *out, struct sqlite3 *conn)
{
	const char *path = sqlite3_db_filename(conn, "main");

	if (!path || !path[0])
		return E_UNSUPPORTED;
	buf_put_text(out, "sqlite:");
	buf_put_text(out, path);
	return buf_error(out);
}
