#include "rm-agent/msg/consumer.h"

#include "rm-agent/msg/target.h"

/* What a consumer's callback may ask and do. */

static char *make_key(const struct agent_command *c)
{
	char *text = NULL;
	struct buf b;

	buf_init(&b, &mem_heap);
	buf_printf(&b, "%s/%llu/action", c->xid, (unsigned long long)c->branch);
	if (buf_error(&b) == OK)
		text = mem_text(&mem_heap, buf_bytes(&b));
	buf_fini(&b);
	return text;
}

int delivery_init(struct treaty_delivery *d, const struct consumer *consumer,
		  const struct agent_command *c)
{
	/* Another program's may have none. */
	struct bytes payload =
		c->application_data.len ? c->application_data : BYTES("{}");

	*d = (struct treaty_delivery){ .consumer = consumer, .command = c };
	agent_branch_print(d->branch_text, c->branch);
	d->payload = mem_text(&mem_heap, payload);
	d->key = make_key(c);
	if (d->payload && d->key)
		return OK;
	delivery_fini(d);
	return E_NOMEM;
}

void delivery_fini(struct treaty_delivery *d)
{
	mem_free(&mem_heap, d->payload);
	mem_free(&mem_heap, d->key);
}

/* ---- asking ---- */

const char *treaty_delivery_xid(const struct treaty_delivery *d)
{
	return d->command->xid;
}

uint64_t treaty_delivery_id(const struct treaty_delivery *d)
{
	return d->command->branch;
}

const char *treaty_delivery_key(const struct treaty_delivery *d)
{
	return d->key;
}

const char *treaty_delivery_consumer(const struct treaty_delivery *d)
{
	return d->consumer->resource + sizeof CONSUMER_PREFIX - 1;
}

const char *treaty_delivery_payload(const struct treaty_delivery *d)
{
	return d->payload;
}

uint64_t treaty_delivery_attempt(const struct treaty_delivery *d)
{
	return d->command->attempt;
}

void treaty_delivery_error(struct treaty_delivery *d, const char *text)
{
	size_t len = strlen(text);

	if (len >= sizeof d->error) {
		len = sizeof d->error - 1;
		/* not in the middle of a character */
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	memmove(d->error, text, len);
	d->error[len] = '\0';
}

/* ---- the barrier ---- */

static struct treaty_barrier barrier_of(const struct treaty_delivery *d,
					unsigned number)
{
	return (struct treaty_barrier){ .trans_type = "msg",
					.gid = d->command->xid,
					.branch_id = d->branch_text,
					.op = "action",
					.number = number,
					.table = d->consumer->barrier_table };
}

static int noted(struct treaty_delivery *d, int rc)
{
	if (rc != OK)
		treaty_delivery_error(d, treaty_last_error());
	return rc;
}

int treaty_delivery_barrier_pg(struct treaty_delivery *d, struct pg_conn *conn,
			       unsigned number,
			       enum treaty_barrier_verdict *verdict)
{
	const struct treaty_barrier b = barrier_of(d, number);

	return noted(d, treaty_barrier_call_pg(conn, &b, verdict));
}

int treaty_delivery_barrier_mysql(struct treaty_delivery *d,
				  struct st_mysql *conn, unsigned number,
				  enum treaty_barrier_verdict *verdict)
{
	const struct treaty_barrier b = barrier_of(d, number);

	return noted(d, treaty_barrier_call_mysql(conn, &b, verdict));
}

int treaty_delivery_barrier_sqlite(struct treaty_delivery *d,
				   struct sqlite3 *conn, unsigned number,
				   enum treaty_barrier_verdict *verdict)
{
	const struct treaty_barrier b = barrier_of(d, number);

	return noted(d, treaty_barrier_call_sqlite(conn, &b, verdict));
}
