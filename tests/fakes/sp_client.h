#ifndef TESTS_FAKES_SP_CLIENT_H
#define TESTS_FAKES_SP_CLIENT_H

/*
 * An agent made of one blocking socket, for tests: it frames messages as a raw
 * nanomsg REQ socket does, with code of its own, and can do all that an honest
 * agent would not.
 */

#include "base/arena.h"
#include "wire/msg.h"

struct sp_client {
	int fd; /* -1: not connected */
	bool ipc;
	bool greeted;
	uint64_t next_id;
	struct buf in;
	struct buf out;
	struct arena arena; /* of the last message */
	/* What sp_call() answers to commands that come in between. */
	uint64_t commit_status, rollback_status;
};

void sp_client_init(struct sp_client *c);
void sp_client_fini(struct sp_client *c);

/* tcp://127.0.0.1:port or ipc:///path; says the SP hello. E_IO. */
MUST_CHECK int sp_connect(struct sp_client *c, const char *address);
void sp_disconnect(struct sp_client *c);

/* Raw bytes, as they are. E_CLOSED. */
MUST_CHECK int sp_write(struct sp_client *c, struct bytes raw);
/* One message, or only into c->out for a later sp_push(). */
MUST_CHECK int sp_send(struct sp_client *c, const struct msg *m);
void sp_queue(struct sp_client *c, const struct msg *m);
MUST_CHECK int sp_push(struct sp_client *c);
/* The next message; valid until the next call. E_TIMEOUT, E_CLOSED, and what
 * msg_decode() says. */
MUST_CHECK int sp_recv(struct sp_client *c, struct msg *out, int timeout_ms);

/* MSG_HELLO with up to one resource; waits for MSG_WELCOME. */
MUST_CHECK int sp_hello(struct sp_client *c, const char *application,
			const char *instance, const char *resource);
/* Send with a fresh id and wait for the answer with it (5 s); commands are
 * answered meanwhile. */
MUST_CHECK int sp_call(struct sp_client *c, struct msg *m, struct msg *reply);
/* Answer one command as told by .commit_status and .rollback_status. */
MUST_CHECK int sp_answer(struct sp_client *c, const struct msg *command);

#endif
