#ifndef WIRE_MSG_H
#define WIRE_MSG_H

/*
 * The messages between agents and the coordinator, and their bytes.
 *
 *   body  = version u8 (1), type u8, id u64, then fields
 *   field = tag u8, len u32, len bytes
 *
 * Rules
 * -----
 *  - A field that has its zero value is not sent. A tag that the reader does
 *    not know is skipped, a field that it misses has its zero value: so old
 *    and new programs understand each other. Tags are never used again.
 *  - A list sends its tag once for each member, in order.
 *  - Big-endian numbers. A number's field is exactly 8 bytes, a flag's 1.
 *  - The agent numbers its requests, the answer has the same id. Commands
 *    carry the coordinator's numbers, and MSG_BRANCH_DONE has the same id.
 *  - Every request may be sent again with the same id: it is idempotent. (A
 *    repeated MSG_BEGIN begins another transaction, which times out empty.)
 *
 * On the stream each body is one message of the SP protocol as nanomsg speaks
 * it over TCP or IPC for a raw REQ socket (see tc/door/sp.h), so that any
 * nanomsg or nng client can talk to the coordinator.
 *
 * Pure.
 */

#include "base/buf.h"
#include "base/status.h"

#define MSG_VERSION 1

enum msg_type {
	/* agent -> coordinator */
	MSG_HELLO = 1, /* first on every connection */
	MSG_PING = 2,  /* answered by MSG_PONG */
	MSG_BEGIN = 3, /* from here to MSG_IDS: answered by MSG_REPLY */
	MSG_REGISTER = 4,
	MSG_REPORT = 5,
	MSG_COMMIT = 6,
	MSG_ROLLBACK = 7,
	MSG_STATUS = 8,
	MSG_LOCK_CHECK = 9,
	MSG_IDS = 10,
	MSG_BRANCH_DONE = 11, /* the end of a MSG_COMMAND; not answered */
	MSG_SUBSCRIBE = 12,   /* from here to MSG_MACHINE_DROP: by MSG_REPLY */
	MSG_UNSUBSCRIBE = 13,
	MSG_SAGA_START = 14,
	MSG_SAGA_MOVE = 15,
	MSG_SAGA_SHOW = 16,
	MSG_MACHINE_PUT = 17,
	MSG_MACHINE_DROP = 18,

	/* coordinator -> agent */
	MSG_WELCOME = 64, /* answers MSG_HELLO */
	MSG_PONG = 65,
	MSG_REPLY = 66,
	MSG_COMMAND = 67,      /* phase two of a branch */
	MSG_HELLO_WANTED = 68, /* say hello first, then ask again */
	MSG_BYE = 69,          /* refused or closing; .text says why */
};

#define MSG_LIST_MAX     65536 /* members of a list; more is E_LIMIT */
#define MSG_SCHEDULE_MAX 1024  /* intervals of a schedule; likewise */

/*
 * What a program understands beyond the first release; it says so in HELLO or
 * WELCOME (.level). What msg_level() gives for a message is not sent to who
 * understands less: an old program would take a message's begin for a plain
 * transaction's.
 */
enum msg_level {
	LEVEL_FIRST = 0,
	LEVEL_SERVICES = 1, /* messages, sagas, HTTP participants */
	LEVEL_OURS = LEVEL_SERVICES,
};

struct msg {
	enum msg_type type;
	uint64_t id;

	/* Names and meanings are those of tc/core/core.h. */
	struct bytes xid;
	uint64_t branch;
	struct bytes name;
	struct bytes application; /* BEGIN, HELLO, REGISTER */
	struct bytes instance;    /* HELLO */
	uint64_t timeout_ms;
	bool ordered;
	uint64_t mode; /* enum branch_mode */
	struct bytes resource;
	struct bytes application_data;
	uint64_t client_key;
	uint64_t wait_ms;
	uint64_t status; /* enum gtx_status or branch_status */
	uint64_t count;
	uint64_t first_id;
	uint64_t err; /* REPLY, BYE: -(enum err) */
	struct bytes holder;
	struct bytes key;
	uint64_t holder_age_ms;
	struct bytes text;   /* a sentence: error, reason; a machine's text */
	struct bytes detail; /* JSON: a dirty row's difference, a run */
	uint64_t command;    /* COMMAND, BRANCH_DONE: enum command_type */
	uint64_t attempt;
	uint64_t resolution; /* enum resolution */
	struct bytes values;
	uint64_t heartbeat_ms;    /* WELCOME: ping when silent for that long */
	struct bytes coordinator; /* WELCOME: "host:port" of its xids */
	struct bytes nonce;       /* HELLO: of the agent */
	struct bytes signature;   /* HELLO: HMAC with the application's key */
	struct bytes traceparent; /* BEGIN, REGISTER: W3C trace context */
	uint64_t level;           /* HELLO, WELCOME: enum msg_level */
	uint64_t kind;            /* BEGIN: enum gtx_kind */
	struct bytes check;
	struct bytes participant;
	uint64_t call_timeout_ms;
	uint64_t deliver_after_ms;
	bool topic;
	struct bytes version;
	struct bytes business_key;
	struct bytes input;
	uint64_t move; /* enum saga_move */
	uint64_t task;
	struct bytes subscriber;
	bool existed;
	bool in_progress; /* BRANCH_DONE */
	struct bytes error_name;
	struct bytes service; /* COMMAND to call */
	struct bytes method;
	bool compensation;

	const uint64_t *schedule_ms; /* one field of 8 bytes for each */
	size_t n_schedule;
	const struct bytes *list; /* lock keys; HELLO: resources */
	size_t n_list;
};

/* Append the message. E_NOMEM and E_LIMIT as the buffer says, E_LIMIT also for
 * a list or schedule longer than its maximum. The buffer's contents count only
 * on OK. */
MUST_CHECK int msg_encode(struct buf *out, const struct msg *m);

/*
 * Take a body apart. Bytes borrow from `body`, list and schedule are allocated
 * from `mem` (an arena: they are never freed one by one).
 *
 * E_INVALID  cut off, trailing bytes, a number of the wrong size, a field given
 *            twice, a type that is not in the list above
 * E_VERSION  another version than MSG_VERSION
 * E_LIMIT    a list longer than MSG_LIST_MAX, a schedule than MSG_SCHEDULE_MAX
 * E_NOMEM
 */
MUST_CHECK int msg_decode(struct msg *out, const struct mem *mem,
			  struct bytes body);

/* The least level that understands what this request asks for. */
enum msg_level msg_level(const struct msg *m);

/* "begin", "branch_done", …; "unknown". For logs. */
const char *msg_type_name(enum msg_type type);

#endif
