# cmake -DIN=openapi.json -DOUT=openapi.c -P embed.cmake
# The file as a C array, and its hash as an ETag.
file(READ ${IN} hex HEX)
file(SHA256 ${IN} hash)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
string(SUBSTRING ${hash} 0 32 tag)
file(WRITE ${OUT} "#include \"tc/door/http_openapi.h\"

const unsigned char http_openapi_json[] = {
${hex}
};
const size_t http_openapi_json_len = sizeof http_openapi_json;
const char http_openapi_etag[] = \"\\\"${tag}\\\"\";
")
