#include "tc/host/setting.h"

#include <inttypes.h>

#define AT(member)                                                             \
	offsetof(struct config, member), sizeof(((struct config *)0)->member)

#define MS     UINT64_C(1)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)
#define KIB    UINT64_C(1024)
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)
#define MANY   UINT64_C(1000000000)

/* clang-format off */
const struct setting settings[] = {
	{ "data_dir", "Where", SET_TEXT, AT(data_dir), 0, 0, false,
	  "Folder of the store. Created with mode 0700 if it isn't there." },
	{ "agents_listen", NULL, SET_TEXT, AT(agents_listen), 0, 0, false,
	  "Addresses for agents, up to 8, separated by blanks:\n"
	  "tcp://host:port, tcp://[v6]:port (port 0: any free one), ipc:///path." },
	{ "allow_unauthenticated", NULL, SET_YES_NO,
	  AT(agents.allow_unauthenticated), 0, 1, false,
	  "Agents are not authenticated yet, so only addresses of this machine are\n"
	  "allowed in agents_listen. \"yes\" lifts that: only where the network itself\n"
	  "keeps strangers out." },
	{ "http_listen", NULL, SET_TEXT, AT(http_listen), 0, 0, false,
	  "host:port for operators (REST), of this machine only; or \"off\"." },
	{ "coordinator", NULL, SET_TEXT, AT(coordinator), 0, 0, false,
	  "host:port in front of every xid. Empty: the first agents' address of the\n"
	  "first start, which is then kept for ever." },
	{ "log_level", NULL, SET_LEVEL, AT(log_level), 0, 0, true,
	  "Lines below it are not written." },

	{ "timeout", "Transactions", SET_TIME, AT(core.timeout_ms_default),
	  1, YEAR, true, "Of a transaction that names none; then it rolls back." },
	{ "timeout_max", NULL, SET_TIME, AT(core.timeout_ms_max),
	  1, YEAR, true, "The longest that a transaction may ask for." },
	{ "transactions_max", NULL, SET_NUMBER, AT(core.gtx_max),
	  1, MANY, true, "Unfinished transactions." },
	{ "branches_max", NULL, SET_NUMBER, AT(core.branches_per_gtx_max),
	  1, MANY, true, "Branches of one transaction." },
	{ "text_max", NULL, SET_BYTES, AT(core.text_max),
	  64, MIB, true, "A name, resource or error text." },
	{ "application_data_max", NULL, SET_BYTES, AT(core.application_data_max),
	  0, GIB, true, "Application data of one branch." },
	{ "participant_max", NULL, SET_BYTES, AT(core.participant_max),
	  KIB, MIB, true, "URLs and headers of one HTTP participant." },

	{ "machines_max", "Sagas", SET_NUMBER, AT(core.machines_max),
	  0, MANY, true, "Versions of all machines that were put." },
	{ "saga_data_max", NULL, SET_BYTES, AT(core.saga_data_max),
	  KIB, GIB, true, "Data of one run: its input and what its steps gave back." },
	{ "saga_tasks_max", NULL, SET_NUMBER, AT(core.saga_tasks_max),
	  1, MANY, true, "States that one run enters, loops and repetitions counted." },
	{ "saga_attempts", NULL, SET_NUMBER, AT(core.saga_attempts),
	  0, MANY, true,
	  "Retries of a step of which nobody knows whether it is done, where the\n"
	  "machine says nothing; then the saga is undone. 0: no end. What undoes, and\n"
	  "steps that recover forward, are retried as attempts_max says." },
	{ "saga_ask_again", NULL, SET_TIME, AT(core.saga_ask_again_ms),
	  1, HOUR, true, "Pause after a step that says it is in progress." },

	{ "delay_max", "Messages", SET_TIME, AT(core.delay_ms_max),
	  0, 10 * YEAR, true,
	  "The longest delay of a delivery, and pause in its schedule." },
	{ "schedule_max", NULL, SET_NUMBER, AT(core.schedule_max),
	  0, 10000, true, "Pauses in the schedule of a delivery." },
	{ "subscribers_max", NULL, SET_NUMBER, AT(core.subscribers_max),
	  0, MANY, true, "Of all topics." },

	{ "locks_max", "Row locks", SET_NUMBER, AT(core.locks_max),
	  1, MANY, true, "Held in all." },
	{ "lock_keys_max", NULL, SET_NUMBER, AT(core.lock_keys_per_branch_max),
	  1, MANY, true, "Of one branch." },
	{ "lock_waiters_max", NULL, SET_NUMBER, AT(core.waiters_max),
	  0, MANY, true, "Requests waiting for a lock." },
	{ "lock_wait_max", NULL, SET_TIME, AT(core.lock_wait_ms_max),
	  0, YEAR, true, "The longest that a request may wait for a lock." },

	{ "command_timeout", "Phase two", SET_TIME, AT(core.command_timeout_ms),
	  1, DAY, true, "Then a commit or rollback command counts as lost." },
	{ "retry_first", NULL, SET_TIME, AT(core.retry_ms_first),
	  1, DAY, true, "Pause before the first retry; it doubles each time." },
	{ "retry_max", NULL, SET_TIME, AT(core.retry_ms_max),
	  1, DAY, true, "The longest pause between retries." },
	{ "attempts_max", NULL, SET_NUMBER, AT(core.attempts_max),
	  0, MANY, true, "Then a branch is hung and waits for an operator. 0: never." },
	{ "reply_wait_max", NULL, SET_TIME, AT(core.reply_wait_ms_max),
	  0, HOUR, true, "The longest that a commit may wait for phase two." },
	{ "in_flight_max", NULL, SET_NUMBER, AT(core.in_flight_per_peer_max),
	  1, MANY, true, "Commands on their way to one agent." },

	{ "tombstones_max", "Memory of what finished", SET_NUMBER,
	  AT(core.tombstones_max), 0, MANY, true,
	  "Outcomes remembered, so that a repeated request hears the true one." },
	{ "tombstone_keep", NULL, SET_TIME, AT(core.tombstone_keep_ms),
	  0, YEAR, true, "How long they are remembered." },
	{ "archive_max", NULL, SET_NUMBER, AT(store.archive_max),
	  0, MANY, false, "Finished transactions kept for people." },
	{ "archive_keep", NULL, SET_TIME, AT(store.archive_keep_ms),
	  0, 10 * YEAR, false, "How long they are kept." },
	{ "history_max", NULL, SET_NUMBER, AT(store.history_max),
	  0, MANY, false, "Lines of history in all." },
	{ "history_lines_max", NULL, SET_NUMBER, AT(store.history_per_gtx_max),
	  1, MANY, false, "Lines of history of one transaction." },
	{ "history_keep", NULL, SET_TIME, AT(store.history_keep_ms),
	  0, 10 * YEAR, false, "How long they are kept." },
	{ "audit_max", NULL, SET_NUMBER, AT(store.audit_max),
	  0, MANY, false, "Entries of the audit log." },
	{ "audit_keep", NULL, SET_TIME, AT(store.audit_keep_ms),
	  0, 10 * YEAR, false, "How long they are kept." },

	{ "connections_max", "Agents", SET_NUMBER, AT(agents.connections_max),
	  1, MANY, false, "Agents connected at the same time." },
	{ "peers_max", NULL, SET_NUMBER, AT(core.peers_max),
	  1, MANY, true, "Agents that said hello." },
	{ "message_max", NULL, SET_BYTES, AT(agents.message_max),
	  KIB, GIB, false, "One message." },
	{ "output_max", NULL, SET_BYTES, AT(agents.output_max),
	  4 * KIB, GIB, false,
	  "Waiting for an agent that reads slowly; more disconnects it." },
	{ "heartbeat", NULL, SET_TIME, AT(agents.heartbeat_ms),
	  10, HOUR, false, "Agents ping that often; after three missed they are gone." },
	{ "hello_timeout", NULL, SET_TIME, AT(agents.hello_ms),
	  10, HOUR, false, "From connecting to the hello." },

	{ "http_connections_max", "Operators", SET_NUMBER,
	  AT(http.connections_max), 1, 100000, false,
	  "Connections at the same time." },
	{ "http_body_max", NULL, SET_BYTES, AT(http.body_max),
	  KIB, GIB, false, "The body of one request." },
	{ "http_request_timeout", NULL, SET_TIME, AT(http.request_ms),
	  10, HOUR, false, "For a request to arrive, and for its answer to leave." },
	{ "http_reply_timeout", NULL, SET_TIME, AT(http.reply_ms),
	  10, HOUR, false, "For the coordinator to act; then the answer is \"unknown\"." },

	{ "http_targets", "HTTP participants", SET_WORDS, AT(http_targets),
	  0, 0, true,
	  "Which URLs may be called, separated by blanks, on as many lines as\n"
	  "needed; empty: none.\n"
	  "http://host:port/path/ also allows what is below the path;\n"
	  "https://*.example/ every name that ends so. Names must lead to public\n"
	  "addresses, or to ranges that are listed, too: net:10.0.0.0/8\n"
	  "SIGHUP takes it." },
	{ "call_timeout", NULL, SET_TIME, AT(caller.call_ms_max),
	  1, DAY, false, "The longest that one call may take; also command_timeout counts." },
	{ "connect_timeout", NULL, SET_TIME, AT(caller.connect_ms),
	  1, HOUR, false, "Of it, until it is connected." },
	{ "calls_max", NULL, SET_NUMBER, AT(caller.calls_max),
	  1, 100000, false, "Calls and kept connections at the same time." },
	{ "calls_per_target_max", NULL, SET_NUMBER,
	  AT(caller.calls_per_target_max), 1, 100000, false,
	  "Of them, to one scheme, host and port." },
	{ "call_answer_max", NULL, SET_BYTES, AT(caller.answer_max),
	  KIB, GIB, false, "The body of one answer." },
	{ "call_ca_file", NULL, SET_TEXT, AT(caller.ca_file), 0, 0, false,
	  "Certificates (PEM) of who signs those of https; empty: the system's." },

	{ "lazy", "Store and loop", SET_TIME, AT(lazy_ms),
	  0, MINUTE, true,
	  "Rows that no promise waits for are written together after that time." },
	{ "first_id", NULL, SET_NUMBER, AT(core.first_id),
	  0, INT64_MAX / 2, false,
	  "The first number that a new, empty store gives. 0: drawn at random, as it\n"
	  "should be: then xids of a store that was lost are not given again." },
	{ "rows_max", NULL, SET_NUMBER, AT(rows_max),
	  1, MANY, true, "So many of them are written at once." },
	{ "drain", NULL, SET_TIME, AT(drain_ms),
	  0, HOUR, true, "How long SIGTERM waits for unfinished transactions." },
	{ "id_block", NULL, SET_NUMBER, AT(core.id_block),
	  1, MANY, false, "Numbers reserved by one stored row." },
	{ "wal_pages_max", NULL, SET_NUMBER, AT(store.wal_pages_max),
	  16, 10000000, false, "4-KiB pages of WAL; then a checkpoint comes at once." },
	{ "wal_pages_idle", NULL, SET_NUMBER, AT(store.wal_pages_idle),
	  1, 10000000, false, "Enough for a checkpoint at a quiet moment." },
};
/* clang-format on */
const size_t n_settings = ARRAY_LEN(settings);

const struct setting *setting_find(struct bytes name)
{
	for (size_t i = 0; i < n_settings; i++) {
		const char *s = settings[i].name;
		size_t n = strlen(s), k = 0;

		if (n != name.len)
			continue;
		while (k < n && (s[k] == (char)name.data[k] ||
				 (s[k] == '_' && name.data[k] == '-')))
			k++;
		if (k == n)
			return &settings[i];
	}
	return NULL;
}

/* ---- numbers in a struct ---- */

static uint64_t number_get(const struct config *c, const struct setting *s)
{
	const uint8_t *p = (const uint8_t *)c + s->offset;
	uint64_t u64;
	uint32_t u32;

	if (s->size == sizeof(bool))
		return *p;
	if (s->size == sizeof u32) {
		memcpy(&u32, p, sizeof u32);
		return u32;
	}
	memcpy(&u64, p, sizeof u64);
	return u64;
}

static void number_set(struct config *c, const struct setting *s, uint64_t v)
{
	uint8_t *p = (uint8_t *)c + s->offset;
	uint32_t u32 = (uint32_t)v;

	if (s->size == sizeof(bool))
		*p = (uint8_t)v;
	else if (s->size == sizeof u32)
		memcpy(p, &u32, sizeof u32);
	else
		memcpy(p, &v, sizeof v);
}

static bool is_text(const struct setting *s)
{
	return s->type == SET_TEXT || s->type == SET_WORDS;
}

static const char *text_get(const struct config *c, const struct setting *s)
{
	const char *text;

	memcpy(&text, (const uint8_t *)c + s->offset, sizeof(const char *));
	return text;
}

/* ---- units ---- */

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit byte_units[] = {
	{ "GiB", GIB }, { "MiB", MIB }, { "KiB", KIB }, { "", 1 }, { NULL, 0 }
};
static const struct unit time_units[] = {
	{ "d", DAY },    { "h", HOUR }, { "min", MINUTE },
	{ "s", SECOND }, { "ms", MS },  { NULL, 0 },
};
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

static const struct unit *units_of(const struct setting *s)
{
	if (s->type == SET_BYTES)
		return byte_units;
	return s->type == SET_TIME ? time_units : no_units;
}

static int parse_number(const struct setting *s, const char *text,
			uint64_t *out)
{
	uint64_t n = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (n > (UINT64_MAX - 9) / 10)
			return E_INVALID;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	if (p == text)
		return E_INVALID;
	for (const struct unit *u = units_of(s); u->name; u++) {
		if (strcmp(p, u->name) != 0 &&
		    !(s->type == SET_TIME && n == 0 && *p == '\0'))
			continue;
		if (n > UINT64_MAX / u->factor)
			return E_INVALID;
		*out = n * u->factor;
		return *out >= s->min && *out <= s->max ? OK : E_INVALID;
	}
	return E_INVALID;
}

static void print_number(struct buf *out, const struct setting *s, uint64_t n)
{
	const struct unit *u = units_of(s);

	while (n % u->factor != 0 || (n == 0 && u[1].name))
		u++;
	buf_printf(out, "%" PRIu64 "%s", n / u->factor, u->name);
}

/* ---- any value ---- */

void setting_print_allowed(struct buf *out, const struct setting *s)
{
	switch (s->type) {
	case SET_TEXT:
	case SET_WORDS:
		buf_put_text(out, "a text");
		return;
	case SET_YES_NO:
		buf_put_text(out, "yes or no");
		return;
	case SET_LEVEL:
		buf_put_text(out, "debug, info, warn, error or off");
		return;
	case SET_NUMBER:
	case SET_BYTES:
	case SET_TIME:
		break;
	}
	buf_put_text(out, s->type == SET_TIME    ? "a time from "
			  : s->type == SET_BYTES ? "a size from "
						 : "a number from ");
	print_number(out, s, s->min);
	buf_put_text(out, " to ");
	print_number(out, s, s->max);
	if (s->type == SET_TIME)
		buf_put_text(out, " (units ms, s, min, h, d)");
	if (s->type == SET_BYTES)
		buf_put_text(out, " (units KiB, MiB, GiB)");
}

static int parse_word(const struct setting *s, const char *text, uint64_t *out)
{
	enum log_level level;

	if (s->type == SET_LEVEL) {
		if (log_level_parse(text, &level) != OK)
			return E_INVALID;
		*out = (uint64_t)level;
		return OK;
	}
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return E_INVALID;
	*out = strcmp(text, "yes") == 0;
	return OK;
}

static int parse_text(struct config *c, const struct setting *s,
		      const char *value)
{
	const char *copy = arena_text(&c->arena, bytes_of(value));

	if (!copy)
		return E_NOMEM;
	memcpy((uint8_t *)c + s->offset, &copy, sizeof(const char *));
	return OK;
}

int setting_add(struct config *c, const struct setting *s, const char *value)
{
	struct buf both;
	int rc;

	buf_init(&both, c->arena.mem);
	buf_printf(&both, "%s %s", text_get(c, s), value);
	rc = buf_error(&both);
	if (rc == OK)
		rc = parse_text(c, s, buf_text(&both));
	buf_fini(&both);
	return rc;
}

int setting_parse(struct config *c, const struct setting *s, const char *value,
		  struct buf *error)
{
	uint64_t n = 0;
	int rc;

	if (is_text(s))
		return parse_text(c, s, value);
	rc = s->type == SET_YES_NO || s->type == SET_LEVEL
		     ? parse_word(s, value, &n)
		     : parse_number(s, value, &n);
	if (rc == OK) {
		number_set(c, s, n);
		return OK;
	}
	buf_printf(error, "%s = %s: allowed is ", s->name, value);
	setting_print_allowed(error, s);
	return rc;
}

void setting_print(struct buf *out, const struct config *c,
		   const struct setting *s)
{
	static const char *const levels[] = { "debug", "info", "warn", "error",
					      "off" };

	switch (s->type) {
	case SET_TEXT:
	case SET_WORDS:
		buf_put_text(out, text_get(c, s));
		break;
	case SET_YES_NO:
		buf_put_text(out, number_get(c, s) ? "yes" : "no");
		break;
	case SET_LEVEL:
		buf_put_text(out, levels[number_get(c, s)]);
		break;
	case SET_NUMBER:
	case SET_BYTES:
	case SET_TIME:
		print_number(out, s, number_get(c, s));
		break;
	}
}

void setting_print_lines(struct buf *out, const struct config *c,
			 const struct setting *s)
{
	const char *word = s->type == SET_WORDS ? text_get(c, s) : "";

	word += strspn(word, " \t");
	if (*word == '\0') {
		buf_printf(out, "%s = ", s->name);
		setting_print(out, c, s);
		buf_put_char(out, '\n');
		return;
	}
	while (*word != '\0') {
		size_t n = strcspn(word, " \t");

		buf_printf(out, "%s = %.*s\n", s->name, (int)n, word);
		word += n;
		word += strspn(word, " \t");
	}
}

bool setting_equal(const struct setting *s, const struct config *a,
		   const struct config *b)
{
	if (is_text(s))
		return strcmp(text_get(a, s), text_get(b, s)) == 0;
	return number_get(a, s) == number_get(b, s);
}

int setting_copy(const struct setting *s, struct config *to,
		 const struct config *from)
{
	if (is_text(s))
		return parse_text(to, s, text_get(from, s));
	number_set(to, s, number_get(from, s));
	return OK;
}
