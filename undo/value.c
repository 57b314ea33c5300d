#include "undo/value.h"

static const char *const names[VALUE_TYPES] = {
	[VALUE_NULL] = "null",           [VALUE_INT] = "int",
	[VALUE_NUMBER] = "number",       [VALUE_FLOAT] = "float",
	[VALUE_BOOL] = "bool",           [VALUE_TEXT] = "text",
	[VALUE_BYTES] = "bytes",         [VALUE_BIT] = "bit",
	[VALUE_DATE] = "date",           [VALUE_TIME] = "time",
	[VALUE_TIMESTAMP] = "timestamp", [VALUE_TIMESTAMPTZ] = "timestamptz",
	[VALUE_JSON] = "json",           [VALUE_OTHER] = "other",
};

bool value_equal(struct value a, struct value b)
{
	if (a.type != b.type)
		return false;
	return a.type == VALUE_NULL || bytes_equal(a.data, b.data);
}

const char *value_type_name(enum value_type type)
{
	REQUIRE((unsigned int)type < VALUE_TYPES);
	return names[type];
}

int value_type_parse(struct bytes name, enum value_type *type)
{
	for (unsigned int i = 0; i < VALUE_TYPES; i++) {
		if (bytes_equal(name, bytes_of(names[i]))) {
			*type = (enum value_type)i;
			return OK;
		}
	}
	return E_INVALID;
}
