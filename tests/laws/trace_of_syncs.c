/* Preloaded into the engine: writes down each write to, and each sync of, the log's write-ahead file.
 *
 * TRACE_OF_SYNCS names the trace. A line is "w <bytes>" after a write and "s 0" after a sync that succeeded.
 * Lines are appended whole, so that those of several processes stand in the order in which they happened.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char TRACED[] = "/log.sqlite-wal";
static int trace = -1;
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("TRACE_OF_SYNCS");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    if (path != NULL) trace = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static void note(int fd, char what, long bytes) {
    char link[32], path[4096], line[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    size_t end = sizeof TRACED - 1;
    if (length < (ssize_t)end || memcmp(path + length - end, TRACED, end) != 0) return;
    int size = snprintf(line, sizeof line, "%c %ld\n", what, bytes);
    if (real_write(trace, line, size) != size) abort();
}

ssize_t write(int fd, const void *from, size_t bytes) {
    if (real_write == NULL) real_write = dlsym(RTLD_NEXT, "write");
    ssize_t done = real_write(fd, from, bytes);
    if (trace >= 0 && done > 0) note(fd, 'w', done);
    return done;
}

ssize_t pwrite(int fd, const void *from, size_t bytes, off_t at) {
    ssize_t done = real_pwrite(fd, from, bytes, at);
    if (trace >= 0 && done > 0) note(fd, 'w', done);
    return done;
}

ssize_t pwrite64(int fd, const void *from, size_t bytes, off64_t at) {
    ssize_t done = real_pwrite64(fd, from, bytes, at);
    if (trace >= 0 && done > 0) note(fd, 'w', done);
    return done;
}

int fsync(int fd) {
    int failed = real_fsync(fd);
    if (trace >= 0 && !failed) note(fd, 's', 0);
    return failed;
}

int fdatasync(int fd) {
    int failed = real_fdatasync(fd);
    if (trace >= 0 && !failed) note(fd, 's', 0);
    return failed;
}
