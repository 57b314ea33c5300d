#include "tc/door/sp.h"

#define HELLO_LEN  8
#define ID_LEN     4
#define ID_TOP_BIT 0x80000000u
#define IPC_NORMAL 1

void sp_init(struct sp *p, enum sp_transport transport, uint16_t expected,
	     size_t body_max)
{
	*p = (struct sp){ .transport = transport,
			  .expected = expected,
			  .body_max = body_max };
}

static int refuse(int err, const char **why, const char *text)
{
	*why = text;
	return err;
}

/* Judged byte by byte, so that a web browser need not send eight of them. */
static int take_hello(struct sp *p, struct bytes in, size_t *used,
		      const char **why)
{
	const uint8_t want[HELLO_LEN] = { 0,
					  'S',
					  'P',
					  0,
					  (uint8_t)(p->expected >> 8),
					  (uint8_t)p->expected,
					  0,
					  0 };
	size_t n = in.len < HELLO_LEN ? in.len : HELLO_LEN;

	if (memcmp(in.data, want, n < 4 ? n : 4) != 0)
		return refuse(E_INVALID, why, "not the SP protocol");
	if (memcmp(in.data, want, n) != 0)
		return refuse(E_INVALID, why,
			      "another SP protocol than expected");
	if (n < HELLO_LEN)
		return E_AGAIN;
	p->greeted = true;
	*used = HELLO_LEN;
	return OK;
}

static int take_message(struct sp *p, struct bytes in, size_t *used,
			struct bytes *body, const char **why)
{
	size_t head = (p->transport == SP_IPC) + sizeof(uint64_t);
	struct reader r = reader_of(in);
	uint64_t len;

	if (p->transport == SP_IPC && in.len > 0 && read_u8(&r) != IPC_NORMAL)
		return refuse(E_INVALID, why, "an ipc message of unknown type");
	if (in.len < head)
		return E_AGAIN;
	len = read_u64(&r);
	if (len < ID_LEN)
		return refuse(E_INVALID, why, "a message without request id");
	if (len - ID_LEN > p->body_max)
		return refuse(E_LIMIT, why, "a message longer than allowed");
	if (in.len - head < len)
		return E_AGAIN;
	if (!(read_u32(&r) & ID_TOP_BIT))
		return refuse(E_INVALID, why, "a request id without top bit");
	*body = read_raw(&r, (size_t)len - ID_LEN);
	*used += head + (size_t)len;
	return OK;
}

int sp_take(struct sp *p, struct bytes in, size_t *used, struct bytes *body,
	    const char **why)
{
	int rc = OK;

	*used = 0;
	if (in.len == 0)
		return E_AGAIN;
	if (!p->greeted)
		rc = take_hello(p, in, used, why);
	if (rc != OK)
		return rc;
	in.data += *used;
	in.len -= *used;
	return take_message(p, in, used, body, why);
}

void sp_put_hello(struct buf *out, uint16_t protocol)
{
	buf_put(out, BYTES("\0SP\0"));
	buf_put_u16(out, protocol);
	buf_put_u16(out, 0);
}

size_t sp_put_begin(struct buf *out, enum sp_transport transport, uint64_t id)
{
	size_t begin;

	if (transport == SP_IPC)
		buf_put_u8(out, IPC_NORMAL);
	begin = out->len;
	buf_put_u64(out, 0);
	buf_put_u32(out, (uint32_t)id | ID_TOP_BIT);
	return begin;
}

void sp_put_end(struct buf *out, size_t begin)
{
	if (out->error == OK) /* limits keep it far below 4 GiB */
		buf_set_u32(out, begin + sizeof(uint32_t),
			    (uint32_t)(out->len - begin - sizeof(uint64_t)));
}
