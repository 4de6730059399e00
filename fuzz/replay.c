/* Runs a fuzz target on files, without libFuzzer and so with any compiler: what
 * the corpus found once is tried by every test run. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { MOST = 1 << 20 };

int main(int argc, char **argv)
{
    uint8_t *bytes = malloc(MOST);

    if (!bytes || argc < 2)
        return 2;
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        size_t size;

        if (!f) {
            perror(argv[i]);
            return 2;
        }
        size = fread(bytes, 1, MOST, f);
        fclose(f);
        LLVMFuzzerTestOneInput(bytes, size);
    }
    free(bytes);
    return 0;
}
