/* Preloaded into a program (Linux, glibc): records what it does to files below $SHIM_FOLDER in $SHIM_LOG, from which
   the disk after a power failure is rebuilt, and lets the n-th of those calls fail when told to.

   Build: cc -shared -fPIC -O2 -o shim.so disk_shim.c -ldl -lpthread */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_FILES 4096
#define LONGEST_PATH 512
#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, #name))

static char path_of[MOST_FILES][LONGEST_PATH];
static char appends[MOST_FILES];
static const char *folder;
static int log_file = -1;
static int started;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static long calls, fail_at, fail_errno; /* fail_at 0: never */
static int fail_on;                     /* whether calls after the first failing one fail too */

static void start(void) {
    if (started) return;
    started = 1;
    folder = getenv("SHIM_FOLDER");
    const char *log = getenv("SHIM_LOG");
    if (folder && log) log_file = NEXT(int (*)(const char *, int, ...), open64)(log, O_CREAT | O_WRONLY | O_APPEND, 0644);
}

static int inside(const char *path) {
    start();
    return folder && path && !strncmp(path, folder, strlen(folder));
}

static const char *known(int file) {
    return folder && file >= 0 && file < MOST_FILES && path_of[file][0] ? path_of[file] : NULL;
}

/* Count one call that changes the disk; return whether it is to fail, errno set. */
static int fails(const char *path) {
    if (!path) return 0;
    long number = __sync_add_and_fetch(&calls, 1);
    if (!fail_at || (fail_on ? number < fail_at : number != fail_at)) return 0;
    errno = (int)fail_errno;
    return 1;
}

static void record(char what, const char *path, const char *other, int64_t number, const void *data, int64_t n) {
    if (log_file < 0) return;
    struct {
        char what, pad[3];
        uint32_t path_length, other_length;
        int64_t number, n;
    } __attribute__((packed)) head = {what, {0}, path ? strlen(path) : 0, other ? strlen(other) : 0, number, data ? n : 0};
    struct iovec parts[4] = {{&head, sizeof head},
                             {(void *)path, head.path_length},
                             {(void *)other, head.other_length},
                             {(void *)data, head.n}};
    pthread_mutex_lock(&lock);
    NEXT(ssize_t (*)(int, const struct iovec *, int), writev)(log_file, parts, 4);
    pthread_mutex_unlock(&lock);
}

static void opened(int file, const char *path, int flags) {
    if (file < 0 || file >= MOST_FILES || !inside(path)) return;
    strncpy(path_of[file], path, LONGEST_PATH - 1);
    appends[file] = !!(flags & O_APPEND);
    if (flags & O_CREAT) record('c', path, 0, 0, 0, 0);
    if (flags & O_TRUNC) record('t', path, 0, 0, 0, 0);
}

#define OPEN(name)                                                                           \
    int name(const char *path, int flags, ...) {                                             \
        va_list more;                                                                        \
        va_start(more, flags);                                                               \
        int mode = va_arg(more, int);                                                        \
        va_end(more);                                                                        \
        if ((flags & (O_CREAT | O_TRUNC)) && inside(path) && fails(path)) return -1;         \
        int file = NEXT(int (*)(const char *, int, ...), name)(path, flags, mode);           \
        opened(file, path, flags);                                                           \
        return file;                                                                         \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                         \
    int name(int at, const char *path, int flags, ...) {                                     \
        va_list more;                                                                        \
        va_start(more, flags);                                                               \
        int mode = va_arg(more, int);                                                        \
        va_end(more);                                                                        \
        if ((flags & (O_CREAT | O_TRUNC)) && inside(path) && fails(path)) return -1;         \
        int file = NEXT(int (*)(int, const char *, int, ...), name)(at, path, flags, mode);  \
        opened(file, path, flags);                                                           \
        return file;                                                                         \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int file, const void *data, size_t n) {
    start();
    const char *path = file == log_file ? NULL : known(file);
    if (fails(path)) return -1;
    off_t at = path ? lseek(file, 0, appends[file] ? SEEK_END : SEEK_CUR) : 0;
    ssize_t done = NEXT(ssize_t (*)(int, const void *, size_t), write)(file, data, n);
    if (path && done > 0) record('w', path, 0, at, data, done);
    return done;
}

#define PWRITE(name, offset)                                                                 \
    ssize_t name(int file, const void *data, size_t n, offset at) {                          \
        const char *path = known(file);                                                      \
        if (fails(path)) return -1;                                                          \
        ssize_t done = NEXT(ssize_t (*)(int, const void *, size_t, offset), name)(file, data, n, at); \
        if (path && done > 0) record('w', path, 0, at, data, done);                          \
        return done;                                                                         \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define SYNC(name)                                                                           \
    int name(int file) {                                                                     \
        const char *path = known(file);                                                      \
        if (fails(path)) return -1;                                                          \
        int result = NEXT(int (*)(int), name)(file);                                         \
        if (path && result == 0) record('s', path, 0, 0, 0, 0);                              \
        return result;                                                                       \
    }
SYNC(fsync)
SYNC(fdatasync)

#define SHORTEN(name, offset)                                                                \
    int name(int file, offset length) {                                                      \
        const char *path = known(file);                                                      \
        if (fails(path)) return -1;                                                          \
        int result = NEXT(int (*)(int, offset), name)(file, length);                         \
        if (path && result == 0) record('f', path, 0, length, 0, 0);                         \
        return result;                                                                       \
    }
SHORTEN(ftruncate, off_t)
SHORTEN(ftruncate64, off64_t)

int close(int file) {
    if (file >= 0 && file < MOST_FILES) path_of[file][0] = 0;
    return NEXT(int (*)(int), close)(file);
}

int rename(const char *from, const char *to) {
    if (inside(from) && fails(from)) return -1;
    int result = NEXT(int (*)(const char *, const char *), rename)(from, to);
    if (result == 0 && inside(from)) record('r', from, to, 0, 0, 0);
    return result;
}

int unlink(const char *path) {
    if (inside(path) && fails(path)) return -1;
    int result = NEXT(int (*)(const char *), unlink)(path);
    if (result == 0 && inside(path)) record('u', path, 0, 0, 0, 0);
    return result;
}

/* For the program under test: an edit has been acknowledged. */
void shim_acknowledge(int64_t number) {
    start();
    record('A', "", 0, number, 0, 0);
}

/* For the program under test: count from now on, and let the n-th call fail (and all after it, if `on`). */
void shim_fail(long at, long error, int on) {
    calls = 0, fail_errno = error, fail_on = on, fail_at = at;
}

long shim_calls(void) { return calls; }
