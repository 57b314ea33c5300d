#include "rm-agent/at/engine.h"

void at_error_clear(struct treaty_at *at)
{
	struct at_error *e = &at->error;

	buf_clear(&e->text);
	e->sqlstate[0] = '\0';
	e->holder[0] = '\0';
	e->class = DB_NONE;
	e->shown = (struct treaty_at_error){ .message = "",
					     .sqlstate = e->sqlstate,
					     .holder = e->holder };
}

static int show(struct treaty_at *at, int code)
{
	struct at_error *e = &at->error;

	e->shown.code = code;
	e->shown.message = buf_text(&e->text);
	return agent_fail(code, "%s", e->shown.message);
}

int at_fail(struct treaty_at *at, int code, const char *fmt, ...)
{
	va_list args;

	at_error_clear(at);
	va_start(args, fmt);
	buf_vprintf(&at->error.text, fmt, args);
	va_end(args);
	return show(at, code);
}

int at_fail_db(struct treaty_at *at, int code, const char *what)
{
	const struct db_error *d = db_error(at->db);

	at_error_clear(at);
	buf_printf(&at->error.text, "%s: %s", what,
		   code == E_NOMEM ? "out of memory" : d->message);
	if (code != E_NOMEM) {
		memcpy(at->error.sqlstate, d->sqlstate, sizeof d->sqlstate);
		at->error.shown.native = d->native;
		at->error.class = d->class;
	}
	return show(at, code);
}

int at_fail_agent(struct treaty_at *at, int code)
{
	at_error_clear(at);
	buf_put_text(&at->error.text, treaty_last_error());
	return show(at, code);
}

static const char *conflict_word(int code)
{
	if (code == E_DEADLOCK)
		return "waiting for it would never end";
	if (code == E_TIMEOUT)
		return "it was not given up in the time to wait";
	return "it is refused at once";
}

int at_fail_conflict(struct treaty_at *at, int code,
		     const struct agent_conflict *c)
{
	struct at_error *e = &at->error;

	if (!c->holder[0])
		return at_fail_agent(at, code);
	at_error_clear(at);
	buf_put_text(&e->text, "row ");
	if (c->key_len)
		lock_key_print(&e->text, (struct bytes){ c->key, c->key_len });
	else
		buf_put_text(&e->text, "(key too long to show)");
	buf_printf(&e->text,
		   " is held by the global transaction %s for %llu ms and %s; "
		   "the local transaction is rolled back, try again later",
		   c->holder, (unsigned long long)c->holder_age_ms,
		   conflict_word(code));
	memcpy(e->holder, c->holder, sizeof e->holder);
	e->shown.holder_age_ms = c->holder_age_ms;
	return show(at, code);
}
