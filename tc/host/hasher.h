#ifndef TC_HOST_HASHER_H
#define TC_HOST_HASHER_H

/*
 * One thread that hashes and checks passwords, so that the loop never waits
 * for argon2id, and no more than one hash's memory is in use.
 *
 * Rules
 * -----
 *  - One job after another, first come first served; a queue that is full
 *    refuses. So a flood of logins costs one core and queue_max passwords.
 *  - When a job is done hasher_fd() is readable; hasher_collect() hands it to
 *    its callback, on the thread that calls: the loop's.
 *  - Every job that was taken gets its callback exactly once, if hasher_free()
 *    does not come before.
 *  - A job's password is locked into memory if the system allows, and wiped as
 *    soon as it was used.
 *  - Everything but the hashing is the owner's thread's: submit, collect, free.
 */

#include "tc/host/password.h"

struct hasher;

enum hasher_job { HASHER_HASH, HASHER_CHECK };

struct hasher_done {
	enum hasher_job job;
	uint64_t id;
	/* As password_hash() or password_check(). */
	int err;
	/* HASH: the string. CHECK, OK and the cost has changed since: a new
	 * one to keep. Else "". Borrowed for the call. */
	const char *hash;
};

/* OK, E_NOMEM, or E_IO: no thread or descriptor could be had. */
MUST_CHECK int hasher_new(struct hasher **out, const struct mem *mem,
			  size_t queue_max, const struct password_cost *cost,
			  void (*done)(void *ctx, const struct hasher_done *),
			  void *ctx);
/* Waits for the job at work, forgets those that wait. NULL is fine. */
void hasher_free(struct hasher *h);

/* `hash` is what CHECK compares with; NULL for a user that does not exist.
 * OK, E_AGAIN: the queue is full. E_INVALID: longer than a password or a hash
 * can be. */
MUST_CHECK int hasher_submit(struct hasher *h, enum hasher_job job, uint64_t id,
			     struct bytes password, struct bytes hash);

int hasher_fd(const struct hasher *h);
void hasher_collect(struct hasher *h);

#endif
