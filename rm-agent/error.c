#include "rm-agent/agent.h"

/*
 * The error text of the calling thread. The public codes have the numbers of
 * base.h; that is checked here, once.
 */

#define TEXT_MAX 1024

static _Thread_local char last_error[TEXT_MAX];

_Static_assert((int)TREATY_E_NOMEM == (int)E_NOMEM, "codes differ");
_Static_assert((int)TREATY_E_LIMIT == (int)E_LIMIT, "codes differ");
_Static_assert((int)TREATY_E_CONFLICT == (int)E_CONFLICT, "codes differ");
_Static_assert((int)TREATY_E_INVALID == (int)E_INVALID, "codes differ");
_Static_assert((int)TREATY_E_NOTFOUND == (int)E_NOTFOUND, "codes differ");
_Static_assert((int)TREATY_E_STATE == (int)E_STATE, "codes differ");
_Static_assert((int)TREATY_E_CORRUPT == (int)E_CORRUPT, "codes differ");
_Static_assert((int)TREATY_E_IO == (int)E_IO, "codes differ");
_Static_assert((int)TREATY_E_TIMEOUT == (int)E_TIMEOUT, "codes differ");
_Static_assert((int)TREATY_E_UNKNOWN == (int)E_UNKNOWN, "codes differ");
_Static_assert((int)TREATY_E_UNSUPPORTED == (int)E_UNSUPPORTED, "codes differ");
_Static_assert((int)TREATY_E_CLOSED == (int)E_CLOSED, "codes differ");
_Static_assert((int)TREATY_E_DENIED == (int)E_DENIED, "codes differ");
_Static_assert((int)TREATY_E_DEADLOCK == (int)E_DEADLOCK, "codes differ");
_Static_assert((int)TREATY_E_DIRTY == (int)E_DIRTY, "codes differ");
_Static_assert((int)TREATY_E_VERSION == (int)E_VERSION, "codes differ");
_Static_assert((int)TREATY_E_AGAIN == (int)E_AGAIN, "codes differ");
_Static_assert((int)TREATY_E_ROLLED_BACK == (int)E_ROLLED_BACK, "codes differ");
_Static_assert((int)TREATY_STATUS_STOP_ROLLBACK == (int)GTX_STOP_ROLLBACK,
	       "status codes differ");

const char *treaty_error_text(int error)
{
	static const char *const texts[] = {
		[-OK] = "success",
		[-E_NOMEM] = "out of memory",
		[-E_LIMIT] = "a configured limit is reached",
		[-E_CONFLICT] = "another global transaction holds the row",
		[-E_INVALID] = "an argument makes no sense",
		[-E_NOTFOUND] = "no such transaction, branch or resource",
		[-E_STATE] = "not allowed in the present state",
		[-E_CORRUPT] = "stored or received data is damaged",
		[-E_IO] = "the network, the disk or a database failed",
		[-E_TIMEOUT] = "not within the time asked for",
		[-E_UNKNOWN] = "the outcome is not known yet: ask again",
		[-E_UNSUPPORTED] = "refused because it cannot be done safely",
		[-E_CLOSED] = "the handle or the coordinator is closed",
		[-E_DENIED] = "the coordinator does not accept this program",
		[-E_DEADLOCK] = "waiting would never end: roll back",
		[-E_DIRTY] = "a row was changed from outside the transaction",
		[-E_VERSION] = "made by a version that is not understood",
		[-E_AGAIN] = "not now: try again",
		[-E_ROLLED_BACK] = "the global transaction is rolled back",
	};

	if (error > 0 || error <= -(int)ARRAY_LEN(texts))
		return "unknown error code";
	return texts[-error];
}

const char *treaty_last_error(void)
{
	return last_error;
}

void agent_error_clear(void)
{
	last_error[0] = '\0';
}

/* Cut at a character's begin, so that the text stays UTF-8. */
static size_t fit(struct bytes text)
{
	size_t len = text.len;

	if (len < TEXT_MAX)
		return len;
	len = TEXT_MAX - 1;
	while (len > 0 && (text.data[len] & 0xc0) == 0x80)
		len--;
	return len;
}

int agent_fail(int err, const char *fmt, ...)
{
	va_list args;
	struct buf b;
	struct bytes text;
	size_t len;

	buf_init(&b, &mem_heap);
	va_start(args, fmt);
	buf_vprintf(&b, fmt, args);
	va_end(args);
	text = buf_error(&b) == OK ? buf_bytes(&b)
				   : bytes_of(treaty_error_text(err));
	len = fit(text);
	memmove(last_error, text.data, len);
	last_error[len] = '\0';
	buf_fini(&b);
	return err;
}
