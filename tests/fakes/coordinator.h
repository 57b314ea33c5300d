#ifndef TESTS_FAKES_COORDINATOR_H
#define TESTS_FAKES_COORDINATOR_H

/*
 * A coordinator that knows nothing but the wire: a thread that answers each
 * message as the test says, on a raw REP socket of nanomsg.
 *
 * A connection that has not said hello is answered with HELLO_WANTED. What the
 * test does not answer itself gets a plausible reply: BEGIN a new xid, REGISTER
 * a new branch, IDS the next block, COMMIT and ROLLBACK the end.
 */

#include "wire/msg.h"

#include <pthread.h>

#define FAKE_TYPES 80

enum fake_verdict {
	FAKE_DEFAULT, /* answer as described above */
	FAKE_REPLY,   /* answer with *reply (.id is set) */
	FAKE_SILENCE, /* do not answer */
};

struct fake_coordinator {
	/* Asked for every message after hello and ping; set before start. */
	enum fake_verdict (*answer)(void *ctx, const struct msg *m,
				    struct msg *reply);
	void *ctx;

	char address[128];
	pthread_mutex_t lock;
	pthread_cond_t heard;
	pthread_t thread;
	int socket;
	bool mute; /* answer nothing at all */
	bool old;  /* welcome as the first release did */
	unsigned seen[FAKE_TYPES];
	uint32_t known[64]; /* connections that said hello */
	size_t n_known;
	uint8_t header[32]; /* of the newest hello: where commands go */
	size_t header_len;
	uint64_t next_xid;
	uint64_t next_branch;
	uint64_t next_id;
	/* of the last hello and the last BRANCH_DONE */
	char instance[256];
	size_t n_resources;
	uint64_t done_id;
	uint64_t done_status;
	uint64_t done_command;
	bool done_in_progress;
	char done_error_name[64];
	char done_text[256];
	char done_detail[256];
	uint64_t last_client_key;
};

/* All zero but .answer and .ctx. Picks an address (ipc) of its own if there is
 * none yet; start after stop is a restart that has forgotten the connections. */
void fake_start(struct fake_coordinator *f);
void fake_stop(struct fake_coordinator *f);

void fake_mute(struct fake_coordinator *f, bool mute);
void fake_command(struct fake_coordinator *f, struct msg m);
unsigned fake_seen(struct fake_coordinator *f, enum msg_type type);
/* Wait until that many came; false after so long. */
bool fake_wait(struct fake_coordinator *f, enum msg_type type, unsigned n,
	       unsigned timeout_ms);

#endif
