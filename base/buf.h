#ifndef BASE_BUF_H
#define BASE_BUF_H

/*
 * A growing run of bytes, and a cursor that reads one back.
 *
 * Rules
 * -----
 *  - Failure is sticky: after an append that found no memory (or met the
 *    limit) every later one does nothing. Ask buf_error() once, at the end.
 *  - Integers are big-endian. Lengths are u32.
 *  - A reader never runs over the end: a read that would gives 0 or no bytes
 *    and makes reader.failed true for good.
 *
 * Pure. One owner at a time.
 */

#include "base/base.h"

#include <stdarg.h>

struct buf {
	const struct mem *mem;
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t limit; /* never longer than this; 0 for none */
	int error;    /* OK, E_NOMEM or E_LIMIT */
};

/* An empty buffer; allocates nothing until the first append. */
void buf_init(struct buf *b, const struct mem *mem);
void buf_fini(struct buf *b);
/* Forget the contents and the error, keep the memory. */
void buf_clear(struct buf *b);

MUST_CHECK int buf_error(const struct buf *b);
/* What is in it; borrowed until the next append, clear or fini. */
struct bytes buf_bytes(const struct buf *b);
/* The contents as a C string (NUL added behind them); "" after an error. */
const char *buf_text(struct buf *b);

void buf_put(struct buf *b, struct bytes bytes);
void buf_put_text(struct buf *b, const char *text);
void buf_put_char(struct buf *b, char c);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
/* u32 length, then the bytes. */
void buf_put_bytes(struct buf *b, struct bytes bytes);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list args)
	PRINTF_LIKE(2, 0);
/* Overwrite the u32 at an offset written before, e.g. a length in front. */
void buf_set_u32(struct buf *b, size_t at, uint32_t v);

struct reader {
	const uint8_t *p;
	const uint8_t *end;
	bool failed;
};

struct reader reader_of(struct bytes bytes);
size_t reader_left(const struct reader *r);
/* True if nothing failed and nothing is left. */
bool reader_done(const struct reader *r);

uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
/* n raw bytes, borrowed from what is read. */
struct bytes read_raw(struct reader *r, size_t n);
/* u32 length, then the bytes. */
struct bytes read_bytes(struct reader *r);

#endif
