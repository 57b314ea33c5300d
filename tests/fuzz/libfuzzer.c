#include "tests/fuzz/fuzz.h"

/* libFuzzer's own name for it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_one((struct bytes){ data, size });
	return 0;
}
