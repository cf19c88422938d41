/* What the disk may do to a process, done to it on purpose: LD_PRELOADed, it counts the calls that change files below
 * the watched folders, and fails one of them, kills the process before it, or records all of them.
 *
 *   VIGIE_FAULT_WATCH  one or two folders, absolute, without symlinks, separated by ':'; the second is the card
 *   VIGIE_FAULT_MODE   see `modes`
 *   VIGIE_FAULT_AT     from 1: which call of those that the mode concerns
 *   VIGIE_FAULT_SAID   a file outside the folders: what was done, one line; in mode "trace", the record of all calls
 *
 * Writes through mmap are not seen: SQLite makes them to its -shm alone, which no crash needs. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* The seconds that a worker is given: one that hangs dies of SIGALRM. */
#define TIME_LIMIT 60

enum kind { WRITE, CREATE, MKDIR, RENAME, LINK, UNLINK, RMDIR, TRUNCATE, SYNC, SYNC_ALL, MODE, READ, OPEN, KINDS };
static const char *const names[KINDS] = {"write",    "create", "mkdir",    "rename", "link", "unlink", "rmdir",
                                         "truncate", "sync",   "sync-all", "mode",   "read", "open"};
#define BIT(k) (1u << (k))
#define CHANGES (BIT(READ) - 1)
#define ALLOCATES (BIT(WRITE) | BIT(CREATE) | BIT(MKDIR) | BIT(RENAME) | BIT(LINK) | BIT(SYNC) | BIT(SYNC_ALL))

struct mode {
    const char *name;
    unsigned kinds;  /* the calls that it concerns */
    int error;       /* what the call fails with */
    int sticky;      /* whether every later one fails too */
    int card_only;
};
static const struct mode modes[] = {
    {"eio", CHANGES, EIO, 0, 0},       /* one call fails */
    {"dead", CHANGES, EIO, 1, 0},      /* so do all later ones */
    {"enospc", ALLOCATES, ENOSPC, 0, 0},
    {"full", ALLOCATES, ENOSPC, 1, 0},
    {"short", BIT(WRITE), ENOSPC, 1, 0}, /* half is written, then the disk is full */
    {"kill", CHANGES, 0, 0, 0},
    {"pulled", ~0u, ENODEV, 1, 1},     /* the card is gone, for reading too */
    {"trace", CHANGES, 0, 0, 0},
};
enum { SHORT = 4, KILL = 5, TRACE = 7 };

static const struct mode *mode;
static char watched[2][PATH_MAX];
static long at, seen;
static int said = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *folders = getenv("VIGIE_FAULT_WATCH"), *name = getenv("VIGIE_FAULT_MODE");
    const char *number = getenv("VIGIE_FAULT_AT"), *path = getenv("VIGIE_FAULT_SAID");
    alarm(TIME_LIMIT);
    if (!folders || !name || !path) return;
    const char *colon = strchrnul(folders, ':');
    snprintf(watched[0], PATH_MAX, "%.*s", (int)(colon - folders), folders);
    if (*colon) snprintf(watched[1], PATH_MAX, "%s", colon + 1);
    at = number ? atol(number) : 0;
    said = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(modes[i].name, name)) mode = &modes[i];
    if (said < 0 || !mode) abort();
}

static int below(const char *path, const char *folder) {
    size_t length = strlen(folder);
    return length && !strncmp(path, folder, length) && (path[length] == 0 || path[length] == '/');
}

static int concerns(const char *path) {
    return path && ((!mode->card_only && below(path, watched[0])) || below(path, watched[1]));
}

static const char *path_of(int fd, char *into) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, into, PATH_MAX - 1);
    if (length < 0) return NULL;
    into[length] = 0;
    return into;
}

static const char *path_at(int folder, const char *name, char *into) {
    if (!name || *name == '/' || folder == AT_FDCWD) return name;
    char under[PATH_MAX];
    if (!path_of(folder, under)) return NULL;
    if (snprintf(into, PATH_MAX, "%s/%s", under, name) >= PATH_MAX) return NULL;
    return into;
}

static void put(const void *bytes, size_t length) {
    while (length) {
        ssize_t done = syscall(SYS_write, said, bytes, length);
        if (done <= 0) abort();
        bytes = (const char *)bytes + done;
        length -= done;
    }
}

/* Called with the lock held. What this call is to fail with: 0 for nothing, -1 for half a write. */
static int fault(enum kind kind, const char *path) {
    if (!(mode->kinds & BIT(kind))) return 0;
    seen++;
    if (mode == &modes[TRACE] || seen < at) return 0;
    if (seen > at) return mode->sticky ? mode->error : 0;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s %ld: %s %s\n", mode->name, at, names[kind], path);
    put(line, length < (int)sizeof line ? length : (int)sizeof line - 1);
    if (mode == &modes[KILL]) {
        syscall(SYS_kill, getpid(), SIGKILL);
        for (;;) pause();
    }
    return mode == &modes[SHORT] ? -1 : mode->error;
}

/* One record: kind, two path lengths, data length, inode, offset; then paths and data. Native byte order. */
static void record(enum kind kind, const char *path, const char *other, uint64_t inode, uint64_t offset,
                   const void *data, size_t length) {
    struct { uint32_t kind, path, other, data; uint64_t inode, offset; } head = {
        kind, path ? strlen(path) : 0, other ? strlen(other) : 0, length, inode, offset};
    put(&head, sizeof head);
    put(path, head.path);
    put(other, head.other);
    put(data, length);
}

/* Of all volumes: a card that is mounted among the watched folders has numbers of its own. */
static uint64_t inode_of(int fd, int *folder) {
    struct stat stat;
    if (fstat(fd, &stat)) return 0;
    if (folder) *folder = S_ISDIR(stat.st_mode);
    return stat.st_ino ^ (uint64_t)stat.st_dev << 40;
}

#define REAL(name)                                                       \
    static __typeof__(&name) real;                                       \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name);
#define FAIL(error) return pthread_mutex_unlock(&lock), errno = (error), -1
#define DONE(result)                                                     \
    do {                                                                 \
        int kept = errno;                                                \
        pthread_mutex_unlock(&lock);                                     \
        errno = kept;                                                    \
        return result;                                                   \
    } while (0)
#define TRACING(done) (mode == &modes[TRACE] && (done))

/* ---- data ---- */

static void record_data(int fd, const char *path, off_t offset, const void *data, size_t length) {
    record(WRITE, path, NULL, inode_of(fd, NULL), offset, data, length);
}

#define WRITING(call_half, call_whole, offset_before, bytes, count)                      \
    char place[PATH_MAX];                                                                \
    if (!mode || !concerns(path_of(fd, place))) return call_whole;                       \
    pthread_mutex_lock(&lock);                                                           \
    int error = fault(WRITE, place);                                                     \
    if (error > 0) FAIL(error);                                                          \
    off_t before = offset_before;                                                        \
    ssize_t done = error < 0 && (count) > 1 ? call_half : call_whole;                    \
    if (TRACING(done > 0)) record_data(fd, place, before, bytes, done);                  \
    DONE(done)

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(write);
    WRITING(real(fd, bytes, count / 2), real(fd, bytes, count), lseek(fd, 0, SEEK_CUR), bytes, count);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    REAL(pwrite);
    WRITING(real(fd, bytes, count / 2, offset), real(fd, bytes, count, offset), offset, bytes, count);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    REAL(pwrite64);
    WRITING(real(fd, bytes, count / 2, offset), real(fd, bytes, count, offset), offset, bytes, count);
}
/* Only the first piece: a short write is what every caller must bear. */
ssize_t writev(int fd, const struct iovec *pieces, int count) {
    REAL(writev);
    char place[PATH_MAX];
    if (!mode || !concerns(path_of(fd, place))) return real(fd, pieces, count);
    for (int i = 0; i < count; i++)
        if (pieces[i].iov_len) return write(fd, pieces[i].iov_base, pieces[i].iov_len);
    return 0;
}

#define TRUNCATING(call)                                                                 \
    char place[PATH_MAX];                                                                \
    if (!mode || !concerns(path_of(fd, place))) return call;                             \
    pthread_mutex_lock(&lock);                                                           \
    int error = fault(TRUNCATE, place);                                                  \
    if (error) FAIL(error);                                                              \
    int done = call;                                                                     \
    if (TRACING(!done)) record(TRUNCATE, place, NULL, inode_of(fd, NULL), length, NULL, 0); \
    DONE(done)

int ftruncate(int fd, off_t length) {
    REAL(ftruncate);
    TRUNCATING(real(fd, length));
}
int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64);
    TRUNCATING(real(fd, length));
}

#define SYNCING(kind, call)                                                              \
    char place[PATH_MAX];                                                                \
    if (!mode || !concerns(path_of(fd, place))) return call;                             \
    pthread_mutex_lock(&lock);                                                           \
    int error = fault(kind, place);                                                      \
    if (error) FAIL(error);                                                              \
    int done = call, folder = 0;                                                         \
    if (TRACING(!done)) {                                                                \
        uint64_t inode = inode_of(fd, &folder);                                          \
        record(kind, place, NULL, inode, folder, NULL, 0);                               \
    }                                                                                    \
    DONE(done)

int fsync(int fd) {
    REAL(fsync);
    SYNCING(SYNC, real(fd));
}
int fdatasync(int fd) {
    REAL(fdatasync);
    SYNCING(SYNC, real(fd));
}
int syncfs(int fd) {
    REAL(syncfs);
    SYNCING(SYNC_ALL, real(fd));
}

int fchmod(int fd, mode_t bits) {
    REAL(fchmod);
    char place[PATH_MAX];
    if (!mode || !concerns(path_of(fd, place))) return real(fd, bits);
    pthread_mutex_lock(&lock);
    int error = fault(MODE, place);
    if (error) FAIL(error);
    int done = real(fd, bits);
    DONE(done);
}

/* ---- reading: only a card that is gone fails it ---- */

#define READING(call)                                                                    \
    char place[PATH_MAX];                                                                \
    if (!mode || !mode->card_only || !concerns(path_of(fd, place))) return call;         \
    pthread_mutex_lock(&lock);                                                           \
    int error = fault(READ, place);                                                      \
    pthread_mutex_unlock(&lock);                                                         \
    if (error) return errno = error, -1;                                                 \
    return call

ssize_t read(int fd, void *into, size_t count) {
    REAL(read);
    READING(real(fd, into, count));
}
ssize_t pread(int fd, void *into, size_t count, off_t offset) {
    REAL(pread);
    READING(real(fd, into, count, offset));
}
ssize_t pread64(int fd, void *into, size_t count, off64_t offset) {
    REAL(pread64);
    READING(real(fd, into, count, offset));
}

/* ---- names ---- */

typedef int (*opener)(int, const char *, int, ...);

static int open_it(opener real, int folder, const char *name, int flags, mode_t bits) {
    char room[PATH_MAX];
    const char *path = mode ? path_at(folder, name, room) : NULL;
    if (!mode || !concerns(path)) return real(folder, name, flags, bits);
    pthread_mutex_lock(&lock);
    int creates = (flags & O_CREAT) && syscall(SYS_faccessat, folder, name, F_OK);
    int error = fault(creates ? CREATE : OPEN, path);
    if (error) FAIL(error);
    int fd = real(folder, name, flags, bits);
    if (TRACING(creates && fd >= 0)) record(CREATE, path, NULL, inode_of(fd, NULL), 0, NULL, 0);
    if (TRACING(!creates && fd >= 0 && (flags & O_TRUNC)))
        record(TRUNCATE, path, NULL, inode_of(fd, NULL), 0, NULL, 0);
    DONE(fd);
}

#define BITS(flags)                                                                      \
    mode_t bits = 0;                                                                     \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                               \
        va_list rest;                                                                    \
        va_start(rest, flags);                                                           \
        bits = va_arg(rest, mode_t);                                                     \
        va_end(rest);                                                                    \
    }
static opener real_openat(void) {
    static opener real;
    if (!real) real = (opener)dlsym(RTLD_NEXT, "openat64");
    return real;
}
int open(const char *name, int flags, ...) {
    BITS(flags);
    return open_it(real_openat(), AT_FDCWD, name, flags, bits);
}
int open64(const char *name, int flags, ...) {
    BITS(flags);
    return open_it(real_openat(), AT_FDCWD, name, flags, bits);
}
int openat(int folder, const char *name, int flags, ...) {
    BITS(flags);
    return open_it(real_openat(), folder, name, flags, bits);
}
int openat64(int folder, const char *name, int flags, ...) {
    BITS(flags);
    return open_it(real_openat(), folder, name, flags, bits);
}

#define NAMING(kind, folder, name, call)                                                 \
    char room[PATH_MAX];                                                                 \
    const char *path = mode ? path_at(folder, name, room) : NULL;                        \
    if (!mode || !concerns(path)) return call;                                           \
    pthread_mutex_lock(&lock);                                                           \
    int error = fault(kind, path);                                                       \
    if (error) FAIL(error);                                                              \
    int done = call;                                                                     \
    if (TRACING(!done)) record(kind, path, NULL, 0, 0, NULL, 0);                         \
    DONE(done)

int mkdir(const char *name, mode_t bits) {
    REAL(mkdir);
    NAMING(MKDIR, AT_FDCWD, name, real(name, bits));
}
int mkdirat(int folder, const char *name, mode_t bits) {
    REAL(mkdirat);
    NAMING(MKDIR, folder, name, real(folder, name, bits));
}
int unlink(const char *name) {
    REAL(unlink);
    NAMING(UNLINK, AT_FDCWD, name, real(name));
}
int rmdir(const char *name) {
    REAL(rmdir);
    NAMING(RMDIR, AT_FDCWD, name, real(name));
}
int unlinkat(int folder, const char *name, int flags) {
    REAL(unlinkat);
    NAMING(flags & AT_REMOVEDIR ? RMDIR : UNLINK, folder, name, real(folder, name, flags));
}

#define MOVING(kind, folder, name, to_folder, to_name, call)                             \
    char room[PATH_MAX], to_room[PATH_MAX];                                              \
    const char *path = mode ? path_at(folder, name, room) : NULL;                        \
    const char *to = mode ? path_at(to_folder, to_name, to_room) : NULL;                 \
    if (!mode || !(concerns(path) || concerns(to))) return call;                         \
    pthread_mutex_lock(&lock);                                                           \
    int error = fault(kind, to);                                                         \
    if (error) FAIL(error);                                                              \
    int done = call;                                                                     \
    if (TRACING(!done)) record(kind, path, to, 0, 0, NULL, 0);                           \
    DONE(done)

int rename(const char *from, const char *to_path) {
    REAL(rename);
    MOVING(RENAME, AT_FDCWD, from, AT_FDCWD, to_path, real(from, to_path));
}
int renameat(int from, const char *name, int into, const char *to_name) {
    REAL(renameat);
    MOVING(RENAME, from, name, into, to_name, real(from, name, into, to_name));
}
int renameat2(int from, const char *name, int into, const char *to_name, unsigned flags) {
    REAL(renameat2);
    MOVING(RENAME, from, name, into, to_name, real(from, name, into, to_name, flags));
}
int link(const char *from, const char *to_path) {
    REAL(link);
    MOVING(LINK, AT_FDCWD, from, AT_FDCWD, to_path, real(from, to_path));
}
int linkat(int from, const char *name, int into, const char *to_name, int flags) {
    REAL(linkat);
    MOVING(LINK, from, name, into, to_name, real(from, name, into, to_name, flags));
}
