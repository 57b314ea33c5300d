#include "tc/saga/run.h"

#include "base/hash.h"

/* A run as bytes: version, fingerprint of the definition, frames, tasks, and a
 * checksum of all of it. */

#define STATE_VERSION 1

/* ---- growing ---- */

static int grow(struct run *r, void *list, size_t n, size_t *cap)
{
	void **old, **more;

	if (n < *cap)
		return OK;
	more = arena_array(r->a, n ? 2 * n : 8, sizeof *more);
	if (!more)
		return E_NOMEM;
	memcpy(&old, list, sizeof(void *));
	if (n > 0)
		memcpy(more, old, n * sizeof *more);
	memcpy(list, &more, sizeof(void *));
	*cap = n ? 2 * n : 8;
	return OK;
}

int run_add_frame(struct run *r, const struct saga_def *def, struct frame **out)
{
	struct frame *f = arena_alloc(r->a, sizeof *f);
	int rc = f ? grow(r, &r->frames, r->n_frames, &r->cap_frames) : E_NOMEM;

	if (rc != OK)
		return rc;
	*f = (struct frame){ .def = def,
			     .up = NONE,
			     .up_state = NO_STATE,
			     .next = def->graph ? NO_STATE : def->start,
			     .resume = NO_STATE,
			     .data = &val_empty };
	r->frames[r->n_frames++] = f;
	*out = f;
	return OK;
}

int run_add_task(struct run *r, uint32_t frame, uint32_t state,
		 struct task **out)
{
	struct task *t = arena_alloc(r->a, sizeof *t);
	int rc = t ? grow(r, &r->tasks, r->n_tasks, &r->cap_tasks) : E_NOMEM;

	if (rc != OK)
		return rc;
	*t = (struct task){ .id = (uint32_t)r->n_tasks,
			    .frame = frame,
			    .state = state,
			    .loop = NONE,
			    .of = NONE,
			    .child = NONE,
			    .due_ms = r->now_ms };
	r->tasks[r->n_tasks++] = t;
	*out = t;
	return OK;
}

/* ---- writing ---- */

static int put_frame(struct run *r, struct buf *b, const struct frame *f)
{
	struct bytes data = { 0 };
	int rc = val_print(f->data, r->a, &data);

	buf_put_u32(b, f->up);
	buf_put_u32(b, f->up_state);
	buf_put_u8(b, (uint8_t)f->mode);
	buf_put_u8(b, (uint8_t)f->end);
	buf_put_u8(b, (uint8_t)f->result);
	buf_put_u8(b, f->undone);
	buf_put_u32(b, f->next);
	buf_put_u32(b, f->resume);
	buf_put_bytes(b, data);
	buf_put_bytes(b, f->error);
	buf_put_bytes(b, f->message);
	return rc;
}

static void put_task(struct buf *b, const struct task *t)
{
	buf_put_u32(b, t->frame);
	buf_put_u32(b, t->state);
	buf_put_u32(b, t->loop);
	buf_put_u32(b, t->index);
	buf_put_u32(b, t->of);
	buf_put_u32(b, t->child);
	buf_put_u8(b, (uint8_t)t->st);
	buf_put_u8(b, (uint8_t)(t->undone | t->asking << 1 | t->refused << 2 |
				t->lost << 3 | t->doubt << 4));
	buf_put_u32(b, t->attempt);
	buf_put_u32(b, t->failures);
	buf_put_u32(b, t->seq);
	buf_put_u64(b, t->due_ms);
	buf_put_u64(b, t->lost_ms);
	buf_put_bytes(b, t->input);
	buf_put_bytes(b, t->output);
	buf_put_bytes(b, t->error);
	buf_put_bytes(b, t->message);
}

int run_encode(const struct run *run, struct bytes *out)
{
	struct run r = *run;
	struct buf b;
	int rc = OK;

	buf_init(&b, &r.a->as_mem);
	buf_put_u8(&b, STATE_VERSION);
	buf_put_u64(&b, r.def->fingerprint);
	buf_put_u64(&b, r.deadline_ms);
	buf_put_u32(&b, r.seq);
	buf_put_u32(&b, (uint32_t)r.n_frames);
	for (size_t i = 0; rc == OK && i < r.n_frames; i++)
		rc = put_frame(&r, &b, r.frames[i]);
	buf_put_u32(&b, (uint32_t)r.n_tasks);
	for (size_t i = 0; i < r.n_tasks; i++)
		put_task(&b, r.tasks[i]);
	buf_put_u64(&b, hash_bytes(STATE_VERSION, buf_bytes(&b)));
	if (rc == OK)
		rc = buf_error(&b);
	if (rc == OK)
		*out = buf_bytes(&b);
	return rc;
}

/* ---- reading ---- */

static int take_frame(struct run *r, struct reader *in)
{
	uint32_t up = read_u32(in), up_state = read_u32(in);
	const struct saga_def *def = r->def;
	struct frame *f;
	int rc;

	if ((up == NONE) != (r->n_frames == 0))
		return E_CORRUPT;
	if (up != NONE) {
		if (up >= r->n_frames ||
		    up_state >= r->frames[up]->def->n_states)
			return E_CORRUPT;
		def = r->frames[up]->def->states[up_state].sub;
	}
	if (!def)
		return E_CORRUPT;
	rc = run_add_frame(r, def, &f);
	if (rc != OK)
		return rc;
	f->up = up;
	f->up_state = up_state;
	f->mode = (enum frame_mode)read_u8(in);
	f->end = (enum frame_end)read_u8(in);
	f->result = (enum saga_status)read_u8(in);
	f->undone = read_u8(in) != 0;
	f->next = read_u32(in);
	f->resume = read_u32(in);
	rc = val_parse(r->a, read_bytes(in), &f->data);
	f->error = read_bytes(in);
	f->message = read_bytes(in);
	if (rc == E_INVALID || f->mode >= FRAME_MODES || f->end >= FRAME_ENDS ||
	    f->result >= SAGA_STATUSES ||
	    (f->next != NO_STATE && f->next >= def->n_states) ||
	    (f->resume != NO_STATE && f->resume >= def->n_states))
		return E_CORRUPT;
	return rc;
}

static int take_task(struct run *r, struct reader *in)
{
	uint32_t frame = read_u32(in), state = read_u32(in);
	struct task *t;
	uint8_t flags;
	int rc;

	if (frame >= r->n_frames || state >= r->frames[frame]->def->n_states)
		return E_CORRUPT;
	rc = run_add_task(r, frame, state, &t);
	if (rc != OK)
		return rc;
	t->loop = read_u32(in);
	t->index = read_u32(in);
	t->of = read_u32(in);
	t->child = read_u32(in);
	t->st = (enum task_state)read_u8(in);
	flags = read_u8(in);
	t->undone = flags & 1;
	t->asking = flags >> 1 & 1;
	t->refused = flags >> 2 & 1;
	t->lost = flags >> 3 & 1;
	t->doubt = flags >> 4 & 1;
	t->attempt = read_u32(in);
	t->failures = read_u32(in);
	t->seq = read_u32(in);
	t->due_ms = read_u64(in);
	t->lost_ms = read_u64(in);
	t->input = read_bytes(in);
	t->output = read_bytes(in);
	t->error = read_bytes(in);
	t->message = read_bytes(in);
	if (t->st >= TASK_STATES || (t->loop != NONE && t->loop >= t->id) ||
	    (t->of != NONE && t->of >= t->id) ||
	    (t->child != NONE && t->child >= r->n_frames))
		return E_CORRUPT;
	return OK;
}

int run_decode(struct run *r, struct bytes state)
{
	struct reader in = reader_of(state);
	struct bytes tail;
	uint32_t n;
	int rc = OK;

	if (state.len < 9)
		return E_CORRUPT;
	if (read_u8(&in) != STATE_VERSION)
		return E_VERSION;
	in.end -= 8;
	tail = (struct bytes){ in.end, 8 };
	state.len -= 8;
	in.p = state.data + 1;
	struct reader check = reader_of(tail);
	if (read_u64(&check) != hash_bytes(STATE_VERSION, state))
		return E_CORRUPT;
	if (read_u64(&in) != r->def->fingerprint)
		return E_VERSION;
	r->deadline_ms = read_u64(&in);
	r->seq = read_u32(&in);
	n = read_u32(&in);
	for (uint32_t i = 0; rc == OK && i < n; i++)
		rc = take_frame(r, &in);
	n = rc == OK ? read_u32(&in) : 0;
	for (uint32_t i = 0; rc == OK && i < n; i++)
		rc = take_task(r, &in);
	if (rc == OK && (!reader_done(&in) || r->n_frames == 0))
		rc = E_CORRUPT;
	return rc;
}
