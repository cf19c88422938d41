/* Memory that was freed goes back to the system.
 *
 * Once a large block was freed, glibc takes blocks of that size from its heap instead of mapping them (mallopt(3),
 * M_MMAP_THRESHOLD), and the heap does not shrink below its last block in use. Building a network frees tens of
 * megabytes below what it keeps: the process would hold them for good (docs/decisions/0008-memory-of-the-networks.md).
 * A threshold that is set stays where it is. It must be set before anything is freed, and Rust has no call for it that is
 * not `unsafe`, which this crate forbids: hence these lines of C, which run before `main`.
 */
#include <malloc.h>

__attribute__((constructor)) static void give_back_large_blocks(void)
{
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}
