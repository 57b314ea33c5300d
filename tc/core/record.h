#ifndef TC_CORE_RECORD_H
#define TC_CORE_RECORD_H

/*
 * Bodies of stored rows <-> structs.
 *
 *   body  = version u8, then fields
 *   field = tag u8, len u32, len bytes
 *
 * Rules
 * -----
 *  - A field with its zero value is not written; a tag that the reader does not
 *    know is skipped, a missing field is zero. So a row outlives an upgrade and
 *    the way back. Tags are never used again.
 *  - The version is the lowest that can be read without harm: 1, but 2 for what
 *    an old reader would take for a plain transaction (and roll back after its
 *    time-out, though it may be committed).
 *  - Numbers are 8 bytes, big-endian.
 *  - Decoded bytes borrow from the body.
 *
 * Pure.
 */

#include "base/buf.h"
#include "tc/core/core.h"

#define RECORD_VERSION 2

struct gtx_record {
	enum gtx_status status;
	struct bytes name;
	struct bytes application;
	uint64_t timeout_ms;
	uint64_t began_wall_ms;
	uint64_t n_branches; /* registered in all; written with the decision */
	bool ordered;
	enum gtx_kind kind;
	uint64_t decided_wall_ms; /* 0: not yet */
	struct bytes check;       /* of a message: the target that is asked */
	struct bytes participant; /* and what its caller must know */
	uint64_t call_timeout_ms;
	struct bytes business_key; /* of a message */
};

struct branch_record {
	enum branch_mode mode;
	enum branch_status status;
	uint64_t client_key;
	struct bytes resource;
	struct bytes application;
	struct bytes instance;
	struct bytes application_data;
	struct bytes participant;
	uint64_t call_timeout_ms;
	uint64_t deliver_after_ms;
	struct bytes schedule; /* u64 each, big-endian; record_schedule() */
	struct bytes topic;
	struct bytes subscriber;
	uint64_t attempts;
	uint64_t failures;
	enum resolution resolution;
	struct bytes values;
	struct bytes error;
	struct bytes detail;
	const struct bytes *lock_keys;
	size_t n_lock_keys;
};

struct tombstone_record {
	enum gtx_status status;
	uint64_t ended_wall_ms;
	/* Of a saga, or of a message (message_key.h), that was given a key. */
	struct bytes machine;
	struct bytes business_key;
};

struct saga_record {
	uint64_t machine;   /* id of its row */
	struct bytes state; /* of tc/saga */
	struct bytes participant;
	struct bytes business_key;
};

struct machine_record {
	struct bytes document;
	uint64_t added_wall_ms;
};

struct topic_record {
	struct bytes topic;
	struct bytes subscriber;
	struct bytes resource;
	struct bytes participant;
};

/* How many times there are, and the i-th of them. */
size_t record_schedule_len(struct bytes schedule);
uint64_t record_schedule(struct bytes schedule, size_t i);

/* Append the body; the buffer's stickiness tells of E_NOMEM. */
void record_put_gtx(struct buf *out, const struct gtx_record *r);
void record_put_branch(struct buf *out, const struct branch_record *r);
void record_put_tombstone(struct buf *out, const struct tombstone_record *r);
void record_put_saga(struct buf *out, const struct saga_record *r);
void record_put_machine(struct buf *out, const struct machine_record *r);
void record_put_topic(struct buf *out, const struct topic_record *r);
void record_put_number(struct buf *out, uint64_t number);

/*
 * OK
 * E_CORRUPT  cut off, a number of the wrong size, a value out of its range
 * E_VERSION  written by a newer version
 * E_NOMEM    branches only: the list of lock keys is allocated from `mem`,
 *            NULL if there are none, and freed by the caller
 */
MUST_CHECK int record_get_gtx(struct gtx_record *out, struct bytes body);
MUST_CHECK int record_get_branch(struct branch_record *out,
				 const struct mem *mem, struct bytes body);
MUST_CHECK int record_get_tombstone(struct tombstone_record *out,
				    struct bytes body);
MUST_CHECK int record_get_saga(struct saga_record *out, struct bytes body);
MUST_CHECK int record_get_machine(struct machine_record *out,
				  struct bytes body);
MUST_CHECK int record_get_topic(struct topic_record *out, struct bytes body);
MUST_CHECK int record_get_number(uint64_t *out, struct bytes body);

#endif
