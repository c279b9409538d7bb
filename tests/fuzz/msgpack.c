/* What Python's MsgpackDisk has packed, as the tool shows it. */
#include "fuzz.h"

#include "../../cli/cli.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char marker[4] = "\xc1mp"; /* and the 0 at its end */
    static FILE *nowhere;
    char *packed = malloc(size + sizeof marker);
    struct json json = {0};

    if (!nowhere)
        nowhere = fopen("/dev/null", "we");
    if (!packed || !nowhere)
        abort();
    json.out = nowhere;
    memcpy(packed, marker, sizeof marker);
    if (size > 0)
        memcpy(packed + sizeof marker, data, size);
    (void)json_msgpack(&json, "msgpack", packed, size + sizeof marker);
    free(packed);
    return 0;
}
